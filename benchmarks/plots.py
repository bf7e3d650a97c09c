"""One plot: how many times as fast we are as others, setting by setting."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
from matplotlib.figure import Figure

STYLE = {"svg.fonttype": "none", "svg.hashsalt": "namewright", "font.size": 9, "axes.spines.right": False}
COLOURS = ["#2563c9", "#c2570c", "#3f8f5b", "#7a5bb5"]
BESIDE = ["o", "s", "^", "D"]


def ratios(path: Path, title: str, settings: Sequence[str], ours_over: Mapping[str, Sequence[float]]) -> None:
    """A dot for every setting and contestant, at the multiple of its characters per second.

    ours_over:  for each contestant a ratio per setting.
    """
    with mpl.rc_context({**STYLE, "axes.spines.top": False}):
        figure = Figure(figsize=(6.4, 0.8 + 0.22 * len(settings)), layout="constrained")
        axes = figure.subplots()
        rows = range(len(settings))
        for (name, values), color, marker in zip(ours_over.items(), COLOURS, BESIDE, strict=False):
            axes.plot(values, rows, marker, color=color, label=name, markersize=5)
        axes.set_xscale("log", base=2)
        axes.set_xticks([0.5, 1, 2, 4, 8], ["½ ×", "1 ×", "2 ×", "4 ×", "8 ×"])
        every = [1.0, *(value for values in ours_over.values() for value in values)]
        axes.set_xlim(0.9 * min(every), 1.1 * max(every))
        axes.axvline(1, color="#5f6672", linewidth=1)
        axes.set_yticks(rows, settings)
        axes.set_ylim(len(settings) - 0.5, -0.5)
        axes.grid(axis="x", color="#dfe2e7", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.set_title(title, loc="left", fontsize=10)
        figure.legend(loc="outside lower center", ncols=4, frameon=False)
        figure.savefig(path, metadata={"Date": None})
