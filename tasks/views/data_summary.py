"""A look at the lists, as tables for the command line: what was taken, what was not and why, what changed."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from artifacts.store import Artifact
from data.profile import Profile
from tasks.report.figures import STEPS, Figures, figures
from tasks.report.gate_changes import format_changes
from tasks.report.markup import Column, glyph, visible
from tasks.report.sheets import Sheet
from tasks.stages.corpora import NAMES
from tasks.stages.profiling import load_profile

_EXAMPLES = 10
_CHARACTERS = 12
_OVERLAPS = 20


def look(corpora: Sequence[Artifact], profile: Artifact, gate: Artifact) -> Iterator[Sheet]:
    known = load_profile(profile)
    yield _sources(figures(known))
    yield _not_taken(known)
    yield _characters(known)
    yield _examples(corpora)
    if len(known.sources) > 1:
        yield _overlaps(known)
    yield _changes(gate)


def _sources(each: Sequence[Figures]) -> Sheet:
    numbers = "lines", "names", "distinct", "kept", "min/median/max", "characters"
    rows = [
        [
            visible(one.source),
            *(f"{count:,}" for count in (one.lines, one.taken, one.distinct, one.kept)),
            f"{one.shortest:,}/{one.median:,}/{one.longest:,}",
            f"{one.characters:,}",
        ]
        for one in each
    ]
    return Sheet("sources", [Column("source"), *(Column(name, numeric=True) for name in numbers)], rows)


def _not_taken(known: Profile) -> Sheet:
    rows = [
        [visible(source), step, visible(reason, 200), f"{count:,}"]
        for source in known.sources
        for measure, step in STEPS.items()
        for reason, count in known.counts(measure, source).items()
    ]
    heads = [Column("source"), Column("when"), Column("reason"), Column("rows", numeric=True)]
    return Sheet("not taken", heads, rows, "every line was taken")


def _characters(known: Profile) -> Sheet:
    rows = [
        [
            visible(source),
            ", ".join(f"{glyph(of)} {count:,}" for of, count in known.characters(source)[:_CHARACTERS]),
        ]
        for source in known.sources
    ]
    return Sheet("most frequent characters", [Column("source"), Column("character, how often")], rows)


def _examples(corpora: Sequence[Artifact]) -> Sheet:
    rows = []
    for corpus in corpora:
        table = corpus.table(NAMES, ["name", "source"])
        places = np.linspace(0, len(table) - 1, min(len(table), _EXAMPLES)).round().astype(np.int64)
        some = table.take(pa.array(places)).to_pylist()
        if some:
            rows.append([visible(some[0]["source"]), ", ".join(visible(row["name"]) for row in some)])
    return Sheet("names from all over the files", [Column("source"), Column("for example")], rows)


def _overlaps(known: Profile) -> Sheet:
    pairs = [(n, one, other) for one in known.sources for other, n in known.counts("overlap", one).items()]
    pairs.sort(key=lambda pair: -pair[0])
    rows = [[visible(one), visible(other), f"{n:,}"] for n, one, other in pairs[:_OVERLAPS] if n]
    heads = [Column("source"), Column("and"), Column("names", numeric=True)]
    return Sheet("names in two sources", heads, rows, "no name is in two sources")


def _changes(gate: Artifact) -> Sheet:
    heads = [Column("what"), *(Column(name, numeric=True) for name in ("before", "now", "change", "limit"))]
    rows = [[*each[:-1], "" if each.within else "too much"] for each in format_changes(gate)]
    nothing = "no lists were accepted before: there is nothing to compare with"
    return Sheet("since the last accepted lists", [*heads, Column("")], rows, nothing)
