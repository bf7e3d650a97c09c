"""Drawing names side by side: names per second, from a trained model to Python strings.

    python -m benchmarks.sampling_speed [--names first] [--models elman-64 gru-128]

Everyone draws from the same model, trained here for a moment, and the mean lengths of what they draw are
compared. The contestants take turns within one process: what else the machine does hits all of them. Time is
processor time of the process, which those that share work between threads of their own cannot hide. Ratios
are medians over the rounds of the ratio within a round.

With BENCHMARK_CORES=2 it is our own names with two threads against one, by the clock on the wall, to UTF-8 as
Arrow lays it out: Python's strings are made by one thread at a time.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np
import torch

from benchmarks import CORES, plots
from benchmarks.names import names
from benchmarks.samplers import Draws, Jax, KeptState, Makemore, Notebook, Ours, Trained, sampler
from benchmarks.tables import line, rule
from benchmarks.training_speed import ratio
from rnn_core.nn import network
from rnn_core.random_numbers import NAMES_PER_BLOCK
from rnn_core.sample.sampler import Sampler
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import Vocabulary
from rnn_core.train.config import TrainingConfig
from rnn_core.train.loop import train

SECONDS = 0.2  # a contestant's turn, at least
STEPS = 1_500  # of training: names are then as long as real ones
SAME_LENGTH = 0.2  # characters, on average: as far as some thousands of names may lead apart
OTHERS = {
    "makemore's way": Makemore,
    "PyTorch, state kept": KeptState,
    "JAX": Jax,
    "the notebook's": Notebook,
}


def main() -> None:
    arguments = parsed()
    torch.set_num_threads(1)
    chosen = names(arguments.names)
    vocabulary = Vocabulary.from_names(chosen)
    encoded = vocabulary.encode(chosen)
    print(f"{len(chosen):,} names, mean length {encoded.lengths.mean():.2f}, {vocabulary.size} tokens")
    print(f"python {platform.python_version()} on {CORES} core(s), numpy {np.__version__},")
    print(f"torch {torch.__version__}, jax {jax.__version__}\n\nNames per second:\n", flush=True)
    models = [model.split("-") for model in arguments.models]
    trained = [Trained(cell, trained_network(cell, int(size), vocabulary, encoded), vocabulary, encoded)
               for cell, size in models]  # fmt: skip
    if CORES > 1:
        two_threads(models, trained, arguments.rounds)
    else:
        one_core(models, trained, arguments)


def one_core(
    models: Sequence[Sequence[str]], trained: Sequence[Trained], arguments: argparse.Namespace
) -> None:
    columns = ["ours", *OTHERS]
    print(line("cell", "H", *columns), rule(2 + len(columns)), sep="\n", flush=True)
    ratios = []
    for (cell, size), subject in zip(models, trained, strict=True):
        # The notebook knows one cell.
        others = [make for make in OTHERS.values() if cell == "elman" or make is not Notebook]
        seconds = measured([Ours(subject), *(make(subject) for make in others)], arguments.rounds)
        speeds = [f"{1 / statistics.median(rounds):,.0f}" for rounds in seconds]
        print(line(cell, size, *[*speeds, "–"][: len(columns)]), flush=True)
        ratios.append([ratio(seconds[0], theirs) for theirs in seconds[1:]])
    print("\nOurs, as a multiple of theirs:\n")
    print(line("cell", "H", *OTHERS), rule(2 + len(OTHERS)), sep="\n")
    for (cell, size), multiples in zip(models, ratios, strict=True):
        print(line(cell, size, *([f"{multiple:.1f}" for multiple in multiples] + ["–"])[: len(OTHERS)]))
    if arguments.plot:
        compared = list(OTHERS)[:3]
        title = "Names per second, as a multiple of others, on one core"
        shown = dict(zip(compared, zip(*(row[:3] for row in ratios), strict=True), strict=True))
        plots.ratios(arguments.plot, title, [f"{cell} {size}" for cell, size in models], shown)


def two_threads(models: Sequence[Sequence[str]], trained: Sequence[Trained], rounds: int) -> None:
    print(line("cell", "H", "one thread", "two threads", "ratio"), rule(5), sep="\n", flush=True)
    for (cell, size), subject in zip(models, trained, strict=True):
        ours = sampler(subject)
        turns = [[in_utf8(ours, subject.vocabulary, threads) for threads in (1, 2)] for _ in range(rounds)]
        one, two = zip(*turns, strict=True)
        speeds = [f"{1 / statistics.median(each):,.0f}" for each in (one, two)]
        print(line(cell, size, *speeds, f"{ratio(two, one):.2f}"), flush=True)


def in_utf8(ours: Sampler, vocabulary: Vocabulary, threads: int) -> float:
    """Seconds per name."""
    started = time.perf_counter()
    for part in ours.names(0, 16 * NAMES_PER_BLOCK, threads):
        vocabulary.to_utf8(part.names)
    return (time.perf_counter() - started) / (16 * NAMES_PER_BLOCK)


def measured(everyone: Sequence[Draws], rounds: int) -> list[list[float]]:
    """Seconds per name: for every contestant its rounds."""
    check_lengths(everyone)
    result: list[list[float]] = [[] for _ in everyone]
    for _ in range(rounds):
        for place, one in enumerate(everyone):
            started, count = time.process_time(), 0
            while time.process_time() - started < SECONDS:
                count += len(one.draw())
            result[place].append((time.process_time() - started) / count)
    return result


def check_lengths(everyone: Sequence[Draws]) -> None:
    means = []
    for one in everyone:
        drawn = one.draw()  # whatever has to be compiled is compiled now
        while len(drawn) < 2_000:
            drawn += one.draw()
        means.append(statistics.fmean(map(len, drawn)))
    if max(means) - min(means) > SAME_LENGTH:
        raise SystemExit(f"the mean lengths differ: {means}")


def trained_network(
    cell: str, hidden_size: int, vocabulary: Vocabulary, encoded: EncodedNames
) -> network.NetworkParameters:
    config = TrainingConfig(
        cell=cell,  # type: ignore[arg-type]
        hidden_size=hidden_size,
        batch_size=256,
        dropout=0.0,
        recurrent_dropout=0.0,
        epochs=1 << 20,
        max_steps=STEPS,
        layers=1,
        optimizer="adamw",
        learning_rate=2e-3,
    ).resolve(encoded.count)
    nothing = encoded.take(np.arange(0))
    *_, last = train(config, vocabulary.size, encoded, nothing)
    return last.state.parameters


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--names", default="first", help="first, bundled, or a file, one name a line")
    parser.add_argument("--models", nargs="+", default=["elman-64", "elman-128", "gru-128"], help="CELL-SIZE")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--plot", type=Path, help="an SVG file for the ratios")
    return parser.parse_args()


if __name__ == "__main__":
    main()
