"""What tests share that put artifacts into a store."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from artifacts.keys import Recipe
from artifacts.store import Artifact, Store


@dataclass(frozen=True)
class Knobs:
    size: int = 3
    sources: tuple[str, ...] = ("towns", "rivers")


def recipe_of(stage: str, **inputs: str) -> Recipe:
    return Recipe.for_stage(stage, 1, Knobs(), inputs)


def put(store: Store, recipe: Recipe) -> Artifact:
    """One file of every kind that an artifact can hold."""
    with store.lock(recipe.stage, recipe.key, on_wait=lambda: None):
        draft = store.writer(recipe.stage, recipe.key)
        draft.write_table("names.parquet", pa.table({"name": ["Ana", "Bea", recipe.stage] * 50}))
        draft.write_arrays("model.npz", {"W_hh": np.arange(64.0).reshape(8, 8)})
        draft.write_text("report.html", "<p>Ana</p>" * 20)
        return store.commit(draft, recipe, origins={}, seconds=0.5, run={"engine": "plain"})
