"""What a second core brings: characters per second of a training step, with one thread and with two.

    python -m benchmarks.two_cores [--names first] [--cells elman] [--hidden 256] [--batch 128]

As in benchmarks.training_speed, but ours alone: with two threads each computes one of two shards of a batch.
Where PyTorch has once computed with two threads, those of everyone else in its process are slower for good.
"""

import statistics

from benchmarks import plots
from benchmarks.ours import Ours
from benchmarks.tables import line, rule
from benchmarks.training_speed import measured, parsed, ratio, starts, thousands_per_second

NAMES = ["packed", "packed, 2", "shared", "shared, 2"]
COMPARED = ["the better", "packed", "shared"]


def main() -> None:
    arguments = parsed("elman gru lstm", "256 512", "128 512", description=__doc__)
    settings, ratios = [], []
    for setting, setup in starts(arguments):
        if not settings:
            print(line("cell", "H", "batch", *NAMES), rule(3 + len(NAMES)), sep="\n", flush=True)
        everyone = [Ours(setup, shared, threads) for shared in (False, True) for threads in (1, 2)]
        seconds = measured(setup, everyone, arguments.rounds)
        print(line(*setting, *thousands_per_second(seconds)), flush=True)
        one, two = (
            min(layout_seconds, key=statistics.median) for layout_seconds in (seconds[0::2], seconds[1::2])
        )
        settings.append(setting)
        ratios.append([ratio(two, one), ratio(seconds[1], seconds[0]), ratio(seconds[3], seconds[2])])
    print("\nTwo threads, as a multiple of one:\n")
    print(line("cell", "H", "batch", *COMPARED), rule(3 + len(COMPARED)), sep="\n")
    for setting, multiples in zip(settings, ratios, strict=True):
        print(line(*setting, *(f"{multiple:.2f}" for multiple in multiples)))
    if arguments.plot:
        labels = [f"{cell} {hidden_size}, batch {batch_size}" for cell, hidden_size, batch_size in settings]
        columns = dict(zip(COMPARED, zip(*ratios, strict=True), strict=True))
        plots.ratios(arguments.plot, "Two threads, as a multiple of one", labels, columns)


if __name__ == "__main__":
    main()
