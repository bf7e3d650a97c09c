"""Muon: every direction of a matrix moves by the same length, whatever the gradient's singular values.

    m <- mu m + (1 - mu) g,   u = mu m + (1 - mu) g                a moving average, and Nesterov's look ahead
    X_0 = u / |u|,   X_{k+1} = a_k X_k + (b_k A + c_k A^2) X_k,   A = X_k X_k^T
    the step is 0.2 sqrt(H) X_3

X_3 has the singular vectors of u, and singular values around 1. With 0.2 sqrt(H) its elements have the root
mean square that Adam's steps have, so that both can have one learning rate and one weight decay.

Sources: K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024); the polynomials:
N. Amsel et al., "The Polar Express: Optimal Matrix Sign Methods and Their Application to the Muon Algorithm",
arXiv 2505.16932 (2025); the factor: J. Liu et al., "Muon is Scalable for LLM Training", arXiv 2502.16982
(2025).
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from rnn_core.arrays import Floats
from rnn_core.train.optimizers import Optimizer, OptimizerState, chunks_of

MOMENTUM = 0.95
ROOT_MEAN_SQUARE = 0.2  # of the elements of a step, about that of Adam's

# The first three polynomials of the paper's listing, each the best for the singular values that the one
# before can leave of 0.001 to 1. The listing goes on to divide their arguments by 1.01, for safety with the
# rounding of bfloat16; float32 does not need that.
POLAR_EXPRESS = (
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
)


def muon(segments: Sequence[slice], orthogonalize: Callable[[Floats], object]) -> Optimizer:
    """Muon, for the matrices that these segments of the vector hold; the rest of it stays as it is.

    orthogonalize:  applies `orthogonal_step` to every matrix of the whole step, given the slice that is
                    updated here, of which a matrix may be partly outside.
    """

    def init(parameters: Floats) -> OptimizerState:
        return (np.zeros_like(parameters),)

    def update(step: Floats, state: OptimizerState, _parameters: Floats) -> Floats:
        (average,) = state
        for chunk in chunks_of(segments):
            g, m = step[chunk], average[chunk]
            g *= 1.0 - MOMENTUM
            m *= MOMENTUM
            m += g
            g += MOMENTUM * m
        orthogonalize(step)
        return step

    return Optimizer(init, update)


def orthogonal_step(matrix: Floats) -> None:
    """Replaces a square matrix, (H, H), by 0.2 sqrt(H) times about its orthogonal factor; 0 stays 0.

    The singular values of the factor lie between 0.13 and 1.87, if those of the matrix are above a thousandth
    of its norm; smaller ones grow by up to 134 times.
    """
    norm = math.sqrt(np.vdot(matrix, matrix))
    if not norm:  # as that of the first step: the output layer begins with zeros
        return
    size = len(matrix)
    X, scratch = matrix / norm, np.empty_like(matrix)
    A, B = np.empty_like(matrix), np.empty_like(matrix)
    for a, b, c in POLAR_EXPRESS:
        np.matmul(X, X.T, out=A)  # a product with its own transpose takes half the work
        np.matmul(A, A.T, out=B)
        B *= c
        A *= b
        B += A
        B.flat[:: size + 1] += a
        X, scratch = np.matmul(B, X, out=scratch), X
    np.multiply(X, ROOT_MEAN_SQUARE * math.sqrt(size), out=matrix)
