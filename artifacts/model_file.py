"""The model file, model.npz: the network, its characters, and after the stage `mixture` the n-grams too.

One file is enough to generate names.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from rnn_core.errors import DataError
from rnn_core.ngram.kneser_ney import KneserNey
from rnn_core.ngram.mixture import Mixture, mixture_model, mixture_unavailable, weight_from_array
from rnn_core.nn import network
from rnn_core.sample.model import Model, network_model
from rnn_core.state_dict import invalid_arrays
from rnn_core.text.vocabulary import UTF32, Vocabulary

MODEL = "model.npz"

_CHARACTERS, _NGRAMS, _WEIGHT = "characters", "ngrams.", "mixture.weight"

Arrays = Mapping[str, npt.NDArray[Any]]
ModelKind = Literal["network", "mixture"]


class ModelContents(NamedTuple):
    """The models of one file.

    ngrams:   None in a file of the stage `model`, which holds the network alone.
    mixture:  None too if there were no validation names to fit its weight on.
    """

    network: network.NetworkParameters
    ngrams: KneserNey | None
    mixture: Mixture | None

    def select(self, kind: ModelKind) -> Model:
        """The model to sample from. Raises DataError if there is no mixture."""
        return network_model(self.network) if kind == "network" else mixture_model(self.require_mixture())

    def require_mixture(self) -> Mixture:
        """The mixture. Raises DataError if there is none."""
        if self.mixture:
            return self.mixture
        raise mixture_unavailable() if self.ngrams else _network_alone()


def network_arrays(
    parameters: network.NetworkParameters, vocabulary: Vocabulary
) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a network's file."""
    code_points = np.array([ord(character) for character in vocabulary.characters], np.uint32)
    return {**network.to_arrays(parameters), _CHARACTERS: code_points}


def mixture_arrays(arrays: Arrays, ngrams: KneserNey, weight: float | None) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a mixture's file.

    weight:  of the network in the mixture; None if it could not be fitted.
    """
    fitted = {} if weight is None else {_WEIGHT: np.array(weight)}
    return {**arrays, **ngrams.to_arrays(), **fitted}


def model_contents(arrays: Arrays) -> ModelContents:
    """The models in a file's arrays. Raises DataError if they are not a valid model."""
    kept = {name: array for name, array in arrays.items() if name not in (_CHARACTERS, _WEIGHT)}
    of_ngrams = {name: kept.pop(name) for name in list(kept) if name.startswith(_NGRAMS)}
    parameters = network.from_arrays(kept)
    if not of_ngrams and _WEIGHT not in arrays:
        return ModelContents(parameters, None, None)
    ngrams, weight = KneserNey.from_arrays(of_ngrams), arrays.get(_WEIGHT)
    both = Mixture(parameters, ngrams, 1.0 if weight is None else weight_from_array(weight))
    return ModelContents(parameters, ngrams, None if weight is None else both)


def stored_vocabulary(arrays: Arrays) -> Vocabulary:
    """The vocabulary in a file's arrays. Raises DataError if there is none, or an invalid one."""
    if _CHARACTERS not in arrays:
        raise _no_characters("no such array")
    code_points = arrays[_CHARACTERS]
    if code_points.dtype != np.uint32 or code_points.ndim != 1:
        raise _no_characters(f"{code_points.dtype} of shape {code_points.shape}")
    try:
        return Vocabulary(tuple(code_points.astype("<u4").tobytes().decode(UTF32)))
    except UnicodeDecodeError as fault:
        raise _no_characters(fault.reason) from fault


def _no_characters(saw: str) -> DataError:
    what = "its characters are a vector of code points, uint32"
    return invalid_arrays("model", "make it again", what, _CHARACTERS, saw)


def _network_alone() -> DataError:
    return DataError(
        "mixture.not_there",
        "this file holds a network alone, without a mixture",
        fix="open the file that the stage `mixture` made of it, or draw from the network.",
    )
