"""The model file, model.npz: the network, its characters, and after the stage `mixture` the n-grams too.

One file is enough to generate names.
"""

import contextlib
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from io import FileIO
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from artifacts import npz
from artifacts.documents import open_file
from rnn_core.errors import DataError
from rnn_core.metrics import scoring
from rnn_core.metrics.styles import Scorer, marginal_log_probabilities
from rnn_core.ngram import by_style, mixture, rules
from rnn_core.ngram.by_style import Ngrams
from rnn_core.ngram.mixture import Mixture, check_vocabularies, mixture_model, mixture_unavailable
from rnn_core.ngram.rules import GeometricRule, Rule
from rnn_core.nn import ensemble
from rnn_core.sample import scoring as stepwise
from rnn_core.sample.model import Model, network_model
from rnn_core.sample.styles import blended, of_style, with_styles
from rnn_core.state_dict import Layouts, invalid_arrays
from rnn_core.text import styles as stored_styles
from rnn_core.text.names import EncodedNames
from rnn_core.text.styles import Styles, no_styles
from rnn_core.text.vocabulary import UTF32, Vocabulary

MODEL = "model.npz"

_CHARACTERS = "characters"

Arrays = Mapping[str, npt.NDArray[Any]]
ModelKind = Literal["network", "mixture"]
Item = TypeVar("Item")

_REMEDY = "make it again"


class ModelContents(NamedTuple):
    """The models of one file.

    network:  one network, or an ensemble of some.
    ngrams:   None in a file of the stage `model`, which holds the network alone.
    mixture:  None too if there were no validation names to fit it on.
    styles:   that the network knows; None if it was trained without.
    """

    network: ensemble.Networks
    ngrams: Ngrams | None
    mixture: Mixture | None
    styles: Styles | None = None

    def resolve(self, kind: ModelKind | None) -> ModelKind:
        """What is asked for; by default the mixture, if there is one of the geometric rule, else the network.

        Models with the linear rule are drawn from as they were: its names have other lengths than real ones.
        """
        has_geometric_rule = self.mixture is not None and isinstance(self.mixture.rule, GeometricRule)
        return kind or ("mixture" if has_geometric_rule else "network")

    def select(self, kind: ModelKind | None = None, style: str = "") -> Model:
        """The model to sample from.

        kind:   as `resolve` takes it.
        style:  one of its styles, or a blend of some (`Styles.weights`); by default all by their shares.

        Raises DataError if there is no mixture, or no such style.
        """
        is_network = self.resolve(kind) == "network"
        model = network_model(self.network) if is_network else mixture_model(self.require_mixture())
        if not self.styles:
            if style:
                raise no_styles(style)
            return model
        model = with_styles(model, self.styles.shares)
        if not style:
            return model
        weights = self.styles.weights(style)
        return of_style(model, *weights) if len(weights) == 1 else blended(model, weights)

    def scorer(self, kind: ModelKind | None = None) -> Scorer:
        """What scores names, each in its style if the model knows styles. Raises DataError as `select`."""
        if self.resolve(kind) == "network":
            return partial(scoring.log_probabilities, self.network)
        return partial(mixture.log_probabilities, self.require_mixture())

    def log_probabilities(
        self, names: EncodedNames, kind: ModelKind | None = None, style: str = ""
    ) -> npt.NDArray[np.float64]:
        """(N,) the log-probability of each name in nats, its end included.

        style:  as `select` takes it; by default that of the name whatever its style, by their shares.

        Raises DataError as `select`.
        """
        score, size = self.scorer(kind), self.network.vocabulary_size
        if not self.styles:
            if style:
                raise no_styles(style)
            return score(names)
        if not style:
            return marginal_log_probabilities(score, names, self.styles.shares, size)
        weights = self.styles.weights(style)
        if len(weights) > 1:
            return stepwise.log_probabilities(self.select(kind, style), names)
        (number,) = weights
        return score(names.with_styles(number, size))

    def require_mixture(self) -> Mixture:
        """The mixture. Raises DataError if there is none."""
        if self.mixture:
            return self.mixture
        raise mixture_unavailable() if self.ngrams else _network_alone()


