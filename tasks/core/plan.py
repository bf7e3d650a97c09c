"""The dry run: what changed since the last run, and which stages a run would compute."""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from artifacts.keys import Recipe
from artifacts.manifest import Manifest
from artifacts.open_store import open_store
from artifacts.source_file import SourceFile
from artifacts.store import Artifact, Store
from rnn_core.errors import NamewrightError
from tasks.config.settings import Settings
from tasks.core.stage import AnyStage, StageRunner, by_role

_PREVIEW_BYTES = 1 << 25  # of an input list; a dry run does not read longer ones


@dataclass(frozen=True, slots=True)
class PendingArtifact:
    """An artifact that a run would make."""

    title: str


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """A stage of a dry run.

    reason:   why it would be computed; empty if the store has its artifact.
    seconds:  it took when it was last computed; 0 if that is unknown.
    """

    stage: str
    title: str
    reason: str
    seconds: float = 0.0


@dataclass
class Plan(StageRunner):
    """A runner that changes nothing in the store, and ends where the run would: at a failed check.

    Stages that are quick are computed in a temporary folder, to see what follows from a changed list.

    changes:     what is not as in the last run, a line for each.
    is_refused:  whether it ended with an error, as the run would.
    """

    settings: Settings
    stages: list[PlannedStage] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    is_refused: bool = False
    _folder: "tempfile.TemporaryDirectory[str] | None" = None

    def run(self, stage: AnyStage, config: Any, inputs: Mapping[str, Any]) -> Artifact | PendingArtifact:
        """The artifact that the store has, one in the temporary folder, or a pending one."""
        store, label = open_store(self.settings.store), stage.label(config)
        pending = [given.title for given in _flattened(inputs) if isinstance(given, PendingArtifact)]
        resolved = {} if pending else stage.resolve_inputs(store, config, inputs)
        artifact, fault, recipe = stage.find(store, config, resolved)
        if artifact and not pending and stage.name not in self.settings.refresh:
            self.stages.append(PlannedStage(stage.name, label, ""))
            stage.raise_if_refused(store, artifact)
            return artifact
        reference = _most_similar(recipe, store, inputs_count=not pending)
        changes = _config_changes(recipe, reference, {} if pending else stage.defaults(config, resolved))
        self._note(changes)
        if stage.name in self.settings.refresh:
            reason = "asked for with --refresh"
        elif pending:
            reason = f"follows from {pending[0]}; reused after all if that gives the same bytes"
        elif fault:
            reason = f"its artifact is damaged: {fault}"
        else:
            reason = "; ".join([*changes, *_input_changes(recipe, reference)]) or "never made before"
        seconds = reference.seconds if reference else 0.0
        self.stages.append(PlannedStage(stage.name, label, reason, seconds))
        if pending or not reference:
            return PendingArtifact(label)
        preview = self._preview(stage, config, resolved)
        self._note(_file_changes(stage, store, recipe, reference, resolved, preview))
        return preview or PendingArtifact(label)

    def wait(self, promises: Sequence[Any]) -> list[Any]:
        """The same: nothing runs."""
        return list(promises)

    @property
    def summary(self) -> str:
        """One line on what follows from the changes."""
        computed = [stage for stage in self.stages if stage.reason]
        titles = ", ".join(stage.title for stage in computed)
        if self.is_refused:
            until_then = f"computed until then: {titles}" if computed else "until then all stages are cached"
            return f"the run would end with an error; {until_then}"
        if not computed:
            return f"nothing to compute: all {len(self.stages)} stages are cached"
        seconds = sum(stage.seconds for stage in computed)
        before = f"; before, they took {seconds:,.0f} s" if seconds >= 1 else ""
        return f"{len(computed)} of {len(self.stages)} stages would be computed: {titles}{before}"

    def _note(self, changes: Sequence[str]) -> None:
        """Keep each once: a setting may concern several stages, in some of them as one of a group."""
        for change in changes:
            if not any(f".{known}".endswith(f".{change.rpartition('.')[2]}") for known in self.changes):
                self.changes.append(change)

    def _preview(self, stage: AnyStage, config: Any, inputs: Mapping[str, Any]) -> Artifact | None:
        """What the stage would make, if it is quick. Raises what the stage and its check raise."""
        files = [given for given in _flattened(inputs) if isinstance(given, SourceFile)]
        if not stage.is_quick or any(file.local().stat().st_size > _PREVIEW_BYTES for file in files):
            return None
        self._folder = self._folder or tempfile.TemporaryDirectory(prefix="namewright-")
        settings = replace(self.settings, store=Path(self._folder.name), refresh=())
        try:
            return stage.produce(settings, config, lambda _event: None, {}, **inputs)[0]
        except NamewrightError as refusal:
            if self._folder.name in refusal.where:
                refusal.where = "dry run"
            raise


def _most_similar(recipe: Recipe, store: Store, inputs_count: bool) -> Manifest | None:
    """Of the stage's manifests the one that differs in the fewest parts, the latest of several.

    One of a list is compared with those of the same list.
    """

    def distance(manifest: Manifest) -> int:
        parts = recipe.differences(manifest.recipe)
        return sum(inputs_count or part.startswith("config.") for part in parts)

    manifests = [
        manifest
        for manifest in store.list(recipe.stage)
        if manifest.recipe.config.get("name") == recipe.config.get("name")
    ]
    return min(sorted(manifests, key=lambda each: each.created_at, reverse=True), key=distance, default=None)


def _config_changes(recipe: Recipe, reference: Manifest | None, defaults: Mapping[str, Any]) -> list[str]:
    """`learning_rate 0.003 → 0.005`: the values that are in use, whether set or by default."""
    changes = []
    for part, values in recipe.differences(reference.recipe).items() if reference else ():
        group, _, name = part.partition(".")
        if group == "config":
            in_use = (defaults.get(name) if value is None else value for value in values)
            before, after = ("not set" if value is None else _text(value) for value in in_use)
            changes.append(f"{name} {before} → {after}")
        elif group == "version":
            changes.append(f"version {values[0]} → {values[1]} of the stage {recipe.stage}")
    return changes


def _input_changes(recipe: Recipe, reference: Manifest | None) -> list[str]:
    parts = recipe.differences(reference.recipe) if reference else ()
    return [f"{part.removeprefix('inputs.')} changed" for part in parts if part.startswith("inputs.")]


def _file_changes(
    stage: AnyStage,
    store: Store,
    recipe: Recipe,
    reference: Manifest,
    inputs: Mapping[str, Any],
    preview: Artifact | None,
) -> list[str]:
    """`lists/surnames.csv changed: 1 name added`."""
    here = Path.cwd()
    changed = [
        str(given.path.relative_to(here)) if given.path.is_relative_to(here) else given.origin
        for role, given in by_role(inputs)
        if isinstance(given, SourceFile) and f"inputs.{role}" in recipe.differences(reference.recipe)
    ]
    before, _ = store.examine(stage.name, reference.recipe.key)
    how = f": {stage.compare(before, preview)}" if stage.compare and before and preview else ""
    return [f"{', '.join(changed)} changed{how}"] if changed else []


def _text(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, list | bool) else str(value)
    return f"{text[:29]}…" if len(text) > 30 else text or "none"


def _flattened(inputs: Mapping[str, Any]) -> Iterator[Any]:
    for given in inputs.values():
        if isinstance(given, Sequence):
            yield from given
        else:
            yield given
