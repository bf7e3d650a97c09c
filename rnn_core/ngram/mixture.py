"""The mixture of a network and an n-gram model: what one has not learned, the other may have counted.

How they are combined: `rnn_core.ngram.rules`. A mixture is fitted by the geometric rule: its exponents on
validation names (`rnn_core.ngram.exponents`), then when names end (`rnn_core.ngram.endings`).
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from rnn_core.arrays import Floats, Integers, Workspace
from rnn_core.batching.batch import Batch
from rnn_core.batching.batches import BatchStream
from rnn_core.errors import DataError
from rnn_core.metrics import scoring
from rnn_core.ngram.by_style import Ngrams
from rnn_core.ngram.endings import fit_shifts
from rnn_core.ngram.exponents import fit_exponents
from rnn_core.ngram.levels import Probabilities
from rnn_core.ngram.rules import GeometricRule, Rule
from rnn_core.ngram.walk import ContextIds, ContextWalk
from rnn_core.nn import ensemble
from rnn_core.nn.ensemble import Networks, to_float64
from rnn_core.sample.model import Model, ModelState, network_model
from rnn_core.state_dict import invalid_arrays
from rnn_core.text.names import EncodedNames

_invalid = partial(invalid_arrays, "mixture", "fit it again")

MAX_ELEMENTS = 1 << 20  # log-probabilities of a part that is scored at a time, which bounds the memory
FITTING_SEED = 0  # of the names that are sampled to fit a mixture


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """Networks and an n-gram model of one vocabulary, and the rule that combines them.

    Raises DataError for different vocabularies, or a rule of other styles.
    """

    network: Networks
    ngrams: Ngrams
    rule: Rule

    def __post_init__(self) -> None:
        check_vocabularies(self.network, self.ngrams)
        styles = len(self.rule.shifts) if isinstance(self.rule, GeometricRule) else 1
        if styles not in (1, self.network.style_count):
            what = f"the network knows {self.network.style_count} styles"
            raise _invalid(what, "", f"shifts of {styles}")

    @property
    def vocabulary_size(self) -> int:
        """V, the number of tokens."""
        return self.network.vocabulary_size


def check_vocabularies(networks: Networks, ngrams: Ngrams) -> None:
    """Raise DataError unless both have the same number of tokens."""
    sizes = networks.vocabulary_size, ngrams.vocabulary_size
    if sizes[0] != sizes[1]:
        raise _invalid("both parts must have the same vocabulary", "", f"{sizes[0]} and {sizes[1]} tokens")


def fit_rule(
    networks: Networks, ngrams: Ngrams, training: EncodedNames, validation: EncodedNames
) -> GeometricRule:
    """The rule by which both predict validation names best, and sample names as long as the training names.

    Each name counts by its weight, if names have weights.

    Raises DataError if there are no validation names, or for a token that is not in the vocabulary, and
    TrainingError if the network's probabilities are not finite.
    """
    if not validation.count:
        raise mixture_unavailable()
    scoring.check_names(validation, networks.vocabulary_size, networks.style_count)
    characters, ends = fit_exponents(networks, ngrams, validation)
    unshifted = mixture_model(Mixture(networks, ngrams, GeometricRule(characters, ends, np.zeros((1, 1)))))
    shifts = fit_shifts(unshifted, training, networks.style_count, np.random.default_rng(FITTING_SEED))
    return GeometricRule(characters, ends, shifts)


def log_probabilities(
    mixture: Mixture, names: EncodedNames, on_scored: scoring.OnScored = lambda _names: None
) -> Probabilities:
    """(N,) the log-probability of each name in nats, the end token included, given its style if it has one.

    Raises DataError for a token that is not in the vocabulary, or a style that the network does not know.
    """
    scoring.check_names(names, mixture.vocabulary_size, mixture.network.style_count)
    return scoring.stream_log_probabilities(
        partial(_target_log_probabilities, mixture),
        BatchStream.from_names(names),
        Workspace(mixture.network.dtype),
        min(scoring.ROWS_AT_ONCE, max(1, MAX_ELEMENTS // mixture.vocabulary_size)),
        on_scored,
    )


def mixture_model(mixture: Mixture) -> Model:
    """The model of a mixture, to sample from.

    Its state: that of the network, that of the n-grams, and where each name is.
    """
    network_part, ngrams, rule = network_model(mixture.network), mixture.ngrams, mixture.rule
    walks: tuple[ContextWalk, ContextWalk] = ngrams, Positions(mixture.vocabulary_size)

    def initial_state(count: int) -> ModelState:
        return network_part.initial_state(count), *(walk.initial_state(count) for walk in walks)

    def step(tokens: Integers, state: ModelState, workspace: Workspace) -> Floats:
        network_state, *contexts = state
        logits = network_part.step(tokens, network_state, workspace)
        for walk, before in zip(walks, contexts, strict=True):
            for ids, read in zip(before, walk.advance(tokens, before), strict=True):
                ids[:] = read
        probabilities = ngrams.distributions(contexts[0], len(tokens))
        return rule.combine(logits, probabilities.T, *contexts[1])

    is_double = mixture.network.dtype == np.float64
    double = None if is_double else mixture_model(replace(mixture, network=to_float64(mixture.network)))
    return Model(mixture.vocabulary_size, mixture.network.dtype, initial_state, step, double)


@dataclass(frozen=True, slots=True)
class Positions(ContextWalk):
    """Where names are: how many characters each has, and its style; 0 if it has none."""

    vocabulary_size: int

    def initial_state(self, count: int) -> ContextIds:
        """Before the start token, (count,) each."""
        return np.full(count, -1), np.zeros(count, np.int64)

    def advance(self, tokens: Integers, contexts: ContextIds) -> ContextIds:
        """After reading tokens, (B,)."""
        lengths, styles = contexts
        return lengths + 1, np.where(tokens < self.vocabulary_size, styles, tokens - self.vocabulary_size)


def mixture_unavailable() -> DataError:
    """The error for a mixture that could not be fitted."""
    return DataError(
        "mixture.no_validation",
        "the mixture is unavailable: it is fitted on validation names, and there are none",
        fix="give some names to validation, or sample from the network alone.",
    )


def _target_log_probabilities(mixture: Mixture, batch: Batch, workspace: Workspace) -> Floats:
    """(E,) the log-probability of each target of a batch."""
    logits = ensemble.logits(mixture.network, batch, workspace)
    probabilities = mixture.ngrams.distributions(mixture.ngrams.batch_contexts(batch), batch.size)
    positions = Positions(mixture.vocabulary_size).batch_contexts(batch)
    combined = mixture.rule.combine(logits.T, probabilities.T, *positions)
    largest = combined.max(axis=0)
    normalizers = np.log(np.exp(combined - largest).sum(axis=0)) + largest
    targets = batch.targets
    result: Floats = combined[targets.tokens, targets.rows] - normalizers[targets.rows]
    return result
