"""Training speed side by side: characters per second of a step, from a batch's names to new parameters.

    python -m benchmarks.training_speed [--names LIST] [--cells elman] [--hidden 64 128] [--batch 32]

Everyone gets the same batches in the same order from the same parameters, and the losses are compared. The
contestants take turns within one process: what else the machine does hits all of them. Ratios are medians
over the rounds of the ratio within a round. Use one core: taskset --cpu-list 0 ...
"""

import argparse
import importlib.resources
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import torch

from benchmarks.jax_scan import Jax
from benchmarks.looped import Looped
from benchmarks.ours import Ours
from benchmarks.pytorch import PyTorch
from benchmarks.start import Contestant, Start, start
from rnn_core.vocabulary import Vocabulary

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
    arguments = _arguments()
    names = list(dict.fromkeys(arguments.names.read_text(encoding="utf-8").split("\n")))
    names = [name for name in names if name]
    vocabulary = Vocabulary.from_names(names)
    encoded = vocabulary.encode(names)
    torch.set_num_threads(1)
    peak = sgemm_peak()
    print(f"{len(names):,} names, mean length {encoded.lengths.mean():.2f}, {vocabulary.size} tokens")
    print(f"numpy {np.__version__}, torch {torch.__version__}, jax {jax.__version__}")
    print(f"sgemm peak {peak / 1e9:.0f} GFLOP/s\n", flush=True)
    print("Thousands of characters per second:\n")
    print(_line("cell", "H", "batch", *NAMES), _rule(3 + len(NAMES)), sep="\n", flush=True)
    ratios = []
    for cell in arguments.cells:
        for hidden_size in arguments.hidden:
            for batch_size in arguments.batch:
                begun = start(cell, encoded, vocabulary.size, hidden_size, batch_size, BATCHES)
                seconds = measured(begun, arguments.rounds)
                setting = (cell, hidden_size, batch_size)
                speeds = [f"{1e-3 / statistics.median(rounds):,.0f}" for rounds in seconds]
                print(_line(*setting, *speeds), flush=True)
                ratios.append(_line(*setting, *_compared(begun, seconds, peak)))
    print("\nThe better of ours, as a multiple of theirs, and in shares of the sgemm peak:\n")
    print(_line("cell", "H", "batch", *COMPARED), _rule(3 + len(COMPARED)), *ratios, sep="\n")


def contestants(begun: Start) -> list[Contestant]:
    """In the order of NAMES."""
    return [
        Ours(begun, shared=False),
        Ours(begun, shared=True),
        PyTorch(begun, packed=False),
        PyTorch(begun, packed=True),
        Looped(begun),
        Jax(begun, one_length=True),
        Jax(begun, one_length=False),
    ]


def measured(begun: Start, rounds: int) -> list[list[float]]:
    """Seconds per character: for every contestant its rounds."""
    everyone = contestants(begun)
    _check_losses(everyone)
    for one in everyone:  # every length compiled, every buffer grown
        for batch in range(BATCHES):
            one.step(batch)
    slowest = max(_seconds(one, range(BATCHES)) for one in everyone) / BATCHES
    turn = max(2, round(SECONDS / slowest))  # the batches come round: some are laid out ahead, at times
    result: list[list[float]] = [[] for _ in everyone]
    for number in range(rounds):
        batches = [(number * turn + place) % BATCHES for place in range(turn)]
        characters = sum(begun.characters(batch) for batch in batches)
        for place, one in enumerate(everyone):
            result[place].append(_seconds(one, batches) / characters)
    return result


def sgemm_peak() -> float:
    """Floating-point operations per second of the best of some large products."""
    a, b = (np.random.default_rng(0).standard_normal((1024, 1024)).astype(np.float32) for _ in range(2))
    out = np.empty_like(a)
    return 2 * 1024**3 / min(_timed(lambda: np.matmul(a, b, out=out)) for _ in range(30))


def operations(begun: Start) -> float:
    """Of the products for a character in the plain form: forward, and twice as many back."""
    hidden_size, vocabulary_size = begun.parameters.W_hy.shape
    return 6.0 * hidden_size * (GATES[begun.cell] * hidden_size + vocabulary_size)


def _compared(begun: Start, seconds: list[list[float]], peak: float) -> list[str]:
    """The columns of COMPARED."""
    ours = min(seconds[:2], key=statistics.median)
    pytorch = min(seconds[2:4], key=statistics.median)
    ratios = [
        statistics.median(other / own for own, other in zip(ours, theirs, strict=True))
        for theirs in (pytorch, *seconds[4:])
    ]
    shares = [operations(begun) / statistics.median(rounds) / peak for rounds in seconds[:2]]
    return [*(f"{ratio:.2f}" for ratio in ratios), *(f"{share:.0%}" for share in shares)]


def _line(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _rule(columns: int) -> str:
    return "|---|" + "---:|" * (columns - 1)


def _check_losses(everyone: list[Contestant]) -> None:
    """The first loss of all is one number, and so are those after steps of Adam for all with one model."""
    for batch in range(4):
        losses = dict(zip(NAMES, (one.step(batch) for one in everyone), strict=True))
        if batch:
            del losses[LOOPED]  # its inputs go through one layer more, which learns as well
        if max(losses.values()) - min(losses.values()) > SAME_LOSS:
            raise SystemExit(f"batch {batch}: the losses differ: {losses}")


def _seconds(one: Contestant, batches: range | list[int]) -> float:
    def run() -> None:
        for batch in batches:
            one.step(batch)

    return _timed(run)


def _timed(run: Callable[[], object]) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def _arguments() -> argparse.Namespace:
    bundled = importlib.resources.files("data") / "corpora" / "argentine.txt"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--names", type=Path, default=Path(str(bundled)), help="a list, one name a line")
    parser.add_argument("--cells", nargs="+", default=list(GATES), choices=list(GATES))
    parser.add_argument("--hidden", nargs="+", type=int, default=[64, 128, 256])
    parser.add_argument("--batch", nargs="+", type=int, default=[32, 128, 512])
    parser.add_argument("--rounds", type=int, default=9)
    return parser.parse_args()


if __name__ == "__main__":
    main()
