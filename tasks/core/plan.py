"""What a run would do, and why, without doing it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from artifacts.keys import Recipe
from artifacts.store import Artifact, Store
from tasks.config.settings import Settings
from tasks.core.stage import AnyStage, StageRunner


@dataclass(frozen=True, slots=True)
class PendingArtifact:
    """Stands for an artifact that a run would make."""

    title: str


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """reason: why the stage would be computed; empty if the store has its artifact."""

    stage: str
    title: str
    reason: str


@dataclass
class Plan(StageRunner):
    """A runner for a pipeline that looks and touches nothing. It ends where the run would: at a verdict."""

    settings: Settings
    stages: list[PlannedStage] = field(default_factory=list)

    def run(self, stage: AnyStage, config: Any, inputs: Mapping[str, Any]) -> Artifact | PendingArtifact:
        found, reason = self._decide(stage, config, inputs)
        self.stages.append(PlannedStage(stage.name, stage.label(config), reason))
        if found:
            stage.raise_if_refused(Store(self.settings.store), found)
        return found or PendingArtifact(stage.label(config))

    def wait(self, promises: Sequence[Any]) -> list[Any]:
        return list(promises)

    def _decide(self, stage: AnyStage, config: Any, inputs: Mapping[str, Any]) -> tuple[Artifact | None, str]:
        if stage.name in self.settings.refresh:
            return None, "asked for with --refresh"
        missing = [one.title for one in _flattened(inputs.values()) if isinstance(one, PendingArtifact)]
        if missing:
            return (
                None,
                f"its input {missing[0]} would be made; reused after all if that gives the same bytes",
            )
        store = Store(self.settings.store)
        recipe = stage.recipe(config, stage.resolve_inputs(store, inputs))
        found, fault = store.examine(stage.name, recipe.key)
        if found:
            return found, ""
        return None, f"its artifact is damaged: {fault}" if fault else _changed_part(recipe, store)


def _changed_part(recipe: Recipe, store: Store) -> str:
    """Which part of the key is new, against the most similar artifact that the store has of this stage."""
    known = [made.recipe for made in store.list() if made.recipe.stage == recipe.stage]
    if not known:
        return "never made before"
    return recipe.difference(min(known, key=lambda other: len(recipe.differing_fields(other))))


def _flattened(inputs: Any) -> Iterator[Any]:
    for one in inputs:
        if isinstance(one, Sequence):
            yield from one
        else:
            yield one
