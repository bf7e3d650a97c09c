"""Artifact keys: a digest of everything that can change what a stage leaves."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import Annotated, Any

from artifacts.documents import PLAIN_NAME

KEY_LENGTH = 32  # hexadecimal digits, 128 bits


def canonical_json(document: object) -> bytes:
    """The one JSON spelling of a value. Raises TypeError for what JSON cannot express, ValueError for NaN."""
    return json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    ).encode()


def sha256(content: bytes) -> str:
    """The SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that can change an artifact's bytes, and nothing else.

    version:  raised by hand whenever the stage's code would give other bytes for the same inputs.
    config:   the stage's configuration as plain JSON values.
    inputs:   the digest of every input, by role.
    """

    stage: Annotated[str, PLAIN_NAME]
    version: int
    config: Mapping[str, Any]
    inputs: Mapping[str, str]

    @classmethod
    def for_stage(cls, stage: str, version: int, config: Any, inputs: Mapping[str, str]) -> "Recipe":
        """The recipe of one run of a stage.

        config:  a frozen dataclass; its tuples become lists, so that a recipe read back is equal. A field
                 with `metadata={"neutral": lambda config: value}` is left out where it has that value: an
                 option that is added later, and then means what the stage did before, moves no key.
        """
        return cls(stage, version, json.loads(canonical_json(_without_neutral(config))), dict(inputs))

    @property
    def key(self) -> str:
        """The artifact's key: the first digits of the recipe's SHA-256."""
        return sha256(canonical_json(asdict(self)))[:KEY_LENGTH]

    def difference(self, other: "Recipe") -> str:
        """What differs from another recipe of the same stage: `config.cell was "gru", is "lstm"`."""
        return "; ".join(
            f"{part} was {_abbreviation(there)}, is {_abbreviation(here)}"
            for part, (there, here) in self.differences(other).items()
        )

    def differences(self, other: "Recipe") -> dict[str, tuple[Any, Any]]:
        """The other's value and this one's, by the dotted names of the parts that differ, sorted."""
        here, there = self._parts(), other._parts()
        pairs = {part: (there.get(part), here.get(part)) for part in sorted({*here, *there})}
        # As JSON: 1 and 1.0 are two keys.
        return {part: pair for part, pair in pairs.items() if _as_json(pair[0]) != _as_json(pair[1])}

    def _parts(self) -> dict[str, Any]:
        return dict(_leaves(asdict(self)))


def _without_neutral(value: Any) -> Any:
    """A dataclass as a dictionary, without the fields at their neutral value, and so all in it."""
    if is_dataclass(value):
        return {
            field.name: _without_neutral(getattr(value, field.name))
            for field in fields(value)
            if "neutral" not in field.metadata
            or field.metadata["neutral"](value) != getattr(value, field.name)
        }
    if isinstance(value, list | tuple):
        return [_without_neutral(part) for part in value]
    if isinstance(value, dict):
        return {name: _without_neutral(part) for name, part in value.items()}
    return value


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _abbreviation(value: Any) -> str:
    text = _as_json(value)
    return f"{text[:13]}…" if len(text) > 40 else text
