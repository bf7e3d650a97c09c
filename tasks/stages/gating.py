"""The stage `gate`: how the lists differ from the last accepted ones, and whether they may differ so."""

from collections.abc import Sequence

from artifacts.store import Artifact
from data import schemas
from data.changes import LIMIT, Change, changes, changes_table
from data.config import GateConfig
from tasks.core.stage import StageContext, stage
from tasks.report.changes import CHANGES, CHARACTERS, MEASURES
from tasks.report.text import glyph
from tasks.stages import gate_rule
from tasks.stages.profiling import load_profile

_CHARACTERS_NAMED = 10


@stage(version=1, resolve_baseline=gate_rule.resolve_baseline, check=gate_rule.check, is_quick=True)
def gate(
    context: StageContext, config: GateConfig, *, profile: Artifact, accepted: Artifact | None = None
) -> None:
    """Compare the lists with the last accepted ones and write the changes.

    accepted:  the profile of the last accepted lists; without one there is nothing to compare with.

    It never refuses: whether a run may go on is for `gate_rule.check`, so that the changes are there to read.
    """
    found = changes(load_profile(accepted), load_profile(profile), config) if accepted else []
    context.write_table(CHANGES, schemas.CHANGES, changes_table(found))
    reasons = [_reason(change, found) for change in found if not change.within]
    context.writer.metadata.update(passed=not reasons, reasons=reasons)
    for reason in reasons:
        context.notice(reason)


def _reason(beyond: Change, found: Sequence[Change]) -> str:
    """names lost: 50.0%, more than gate.max_rows_lost = 0.1 (before 4,318, now 2,159)"""
    measure = MEASURES[beyond.measure]
    limit = f"more than gate.{LIMIT}{beyond.measure} = {beyond.limit:g}"
    text = f"{measure.title}: {measure.change(beyond.change)}, {limit} "
    if beyond.measure not in CHARACTERS:
        return f"{text}(before {measure.level(beyond.before)}, now {measure.level(beyond.after)})"
    characters = [change for change in found if change.measure == CHARACTERS[beyond.measure]]
    named = ", ".join(
        f"{glyph(change.value)} {change.before + change.after:,.0f}"
        for change in characters[:_CHARACTERS_NAMED]
    )
    more = len(characters) - _CHARACTERS_NAMED
    return f"{text}({named}{f' and {more:,} more' if more > 0 else ''})"
