"""JSON documents that tell whether they are as they were written: a bit that flips in them shows."""

import json
from collections.abc import Mapping
from typing import Any

from artifacts.keys import canonical_json, sha256


def dumps(document: Mapping[str, Any]) -> bytes:
    """The document with a checksum over all of it."""
    whole = {**document, "checksum": sha256(canonical_json(document))}
    text = json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return text.encode(errors="backslashreplace")  # a path that is not UTF-8 becomes an escape of JSON


def loads(content: bytes) -> dict[str, Any]:
    """The way back. Raises ValueError, or what a document of another make leads to: TypeError, KeyError,
    AttributeError."""
    document: dict[str, Any] = json.loads(content)
    if document.pop("checksum") != sha256(canonical_json(document)):
        raise ValueError("does not match its own checksum")
    return document
