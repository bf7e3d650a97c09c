"""Docstrings as Markdown, for the API pages: an extension of griffe, named in mkdocs.yml.

Ours name an argument or a field at the beginning of a line, `path:  the file`, and indent what follows.
Options stand below `Attributes:` or `Args:`, where the command line finds them too.
Markdown would run such lines together; here each becomes an item of a list. A bracket is no link there.
"""

import inspect
import re
import textwrap
from typing import Any

from griffe import Extension

SECTION = re.compile(r"^(Attributes|Args):\n(?P<entries>(    .*\n?|\n)+)", re.MULTILINE)
ITEM = re.compile(r"^([*]{0,2}\w+(?:, [*]{0,2}\w+)*): +(?=\S)")


class Docstrings(Extension):
    """Rewrites the docstring of every object that griffe collects."""

    def on_instance(self, *, obj: Any, **_: Any) -> None:
        """Called by griffe for each module, class, function and attribute."""
        if obj.docstring:
            obj.docstring.value = markdown(obj.docstring.value)


def markdown(docstring: str) -> str:
    """The text with its definitions as a list."""
    lines: list[str] = []
    in_item = False
    sections = SECTION.sub(lambda section: textwrap.dedent(section["entries"]), inspect.cleandoc(docstring))
    for line in sections.splitlines():
        item = ITEM.match(line)
        if item and not line.startswith(("Raises", "Returns", "Source", "Note")):
            if not in_item:
                lines.append("")
            lines.append(f"- `{item[1]}`: {line[item.end() :]}")
            in_item = True
        elif in_item and line.startswith(" "):
            lines.append(f"    {line.strip()}")
        else:
            if in_item:
                lines.append("")
            lines.append(line)
            in_item = False
    return "\n".join(line if line.startswith("    ") else _without_links(line) for line in lines).strip()


def _without_links(line: str) -> str:
    """The line with every `[` outside of code escaped."""
    parts = re.split(r"(`[^`]*`)", line)
    return "".join(part if part.startswith("`") else part.replace("[", "\\[") for part in parts)
