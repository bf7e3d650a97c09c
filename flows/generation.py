"""A model to a list of names in shards, whoever runs it."""

from typing import Any

from artifacts.store import Artifact
from tasks.config.generate import GenerateConfig, PartitionConfig
from tasks.core.stage import StageRunner
from tasks.generate.rounds import Round, accepted_counts, check_enough, compaction_configs, next_round_size
from tasks.stages import accepted, compacted, sampled, shard


def generation(config: GenerateConfig, run: StageRunner, **inputs: Any) -> list[Artifact]:
    """The shards, in their order.

    inputs:  `model`, and `training`, the list that it has learnt from, if that is known.

    Raises TrainingError if the model has fewer names than asked for that may be let in.
    """
    if not config.is_sifted:
        return run.wait([run(shard, each, **inputs) for each in config.shards()])
    drawn: list[Artifact] = []
    sifted: list[Artifact] = []
    rounds = [Round(0, 0)]
    while more := next_round_size(config.count, rounds):
        parts = config.candidates(rounds[-1].drawn, more)
        drawn += run.wait([run(sampled, each, **inputs) for each in parts])
        if config.unique:
            partitions = [PartitionConfig(number) for number in range(config.partitions)]
            sifted = run.wait([run(accepted, each, candidates=drawn) for each in partitions])
        rounds.append(Round(rounds[-1].drawn + more, sum(accepted_counts(drawn, sifted))))
    check_enough(config, rounds)
    files = compaction_configs(config, accepted_counts(drawn, sifted))
    return run.wait(
        [
            run(compacted, each, candidates=drawn[slice(*each.reads)], let_in=sifted, **inputs)
            for each in files
        ]
    )
