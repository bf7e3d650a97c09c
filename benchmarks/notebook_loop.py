"""How much faster the notebook's recipe runs than the notebook's own loop: side by side, on one core.

    python -m benchmarks.notebook_loop [iterations]

Both train on the bundled corpora and take turns of 100 iterations, so that whatever else the machine does
troubles both alike. The ratio is the median over the turns; that the bits are equal is checked at the end.
"""

import importlib.util
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np

from rnn_core.notebook import NotebookConfig, shuffled_order, train
from rnn_core.text.vocabulary import Vocabulary

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "tests" / "numerics" / "notebook_reference.py"
TURN = 100


def main(iterations: int) -> None:
    names = [
        name
        for corpus in ("argentine", "dinosaurs")
        for name in (ROOT / "data" / "corpora" / f"{corpus}.txt").read_text("utf-8").splitlines()
    ]
    vocabulary = Vocabulary.from_names(names)
    config = NotebookConfig(iterations=iterations)
    encoded = vocabulary.encode(names)
    as_lists = [
        encoded.tokens[encoded.offsets[row] : encoded.offsets[row + 1]].tolist() for row in range(len(names))
    ]
    theirs = loaded(REFERENCE).train(as_lists, vocabulary.size, iterations)
    order = shuffled_order(config, vocabulary.size, len(names))
    ours = train(config, vocabulary.size, encoded.take(order))

    timings = []
    for turn in range(TURN, iterations + 1, TURN):
        plain, reference = timed(theirs, lambda step, stop=turn: step.iteration + 1 >= stop)
        fast, progress = timed(ours, lambda now, stop=turn: now.iteration + 1 >= stop)
        timings.append((plain, fast))
    equal = all(
        np.array_equal(value, reference.parameters[name])
        for name, value in progress.state.parameters._asdict().items()
    )
    report(timings, equal)


def timed(steps, is_last):
    """Seconds of this thread's own processor time, and the last step taken."""
    start = time.thread_time()
    last = next(step for step in steps if is_last(step))
    return time.thread_time() - start, last


def report(timings, equal: bool) -> None:
    plain, fast = (median(column) / TURN * 1e6 for column in zip(*timings, strict=True))
    ratios = sorted(plain / fast for plain, fast in timings)
    low, high = ratios[len(ratios) // 10], ratios[-1 - len(ratios) // 10]
    print(f"{len(timings)} turns of {TURN} iterations each, NumPy {np.__version__}, one BLAS thread")
    print(f"{'':<24}{'µs per name':>12}{'names per s':>12}")
    for label, microseconds in (("the notebook's own loop", plain), ("rnn_core.notebook", fast)):
        print(f"{label:<24}{microseconds:>12.1f}{1e6 / microseconds:>12.0f}")
    print(f"ratio: median {median(ratios):.2f}, 10 % to 90 %: {low:.2f} to {high:.2f}")
    print(f"every parameter bit for bit the same: {'yes' if equal else 'NO'}")


def loaded(path: Path):
    specification = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 22_000)
