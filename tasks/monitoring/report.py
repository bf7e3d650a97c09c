"""What Prefect's UI shows of one run as a whole: a page and a table, under keys that stay the same."""

import time
from collections.abc import Callable, Sequence

import httpx
from prefect import get_client
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.client.schemas import State
from prefect.context import FlowRunContext
from prefect.logging import get_run_logger
from prefect.states import Completed

from artifacts.store import Artifact, Store
from rnn_core.errors import Interrupted, NamewrightError
from tasks.config.settings import Settings
from tasks.core.events import Decided, Event, Finished
from tasks.core.stage import StageRunner
from tasks.engines import prefect
from tasks.monitoring import events
from tasks.report import markdown, publish
from tasks.report.markdown import Markdown
from tasks.report.markup import Column
from tasks.report.outcome import of_decisions, of_gates
from tasks.report.parts import Part, as_markdown
from tasks.report.publish import FILE, OUTLINE, movement
from tasks.stages.gate_rule import GateRefused
from tasks.views import console

_PAGE, _SAMPLE = "retrain-report", "sample-names"
_NAMES_SHOWN = 200

Compose = Callable[[StageRunner], object]


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

    _tag(tags)
    start = time.monotonic()
    try:
        with prefect.stage_runner(settings, hear=on_event) as run:
            compose(run)
    except Interrupted:
        raise
    except Exception as error:
        failure = _failure(error)
        _show(settings, finished, decided, failure.title, failure)
        if isinstance(error, GateRefused):
            for gate in _of_stage(finished, "gate"):
                events.emit_gate_refusal(gate)
        raise
    counted = f"{console.counted(finished)} in {time.monotonic() - start:,.1f} s"
    done = " ".join([*(f"{each.outcome.text}." for each in decided), counted])
    _show(settings, finished, decided, done)
    return Completed(name=None if any(not each.reused for each in finished) else "Cached", message=done)


def _show(
    settings: Settings,
    finished: Sequence[Finished],
    decided: Sequence[Decided],
    summary: str,
    failure: Part | None = None,
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


def _failure(error: Exception) -> Part:
    if not isinstance(error, NamewrightError):
        return Part(f"Failed: {type(error).__name__}", lead=str(error), note="The log has the traceback.")
    told = (("where", error.where), ("saw", error.saw), ("fix", error.fix))
    return Part(
        f"Failed: {error.code}", error.what, points=[f"{name}: {text}" for name, text in told if text]
    )


def _page(
    settings: Settings, finished: Sequence[Finished], decided: Sequence[Decided], failure: Part | None
) -> Markdown:
    made = [each.artifact for each in finished]
    store = Store(settings.store)
    told = [failure] if failure else []
    came_of_it = decided[-1].outcome if decided else None
    found = (*told, *of_decisions(made, came_of_it), *of_gates(made))
    parts: list[str] = [as_markdown(part) for part in found]
    report = next(iter(_of_stage(finished, "report")), None)
    if report:
        origins = publish.lineage(store, report, made)
        parts += [Markdown(report.text(OUTLINE)), as_markdown(movement(store, origins))]
    return markdown.blocks(*parts, as_markdown(_stages(finished)), as_markdown(_files(settings, report)))


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
