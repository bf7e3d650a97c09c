"""A generated list, from the request to the files in its folder, whichever engine makes the shards."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from artifacts import single_file
from artifacts.bucket.address import inside
from artifacts.dataset import Dataset
from artifacts.keys import Recipe, sha256
from artifacts.store import Artifact
from tasks.config.generate import GenerateConfig, wish_revision
from tasks.config.settings import ListSettings, Settings
from tasks.config.wish_lists import wish_list
from tasks.core.events import Finished, Listener, Notice
from tasks.core.stage import Input, StageRunner, by_role, notify_once
from tasks.generate import rounds
from tasks.generate.blend import blend_metadata
from tasks.models import load, trial
from tasks.models.model_input import ModelFile
from tasks.models.training_lists import drawn_from_text
from tasks.models.wishes import WishList
from tasks.stages import lists

LIST = "generated"  # its name among stages, and the folder of the store where lists are by default

LATEST = "latest"  # a link beside the lists in the store, to the one that was asked for last


class GenerateRequest(NamedTuple):
    """A valid request: there is such a model, and it has such names.

    config:   with every column named.
    model:    the one that names are sampled from.
    inputs:   of the stages: `model`; `training`, the list it was trained on, if that is known; and the files
              of lists to exclude, if there are any.
    recipe:   what makes it this list and no other.
    drawing:  what names are drawn with.
    expected: how rare its names are, where they have to be as wished and the list is not there yet.
    """

    config: GenerateConfig
    model: ModelFile
    inputs: Mapping[str, Input]
    recipe: Recipe
    dataset: Dataset
    drawing: lists.ListSampler
    expected: trial.Estimate | None = None


def prepare(config: GenerateConfig, settings: ListSettings) -> GenerateRequest:
    """The request, checked. Raises what a user can cause, before anything is made."""
    # With the whole path: the stages may run elsewhere.
    model = load.find_model(settings.model, settings.store.resolve(), settings.sources)
    file_format = "txt" if settings.is_stdout else settings.file_format
    if file_format:
        config = config.for_one_file(file_format)
    inputs: dict[str, Input] = {"model": model}
    if model.training:
        inputs["training"] = model.training
    excluded = {}
    for name, text in (("exclude", config.exclude), ("exclude_containing", config.exclude_containing)):
        if text:
            source = wish_list(name, text)
            inputs[name] = files = source.files
            excluded[name] = WishList.of(files, source.reading_of(files))
    sampling = replace(config.sampling, count=0)
    drawing = lists.sampler(model, model.digest, sampling, model.training, lists.ExcludedLists(**excluded))
    config = config.resolve_columns(model.training is not None, drawing.models.styles is not None)
    digests = {role: artifact.digest for role, artifact in by_role(inputs)}
    version = lists.LIST_VERSION + wish_revision(config)
    recipe = Recipe.for_stage(LIST, version, config.list_identity(), digests)
    in_store = inside(settings.store, LIST, recipe.key)
    dataset = Dataset((in_store if file_format else settings.output or in_store).resolve())
    if settings.output and settings.file_format and not dataset.is_complete:
        single_file.check_free(settings.output, settings.overwrite)
    expected = None
    if config.has_wishes and config.count and not dataset.is_complete:
        expected = trial.estimate(drawing.sampler, config.count, settings.workers.workers)
        trial.check_patience(expected, settings.patience)
    return GenerateRequest(config, model, inputs, recipe, dataset, drawing, expected)


def generate(
    request: GenerateRequest,
    settings: ListSettings,
    compose: Callable[..., list[Artifact]],
    stage_runner: Callable[[Settings], AbstractContextManager[StageRunner]],
    on_event: Listener,
    run: Mapping[str, str],
) -> bool:
    """Whether the list existed already; now it does. The last event is its `Finished`.

    compose:       makes the shards by a runner of stages, of the configuration and the inputs.
    stage_runner:  opens such a runner, with settings for those stages.
    run:           who asks, for the manifest.

    Raises StoreError if the folder holds something else, and what the stages raise.
    """
    start = time.monotonic()
    dataset, recipe = request.dataset, request.recipe

    def announce_model() -> None:
        line = request.model.line(datetime.now().astimezone())
        on_event(Notice("model", line + drawn_from_text(request.drawing.drawn_from)))

    def finish(artifact: Artifact, reused: bool) -> bool:
        if settings.output and settings.file_format:
            single_file.write_list(
                part_paths(artifact),
                settings.output,
                byte_order_mark=settings.excel,
                overwrite=settings.overwrite,
            )
        names = artifact.manifest().metadata["names"]
        seconds = time.monotonic() - start
        if settings.output is None:
            dataset.point_to(LATEST)
        on_event(Finished(LIST, f"{LIST} {names:,}", artifact, reused, names, seconds))
        return reused

    wait = notify_once(on_event, LIST, f"waiting for another run that writes to {dataset.where}")
    with dataset.claim(recipe, settings.overwrite, wait):
        existing = dataset.find(recipe)
        if existing:
            dataset.remove_leftovers()
            rounds.check_existing(request.config, existing.manifest().metadata["names"])
            announce_model()
            return finish(existing, reused=True)
        dataset.mark_incomplete()
        with stage_runner(_stage_settings(request, settings)) as runner:
            announce_model()
            if request.expected and request.expected.seconds > trial.LONG_SECONDS:
                on_event(Notice(LIST, str(request.expected)))
            shards = compose(request.config, runner, **request.inputs)
            metadata = _metadata(shards, request.model) | {"drawn_from": request.drawing.drawn_from}
            metadata |= blend_metadata(request.config.sampling, request.drawing, metadata["first"])
            if len(metadata["kernels"]) > 1:
                kernels = ", ".join(metadata["kernels"])
                on_event(Notice(LIST, f"made by several kernels, between which rounding differs: {kernels}"))
            origins = {role: artifact.origin for role, artifact in by_role(request.inputs)}
            seconds = time.monotonic() - start
            artifact = dataset.finish(
                recipe, shards, metadata=metadata, origins=origins, seconds=seconds, run=run
            )
            return finish(artifact, reused=False)


def part_paths(generated: Artifact) -> list[Path]:
    """The files of a list, in their order."""
    return [generated.path(name) for name in sorted(generated.manifest().files)]


def _stage_settings(request: GenerateRequest, settings: ListSettings) -> Settings:
    """With fewer files than workers, the threads that are left over draw the blocks of a file."""
    workers = settings.workers
    files = -(-request.config.count // request.config.shard_size)
    threads = max(workers.workers // max(files, 1), 1) if workers.runner == "threads" else 1
    return Settings(store=request.dataset.work, workers=threads)


def _metadata(shards: Sequence[Artifact], model: ModelFile) -> dict[str, Any]:
    """Of the whole list, for its manifest.

    names:    how many.
    first:    some of them.
    content:  sha256 of the names, the same whatever the files: of the digests of every 65,536 of them.
    new:      how many the training list does not have, where it is known.
    kernels:  what multiplied the matrices.
    lists:    what the model was trained on, where it is known: by the name of a list, how many names it has.
    """
    of_shards = [shard.manifest().metadata for shard in shards]
    chunks = "".join(chunk for metadata in of_shards for chunk in metadata["chunks"])
    whole: dict[str, Any] = {
        "names": sum(shard.manifest().rows or 0 for shard in shards),
        "first": of_shards[0]["first"],
        "content": sha256(chunks.encode()),
        "kernels": sorted({kernel for metadata in of_shards for kernel in metadata["kernels"]}),
    }
    if model.training_lists:
        whole["lists"] = {training_list.name: training_list.names for training_list in model.training_lists}
    new = [metadata["new"] for metadata in of_shards if "new" in metadata]
    return {**whole, "new": sum(new)} if new else whole
