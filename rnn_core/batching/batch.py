"""What the cells walk through: names as rows, step by step, each with the row that it follows.

How names are laid out in rows is said in `rnn_core.batching.batches`.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Floats, Workspace
from rnn_core.text.vocabulary import END_TOKEN

Indices = npt.NDArray[np.int64]


class Branches(NamedTuple):
    """Who follows whom from one step to the next where prefixes part: C rows follow P rows.

    parent_span:     where those P stand among all the rows that are followed, `Batch.parent_rows`.
    parents:   (C,) in [0, P), the row that each row follows.
    first:     (P,) for every row that is followed, the first that follows it, as a row of the batch.
    forks:     (K,) in [0, P), the rows that more than one follows.
    children:  (E,) all that follow a fork, as rows of the batch.
    ones:      (E,) in [0, K E), where the flat (K, E) matrix of which fork each child follows is one.
    """

    parent_span: slice
    parents: Indices
    first: Indices
    forks: Indices
    children: Indices
    ones: Indices


class Step(NamedTuple):
    """One time step of a batch: C rows."""

    rows: slice
    previous: slice | None  # the P rows of the step before that they follow; None at the first step
    branches: Branches | None  # None: row by row, so C is P


class ChainRun(NamedTuple):
    """Consecutive steps in which every row follows one of its own."""

    parent_span: slice  # what is followed, as a part of `Batch.parent_rows`
    rows: slice  # what follows it


class Targets(NamedTuple):
    """The characters that came next: E of them, each once for every row.

    rows:       (E,) the row that it comes after.
    tokens:     (E,) the character.
    counts:     (E,) how many names go on so.
    row_counts:     (N,) how many names go through each row: the sum of its counts.
    total:      how many characters, end tokens included, are in the names one by one.
    """

    rows: Indices
    tokens: Indices
    counts: npt.NDArray[np.float32]
    row_counts: npt.NDArray[np.float32]
    total: int


class Batch(NamedTuple):
    """B names in N rows, as the cells walk through them.

    tokens:    (N,) the characters read, time step by time step.
    targets:    the characters that came next.
    steps:     the time steps, first to last.
    followed:  (R,) the rows that some row of the next step follows, in order.
    largest_step:    rows of the largest step.
    runs:      the steps without branches.
    """

    tokens: Indices
    targets: Targets
    steps: tuple[Step, ...]
    parent_rows: Indices
    largest_step: int
    runs: tuple[ChainRun, ...]

    @property
    def size(self) -> int:
        """N, the number of rows."""
        return len(self.tokens)

    @property
    def names(self) -> Indices:
        """(C,) in [0, B), the name that each character of a packed batch belongs to, step by step."""
        return np.concatenate([np.arange(width) for width in self._widths])

    @property
    def places(self) -> Indices:
        """(C,) in [0, E), which of `targets` each character of a packed batch is, step by step."""
        count, second, *_ = *self._widths, 0
        beginnings = np.full(count, END_TOKEN, dtype=np.int64)  # of empty names
        beginnings[:second] = self.tokens[1 : 1 + second]
        letters = len(self.targets.tokens) - (self.size - 1)
        place = np.searchsorted(self.targets.tokens[:letters], beginnings)
        return np.concatenate([place, np.arange(letters, len(self.targets.tokens))])

    @property
    def _widths(self) -> list[int]:
        """How many names run at each step."""
        later = [step.rows.stop - step.rows.start for step in self.steps[1:]]
        return [int(self.targets.row_counts[0]), *later]

    def to_children(self, step: Step, values: Floats, workspace: Workspace) -> Floats:
        """To each row of a step what belongs to the row it follows.

        values:  (..., P, H), to (..., C, H), or to (..., 1, H) if all follow one.
        """
        if step.branches is None or values.shape[-2] == 1:
            return values
        parents = step.branches.parents
        spread = workspace.take("spread", *values.shape[:-2], len(parents), values.shape[-1])
        return values.take(parents, axis=-2, out=spread, mode="clip")

    def parent_buffer(self, d_rows: Floats, workspace: Workspace, name: str) -> Floats:
        """Where `collected` leaves its sums, (..., R, H)."""
        return workspace.take(name, *d_rows.shape[:-2], len(self.parent_rows), d_rows.shape[-1])

    def sum_children(self, step: Step, d_rows: Floats, out: Floats, workspace: Workspace) -> Floats:
        """The way back of `spread`: sums over the rows of a step that follow the same row, (..., P, H).

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
        """`out` with all sums: those that `collected` left there, and those of a single row."""
        for run in self.runs:
            out[..., run.parent_span, :] = d_rows[..., run.rows, :]
        return out


def _sum_by_parent(branches: Branches, d_rows: Floats, out: Floats, workspace: Workspace) -> None:
    _, _, first, forks, children, ones = branches
    d_rows.take(first, axis=-2, out=out, mode="clip")
    # A product with ones: quicker than np.add.at and np.add.reduceat, which go element by element.
    follows = workspace.take("follows", len(forks), len(children))
    follows.fill(0.0)
    follows.reshape(-1)[ones] = 1.0
    d_children = workspace.take("spread", *out.shape[:-2], len(children), out.shape[-1])
    out[..., forks, :] = follows @ d_rows.take(children, axis=-2, out=d_children, mode="clip")
