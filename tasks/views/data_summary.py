"""A summary of the input lists: what stands out, what they hold, what was rejected, what changed."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from artifacts.store import Artifact
from data.profile import Profile
from tasks.core.events import Event, Finished
from tasks.report.changes import changes_section
from tasks.report.lists import characters_section, lists_section, notices_section, rejected_section
from tasks.report.sections import Section, Table, columns
from tasks.report.text import escape_invisible
from tasks.stages.corpora import NAMES
from tasks.stages.list_notices import list_notices
from tasks.stages.profiling import load_profile

_EXAMPLES = 10
_CHARACTERS = 12
_OVERLAPS = 20


class ListStages:
    """A listener that collects what the stages up to the gate leave, whoever runs them."""

    def __init__(self) -> None:
        self._artifacts: dict[str, dict[str, Artifact]] = {}

    def __call__(self, event: Event) -> None:
        """Collect the artifact of a finished stage."""
        if isinstance(event, Finished):
            self._artifacts.setdefault(event.stage, {})[event.artifact.origin] = event.artifact

    def corpora(self) -> list[Artifact]:
        """The artifacts of the stage `corpus`, one for each list."""
        return list(self._artifacts["corpus"].values())

    def last(self, stage: str) -> Artifact:
        """The artifact of a stage that comes once in a run."""
        return list(self._artifacts[stage].values())[-1]

    def notices(self) -> list[str]:
        """What stands out in the lists, in a line each."""
        return list_notices(self.corpora(), *map(self.last, ("merged", "validated", "profile")))


def data_summary(stages: ListStages) -> Iterator[Section]:
    """All that `namewright data` shows, from the stages up to the gate."""
    lists, corpora = load_profile(stages.last("profile")), stages.corpora()
    if notices := stages.notices():
        yield notices_section(notices)
    yield lists_section(lists)
    yield rejected_section(lists)
    yield characters_section(lists, _CHARACTERS)
    yield _examples_section(corpora)
    if len(lists.sources) > 1:
        yield _overlaps_section(lists)
    yield changes_section(stages.last("gate"))


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
