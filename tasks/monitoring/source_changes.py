"""Which input lists changed since a retraining began with them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from artifacts.documents import as_type, parse_json
from artifacts.keys import sha256
from artifacts.open_store import open_store
from tasks.config.sources import Source

FILE = "watched.json"


@dataclass(frozen=True, slots=True)
class Change:
    """A list whose content changed.

    digest:  of the bytes of its files; in a bucket of their versions, for which nothing is fetched.
    was:     the digest remembered last; empty for a list that was never.
    """

    source: str
    path: str
    digest: str
    was: str


class SourceMemory:
    """The digests of the lists that retrainings began with, in a small document at the top of the store."""

    def __init__(self, store: Path) -> None:
        self._document = open_store(store).document(FILE)

    def changes(self, sources: Iterable[Source]) -> list[Change]:
        """The lists that differ from those remembered.

        Raises DataError for a list that cannot be read, StoreError for a store that cannot.
        """
        seen = self._seen()
        current = [(source.name, source.path, _digest(source)) for source in sources]
        return [
            Change(name, path, digest, seen.get(name, ""))
            for name, path, digest in current
            if seen.get(name) != digest
        ]

    def remember(self, changes: Iterable[Change]) -> None:
        """Store these changes as known. Raises StoreError."""
        known = {change.source: change.digest for change in changes}

        def with_changes(content: bytes | None) -> bytes:
            return json.dumps({**_parse(content), **known}, indent=2, sort_keys=True).encode() + b"\n"

        self._document.update(with_changes, on_wait=lambda: None)

    def _seen(self) -> Mapping[str, str]:
        try:
            return _parse(self._document.read())
        except ValueError:
            return {}


def _parse(content: bytes | None) -> Mapping[str, str]:
    """The digests by source; of a damaged document none: each list is announced again, which costs little."""
    try:
        seen: Mapping[str, str] = as_type(Mapping[str, str], parse_json(content or b"{}"))
    except ValueError:
        return {}
    return seen


def _digest(source: Source) -> str:
    """The sha256 of one file; of several, that of all their digests in order."""
    versions = [file.version for file in source.files]
    return versions[0] if len(versions) == 1 else sha256("".join(versions).encode())


def payload(changes: Iterable[Change]) -> dict[str, object]:
    """The payload of the event about these changes, as docs/reference/events.md describes it."""
    return {"changes": [asdict(change) for change in changes]}
