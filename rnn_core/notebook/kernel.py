"""What makes the notebook's recipe fast: one step downhill on one name, every rounding the notebook's own.

A name of 15 characters takes some 100 calls of NumPy, and the calls are what takes the time. So what time
steps can share is one call for all of them, and results are written into memory that is there: passed as the
last argument, which a ufunc takes faster than `out=`. Why no bit changes: docs/explanation/notebook.md.
"""

import math
from typing import Final

import numpy as np

from rnn_core.arrays import aligned_empty
from rnn_core.notebook.config import NotebookConfig
from rnn_core.notebook.state import Doubles, Indices, NotebookParameters
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import END_TOKEN

ONE: Final = np.array(1.0)  # a ufunc takes an array faster than a Python float


class Kernel:
    """The parameters in a layout that takes few calls, and scratch memory for the longest name.

    Shorter names use the beginning of the memory, so that what is small stays in the cache. Time lies
    reversed, row r of a name of T steps being time step T - 1 - r: a sum over rows then adds the last time
    step first, as the notebook's backward pass does.

    hidden:  (H,) the carried state, where the last time step of any name lies.
    """

    def __init__(
        self, config: NotebookConfig, parameters: NotebookParameters, hidden: Doubles, longest: int
    ) -> None:
        Wax, Waa, Wya, ba, by = parameters
        V, H = self.V, self.H = Wya.shape
        T = longest + 1
        self.Wax_T = _aligned(Wax.T)  # what one character adds is a row
        self.Wax_rows = list(self.Wax_T)
        self.W = _aligned(np.concatenate([Wya, Waa]))  # updated together
        self.b = _aligned(np.concatenate([by, ba])[:, 0])
        self.Wya, self.Waa, self.by, self.ba = self.W[:V], self.W[V:], self.b[:V], self.b[V:]

        self.z = _aligned(np.zeros(H))
        self.a_and_1 = _aligned(
            np.zeros((T + 1, H + 1))
        )  # hidden states, the carried one last; a column of ones
        self.a_and_1[:, H] = 1.0
        self.a_rows = list(self.a_and_1[:, :H])
        self.hidden = self.a_rows[0]
        self.hidden[...] = hidden
        self.logits = _aligned(np.zeros((T, V)))
        self.peaks = _aligned(np.zeros((T, 1)))
        self.d = _aligned(
            np.zeros((T + 1, V + H))
        )  # row r: d_logits of its step beside d_pre of the one after
        self.d_vector = self.d.reshape(-1)
        self.d_a = _aligned(np.zeros((T, H)))
        self.slopes = _aligned(np.zeros((T, H + 1)))  # of the tanh
        self.backward_rows = list(zip(self.d_a, self.slopes[:, :H], self.d[1:, V:], strict=True))
        self.gradient = _aligned(np.zeros((H + 1) * (V + H) + longest * H))
        W_and_b, d_x = np.split(self.gradient, [(H + 1) * (V + H)])
        self.d_W_and_b = W_and_b.reshape(H + 1, V + H)
        self.d_x = d_x.reshape(longest, H)  # of the rows of Wax_T that were read
        self.d_x_rows = list(self.d_x)
        self.sum_outer_products = _by_einsum if _einsum_rounds_every_product() else _by_products
        self.step_size = np.array(-config.learning_rate)
        self.lowest, self.highest = np.array(-config.clip), np.array(config.clip)

    @property
    def parameters(self) -> NotebookParameters:
        """Copies of the parameters in the notebook's layout."""
        Waa, Wya, ba, by = (part.copy() for part in (self.Waa, self.Wya, self.ba[:, None], self.by[:, None]))
        return NotebookParameters(np.ascontiguousarray(self.Wax_T.T), Waa, Wya, ba, by)

    def target_places(self, names: EncodedNames) -> Indices:
        """(C + N,) where the logit of every target will lie in the flat gradient of its name's logits."""
        targets = np.insert(names.tokens.astype(np.int64), names.offsets[1:], END_TOKEN)
        counts = names.lengths + 1
        rows = np.repeat(np.cumsum(counts), counts) - 1 - np.arange(len(targets))
        places: Indices = rows * (self.V + self.H) + targets
        return places

    def learn(self, tokens: list[int], places: Indices) -> Doubles:
        """One step downhill on one name; the probabilities, (T,), that each of its targets had before it.

        places:  (T,) of the targets, from `target_places`.
        """
        steps = len(places)
        self._forward(tokens, steps)
        probabilities = self._softmax(places, steps)
        self._backward(steps)
        self._descend(tokens, steps)
        return probabilities

    def _forward(self, tokens: list[int], steps: int) -> None:
        """Computes the hidden states, from the carried one to the one that will be carried."""
        z, ba, Wax_rows, product, add, tanh = self.z, self.ba, self.Wax_rows, self.Waa.dot, np.add, np.tanh
        a, *a_rows = self.a_rows[steps::-1]
        a[...] = self.hidden
        add(product(a, z), ba, z)  # *the zero vector first*
        a = tanh(z, a_rows[0])
        for token, a_next in zip(tokens, a_rows[1:], strict=True):
            add(Wax_rows[token], product(a, z), z)
            add(z, ba, z)
            a = tanh(z, a_next)

    def _softmax(self, places: Indices, steps: int) -> Doubles:
        """Computes d_logits from the hidden states; the probabilities, (T,), of the targets."""
        logits, peaks, d = self.logits[:steps], self.peaks[:steps], self.d_vector
        np.matvec(self.Wya, self.a_and_1[:steps, : self.H], logits)
        np.add(logits, self.by, logits)
        np.maximum.reduce(logits, axis=1, keepdims=True, out=peaks)
        np.subtract(logits, peaks, logits)
        np.exp(logits, logits)
        np.add.reduce(logits, axis=1, keepdims=True, out=peaks)
        np.divide(logits, peaks, self.d[:steps, : self.V])
        self.d[steps, : self.V].fill(0.0)  # beside d_pre of the first time step there is none
        probabilities = d[places]
        d[places] = probabilities - ONE
        return probabilities

    def _backward(self, steps: int) -> None:
        """Computes d_pre, the gradient before the tanh, of every time step."""
        z, product, add, multiply = self.z, self.Waa.T.dot, np.add, np.multiply
        np.matvec(self.Wya.T, self.d[:steps, : self.V], self.d_a[:steps])
        a_and_1, slopes = self.a_and_1[:steps], self.slopes[:steps]
        np.multiply(a_and_1, a_and_1, slopes)  # the column of ones as well: what is in one piece is faster
        np.subtract(ONE, slopes, slopes)
        last, *before = self.backward_rows[:steps]
        d_pre = multiply(*last)
        for d_a, slope, d_pre_before in before:
            add(d_a, product(d_pre, z), d_a)
            d_pre = multiply(d_a, slope, d_pre_before)

    def _descend(self, tokens: list[int], steps: int) -> None:
        """Clips the gradient of every parameter, and takes the step against it."""
        gradient, Wax_rows, add = (
            self.gradient[: self.d_W_and_b.size + (steps - 1) * self.H],
            self.Wax_rows,
            np.add,
        )
        self.sum_outer_products(self.a_and_1[: steps + 1], self.d[: steps + 1], self.d_W_and_b)
        self.d_x[: steps - 1] = self.d[1:steps, self.V :]
        read: dict[
            int, Doubles
        ] = {}  # by token: where it was read last, the sum over all its readings gathers
        for token, d_x in zip(reversed(tokens), self.d_x_rows):  # noqa: B905  a longer name has more rows
            if token in read:
                add(read[token], d_x, read[token])
            else:
                read[token] = d_x
        gradient.clip(self.lowest, self.highest, out=gradient)
        np.multiply(gradient, self.step_size, gradient)
        add(self.W, self.d_W_and_b[:-1].T, self.W)
        add(self.b, self.d_W_and_b[-1], self.b)
        for token, d_x in read.items():
            add(Wax_rows[token], d_x, Wax_rows[token])


def _by_einsum(left: Doubles, right: Doubles, out: Doubles) -> None:
    """out, (M, N): the outer products of the rows of (R, M) and (R, N), added first row to last."""
    np.einsum("rm,rn->mn", left, right, out=out)


def _by_products(left: Doubles, right: Doubles, out: Doubles) -> None:
    """The same where einsum would not round every product: twice as slow."""
    np.add.reduce(left[:, :, None] * right[:, None, :], axis=0, out=out)


def _einsum_rounds_every_product() -> bool:
    """Whether einsum multiplies, rounds, adds and rounds again.

    Where NumPy is built for processors that all have a fused multiply-add (those of ARM, for one), it rounds
    once.
    """
    factor = 1.0 + 2.0**-30  # its square needs 61 bits
    left = np.array([[-(factor * factor)], [factor]])
    right = np.array([[1.0], [factor]]) * np.ones(19)  # whole vectors, and what is left over
    out = np.empty((1, 19))
    _by_einsum(left, right, out)
    return not out.any()


def _aligned(values: Doubles) -> Doubles:
    copy: Doubles = aligned_empty(math.prod(values.shape), np.float64).view(np.float64).reshape(values.shape)
    copy[...] = values
    return copy
