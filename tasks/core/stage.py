"""A stage makes an artifact, or finds that the store has it."""

import importlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from artifacts.formats import whole_groups
from artifacts.keys import Recipe
from artifacts.source_file import SourceFile
from artifacts.store import Artifact, ArtifactWriter, Store
from tasks.config.settings import Settings
from tasks.core.events import Finished, Listener, Notice, Progress
from tasks.process import blas, signals

Input = Artifact | SourceFile | Sequence[Artifact | SourceFile]


class StageRunner(Protocol):
    """A runner whose promises can be waited for, where what comes next depends on what was made."""

    def __call__(self, stage: "Stage", config: Any, **inputs: Any) -> Any: ...

    def wait(self, promises: Sequence[Any]) -> list[Artifact]:
        """Raises the first error of any stage, once all have ended; nothing is begun after it."""


@dataclass
class StageContext:
    """What the function behind a stage is given to do its work with."""

    stage: str
    title: str
    recipe: Recipe
    writer: ArtifactWriter
    settings: Settings
    listener: Listener

    def write_table(self, name: str, schema: Any, table: pa.Table) -> None:
        self._write(name, schema, [table])

    def write_parts(self, name: str, schema: Any, parts: Iterable[pa.Table]) -> int:
        """A table of which one part is in memory at a time; there is at least one. Returns how many rows."""
        return self._write(name, schema, whole_groups(parts))

    def _write(self, name: str, schema: Any, parts: Iterable[pa.Table]) -> int:
        from data import schemas  # pandera is slow to import, and a run that finds everything needs none

        return self.writer.write_parts(name, (schemas.conform(schema, part) for part in parts))

    def progress(self, done: int, total: int, note: str) -> None:
        self.listener(Progress(self.stage, self.title, done, total, note))

    def notice(self, text: str) -> None:
        self.listener(Notice(self.stage, text))


@dataclass(frozen=True)
class Stage:
    """A pure function with a name and a version, and the artifact it leaves.

    version:  raised by hand whenever the function would give other bytes for the same inputs.
    make:     `module:function`, imported when there is something to make; called as
              `function(work, config, **inputs)`.
    title:    what a person calls one run of it, from its configuration.
    store:    opens the store, at the folder that the settings name.
    names:    how many names one run of it makes, where that is what takes the time.
    standing: `module:function`, of a stage that judges one of its inputs by what stands in the registry;
              called as `function(store, **inputs)`, it gives the further inputs by role, or none.
    verdict:  `module:function`, called as `function(store, artifact)` whenever it was made or found; raises
              if no run may go on from it. The artifact stays, to be read.
    """

    name: str
    version: int
    make: str
    title: Callable[[Any], str] = field(default=lambda _config: "")
    store: Callable[[Path], Store] = Store
    names: Callable[[Any], int] | None = None
    standing: str = ""
    verdict: str = ""

    def called(self, config: Any) -> str:
        return f"{self.name} {self.title(config)}".strip()

    def recipe(self, config: Any, inputs: Mapping[str, Input]) -> Recipe:
        return Recipe.for_stage(
            self.name, self.version, config, {role: one.digest for role, one in _flat(inputs)}
        )

    def with_standing(self, store: Store, inputs: Mapping[str, Input]) -> dict[str, Input]:
        """The inputs, and those that stand in the registry. Raises DataError if the registry is damaged."""
        further = _function(self.standing)(store, **inputs) if self.standing else {}
        return {**inputs, **further}

    def judge(self, store: Store, artifact: Artifact) -> None:
        """Raises what the verdict on the artifact raises, if there is one."""
        if self.verdict:
            _function(self.verdict)(store, artifact)

    def produce(
        self, settings: Settings, config: Any, listener: Listener, run: Mapping[str, str], **inputs: Input
    ) -> tuple[Artifact, bool]:
        """The artifact, and whether it was in the store already.

        run:  who asks, for the manifest.

        Raises Interrupted between stages, StoreError, and what the stage's function and its verdict raise.
        """
        signals.raise_if_requested(f"before {self.called(config)}")
        began = time.monotonic()
        store = self.store(settings.store)
        inputs = self.with_standing(store, inputs)
        recipe = self.recipe(config, inputs)

        def notice(text: str) -> None:
            listener(Notice(self.name, text))

        def finished(artifact: Artifact, reused: bool) -> tuple[Artifact, bool]:
            seconds, rows = time.monotonic() - began, artifact.manifest().rows
            listener(Finished(self.name, self.called(config), artifact, reused, rows, seconds))
            self.judge(store, artifact)
            return artifact, reused

        refresh = self.name in settings.refresh
        artifact, _ = (None, "") if refresh else store.examine(self.name, recipe.key)
        if artifact:
            return finished(artifact, reused=True)

        wait = once(listener, self.name, f"waiting for another run that makes {self.name}/{recipe.key}")
        with store.lock(self.name, recipe.key, on_wait=wait):
            # Again under the lock: somebody may have made it meanwhile, or it is damaged.
            artifact = (
                None
                if refresh
                else store.find(self.name, recipe.key, lambda reason: notice(f"damaged artifact: {reason}"))
            )
            if artifact:
                return finished(artifact, reused=True)
            began = time.monotonic()  # waiting for another run is no part of making it
            draft = store.writer(self.name, recipe.key)
            blas.one_thread_for_good()
            work = StageContext(self.name, self.called(config), recipe, draft, settings, listener)
            try:
                _function(self.make)(work, config, **inputs)
                origins = {role: one.origin for role, one in _flat(inputs)}
                seconds = time.monotonic() - began
                artifact = store.commit(draft, recipe, origins=origins, seconds=seconds, run=run)
            except BaseException:
                draft.discard()
                raise
        return finished(artifact, reused=False)


def _function(named: str) -> Callable[..., Any]:
    """Imported only where it is needed: of a run that finds everything, next to nothing is."""
    module, _, function = named.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found


def _flat(inputs: Mapping[str, Input]) -> Iterator[tuple[str, Artifact | SourceFile]]:
    """Every single input with its role; those of a list are numbered, since their order counts."""
    for role, one in inputs.items():
        if isinstance(one, Artifact | SourceFile):
            yield role, one
        else:
            yield from ((f"{role}.{place}", each) for place, each in enumerate(one))


def once(listener: Listener, stage: str, text: str) -> Callable[[], None]:
    """Say it the first time; look for an interruption every time."""
    said: list[str] = []

    def waiting() -> None:
        if not said:
            said.append(text)
            listener(Notice(stage, text))
        signals.raise_if_requested("while waiting for another run")

    return waiting
