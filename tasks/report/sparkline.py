"""A small curve as SVG text, drawn by hand: a cached run is not to wait for matplotlib."""

import html
import math
from collections.abc import Sequence

_WIDTH, _HEIGHT = 480, 120
_LEFT, _RIGHT, _EDGE = 12, 60, 16


def sparkline(values: Sequence[float], description: str) -> str:
    """A curve through values at even steps, or nothing if fewer than two are finite."""
    places = [(place, value) for place, value in enumerate(values) if math.isfinite(value)]
    if len(places) < 2:
        return ""
    low, high = min(value for _, value in places), max(value for _, value in places)
    across = (_WIDTH - _LEFT - _RIGHT) / (len(values) - 1)
    down = (_HEIGHT - 2 * _EDGE) / ((high - low) or 1.0)
    points = [(_LEFT + place * across, _EDGE + (high - value) * down) for place, value in places]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in points)
    (x, y), (_, last) = points[-1], places[-1]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" role="img" aria-label="{html.escape(description)}" style="max-width:{_WIDTH}px" '
        'fill="var(--first, #2563c9)">'
        f'<polyline points="{line}" fill="none" stroke="var(--first, #2563c9)" stroke-width="2"/>{dots}'
        f'<text x="{x + 8:.1f}" y="{y + 4:.1f}" font-family="sans-serif" font-size="14" '
        f'fill="var(--ink, #1c1f24)">{last:.3f}</text></svg>'
    )
