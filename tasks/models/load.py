"""Trained models: found by a path, a key or as the champion, opened, and asked for names.

>>> from tasks.models import open_model
>>> model = open_model()
>>> names = model.draw(1000, temperature=0.8)
>>> log_probabilities = model.log_probabilities(["Ana", "Bea"])
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from artifacts import atomic_io, manifest
from artifacts.formats import arrays_from_bytes
from artifacts.keys import KEY_LENGTH, sha256
from artifacts.manifest import Manifest
from artifacts.model_file import MODEL, ModelContents, ModelKind, model_contents, stored_vocabulary
from artifacts.source_file import SourceFile
from artifacts.store import Artifact, Store
from data.text.strings import to_strings
from rnn_core.errors import DataError
from rnn_core.metrics import scoring
from rnn_core.ngram import mixture
from rnn_core.sample.sampler import SamplingConfig, sample
from rnn_core.text.vocabulary import Vocabulary
from rnn_core.validators import check_choice, check_whole
from tasks.config.settings import Settings
from tasks.models import champion
from tasks.models.champion import CHAMPION
from tasks.process import blas

STAGES = ("mixture", "model")  # whose artifacts hold a model

_KEY = re.compile(rf"(?:({'|'.join(STAGES)})/)?([0-9a-f]{{6,{KEY_LENGTH}}})")


@dataclass(frozen=True)
class ModelFile(SourceFile):
    """The file of a trained model, as an input of a stage.

    path:      a model.npz.
    artifact:  that it belongs to; None for a file outside of a store.
    """

    artifact: Artifact | None = None

    @property
    def origin(self) -> str:
        return self.artifact.origin if self.artifact else super().origin

    @cached_property
    def training(self) -> Artifact | None:
        """The `validated` artifact, whose names the model has learnt from, whole. None if it is not known.

        Raises DataError if it is damaged, or what leads to it.
        """
        found = self.artifact
        for role in ("examples", "validated"):
            found = found and _input(found, role)
        return found

    def _unreadable(self, why: str) -> DataError:
        return _no_model_file(str(self.path), f"it could not be read: {why}", "")


def find_model(named: str | Path, store: Path) -> ModelFile:
    """A trained model.

    named:  a path; the key of an artifact of the stage `mixture` or `model` in the store, at least its first
            6 digits, with the stage before it or without (`mixture/3f2a91`); or `champion`, the model
            that was promoted.

    Raises DataError if there is no such file, if no artifact or more than one has such a key, if no model was
    promoted, and if the artifact is damaged; StoreError if the store cannot be read. What is in the file is
    seen by `opened`.
    """
    named = str(named)
    if named == CHAMPION:
        return _champion(Store(store))
    path = Path(os.path.expanduser(named))  # noqa: PTH111  # no user: no error
    if not os.path.isfile(path) and (key := _KEY.fullmatch(named.lower())):  # noqa: PTH113  # never raises
        return _by_key(Store(store), *key.groups())
    if "/" in named or os.sep in named or path.suffix == ".npz" or os.path.isfile(path):  # noqa: PTH113
        return _by_path(path)
    raise _unknown(named, Store(store))


def load_model(file: ModelFile) -> "TrainedModel":
    """Raises DataError if the file cannot be read, changed since its digest was taken, or holds no model."""
    digest = file.digest
    with atomic_io.io_errors(file.path, "read the model"):
        content = file.path.read_bytes()
    if sha256(content) != digest:
        raise _no_model_file(str(file.path), "it changed while it was read", "")
    try:
        arrays = arrays_from_bytes(content)
        models, letters = model_contents(arrays), stored_vocabulary(arrays)
    except ValueError as fault:
        raise _no_model_file(str(file.path), "it is no npz file of plain arrays", str(fault)) from fault
    except DataError as fault:
        where = f"{file.path}, {fault.where}" if fault.where else str(file.path)
        raise _no_model_file(where, fault.what, fault.saw) from fault
    if models.network.vocabulary_size != letters.size:
        saw = f"{letters.size} characters for a network of {models.network.vocabulary_size}"
        raise _no_model_file(str(file.path), "its network and its characters do not belong together", saw)
    return TrainedModel(file.origin, letters, models)


def open_model(named: str | Path = CHAMPION, store: str | Path | None = None) -> "TrainedModel":
    """A model to draw names from, and to ask how probable it finds given ones.

    named:  as for `find`: a path, a key, or `champion`.
    store:  folder of the artifact store; by default NAMEWRIGHT_STORE, or artifacts/store below the current
            folder.

    Raises as `find` and `opened` do.
    """
    settings = Settings() if store is None else Settings(store=Path(store))
    return load_model(find_model(named, settings.store))


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """origin: where it is from, for people: `mixture/<key>`, or a path."""

    origin: str
    vocabulary: Vocabulary
    models: ModelContents

    def __repr__(self) -> str:
        return f"TrainedModel({self.origin!r}, {self.vocabulary.size - 1} characters)"

    def draw(self, count: int = 1000, *, threads: int = 1, **knobs: Any) -> pa.StringArray:
        """(count,) names: those that the stage `names`, and `namewright generate`, draw with the same knobs.

        threads:  make so many blocks of names at once; with any number the same names come.
        knobs:    those of `SamplingConfig`: temperature, top_k, top_p, prefix, min_length, max_length,
                  allowed, forbidden, trimmed, seed, capitalise_first, drawn_from.

        Raises ConfigError for a knob out of range or when there are no such names, DataError if the mixture
        is asked for and there is none, or for more than 2 GiB of text, and TrainingError if the model's
        probabilities are not finite numbers.
        """
        config = SamplingConfig(count=count, **knobs)
        check_whole("threads", threads, 1, 1 << 10)
        with blas.one_thread:
            drawn = sample(self.models.select(config.drawn_from), self.vocabulary, config, threads)
        return to_strings(drawn.names, self.vocabulary, config.capitalise_first)

    def log_probabilities(
        self, names: Sequence[str] | pa.Array | pa.ChunkedArray, drawn_from: ModelKind = "network"
    ) -> npt.NDArray[np.float64]:
        """(N,) the log-probability of each name in nats, its end included: all names together sum to 1.

        It is that of the model as it is: at temperature 1, without constraints.

        Raises UnknownCharacter, a DataError, for a character that the model has never seen, DataError if the
        mixture is asked for and there is none, and TypeError for what is no list of strings.
        """
        check_choice("drawn_from", drawn_from, ("network", "mixture"))
        encoded = self.vocabulary.encode(_texts(names))
        with blas.one_thread:
            if drawn_from == "network":
                return scoring.log_probabilities(self.models.network, encoded)
            return mixture.log_probabilities(self.models.require_mixture(), encoded)


class _Kept(NamedTuple):
    """An artifact that holds a model. made_at: UTC, ISO 8601."""

    created_at: str
    stage: str
    key: str


def _kept(store: Store, stages: Sequence[str] = STAGES) -> list[_Kept]:
    """The last made first."""
    with atomic_io.io_errors(store.root, "list the store"):
        kept = [
            _Kept(_made_at(store.folder(stage, key)), stage, key)
            for stage in stages
            for key in store.keys(stage)
        ]
    return sorted(kept, reverse=True)


def _made_at(folder: Path) -> str:
    try:
        return Manifest.from_json((folder / manifest.FILE_NAME).read_bytes()).created_at
    except (OSError, ValueError):  # damaged, as whoever chooses it is told; until then it has its place
        return datetime.fromtimestamp(folder.stat().st_mtime, UTC).isoformat(timespec="seconds")


def _champion(store: Store) -> ModelFile:
    standing = champion.load_champion(store)
    if standing:
        return ModelFile(standing.folder / MODEL, standing)
    kept = _kept(store)
    if not kept:
        raise DataError(
            "model.none",
            "the store holds no trained model",
            where=str(store.root),
            fix="train one: namewright run; or name a store with --store, or a model's file with --model.",
        )
    raise DataError(
        "champion.none",
        "no model of the store was promoted",
        where=str(store.root),
        fix="promote one by hand, `namewright models promote KEY`, or name it with --model:" + _listed(kept),
    )


def _by_key(store: Store, stage: str | None, digits: str) -> ModelFile:
    stages = [stage] if stage else STAGES
    matching = [(one, key) for one in stages for key in store.keys(one) if key.startswith(digits)]
    if not matching:
        raise _unknown(digits, store)
    if len(matching) > 1:
        raise DataError(
            "model.ambiguous",
            "more than one model has a key that begins so",
            where=str(store.root),
            saw=digits,
            fix="name one with more digits, or with its stage:"
            + _listed([kept for kept in _kept(store) if (kept.stage, kept.key) in matching]),
        )
    return _in_store(store, *matching[0])


def _by_path(path: Path) -> ModelFile:
    file = ModelFile(path.absolute())  # it may be opened elsewhere
    _ = file.digest  # told at once if it cannot be read
    place = path.resolve()
    stage, key = place.parts[-3:-1] if len(place.parts) > 3 else ("", "")
    is_kept = place.name == MODEL and _KEY.fullmatch(f"{stage}/{key}") and len(key) == KEY_LENGTH
    if is_kept and (place.parent / manifest.FILE_NAME).exists():
        return _in_store(Store(place.parents[2]), stage, key)
    return file


def _in_store(store: Store, stage: str, key: str) -> ModelFile:
    artifact, fault = store.examine(stage, key)
    if fault:
        raise _damaged(store.folder(stage, key), fault)
    if not artifact:  # removed at this moment
        raise _unknown(key, store)
    return ModelFile(artifact.folder / MODEL, artifact)


def _input(artifact: Artifact, role: str) -> Artifact | None:
    """What the artifact was made from, whole; None if that is not there, or another by now."""
    reference = artifact.input(role)
    if not reference:
        return None
    store = Store(artifact.folder.parents[1])
    found, fault = store.examine(reference.stage, reference.key)
    if fault:
        raise _damaged(store.folder(reference.stage, reference.key), fault)
    return found if found and found.digest == reference.digest else None


def _texts(names: Sequence[str] | pa.Array | pa.ChunkedArray) -> list[str]:
    listed = names.to_pylist() if isinstance(names, pa.Array | pa.ChunkedArray) else names
    if isinstance(listed, str) or not all(isinstance(name, str) for name in listed):
        raise TypeError(f"a list of names is wanted, every one a string, and not {names!r:.80}")
    return list(listed)


def _listed(kept: list[_Kept], most: int = 10) -> str:
    lines = [f"{one.stage}/{one.key}, made {one.created_at}" for one in kept[:most]]
    if len(kept) > most:
        lines.append(f"and {len(kept) - most} more")
    return "".join(f"\n         {line}" for line in lines)


def _unknown(named: str, store: Store) -> DataError:
    kept = _kept(store)
    there = f"; the store holds:{_listed(kept)}" if kept else "; the store holds none: namewright run."
    return DataError(
        "model.unknown",
        "no model is called so",
        where=str(store.root),
        saw=named,
        fix=f"name a file, `{CHAMPION}`, or a key by 6 digits or more{there}",
    )


def _damaged(folder: Path, fault: str) -> DataError:
    return DataError(
        "model.damaged",
        "the artifact is damaged",
        where=str(folder),
        saw=fault,
        fix="the `namewright run` that made it makes it again; or name another model.",
    )


def _no_model_file(where: str, what: str, saw: str) -> DataError:
    return DataError(
        "model.unreadable",
        f"this is no file of a trained model: {what}",
        where=where,
        saw=saw,
        fix=f"name the {MODEL} of an artifact of the stage `mixture` or `model`, or a whole copy of it.",
    )
