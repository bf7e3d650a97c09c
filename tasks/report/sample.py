"""The names of a run: the sample, their lengths, and a few at every temperature."""

from collections.abc import Sequence
from typing import NamedTuple

from tasks.report.sections import Cell, Section, Table, Tile, columns
from tasks.report.text import escape_invisible, number

NAMES_PER_TEMPERATURE = 12
_NAMES_SHOWN = 96
_LONGEST_STYLE = 40  # characters shown of a style
_LONGEST = 18  # characters shown of a name at a temperature: four stand beside each other


class Sample(NamedTuple):
    """Sampled names, counted.

    first:         the first names, and whether they are in the lists.
    mean_lengths:  in characters, of training names and of sampled ones.
    lengths:       SVG of both distributions; empty if there are no names.
    drawn_from:    network or mixture.
    """

    names: int
    distinct: int
    new: int
    first: Sequence[tuple[str, bool]]
    mean_lengths: tuple[float, float]
    lengths: str
    drawn_from: str


class TemperatureSample(NamedTuple):
    """Names that the model draws at one temperature. new: how many of them are in no list."""

    temperature: float
    names: Sequence[str]
    new: int


class StyleSample(NamedTuple):
    """Names that the model draws in one style, or in a blend of some."""

    style: str
    names: Sequence[str]
    is_blend: bool


def names_section(sample: Sample) -> Section:
    """The first sampled names; those of the lists are marked."""
    if not sample.names:
        return Section("Names", "No names were sampled.")
    shown = sample.first[:_NAMES_SHOWN]
    notes = [f"The first {len(shown):,} of {sample.names:,}."] if len(shown) < sample.names else []
    notes.append(f"Drawn from the {sample.drawn_from}.")
    if any(in_lists for _, in_lists in shown):
        notes.append("Marked names are in the lists.")
    return Section("Names", items=[_item(*name) for name in shown], note=" ".join(notes))


def sample_tiles(sample: Sample) -> list[Tile]:
    """How many of the names are new, and how many distinct."""
    if not sample.names:
        return [Tile("sample", "0", "names", "none was asked for")]
    new, distinct = (f"{count / sample.names:.1%}" for count in (sample.new, sample.distinct))
    return [
        Tile("new", new, "of the sample", "are in none of the lists"),
        Tile("distinct", distinct, "of the sample", f"{sample.distinct:,} names"),
    ]


def lengths_section(sample: Sample) -> Section:
    """How long training names and sampled names are."""
    if not sample.lengths:
        return Section("Lengths", "There are no names to measure.")
    trained_on, sampled = (number(mean, 2) for mean in sample.mean_lengths)
    note = f"Mean: {trained_on} characters in training names, {sampled} in sampled ones."
    return Section("Lengths", plot=sample.lengths, note=note)


def temperatures_section(samples: Sequence[TemperatureSample], drawn_from: str) -> Section:
    """A column of names for each temperature, from the surest to the boldest."""
    title = "Names by temperature"
    if not samples:
        return Section(title, "There are no characters to write names with.")
    new = ", ".join(f"{sample.new} at {sample.temperature:g}" for sample in samples)
    names = zip(*(sample.names for sample in samples), strict=True)
    return Section(
        title,
        table=Table(
            columns(*(f"at {sample.temperature:g}" for sample in samples)),
            [[escape_invisible(name, _LONGEST) or "(empty)" for name in row] for row in names],
        ),
        note=f"Drawn from the {drawn_from}. Of each {NAMES_PER_TEMPERATURE}, in none of the lists: {new}.",
    )


def styles_section(samples: Sequence[StyleSample], drawn_from: str) -> Section:
    """A column of names for each style."""
    names = zip(*(sample.names for sample in samples), strict=True)
    blend = " A blend is between its lists in every letter." if samples[-1].is_blend else ""
    return Section(
        "Names by style",
        f"Every list is a style that names can be asked for by.{blend}",
        table=Table(
            columns(*(escape_invisible(sample.style, _LONGEST_STYLE) for sample in samples)),
            [[escape_invisible(name, _LONGEST) or "(empty)" for name in row] for row in names],
        ),
        note=f"Drawn from the {drawn_from}, at temperature 1.",
    )


def _item(name: str, in_lists: bool) -> Cell:
    return Cell(name or "(empty)", ("in the lists",) if in_lists else (), "known" if in_lists else "")
