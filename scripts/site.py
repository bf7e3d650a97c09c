"""What the documentation site adds to the pages of docs/: hooks of MkDocs, named in mkdocs.yml.

- A page for each room of the code, filled from its docstrings by mkdocstrings.
- The pages of docs/decisions in the navigation, so that a new one needs no entry.
- Links that lead out of docs/, to files of the checkout, as plain words: the site does not hold these.
"""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PACKAGES = ("flows", "tasks", "artifacts", "data", "rnn_core")
PUBLIC = """# namewright

The public module: what a program of yours imports.

::: namewright.generate

::: tasks.models.load.open_model

::: tasks.models.load.TrainedModel
"""
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(((?:\.\./)+[^)\s]+)\)")


def on_files(files: Files, config: Any) -> Files:
    """Add a page for each room, and name it and the decisions in the navigation."""
    page = "reference/api/namewright.md"
    files.append(File.generated(config, page, content=PUBLIC))
    section(config, "API").append({"namewright": page})
    for package in PACKAGES:
        entries: list[Any] = []
        for room in (package, *rooms(package)):
            page = f"reference/api/{room}.md"
            files.append(File.generated(config, page, content=api_page(room)))
            entries.append({room: page})
        section(config, "API").append({package: entries})
    pages = sorted(path for path in (ROOT / "docs" / "decisions").glob("*.md") if path.stem != "README")
    entries = ["decisions/README.md", *({heading(path): f"decisions/{path.name}"} for path in pages)]
    section(config, "Explanation").append({"Decisions": entries})
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:  # noqa: ARG001
    """The page, without the links that lead to files which the site does not hold."""
    folder = Path(config.docs_dir, page.file.src_uri).parent

    def keep_text(link: re.Match[str]) -> str:
        target = (folder / link[2].partition("#")[0]).resolve()
        outside = not target.is_relative_to(config.docs_dir) and target.exists()
        return link[1] if outside else link[0]

    return LINK.sub(keep_text, markdown)


def rooms(package: str) -> list[str]:
    """The sub-packages of a package."""
    return sorted(f"{package}.{path.parent.name}" for path in (ROOT / package).glob("*/__init__.py"))


def api_page(package: str) -> str:
    """The docstrings of a package and of its modules, for mkdocstrings to fill in."""
    folder = ROOT / package.replace(".", "/")
    modules = sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("__"))
    deeper = sorted(path.parent.name for path in folder.glob("*/__init__.py")) if "." in package else []
    options = "    options:\n      show_submodules: {}\n      heading_level: {}\n"
    parts = [f"::: {package}\n" + options.format("false", 1)]
    parts += [f"::: {package}.{module}\n" + options.format("false", 2) for module in modules]
    parts += [f"::: {package}.{name}\n" + options.format("true", 2) for name in deeper]
    return "\n".join(parts)


def section(config: Any, title: str) -> list[Any]:
    """The entries of a section of the navigation, which is added if it is new."""
    for entry in config.nav:
        if title in entry:
            entries: list[Any] = entry[title]
            return entries
    config.nav.append({title: []})
    return section(config, title)


def heading(page: Path) -> str:
    """The first heading of a page."""
    return page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
