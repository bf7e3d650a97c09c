"""The stage `gate`: how the lists differ from the last accepted ones, and whether they may differ so."""

from collections.abc import Sequence

from artifacts.store import Artifact
from data import schemas
from data.changes import LIMIT, Change, changes, changes_table
from data.config import GateConfig
from tasks.core.stage import StageContext, stage
from tasks.report.gate_changes import CHANGES, CHARACTERS, MEASURES
from tasks.report.markup import glyph
from tasks.stages import gate_rule
from tasks.stages.profiling import load_profile

_CHARACTERS_NAMED = 10


@stage(version=1, resolve_baseline=gate_rule.resolve_baseline, check=gate_rule.check)
def gate(
    context: StageContext, config: GateConfig, *, profile: Artifact, accepted: Artifact | None = None
) -> None:
    """How the lists differ from the last accepted ones, and which differences exceed their limits.

    accepted:  the profile of the last accepted lists; without one there is nothing to compare with.

    Whether a run may go on is for `gate_rule.check`, so that the findings are there to be read.
    """
    found = changes(load_profile(accepted), load_profile(profile), config) if accepted else []
    context.write_table(CHANGES, schemas.CHANGES, changes_table(found))
    reasons = [_reason(each, found) for each in found if not each.within]
    context.writer.metadata.update(passed=not reasons, reasons=reasons)
    for reason in reasons:
        context.notice(reason)


def _reason(beyond: Change, found: Sequence[Change]) -> str:
    """rows lost: 50.0 %, more than gate.max_rows_lost = 0.1 (before 4,318, now 2,159)"""
    form = MEASURES[beyond.measure]
    limit = f"more than gate.{LIMIT}{beyond.measure} = {beyond.limit:g}"
    told = f"{form.title}: {form.change(beyond.change)}, {limit} "
    if beyond.measure not in CHARACTERS:
        return f"{told}(before {form.level(beyond.before)}, now {form.level(beyond.after)})"
    each = [one for one in found if one.measure == CHARACTERS[beyond.measure]]
    named = ", ".join(f"{glyph(one.value)} {one.before + one.after:,.0f}" for one in each[:_CHARACTERS_NAMED])
    more = len(each) - _CHARACTERS_NAMED
    return f"{told}({named}{f' and {more:,} more' if more > 0 else ''})"
