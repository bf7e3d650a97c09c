"""What the notebook prints, to the character."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from rnn_core.notebook.recipe import NotebookReport
from rnn_core.notebook.state import NotebookParameters
from rnn_core.sample.sampler import capitalize_first
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import END_TOKEN


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


def _example_lines(characters: Sequence[str], names: EncodedNames, place: int) -> list[str]:
    """What the notebook prints of its way through the list, and of the first example."""
    lines = [f"j =  {place} idx =  {place % names.count}"]
    if place == 0:
        tokens = names.tokens[: names.offsets[1]].tolist()
        name = [characters[token] for token in tokens]
        lines += [
            f"single_example = {''.join(name)}",
            f"single_example_chars {name}",
            f"single_example_ix {tokens}",
            f" X =  {[None, *tokens]} ",
            f" Y =        {[*tokens, END_TOKEN]} ",
            "",
        ]
    return lines
