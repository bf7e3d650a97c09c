"""The stage `decision`: whether a new model is to take the champion's place."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from artifacts.model_file import MODEL, ModelKind
from artifacts.store import Artifact
from data import schemas
from data.config import ALL_SOURCES
from data.examples import SPLITS
from rnn_core.metrics.bootstrap import paired_gain
from tasks.config.promotion import NATS, DecisionConfig
from tasks.core.stage import StageContext, stage
from tasks.models.champion import resolve_baseline
from tasks.models.load import TrainedModel, load_model
from tasks.models.model_input import ModelFile
from tasks.models.promotion import Comparison, Figure, Verdict, promotion_verdict
from tasks.process import signals
from tasks.stages.encoding import EXAMPLES
from tasks.stages.evaluating import METRICS, MIXTURE, NETWORK, SAMPLE

DECISION = "decision.parquet"


class Candidate(NamedTuple):
    """A model that may be promoted, or the champion.

    examples, evaluation:  of the model; None where they are unknown.
    """

    model: TrainedModel
    examples: Artifact | None
    evaluation: Artifact | None

    @classmethod
    def of(cls, mixture: Artifact, examples: Artifact | None, evaluation: Artifact | None) -> "Candidate":
        """Raises DataError if the file of the model is none."""
        return cls(load_model(ModelFile(mixture.folder / MODEL, mixture)), examples, evaluation)

    def compared_part(self, drawn_from: ModelKind | None) -> ModelKind:
        """What of the model is compared: what its names are drawn from."""
        models = self.model.models
        return models.resolve(drawn_from) if models.mixture else "network"

    def log_probabilities(self, names: pa.Array, drawn_from: ModelKind | None) -> npt.NDArray[np.float64]:
        """(N,) in nats, of N names."""
        return self.model.log_probabilities(names, self.compared_part(drawn_from))

    def nats_in_style(self, names: pa.Array, drawn_from: ModelKind | None, style: str) -> float:
        """Nats per character, ends included, of names in one of the model's styles."""
        scored = self.model.log_probabilities(names, self.compared_part(drawn_from), style)
        characters: int = pc.sum(pc.utf8_length(names)).as_py() + len(names)
        return -float(scored.sum()) / characters

    def names_in(self, style: str) -> pa.Array:
        """The distinct names of a list; none if its examples are not known."""
        if not self.examples:
            return pa.array([], pa.string())
        table = self.examples.table(EXAMPLES, ["name", "source"])
        return pc.unique(
            table["name"].filter(pc.equal(table["source"].cast(pa.string()), style)).combine_chunks()
        )

    def names_of(self, *splits: str) -> pa.Array:
        """The distinct names of these splits; none if its examples are not known."""
        if not self.examples:
            return pa.array([], pa.string())
        table = self.examples.table(EXAMPLES, ["name", "split"])
        chosen = pc.is_in(table["split"].cast(pa.string()), value_set=pa.array(splits, pa.string()))
        return pc.unique(table["name"].filter(chosen).combine_chunks())

    def sample_figures(self, drawn_from: ModelKind | None) -> dict[str, float]:
        """By metric, as the evaluation measured them."""
        if not self.evaluation:
            return {}
        name = MIXTURE if self.compared_part(drawn_from) == "mixture" else NETWORK
        of_sample = {"model": name, "split": SAMPLE, "source": ALL_SOURCES}
        rows = self.evaluation.table(METRICS).to_pylist()
        return {row["metric"]: row["value"] for row in rows if of_sample.items() <= row.items()}


@stage(version=2, resolve_baseline=resolve_baseline)
def decision(
    context: StageContext,
    config: DecisionConfig,
    *,
    mixture: Artifact,
    examples: Artifact,
    evaluation: Artifact,
    champion: Artifact | None = None,
    champion_examples: Artifact | None = None,
    champion_evaluation: Artifact | None = None,
    lost_champion: Artifact | None = None,
) -> None:
    """Whether the new model is better than the champion, measured on held-out names."""
    candidate = Candidate.of(mixture, examples, evaluation)
    other = Candidate.of(champion, champion_examples, champion_evaluation) if champion else None
    verdict, names, notes = evaluate(config, candidate, other)
    if lost_champion:
        verdict = verdict._replace(
            promote=False,
            reasons=["the champion is missing in the store, or damaged, and nothing is promoted over it"],
        )
    context.write_table(DECISION, schemas.DECISION, decision_table(verdict.figures))
    context.writer.metadata |= {
        "promote": verdict.promote,
        "reasons": verdict.reasons,
        "names": names,
        "notes": notes,
    }


