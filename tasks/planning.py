"""What a run would do, and why, without doing it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from artifacts.keys import Recipe
from artifacts.store import Artifact, Store
from tasks.settings import Settings
from tasks.stage import Stage


@dataclass(frozen=True, slots=True)
class Unmade:
    """Stands for an artifact that a run would make."""

    title: str


@dataclass(frozen=True, slots=True)
class Planned:
    """reason: why the stage would be computed; empty if the store has its artifact."""

    stage: str
    title: str
    reason: str


@dataclass
class Plan:
    """A runner for a pipeline that looks and touches nothing."""

    settings: Settings
    stages: list[Planned] = field(default_factory=list)

    def run(self, stage: Stage, config: Any, **inputs: Any) -> Artifact | Unmade:
        found, reason = self._decide(stage, config, inputs)
        self.stages.append(Planned(stage.name, stage.called(config), reason))
        return found or Unmade(stage.called(config))

    def _decide(self, stage: Stage, config: Any, inputs: Mapping[str, Any]) -> tuple[Artifact | None, str]:
        if stage.name in self.settings.refresh:
            return None, "asked for with --refresh"
        missing = [one.title for one in _singly(inputs.values()) if isinstance(one, Unmade)]
        if missing:
            return (
                None,
                f"its input {missing[0]} would be made; reused after all if that gives the same bytes",
            )
        store, recipe = Store(self.settings.store), stage.recipe(config, inputs)
        found, fault = store.examine(stage.name, recipe.key)
        if found:
            return found, ""
        return None, f"its artifact is damaged: {fault}" if fault else _difference(recipe, store)


def _difference(recipe: Recipe, store: Store) -> str:
    """Which part of the key is new, against the most similar artifact that the store has of this stage."""
    wanted = dict(_leaves(asdict(recipe)))
    known = [dict(_leaves(asdict(made.recipe))) for made in store.list() if made.recipe.stage == recipe.stage]
    if not known:
        return "never made before"

    def differing(other: Mapping[str, Any]) -> list[str]:
        # As JSON: 1 and 1.0 are two keys.
        parts = {*wanted, *other}
        return sorted(part for part in parts if _shown(wanted.get(part)) != _shown(other.get(part)))

    nearest = min(known, key=lambda other: len(differing(other)))
    return "; ".join(
        f"{part} was {_short(nearest.get(part))}, is {_short(wanted.get(part))}"
        for part in differing(nearest)
    )


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _short(value: Any) -> str:
    return (
        f"{_shown(value)[:13]}…" if len(_shown(value)) > 40 else _shown(value)
    )  # of a digest, the first digits


def _singly(inputs: Any) -> Iterator[Any]:
    for one in inputs:
        if isinstance(one, Sequence):
            yield from one
        else:
            yield one