def network_arrays(
    networks: ensemble.Networks, vocabulary: Vocabulary, styles: Styles | None = None
) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a network's file."""
    code_points = np.array([ord(character) for character in vocabulary.characters], np.uint32)
    of_styles = styles.to_arrays() if styles else {}
    return {**ensemble.to_arrays(networks), _CHARACTERS: code_points, **of_styles}


def mixture_arrays(arrays: Arrays, ngrams: Ngrams, rule: Rule | None) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a mixture's file.

    rule:  that combines network and n-grams; None if it could not be fitted.
    """
    return {**arrays, **ngrams.to_arrays(), **(rule.to_arrays() if rule else {})}


def model_contents(arrays: Arrays) -> ModelContents:
    """The models in a file's arrays. Raises DataError if they are not a valid model."""
    kept, of_ngrams, of_styles = _split(arrays)
    parameters = ensemble.from_arrays(kept)
    stored_styles.check_layout(of_styles, parameters.style_count)
    styles, rule = Styles.from_arrays(of_styles), rules.rule_from_arrays(arrays)
    if not of_ngrams and not rule:
        return ModelContents(parameters, None, None, styles)
    ngrams = by_style.ngrams_from_arrays(of_ngrams, parameters.style_count)
    check_vocabularies(parameters, ngrams)
    return ModelContents(parameters, ngrams, Mixture(parameters, ngrams, rule) if rule else None, styles)


def check_layout(arrays: Layouts) -> None:
    """Raise DataError unless arrays of these types and shapes can be a model, whatever their values."""
    of_network, of_ngrams, of_styles = _split(arrays)
    ensemble.check_layout(of_network)
    if of_ngrams:
        by_style.check_layout(of_ngrams, arrays["W_hy"].shape[1])
    stored_styles.check_layout(of_styles)
    _check_characters(arrays)
    rules.check_layout(arrays)


@contextlib.contextmanager
def open_model_file(path: Path) -> Iterator[FileIO]:
    """A file, open, whose arrays have the names, types and shapes of a model; their values are not read.

    Raises OSError, ValueError if it is no npz of plain arrays, and DataError as `check_layout` does.
    """
    with open_file(path, follow_links=True) as file:
        npz.check_headers(file, check_layout)
        file.seek(0)
        yield file


def _split(arrays: Mapping[str, Item]) -> tuple[dict[str, Item], dict[str, Item], dict[str, Item]]:
    """The arrays of the network, those of the n-grams, and those of the styles."""
    kept = {name: array for name, array in arrays.items() if name not in (_CHARACTERS, *rules.ARRAYS)}
    of_ngrams, of_styles = (
        {name: kept.pop(name) for name in list(kept) if name.startswith(prefix)}
        for prefix in (by_style.PREFIXES, stored_styles.PREFIX)
    )
    return kept, of_ngrams, of_styles


def stored_vocabulary(arrays: Arrays) -> Vocabulary:
    """The vocabulary in a file's arrays. Raises DataError if there is none, or an invalid one."""
    _check_characters(arrays)
    code_points = arrays[_CHARACTERS]
    try:
        return Vocabulary(tuple(code_points.astype("<u4").tobytes().decode(UTF32)))
    except UnicodeDecodeError as fault:
        raise _no_characters(fault.reason) from fault


def _check_characters(arrays: Layouts) -> None:
    if _CHARACTERS not in arrays:
        raise _no_characters("no such array")
    code_points = arrays[_CHARACTERS]
    if code_points.dtype != np.uint32 or code_points.ndim != 1 or code_points.shape[0] > sys.maxunicode + 1:
        raise _no_characters(f"{code_points.dtype} of shape {code_points.shape}")


def _no_characters(saw: str) -> DataError:
    what = "its characters are a vector of code points, uint32"
    return invalid_arrays("model", _REMEDY, what, _CHARACTERS, saw)


def _network_alone() -> DataError:
    return DataError(
        "mixture.not_there",
        "this file holds a network alone, without a mixture",
        fix="open the file that the stage `mixture` made of it, or draw from the network.",
    )
