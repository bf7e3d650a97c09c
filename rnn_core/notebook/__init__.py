"""The notebook's recipe, bit for bit: `recipe` reads like the notebook, `kernel` is what makes it fast.

Source: A. Karpathy, "The Unreasonable Effectiveness of Recurrent Neural Networks" (2015), min-char-rnn, in
the form that the "dinosaur island" exercise gave it, with the parameters named as there.
"""

from rnn_core.notebook.config import NotebookConfig
from rnn_core.notebook.recipe import (
    NotebookProgress,
    NotebookReport,
    as_network,
    shuffled_order,
    train,
)
from rnn_core.notebook.state import NotebookParameters, NotebookState
from rnn_core.notebook.transcript import printed_name, transcript

__all__ = [
    "NotebookConfig",
    "NotebookParameters",
    "NotebookProgress",
    "NotebookReport",
    "NotebookState",
    "as_network",
    "printed_name",
    "shuffled_order",
    "train",
    "transcript",
]
