"""Plots as SVG text, the same bytes for the same numbers. Matplotlib is imported when the first is drawn.

Colors are CSS variables with a value to fall back on, so a page can turn them dark, and the file alone is
still a picture.
"""

import html
import io
import os
import re
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.report.text import escape_invisible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Numbers = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

INK, MUTED, GRID, FIRST, SECOND, THIRD = "#010101", "#020202", "#030303", "#040404", "#050505", "#060606"

# What stands for a color while a plot is drawn, and what is written in its place.
_PAINT = {
    INK: "var(--ink, #1c1f24)",
    MUTED: "var(--muted, #5f6672)",
    GRID: "var(--rule, #dfe2e7)",
    FIRST: "var(--first, #2563c9)",
    SECOND: "var(--second, #c2570c)",
    THIRD: "var(--muted, #5f6672)",
}

_STYLE: Any = {
    "svg.fonttype": "none",  # text stays text
    "font.family": ["sans-serif"],
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "lines.linewidth": 2,
}

_SIZE = 5.2, 3.1  # inches; small, so that letters stay legible on a phone
_MOST_POINTS = 600
_MOST_BINS = 60
MOST_LINES = 6  # that a reader can tell apart: three colors, whole and dashed


class Curves(NamedTuple):
    """The loss of a training, (N,) each, nan where nothing was measured.

    reference:  a level to compare with, and what it is.
    """

    x: Numbers
    training: Numbers
    validation: Numbers
    x_label: str
    y_label: str
    reference: tuple[str, float] | None = None


def loss_curves(curves: Curves) -> str:
    """Training and validation loss over time, with the lowest validation loss marked."""
    kept = _thinned(len(curves.x))
    x, training, validation = (values[kept] for values in (curves.x, curves.training, curves.validation))
    with _axes() as (figure, axes):
        axes.plot(x, training, color=FIRST, label="training")
        if np.isfinite(validation).any():
            best = int(np.nanargmin(validation))
            axes.plot(x, validation, color=SECOND, label="validation")
            axes.plot(x[best], validation[best], "o", color=SECOND, markersize=6)
            below = training[best] > validation[best]  # or it would stand on the other curve
            axes.annotate(
                f"{validation[best]:.3f}", (x[best], validation[best]), (0, -17 if below else 9),
                textcoords="offset points", ha="center", color=INK,
            )  # fmt: skip
        if curves.reference:
            label, level = curves.reference
            axes.axhline(level, color=THIRD, linestyle=(0, (4, 3)), linewidth=1.4, label=label)
        axes.set(xlabel=curves.x_label)
        axes.set_title(curves.y_label, loc="left", fontsize=10, color=MUTED)
        _whole_ticks(axes, 6)
        axes.legend()
        return _svg(figure, "loss", f"Loss, {curves.y_label}, against {curves.x_label}")


def length_distributions(training: Counts, sampled: Counts) -> str:
    """How long training names and sampled names are, as shares of their sums.

    training, sampled:  [n], how many names have n characters.
    """
    edges = _edges([training, sampled])
    with _axes() as (figure, axes):
        axes.stairs(_shares(training, edges), edges, fill=True, color=FIRST, alpha=0.35, linewidth=0,
                    label="training names")  # fmt: skip
        axes.stairs(_shares(sampled, edges), edges, color=SECOND, linewidth=2, label="sampled names")
        _label_lengths(axes, edges)
        axes.legend()
        return _svg(figure, "lengths", "Lengths of training names and of sampled names")


def lengths_by_source(counts: Mapping[str, Counts]) -> str:
    """How long the names of each source are, of at most MOST_LINES sources.

    counts:  by source, [n], how many names have n characters.
    """
    edges = _edges(list(counts.values()))
    looks = product(("solid", (0, (3, 2))), (FIRST, SECOND, THIRD))
    with _axes(parse_math=False) as (figure, axes):  # a source may have dollars in its name
        lines = [
            axes.stairs(_shares(lengths, edges), edges, color=color, linestyle=style, linewidth=2)
            for lengths, (style, color) in zip(counts.values(), looks, strict=False)
        ]
        _label_lengths(axes, edges)
        axes.legend(lines, [escape_invisible(source, 24) for source in counts])
        return _svg(figure, "sources", "Lengths of the names of each source")


def _edges(counts: Sequence[Counts]) -> Numbers:
    """Of at most so many bins, as wide as each other, in which all lengths have a place."""
    lengths = max(map(len, counts))
    width = -(-lengths // _MOST_BINS)
    return np.arange(0, lengths + width, width).astype(np.float64) - 0.5


def _label_lengths(axes: "Axes", edges: Numbers) -> None:
    axes.set(xlabel="characters", xlim=(edges[0], edges[-1]))
    axes.set_title("share of names, %", loc="left", fontsize=10, color=MUTED)
    axes.set_ylim(bottom=0)
    _whole_ticks(axes, 8)


def _thinned(count: int) -> Counts:
    """Indices of at most so many points, first and last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, _MOST_POINTS)).round().astype(np.int64))


def _shares(counts: Counts, edges: Numbers) -> Numbers:
    bins, width = len(edges) - 1, int(edges[1] - edges[0])
    filled = np.zeros(bins * width)
    filled[: len(counts)] = counts
    shares: Numbers = 100 * filled.reshape(bins, width).sum(axis=1) / max(counts.sum(), 1)
    return shares


def _whole_ticks(axes: "Axes", most: int) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(most, integer=True))


@contextmanager
def _axes(parse_math: bool = True) -> Iterator[tuple["Figure", "Axes"]]:
    if "matplotlib" not in sys.modules:
        # Jupyter names one for its children that they may not have; matplotlib then refuses to be imported.
        os.environ["MPLBACKEND"] = "svg"
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a matplotlibrc of the user's would change the bytes
        matplotlib.rcParams.update(_STYLE)
        matplotlib.rcParams["text.parse_math"] = parse_math
        figure = Figure(figsize=_SIZE, layout="constrained")
        yield figure, figure.add_subplot()


def _svg(figure: "Figure", name: str, description: str) -> str:
    """name: goes before every id, so that several plots can stand in one page."""
    import matplotlib

    matplotlib.rcParams["svg.hashsalt"] = name  # ids are random without
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with warnings.catch_warnings():
        # It measures with a font of its own, which lacks scripts that the reader's have.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].replace(
        "<svg", f'<svg role="img" aria-label="{html.escape(description)}"', 1
    )
    svg = re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    return re.sub("|".join(_PAINT), lambda found: _PAINT[found.group()], svg)
