"""Trained models: found by a path, a key or as the champion, loaded, and sampled from.

>>> from tasks.models import open_model
>>> model = open_model()
>>> names = model.draw(1000, temperature=0.8)
>>> log_probabilities = model.log_probabilities(["Ana", "Bea"])
"""

import contextlib
import io
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from artifacts import atomic_io, manifest, npz
from artifacts.keys import KEY_LENGTH, sha256
from artifacts.model_file import (
    MODEL,
    ModelContents,
    ModelKind,
    check_layout,
    model_contents,
    open_model_file,
    stored_vocabulary,
)
from artifacts.open_store import open_store
from artifacts.store import Store
from data.text.strings import as_texts, to_strings
from rnn_core.errors import DataError
from rnn_core.sample.sampler import Sampler, SamplingConfig, concatenate_samples
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import Vocabulary
from rnn_core.validators import AT_LEAST_0, check, choice, whole
from tasks.config.settings import Settings
from tasks.models import champion, trial
from tasks.models.champion import CHAMPION
from tasks.models.model_input import ModelFile, damaged_error, invalid_file_error
from tasks.models.name_predicate import name_predicate
from tasks.models.training_lists import list_names
from tasks.models.wishes import NamesOrFile, all_wishes
from tasks.process import blas

STAGES = ("mixture", "model")  # whose artifacts hold a model

_KEY = re.compile(rf"(?:({'|'.join(STAGES)})/)?([0-9a-f]{{1,{KEY_LENGTH}}})")


def find_model(model: str | Path, store: Path, sources: Sequence[str] = ()) -> ModelFile:
    """The file of a trained model; `load_model` reads it.

    model:    a path; the key of an artifact of the stage `mixture` or `model` in the store, or as many of its
              first digits as no other has, with or without the stage (`mixture/3f2a91`); or `champion`.
    sources:  the lists whose champion is meant; by default those trained on last.

    Raises DataError if there is no such file, if no artifact or more than one has such a key, if no model was
    promoted, and if the artifact is damaged; StoreError if the store cannot be read.
    """
    named = str(model)
    if named == CHAMPION:
        return _champion(open_store(store), sources)
    path = Path(os.path.expanduser(named))  # noqa: PTH111  # no user: no error
    if not os.path.isfile(path) and (key := _KEY.fullmatch(named.lower())):  # noqa: PTH113  # never raises
        return _by_key(open_store(store), *key.groups())
    if "/" in named or os.sep in named or path.suffix == ".npz" or os.path.isfile(path):  # noqa: PTH113
        return _by_path(path)
    raise _unknown(named, open_store(store))


def load_model(file: ModelFile) -> "TrainedModel":
    """The model that a file holds.

    Raises DataError if it cannot be read, changed since its digest was taken, or is not a valid model file.
    """
    digest, path = file.digest, file.local()
    with _model_errors(path), open_model_file(path) as stream:
        content = stream.readall()
    if sha256(content) != digest:
        raise invalid_file_error(str(path), "it changed while it was read", "")
    with _model_errors(path):
        arrays = npz.read(io.BytesIO(content), check_layout)
        models, vocabulary = model_contents(arrays), stored_vocabulary(arrays)
    if models.network.vocabulary_size != vocabulary.size:
        saw = f"{vocabulary.size} characters for a network of {models.network.vocabulary_size}"
        raise invalid_file_error(str(path), "its network and its vocabulary differ in size", saw)
    return TrainedModel(file.origin, vocabulary, models, file)


