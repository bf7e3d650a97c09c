"""The dry run: what a run would do, and why."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from artifacts.keys import Recipe
from artifacts.store import Artifact, Store
from tasks.config.settings import Settings
from tasks.core.stage import AnyStage, StageRunner


@dataclass(frozen=True, slots=True)
class PendingArtifact:
    """An artifact that a run would make."""

    title: str


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """A stage of a dry run.

    reason:  why it would be computed; empty if the store has its artifact.
    """

    stage: str
    title: str
    reason: str


@dataclass
class Plan(StageRunner):
    """A runner that reads the store and changes nothing. It ends where the run would: at a failed check."""

    settings: Settings
    stages: list[PlannedStage] = field(default_factory=list)

    def run(self, stage: AnyStage, config: Any, inputs: Mapping[str, Any]) -> Artifact | PendingArtifact:
        """The artifact that the store has, or a pending one."""
        artifact, reason = self._decide(stage, config, inputs)
        self.stages.append(PlannedStage(stage.name, stage.label(config), reason))
        if artifact:
            stage.raise_if_refused(Store(self.settings.store), artifact)
        return artifact or PendingArtifact(stage.label(config))

    def wait(self, promises: Sequence[Any]) -> list[Any]:
        """The same: nothing runs."""
        return list(promises)

    def _decide(self, stage: AnyStage, config: Any, inputs: Mapping[str, Any]) -> tuple[Artifact | None, str]:
        if stage.name in self.settings.refresh:
            return None, "asked for with --refresh"
        missing = [given.title for given in _flattened(inputs.values()) if isinstance(given, PendingArtifact)]
        if missing:
            return (
                None,
                f"its input {missing[0]} would be made; reused after all if that gives the same bytes",
            )
        store = Store(self.settings.store)
        recipe = stage.recipe(config, stage.resolve_inputs(store, inputs))
        artifact, fault = store.examine(stage.name, recipe.key)
        if artifact:
            return artifact, ""
        return None, f"its artifact is damaged: {fault}" if fault else _changed_part(recipe, store)


def _changed_part(recipe: Recipe, store: Store) -> str:
    """Which part of the key is new, against the most similar artifact that the store has of this stage."""
    known = [manifest.recipe for manifest in store.list() if manifest.recipe.stage == recipe.stage]
    if not known:
        return "never made before"
    return recipe.difference(min(known, key=lambda other: len(recipe.differing_fields(other))))


def _flattened(inputs: Any) -> Iterator[Any]:
    for given in inputs:
        if isinstance(given, Sequence):
            yield from given
        else:
            yield given
