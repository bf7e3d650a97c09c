"""The notebook's recipe, bit for bit: one name at a time, plain gradient descent, one generator for all.

    a_t = tanh(Wax x_t + Waa a_{t-1} + ba)
    p_t = softmax(Wya a_t + by)

x_t is the one-hot column of the character read at step t, p_t the probabilities of the one that follows. The
loss of a name is the sum of -log p_t[y_t]; every element of its gradient is clipped to -5..5, and the
parameters move against it at a rate of 0.01.

Such training is chaotic: a relative change of 4e-16 in one weight changes what is sampled some thousands of
iterations later. So every rounding is the notebook's own. Which products and sums may be taken together
without changing one, and on which machines: docs/explanation/notebook.md. The quirks that are kept:

- *the carried state*: a name begins in the hidden state that the name before it ended in;
- *the zero vector first*: the first input of a name is no character at all;
- *the loss from ten characters*: the smoothed loss starts where ten characters guessed blindly would stand;
- *the capital*: a sampled name is printed with its first letter upper-cased;
- *the cut at 50*: sampling stops after 50 characters, in the middle of a word if need be.

Source: A. Karpathy, "The Unreasonable Effectiveness of Recurrent Neural Networks" (2015), min-char-rnn, in
the form that the "dinosaur island" exercise gave it, with the parameters named as there.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import aligned_empty
from rnn_core.errors import DataError, TrainingError
from rnn_core.metrics.scoring import check_tokens
from rnn_core.nn import network
from rnn_core.nn.cells import elman
from rnn_core.sample.sampler import capitalize_first
from rnn_core.state_dict import check_arrays, invalid_checkpoint
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import END_TOKEN
from rnn_core.validators import check_positive, check_whole

Doubles = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

PACE: Final = 100  # iterations between two yields at most: a hundredth of a second
START_SCALE: Final = 0.01  # of the parameters that are drawn
OF_THE_OLD_LOSS, OF_THE_NEW_LOSS = 0.999, 0.001  # in the smoothed one
ONE: Final = np.array(1.0)  # a ufunc takes an array faster than a Python float


@dataclass(frozen=True, slots=True)
class NotebookConfig:
    """The notebook's own numbers. Every one of them changes what comes out.

    iterations:            names trained on; the list is gone through again and again.
    clip:                  largest element of a gradient.
    report_every:          iterations from one report to the next; the first is that of iteration 0.
    names_per_report:      names sampled for a report. They use the generator that drew the parameters.
    max_length:            characters after which a sampled name is cut.
    smoothing_characters:  the smoothed loss starts at that of so many characters guessed blindly.
    """

    iterations: int = 22_001
    hidden_size: int = 50
    learning_rate: float = 0.01
    clip: float = 5.0
    report_every: int = 2_000
    names_per_report: int = 10
    max_length: int = 50
    smoothing_characters: int = 10
    seed: int = 42

    def __post_init__(self) -> None:
        for name, lowest, highest in (
            ("iterations", 1, 1 << 40),
            ("hidden_size", 1, 1 << 14),
            ("report_every", 1, 1 << 40),
            ("names_per_report", 0, 1 << 20),
            ("max_length", 1, 1 << 20),
            ("smoothing_characters", 1, 1 << 20),
            ("seed", 0, (1 << 32) - 1),  # all that the generator takes
        ):
            check_whole(f"notebook.{name}", getattr(self, name), lowest, highest)
        for name in ("learning_rate", "clip"):
            check_positive(f"notebook.{name}", getattr(self, name))


class NotebookParameters(NamedTuple):
    """In the notebook's layout: a product has its matrix on the left, a vector is a column."""

    Wax: Doubles  # (H, V)
    Waa: Doubles  # (H, H)
    Wya: Doubles  # (V, H)
    ba: Doubles  # (H, 1)
    by: Doubles  # (V, 1)


