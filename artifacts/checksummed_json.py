"""JSON documents with a checksum over themselves, so that a flipped bit shows."""

import json
from collections.abc import Mapping
from typing import Any

from artifacts.documents import parse_json
from artifacts.keys import canonical_json, sha256


def dumps(document: Mapping[str, Any]) -> bytes:
    """The document as JSON, with a checksum over all of it."""
    whole = {**document, "checksum": sha256(canonical_json(document))}
    text = json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return text.encode(errors="backslashreplace")  # a path that is not UTF-8 becomes an escape of JSON


def loads(content: bytes) -> dict[str, Any]:
    """The document without its checksum. Raises ValueError if it does not match, and for other documents."""
    document = parse_json(content)
    if not isinstance(document, dict) or "checksum" not in document:
        raise ValueError("is not an object with a checksum")
    if document.pop("checksum") != sha256(canonical_json(document)):
        raise ValueError("does not match its own checksum")
    return document
