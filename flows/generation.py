"""From a model to a list of names in shards, for any runner."""

from typing import Any

from artifacts.store import Artifact
from tasks import stages
from tasks.config.generate import GenerateConfig, PartitionConfig
from tasks.core.stage import StageRunner
from tasks.generate.rounds import (
    Round,
    accepted_counts,
    check_enough,
    compaction_configs,
    next_round_size,
)


def generation(config: GenerateConfig, run: StageRunner, **inputs: Any) -> list[Artifact]:
    """The shards, in their order.

    inputs:  `model`; `training`, the list that it was trained on, if that is known; and `exclude` and
             `exclude_containing`, the files of lists, if there are any.

    Raises TrainingError if the model has fewer acceptable names than asked for.
    """
    if not config.is_filtered:
        return run.wait([run(stages.shard, shard, **inputs) for shard in config.shards()])
    sampled: list[Artifact] = []
    accepted: list[Artifact] = []  # of every partition; none if each of `sampled` is accepted as it is
    rounds = [Round(0, 0)]
    while size := next_round_size(config, rounds):
        parts = config.candidates(rounds[-1].sampled, size)
        sampled += run.wait([run(stages.sampled, part, **inputs) for part in parts])
        if config.unique:
            partitions = [PartitionConfig(number) for number in range(config.partitions)]
            accepted = run.wait([run(stages.accepted, part, candidates=sampled) for part in partitions])
        rounds.append(Round(rounds[-1].sampled + size, sum(accepted_counts(sampled, accepted))))
    check_enough(config, rounds)
    of_model = {role: inputs[role] for role in ("model", "training") if role in inputs}
    files = compaction_configs(config, accepted_counts(sampled, accepted))
    return run.wait(
        [
            run(stages.compacted, file, candidates=sampled[slice(*file.reads)], let_in=accepted, **of_model)
            for file in files
        ]
    )
