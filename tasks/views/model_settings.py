"""The settings of stored models, and in which of them models differ."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from artifacts.manifest import Manifest
from artifacts.store import Artifact, Store
from tasks.report.outcome import figure_text
from tasks.report.provenance import lineage

# By stage, the section of the configuration that it takes its options from.
_SECTIONS = {
    "merged": "merging",
    "validated": "validation",
    "examples": "examples",
    "model": "training",
    "mixture": "ngrams",
}

Settings = Mapping[str, str]
SOURCE = "source "  # begins the names of those of one list


class StoredModel:
    """A model of a store with the manifests of all that it was made from."""

    def __init__(self, store: Store, mixture: Artifact) -> None:
        self.mixture = mixture
        self._manifests = [manifest for manifest in lineage(store, mixture).values() if manifest]

    def lists(self) -> str:
        """The lists that the model was trained on, with their numbers of names, as far as is known."""
        corpora = (manifest for manifest in self._manifests if manifest.recipe.stage == "corpus")
        return ", ".join(f"{manifest.recipe.config['name']} ({manifest.rows or 0:,})" for manifest in corpora)

    def settings(self) -> dict[str, str]:
        """Every option that can change the model, as text, by its name in the configuration."""
        return dict(pair for manifest in self._manifests for pair in _options(manifest))


def differing_settings(models: Sequence[Settings]) -> list[str]:
    """Names of the settings that are not the same in all of these models."""
    names = dict.fromkeys(name for settings in models for name in settings)
    return [name for name in names if len({settings.get(name) for settings in models}) > 1]


def short_titles(names: Sequence[str]) -> list[str]:
    """Names of settings in words, without their section where that leaves no two alike."""
    short = [name.rpartition(".")[2] for name in names]
    titles = (title if short.count(title) == 1 else name for title, name in zip(short, names, strict=True))
    return [title.replace("_", " ") for title in titles]


def _options(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Options with their values; of one that was left open, the value that the stage has chosen."""
    stage, config = manifest.recipe.stage, manifest.recipe.config
    section = _SECTIONS.get(stage)
    if stage == "corpus":
        section = f"{SOURCE}{config['name']}"
    if stage == "model" and "iterations" in config:
        section = "notebook"
    if not section:
        return
    chosen: Mapping[str, Any] = manifest.metadata.get("model_card", {})
    for name, value in config.items():
        if name != "name":
            yield f"{section}.{name}", figure_text(chosen.get(name) if value is None else value)
