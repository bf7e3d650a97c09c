"""Write the reference page of every option, from the configuration classes and their docstrings.

    python -m scripts.write_configuration docs/reference/configuration.md

A test compares the committed page with a new one.
"""

import sys
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

from tasks.config.generate import GenerateConfig
from tasks.config.options import descriptions, options_of
from tasks.config.retrain import RetrainConfig
from tasks.config.settings import ListSettings, Settings, WorkerSettings
from tasks.config.sources import Source

HEAD = """# Configuration

This page is written by `python -m scripts.write_configuration`, from the code; a test keeps it true.

An option can be set in three places. The first that has it wins:

1. on the command line: `--training.hidden-size 128`,
2. as an environment variable: `NAMEWRIGHT_TRAINING_HIDDEN_SIZE=128`,
3. in `pipeline.toml` in the current folder, or in the file that `--config` names: `hidden_size = 128` under
   `[training]`.

`namewright init` writes a `pipeline.toml` with every option of `namewright run`, its default and its meaning.
An unknown option is an error in all three places.
"""


def page() -> str:
    """The page, as Markdown."""
    lines = [HEAD]
    config = RetrainConfig()
    lines += ["## `namewright run`: what to make", "", *_table(config, ""), ""]
    for field in fields(config):
        section = getattr(config, field.name)
        if is_dataclass(section):
            lines += [f"### `[{field.name}]`", "", *_table(section, f"{field.name}."), ""]
    lines += [
        "### `[[source]]`",
        "",
        "One table of pipeline.toml for each list of names ([more](../how-to/sources.md)).",
        "",
        *_table(Source, ""),
        "",
    ]
    lines += ["## `namewright run`: how to run it", "", "None of these changes a byte of what is made.", ""]
    lines += [*_table(Settings, ""), ""]
    lines += ["## `namewright generate`", ""]
    lines += ["It also takes every option of `[sampling]` without the prefix: `--temperature 0.8`.", ""]
    for kind in (GenerateConfig, ListSettings, WorkerSettings):
        lines += _table(kind, "")[2 if kind is not GenerateConfig else 0 :]
    lines.append("")
    return "\n".join(lines)


def _table(config: Any, prefix: str) -> list[str]:
    kind = config if isinstance(config, type) else type(config)
    texts: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if is_dataclass(base):
            texts.update(descriptions(base))
    rows = sorted(_defaults(kind), key=lambda row: row[1] != "required")
    option = "{}" if kind is Source else "--{}"
    return [
        "| option | default | |",
        "|---|---|---|",
        *(
            f"| `{option.format(_name(kind, prefix, name))}` | {default} | {_cell(texts.get(name, ''))} |"
            for name, default in rows
        ),
    ]


def _name(kind: type, prefix: str, field: str) -> str:
    """An option of the command line; a key of a table of pipeline.toml."""
    return field if kind is Source else f"{prefix}{field.replace('_', '-')}"


def _defaults(kind: type) -> Iterator[tuple[str, str]]:
    """Every option of a class and its default; sections and lists of sources stand in tables of their own."""
    for field in options_of(kind):
        is_section = is_dataclass(field.default) or field.name in ("sources", "sampling")
        if is_section or (field.name == "workers" and kind is ListSettings):
            continue
        if field.default is MISSING:
            yield field.name, "" if field.default_factory is not MISSING else "required"
        elif field.default in (None, (), ""):
            yield field.name, ""
        else:
            yield field.name, f"`{_value(field.default)}`"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:,}" if isinstance(value, int) else str(value)


def _cell(text: str) -> str:
    return (text[:1].upper() + text[1:]).replace("|", "\\|")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
