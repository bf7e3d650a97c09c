"""Every stage, declared. Raise a version whenever the stage would give other bytes for the same inputs."""

from collections.abc import Iterable
from dataclasses import dataclass

from artifacts.dataset import Shards
from rnn_core.errors import ConfigError
from tasks.config.retrain import network_label
from tasks.core.stage import Stage


@dataclass(frozen=True, slots=True)
class EmptyConfig:
    """The configuration of a stage that has none."""


corpus = Stage("corpus", 5, "tasks.stages.corpora:corpus", title=lambda config: config.name)
merged = Stage("merged", 4, "tasks.stages.corpora:merged")
validated = Stage("validated", 4, "tasks.stages.corpora:validated")
profile = Stage("profile", 1, "tasks.stages.profiling:profile")
gate = Stage(
    "gate",
    1,
    "tasks.stages.gating:gate",
    standing="tasks.stages.gate_rule:compared_with",
    verdict="tasks.stages.gate_rule:verdict",
)
vocabulary = Stage("vocabulary", 1, "tasks.stages.encoding:vocabulary")
examples = Stage("examples", 3, "tasks.stages.encoding:examples")
model = Stage("model", 3, "tasks.stages.training:model", title=network_label)
mixture = Stage("mixture", 2, "tasks.stages.mixing:mixture")
evaluation = Stage("evaluation", 3, "tasks.stages.evaluating:evaluation")
decision = Stage(
    "decision", 1, "tasks.stages.deciding:decision", standing="tasks.models.champion:resolve_baseline"
)
names = Stage("names", 2, "tasks.stages.drawing:names", title=lambda config: f"{config.count:,}")
report = Stage("report", 3, "tasks.stages.reporting:report")

# Of a generated list; the versions of all are raised together.
LIST_VERSION = 3
shard = Stage(
    "shard",
    LIST_VERSION,
    "tasks.stages.lists:shard",
    title=lambda config: f"{config.file.number:05}",
    store=Shards,
    names=lambda config: config.sampling.count,
)
candidates = Stage(
    "candidates",
    LIST_VERSION,
    "tasks.stages.lists:candidates",
    title=lambda config: f"from {config.start:,}",
    names=lambda config: config.sampling.count,
)
let_in = Stage(
    "let_in", LIST_VERSION, "tasks.stages.lists:let_in", title=lambda config: f"{config.number:05}"
)
gathered = Stage(
    "gathered",
    LIST_VERSION,
    "tasks.stages.lists:gathered",
    title=lambda config: f"{config.file.number:05}",
    store=Shards,
    names=lambda config: config.count,
)


def check_names(names: Iterable[str]) -> None:
    """Raises ConfigError for what is no stage."""
    known = [stage.name for stage in ALL]
    for name in names:
        if name not in known:
            raise ConfigError(
                "config.stage", "no stage is called so", saw=name, fix=f"the stages are {', '.join(known)}."
            )


ALL = (
    *(corpus, merged, validated, profile, gate),
    *(vocabulary, examples, model, mixture, evaluation, names, decision, report),
)
