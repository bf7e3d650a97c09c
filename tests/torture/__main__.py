"""The attacks, one after another: `make torture`, or `make torture ARGS="--minutes 60"` or `"--cases 500"`.

Ctrl-C ends them, and shows the figures.

Every case follows from the seed, the attack's name and its number, so a case that fell is one command.
"""

import argparse
import contextlib
import math
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from attacks import ATTACKS, Place


def outcome(attack: str, seed: int, case: int, place: Place) -> str:
    """What fell in that case; empty if all held."""
    try:
        return ATTACKS[attack](random.Random(f"{seed} {attack} {case}"), place)
    except subprocess.TimeoutExpired as hung:
        return f"{hung.cmd} hangs"


def main() -> int:
    """Attack; the exit code is 1 if anything fell."""
    parser = argparse.ArgumentParser(prog="make torture ARGS=…", description=__doc__)
    parser.add_argument("--minutes", type=float, help="that it goes on; ten, or as long as --cases take")
    parser.add_argument("--cases", type=int, help="of each attack, counted from --case")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--only", choices=sorted(ATTACKS), nargs="*", default=sorted(ATTACKS))
    parser.add_argument("--case", type=int, help="this case alone, or the first of --cases")
    options = parser.parse_args()
    cases = options.cases or (math.inf if options.case is None else 1)
    minutes = options.minutes or (10.0 if cases == math.inf else math.inf)
    first, kills = options.case or 0, 0
    print(f"seed {options.seed}: {', '.join(options.only)}", flush=True)
    made, fell, spent = Counter[str](), Counter[str](), Counter[str]()
    with contextlib.suppress(KeyboardInterrupt), tempfile.TemporaryDirectory(prefix="torture-") as folder:
        place = Place(Path(folder))
        limit = time.monotonic() + 60 * minutes
        while time.monotonic() < limit and (left := [name for name in options.only if made[name] < cases]):
            attack = min(left, key=lambda name: spent[name])  # the same time for each
            case = first + made[attack]
            began = time.monotonic()
            if fault := outcome(attack, options.seed, case, place):
                fell[attack] += 1
                again = f"--only {attack} --seed {options.seed} --case {case}"
                print(f'\nFELL: {fault}\n  again: make torture ARGS="{again}"', flush=True)
            made[attack] += 1
            kills = place.kills
            spent[attack] += round(1000 * (time.monotonic() - began))
    for attack in options.only:
        print(f"{attack:<14} {made[attack]:>6} cases, {fell[attack]} fell, {spent[attack] // 1000} s")
    print(f"{kills} runs were killed")
    return min(fell.total(), 1)


if __name__ == "__main__":
    sys.exit(main())
