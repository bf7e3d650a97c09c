"""What the manifest of a list says of a blend: its styles, and how each of them judges the first names."""

from collections.abc import Sequence
from typing import Any

from rnn_core.sample.sampler import SamplingConfig
from tasks.process import blas
from tasks.stages.lists import ListSampler


def blend_metadata(sampling: SamplingConfig, drawing: ListSampler, names: Sequence[str]) -> dict[str, Any]:
    """For the manifest of a list of a blend; empty for another list.

    names:  the first of the list. With a capital, which the model may not know, none is judged.
    """
    styles = drawing.models.styles
    weights = styles.weights(sampling.style) if styles and sampling.style else {}
    if styles is None or len(weights) < 2:
        return {}
    by_name = {styles.names[number]: weight for number, weight in weights.items()}
    unjudged = [None] * len(names)
    judgements = {
        style: unjudged if sampling.capitalise_first else _judgements(style, drawing, names)
        for style in by_name
    }
    return {"blend": {"weights": by_name, "nats_per_character": judgements}}


def _judgements(style: str, drawing: ListSampler, names: Sequence[str]) -> list[float]:
    """The nats per character of each name in a style, the end included."""
    encoded = drawing.vocabulary.encode(names)
    with blas.one_thread:
        log_p = drawing.models.log_probabilities(encoded, drawing.drawn_from, style)
    nats: list[float] = (-log_p / (encoded.lengths + 1)).tolist()
    return nats
