"""A look at the lists, as tables for the command line: what was taken, what was not and why, what changed."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from artifacts.store import Artifact
from data.profile import Profile
from tasks.figures import STEPS, Figures, figures
from tasks.gate import told
from tasks.making.corpora import NAMES
from tasks.making.profile import opened_profile
from tasks.markup import glyph, visible

_EXAMPLES = 10
_CHARACTERS = 12
_OVERLAPS = 20


class Sheet(NamedTuple):
    """A table with a title; of no rows, what its absence means."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    nothing: str = ""


def look(corpora: Sequence[Artifact], profile: Artifact, gate: Artifact) -> Iterator[Sheet]:
    known = opened_profile(profile)
    yield _sources(figures(known))
    yield _not_taken(known)
    yield _characters(known)
    yield _examples(corpora)
    if len(known.sources) > 1:
        yield _overlaps(known)
    yield _changes(gate)


def _sources(each: Sequence[Figures]) -> Sheet:
    heads = "source", "lines", "names", "distinct", "kept", "min/median/max", "characters"
    rows = [
        [
            visible(one.source),
            *(f"{count:,}" for count in (one.lines, one.taken, one.distinct, one.kept)),
            f"{one.shortest:,}/{one.median:,}/{one.longest:,}",
            f"{one.characters:,}",
        ]
        for one in each
    ]
    return Sheet("sources", heads, rows)


def _not_taken(known: Profile) -> Sheet:
    rows = [
        [visible(source), step, visible(reason, 200), f"{count:,}"]
        for source in known.sources
        for measure, step in STEPS.items()
        for reason, count in known.counts(measure, source).items()
    ]
    return Sheet("not taken", ("source", "when", "reason", "rows"), rows, "every line was taken")


def _characters(known: Profile) -> Sheet:
    rows = [
        [
            visible(source),
            ", ".join(f"{glyph(of)} {count:,}" for of, count in known.characters(source)[:_CHARACTERS]),
        ]
        for source in known.sources
    ]
    return Sheet("most frequent characters", ("source", "character, how often"), rows)


def _examples(corpora: Sequence[Artifact]) -> Sheet:
    rows = []
    for corpus in corpora:
        table = corpus.table(NAMES, ["name", "source"])
        places = np.linspace(0, len(table) - 1, min(len(table), _EXAMPLES)).round().astype(np.int64)
        some = table.take(pa.array(places)).to_pylist()
        if some:
            rows.append([visible(some[0]["source"]), ", ".join(visible(row["name"]) for row in some)])
    return Sheet("names from all over the files", ("source", "for example"), rows)


def _overlaps(known: Profile) -> Sheet:
    pairs = [(n, one, other) for one in known.sources for other, n in known.counts("overlap", one).items()]
    pairs.sort(key=lambda pair: -pair[0])
    rows = [[visible(one), visible(other), f"{n:,}"] for n, one, other in pairs[:_OVERLAPS] if n]
    return Sheet("names in two sources", ("source", "and", "names"), rows, "no name is in two sources")


def _changes(gate: Artifact) -> Sheet:
    heads = "what", "before", "now", "change", "limit", ""
    rows = [[*each[:-1], "" if each.within else "too much"] for each in told(gate)]
    nothing = "no lists were accepted before: there is nothing to compare with"
    return Sheet("since the last accepted lists", heads, rows, nothing)
