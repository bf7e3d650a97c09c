"""The knobs of a configuration, with their defaults and what their docstrings say of them."""

import difflib
import inspect
import json
import re
from collections.abc import Collection, Iterator
from dataclasses import fields, is_dataclass
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


def nearest(word: str, known: Collection[str]) -> str:
    """Of what is known, what was most probably meant."""
    return difflib.get_close_matches(word, known, n=1, cutoff=0.0)[0]


def documented(prefix: str, config: Any) -> str:
    """Every knob below `prefix` as an entry of a NumPy docstring, for the command line to show."""
    said = descriptions(type(config))
    entries = []
    for name, value in _values(config).items():
        if is_dataclass(value):
            entries.append(documented(f"{prefix}.{name}", value))
        elif name in said:
            entries.append(f"{prefix}.{name}\n    {said[name][:1].upper()}{said[name][1:]}\n")
    return "".join(entries)


def as_toml(config: Any) -> str:
    """A pipeline.toml with every knob as it stands in `config`, and what it does above it."""
    return "\n".join(_lines(config)) + "\n"


def _lines(config: Any) -> Iterator[str]:
    said, values = descriptions(type(config)), _values(config)
    sections = {name: value for name, value in values.items() if is_dataclass(value)}
    sources = values.pop("sources", ())
    for name, value in values.items():
        if name not in sections:
            yield from _knob(name, value, said.get(name, ""))
    for source in sources:
        yield from ("", "[[source]]")
        for name, value in _values(source).items():
            yield from _knob(name, value, "")
    for name, section in sections.items():
        yield from ("", f"[{name}]")
        yield from _lines(section)


def _values(config: Any) -> dict[str, Any]:
    return {knob.name: getattr(config, knob.name) for knob in fields(config)}


def _knob(name: str, value: Any, text: str) -> Iterator[str]:
    words = text.split()
    while words:
        line = "#"
        while words and len(line) + len(words[0]) < _WIDTH:
            line += " " + words.pop(0)
        yield line
    yield f"# {name} =" if value is None else f"{name} = {json.dumps(value, ensure_ascii=False)}"
