"""Everything that a run can be told about what to make. Where it goes is in `tasks.config.settings`."""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from cyclopts import Parameter

from data.config import (
    EvaluationStageConfig,
    ExamplesConfig,
    GateConfig,
    MergingConfig,
    NotebookOrder,
    ValidationConfig,
)
from rnn_core.errors import ConfigError
from rnn_core.metrics.evaluation import EvaluationConfig
from rnn_core.ngram.kneser_ney import NgramConfig
from rnn_core.notebook import NotebookConfig
from rnn_core.sample.sampler import SamplingConfig
from rnn_core.train.config import TrainingConfig
from tasks.config.promotion import DecidingConfig, PromotionConfig
from tasks.config.sources import BUNDLED_SOURCES, Source, as_sources

# One token a source: `name=path`, or a [[source]] table of pipeline.toml.
Sources = Annotated[
    tuple[Source, ...],
    Parameter(
        name="--source",
        negative="",
        converter=as_sources,
        n_tokens=1,
        accepts_keys=False,
        show_default=lambda sources: ", ".join(f"{source.name}={source.path}" for source in sources),
        help="A list of names, as name=path; repeat it for more. In pipeline.toml: [[source]].",
    ),
]


@dataclass(frozen=True, slots=True)
class RetrainConfig:
    """What a run makes: new names from lists of names.

    Attributes:
        recipe: `default` trains with mini-batches, set in [training]; `notebook` repeats the original
            notebook bit for bit, set in [notebook], on every name and without a split.
    """

    recipe: Literal["default", "notebook"] = "default"
    sources: Sources = BUNDLED_SOURCES
    merging: MergingConfig = MergingConfig()
    validation: ValidationConfig = ValidationConfig()
    gate: GateConfig = GateConfig()
    examples: ExamplesConfig = ExamplesConfig()
    training: TrainingConfig = TrainingConfig()
    notebook: NotebookConfig = NotebookConfig()
    ngrams: NgramConfig = NgramConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    promotion: PromotionConfig = PromotionConfig()
    sampling: SamplingConfig = SamplingConfig()

    def __post_init__(self) -> None:
        names = [source.name for source in self.sources]
        if not names:
            raise ConfigError(
                "config.source", "no source is named", fix="name a list: --source towns=towns.txt"
            )
        if len(set(names)) < len(names):
            raise ConfigError(
                "config.source",
                "two sources have one name",
                saw=", ".join(names),
                fix="give each a name of its own: it stands beside every name that comes from it.",
            )
        for idle in ("training", "examples") if self.recipe == "notebook" else ("notebook",):
            if getattr(self, idle) != type(self).__dataclass_fields__[idle].default:
                raise ConfigError(
                    "config.recipe",
                    f"[{idle}] has no effect with the {self.recipe} recipe",
                    fix="take those knobs out, or choose the other recipe with --recipe.",
                )

        if self.sampling.drawn_from == "mixture" and not self.has_validation_names:
            raise ConfigError(
                "config.mixture",
                "the weight of the mixture is fitted on validation names, and there are none",
                saw="the notebook recipe" if self.recipe == "notebook" else "examples.validation_share = 0",
                fix="give some names to validation, or draw from the network: --sampling.drawn-from network.",
            )

    @property
    def has_validation_names(self) -> bool:
        return self.recipe == "default" and self.examples.validation_share > 0

    @property
    def ordering(self) -> ExamplesConfig | NotebookOrder:
        if self.recipe == "notebook":
            return NotebookOrder(self.notebook.hidden_size, self.notebook.seed)
        return self.examples

    @property
    def learning(self) -> TrainingConfig | NotebookConfig:
        return self.notebook if self.recipe == "notebook" else self.training

    @property
    def judging(self) -> EvaluationStageConfig:
        return EvaluationStageConfig(self.evaluation, self.validation)

    @property
    def deciding(self) -> DecidingConfig:
        return DecidingConfig(self.promotion, self.sampling.drawn_from)

    @property
    def drawing(self) -> SamplingConfig:
        """The notebook prints a name with its first letter as a capital."""
        return replace(self.sampling, capitalise_first=True) if self.recipe == "notebook" else self.sampling

    @property
    def label(self) -> str:
        """For people: what is learnt, by which network."""
        lists = "+".join(source.name for source in self.sources)
        return f"{lists} · {network_label(self.learning) or 'default network'}"

    @property
    def tags(self) -> list[str]:
        """For people, to find runs by."""
        return [self.recipe, *(source.name for source in self.sources)]


def network_label(config: TrainingConfig | NotebookConfig) -> str:
    """Empty if all is left to be chosen by the number of names."""
    if isinstance(config, NotebookConfig):
        return f"notebook {config.hidden_size}"
    layers = f"{config.layers} ×" if config.layers else ""
    units = f"{config.hidden_size} units" if config.hidden_size else ""
    return " ".join(said for said in (config.cell, layers, units) if said)
