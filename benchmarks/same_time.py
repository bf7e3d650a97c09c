"""Test names after the same seconds of one core: the default network, and makemore's Transformer.

    python -m benchmarks.same_time [--names first] [--seeds 3]

The default network is trained to its end; the Transformer on the same split until it has had as many seconds
of the processor. Numbers are nats per character of the test names, the end token of a name being a character.
Each contestant is alone in its process, on one core.
"""

import argparse
import json
import time
from dataclasses import replace

import numpy as np

from benchmarks.alone import result_of
from benchmarks.names import names
from benchmarks.quality import CONFIGURATIONS, Split, split_at_random, trained
from benchmarks.tables import line, rule
from rnn_core.metrics.scoring import cross_entropy_per_character

OURS, TRANSFORMER = "ours", "transformer"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--names", default="first", help="bundled, first, or a file, one name a line")
    parser.add_argument("--seeds", type=int, default=3, help="of the split and of training: 0, 1, ...")
    parser.add_argument("--alone", choices=[OURS, TRANSFORMER], help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=0.0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone:
        split = split_at_random(names(arguments.names), arguments.seed)
        loss = (
            ours(split, arguments.seed)
            if arguments.alone == OURS
            else transformer(split, arguments.seed, arguments.seconds)
        )
        print(json.dumps(loss))
        return
    print(line("seed", "seconds", "the default network", "a Transformer"), rule(4), sep="\n", flush=True)
    results = []
    for seed in range(arguments.seeds):
        words = ("--names", arguments.names, "--seed", str(seed))
        seconds, loss = result_of("same_time", OURS, 1, *words)
        _, other = result_of("same_time", TRANSFORMER, 1, *words, "--seconds", str(seconds))
        results.append((loss, other))
        print(line(seed, f"{seconds:.0f}", f"{loss:.3f}", f"{other:.3f}"), flush=True)
    print(line("mean", "", *(f"{mean:.3f}" for mean in np.mean(results, axis=0))))


def ours(split: Split, seed: int) -> tuple[float, float]:
    """Seconds of the processor, and the loss of the test names."""
    result = trained(replace(CONFIGURATIONS["default"], seed=seed), split)
    return float(result.seconds[-1]), cross_entropy_per_character(result.parameters, split.test)


def transformer(split: Split, seed: int, seconds: float) -> tuple[float, float]:
    """The same, of a training that is stopped after so many seconds."""
    from benchmarks.transformer import Makemore

    training = Makemore(split, 1, seed)
    began = time.process_time()
    while time.process_time() - began < seconds:
        for _ in training.epoch():
            if time.process_time() - began >= seconds:
                break
    return time.process_time() - began, training.nats_per_character(split.test)


if __name__ == "__main__":
    main()
