"""A generated list, from what was asked to what lies in its folder, whoever makes the shards."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, NamedTuple

from artifacts.dataset import Dataset
from artifacts.keys import Recipe, sha256
from artifacts.store import Artifact
from tasks.config.generate import GenerateConfig
from tasks.config.settings import ListSettings, Settings
from tasks.core.events import Finished, Listener, Notice
from tasks.core.stage import StageRunner, notify_once
from tasks.generate import rounds
from tasks.models import load
from tasks.models.load import ModelFile
from tasks.stages import lists

LIST = "generated"  # what a list is called among stages, and the folder of the store where it lies


class GenerateRequest(NamedTuple):
    """What was asked, made sure of: there is such a model, and it has such names.

    config:   with every column named.
    inputs:   of the stages: `model`, and `training`, the list it has learnt from, if that is known.
    request:  what makes it this list and no other.
    """

    config: GenerateConfig
    inputs: Mapping[str, ModelFile | Artifact]
    request: Recipe
    dataset: Dataset


def prepare(config: GenerateConfig, settings: ListSettings) -> GenerateRequest:
    """Raises what a user can cause, before anything is made."""
    # With the whole path: the stages may run elsewhere.
    model = load.find_model(settings.model, settings.store.resolve())
    config = config.for_training_list(model.training is not None)
    lists.sampler(model, model.digest, replace(config.sampling, count=0))
    inputs: dict[str, ModelFile | Artifact] = {"model": model}
    if model.training:
        inputs["training"] = model.training
    digests = {role: one.digest for role, one in inputs.items()}
    request = Recipe.for_stage(LIST, lists.LIST_VERSION, config.of_the_list(), digests)
    folder = settings.output or settings.store / LIST / request.key
    return GenerateRequest(config, inputs, request, Dataset(folder.resolve()))


def generate(
    wanted: GenerateRequest,
    settings: ListSettings,
    compose: Callable[..., list[Artifact]],
    running: Callable[[Settings], AbstractContextManager[StageRunner]],
    listener: Listener,
    run: Mapping[str, str],
) -> bool:
    """Whether the list was there already; now it is. The listener is told.

    compose:  makes the shards by a runner of stages, of the configuration and the inputs.
    running:  opens such a runner, with settings for those stages.
    run:      who asks, for the manifest.

    Raises StoreError if the folder holds something else, and what the stages raise.
    """
    began = time.monotonic()
    dataset, request = wanted.dataset, wanted.request

    def finished(artifact: Artifact, reused: bool) -> bool:
        names = artifact.manifest().metadata["names"]
        seconds = time.monotonic() - began
        listener(Finished(LIST, f"{LIST} {names:,}", artifact, reused, names, seconds))
        return reused

    wait = notify_once(listener, LIST, f"waiting for another run that writes to {dataset.folder}")
    with dataset.claim(request, settings.overwrite, wait):
        there = dataset.find(request)
        if there:
            dataset.remove_leftovers()
            rounds.check_existing(wanted.config, there.manifest().metadata["names"])
            return finished(there, reused=True)
        dataset.mark_incomplete()
        with running(_stage_settings(wanted, settings)) as runner:
            shards = compose(wanted.config, runner, **wanted.inputs)
            facts = _metadata(shards)
            if len(facts["kernels"]) > 1:
                kernels = ", ".join(facts["kernels"])
                listener(Notice(LIST, f"made by several kernels, between which rounding differs: {kernels}"))
            origins = {role: one.origin for role, one in wanted.inputs.items()}
            seconds = time.monotonic() - began
            whole = dataset.finish(request, shards, metadata=facts, origins=origins, seconds=seconds, run=run)
            return finished(whole, reused=False)


def _stage_settings(wanted: GenerateRequest, settings: ListSettings) -> Settings:
    """What threads are left over when there are fewer files than workers draw the blocks of a file."""
    workers = settings.workers
    files = -(-wanted.config.count // wanted.config.shard_size)
    threads = max(workers.workers // max(files, 1), 1) if workers.runner == "threads" else 1
    return Settings(store=wanted.dataset.work, threads=threads)


def _metadata(shards: Sequence[Artifact]) -> dict[str, Any]:
    """names:    how many.
    first:    some of them.
    content:  sha256 of the names, the same whatever the files: of the digests of every 65,536 of them.
    new:      that the training list has not, where it is known.
    kernels:  what multiplied the matrices.
    """
    manifests = [shard.manifest() for shard in shards]
    chunks = "".join(chunk for each in manifests for chunk in each.metadata["chunks"])
    facts: dict[str, Any] = {
        "names": sum(each.rows or 0 for each in manifests),
        "first": manifests[0].metadata["first"],
        "content": sha256(chunks.encode()),
        "kernels": sorted({kernel for each in manifests for kernel in each.metadata["kernels"]}),
    }
    known = [each.metadata["new"] for each in manifests if "new" in each.metadata]
    return {**facts, "new": sum(known)} if known else facts
