"""The code, the command line, the messages and the docs speak the words of their field."""

import ast
import io
import re
import tokenize
from pathlib import Path

from rich.console import Console

from flows.cli import app

ROOT = Path(__file__).parents[2]
PACKAGES = ("flows", "tasks", "artifacts", "data", "rnn_core")
SOURCES = [path for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py"))]
PAGES = [
    *(
        ROOT / name
        for name in (
            "README.md",
            "CHANGELOG.md",
            "CONTRIBUTING.md",
            "Makefile",
            "pyproject.toml",
            "prefect.yaml",
        )
    ),
    *sorted((ROOT / "docs").rglob("*.md")),
]

# Words and turns that nobody outside of this project used, and what was written with them.
DIALECT = re.compile(
    r"\b(learnt|knobs?|told|let in|carried out|is called so|cannot be had|are gone|is no number"
    r"|is no file of|is no manifest|no model is called|no stage is called|sets no|what was not taken"
    r"|the system refuses|nothing is learnt|there was none|runs that die silently|hired|misspelt|spelt)\b",
    re.I,
)

# Identifiers that were renamed to the field's own. Some live on in what is persisted: names of stages, of
# their inputs and of configuration keys (`let_in`, `candidates`, `sifting`), and JSON keys (`facts`).
_RENAMED = """
    said told tell hear hired Hired Workers deaf_to_ctrl_c WHO_ASKS who_asks Work Draft facts
    NoKnobs Unmade standing withdrawn Overtaken carried_out judged Contender Told gathered opened
    Taste tastes Act upkeep catalogue Beginnings Chooser Begun Written clip_by_norm descent
    restoring durable sealed unsealed letters graceful InOrder SideBySide Tally conclude Wanted
    knobs knob Learnt
"""
RENAMED = frozenset(_RENAMED.split())

# Descriptions of columns are part of a Parquet file's bytes: another word would be another artifact.
PERSISTED = "description="


def identifiers(source: str) -> dict[str, int]:
    """Every name of a module, with a line that it stands in."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.string: token.start[0] for token in tokens if token.type == tokenize.NAME}


def places(found):
    """What was found by file, for the files that have any."""
    return {str(path.relative_to(ROOT)): what for path, what in found if what}


def test_no_message_comment_or_page_speaks_a_dialect():
    def spoken(path):
        lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        return [
            f"{number}: {line.strip()}"
            for number, line in lines
            if DIALECT.search(line) and PERSISTED not in line
        ]

    assert not places((path, spoken(path)) for path in (*SOURCES, *PAGES))


def helps(app, names=()):
    """The help of every command, as the terminal shows it."""
    shown = io.StringIO()
    app.help_print(console=Console(file=shown, width=200))
    yield " ".join(names), shown.getvalue()
    for name in app:
        if not name.startswith("-"):
            yield from helps(app[name], (*names, name))


def test_no_help_speaks_a_dialect():
    shown = dict(helps(app))
    assert {"run", "generate", "models promote", "server start"} < set(shown)
    assert all(text.startswith("Usage: ") for text in shown.values())
    assert not {name: DIALECT.findall(text) for name, text in shown.items() if DIALECT.search(text)}


def test_no_identifier_is_one_that_only_we_would_understand():
    def renamed(path):
        names = identifiers(path.read_text(encoding="utf-8"))
        return {name: line for name, line in names.items() if name in RENAMED}

    assert not places((path, renamed(path)) for path in SOURCES)


def test_no_module_is_longer_than_four_hundred_lines():
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert not places((path, length) for path, length in lengths.items() if length > 400)


def test_the_docstring_of_everything_public_begins_with_a_sentence():
    def unfinished(path):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                first = (ast.get_docstring(node) or "").partition("\n")[0]
                if first and not first.endswith((".", "?", ":")):
                    yield f"{node.name}: {first}"

    assert not places((path, list(unfinished(path))) for path in SOURCES)
