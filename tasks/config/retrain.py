"""The configuration of a run: what to make. Where it goes is in `tasks.config.settings`."""

import unicodedata
from collections.abc import Sequence
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
from rnn_core.errors import ConfigError, DataError
from rnn_core.metrics.evaluation import EvaluationConfig
from rnn_core.ngram.kneser_ney import NgramConfig
from rnn_core.notebook import NotebookConfig
from rnn_core.sample.sampler import SamplingConfig
from rnn_core.text.styles import Styles, no_styles
from rnn_core.train.config import TrainingConfig
from tasks.config.promotion import DecisionConfig, PromotionConfig
from tasks.config.report import ReportConfig
from tasks.config.sources import BUNDLED_SOURCES, Source, parse_sources
from tasks.config.warm_start import WarmExamplesConfig

# One token a source: `name=path`, or a [[source]] table of pipeline.toml.
Sources = Annotated[
    tuple[Source, ...],
    Parameter(
        name="--source",
        negative="",
        converter=parse_sources,
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
            raise ConfigError("config.source", "no source", fix="add a list: --source towns=towns.txt")
        if len(set(names)) < len(names):
            raise ConfigError(
                "config.source",
                "two sources have the same name",
                saw=", ".join(names),
                fix="give each its own name; it stands beside every name that comes from it.",
            )
        for idle in ("training", "examples") if self.recipe == "notebook" else ("notebook",):
            if getattr(self, idle) != type(self).__dataclass_fields__[idle].default:
                raise ConfigError(
                    "config.recipe",
                    f"[{idle}] has no effect with the {self.recipe} recipe",
                    fix="remove these options, or choose the other recipe with --recipe.",
                )

        if self.merging.normalisation == "NFC":  # so are the characters of the names
            characters = unicodedata.normalize("NFC", self.validation.characters)
            object.__setattr__(self, "validation", replace(self.validation, characters=characters))
        if self.sampling.drawn_from == "mixture" and not self.has_validation_names:
            raise ConfigError(
                "config.mixture",
                "the mixture needs validation names, and there are none",
                saw="the notebook recipe" if self.recipe == "notebook" else "examples.validation_share = 0",
                fix="raise examples.validation_share, or use the network: --sampling.drawn-from network.",
            )

        if self.sampling.style:
            self._check_style(names)

    def _check_style(self, names: Sequence[str]) -> None:
        """Raise ConfigError for a style that no source is, before an hour of training."""
        if self._has_labels and self.has_styles:
            return
        try:
            if not self.has_styles:
                raise no_styles(self.sampling.style)
            Styles.from_weights(names, [1.0] * len(names)).weights(self.sampling.style)
        except DataError as fault:
            raise ConfigError(
                "config.style", fault.what, where="sampling.style", saw=fault.saw, fix=fault.fix
            ) from fault

    @property
    def has_validation_names(self) -> bool:
        """Whether names are held out for validation."""
        return self.recipe == "default" and self.examples.validation_share > 0

    @property
    def examples_config(self) -> ExamplesConfig | NotebookOrder:
        """The configuration of the stage `examples`."""
        if self.recipe == "notebook":
            return NotebookOrder(self.notebook.hidden_size, self.notebook.seed)
        if self.training.start == "champion":
            return WarmExamplesConfig.of(self.examples, self._training)
        return self.examples

    @property
    def model_config(self) -> TrainingConfig | NotebookConfig:
        """The configuration of the stage `model`."""
        return self.notebook if self.recipe == "notebook" else self._training

    @property
    def _training(self) -> TrainingConfig:
        """With no styles where there is one list, so that this moves no key."""
        several = len(self.sources) > 1 or self._has_labels
        return self.training if several else replace(self.training, styles="none")

    @property
    def _has_labels(self) -> bool:
        """Whether a source is a list for each label, which the files tell."""
        return any(source.label is not None for source in self.sources)

    @property
    def has_styles(self) -> bool:
        """Whether every list is a style that the network learns."""
        return self.recipe == "default" and self._training.styles == "sources"

    @property
    def evaluation_config(self) -> EvaluationStageConfig:
        """The configuration of the stage `evaluation`."""
        return EvaluationStageConfig(self.evaluation, self.validation)

    @property
    def decision_config(self) -> DecisionConfig:
        """The configuration of the stage `decision`."""
        return DecisionConfig(self.promotion, self.sampling.drawn_from)

    @property
    def report_config(self) -> ReportConfig:
        """The configuration of the stage `report`."""
        return ReportConfig(self.sampling.drawn_from)

    @property
    def names_config(self) -> SamplingConfig:
        """The configuration of the stage `names`; the notebook capitalizes the first letter."""
        return replace(self.sampling, capitalise_first=True) if self.recipe == "notebook" else self.sampling

    @property
    def label(self) -> str:
        """Lists and network, for people."""
        lists = "+".join(source.name for source in self.sources)
        return f"{lists} · {network_label(self.model_config) or 'default network'}"

    @property
    def tags(self) -> list[str]:
        """Tags by which people find runs."""
        recipe = [] if self.recipe == "default" else [self.recipe]
        return [*recipe, *(source.name for source in self.sources)]


def network_label(config: TrainingConfig | NotebookConfig) -> str:
    """The network for people; empty if all of it is chosen by the number of names."""
    if isinstance(config, NotebookConfig):
        return f"notebook {config.hidden_size}"
    layers = f"{config.layers} ×" if config.layers else ""
    units = f"{config.hidden_size} units" if config.hidden_size else ""
    members = f"{config.members} members" if config.members > 1 else ""
    network = " ".join(part for part in (config.cell, layers, units) if part)
    return ", ".join(part for part in (network, members) if part)
