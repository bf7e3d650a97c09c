"""The name of what one run of a stage leaves: a digest of all that can change it."""

import hashlib
import json
from collections.abc import Mapping
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
    def of(cls, stage: str, version: int, config: Any, inputs: Mapping[str, str]) -> "Recipe":
        """config: a frozen dataclass; its tuples become lists, so that a recipe read back is equal."""
        return cls(stage, version, json.loads(canonical_json(asdict(config))), dict(inputs))

    @property
    def key(self) -> str:
        return sha256(canonical_json(asdict(self)))[:KEY_LENGTH]
