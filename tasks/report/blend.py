"""The blend that the names of a generated list were asked for in."""

from collections.abc import Iterator, Mapping
from typing import Any

from tasks.report.sections import Section, Table, columns
from tasks.report.text import escape_invisible, number

_NAMES_SHOWN = 10
_LONGEST = 40  # characters shown of a name, and of a style


def blend_sections(metadata: Mapping[str, Any]) -> Iterator[Section]:
    """The weight of each style, and how each judges the first names; nothing for a list of no blend.

    metadata:  of the manifest of a list.
    """
    blend = metadata.get("blend")
    if not blend:
        return
    heads = [
        f"{escape_invisible(style, _LONGEST)}={weight:.3g}" for style, weight in blend["weights"].items()
    ]
    scored = zip(metadata["first"], *blend["nats_per_character"].values(), strict=True)
    rows = [[escape_invisible(name, _LONGEST) or "(empty)", *map(number, nats)] for name, *nats in scored]
    yield Section(
        "Blend, with the nats per character of its first names in each style",
        lead=", ".join(heads),
        table=Table(columns("name", numeric=heads), rows[:_NAMES_SHOWN]),
        note=f"By the {metadata['drawn_from']}: the lower, the more like the names of that list.",
    )
