"""What a second core brings: characters per second of a training step, with one thread and with two.

    python -m benchmarks.two_cores [--names first] [--cells elman] [--hidden 256] [--batch 128]

As in benchmarks.training_speed. With two threads each of ours computes one of two shards of a batch; PyTorch
shares out its products, and gets a pause before anyone else's turn, since its threads spin for a while.
"""

import statistics

import torch

from benchmarks import plots
from benchmarks.ours import Ours
from benchmarks.pytorch import PyTorch
from benchmarks.training_speed import line, measured, parsed, ratio, rule, starts, thousands_per_second

NAMES = ["packed", "packed, 2", "shared", "shared, 2", "PyTorch padded, 2", "PyTorch packed, 2"]
COMPARED = ["our second core", "PyTorch, the better"]
PAUSE = 0.5  # seconds: after less, PyTorch's threads still keep a core busy


def main() -> None:
    arguments = parsed("elman gru lstm", "256 512", "128 512", description=__doc__)
    torch.set_num_threads(2)
    settings, ratios = [], []
    for setting, begun in starts(arguments):
        if not settings:
            print(line("cell", "H", "batch", *NAMES), rule(3 + len(NAMES)), sep="\n", flush=True)
        everyone = [
            *(Ours(begun, shared, threads) for shared in (False, True) for threads in (1, 2)),
            *(PyTorch(begun, packed) for packed in (False, True)),
        ]
        seconds = measured(begun, everyone, arguments.rounds, PAUSE)
        print(line(*setting, *thousands_per_second(seconds)), flush=True)
        one, two, pytorch = (
            min(some, key=statistics.median) for some in (seconds[0:4:2], seconds[1:4:2], seconds[4:])
        )
        settings.append(setting)
        ratios.append([ratio(two, one), ratio(two, pytorch)])
    print("\nThe better of ours with two threads, as a multiple of the better with one, and of PyTorch:\n")
    print(line("cell", "H", "batch", *COMPARED), rule(3 + len(COMPARED)), sep="\n")
    for setting, multiples in zip(settings, ratios, strict=True):
        print(line(*setting, *(f"{multiple:.2f}" for multiple in multiples)))
    if arguments.plot:
        labels = [f"{cell} {hidden_size}, batch {batch_size}" for cell, hidden_size, batch_size in settings]
        columns = dict(zip(COMPARED, zip(*ratios, strict=True), strict=True))
        plots.ratios(arguments.plot, "Ours with two threads, as a multiple of others", labels, columns)


if __name__ == "__main__":
    main()
