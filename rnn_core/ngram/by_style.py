"""N-grams of each style: a Kneser-Ney model of the names of each list, all with one vocabulary.

A name is read and scored by the model of its style, which its start token tells (`rnn_core.text.names`).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Integers
from rnn_core.metrics.scoring import OnScored, check_names
from rnn_core.ngram import stored
from rnn_core.ngram.kneser_ney import KneserNey
from rnn_core.ngram.levels import UNSEEN, Indices, Probabilities
from rnn_core.ngram.walk import ContextIds, ContextWalk
from rnn_core.state_dict import Layouts, invalid_arrays
from rnn_core.text.names import EncodedNames
from rnn_core.text.styles import MOST_STYLES

PREFIX = "style."  # of the names of their arrays
PREFIXES = (PREFIX, stored.PREFIX)  # of n-grams of either kind

_invalid = partial(invalid_arrays, "n-gram model", "fit it again")


@dataclass(frozen=True, slots=True, eq=False)
class StyleNgrams(ContextWalk):
    """models: (S,) one for each style, with the same vocabulary."""

    models: tuple[KneserNey, ...]

    @classmethod
    def fit(
        cls,
        fit_one: Callable[[EncodedNames, EncodedNames], KneserNey],
        training: EncodedNames,
        validation: EncodedNames,
        vocabulary_size: int,
        style_count: int,
    ) -> "StyleNgrams":
        """The models of the names of each style; `fit_one` makes one from training and validation names."""
        starts = range(vocabulary_size, vocabulary_size + style_count)
        by_style = ([_in_style(names, start) for start in starts] for names in (training, validation))
        return cls(tuple(map(fit_one, *by_style)))

    @property
    def vocabulary_size(self) -> int:
        """V, the number of tokens."""
        return self.models[0].vocabulary_size

    @property
    def order(self) -> int:
        """The characters of the longest n-gram."""
        return max(model.order for model in self.models)

    @property
    def counts(self) -> list[int]:
        """How many n-grams of each length there are, from one character on."""
        longest = [np.pad(model.counts, (0, self.order - model.order)) for model in self.models]
        return [int(count) for count in np.sum(longest, axis=0)]

    def character_log_probabilities(self, names: EncodedNames) -> Probabilities:
        """(C + N,) the log-probability of each character in nats, name after name, end tokens included.

        Raises DataError for a token that is not in the vocabulary, or a style that is not one of these.
        """
        result = np.zeros(len(names.tokens) + names.count)
        name_of_character = np.repeat(np.arange(names.count), names.lengths + 1)
        for model, rows in self._by_style(names):
            is_own = np.isin(name_of_character, rows)
            result[is_own] = model.character_log_probabilities(names.take(rows))
        return result

    def log_probabilities(
        self, names: EncodedNames, on_scored: OnScored = lambda _names: None
    ) -> Probabilities:
        """(N,) the log-probability of each name in nats, the end token included.

        Raises DataError likewise.
        """
        result = np.zeros(names.count)
        for model, rows in self._by_style(names):
            result[rows] = model.log_probabilities(names.take(rows), on_scored)
        return result

    def _by_style(self, names: EncodedNames) -> Iterator[tuple[KneserNey, Indices]]:
        check_names(names, self.vocabulary_size, len(self.models))
        for style, model in enumerate(self.models):
            rows = np.flatnonzero(names.starts == self.vocabulary_size + style)
            if len(rows):
                yield model, rows

    def initial_state(self, count: int) -> ContextIds:
        """The style of each name, which is not known yet, and the contexts of its model, (count,) each."""
        return np.zeros(count, np.int64), *(np.full(count, UNSEEN) for _ in range(self.order - 1))

    def advance(self, tokens: Integers, contexts: ContextIds) -> ContextIds:
        """The contexts after reading tokens, (B,). Names begin with the start token of their style."""
        styles = np.where(tokens < self.vocabulary_size, contexts[0], tokens - self.vocabulary_size)
        result = styles, *(np.full(len(tokens), UNSEEN) for _ in contexts[1:])
        for model, rows in self._rows(styles):
            own = tuple(ids[rows] for ids in contexts[1 : model.order])
            for ids, read in zip(result[1:], model.advance(tokens[rows], own), strict=False):
                ids[rows] = read
        return result

    def distributions(self, contexts: ContextIds, count: int) -> Probabilities:
        """The probability of every next character after these contexts, (B, V); count: B."""
        probabilities = np.empty((count, self.vocabulary_size))
        for model, rows in self._rows(contexts[0]):
            own = tuple(ids[rows] for ids in contexts[1 : model.order])
            probabilities[rows] = model.distributions(own, len(probabilities[rows]))
        return probabilities

    def _rows(self, styles: Indices) -> Iterator[tuple[KneserNey, Indices | slice]]:
        """Every style that there is, and its rows; all of them if there is one."""
        if len(styles) and (styles == styles[0]).all():
            yield self.models[styles[0]], slice(None)
            return
        for style in np.unique(styles):
            yield self.models[style], np.flatnonzero(styles == style)

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Copies by name, those of a model as `style.1.ngrams.2.codes`."""
        return {
            f"{PREFIX}{style}.{name}": array
            for style, model in enumerate(self.models)
            for name, array in model.to_arrays().items()
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> "StyleNgrams":
        """The models that `to_arrays` gave. Raises DataError for invalid arrays, as `KneserNey` does."""
        models = tuple(KneserNey.from_arrays(own) for own in _split(arrays))
        sizes = {model.vocabulary_size for model in models}
        if len(sizes) > 1:
            raise _invalid("all styles must have the same vocabulary", PREFIX, f"{sorted(sizes)} tokens")
        return cls(models)


Ngrams: TypeAlias = KneserNey | StyleNgrams


def ngrams_from_arrays(arrays: Mapping[str, npt.NDArray[Any]], style_count: int) -> Ngrams:
    """N-grams of all names together, or of each style, as they were stored.

    style_count:  that the network has.

    Raises DataError for invalid arrays, or of other styles.
    """
    check_layout(arrays)
    if not _is_by_style(arrays):
        return KneserNey.from_arrays(arrays)
    ngrams = StyleNgrams.from_arrays(arrays)
    if len(ngrams.models) != style_count:
        what = f"the network knows {style_count} styles"
        raise _invalid(what, PREFIX, f"n-grams of {len(ngrams.models)}")
    return ngrams


def check_layout(arrays: Layouts, vocabulary_size: int = 0) -> None:
    """Raise DataError unless arrays of these types and shapes can be n-grams, as `stored.check_layout`."""
    for own in _split(arrays) if _is_by_style(arrays) else [arrays]:
        stored.check_layout(own, vocabulary_size)


def _is_by_style(arrays: Mapping[str, Any]) -> bool:
    return bool(arrays) and all(name.startswith(PREFIX) for name in arrays)


def _in_style(names: EncodedNames, start: int) -> EncodedNames:
    return names.take(np.flatnonzero(names.starts == start)).without_styles()


def _split(arrays: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The arrays of each style, by their names without it."""
    styles: dict[str, dict[str, Any]] = {}
    for name, array in arrays.items():
        style, _, rest = name.removeprefix(PREFIX).partition(".")
        styles.setdefault(style, {})[rest] = array
    numbers = [str(number) for number in range(min(len(styles), MOST_STYLES))]
    if set(styles) != set(numbers):
        raise _invalid("styles must be numbered from 0", PREFIX, ", ".join(sorted(styles)[:9]))
    return [styles[number] for number in numbers]