def open_model(
    model: str | Path = CHAMPION, store: str | Path | None = None, sources: Sequence[str] = ()
) -> "TrainedModel":
    """A trained model, to sample names from and to score names with.

    model:    as for `find_model`: a path, a key, or `champion`.
    store:    folder of the artifact store; by default NAMEWRIGHT_STORE, or artifacts/store below the current
              folder.
    sources:  names of the lists whose champion is meant; by default those trained on last.

    Raises as `find_model` and `load_model` do.
    """
    settings = Settings() if store is None else Settings(store=store)  # type: ignore[arg-type]  # an empty text is no Path any more
    return load_model(find_model(model, settings.store, sources))


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A model in memory, to sample names from and to score names with.

    origin:  where it is from, for people: `mixture/<key>`, or a path.
    file:    what it was loaded from.
    """

    origin: str
    vocabulary: Vocabulary
    models: ModelContents
    file: ModelFile | None = None

    def __repr__(self) -> str:
        return f"TrainedModel({self.origin!r}, {self.vocabulary.size - 1} characters)"

    def draw(
        self, count: int = 1000, *, threads: int = 1, patience: float = 60.0, **options: Any
    ) -> pa.StringArray:
        """(count,) sampled names: the same as of the stage `names` and of `namewright generate`.

        threads:   how many blocks of names are made at once; the names are the same with any number.
        patience:  minutes that names with wishes, such as a suffix, may take by a trial; 0 for any time.
        options:   those of `SamplingConfig`: temperature, prefix, style, seed and so on; and `exclude`, names
                  that do not come, and `exclude_containing`, words in no name: texts, or a file of them.

        Raises ConfigError for an option out of range or when there are no such names, DataError if the
        mixture or a style is asked for and there is none such, if a list is damaged, or for more than 2 GiB
        of text, TrainingError if the model's probabilities are not finite, or such names too rare: the
        error says how rare they are, and how long they would take.
        """
        excluded = (options.pop("exclude", None), options.pop("exclude_containing", None))
        check("threads", threads, whole(1, 1 << 10))
        check("patience", patience, AT_LEAST_0)
        return self.draw_sample(SamplingConfig(count=count, **options), threads, *excluded, patience)

    def draw_sample(
        self,
        config: SamplingConfig,
        threads: int = 1,
        exclude: NamesOrFile | None = None,
        exclude_containing: NamesOrFile | None = None,
        patience: float = 0.0,
    ) -> pa.StringArray:
        """The names of a configuration, as `draw` gives them; by default they may take any time."""
        with blas.one_thread:
            model, known = self.models.select(config.drawn_from, config.style), self.vocabulary
            accepts = name_predicate(self.file and self.file.training, known)
            wishes = all_wishes(config, known, exclude, exclude_containing)
            sampler = Sampler(model, known, config, accepts, wishes=wishes)
            trial.check_patience(trial.estimate(sampler, config.count, threads), patience)
            drawn = concatenate_samples(sampler.names(0, config.count, threads))
        return to_strings(drawn.names, known, config.capitalise_first)

    @property
    def styles(self) -> tuple[str, ...]:
        """The styles that the model knows, by name; empty if it was trained without."""
        return self.models.styles.names if self.models.styles else ()

    def log_probabilities(
        self,
        names: Iterable[str] | pa.Array | pa.ChunkedArray,
        drawn_from: ModelKind | None = None,
        style: str | Iterable[str] | pa.Array | pa.ChunkedArray = "",
    ) -> npt.NDArray[np.float64]:
        """(N,) the log-probability of each name in nats, its end included: all names together sum to 1.

        It is that of the model itself: at temperature 1, without constraints. Where the model knows styles,
        it is that of the name whatever its style, the sum over all by their shares.

        drawn_from:  `network` or `mixture`; by default what names are drawn from by default.
        style:       one of its styles, or a blend of some: then it is that of the name in this style; or a
                     style for each name, such as the column `style` of a list.

        Raises UnknownCharacter, a DataError, for a character that the model has never seen, DataError if the
        mixture or a style is asked for and there is none such, or not one for each name, and TypeError for
        anything but a list of strings.
        """
        check("drawn_from", drawn_from, choice("network", "mixture", None))
        encoded = self.vocabulary.encode([self.vocabulary.spell(name) for name in as_texts(names)])
        with blas.one_thread:
            if isinstance(style, str):
                return self.models.log_probabilities(encoded, drawn_from, style)
            return self._in_own_styles(encoded, drawn_from, as_texts(style))

    def _in_own_styles(
        self, names: EncodedNames, drawn_from: ModelKind | None, styles: Sequence[str]
    ) -> npt.NDArray[np.float64]:
        """(N,) the log-probability of each name in the style of its own. Raises as `log_probabilities`."""
        if len(styles) != names.count:
            raise DataError(
                "names.style",
                "each name needs a style of its own",
                saw=f"{len(styles):,} styles for {names.count:,} names",
                fix="give as many styles as names, or one as a text for all of them.",
            )
        result = np.zeros(names.count)
        distinct, style_of_name = np.unique(np.array(styles, np.object_), return_inverse=True)
        for number, style in enumerate(distinct):
            rows = np.flatnonzero(style_of_name == number)
            result[rows] = self.models.log_probabilities(names.take(rows), drawn_from, style)
        return result


class _StoredModel(NamedTuple):
    """An artifact that holds a model. created_at: UTC, ISO 8601."""

    created_at: str
    stage: str
    key: str


def _stored_models(store: Store) -> list[_StoredModel]:
    """The models of a store, the latest first."""
    with atomic_io.io_errors(store.root, "list the store"):
        models = [
            _StoredModel(created_at, stage, key)
            for stage in STAGES
            for key in store.keys(stage)
            if (created_at := _created_at(store, stage, key))
        ]
    return sorted(models, reverse=True)


def _created_at(store: Store, stage: str, key: str) -> str:
    """When an artifact was made; empty if it was removed meanwhile."""
    if written := store.read_manifest(stage, key):
        return written.created_at
    # Damaged, which is reported if it is chosen: until then it has its place.
    folder = store.folder(stage, key)
    modified = folder.lstat().st_mtime if os.path.lexists(folder) else None
    return datetime.fromtimestamp(modified, UTC).isoformat(timespec="seconds") if modified else ""


def _champion(store: Store, sources: Sequence[str]) -> ModelFile:
    lists = champion.chosen_lists(store, sources)
    current = champion.load_champion(store, lists)
    if current:
        return ModelFile(current.folder / MODEL, current)
    models = _stored_models(store)
    if not models:
        raise DataError(
            "model.none",
            "the store holds no trained model",
            where=store.where,
            fix="train one; or name another store, or a model's file.",
        )
    others = _sets_with_champion(store)
    raise DataError(
        "champion.none",
        f"no model of {', '.join(lists)} was promoted" if lists else "no model of the store was promoted",
        where=store.where,
        saw=f"champions of {'; of '.join(others)}" if others else "",
        fix="name a model, or other lists; or promote a model by hand:" + _as_lines(models),
    )


def _sets_with_champion(store: Store) -> list[str]:
    names = (list_names(store, entry.artifact) for entry in champion.current_champions(store))
    return [", ".join(lists) or "unknown lists" for lists in names]


def _by_key(store: Store, stage: str | None, digits: str) -> ModelFile:
    matches = [
        (stage_name, key)
        for stage_name in ([stage] if stage else STAGES)
        for key in store.keys(stage_name)
        if key.startswith(digits)
    ]
    if not matches:
        raise _unknown(digits, store)
    if len(matches) > 1:
        models = [model for model in _stored_models(store) if (model.stage, model.key) in matches]
        raise DataError(
            "model.ambiguous",
            "ambiguous model key",
            where=store.where,
            saw=digits,
            fix="give more digits, or the stage:" + _as_lines(models),
        )
    return _in_store(store, *matches[0])


def _by_path(path: Path) -> ModelFile:
    file = ModelFile(path.absolute())  # stages that read it may run elsewhere
    if os.path.isfile(path):  # noqa: PTH113  # never raises; of anything else the digest says what it is
        with _model_errors(path), open_model_file(path):  # before gigabytes are hashed
            pass
    _ = file.digest  # raises at once if it cannot be read
    place = path.resolve()
    stage, key = place.parts[-3:-1] if len(place.parts) > 3 else ("", "")
    in_store = place.name == MODEL and _KEY.fullmatch(f"{stage}/{key}") and len(key) == KEY_LENGTH
    if in_store and (place.parent / manifest.FILE_NAME).exists():
        return _in_store(open_store(place.parents[2]), stage, key)
    return file


def _in_store(store: Store, stage: str, key: str) -> ModelFile:
    artifact, fault = store.examine(stage, key)
    if fault:
        raise damaged_error(store.place(stage, key), fault)
    if not artifact:  # removed at this moment
        raise _unknown(key, store)
    return ModelFile(artifact.folder / MODEL, artifact)


@contextlib.contextmanager
def _model_errors(path: Path) -> Iterator[None]:
    try:
        with atomic_io.io_errors(path, "read the model"):
            yield
    except ValueError as fault:
        raise invalid_file_error(str(path), "it is not an npz file of plain arrays", str(fault)) from fault
    except DataError as fault:
        where = f"{path}, {fault.where}" if fault.where else str(path)
        raise invalid_file_error(where, fault.what, fault.saw) from fault


def _as_lines(models: list[_StoredModel], most: int = 10) -> str:
    lines = [f"{model.stage}/{model.key}, made {model.created_at}" for model in models[:most]]
    if len(models) > most:
        lines.append(f"and {len(models) - most} more")
    return "".join(f"\n         {line}" for line in lines)


def _unknown(name: str, store: Store) -> DataError:
    models = _stored_models(store)
    contents = f"; the store holds:{_as_lines(models)}" if models else "; the store holds none."
    return DataError(
        "model.unknown",
        "model not found",
        where=store.where,
        saw=name,
        fix=f"name a file, `{CHAMPION}`, or a key by its first digits{contents}",
    )
