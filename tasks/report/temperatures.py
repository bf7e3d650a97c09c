"""Names of one network at several temperatures, from what it is surest of to what it hardly dares."""

from collections.abc import Sequence
from typing import NamedTuple

from tasks.report.markup import Column, visible
from tasks.report.parts import Part

NAMES_PER_TEMPERATURE = 12
_LONGEST = 18  # characters shown of one: four stand beside each other


class TemperatureSample(NamedTuple):
    """new: how many of the names stand in no list."""

    temperature: float
    names: Sequence[str]
    new: int


def by_temperature(tastes: Sequence[TemperatureSample]) -> Part:
    title = "Names by temperature"
    if not tastes:
        return Part(title, "There are no characters to write names with.")
    new = ", ".join(f"{one.new} at {one.temperature:g}" for one in tastes)
    names = zip(*(one.names for one in tastes), strict=True)
    return Part(
        title,
        heads=[Column(f"at {one.temperature:g}") for one in tastes],
        rows=[[visible(name, _LONGEST) or "(empty)" for name in row] for row in names],
        note="Drawn from the network alone. "
        f"Of each {NAMES_PER_TEMPERATURE} stand in none of the lists: {new}.",
    )
