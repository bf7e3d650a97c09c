"""A batch as the cells walk through it: rows, step by step, each with its parent row.

How names are laid out in rows: `rnn_core.batching.batches`.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Floats, Workspace
from rnn_core.text.vocabulary import END_TOKEN

Indices = npt.NDArray[np.int64]


class Branches(NamedTuple):
    """The links from one step to the next where prefixes part: C child rows of P parent rows.

    parent_span:  where those P stand in `Batch.parent_rows`.
    parent_of:    (C,) in [0, P), the parent of each row.
    first_child:  (P,) the first child of each parent, as a row of the batch.
    forks:        (K,) in [0, P), the parents with more than one child.
    children:     (E,) all children of forks, as rows of the batch.
    ones:         (E,) in [0, K E), where the flat (K, E) matrix of which fork each child belongs to is one.
    """

    parent_span: slice
    parent_of: Indices
    first_child: Indices
    forks: Indices
    children: Indices
    ones: Indices


class Step(NamedTuple):
    """One time step of a batch: C rows."""

    rows: slice
    previous: slice | None  # the P parent rows, in the step before; None at the first step
    branches: Branches | None  # None: one child for each parent, in order, so C is P


class ChainRun(NamedTuple):
    """Consecutive steps in which every parent has one child."""

    parent_span: slice  # the parents, as a part of `Batch.parent_rows`
    rows: slice  # their children


class Targets(NamedTuple):
    """The characters to predict: E of them, each once for every row.

    rows:        (E,) the row that predicts it.
    tokens:      (E,) the character.
    counts:      (E,) how many names have it there.
    row_counts:  (N,) how many names go through each row: the sum of its counts.
    total:       how many characters, end tokens included, the names have one by one.
    """

    rows: Indices
    tokens: Indices
    counts: npt.NDArray[np.float32]
    row_counts: npt.NDArray[np.float32]
    total: int


class Batch(NamedTuple):
    """B names in N rows, as the cells walk through them.

    tokens:        (N,) the characters read, time step by time step.
    targets:       the characters to predict.
    steps:         the time steps, first to last.
    parent_rows:   (R,) the rows that have a child in the next step, in order.
    largest_step:  rows of the largest step.
    chain_runs:    the steps without branches.
    """

    tokens: Indices
    targets: Targets
    steps: tuple[Step, ...]
    parent_rows: Indices
    largest_step: int
    chain_runs: tuple[ChainRun, ...]

    @property
    def size(self) -> int:
        """N, the number of rows."""
        return len(self.tokens)

    @property
    def name_of_character(self) -> Indices:
        """(C,) in [0, B), the name of each character of a packed batch, step by step."""
        return np.concatenate([np.arange(width) for width in self._widths])

    @property
    def target_of_character(self) -> Indices:
        """(C,) in [0, E), which of `targets` each character of a packed batch is, step by step."""
        if self.steps[0].rows.stop > 1:  # names with styles, each with a first row of its own
            return np.arange(self.size)
        count, second, *_ = *self._widths, 0
        first_characters = np.full(count, END_TOKEN, dtype=np.int64)  # of empty names
        first_characters[:second] = self.tokens[1 : 1 + second]
        distinct = len(self.targets.tokens) - (self.size - 1)
        place = np.searchsorted(self.targets.tokens[:distinct], first_characters)
        return np.concatenate([place, np.arange(distinct, len(self.targets.tokens))])

    @property
    def _widths(self) -> list[int]:
        """How many names are active at each step."""
        later = [step.rows.stop - step.rows.start for step in self.steps[1:]]
        return [int(self.targets.row_counts[self.steps[0].rows].sum()), *later]

    def to_children(self, step: Step, values: Floats, workspace: Workspace) -> Floats:
        """To each row of a step the value of its parent.

        values:  (..., P, H), to (..., C, H), or to (..., 1, H) if all have one parent.
        """
        if step.branches is None or values.shape[-2] == 1:
            return values
        parents = step.branches.parent_of
        spread = workspace.take("spread", *values.shape[:-2], len(parents), values.shape[-1])
        return values.take(parents, axis=-2, out=spread, mode="clip")

    def parent_buffer(self, d_rows: Floats, workspace: Workspace, name: str) -> Floats:
        """The array where `sum_children` leaves its sums, (..., R, H)."""
        return workspace.take(name, *d_rows.shape[:-2], len(self.parent_rows), d_rows.shape[-1])

    def sum_children(self, step: Step, d_rows: Floats, out: Floats, workspace: Workspace) -> Floats:
        """The backward pass of `to_children`: sums over the rows of a step with one parent, (..., P, H).

        d_rows:  (..., N, H), of which the rows of the step are read.
        out:     from `parent_buffer`; sums of more than one row are put there.
        """
        d_step = d_rows[..., step.rows, :]
        if step.branches is None:
            return d_step
        sums = out[..., step.branches.parent_span, :]
        if sums.shape[-2] == 1:
            np.matmul(workspace.ones(d_step.shape[-2])[np.newaxis], d_step, out=sums)
        else:
            _sum_by_parent(step.branches, d_rows, sums, workspace)
        return sums

    def complete_sums(self, d_rows: Floats, out: Floats) -> Floats:
        """`out` with all sums: those that `sum_children` left there, and those of a single child."""
        for run in self.chain_runs:
            out[..., run.parent_span, :] = d_rows[..., run.rows, :]
        return out


def _sum_by_parent(branches: Branches, d_rows: Floats, out: Floats, workspace: Workspace) -> None:
    _, _, first_child, forks, children, ones = branches
    d_rows.take(first_child, axis=-2, out=out, mode="clip")
    # A product with ones: faster than np.add.at and np.add.reduceat, which go element by element.
    is_child_of = workspace.take("is_child_of", len(forks), len(children))
    is_child_of.fill(0.0)
    is_child_of.reshape(-1)[ones] = 1.0
    d_children = workspace.take("spread", *out.shape[:-2], len(children), out.shape[-1])
    out[..., forks, :] = is_child_of @ d_rows.take(children, axis=-2, out=d_children, mode="clip")
