"""The name of what one run of a stage leaves: a digest of all that can change it."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

KEY_LENGTH = 32  # hexadecimal digits, 128 bits


def canonical_json(document: object) -> bytes:
    """One spelling for one value. Raises TypeError for what JSON cannot say, ValueError for NaN."""
    return json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    ).encode()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a stage is asked to make: everything that can change its bytes, and nothing else.

    version:  raised by hand whenever the stage's code would give other bytes for the same inputs.
    config:   the stage's configuration as plain JSON values.
    inputs:   the digest of every input, by role.
    """

    stage: str
    version: int
    config: Mapping[str, Any]
    inputs: Mapping[str, str]

    @classmethod
    def for_stage(cls, stage: str, version: int, config: Any, inputs: Mapping[str, str]) -> "Recipe":
        """config: a frozen dataclass; its tuples become lists, so that a recipe read back is equal."""
        return cls(stage, version, json.loads(canonical_json(asdict(config))), dict(inputs))

    @property
    def key(self) -> str:
        return sha256(canonical_json(asdict(self)))[:KEY_LENGTH]

    def difference(self, other: "Recipe") -> str:
        """Every part that is another than in a recipe of the same stage: what it was there, what it is."""
        here, there = dict(_leaves(asdict(self))), dict(_leaves(asdict(other)))
        return "; ".join(
            f"{part} was {_short(there.get(part))}, is {_short(here.get(part))}"
            for part in self.differing_fields(other)
        )

    def differing_fields(self, other: "Recipe") -> list[str]:
        here, there = dict(_leaves(asdict(self))), dict(_leaves(asdict(other)))
        # As JSON: 1 and 1.0 are two keys.
        return sorted(part for part in {*here, *there} if _shown(here.get(part)) != _shown(there.get(part)))


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _short(value: Any) -> str:
    """Of a digest, the first digits."""
    return f"{_shown(value)[:13]}…" if len(_shown(value)) > 40 else _shown(value)
