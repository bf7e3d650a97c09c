"""The stage `evaluation`: how well each model predicts names, and what the names are like that it samples."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from artifacts.model_file import ModelContents
from artifacts.store import Artifact
from data import schemas
from data.config import ALL_SOURCES, EvaluationStageConfig, ValidationConfig
from data.examples import SPLITS, encoded_names
from data.name_rules import NameRules
from data.styles import style_numbers
from rnn_core.metrics import scoring
from rnn_core.metrics.evaluation import metrics
from rnn_core.metrics.novelty import new_mask, spelling_keys
from rnn_core.metrics.sample_metrics import MetricValue, NameList, compare_samples
from rnn_core.metrics.scoring import mean_nats_per_character
from rnn_core.metrics.styles import marginal_log_probabilities
from rnn_core.ngram import mixture as mixing
from rnn_core.sample.constraints import NamePredicate
from rnn_core.sample.model import Model
from rnn_core.sample.sampler import Sampler, SamplingConfig, concatenate_samples
from rnn_core.text.names import EncodedNames
from rnn_core.text.styles import Styles
from rnn_core.text.vocabulary import Vocabulary
from tasks.core.stage import StageContext, stage
from tasks.process import signals, threads
from tasks.stages.encoding import EXAMPLES, load_vocabulary
from tasks.stages.mixing import load_models

METRICS = "metrics.parquet"
IN_STYLE = "nats_per_character_in_style"

# Models and splits in the table, besides HELD_OUT.
NETWORK, MIXTURE = "rnn", "mixture"
SAMPLE, UNSEEN = "sample", "_unseen"

MAX_SCORED = 100_000  # names of a split: a mean over more is no better in the digits that are shown
FEW_STYLES = 4  # with which all those names are scored
MAX_LENGTH = 10_000  # characters, whatever is valid: they are held for every name that is sampled

Score = Callable[[EncodedNames, scoring.OnScored], npt.NDArray[np.float64]]
Row = dict[str, Any]


class Group(NamedTuple):
    """Names that are scored together.

    rows:  of the examples.
    """

    split: str
    source: str
    rows: npt.NDArray[np.int64]


@stage(version=4)
def evaluation(
    context: StageContext,
    config: EvaluationStageConfig,
    *,
    mixture: Artifact,
    examples: Artifact,
    vocabulary: Artifact,
) -> None:
    """How well each model predicts names, and what the names are like that it generates."""
    table = examples.table(EXAMPLES)
    models = load_models(mixture)
    encoded = encoded_names(table)
    if styles := models.styles:
        encoded = encoded.with_styles(style_numbers(table["source"], styles), models.network.vocabulary_size)
    names = NameList(table["name"].to_pylist(), encoded)
    split, source = (_categories(table[column]) for column in ("split", "source"))
    training, held_out = (names.take(np.flatnonzero(rows)) for rows in (split == "train", split != "train"))
    new = new_mask(names.strings, spelling_keys(training.strings))
    # Every style scores every name: with many styles a sample is as good, and takes no longer.
    most = MAX_SCORED // max(1, len(styles.names) // FEW_STYLES if styles else 1)
    scored = _scored_rows(split, config.evaluation.seed, most)
    groups = list(_groups(split[scored], source[scored], new[scored]))
    rows = list(_prediction_metrics(context, models, groups, names.encoded.take(scored)))
    if config.evaluation.sample_names:
        known, generators = load_vocabulary(vocabulary), _generators(models)
        calls = [partial(_sample, model, config, known) for model in generators.values()]
        samples = dict(zip(generators, threads.results(calls, context.settings.workers), strict=True))
        accepts = NameRules.from_names(table["name"]).predicate(known)
        rows += _sample_metrics(samples, held_out, training, config, accepts)
    context.write_table(METRICS, schemas.METRICS, pa.Table.from_pylist(rows))


def _scored_rows(split: npt.NDArray[np.str_], seed: int, most: int) -> npt.NDArray[np.int64]:
    """The names of each split, in their order; of a split with very many, a sample."""
    rng, rows = np.random.default_rng(seed), []
    for part in SPLITS:
        of_part = np.flatnonzero(split == part)
        if len(of_part) > most:
            of_part = np.sort(rng.choice(of_part, most, replace=False))
        rows.append(of_part)
    return np.sort(np.concatenate(rows))


def _categories(column: pa.ChunkedArray) -> npt.NDArray[np.str_]:
    codes = column.combine_chunks()
    values: npt.NDArray[np.str_] = np.array(codes.dictionary.to_pylist(), np.str_)[codes.indices.to_numpy()]
    return values


def _scores(models: ModelContents) -> dict[str, Score]:
    scores: dict[str, Score] = {NETWORK: partial(scoring.log_probabilities, models.network)}
    if models.mixture is not None:
        scores[MIXTURE] = partial(mixing.log_probabilities, models.mixture)
    if (ngrams := models.ngrams) is not None:
        scores[f"kneser-ney {ngrams.order}-gram"] = ngrams.log_probabilities
    return scores


def _generators(models: ModelContents) -> dict[str, Model]:
    both = {} if models.mixture is None else {MIXTURE: models.select("mixture")}
    return {NETWORK: models.select("network"), **both}


def _groups(
    split: npt.NDArray[np.str_], source: npt.NDArray[np.str_], new: npt.NDArray[np.bool_]
) -> Iterator[Group]:
    """Every split that holds names, whole and by source; of the held-out ones, also the unseen names.

    new:  (N,) whether no training name is the name in any spelling.
    """
    for part in SPLITS:
        of_part = split == part
        groups = {(part, ALL_SOURCES): of_part}
        if part != "train":
            groups[part + UNSEEN, ALL_SOURCES] = of_part & new
        groups |= {(part, origin): of_part & (source == origin) for origin in sorted(set(source.tolist()))}
        yield from (Group(*name, np.flatnonzero(rows)) for name, rows in groups.items() if rows.any())


def _prediction_metrics(
    context: StageContext, models: ModelContents, groups: list[Group], names: EncodedNames
) -> Iterator[Row]:
    """Of all names as they are, whatever their style; of a source, as names of this style."""
    scores, styles = _scores(models), models.styles
    times = len(scores) * (1 + (len(styles.names) if styles else 0))
    on_scored = context.names_reporter(names.count * times, "names scored, once by each model")
    calls = [partial(score, names, on_scored) for score in scores.values()]
    in_styles = threads.results(calls, context.settings.workers)
    marginals = in_styles
    if styles:
        marginals = threads.results(
            [partial(_marginal, score, names, models, styles, on_scored) for score in scores.values()],
            context.settings.workers,
        )
    for model, in_style, marginal in zip(scores, in_styles, marginals, strict=True):
        for group in groups:
            chosen = names.take(group.rows)
            of_all = group.source == ALL_SOURCES
            for metric, value in metrics((marginal if of_all else in_style)[group.rows], chosen).items():
                yield _row(model, group.split, group.source, MetricValue(metric, value, chosen.count))
            if styles and of_all:
                value = mean_nats_per_character(in_style[group.rows], chosen)
                yield _row(model, group.split, group.source, MetricValue(IN_STYLE, value, chosen.count))


def _marginal(
    score: Score, names: EncodedNames, models: ModelContents, styles: Styles, on_scored: scoring.OnScored
) -> npt.NDArray[np.float64]:
    size = models.network.vocabulary_size
    return marginal_log_probabilities(lambda part: score(part, on_scored), names, styles.shares, size)


def _sample(model: Model, config: EvaluationStageConfig, vocabulary: Vocabulary) -> NameList:
    measured = config.evaluation
    too_long = min(config.validation.max_length + 1, MAX_LENGTH)  # where it is seen to be invalid
    # Names are measured as the model gives them: too long, with white space at an edge, against a rule.
    sampling = SamplingConfig(
        count=measured.sample_names,
        max_length=too_long,
        truncate=True,
        trimmed=False,
        seed=measured.seed,
    )
    parts = Sampler(model, vocabulary, sampling).names(0, sampling.count, on_progress=_check_signals)
    encoded, _ = concatenate_samples(parts)
    return NameList(vocabulary.decode(encoded), encoded)


def _sample_metrics(
    samples: Mapping[str, NameList],
    held_out: NameList,
    training: NameList,
    config: EvaluationStageConfig,
    accepts: NamePredicate | None,
) -> Iterator[Row]:
    rng = np.random.default_rng(config.evaluation.seed)
    for model, figures in compare_samples(samples, held_out, training, rng, _check_signals).items():
        if model in samples:
            yield _row(model, SAMPLE, ALL_SOURCES, _validity(samples[model], config.validation, accepts))
        yield from (_row(model, SAMPLE, ALL_SOURCES, figure) for figure in figures)


def _check_signals(*_: object) -> None:
    signals.raise_if_requested("while samples are drawn and measured")


def _validity(sample: NameList, rules: ValidationConfig, accepts: NamePredicate | None) -> MetricValue:
    """Share of the names that the pipeline would accept, as they are, as lines of a source.

    accepts:  which names keep the rules that all names of the lists keep.
    """
    from data.validation import validate

    names = sample.strings
    keeps_rules = np.ones(len(names), np.bool_) if accepts is None else accepts(sample.encoded)
    lines = pa.table(
        {
            "name": pa.array(names, pa.string()),
            "source": pa.array([SAMPLE] * len(names)).dictionary_encode(),
            "file": pa.array([1] * len(names), pa.int32()),
            "line": pa.array(range(1, len(names) + 1), pa.int64()),
            "weight": pa.array([1.0] * len(names), pa.float64()),
        }
    )
    accepted = validate(lines.filter(pa.array(keeps_rules)), rules).names["name"].to_pylist()
    return MetricValue("validity", sum(name == name.strip() for name in accepted) / len(names), len(names))


def _row(model: str, split: str, source: str, figure: MetricValue) -> Row:
    return {"model": model, "split": split, "source": source, **figure._asdict()}
