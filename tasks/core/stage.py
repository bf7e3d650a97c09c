"""A stage makes an artifact, or finds that the store has it."""

import importlib
import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Concatenate, Generic, ParamSpec, TypeAlias, TypeVar, final

import pyarrow as pa

from artifacts.errors import StoreError
from artifacts.formats import whole_groups
from artifacts.keys import Recipe
from artifacts.open_store import open_store
from artifacts.source_file import SourceFile
from artifacts.store import Artifact, Store
from artifacts.writer import ArtifactWriter
from data import schemas
from tasks.config.settings import Settings
from tasks.core.events import Finished, Listener, Notice, Progress
from tasks.process import blas, signals

Input = Artifact | SourceFile | Sequence[Artifact | SourceFile]
_MEASURED_SECONDS = 2.0  # of a stage, before the time that is left is estimated
Config = TypeVar("Config")
Inputs = ParamSpec("Inputs")


@dataclass(frozen=True, slots=True)
class EmptyConfig:
    """The configuration of a stage that has none."""


@dataclass
class StageContext:
    """What a stage's function writes to, and whom it tells how far it is."""

    stage: str
    title: str
    recipe: Recipe
    writer: ArtifactWriter
    settings: Settings
    on_event: Listener
    _first_progress: tuple[float, int] | None = None

    def write_table(self, name: str, schema: schemas.Schema, table: pa.Table) -> None:
        """Write a table of the artifact. Raises DataError if it does not match its schema."""
        self._write(name, schema, [table])

    def write_parts(self, name: str, schema: schemas.Schema, parts: Iterable[pa.Table]) -> int:
        """Write a table of which one part is in memory at a time; there is at least one. Returns its rows."""
        return self._write(name, schema, whole_groups(parts))

    def _write(self, name: str, schema: schemas.Schema, parts: Iterable[pa.Table]) -> int:
        return self.writer.write_parts(name, (schemas.conform(schema, part) for part in parts))

    def progress(self, done: int, total: int, note: str) -> None:
        """Emit how far the stage is, and the time that is left at the speed so far."""
        now = time.monotonic()
        start, before = self._first_progress = self._first_progress or (now, done)
        is_known = done > before and now - start >= _MEASURED_SECONDS
        left = round((total - done) * (now - start) / (done - before)) if is_known else None
        self.on_event(Progress(self.stage, self.title, done, total, note, left))

    def names_reporter(self, total: int, note: str = "names") -> Callable[[int], None]:
        """To be called with every number of names that are done, by any thread. It raises Interrupted."""
        done, lock = 0, threading.Lock()

        def report(names: int) -> None:
            nonlocal done
            with lock:
                done += names
            self.progress(done, total, note)
            signals.raise_if_requested(f"{self.title}, {done:,} of {total:,} {note}")

        return report

    def notice(self, text: str) -> None:
        """Emit a line for the log."""
        self.on_event(Notice(self.stage, text))


