"""A summary of the input lists, as sections: what they hold, what was rejected, what changed."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from artifacts.store import Artifact
from data.profile import Profile
from tasks.report.changes import changes_section
from tasks.report.lists import characters_section, lists_section, rejected_section
from tasks.report.sections import Section, Table, columns
from tasks.report.text import escape_invisible
from tasks.stages.corpora import NAMES
from tasks.stages.profiling import load_profile

_EXAMPLES = 10
_CHARACTERS = 12
_OVERLAPS = 20


def data_summary(corpora: Sequence[Artifact], profile: Artifact, gate: Artifact) -> Iterator[Section]:
    """All that `namewright data` shows, from the stages up to the gate."""
    lists = load_profile(profile)
    yield lists_section(lists)
    yield rejected_section(lists)
    yield characters_section(lists, _CHARACTERS)
    yield _examples_section(corpora)
    if len(lists.sources) > 1:
        yield _overlaps_section(lists)
    yield changes_section(gate)


def _examples_section(corpora: Sequence[Artifact]) -> Section:
    rows = []
    for corpus in corpora:
        table = corpus.table(NAMES, ["name", "source"])
        places = np.linspace(0, len(table) - 1, min(len(table), _EXAMPLES)).round().astype(np.int64)
        examples = table.take(pa.array(places)).to_pylist()
        if examples:
            names = ", ".join(escape_invisible(row["name"]) for row in examples)
            rows.append([escape_invisible(examples[0]["source"]), names])
    return Section("Names from all over the files", table=Table(columns("source", "examples"), rows))


def _overlaps_section(lists: Profile) -> Section:
    title = "Names in two lists"
    pairs = [
        (count, source, other)
        for source in lists.sources
        for other, count in lists.counts("overlap", source).items()
        if count
    ]
    if not pairs:
        return Section(title, "No name is in two lists.")
    rows = [
        [escape_invisible(source), escape_invisible(other), f"{count:,}"]
        for count, source, other in sorted(pairs, key=lambda pair: -pair[0])[:_OVERLAPS]
    ]
    return Section(title, table=Table(columns("source", "and", numeric=("names",)), rows))
