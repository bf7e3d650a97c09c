"""What a training starts from: the champion of its lists if they changed little, or random parameters."""

from collections.abc import Mapping
from dataclasses import Field, fields
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from artifacts.keys import Recipe
from artifacts.store import Artifact, Store
from rnn_core.train.config import TrainingConfig
from tasks.models.champion import champion_registry, load_input
from tasks.models.training_lists import list_names

BASELINE = ("champion", "champion_examples")  # the roles of what a training goes on from

_OF_A_START = ("start", "max_list_change", "max_warm_starts")  # options that change no training
_OF_SPELLING = ("normalisation", "white_space")  # of [merging]: with others, equal names are different ones
_MOST_OPTIONS = 3  # named in a reason


class Start(NamedTuple):
    """What a training starts from.

    reason:    for people, why it is this.
    champion:  a network, of the stage `model`; None if it starts from scratch.
    examples:  that it was trained on; None likewise.
    """

    reason: str
    champion: Artifact | None = None
    examples: Artifact | None = None

    @property
    def inputs(self) -> dict[str, Artifact]:
        """The inputs of the stage `examples` that it stands for, by role."""
        inputs = dict(zip(BASELINE, (self.champion, self.examples), strict=True))
        return {role: artifact for role, artifact in inputs.items() if artifact}


def choose_start(store: Store, options: TrainingConfig, split: Recipe, validated: Artifact) -> Start:
    """What a training of these names is to start from, as the registry is now.

    split:  the recipe of their examples, whatever they are kept like.

    Raises DataError if the registry is damaged.
    """
    current = champion_registry(store, list_names(store, validated.reference)).current()
    if not current:
        return Start("no model of these lists was promoted yet")
    mixture, _ = store.resolve(current.artifact)
    champion = load_input(store, mixture, "model") if mixture else None
    examples = load_input(store, champion, "examples") if champion else None
    if not champion or not examples:
        return Start("the champion or what it was trained on is not in the store, or damaged")
    others = [*_other_options(options, champion, examples), *_other_lists(store, split, examples, validated)]
    if others:
        more = f" and {len(others) - _MOST_OPTIONS} more" if len(others) > _MOST_OPTIONS else ""
        return Start(f"the champion has other options: {', '.join(others[:_MOST_OPTIONS])}{more}")
    if (count := warm_starts(champion)) >= options.max_warm_starts:
        return Start(
            f"{count} training{'' if count == 1 else 's'} in a row started from a champion (max_warm_starts)"
        )
    change = _list_change(examples, validated)
    changed = f"{change:.2%} of its names changed"
    if change > options.max_list_change:
        return Start(f"{changed}, more than {options.max_list_change:.2%} (max_list_change)")
    return Start(changed, champion, examples)


def warm_starts(model: Artifact) -> int:
    """How many trainings in a row, up to that of this network, started from a champion."""
    count: int = model.manifest().metadata.get("warm_starts", 0)
    return count


def sized_by(examples: Artifact) -> int:
    """The number of training names that decides on defaults: the one at the last start from scratch."""
    metadata = examples.manifest().metadata
    size: int = metadata.get("sized_by", 0) or metadata["names"]["train"]
    return size


def _other_options(options: TrainingConfig, champion: Artifact, examples: Artifact) -> list[str]:
    """The options of [training] in which the champion differs, whether they were set or by default."""
    of_champion, card = champion.manifest().recipe.config, champion.manifest().metadata["model_card"]
    resolved = options.resolve(sized_by(examples))

    def in_use(name: str, default: Any) -> Any:
        value = of_champion.get(name, default)
        return card.get(name) if value is None else value

    def unset(option: Field[Any]) -> Any:
        """What a key without this option means: its neutral value, where it has one."""
        return option.metadata["neutral"](options) if "neutral" in option.metadata else option.default

    return [
        f"training.{option.name}"
        for option in fields(TrainingConfig)
        if option.name not in _OF_A_START
        and in_use(option.name, unset(option)) != getattr(resolved, option.name)
    ] + [f"training.{name}" for name in of_champion if name not in TrainingConfig.__dataclass_fields__]


def _other_lists(store: Store, split: Recipe, examples: Artifact, validated: Artifact) -> list[str]:
    """The options by which its names were split or spelled otherwise."""
    of_champion = examples.manifest().recipe
    names = load_input(store, examples, "validated")
    here, there = (_merging(store, artifact) for artifact in (validated, names))
    versions = ["another version of the split"] if split.version != of_champion.version else []
    return [
        *versions,
        *(
            f"examples.{name}"
            for name, value in split.config.items()
            if of_champion.config.get(name) != value
        ),
        *(f"merging.{name}" for name in _OF_SPELLING if here.get(name) != there.get(name)),
    ]


def _merging(store: Store, validated: Artifact | None) -> Mapping[str, Any]:
    """The configuration that names were merged with; empty if that is not known any more."""
    merged = load_input(store, validated, "merged") if validated else None
    return merged.manifest().recipe.config if merged else {}


def _list_change(examples: Artifact, validated: Artifact) -> float:
    """Names added and removed, as a share of those of the examples."""
    before, now = (_names(artifact) for artifact in (examples, validated))
    added, removed = (
        pc.sum(pc.invert(pc.is_in(ours, value_set=theirs))).as_py() or 0
        for ours, theirs in ((now, before), (before, now))
    )
    return float(added + removed) / max(len(before), 1)


def _names(artifact: Artifact) -> pa.Array:
    name = "examples.parquet" if artifact.stage == "examples" else "names.parquet"
    return pc.unique(artifact.table(name, ["name"])["name"].combine_chunks())
