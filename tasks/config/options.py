"""The options of a configuration, with their defaults and what their docstrings say about them."""

import difflib
import inspect
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import Field, fields, is_dataclass
from types import MappingProxyType
from typing import Any

_ENTRY = re.compile(r"^    (?P<name>\w+): (?P<text>.*)$")
_WIDTH = 100
NEAR = 0.75  # of difflib's ratio


def descriptions(config: type) -> dict[str, str]:
    """What the docstrings of a configuration and its bases say of each field, in their `Attributes:`."""
    texts: dict[str, str] = {}
    for base in reversed(config.__mro__[:-1]):
        _, _, attributes = (inspect.getdoc(base) or "").partition("\nAttributes:\n")
        name = ""
        for line in attributes.splitlines():
            if entry := _ENTRY.match(line):
                name = entry["name"]
                texts[name] = entry["text"]
            elif line.startswith("        "):
                texts[name] += f" {line.strip()}"
            else:
                break
    return texts


def options_of(config: Any) -> list[Field[Any]]:
    """The fields of a configuration: its own, then those of its bases."""
    own = (config if isinstance(config, type) else type(config)).__annotations__
    return sorted(fields(config), key=lambda field: field.name not in own)


def nearest(word: str, known: Collection[str]) -> str | None:
    """Of the known words, the one that was most probably meant; None if none is near."""
    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=NEAR)), None)


def as_toml(config: Any, notes: Mapping[str, str] = MappingProxyType({})) -> str:
    """A pipeline.toml with every option as it is in `config`, and what it does above it.

    notes:  a comment for each source, by its name.
    """
    return "\n".join(_lines(config, notes)) + "\n"


def _lines(config: Any, notes: Mapping[str, str]) -> Iterator[str]:
    texts, values = descriptions(type(config)), _values(config)
    sections = {name: value for name, value in values.items() if is_dataclass(value)}
    sources = values.pop("sources", ())
    for name, value in values.items():
        if name not in sections:
            yield from _option(name, value, texts.get(name, ""))
    for number, source in enumerate(sources):
        meanings = {} if number else descriptions(type(source))  # once is enough
        yield from ("", *(f"# {line}" for line in notes.get(source.name, "").splitlines()), "[[source]]")
        for name, value in _values(source).items():
            yield from _option(name, value, meanings.get(name, ""))
    for name, section in sections.items():
        yield from ("", f"[{name}]")
        yield from _lines(section, notes)


def _values(config: Any) -> dict[str, Any]:
    return {option.name: getattr(config, option.name) for option in options_of(config)}


def _option(name: str, value: Any, text: str) -> Iterator[str]:
    words = text.split()
    while words:
        line = "#"
        while words and len(line) + len(words[0]) < _WIDTH:
            line += " " + words.pop(0)
        yield line
    yield f"# {name} =" if value is None else f"{name} = {json.dumps(value, ensure_ascii=False)}"
