"""Draw the pipeline as an SVG, from the composition that every run follows.

    python -m scripts.draw_pipeline docs/images/pipeline.svg

`flows.pipeline.pipeline` is called with a runner that computes nothing and records every stage with its
inputs. So the picture shows what a run does, and a test compares the committed file with a new drawing.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from flows.pipeline import pipeline
from tasks.config.retrain import RetrainConfig
from tasks.core.stage import AnyStage, StageRunner

WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN, BAND_GAP = 116, 46, 30, 16, 18, 64
STYLE = """
  text { font: 14px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1c2733; text-anchor: middle; }
  .detail, .note { font-size: 11px; fill: #5a6b7b; }
  .note { text-anchor: start; }
  .card { fill: #ffffff; stroke: #d5dde5; }
  .stage { fill: #eaf2fb; stroke: #3572b0; }
  .edge { fill: none; stroke: #5a6b7b; stroke-width: 1.4; marker-end: url(#head); }
  .wait { stroke-dasharray: 4 4; }"""

NOTE = (
    "An arrow: reads the artifact. Dashed: starts only if the other ended well. "
    "Arrows that follow from others are left out."
)
HEAD = (
    '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto">'
    '<path d="M0 0L8 4L0 8z" fill="#5a6b7b"/></marker></defs>'
)


@dataclass(eq=False)
class Node:
    """A stage of the pipeline with one configuration.

    inputs:  the stages whose artifacts it reads.
    waits:   the stages that have to end well before it starts, though it does not read them.
    band:    how many times the pipeline has waited before it; each wait begins a new row of the picture.
    """

    name: str
    detail: str
    inputs: list["Node"]
    waits: list["Node"]
    band: int
    x: float = 0.0
    y: float = 0.0

    def ancestors(self) -> set["Node"]:
        """Every stage that has to end before this one, directly or through others."""
        before = [*self.inputs, *self.waits]
        return set(before).union(*(node.ancestors() for node in before))

    def direct_inputs(self) -> list["Node"]:
        """The inputs that no other input leads to: the arrows worth drawing."""
        return [node for node in self.inputs if not any(node in other.ancestors() for other in self.inputs)]


@dataclass
class Recorder(StageRunner):
    """A runner that records what the pipeline asks of it."""

    nodes: list[Node] = field(default_factory=list)
    pending: list[Node] = field(default_factory=list)
    band: int = 0

    def run(self, stage: AnyStage, config: Any, inputs: Mapping[str, Any]) -> Node:
        """Record a stage; its node stands for the artifact."""
        detail = stage.title(config) if stage.title else ""
        nodes = [node for node in _flatten(inputs.values()) if isinstance(node, Node)]
        node = Node(stage.name, detail, nodes, list(self.pending), self.band)
        self.pending.clear()
        self.nodes.append(node)
        return node

    def wait(self, promises: Sequence[Any]) -> list[Any]:
        """Record that all later stages wait for these."""
        self.pending += promises
        self.band += 1
        return list(promises)


def record(config: RetrainConfig) -> list[Node]:
    """The stages of a run with this configuration, in the order in which it asks for them."""
    recorder = Recorder()
    pipeline(config, recorder)
    return recorder.nodes


def draw(nodes: Sequence[Node]) -> str:
    """The SVG of the stages, left to right, one row for each part between two waits."""
    width, height = _place(nodes)
    arrows = [
        _arrow(source, node, kind)
        for node in nodes
        for kind, sources in (("edge", node.direct_inputs()), ("edge wait", node.waits))
        for source in sources
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
            "<title>The stages of a run</title>",
            f"<style>{STYLE}\n</style>",
            HEAD,
            f'<rect class="card" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"/>',
            *arrows,
            *(line for node in nodes for line in _box(node)),
            f'<text class="note" x="{MARGIN}" y="{height - 12}">{escape(NOTE)}</text>',
            "</svg>",
            "",
        ]
    )


def _place(nodes: Sequence[Node]) -> tuple[int, int]:
    """Set x and y of every node; returns the width and the height of the picture."""
    top, width = float(MARGIN), 0.0
    for band in sorted({node.band for node in nodes}):
        layers: dict[int, list[Node]] = {}
        depth: dict[Node, int] = {}
        for node in (node for node in nodes if node.band == band):
            depth[node] = 1 + max((depth[other] for other in node.inputs if other in depth), default=-1)
            layers.setdefault(depth[node], []).append(node)
        rows = max(map(len, layers.values()))
        height = rows * (HEIGHT + GAP_Y) - GAP_Y
        for column, layer in layers.items():
            start = top + (height - len(layer) * (HEIGHT + GAP_Y) + GAP_Y) / 2
            for row, node in enumerate(layer):
                node.x, node.y = MARGIN + column * (WIDTH + GAP_X), start + row * (HEIGHT + GAP_Y)
                width = max(width, node.x + WIDTH + MARGIN)
        top += height + BAND_GAP
    return round(width), round(top - BAND_GAP + 2 * MARGIN + 4)


def _box(node: Node) -> Iterator[str]:
    middle, baseline = node.x + WIDTH / 2, node.y + HEIGHT / 2
    yield f'<rect class="stage" x="{node.x:g}" y="{node.y:g}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>'
    yield f'<text x="{middle:g}" y="{baseline + (-2 if node.detail else 5):g}">{escape(node.name)}</text>'
    if node.detail:
        yield f'<text class="detail" x="{middle:g}" y="{baseline + 14:g}">{escape(node.detail)}</text>'


def _arrow(source: Node, target: Node, kind: str) -> str:
    if source.band == target.band:
        x1, y1, x2, y2 = source.x + WIDTH, source.y + HEIGHT / 2, target.x, target.y + HEIGHT / 2
        bend = (x2 - x1) / 2
        path = f"M{x1:g} {y1:g}C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"
    else:
        x1, y1, x2, y2 = source.x + WIDTH / 2, source.y + HEIGHT, target.x + WIDTH / 2, target.y
        bend = (y2 - y1) / 2
        path = f"M{x1:g} {y1:g}C{x1:g} {y1 + bend:g} {x2:g} {y2 - bend:g} {x2:g} {y2:g}"
    return f'<path class="{kind}" d="{path}"/>'


def _flatten(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from _flatten(value)
        else:
            yield value


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(draw(record(RetrainConfig())), encoding="utf-8")