@dataclass(slots=True, eq=False, repr=False)
class NotebookState:
    """All that training needs to go on. `train` changes it in place; `arrays` is a copy to keep.

    iteration:      iterations done.
    smoothed_loss:  in nats per name.
    Wax_T:          (V, H) Wax transposed: what one character adds is a row.
    W, b:           (V + H, H) Wya over Waa, and (V + H,) by before ba: they are updated together.
    hidden:         (H,) the carried state.
    rng:            drew the parameters, then the order of the names, and samples since.
    """

    iteration: int
    smoothed_loss: float
    Wax_T: Doubles
    W: Doubles
    b: Doubles
    hidden: Doubles
    rng: np.random.RandomState
    Wya: Doubles = field(init=False)
    Waa: Doubles = field(init=False)
    by: Doubles = field(init=False)
    ba: Doubles = field(init=False)
    Wax_rows: list[Doubles] = field(init=False)

    def __post_init__(self) -> None:
        vocabulary_size = len(self.Wax_T)
        self.Wya, self.Waa = self.W[:vocabulary_size], self.W[vocabulary_size:]
        self.by, self.ba = self.b[:vocabulary_size], self.b[vocabulary_size:]
        self.Wax_rows = list(self.Wax_T)

    @classmethod
    def start(cls, config: NotebookConfig, vocabulary_size: int, count: int) -> "NotebookState":
        """Before the first of `count` names: parameters drawn, list shuffled, nothing learned."""
        rng = np.random.RandomState(config.seed)
        parameters = _drawn_parameters(rng, config, vocabulary_size)
        _shuffled(rng, count)
        blind = -np.log(1.0 / vocabulary_size)
        loss = float(blind * config.smoothing_characters)
        return cls._of(0, loss, parameters, np.zeros(config.hidden_size), rng)

    @classmethod
    def _of(
        cls,
        iteration: int,
        smoothed_loss: float,
        parameters: NotebookParameters,
        hidden: Doubles,
        rng: np.random.RandomState,
    ) -> "NotebookState":
        Wax, Waa, Wya, ba, by = parameters
        return cls(
            iteration,
            smoothed_loss,
            Wax_T=_aligned_copy(Wax.T),
            W=_aligned_copy(np.concatenate([Wya, Waa])),
            b=_aligned_copy(np.concatenate([by, ba])[:, 0]),
            hidden=hidden,
            rng=rng,
        )

    @property
    def parameters(self) -> NotebookParameters:
        """Copies."""
        return NotebookParameters(
            Wax=np.ascontiguousarray(self.Wax_T.T),
            Waa=self.Waa.copy(),
            Wya=self.Wya.copy(),
            ba=self.ba[:, None].copy(),
            by=self.by[:, None].copy(),
        )

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Everything, as copies under names: ready to be written while training goes on."""
        generator: Any = self.rng.get_state(legacy=False)
        return {
            "iteration": np.array(self.iteration),
            "smoothed_loss": np.array(self.smoothed_loss),
            **self.parameters._asdict(),
            "hidden": self.hidden.copy(),
            "rng.key": generator["state"]["key"].copy(),
            "rng.position": np.array(generator["state"]["pos"]),
            "rng.has_gauss": np.array(generator["has_gauss"]),
            "rng.gauss": np.array(generator["gauss"]),
        }

    @classmethod
    def from_arrays(
        cls, config: NotebookConfig, vocabulary_size: int, arrays: Mapping[str, npt.NDArray[Any]]
    ) -> "NotebookState":
        """What `arrays` gave, in arrays of its own.

        Raises DataError if names, types, shapes or values are not those of such a training.
        """
        check_arrays(cls.start(config, vocabulary_size, 0).arrays(), arrays)
        _check_values(config, arrays)
        rng = np.random.RandomState()
        rng.set_state(
            (
                "MT19937",
                arrays["rng.key"],
                arrays["rng.position"].item(),
                arrays["rng.has_gauss"].item(),
                arrays["rng.gauss"].item(),
            )
        )
        return cls._of(
            arrays["iteration"].item(),
            arrays["smoothed_loss"].item(),
            NotebookParameters(*(arrays[name] for name in NotebookParameters._fields)),
            arrays["hidden"].copy(),
            rng,
        )


class NotebookReport(NamedTuple):
    """What the notebook prints from time to time."""

    iteration: int
    smoothed_loss: float  # nats per name
    names: list[list[int]]  # sampled, as tokens; the end token is left out


class NotebookProgress(NamedTuple):
    """Where training stands after an iteration."""

    iteration: int  # the last one done, counted from 0
    iterations: int  # how many there will be
    smoothed_loss: float  # nats per name
    names: list[list[int]] | None  # sampled, as tokens without the end, if the notebook reports here
    state: NotebookState  # the living state: ask it for `arrays()` before the next iteration

    @property
    def report(self) -> NotebookReport | None:
        if self.names is None:
            return None
        return NotebookReport(self.iteration, self.smoothed_loss, self.names)


def shuffled_order(config: NotebookConfig, vocabulary_size: int, count: int) -> Places:
    """(count,) the notebook's order of a list of so many names: its first example is the one at order[0].

    The generator draws the parameters before it shuffles, so their sizes change the order.
    """
    rng = np.random.RandomState(config.seed)
    _drawn_parameters(rng, config, vocabulary_size)
    return _shuffled(rng, count)


def train(
    config: NotebookConfig, vocabulary_size: int, names: EncodedNames, state: NotebookState | None = None
) -> Iterator[NotebookProgress]:
    """Trains as the notebook does; yields at every report, every hundred iterations, and after the last.

    names:  in the order of `shuffled_order`.
    state:  goes on from here, and changes it. A finished one is yielded once as it is.

    Raises DataError where there is no name to train on or a token is not in the vocabulary, TrainingError
    when a loss or a parameter is no longer a number: what was yielded before is still sound.
    """
    if names.count == 0:
        raise DataError("training.empty", "there is no name to train on", fix="give longer lists.")
    check_tokens(names, vocabulary_size)
    state = state or NotebookState.start(config, vocabulary_size, names.count)
    scratch = _Scratch(config, vocabulary_size, longest=int(names.lengths.max()))
    tokens, starts, places = names.tokens.tolist(), names.offsets.tolist(), scratch.places(names)

    if state.iteration >= config.iterations:
        yield NotebookProgress(state.iteration - 1, config.iterations, state.smoothed_loss, None, state)
    scratch.carried[...] = state.hidden
    while state.iteration < config.iterations:
        probabilities = []
        with np.errstate(all="ignore"):  # what is not a number is found by looking at the losses
            for iteration in range(state.iteration, _next_stop(config, state.iteration)):
                name = iteration % names.count
                start, stop = starts[name], starts[name + 1]
                of_name = places[start + name : stop + name + 1]
                probabilities.append(_learn(state, scratch, tokens[start:stop], of_name))
            _follow_the_loss(config, state, probabilities)
            state.hidden[...] = scratch.carried
            last = state.iteration - 1
            sampled = None
            if last % config.report_every == 0:
                sampled = [_sample(config, state) for _ in range(config.names_per_report)]
        yield NotebookProgress(last, config.iterations, state.smoothed_loss, sampled, state)


def as_network(parameters: NotebookParameters) -> network.NetworkParameters:
    """The same model in the layout of all others, which read the end token where the notebook reads nothing.

    The notebook never feeds the end token, so its row of W_xh is free: it is zero, and adds nothing.
    """
    Wax, Waa, Wya, ba, by = parameters
    W_xh = np.ascontiguousarray(Wax.T)
    W_xh[END_TOKEN] = 0.0
    cell = elman.ElmanParameters(W_xh, np.ascontiguousarray(Waa.T), ba[:, 0].copy())
    return network.NetworkParameters((cell,), np.ascontiguousarray(Wya.T), by[:, 0].copy())


def transcript(
    characters: Sequence[str],
    names: EncodedNames,
    reports: Iterable[NotebookReport],
    iterations: int,
    sources: Mapping[str, int],
    parameters: NotebookParameters | None = None,
) -> str:
    """What the notebook prints, to the character.

    characters:  of the vocabulary, by token.
    names:       in the order of `shuffled_order`.
    sources:     names of the lists, as the first line shows them, and how many names each gave.
    parameters:  if given, the sum and the sum of absolute values of each come last.
    """
    heading = [f"{source} {count}" for source, count in sources.items()]
    lines = [" ".join([*heading, f"vocab {len(characters)}"])]
    marked = sorted({place for place in (0, names.count - 1, names.count) if place < iterations})
    last = ""
    for report in reports:
        while marked and marked[0] <= report.iteration:
            lines += _example_lines(characters, names, marked.pop(0))
        printed = [printed_name(name, characters) for name in report.names]
        lines += [f"Iteration: {report.iteration}, Loss: {report.smoothed_loss:f}", "", *printed, "", ""]
        last = printed[-1] if printed else last
    for place in marked:
        lines += _example_lines(characters, names, place)
    lines.append(f"last {last}")
    if parameters is not None:
        sums = zip(NotebookParameters._fields, parameters, strict=True)
        lines += ["", *(f"{field} {value.sum()} {np.abs(value).sum()}" for field, value in sums)]
    return "\n".join(lines) + "\n"


def printed_name(tokens: Iterable[int], characters: Sequence[str]) -> str:
    """A sampled name as the notebook prints it: *the capital*."""
    return capitalize_first("".join(characters[token] for token in tokens))


@dataclass(slots=True, eq=False, repr=False)
class _Steps:
    """Scratch for names that take T time steps: views of the memory that all names share.

    Time lies reversed, row r being time step T - 1 - r: a sum over rows then adds the last time step first,
    as the notebook's way back does.
    """

    a_and_1: Doubles  # (T + 1, H + 1) hidden states, the carried one last, and a column of ones
    a: Doubles  # (T, H) without the carried one
    a_before: Doubles  # (H,) the carried one
    a_rows: list[Doubles]  # T of (H,), in time's order
    logits: Doubles  # (T, V)
    peaks: Doubles  # (T, 1)
    d: Doubles  # (T + 1, V + H) row r: d_logits of its time step beside d_pre of the one after
    d_logits: Doubles  # (T, V)
    d_logits_before: Doubles  # (V,) beside d_pre of the first time step: there are none, it is zero
    d_pre_of_read: Doubles  # (T - 1, H) of the time steps that read a character
    d_a: Doubles  # (T, H)
    slopes: Doubles  # (T, H + 1) of the tanh
    way_back: list[tuple[Doubles, Doubles, Doubles]]  # T of d_a, slope and d_pre, (H,) each, against time
    gradient: Doubles  # all of it as a vector
    d_x: Doubles  # (T - 1, H) the part of it that goes to the rows of Wax_T that were read


class _Scratch:
    """Memory for the longest name; shorter ones use its beginning, so what is small stays in the cache."""

    def __init__(self, config: NotebookConfig, vocabulary_size: int, longest: int) -> None:
        H, V, T = config.hidden_size, vocabulary_size, longest + 1
        self.H, self.V = H, V
        self.z = _aligned(H)
        self.a_and_1 = _aligned(T + 1, H + 1)
        self.a_and_1[:, H] = 1.0
        self.a_rows = list(self.a_and_1[:, :H])
        self.carried = self.a_rows[0]  # where the last time step of any name lies
        self.logits = _aligned(T, V)
        self.peaks = _aligned(T, 1)
        self.d = _aligned(T + 1, V + H)
        self.d_vector = self.d.reshape(-1)
        self.d_a = _aligned(T, H)
        self.slopes = _aligned(T, H + 1)
        self.way_back = list(zip(self.d_a, self.slopes[:, :H], self.d[1:, V:], strict=True))
        self.gradient = _aligned((H + 1) * (V + H) + longest * H)
        W_and_b, d_x = np.split(self.gradient, [(H + 1) * (V + H)])
        self.d_W_and_b = W_and_b.reshape(H + 1, V + H)
        self.d_W, self.d_b = self.d_W_and_b[:H].T, self.d_W_and_b[H]
        self.d_x = d_x.reshape(longest, H)
        self.d_x_rows = list(self.d_x)
        self.sum_outer_products = _by_einsum if _einsum_rounds_every_product() else _by_products
        self.rate = np.array(-config.learning_rate)
        self.lowest, self.highest = np.array(-config.clip), np.array(config.clip)
        self._steps: dict[int, _Steps] = {}

    def places(self, names: EncodedNames) -> Places:
        """(C + N,) where in `d_vector` the logit of every target will lie, name after name."""
        targets = np.insert(names.tokens.astype(np.int64), names.offsets[1:], END_TOKEN)
        counts = names.lengths + 1
        rows = np.repeat(np.cumsum(counts), counts) - 1 - np.arange(len(targets))
        return rows * (self.V + self.H) + targets

    def steps(self, T: int) -> _Steps:
        if T not in self._steps:
            self._steps[T] = self._made(T)
        return self._steps[T]

    def _made(self, T: int) -> _Steps:
        H, V = self.H, self.V
        d = self.d[: T + 1]
        return _Steps(
            a_and_1=self.a_and_1[: T + 1],
            a=self.a_and_1[:T, :H],
            a_before=self.a_rows[T],
            a_rows=self.a_rows[:T][::-1],
            logits=self.logits[:T],
            peaks=self.peaks[:T],
            d=d,
            d_logits=d[:T, :V],
            d_logits_before=d[T, :V],
            d_pre_of_read=d[1:T, V:],
            d_a=self.d_a[:T],
            slopes=self.slopes[:T],
            way_back=self.way_back[:T],
            gradient=self.gradient[: self.d_W_and_b.size + (T - 1) * H],
            d_x=self.d_x[: T - 1],
        )


# Below, arrays are written where they are wanted by passing them as the last argument, which a ufunc takes
# faster than `out=`. A name of 15 characters takes some 100 calls, and the calls are what takes the time.


def _learn(state: NotebookState, scratch: _Scratch, tokens: list[int], places: Places) -> Doubles:
    """One step downhill on one name; the probabilities, (T,), that each of its targets had before it.

    places:  (T,) of the targets, from `_Scratch.places`.
    """
    steps = scratch.steps(len(places))
    _read(state, scratch, steps, tokens)
    probabilities = _guess(state, scratch, steps, places)
    _go_back(state, scratch, steps)
    _descend(state, scratch, steps, tokens)
    return probabilities


def _read(state: NotebookState, scratch: _Scratch, steps: _Steps, tokens: list[int]) -> None:
    """Hidden states, from the carried one to the one that will be carried."""
    z, ba, Wax_rows, product, add, tanh = scratch.z, state.ba, state.Wax_rows, state.Waa.dot, np.add, np.tanh
    steps.a_before[...] = scratch.carried
    a_rows = iter(steps.a_rows)
    add(product(steps.a_before, z), ba, z)  # *the zero vector first*
    a = tanh(z, next(a_rows))
    for token, a_next in zip(tokens, a_rows, strict=True):
        add(Wax_rows[token], product(a, z), z)
        add(z, ba, z)
        a = tanh(z, a_next)


def _guess(state: NotebookState, scratch: _Scratch, steps: _Steps, places: Places) -> Doubles:
    """d_logits from the hidden states; the probabilities, (T,), of the targets."""
    logits, peaks, d = steps.logits, steps.peaks, scratch.d_vector
    np.matvec(state.Wya, steps.a, logits)
    np.add(logits, state.by, logits)
    np.maximum.reduce(logits, axis=1, keepdims=True, out=peaks)
    np.subtract(logits, peaks, logits)
    np.exp(logits, logits)
    np.add.reduce(logits, axis=1, keepdims=True, out=peaks)
    np.divide(logits, peaks, steps.d_logits)
    steps.d_logits_before.fill(0.0)
    probabilities = d[places]
    d[places] = probabilities - ONE
    return probabilities


def _go_back(state: NotebookState, scratch: _Scratch, steps: _Steps) -> None:
    """d_pre, the gradient before the tanh, of every time step."""
    z, product, add, multiply = scratch.z, state.Waa.T.dot, np.add, np.multiply
    np.matvec(state.Wya.T, steps.d_logits, steps.d_a)
    a_and_1 = steps.a_and_1[:-1]
    np.multiply(a_and_1, a_and_1, steps.slopes)  # the column of ones as well: what is in one piece is faster
    np.subtract(ONE, steps.slopes, steps.slopes)
    way_back = iter(steps.way_back)
    d_pre = multiply(*next(way_back))
    for d_a, slope, d_pre_before in way_back:
        add(d_a, product(d_pre, z), d_a)
        d_pre = multiply(d_a, slope, d_pre_before)


def _descend(state: NotebookState, scratch: _Scratch, steps: _Steps, tokens: list[int]) -> None:
    """The gradient of every parameter, clipped, and the step against it."""
    gradient, Wax_rows, add = steps.gradient, state.Wax_rows, np.add
    scratch.sum_outer_products(steps.a_and_1, steps.d, scratch.d_W_and_b)
    steps.d_x[...] = steps.d_pre_of_read
    read: dict[int, Doubles] = {}  # by token: where it was read last, the sum over all its readings gathers
    for token, d_x in zip(reversed(tokens), scratch.d_x_rows):  # noqa: B905  a longer name has more rows
        if token in read:
            add(read[token], d_x, read[token])
        else:
            read[token] = d_x
    gradient.clip(scratch.lowest, scratch.highest, out=gradient)
    np.multiply(gradient, scratch.rate, gradient)
    add(state.W, scratch.d_W, state.W)
    add(state.b, scratch.d_b, state.b)
    for token, d_x in read.items():
        add(Wax_rows[token], d_x, Wax_rows[token])


def _by_einsum(left: Doubles, right: Doubles, out: Doubles) -> None:
    """out, (M, N): the outer products of the rows of (R, M) and (R, N), added first row to last."""
    np.einsum("rm,rn->mn", left, right, out=out)


def _by_products(left: Doubles, right: Doubles, out: Doubles) -> None:
    """The same where einsum would not round every product: twice as slow."""
    np.add.reduce(left[:, :, None] * right[:, None, :], axis=0, out=out)


def _einsum_rounds_every_product() -> bool:
    """Whether einsum multiplies, rounds, adds and rounds again. Where NumPy is built for processors that all
    have a fused multiply-add (those of ARM, for one), it rounds once."""
    factor = 1.0 + 2.0**-30  # its square needs 61 bits
    left = np.array([[-(factor * factor)], [factor]])
    right = np.array([[1.0], [factor]]) * np.ones(19)  # whole vectors, and what is left over
    out = np.empty((1, 19))
    _by_einsum(left, right, out)
    return not out.any()


def _follow_the_loss(config: NotebookConfig, state: NotebookState, probabilities: list[Doubles]) -> None:
    """Counts the names learned and smooths their losses. Raises TrainingError."""
    steps = np.array([len(of_name) for of_name in probabilities])
    log_p = np.zeros((len(steps), steps.max()))
    log_p[np.arange(steps.max()) < steps[:, None]] = np.log(np.concatenate(probabilities))
    for loss in np.subtract.reduce(log_p, axis=1, initial=0.0).tolist():
        if not math.isfinite(loss):
            raise _diverged(config, state.iteration, f"loss {loss}")
        state.smoothed_loss = state.smoothed_loss * OF_THE_OLD_LOSS + loss * OF_THE_NEW_LOSS
        state.iteration += 1
    for parameters in (state.W, state.b, state.Wax_T):
        if not np.isfinite(parameters).all():
            raise _diverged(config, state.iteration - 1, "a parameter that is no finite number")


def _sample(config: NotebookConfig, state: NotebookState) -> list[int]:
    """A name as tokens without its end: *the cut at 50*, *the zero vector first*."""
    tokens: list[int] = []
    z = state.Waa @ np.zeros(config.hidden_size)
    while len(tokens) < config.max_length:
        a = np.tanh(z + state.ba)
        logits = state.Wya.dot(a) + state.by
        e = np.exp(logits - logits.max())
        if not math.isfinite(e.sum()):
            raise _diverged(config, state.iteration - 1, "probabilities that are no numbers")
        token = int(state.rng.choice(len(e), p=e / e.sum()))
        if token == END_TOKEN:
            break
        tokens.append(token)
        z = state.Wax_T[token] + state.Waa.dot(a)
    return tokens


def _next_stop(config: NotebookConfig, done: int) -> int:
    """How many iterations will be done at the next yield."""
    report = -(-done // config.report_every) * config.report_every + 1
    pace = (done // PACE + 1) * PACE
    return min(report, pace, config.iterations)


def _drawn_parameters(rng: np.random.RandomState, config: NotebookConfig, V: int) -> NotebookParameters:
    H = config.hidden_size
    return NotebookParameters(
        Wax=rng.randn(H, V) * START_SCALE,
        Waa=rng.randn(H, H) * START_SCALE,
        Wya=rng.randn(V, H) * START_SCALE,
        ba=np.zeros((H, 1)),
        by=np.zeros((V, 1)),
    )


def _shuffled(rng: np.random.RandomState, count: int) -> Places:
    order = np.arange(count)
    rng.shuffle(order)
    return order


def _aligned(*shape: int) -> Doubles:
    vector = aligned_empty(math.prod(shape), np.float64).view(np.float64)
    vector[:] = 0.0
    return vector.reshape(shape)


def _aligned_copy(values: Doubles) -> Doubles:
    copy = _aligned(*values.shape)
    copy[...] = values
    return copy


def _example_lines(characters: Sequence[str], names: EncodedNames, place: int) -> list[str]:
    """What the notebook tells of its way through the list, and of the first example."""
    lines = [f"j =  {place} idx =  {place % names.count}"]
    if place == 0:
        tokens = names.tokens[: names.offsets[1]].tolist()
        letters = [characters[token] for token in tokens]
        lines += [
            f"single_example = {''.join(letters)}",
            f"single_example_chars {letters}",
            f"single_example_ix {tokens}",
            f" X =  {[None, *tokens]} ",
            f" Y =        {[*tokens, END_TOKEN]} ",
            "",
        ]
    return lines


def _diverged(config: NotebookConfig, iteration: int, saw: str) -> TrainingError:
    return TrainingError(
        "training.diverged",
        "the loss or the parameters are no longer finite numbers",
        where=f"iteration {iteration}, learning rate {config.learning_rate:.3g}",
        saw=saw,
        fix="lower learning_rate (a third of it is a good next try) or clip.",
    )


def _check_values(config: NotebookConfig, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    for name, highest in (("iteration", config.iterations), ("rng.position", 624), ("rng.has_gauss", 1)):
        if not 0 <= arrays[name] <= highest:
            raise invalid_checkpoint(name, f"{arrays[name]}, not from 0 to {highest}")
    for name in ("smoothed_loss", "hidden", "rng.gauss", *NotebookParameters._fields):
        if not np.isfinite(arrays[name]).all():
            raise invalid_checkpoint(name, "numbers that are not finite")
