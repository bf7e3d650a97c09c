"""Manifests: what an artifact was made from, when and by whom, and how to verify that it is whole."""

import platform
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from artifacts.checksummed_json import dumps, loads
from artifacts.keys import Recipe, canonical_json, sha256

FILE_NAME = "manifest.json"
_JSON_KEYS = {"metadata": "facts", "created_at": "made_at"}  # attributes that have another name in the file
_LIBRARIES = ("namewright", "numpy", "pyarrow", "pandera", "prefect")


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file of an artifact; `rows` is None unless it is a table."""

    bytes: int
    sha256: str
    rows: int | None


@dataclass(frozen=True, slots=True)
class Manifest:
    """The commit point of an artifact: without a manifest there is none.

    origins:      where every input was, by role: an artifact as `stage/key`, a source file by its path.
    metadata:     what the stage reports of its result: counts, a model card. The same on every run.
    created_at:   UTC, ISO 8601.
    seconds:      wall-clock time it took.
    run:          who ran it: the engine, and Prefect's flow run where there is one.
    """

    recipe: Recipe
    origins: Mapping[str, str]
    files: Mapping[str, FileRecord]
    metadata: Mapping[str, Any]
    created_at: str
    seconds: float
    run: Mapping[str, str]
    libraries: Mapping[str, str] = field(default_factory=lambda: _library_versions())

    @classmethod
    def now(
        cls,
        recipe: Recipe,
        *,
        origins: Mapping[str, str],
        files: Mapping[str, FileRecord],
        metadata: Mapping[str, Any],
        seconds: float,
        run: Mapping[str, str],
    ) -> "Manifest":
        """A manifest dated with the present moment."""
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(recipe, origins, files, metadata, moment, round(seconds, 3), run)

    @property
    def digest(self) -> str:
        """The digest of the files' names and content: nothing of when, where or by whom."""
        return sha256(canonical_json({name: record.sha256 for name, record in self.files.items()}))

    @property
    def rows(self) -> int | None:
        """The rows of the artifact's first file, its main one; None unless that is a table."""
        return next(iter(self.files.values())).rows

    def to_json(self) -> bytes:
        """The manifest as a checksummed document, with its key and digest for readers other than us."""
        document = {_JSON_KEYS.get(name, name): value for name, value in asdict(self).items()}
        return dumps({**document, "key": self.recipe.key, "digest": self.digest})

    @classmethod
    def from_json(cls, content: bytes) -> "Manifest":
        """The manifest in these bytes. Raises ValueError unless they are a whole, untouched one."""
        try:
            document = loads(content)
            for implied in ("key", "digest"):
                del document[implied]
            for attribute, json_key in _JSON_KEYS.items():
                document[attribute] = document.pop(json_key)
            document["recipe"] = Recipe(**document["recipe"])
            document["files"] = {name: FileRecord(**record) for name, record in document["files"].items()}
            return cls(**document)
        except (TypeError, KeyError, AttributeError, UnicodeDecodeError) as fault:
            raise ValueError(f"is not a valid manifest ({fault})") from fault


def _library_versions() -> dict[str, str]:
    from importlib.metadata import version  # slow to import, and a reader needs none

    versions = {name: version(name) for name in _LIBRARIES}
    return {**versions, "python": platform.python_version(), "unicode": unicodedata.unidata_version}
