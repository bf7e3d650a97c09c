"""How often the promotion policy promotes an equal model, and a worse one.

The noise is real: benchmarks/paired_gains.csv has, for names that neither model was trained on, by how much
more probable one model finds it than another of the same recipe with another seed, whose list has one name
more: networks of the default recipe, trained on 300 and on 2,000 names of the bundled lists. Their mean gain
is taken out, so that they are equal; a worse model loses the same for every character. Names are then drawn
with replacement.

`python -m benchmarks.promotion_power [REPETITIONS]` prints a row for each number of held-out names.
"""

import csv
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rnn_core.metrics.bootstrap import paired_gain
from tasks.config.promotion import PromotionConfig
from tasks.models.promotion import Comparison, promotion_verdict

GAINS = Path(__file__).with_name("paired_gains.csv")
TRAINED_ON = {
    60: 300,
    400: 2_000,
    4_000: 2_000,
}  # held-out names: names of the list that the models were trained on
WORSE = 0.05  # nats per character
_RESAMPLES = 200  # of a decision; the policy has 2,000 by default, which gives the same within noise


def equal_models(trained_on: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """(N,) gains of equal models in nats by name, and (N,) characters of each name."""
    with GAINS.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if int(row["trained_on"]) == trained_on]
    gains = np.array([float(row["gain"]) for row in rows])
    characters = np.array([int(row["characters"]) for row in rows])
    return gains - gains.sum() / characters.sum() * characters, characters


def promoted_share(names: int, loss: float, repetitions: int, seed: int = 0) -> float:
    """The share of candidates that are promoted, of a changed list.

    names:  that are held out.
    loss:   nats per character by which the candidate is worse.
    """
    gains, characters = equal_models(TRAINED_ON[names])
    gains = gains - loss * characters
    rng = np.random.default_rng(seed)
    promoted = 0
    for _ in range(repetitions):
        drawn = rng.integers(0, len(gains), names)
        gain = paired_gain(gains[drawn], np.zeros(names), characters[drawn], rng, _RESAMPLES)
        comparison = Comparison(names, 0.0, 0.0, gain, same_list=False)
        promoted += promotion_verdict(PromotionConfig(), comparison, {}, {}).promote
    return promoted / repetitions


def main(repetitions: int) -> None:
    """Print the shares as a table."""
    print("| held-out names | equal model promoted | worse by 0.05 promoted |\n|---|---|---|")
    for names in TRAINED_ON:
        equal, worse = (promoted_share(names, loss, repetitions) for loss in (0.0, WORSE))
        print(f"| {names:,} | {equal:.1%} | {worse:.1%} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4_000)
