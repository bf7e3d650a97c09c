"""What Prefect's UI shows of one run as a whole: a page and a table, under keys that stay the same."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpx
from prefect import get_client
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.context import FlowRunContext
from prefect.logging import get_run_logger

from artifacts.store import Artifact, Store
from rnn_core.errors import Interrupted, NamewrightError
from tasks import console, events, markdown, prefect_engine, report_page
from tasks.markdown import Markdown
from tasks.markup import Column
from tasks.outcome import outcome
from tasks.parts import Part, as_markdown
from tasks.progress import Event, Finished
from tasks.report_page import FILE, OUTLINE, movement
from tasks.settings import Settings
from tasks.stage import StageRunner

PAGE, SAMPLE = "retrain-report", "sample-names"
_NAMES_SHOWN = 200


@contextmanager
def reporting(settings: Settings, tags: Sequence[str]) -> Iterator[StageRunner]:
    """As `prefect_engine.submitting`; at the end, also a bad one, the UI has a page that tells of the run.

    tags:  that the flow run is to be found by.

    Raises what `submitting` raises. What cannot be shown costs no run.
    """
    finished: list[Finished] = []

    def hear(event: Event) -> None:
        if isinstance(event, Finished):
            finished.append(event)

    began = time.monotonic()
    _tag(tags)
    with events.failures():
        try:
            with prefect_engine.submitting(settings, hear=hear) as run:
                yield run
        except Interrupted:
            raise
        except Exception as error:
            _show(settings, finished, _failed(error), time.monotonic() - began)
            raise
    _show(settings, finished, None, time.monotonic() - began)


def _show(settings: Settings, finished: Sequence[Finished], failure: Part | None, seconds: float) -> None:
    title = "Failed" if failure else "Done"
    summary = f"{title}: {console.counted(finished)} in {seconds:,.1f} s"
    try:
        page = _page(settings, finished, failure, summary)
        create_markdown_artifact(page, key=PAGE, description=markdown.plain(summary))
        for each in finished:
            if each.stage == "names":
                _table(each.artifact)
    except (NamewrightError, OSError, httpx.HTTPError) as fault:
        get_run_logger().warning(f"the run is not shown as a page: {fault}")


def _tag(tags: Sequence[str]) -> None:
    """Besides those that the flow run has of its deployment, or of who has started it."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return
    run = context.flow_run
    try:
        with get_client(sync_client=True) as client:
            client.update_flow_run(run.id, tags={*run.tags, *tags})
    except httpx.HTTPError as fault:
        get_run_logger().warning(f"the run has no tags: {fault}")


def _failed(error: Exception) -> Part:
    if isinstance(error, NamewrightError):
        points = [f"{label}: {text}" for label, text in _told(error) if text]
        return Part(f"Failed: {error.code}", lead=error.what, points=points)
    return Part(f"Failed: {type(error).__name__}", lead=str(error), note="The log has the traceback.")


def _told(error: NamewrightError) -> list[tuple[str, str]]:
    return [("where", error.where), ("saw", error.saw), ("fix", error.fix)]


def _page(settings: Settings, finished: Sequence[Finished], failure: Part | None, summary: str) -> Markdown:
    made = [each.artifact for each in finished]
    store = Store(settings.store)
    report = next((artifact for artifact in made if artifact.stage == "report"), None)
    parts: list[str] = [markdown.strong(summary)]
    parts += [as_markdown(part) for part in (failure, *outcome(made)) if part]
    if report:
        origins = report_page.lineage(store, report, made)
        parts += [Markdown(report.text(OUTLINE)), as_markdown(movement(store, origins))]
    parts += [as_markdown(_stages(finished)), as_markdown(_files(settings, report))]
    return markdown.blocks(*parts)


def _stages(finished: Sequence[Finished]) -> Part:
    heads = [
        Column("stage"),
        Column("outcome"),
        Column("rows", numeric=True),
        Column("seconds", numeric=True),
        Column("artifact"),
    ]
    rows = [
        [
            each.title,
            console.outcome(each),
            "" if each.rows is None else f"{each.rows:,}",
            f"{each.seconds:,.2f}",
            f"{each.artifact.stage}/{each.artifact.key[:8]}",
        ]
        for each in finished
    ]
    return Part("Stages", heads=heads, rows=rows)


def _files(settings: Settings, report: Artifact | None) -> Part:
    store = settings.store.resolve()
    page = str(store / FILE) if report else "none was made"
    return Part("Where it lies", points=[f"the store: {store}", f"the whole report: {page}"])


def _table(names: Artifact) -> None:
    drawn = names.table("names.parquet", ["name", "log_probability", "in_training"])
    rows = [
        {
            "name": markdown.plain(row["name"]),
            "in the lists": "yes" if row["in_training"] else "no",
            "log probability": round(row["log_probability"], 2),
        }
        for row in drawn.slice(0, _NAMES_SHOWN).to_pylist()
    ]
    description = f"The first {len(rows):,} of {len(drawn):,} names"
    create_table_artifact(rows, key=SAMPLE, description=markdown.plain(description))
