"""Models of one style, or of a blend of several.

A blend is a model of its own, in which every character is a compromise:

    P(v | before)  ~  product over the styles s of P_s(v | before) ^ weight_s

So a name goes on as all of its styles could: where one of them excludes a character, it hardly comes. Drawing
each name from one style or the other would blend lists, not names.

Source: G. E. Hinton, "Training Products of Experts by Minimizing Contrastive Divergence", Neural Computation
14 (2002), on products of distributions; with weights that sum to 1 it is the geometric mean.
"""

from collections.abc import Mapping

import numpy as np

from rnn_core.arrays import Floats, Integers, Workspace
from rnn_core.sample.model import Model, ModelState
from rnn_core.text.vocabulary import END_TOKEN


def with_styles(model: Model, shares: tuple[float, ...]) -> Model:
    """The same model, whose names have these styles, as probable as their shares say."""
    starts = tuple(range(model.vocabulary_size, model.vocabulary_size + len(shares)))
    double = with_styles(model.double, shares) if model.double else None
    return model._replace(starts=starts, shares=shares, double=double)


def of_style(model: Model, style: int) -> Model:
    """The model of the names of one of its styles, by its number."""
    double = of_style(model.double, style) if model.double else None
    return model._replace(starts=(model.starts[style],), shares=(1.0,), double=double)


def blended(model: Model, weights: Mapping[int, float]) -> Model:
    """The geometric mean of several styles of a model, with these weights, which sum to 1.

    Its names have no style: they begin with the end token, which each style reads as its own start token.
    """
    starts = [model.starts[style] for style in weights]

    def initial_state(count: int) -> ModelState:
        return tuple(model.initial_state(count) for _ in starts)

    def step(tokens: Integers, state: ModelState, workspace: Workspace) -> Floats:
        blend: Floats | None = None
        for number, (start, weight) in enumerate(zip(starts, weights.values(), strict=True)):
            read = np.where(tokens == END_TOKEN, start, tokens)
            logits = model.step(read, state[number], workspace.child(number))
            # A constant for each name may be missing, as in any logits.
            blend = logits * weight if blend is None else blend + logits * weight
        assert blend is not None
        return blend

    double = blended(model.double, weights) if model.double else None
    return Model(model.vocabulary_size, model.dtype, initial_state, step, double)
