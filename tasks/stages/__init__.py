"""The table of contents of the pipeline: every stage, in the order in which a run needs it."""

from collections.abc import Iterable, Sequence

from rnn_core.errors import ConfigError

# isort: off
from tasks.stages.corpora import corpus, merged, validated
from tasks.stages.profiling import profile
from tasks.stages.gating import gate
from tasks.stages.encoding import vocabulary
from tasks.stages.splitting import examples
from tasks.stages.training import model
from tasks.stages.mixing import mixture
from tasks.stages.evaluating import evaluation
from tasks.stages.drawing import names
from tasks.stages.deciding import decision
from tasks.stages.reporting import report

from tasks.stages.lists import accepted, compacted, sampled, shard  # of a generated list
# isort: on

ALL = (
    *(corpus, merged, validated, profile, gate),
    *(vocabulary, examples, model, mixture, evaluation, names, decision, report),
)
OF_A_LIST = (shard, sampled, accepted, compacted)


def check_names(names: Iterable[str], others: Sequence[str] = ()) -> None:
    """Raise ConfigError if one of them is not the name of a stage of a run, or one of some others."""
    known = [*(stage.name for stage in ALL), *others]
    for name in names:
        if name not in known:
            raise ConfigError(
                "config.stage", "unknown stage", saw=name, fix=f"the stages are {', '.join(known)}."
            )
