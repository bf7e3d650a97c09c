"""The tables of docs/explanation/quality.md: how well held-out names are predicted, and what is drawn.

    python -m benchmarks.all_lists [--lists "Greek surnames" ...] [--seeds 3] [--results folder]

Each list is split and trained on anew for every seed (0, 1, ...), in the way of `benchmarks.quality`. What a
training gave is kept in the folder, so that a run goes on where it was stopped. All numbers are nats per
character of the test names, the end token of a name being a character; a difference has a 95 % interval over
the test names of all splits. Seconds are those of the processor, on one core.

What is drawn: as often as HALVINGS, half of the test names are the reference, and the other half, and as many
sampled names, are compared with it.
"""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from threadpoolctl import threadpool_limits

from benchmarks.public_lists import PUBLIC_LISTS, public_list
from benchmarks.quality import Split, split_at_random, trained
from benchmarks.tables import line, rule
from rnn_core.metrics import scoring
from rnn_core.metrics.bootstrap import paired_gain
from rnn_core.metrics.distributions import length_distance, ngram_divergence
from rnn_core.ngram.discounts import fit_ngrams
from rnn_core.ngram.kneser_ney import NgramConfig
from rnn_core.ngram.mixture import Mixture, fit_rule, log_probabilities, mixture_model
from rnn_core.ngram.rules import LinearRule
from rnn_core.nn.network import NetworkParameters
from rnn_core.sample.model import network_model
from rnn_core.sample.sampler import SamplingConfig, sample
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import Vocabulary
from rnn_core.train.config import TrainingConfig

Arrays = Mapping[str, npt.NDArray[Any]]

SAMPLED, HALVINGS = 4_000, 100
FIGURES = {
    "length_distance": length_distance,
    **{f"ngram_divergence_{n}": lambda a, b, n=n: ngram_divergence(a, b, n) for n in (1, 2, 3)},
}
LINEAR_NGRAMS = NgramConfig(order=6, discount=0.85)  # those of the mixture before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--lists", nargs="+", choices=list(PUBLIC_LISTS), default=list(PUBLIC_LISTS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--results", type=Path, default=Path("benchmarks/results/all-lists"))
    arguments = parser.parse_args()
    arguments.results.mkdir(parents=True, exist_ok=True)
    results = {title: [] for title in arguments.lists}
    with threadpool_limits(1):
        for seed in range(arguments.seeds):
            for title in arguments.lists:
                results[title].append(kept(arguments.results / f"{title}-{seed}.npz", title, seed))
    print(line(*PREDICTED), rule(len(PREDICTED)), sep="\n")
    for title, measured in results.items():
        print(predicted_row(title, measured), flush=True)
    print("", line("list", *FIGURES), rule(1 + len(FIGURES)), sep="\n")
    for title, measured in results.items():
        print(drawn_row(title, measured), flush=True)


def kept(path: Path, title: str, seed: int) -> Arrays:
    if not path.exists():
        np.savez(path, **measure(public_list(title), seed))
    with np.load(path) as arrays:
        return dict(arrays)


def measure(written: list[str], seed: int) -> Arrays:
    """The log-probabilities of the test names by model, and what else the tables show."""
    split = split_at_random(written, seed)
    default = TrainingConfig(seed=seed)
    network, seconds = network_of(default, split)
    ngrams = fit_ngrams(NgramConfig(), split.training, split.validation, split.vocabulary_size)
    mixture = Mixture(network, ngrams, fit_rule(network, ngrams, split.training, split.validation))
    adamw, adamw_seconds = network, seconds
    if default.resolve(split.training.count).optimizer != "adamw":
        adamw, adamw_seconds = network_of(replace(default, optimizer="adamw"), split)
    test = split.test
    result = {
        "Kneser-Ney": ngrams.log_probabilities(test),
        "AdamW": scoring.log_probabilities(adamw, test),
        "the default": scoring.log_probabilities(network, test),
        "before": log_probabilities(linear_mixture(adamw, split), test),
        "mixture": log_probabilities(mixture, test),
        "characters": test.lengths + 1,
        "learned": np.array(split.training.count),
        "seconds": np.array([adamw_seconds, seconds]),
    }
    vocabulary = Vocabulary.from_names(written)
    drawing = SamplingConfig(count=SAMPLED)
    samples = [
        sample(model, vocabulary, drawing).names for model in (network_model(network), mixture_model(mixture))
    ]
    rng = np.random.default_rng(seed)
    return {**result, "drawn": np.stack([figures(test, samples, rng) for _ in range(HALVINGS)])}


def network_of(config: TrainingConfig, split: Split) -> tuple[NetworkParameters, float]:
    result = trained(config, split)
    return result.parameters, float(result.seconds[-1])


def linear_mixture(network: NetworkParameters, split: Split) -> Mixture:
    """The mixture that was before, its weight fitted on the validation names."""
    ngrams = fit_ngrams(LINEAR_NGRAMS, split.training, split.validation, split.vocabulary_size)

    def loss(weight: float) -> float:
        mixture = Mixture(network, ngrams, LinearRule(weight))
        return -float(log_probabilities(mixture, split.validation).sum())

    weight = minimize_scalar(loss, bounds=(0.01, 0.99), method="bounded", options={"xatol": 0.01}).x
    return Mixture(network, ngrams, LinearRule(float(weight)))


def figures(
    test: EncodedNames, samples: list[EncodedNames], rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """(3, F) of the other half of the test names, of the network's and of the mixture's."""
    order = rng.permutation(test.count)
    half = min(test.count // 2, SAMPLED)
    reference, real = test.take(order[:half]), test.take(order[half : 2 * half])
    drawn = [sample.take(rng.permutation(sample.count)[:half]) for sample in samples]
    return np.array([[figure(each, reference) for figure in FIGURES.values()] for each in (real, *drawn)])


LEVELS = ["Kneser-Ney", "AdamW", "the default", "before", "mixture"]
PREDICTED = ["list", "names to learn", "seconds: AdamW, the default", *LEVELS]
PREDICTED += ["the default to AdamW", "the mixture to before"]


def predicted_row(title: str, measured: list[Arrays]) -> str:
    of_all = {name: np.concatenate([each[name] for each in measured]) for name in [*LEVELS, "characters"]}
    levels = [-of_all[name].sum() / of_all["characters"].sum() for name in LEVELS]
    seconds = np.mean([each["seconds"] for each in measured], axis=0)
    gains = [difference(of_all, *pair) for pair in (("the default", "AdamW"), ("mixture", "before"))]
    cells = (f"{level:.3f}" for level in levels)
    return line(title, f"{measured[0]['learned']:,}", f"{seconds[0]:.0f}, {seconds[1]:.0f}", *cells, *gains)


def difference(of_all: Arrays, one: str, other: str) -> str:
    gain = paired_gain(of_all[one], of_all[other], of_all["characters"], np.random.default_rng(0))
    return f"{-gain.value:+.4f} ± {(gain.high - gain.low) / 2:.4f}" if gain.value else "the same"


def drawn_row(title: str, measured: list[Arrays]) -> str:
    """The means of held-out names, the network's and the mixture's, and how they vary over halvings."""
    drawn = np.concatenate([each["drawn"] for each in measured])
    means, spread = drawn.mean(axis=0), np.mean([each["drawn"].std(axis=0) for each in measured], axis=0)
    cells = [
        f"{', '.join(f'{mean:.3f}' for mean in means[:, number])} (± {spread[0, number]:.3f})"
        for number in range(len(FIGURES))
    ]
    return line(title, *cells)


if __name__ == "__main__":
    main()
