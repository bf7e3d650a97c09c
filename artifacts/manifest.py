"""Manifests: what an artifact was made from, when and by whom, and how to verify that it is whole."""

import platform
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from artifacts.checksummed_json import dumps, loads
from artifacts.documents import HEX_DIGEST, MOMENT, PLAIN_NAME, as_type, read_file
from artifacts.keys import Recipe, canonical_json, sha256
from rnn_core.errors import DataError
from rnn_core.validators import AT_LEAST_0, Rule, whole

FILE_NAME = "manifest.json"
_JSON_KEYS = {"metadata": "facts", "created_at": "made_at"}  # attributes that have another name in the file
_COUNT = whole(0, 1 << 62)
_TEXTS = tuple[str, ...]
_ATTEMPT = Rule("16 hexadecimal digits", lambda value: bool(re.fullmatch("([0-9a-f]{16})?", str(value))))
_ACTED_ON: Mapping[str, Mapping[str, Any]] = {  # metadata that runs act on, by stage
    "gate": {"passed": bool, "reasons": _TEXTS},
    "profile": {"sources": _TEXTS},
    "examples": {"names": Mapping[str, int], "sized_by": int, "borders": Mapping[str, int]},
    "model": {"model_card": Mapping[str, Any], "warm_starts": int},
    "mixture": {"model_card": Mapping[str, Any]},
    "decision": {"promote": bool, "reasons": _TEXTS, "notes": _TEXTS},
    "generated": {"names": int, "first": _TEXTS, "content": str, "lists": Mapping[str, int], "new": int},
}
_LIBRARIES = ("namewright", "numpy", "pyarrow", "pandera", "prefect")


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file of an artifact; `rows` is None unless it is a table."""

    bytes: Annotated[int, _COUNT]
    sha256: Annotated[str, HEX_DIGEST]
    rows: Annotated[int, _COUNT] | None


@dataclass(frozen=True, slots=True)
class Manifest:
    """The commit point of an artifact: without a manifest there is none.

    origins:      where every input was, by role: an artifact as `stage/key`, a source file by its path.
    metadata:     what the stage reports of its result: counts, a model card. The same on every run.
    created_at:   UTC, ISO 8601.
    seconds:      wall-clock time it took.
    run:          who ran it: the engine, and Prefect's flow run where there is one.
    attempt:      in a bucket, the folder of its files.
    """

    recipe: Recipe
    origins: Mapping[str, str]
    files: Mapping[Annotated[str, PLAIN_NAME], FileRecord]
    metadata: Mapping[str, Any]
    created_at: Annotated[str, MOMENT]
    seconds: Annotated[float, AT_LEAST_0]
    run: Mapping[str, str]
    libraries: Mapping[str, str] = field(default_factory=lambda: _library_versions())
    attempt: Annotated[str, _ATTEMPT] = ""

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
        attempt: str = "",
    ) -> "Manifest":
        """A manifest dated with the present moment."""
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(recipe, origins, files, metadata, moment, round(seconds, 3), run, attempt=attempt)

    @property
    def origin(self) -> str:
        """The artifact as `stage/key`."""
        return f"{self.recipe.stage}/{self.recipe.key}"

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
        document = {
            _JSON_KEYS.get(name, name): value
            for name, value in asdict(self).items()
            if name != "attempt" or value
        }
        return dumps({**document, "key": self.recipe.key, "digest": self.digest})

    @classmethod
    def from_json(cls, content: bytes) -> "Manifest":
        """The manifest in these bytes. Raises ValueError unless they are a whole, untouched one."""
        document = loads(content)
        attributes = {json_key: attribute for attribute, json_key in _JSON_KEYS.items()}
        try:
            written: Manifest = as_type(
                cls,
                {
                    attributes.get(json_key, json_key): value
                    for json_key, value in document.items()
                    if json_key not in ("key", "digest")  # which follow from the rest
                },
            )
            if not written.files:
                raise ValueError("it has no files")
            if unknown := sorted({*written.origins} - {*written.recipe.inputs}):
                raise ValueError(f"it has origins that are not inputs: {', '.join(unknown)[:80]!r}")
            for name, kind in _ACTED_ON.get(written.recipe.stage, {}).items():
                if name in written.metadata:
                    as_type(kind, written.metadata[name], f"{_JSON_KEYS['metadata']}.{name}")
        except ValueError as fault:
            raise ValueError(f"is not a valid manifest ({fault})") from fault
        return replace(written, metadata=_Metadata(written.metadata))

    @classmethod
    def read(cls, path: Path) -> "Manifest":
        """The manifest in a file. Raises OSError unless that is regular, ValueError as `from_json` does."""
        return cls.from_json(read_file(path))


def foreign(written: Manifest, stage: str, key: str) -> str:
    """What is wrong with a manifest that was found under this key and belongs to another; else empty."""
    owner = written.recipe.stage, written.recipe.key
    return "" if owner == (stage, key) else f"it belongs to {'/'.join(owner)}"


class _Metadata(dict[str, Any]):
    """What a stage reports, as it was read."""

    def __missing__(self, name: str) -> Any:
        raise DataError(
            "artifact.unreadable",
            f"a manifest does not say what is asked of it: {name}",
            saw=f"only {', '.join(self) or 'nothing'}"[:200],
            fix="make its artifact again: refresh its stage.",
        )


def _library_versions() -> dict[str, str]:
    from importlib.metadata import version  # slow to import, and a reader needs none

    versions = {name: version(name) for name in _LIBRARIES}
    return {**versions, "python": platform.python_version(), "unicode": unicodedata.unidata_version}
