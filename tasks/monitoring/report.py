"""What Prefect's UI shows of one run as a whole: a page and a table, under keys that stay the same."""

import time
from collections.abc import Callable, Sequence

import httpx
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.client.schemas import State
from prefect.logging import get_run_logger
from prefect.states import Completed

from artifacts.open_store import open_store
from artifacts.store import Artifact
from rnn_core.errors import Interrupted, NamewrightError
from tasks.config.settings import Settings, shown_store
from tasks.core.events import Decided, Event, Finished
from tasks.core.prefect_states import CACHED
from tasks.core.stage import StageRunner
from tasks.engines import prefect
from tasks.engines.removed import repeat_if_removed
from tasks.monitoring import events
from tasks.monitoring.deployed_work import deployed_work
from tasks.monitoring.run_tags import add_tags
from tasks.report import markdown
from tasks.report.changes import changes_section
from tasks.report.markdown import Markdown
from tasks.report.outcome import outcome_sections
from tasks.report.provenance import lineage
from tasks.report.publish import FILE, OUTLINE, models_section
from tasks.report.sections import Section
from tasks.stages.gate_rule import GateRefused
from tasks.views import console

_PAGE, _SAMPLE = "retrain-report", "sample-names"
_NAMES_SHOWN = 200

Compose = Callable[[StageRunner], object]


@deployed_work
def run_with_report(settings: Settings, tags: Sequence[str], compose: Compose) -> State[None]:
    """Run the stages inside a flow, and leave a page about the run in the UI, also if it fails.

    tags:     added to the flow run.
    compose:  hands the stages to the runner that it is given.

    Returns a state named "Cached" if every stage was reused.
    Raises what `prefect.stage_runner` raises. A page that cannot be made costs no run.
    """
    finished: list[Finished] = []
    decided: list[Decided] = []

    def on_event(event: Event) -> None:
        if isinstance(event, Finished):
            finished.append(event)
        elif isinstance(event, Decided):
            decided.append(event)
            # At once: whatever fails after a promotion, it has happened.
            events.emit_decision(event, is_new=not _was_reused(finished, event.decision))

    add_tags(tags)
    start = time.monotonic()

    def run_once() -> None:
        finished.clear()
        with prefect.stage_runner(settings, on_event=on_event) as run:
            compose(run)

    try:
        repeat_if_removed(run_once, prefect.caller_listener())
    except Interrupted:
        raise
    except Exception as error:
        failure = _failure(error)
        _show(settings, finished, decided, failure.title, failure)
        if isinstance(error, GateRefused):
            for gate in _of_stage(finished, "gate"):
                events.emit_gate_refusal(gate)
        raise
    counted = f"{console.count_outcomes(finished)} in {time.monotonic() - start:,.1f} s"
    done = " ".join([*(f"{each.outcome.text}." for each in decided), counted])
    _show(settings, finished, decided, done)
    return Completed(name=None if any(not each.reused for each in finished) else CACHED, message=done)


def _show(
    settings: Settings,
    finished: Sequence[Finished],
    decided: Sequence[Decided],
    summary: str,
    failure: Section | None = None,
) -> None:
    try:
        page = _page(settings, finished, decided, failure)
        create_markdown_artifact(page, key=_PAGE, description=markdown.plain(summary))
        for names in _of_stage(finished, "names"):
            _show_sample(names)
    except (NamewrightError, OSError, httpx.HTTPError) as fault:
        get_run_logger().warning(f"the run is not shown as a page: {fault}")


def _was_reused(finished: Sequence[Finished], artifact: Artifact) -> bool:
    return any(each.reused for each in finished if each.artifact == artifact)


def _of_stage(finished: Sequence[Finished], stage: str) -> list[Artifact]:
    return [each.artifact for each in finished if each.stage == stage]


def _failure(error: Exception) -> Section:
    if not isinstance(error, NamewrightError):
        return Section(f"Failed: {type(error).__name__}", str(error), note="The log has the traceback.")
    details = (("where", error.where), ("saw", error.saw), ("fix", error.fix))
    points = [f"{name}: {text}" for name, text in details if text]
    return Section(f"Failed: {error.code}", error.what, points=points)


def _page(
    settings: Settings, finished: Sequence[Finished], decided: Sequence[Decided], failure: Section | None
) -> Markdown:
    artifacts = [event.artifact for event in finished]
    store = open_store(settings.store)
    report = next(iter(_of_stage(finished, "report")), None)
    opening = [failure] if failure else []
    opening += outcome_sections(artifacts, decided[-1].outcome if decided else None)
    opening += map(changes_section, _of_stage(finished, "gate"))
    closing = [models_section(store, lineage(store, report, artifacts))] if report else []
    closing += [
        Section("Stages", table=console.stages_table(finished, whole_paths=False)),
        _files_section(settings, report),
    ]
    outline = Markdown(report.text(OUTLINE)) if report else ""
    return markdown.blocks(markdown.render(opening), outline, markdown.render(closing))


def _files_section(settings: Settings, report: Artifact | None) -> Section:
    store = shown_store(settings.store.resolve())
    page = f"{store}/{FILE}" if report else "none was made"
    return Section("Files", points=[f"the store: {store}", f"the whole report: {page}"])


def _show_sample(names: Artifact) -> None:
    drawn = names.table("names.parquet", ["name", "log_probability", "in_training"])
    rows = [
        {
            "name": markdown.plain(row["name"]),
            "in the lists": "yes" if row["in_training"] else "no",
            "log probability": f"{row['log_probability']:.2f}",
        }
        for row in drawn.slice(0, _NAMES_SHOWN).to_pylist()
    ]
    description = f"The first {len(rows):,} of {len(drawn):,} names"
    create_table_artifact(rows, key=_SAMPLE, description=markdown.plain(description))
