"""Training speed with every core: ours by processes, PyTorch's and JAX's by threads.

    python -m benchmarks.all_cores [--names first] [--settings gru-256-128] [--rounds 5]

Each contestant is alone in its process, since the threads of one slow down what comes after it in the same
process. They take turns; figures are medians over the rounds, ratios medians of the ratio within a round.
Ours is the training itself, `rnn_core.train.loop.train`, without dropout, clipping and weight decay; everyone
gets its batches, from the same parameters, and their losses are compared.
"""

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks import CORES
from benchmarks.alone import result_of
from benchmarks.names import names
from benchmarks.start import LEARNING_RATE, Start, start
from benchmarks.tables import line, rule
from rnn_core.batching.ordering import shuffled_batches
from rnn_core.nn import network
from rnn_core.text.vocabulary import Vocabulary
from rnn_core.train.config import Purpose, ResolvedTrainingConfig, TrainingConfig
from rnn_core.train.loop import train
from rnn_core.train.state import TrainingState
from rnn_core.tree import tree_map

SETTINGS = ["elman-64-32", "gru-256-32", "gru-192-128", "gru-256-128", "lstm-256-128", "gru-256-512"]
ONE, ALL = "ours, one core", "ours"
CONTESTANTS = [ONE, ALL, "PyTorch padded", "PyTorch packed", "JAX padded"]
WARM_UP, SECONDS = 8, 1.2
SAME_LOSS = 2e-3  # nats, after the steps of the warm-up

Step = Callable[[], float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--names", default="first", help="first, bundled, or a file, one name a line")
    parser.add_argument("--settings", nargs="+", default=SETTINGS, metavar="CELL-UNITS-BATCH")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--alone", choices=CONTESTANTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone:
        print(json.dumps(measured(arguments.alone, arguments.names, arguments.settings[0])))
        return
    columns = ["cell", "H", "batch", *CONTESTANTS, "ours / one core", "ours / PyTorch", "ours / JAX"]
    print(f"Thousands of characters per second, {CORES} cores:\n")
    print(line(*columns), rule(len(columns)), sep="\n", flush=True)
    for setting in arguments.settings:
        rounds = [
            [in_its_process(who, arguments.names, setting) for who in CONTESTANTS]
            for _ in range(arguments.rounds)
        ]
        losses = [loss for results in rounds for _, loss in results]
        if max(losses) - min(losses) > SAME_LOSS:
            raise SystemExit(f"{setting}: the losses differ: {losses}")
        speeds = [[speed for speed, _ in results] for results in rounds]
        ratios = [(ours / one, ours / max(torch), ours / jax) for one, ours, *torch, jax in speeds]
        print(
            line(
                *setting.split("-"),
                *(f"{statistics.median(column) / 1e3:,.0f}" for column in zip(*speeds, strict=True)),
                *(f"{statistics.median(column):.2f}" for column in zip(*ratios, strict=True)),
            ),
            flush=True,
        )


def in_its_process(contestant: str, list_of_names: str, setting: str) -> tuple[float, float]:
    """Characters per second, and the loss after the warm-up."""
    words = ("--names", list_of_names, "--settings", setting)
    speed, loss = result_of("all_cores", contestant, 1 if contestant == ONE else CORES, *words)
    return speed, loss


def measured(contestant: str, list_of_names: str, setting: str) -> tuple[float, float]:
    """The same, in this process."""
    cell, hidden_size, batch_size = setting.split("-")
    chosen = names(list_of_names)
    vocabulary = Vocabulary.from_names(chosen)
    encoded = vocabulary.encode(chosen)
    begun = start(cell, encoded, vocabulary.size, int(hidden_size), int(batch_size), 1)
    config = plain_config(cell, int(hidden_size), int(batch_size), 1 if contestant == ONE else max(CORES, 2))
    keys = -begun.stream.rows  # longest first, as PyTorch wants them packed
    begun = begun._replace(
        batches=shuffled_batches(keys, config.batch_size, config.rng(Purpose.SHUFFLING, 0))
    )
    step = ours(begun, config) if contestant in (ONE, ALL) else theirs(contestant, begun)
    *_, loss = (step() for _ in range(WARM_UP))
    batch, began = WARM_UP, time.perf_counter()
    while time.perf_counter() - began < SECONDS and batch < len(begun.batches) - 1:  # the last one is smaller
        step()
        batch += 1
    seconds = time.perf_counter() - began
    return sum(begun.characters(number) for number in range(WARM_UP, batch)) / seconds, loss


def plain_config(cell: Any, hidden_size: int, batch_size: int, parts: int) -> ResolvedTrainingConfig:
    """Adam with a constant learning rate, and nothing else."""
    return TrainingConfig(
        **{"cell": cell, "layers": 1, "hidden_size": hidden_size, "batch_size": batch_size, "shards": parts},
        **{
            "optimizer": "adamw",
            "learning_rate": LEARNING_RATE,
            "schedule": "constant",
            "warmup": 0.0,
            "epochs": 1,
            "max_steps": 1 << 30,
        },
        **{"dropout": 0.0, "recurrent_dropout": 0.0, "weight_decay": 0.0, "clip_norm": 0.0},
    ).resolve(1)


def ours(begun: Start, config: ResolvedTrainingConfig) -> Step:
    state = TrainingState.start(config, begun.parameters.vocabulary_size)
    tree_map(np.copyto, state.current, network.pad_vocabulary(begun.parameters))
    no_names = begun.names.take(np.arange(0))
    run = train(config, begun.parameters.vocabulary_size, begun.names, no_names, state, processes=CORES)
    return lambda: next(run).training_loss


def theirs(contestant: str, begun: Start) -> Step:
    from benchmarks.jax_scan import Jax
    from benchmarks.pytorch import PyTorch

    if contestant.startswith("JAX"):
        one: Any = Jax(begun, one_length=True)
    else:
        import torch

        torch.set_num_threads(CORES)
        one = PyTorch(begun, packed=contestant.endswith("packed"))
    numbers: Iterator[int] = itertools.count()
    return lambda: one.step(next(numbers))


if __name__ == "__main__":
    main()