def evaluate(
    config: DecisionConfig, candidate: Candidate, champion: Candidate | None
) -> tuple[Verdict, int, list[str]]:
    """The verdict, how many names it rests on, and what else to say.

    champion:  None if there is none.

    Raises Interrupted.
    """
    ours = candidate.sample_figures(config.drawn_from)
    if not champion:
        verdict = promotion_verdict(config.promotion, None, ours, {})
        names, notes = candidate.names_of("validation", "test"), list[str]()
        by_style = _style_figures(config, candidate, None, names)
        return verdict._replace(figures=[*verdict.figures, *by_style]), 0, notes
    names, notes = _common_names(candidate, champion)
    compared = _comparison(config, candidate, champion, names, notes)
    verdict = promotion_verdict(config.promotion, compared, ours, champion.sample_figures(config.drawn_from))
    by_style = _style_figures(config, candidate, champion, names)
    return verdict._replace(figures=[*verdict.figures, *by_style]), compared.names, notes


def decision_table(figures: list[Figure]) -> pa.Table:
    """The columns of schemas.DECISION."""
    columns: dict[str, Any] = dict.fromkeys(Figure._fields, pa.float64())
    columns |= {"metric": pa.string(), "kept": pa.bool_()}
    return pa.Table.from_pylist([figure._asdict() for figure in figures], pa.schema(list(columns.items())))


def _style_figures(
    config: DecisionConfig, candidate: Candidate, champion: Candidate | None, names: pa.Array
) -> Iterator[Figure]:
    """Nats per character of the names of each list, in their style; no limit is set for them.

    names:  that both may be asked for.
    """
    for style in candidate.model.styles:
        _check_signals()
        of_style = names.filter(pc.is_in(names, value_set=candidate.names_in(style)))
        if not len(of_style):
            continue
        knows = champion is not None and style in champion.model.styles
        ours = candidate.nats_in_style(of_style, config.drawn_from, style)
        theirs = champion.nats_in_style(of_style, config.drawn_from, style) if champion and knows else None
        gain = None if theirs is None else theirs - ours
        yield Figure(f"{NATS} of {style}", ours, theirs, gain)


def _comparison(
    config: DecisionConfig, candidate: Candidate, champion: Candidate, names: pa.Array, notes: list[str]
) -> Comparison:
    """On names that neither was trained on and both can spell, each once.

    notes:  what else is to be said is added to them.
    """
    _check_signals()
    ours = candidate.log_probabilities(names, config.drawn_from)
    _check_signals()
    theirs = champion.log_probabilities(names, config.drawn_from)
    notes += _network_notes(config.drawn_from, {"the champion": champion, "the new model": candidate})
    characters = pc.utf8_length(names).to_numpy().astype(np.int64) + 1  # the end of a name is one too
    promotion = config.promotion
    rng = np.random.default_rng(promotion.seed)
    gain = paired_gain(ours, theirs, characters, rng, promotion.resamples, promotion.confidence)
    nats, champions_nats = (-float(values.sum()) / max(int(characters.sum()), 1) for values in (ours, theirs))
    return Comparison(len(names), nats, champions_nats, gain, _have_equal_lists(candidate, champion))


def _network_notes(drawn_from: ModelKind | None, models: Mapping[str, Candidate]) -> Iterator[str]:
    """Which models are compared by their networks, where a mixture is asked for, or the other has one."""
    parts = {who: model.compared_part(drawn_from) for who, model in models.items()}
    if "mixture" in (*parts.values(), drawn_from):
        for who in (who for who, part in parts.items() if part == "network"):
            is_old = models[who].model.models.mixture is not None
            why = "its names are drawn from it" if is_old else "it has no mixture"
            yield f"of {who} the network is compared: {why}"


def _common_names(candidate: Candidate, champion: Candidate) -> tuple[pa.Array, list[str]]:
    """Held-out names of the challenger that the champion can be asked for as well."""
    notes = []
    names = candidate.names_of("validation", "test")
    trained_on = pc.is_in(names, value_set=champion.names_of("train"))
    if not champion.examples:
        notes.append("the examples of the champion are not in the store: it may know some of these names")
    characters = frozenset(champion.model.vocabulary.characters)
    spelled = pa.array((characters.issuperset(name) for name in names.to_pylist()), pa.bool_())
    for left_out, why in ((trained_on, "was trained on"), (pc.invert(spelled), "cannot spell")):
        if count := pc.sum(left_out).as_py():
            notes.append(f"left out: {count:,} held-out names that the champion {why}")
    return names.filter(pc.and_(pc.invert(trained_on), spelled)), notes


def _have_equal_lists(candidate: Candidate, champion: Candidate) -> bool:
    """Whether both have the same names, whatever their order and split; as far as is known."""
    ours, theirs = (model.names_of(*SPLITS) for model in (candidate, champion))
    known = candidate.examples and champion.examples
    return not known or (
        len(ours) == len(theirs) and pc.all(pc.is_in(ours, value_set=theirs)).as_py() is not False
    )


def _check_signals() -> None:
    signals.raise_if_requested("while models are compared")
