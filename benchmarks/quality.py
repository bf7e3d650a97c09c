"""How well names that were held out are predicted: a table, and the curves as SVG.

    python -m benchmarks.quality --names bundled [--configurations default elman] [--svg curves.svg]

A tenth of the distinct names is validation, a tenth is test, the rest is trained on. All numbers are nats per
character, the end token of a name being a character; less is better. Seconds are those of the processor,
scoring the validation names after every epoch included.
"""

import argparse
import io
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from threadpoolctl import threadpool_limits

from benchmarks.names import names
from rnn_core.metrics.scoring import cross_entropy_per_character, mean_nats_per_character
from rnn_core.ngram.discounts import fit_ngrams
from rnn_core.ngram.kneser_ney import KneserNey, NgramConfig
from rnn_core.ngram.mixture import Mixture, fit_rule, log_probabilities
from rnn_core.nn.network import NetworkParameters
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import Vocabulary
from rnn_core.train.config import TrainingConfig
from rnn_core.train.loop import train

ELMAN = TrainingConfig(
    optimizer="adamw",
    cell="elman",
    layers=1,
    hidden_size=256,
    batch_size=32,
    learning_rate=2e-3,
    epochs=40,
    max_steps=40_000,
    dropout=0.2,
    recurrent_dropout=0.2,
)
CONFIGURATIONS = {
    "default": TrainingConfig(),
    "elman": ELMAN,
    "unregularised": replace(ELMAN, dropout=0.0, recurrent_dropout=0.0, weight_decay=0.0, patience=40),
}
COLUMNS = ["configuration", "seconds", "epochs, the best"]
COLUMNS += ["validation", "test", "mixture, validation", "mixture, test"]
COLORS = dict(zip(CONFIGURATIONS, ["#2563c9", "#c2570c", "#1b7f4d"], strict=True))
INK, GRID = "#1c1f24", "#dfe2e7"
STYLE: Any = {
    "svg.fonttype": "none",  # text stays text
    "font.family": ["sans-serif"],
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "legend.frameon": False,
}


class Split(NamedTuple):
    vocabulary_size: int
    training: EncodedNames
    validation: EncodedNames
    test: EncodedNames


class Result(NamedTuple):
    """seconds, losses: (E,) when each epoch ended, validation loss then. parameters: of the best epoch."""

    seconds: npt.NDArray[np.float64]
    losses: npt.NDArray[np.float64]
    parameters: NetworkParameters

    @property
    def best(self) -> int:
        """The epoch, counted from 0."""
        return int(np.argmin(self.losses))


def main() -> None:
    arguments = _arguments()
    split = split_at_random(names(arguments.names), arguments.seed)
    counts = ", ".join(f"{part.count:,}" for part in split[1:])
    print(f"names to learn, to validate, to test: {counts}; {split.vocabulary_size} tokens\n")
    baseline = fit_ngrams(NgramConfig(), split.training, split.validation, split.vocabulary_size)
    levels = [
        mean_nats_per_character(baseline.log_probabilities(part), part)
        for part in (split.validation, split.test)
    ]
    print(f"| {' | '.join(COLUMNS)} |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    print(f"| Kneser-Ney | | | {levels[0]:.3f} | {levels[1]:.3f} | | |", flush=True)
    results = {}
    with threadpool_limits(1):
        for label in arguments.configurations:
            results[label] = trained(replace(CONFIGURATIONS[label], seed=arguments.seed), split)
            print(_row(label, results[label], baseline, split), flush=True)
    if arguments.svg:
        arguments.svg.write_text(curves(results, levels[0], arguments.title), encoding="utf-8")


def split_at_random(written: list[str], seed: int) -> Split:
    vocabulary = Vocabulary.from_names(written)
    order = np.random.default_rng(seed).permutation(len(written))
    encoded = vocabulary.encode(written)
    tenth = len(written) // 10
    test, validation, training = np.split(order, [tenth, 2 * tenth])
    return Split(vocabulary.size, *map(encoded.take, (training, validation, test)))


def trained(config: TrainingConfig, split: Split) -> Result:
    seconds, losses = [], []
    began = time.process_time()
    filled = config.resolve(split.training.count)
    for progress in train(filled, split.vocabulary_size, split.training, split.validation):
        if not np.isnan(progress.validation_loss):
            seconds.append(time.process_time() - began)
            losses.append(progress.validation_loss)
    return Result(np.array(seconds), np.array(losses), progress.state.parameters)


def curves(results: dict[str, Result], baseline: float, title: str) -> str:
    """Validation loss against seconds, as the text of an SVG: the same bytes for the same numbers."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a matplotlibrc of the user's would change the bytes
        matplotlib.rcParams.update({**STYLE, "svg.hashsalt": "quality"})  # ids are random without
        figure = Figure(figsize=(6.4, 3.6), layout="constrained")
        axes = figure.add_subplot()
        for label, result in results.items():
            color = COLORS[label]
            axes.plot(result.seconds, result.losses, color=color, label=label, linewidth=1.8)
            axes.plot(result.seconds[result.best], result.losses[result.best], "o", color=color, markersize=5)
        axes.axhline(baseline, color=INK, linestyle=(0, (4, 3)), linewidth=1.2, label="Kneser-Ney")
        lowest = min(baseline, *(result.losses.min() for result in results.values()))
        axes.set_ylim(lowest - 0.04, max(lowest, baseline) + 0.45)
        axes.set_xlim(left=0)
        axes.set_xlabel("seconds on one core")
        axes.set_title(f"{title}validation, nats per character", loc="left", fontsize=10)
        axes.legend()
        buffer = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", metadata=nothing)
    svg = buffer.getvalue()
    return svg[svg.index("<svg") :]


def _row(label: str, result: Result, baseline: KneserNey, split: Split) -> str:
    rule = fit_rule(result.parameters, baseline, split.training, split.validation)
    mixture = Mixture(result.parameters, baseline, rule)
    numbers = [
        cross_entropy_per_character(result.parameters, split.validation),
        cross_entropy_per_character(result.parameters, split.test),
        *(
            mean_nats_per_character(log_probabilities(mixture, part), part)
            for part in (split.validation, split.test)
        ),
    ]
    epochs = f"{len(result.losses)}, {result.best + 1}"
    return f"| {label} | {result.seconds[-1]:.0f} | {epochs} | {' | '.join(f'{n:.3f}' for n in numbers)} |"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--names", default="bundled", help="bundled, first, or a file, one name a line")
    parser.add_argument(
        "--configurations", nargs="+", choices=list(CONFIGURATIONS), default=list(CONFIGURATIONS)
    )
    parser.add_argument("--svg", type=Path, help="where to write the curves")
    parser.add_argument("--title", default="", help="stands before what the curves show")
    parser.add_argument("--seed", type=int, default=0, help="of the split and of training")
    return parser.parse_args()


if __name__ == "__main__":
    main()
