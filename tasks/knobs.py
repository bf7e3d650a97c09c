"""The knobs of a configuration, with their defaults and what their docstrings say of them."""

import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

_ENTRY = re.compile(r"^(?P<names>\w+(?:, \w+)*):\s+(?P<text>.*)$")
_WIDTH = 100


def descriptions(dataclass: type) -> dict[str, str]:
    """What the class's docstring says of each field: lines `field:  text`, the text indented below it."""
    said: dict[str, str] = {}
    current: list[str] = []
    for line in inspect.getdoc(dataclass).splitlines():  # type: ignore[union-attr]  # every one has a docstring
        entry = _ENTRY.match(line)
        if entry:
            current = entry["names"].split(", ")
            said.update(dict.fromkeys(current, entry["text"]))
        elif line.startswith("  ") and current:
            said.update({name: f"{said[name]} {line.strip()}" for name in current})
        else:
            current = []
    return said


def documented(prefix: str, dataclass: type) -> str:
    """Every knob below `prefix` as an entry of a NumPy docstring, for the command line to show."""
    said = descriptions(dataclass)
    entries = []
    for knob in fields(dataclass):
        name, value = f"{prefix}.{knob.name}", default(knob)
        if is_dataclass(value):
            entries.append(documented(name, type(value)))
        elif knob.name in said:
            entries.append(f"{name}\n    {said[knob.name][:1].upper()}{said[knob.name][1:]}\n")
    return "".join(entries)


def default(knob: Field[Any]) -> Any:
    return knob.default if knob.default_factory is MISSING else knob.default_factory()


def as_toml(dataclass: type) -> str:
    """A pipeline.toml with every knob at its default and what it does above it."""
    return (
        "\n".join(_lines(dataclass, default_of={knob.name: default(knob) for knob in fields(dataclass)}))
        + "\n"
    )


def _lines(dataclass: type, default_of: dict[str, Any]) -> Iterator[str]:
    said = descriptions(dataclass)
    nested = {name: value for name, value in default_of.items() if is_dataclass(value)}
    listed = {name: value for name, value in default_of.items() if name == "sources"}
    for name, value in default_of.items():
        if name not in nested and name not in listed:
            yield from _knob(name, value, said.get(name, ""))
    for value in listed.get("sources", ()):
        yield from ("", "[[source]]", *_knob("name", value.name, ""), *_knob("path", value.path, ""))
        yield from _knob("limit", value.limit, "")
    for name, value in nested.items():
        yield from ("", f"[{name}]")
        yield from _lines(type(value), {knob.name: getattr(value, knob.name) for knob in fields(value)})


def _knob(name: str, value: Any, text: str) -> Iterator[str]:
    words = text.split()
    while words:
        line = "#"
        while words and len(line) + len(words[0]) < _WIDTH:
            line += " " + words.pop(0)
        yield line
    yield f"# {name} =" if value is None else f"{name} = {json.dumps(value, ensure_ascii=False)}"
