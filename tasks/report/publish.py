"""The report in its place, `report.html` at the top of the store.

The artifact says what the files of its inputs say, so the same inputs give the same bytes. What depends on
the moment (the outcome, earlier models, configuration, lineage, timings) is filled in here.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from artifacts import atomic_io
from artifacts.keys import sha256
from artifacts.manifest import Manifest
from artifacts.open_store import open_store
from artifacts.store import Artifact, Store
from rnn_core.errors import NamewrightError
from tasks.models.champion import Outcome, champion_registry
from tasks.report import html
from tasks.report.history import history_section, past_runs
from tasks.report.outcome import outcome_sections
from tasks.report.provenance import configuration_section, lineage, lineage_section
from tasks.report.sections import Section

FILE = "report.html"
OUTLINE = "report.md"  # the same in Markdown, for Prefect's UI


def publish_report(
    store: Store, report: Artifact, run: Sequence[Artifact] = (), outcome: Outcome | None = None
) -> Path:
    """Write the report with its outcome, history, configuration and lineage; return where it is.

    run:      the artifacts that this run made or found. Without them, a report that was found shows the
              configuration of the run that made it, which may have been another one with the same bytes.
    outcome:  of the decision of this run, if it was applied.

    If the page stands there already, whole, nothing is rendered or written. Raises StoreError.
    """
    target = store.root / FILE
    made_from = lineage(store, report, run)
    decided = list(outcome_sections(run, outcome))
    opening = [section for section in decided if not section.folded]
    provenance = [
        *(section for section in decided if section.folded),
        models_section(store, made_from),
        configuration_section(made_from),
        lineage_section(made_from),
    ]
    digest = html.rendering_digest(report.digest, opening, provenance)
    with atomic_io.io_errors(target, "publish the report"):
        if not _stands(target, digest):
            page = report.text(FILE).replace(html.OUTCOME, html.render(opening), 1)
            page = page.replace(html.PROVENANCE, html.render(provenance), 1)
            content = page.encode(errors="backslashreplace")
            atomic_io.write_file(target, content + _stamp(digest, content))
            store.share(FILE)
    return target


def publish_last(root: Path, artifacts: Sequence[Artifact], outcome: Outcome | None) -> None:
    """Publish the report of a run with these artifacts, in this order, if its last stage was one."""
    if artifacts and artifacts[-1].stage == "report":
        publish_report(open_store(root), artifacts[-1], artifacts, outcome)


def models_section(store: Store, made_from: Mapping[str, Manifest | None]) -> Section:
    """The last models of the store beside that of the report.

    made_from:  the lineage of the report.
    """
    recipes = [manifest.recipe for manifest in made_from.values() if manifest]
    lists = [recipe.config["name"] for recipe in recipes if recipe.stage == "corpus"]
    current = next((origin for origin in made_from if origin.startswith("evaluation/")), "")
    try:
        champion = champion_registry(store, lists).current()
    except NamewrightError:  # a page about it is no place to fail
        champion = None
    return history_section(past_runs(store), current, champion.artifact.key if champion else "")


def _stands(target: Path, digest: str) -> bool:
    """Whether the page is there, as it was written from this content."""
    if not target.is_file():
        return False
    content, end, _ = target.read_bytes().rpartition(b"<!-- ")
    return target.read_bytes() == content + _stamp(digest, content) if end else False


def _stamp(digest: str, content: bytes) -> bytes:
    return f"<!-- {digest} {sha256(content)} -->\n".encode()