@dataclass(frozen=True, eq=False)
class Stage(Generic[Config, Inputs]):
    """A pure function with a name and a version, and the artifact that it leaves. Declared with `@stage`."""

    function: Callable[Concatenate[StageContext, Config, Inputs], None]
    name: str
    version: int
    revision: Callable[[Any], int] | None
    title: Callable[[Any], str] | None
    open_store: Callable[[Path], Store]
    names: Callable[[Any], int] | None
    resolve_baseline: Callable[..., Mapping[str, Artifact]] | None
    check: Callable[[Store, Artifact], None] | None
    resolve_defaults: Callable[..., Mapping[str, Any]] | None
    compare: Callable[[Artifact, Artifact], str] | None
    is_quick: bool

    def __reduce__(self) -> tuple[Any, ...]:
        """In another process it is the one that its module declares there."""
        return _declared, (self.function.__module__, self.function.__qualname__)

    def label(self, config: Any) -> str:
        """What a person calls one run of it."""
        return f"{self.name} {self.title(config) if self.title else ''}".strip()

    def defaults(self, config: Any, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """What options stand for that are not set."""
        return self.resolve_defaults(config, **inputs) if self.resolve_defaults and inputs else {}

    def recipe(self, config: Any, inputs: Mapping[str, Input]) -> Recipe:
        """What the key of its artifact is made of.

        An option that is set to what it would be anyway counts as not set.
        """
        defaults = self.defaults(config, inputs)
        unset = [name for name, value in defaults.items() if getattr(config, name) == value]
        return self._recipe(replace(config, **dict.fromkeys(unset)) if unset else config, inputs)

    def _recipe(self, config: Any, inputs: Mapping[str, Input]) -> Recipe:
        digests = {role: artifact.digest for role, artifact in by_role(inputs)}
        version = self.version + (self.revision(config) if self.revision else 0)
        return Recipe.for_stage(self.name, version, config, digests)

    def find(
        self, store: Store, config: Any, inputs: Mapping[str, Input]
    ) -> tuple[Artifact | None, str, Recipe]:
        """The artifact that the store has, if any; what is wrong with a damaged one; and its recipe."""
        recipe = self.recipe(config, inputs)
        artifact, fault = store.examine(self.name, recipe.key)
        if not artifact and (older := self._recipe(config, inputs)) != recipe:
            artifact, _ = store.examine(self.name, older.key)  # made before defaults were left out of keys
        return artifact, fault, recipe

    def resolve_inputs(self, store: Store, config: Any, inputs: Mapping[str, Input]) -> dict[str, Input]:
        """The inputs, and the baseline in the registry. Raises DataError if the registry is damaged."""
        return {**inputs, **(self.resolve_baseline(store, config, **inputs) if self.resolve_baseline else {})}

    def raise_if_refused(self, store: Store, artifact: Artifact) -> None:
        """Raise what the check of the artifact raises, if the stage has one."""
        if self.check:
            self.check(store, artifact)

    def produce(
        self, settings: Settings, config: Any, on_event: Listener, run: Mapping[str, str], **inputs: Input
    ) -> tuple[Artifact, bool]:
        """The artifact, and whether it was in the store already.

        run:  who asks, for the manifest.

        Raises Interrupted between stages, StoreError, and what the stage's function and its check raise.
        """
        label = self.label(config)
        signals.raise_if_requested(f"before {label}")
        began = time.monotonic()
        store = self.open_store(settings.store)
        inputs = self.resolve_inputs(store, config, inputs)
        found, _, recipe = self.find(store, config, inputs)
        refresh = self.name in settings.refresh

        def finish(artifact: Artifact, reused: bool) -> tuple[Artifact, bool]:
            seconds, rows = time.monotonic() - began, artifact.manifest().rows
            if reused:
                artifact.mark_used()
            on_event(Finished(self.name, label, artifact, reused, rows, seconds))
            self.raise_if_refused(store, artifact)
            return artifact, reused

        if found and not refresh:
            try:
                return finish(found, reused=True)
            except StoreError:
                if os.path.lexists(found.folder):
                    raise  # else it was removed since it was found

        def notify_damage(reason: str) -> None:
            on_event(Notice(self.name, f"damaged artifact: {reason}"))

        wait = notify_once(
            on_event, self.name, f"waiting for another run that makes {self.name}/{recipe.key}"
        )
        with store.lock(self.name, recipe.key, on_wait=wait):
            # Again under the lock: somebody may have made it meanwhile, or it is damaged.
            if not refresh and (found := store.find(self.name, recipe.key, notify_damage)):
                return finish(found, reused=True)
            began = time.monotonic()  # waiting for another run is no part of making it
            draft = store.writer(self.name, recipe.key)
            blas.limit_to_one_thread()
            context = StageContext(self.name, label, recipe, draft, settings, on_event)
            function: Callable[..., None] = self.function
            try:
                function(context, config, **inputs)
                origins = {role: artifact.origin for role, artifact in by_role(inputs)}
                seconds = time.monotonic() - began
                artifact = store.commit(draft, recipe, origins=origins, seconds=seconds, run=run)
            except BaseException:
                draft.discard()
                raise
        return finish(artifact, reused=False)


AnyStage: TypeAlias = Stage[Any, ...]


def stage(
    *,
    version: int,
    revision: Callable[[Any], int] | None = None,
    name: str = "",
    title: Callable[[Any], str] | None = None,
    open_store: Callable[[Path], Store] = open_store,
    names: Callable[[Any], int] | None = None,
    resolve_baseline: Callable[..., Mapping[str, Artifact]] | None = None,
    check: Callable[[Store, Artifact], None] | None = None,
    resolve_defaults: Callable[..., Mapping[str, Any]] | None = None,
    compare: Callable[[Artifact, Artifact], str] | None = None,
    is_quick: bool = False,
) -> Callable[[Callable[Concatenate[StageContext, Config, Inputs], None]], Stage[Config, Inputs]]:
    """Declare a function as a stage; its inputs are keyword arguments, by their roles.

    version:           raised by hand whenever the function would give other bytes for the same inputs.
    revision:          added to the version, from the configuration: raised by hand where the function would
                       give other bytes for some configurations alone, so that the keys of all others stay.
    name:              in the store, for a stage that once had another; by default the function's.
    title:             what a person calls one run of it beside its name, from its configuration.
    open_store:        opens the store, at the folder that the settings name.
    names:             how many names one run of it makes, where that is what takes the time.
    resolve_baseline:  of a stage that compares an input with what is current in the registry, or goes on
                       from that; called as `resolve_baseline(store, config, **inputs)`, it gives the further
                       inputs by role, or none.
    check:             called with the store and the artifact whenever it was made or found; raises if no run
                       may go on from it. The artifact stays, to be read.
    resolve_defaults:  of a stage with defaults that depend on its inputs; called as
                       `resolve_defaults(config, **inputs)`, it gives what options that are None stand for.
    compare:           says to a person what differs between an earlier artifact and a new one.
    is_quick:          whether a dry run may compute it.
    """

    def declare(
        function: Callable[Concatenate[StageContext, Config, Inputs], None],
    ) -> Stage[Config, Inputs]:
        called = name or function.__name__
        return Stage(
            function, called, version, revision, title, open_store, names, resolve_baseline, check,
            resolve_defaults, compare, is_quick,
        )  # fmt: skip

    return declare


class StageRunner(ABC):
    """Runs the stages of a pipeline: calling it gives an artifact, or the promise of one."""

    @final
    def __call__(
        self, stage: Stage[Config, Inputs], config: Config, *_none: Inputs.args, **inputs: Inputs.kwargs
    ) -> Any:
        """The stage's artifact or the promise of it, made of this configuration and these inputs."""
        return self.run(stage, config, inputs)

    @abstractmethod
    def run(self, stage: AnyStage, config: Any, inputs: Mapping[str, Any]) -> Any:
        """As a call, but of a stage of which nothing is known."""

    @abstractmethod
    def wait(self, promises: Sequence[Any]) -> list[Artifact]:
        """The artifacts. Raises the first error of a stage, once all have ended; nothing begins after it."""


def notify_once(on_event: Listener, stage: str, text: str) -> Callable[[], None]:
    """To be called while waiting: emits the text the first time, and raises Interrupted if asked to stop."""
    is_emitted = False

    def waiting() -> None:
        nonlocal is_emitted
        if not is_emitted:
            is_emitted = True
            on_event(Notice(stage, text))
        signals.raise_if_requested("while waiting for another run")

    return waiting


def _declared(module: str, name: str) -> AnyStage:
    declared: AnyStage = getattr(importlib.import_module(module), name)
    return declared


def by_role(inputs: Mapping[str, Input]) -> Iterator[tuple[str, Artifact | SourceFile]]:
    """Every single input with its role; those of a list are numbered, since their order counts."""
    for role, given in inputs.items():
        if isinstance(given, Artifact | SourceFile):
            yield role, given
        else:
            yield from ((f"{role}.{place}", artifact) for place, artifact in enumerate(given))
