"""Training speed side by side: characters per second of a step, from a batch's names to new parameters.

    python -m benchmarks.training_speed [--names first] [--cells elman] [--hidden 64 128] [--batch 32]

Everyone gets the same batches in the same order from the same parameters, and the losses are compared. The
contestants take turns within one process: what else the machine does hits all of them. Ratios are medians
over the rounds of the ratio within a round.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import jax
import numpy as np
import threadpoolctl
import torch

from benchmarks import CORES, plots
from benchmarks.jax_scan import Jax
from benchmarks.looped import Looped
from benchmarks.names import names
from benchmarks.ours import Ours
from benchmarks.pytorch import PyTorch
from benchmarks.start import Contestant, Start, start
from benchmarks.tables import line, rule
from rnn_core.text.vocabulary import Vocabulary

SECONDS = 0.12  # a contestant's turn, about
GATES = {"elman": 1, "gru": 3, "lstm": 4}
SAME_LOSS = 2e-4  # nats: as far as float32 sums in another order may lead apart within some steps
BATCHES = 24
LOOPED = "PyTorch looped"
NAMES = ["packed", "shared", "PyTorch padded", "PyTorch packed", LOOPED, "JAX padded", "JAX by length"]
COMPARED = [
    "PyTorch, the better",
    LOOPED,
    "JAX padded",
    "JAX by length",
    "of the peak, packed",
    "of the peak, shared",
]


def main() -> None:
    arguments = parsed("elman gru lstm", "64 128 256", "32 128 512", description=__doc__)
    torch.set_num_threads(1)
    peak = sgemm_peak()
    print(f"sgemm peak {peak / 1e9:.0f} GFLOP/s")
    settings, ratios, shares = [], [], []
    for setting, setup in starts(arguments):
        if not settings:
            print(line("cell", "H", "batch", *NAMES), rule(3 + len(NAMES)), sep="\n", flush=True)
        seconds = measured(setup, contestants(setup), arguments.rounds)
        print(line(*setting, *thousands_per_second(seconds)), flush=True)
        settings.append(setting)
        ours = min(seconds[:2], key=statistics.median)
        better = min(seconds[2:4], key=statistics.median)
        ratios.append([ratio(ours, theirs) for theirs in (better, *seconds[4:])])
        shares.append([operations(setup) / statistics.median(rounds) / peak for rounds in seconds[:2]])
    print("\nThe better of ours, as a multiple of theirs, and in shares of the sgemm peak:\n")
    print(line("cell", "H", "batch", *COMPARED), rule(3 + len(COMPARED)), sep="\n")
    for setting, multiples, of_peak in zip(settings, ratios, shares, strict=True):
        print(line(*setting, *(f"{m:.2f}" for m in multiples), *(f"{share:.0%}" for share in of_peak)))
    if arguments.plot:
        title = "Our characters per second, as a multiple of theirs, one core"
        labels = [f"{cell} {hidden_size}, batch {batch_size}" for cell, hidden_size, batch_size in settings]
        columns = dict(zip(COMPARED, zip(*ratios, strict=True), strict=False))
        plots.ratios(arguments.plot, title, labels, columns)


def starts(arguments: argparse.Namespace) -> Iterator[tuple[tuple[str, int, int], Start]]:
    """Every setting asked for, with what everybody begins with; first it says what is measured on."""
    chosen = names(arguments.names)
    vocabulary = Vocabulary.from_names(chosen)
    encoded = vocabulary.encode(chosen)
    (blas,) = (each for each in threadpoolctl.threadpool_info() if "numpy" in each["filepath"])
    library = f"{blas['internal_api']} {blas['version']}, {blas['architecture']} kernels"
    print(f"{len(chosen):,} names, mean length {encoded.lengths.mean():.2f}, {vocabulary.size} tokens")
    print(f"python {platform.python_version()} on {CORES} core(s), numpy {np.__version__} with {library},")
    print(f"torch {torch.__version__}, jax {jax.__version__}")
    print("\nThousands of characters per second:\n", flush=True)
    for cell in arguments.cells:
        for hidden_size in arguments.hidden:
            for batch_size in arguments.batch:
                setup = start(cell, encoded, vocabulary.size, hidden_size, batch_size, BATCHES)
                yield (cell, hidden_size, batch_size), setup


def contestants(setup: Start) -> list[Contestant]:
    """In the order of NAMES."""
    return [
        Ours(setup, shared=False),
        Ours(setup, shared=True),
        PyTorch(setup, packed=False),
        PyTorch(setup, packed=True),
        Looped(setup),
        Jax(setup, one_length=True),
        Jax(setup, one_length=False),
    ]


def measured(setup: Start, everyone: Sequence[Contestant], rounds: int) -> list[list[float]]:
    """Seconds per character: for every contestant its rounds."""
    check_losses(everyone)
    for one in everyone:  # every length compiled, every buffer grown
        for batch in range(BATCHES):
            one.step(batch)
    slowest = max(_seconds(one, range(BATCHES)) for one in everyone) / BATCHES
    turn = max(2, round(SECONDS / slowest))  # the batches come round: some are laid out ahead, at times
    result: list[list[float]] = [[] for _ in everyone]
    for number in range(rounds):
        batches = [(number * turn + place) % BATCHES for place in range(turn)]
        characters = sum(setup.characters(batch) for batch in batches)
        for place, one in enumerate(everyone):
            result[place].append(_seconds(one, batches) / characters)
    return result


def sgemm_peak() -> float:
    """Floating-point operations per second of the best of some large products."""
    a, b = (np.random.default_rng(0).standard_normal((1024, 1024)).astype(np.float32) for _ in range(2))
    out = np.empty_like(a)
    return 2 * 1024**3 / min(_timed(lambda: np.matmul(a, b, out=out)) for _ in range(30))


def operations(setup: Start) -> float:
    """Of the products for a character in the plain form: forward, and twice as many back."""
    hidden_size, vocabulary_size = setup.parameters.W_hy.shape
    return 6.0 * hidden_size * (GATES[setup.cell] * hidden_size + vocabulary_size)


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Of two contestants' speeds: the median over the rounds."""
    return statistics.median(other / own for own, other in zip(ours, theirs, strict=True))


def thousands_per_second(seconds: Sequence[Sequence[float]]) -> list[str]:
    return [f"{1e-3 / statistics.median(rounds):,.0f}" for rounds in seconds]


def check_losses(everyone: Sequence[Contestant]) -> None:
    """The first loss of all is one number, and so are those after steps of Adam for all with one model."""
    for batch in range(4):
        losses = [one.step(batch) for one in everyone if not batch or not isinstance(one, Looped)]
        if max(losses) - min(losses) > SAME_LOSS:  # Looped has one layer more, which learns as well
            raise SystemExit(f"batch {batch}: the losses differ: {losses}")


def _seconds(one: Contestant, batches: range | list[int]) -> float:
    def run() -> None:
        for batch in batches:
            one.step(batch)

    return _timed(run)


def _timed(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def parsed(cells: str, hidden: str, batch: str, description: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--names", default="first", help="first, bundled, or a file, one name a line")
    parser.add_argument("--cells", nargs="+", default=cells.split(), choices=list(GATES))
    parser.add_argument("--hidden", nargs="+", type=int, default=[int(size) for size in hidden.split()])
    parser.add_argument("--batch", nargs="+", type=int, default=[int(size) for size in batch.split()])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--plot", type=Path, help="an SVG file for the ratios")
    return parser.parse_args()


if __name__ == "__main__":
    main()
