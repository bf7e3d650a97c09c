"""A small curve as SVG text, drawn by hand: a run that finds everything is not to wait for matplotlib."""

import html
import math
from collections.abc import Sequence

_WIDTH, _HEIGHT, _EDGE = 480, 120, 12


def sparkline(values: Sequence[float], description: str) -> str:
    """Values at even steps, the last one marked. Empty if fewer than two are finite: there is no curve."""
    places = [(place, value) for place, value in enumerate(values) if math.isfinite(value)]
    if len(places) < 2:
        return ""
    low, high = min(value for _, value in places), max(value for _, value in places)
    across = (_WIDTH - 2 * _EDGE) / (len(values) - 1)
    down = (_HEIGHT - 2 * _EDGE) / ((high - low) or 1.0)
    points = [(_EDGE + place * across, _EDGE + (high - value) * down) for place, value in places]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{5 if (x, y) == points[-1] else 3}"/>' for x, y in points
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" role="img" aria-label="{html.escape(description)}" '
        'fill="var(--first, #2563c9)" stroke="var(--first, #2563c9)">'
        f'<polyline points="{line}" fill="none" stroke-width="2"/>{dots}</svg>'
    )
