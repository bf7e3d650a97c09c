"""The stage `profile`: what the lists are like, in counts that can be shown and compared."""

from collections.abc import Sequence

import pyarrow as pa

from artifacts.store import Artifact
from data import schemas
from data.profile import REJECTED as BY_STEP
from data.profile import Profile
from data.profile import profile as counted
from tasks.core.stage import EmptyConfig, StageContext, stage
from tasks.stages.corpora import NAMES, REJECTED

PROFILE = "profile.parquet"


@stage(version=1, is_quick=True)
def profile(
    context: StageContext,
    _config: EmptyConfig,
    *,
    corpora: Sequence[Artifact],
    merged: Artifact,
    validated: Artifact,
) -> None:
    """What the lists are like, in counts that can be shown and compared."""
    names = [artifact.table(NAMES, ["name", "source"]) for artifact in (*corpora, validated)]
    not_read = pa.concat_tables([_rejected(corpus) for corpus in corpora])
    rejected = dict(zip(BY_STEP, (not_read, _rejected(merged), _rejected(validated)), strict=True))
    table = counted(names[:-1], names[-1], rejected)
    context.write_table(PROFILE, schemas.PROFILE, table)
    context.writer.metadata["sources"] = Profile.from_table(table).sources


def load_profile(artifact: Artifact) -> Profile:
    """The profile in an artifact of the stage of that name."""
    return Profile.from_table(artifact.table(PROFILE))


def _rejected(artifact: Artifact) -> pa.Table:
    return artifact.table(REJECTED, ["source", "reason"])
