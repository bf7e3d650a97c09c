"""The notebook's recipe under the stage `model`: its training, and what it printed on the way."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from artifacts.formats import Arrays
from artifacts.npz import ArrayHeader
from rnn_core import notebook
from rnn_core.state_dict import Layouts, invalid_checkpoint
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import Vocabulary
from tasks.core.stage import StageContext
from tasks.stages.checkpointing import Checkpoints

TRANSCRIPT = "transcript.txt"
_LOG = "diary."  # how the names of its arrays begin
_MOST_LOGGED = 1 << 24  # elements of such an array


class TrainingLog:
    """The smoothed loss wherever training reported, and the notebook's reports; checkpoints keep both."""

    def __init__(self, steps: list[int], losses: list[float], reports: list[notebook.NotebookReport]) -> None:
        self.steps, self.losses, self.reports = steps, losses, reports

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What a checkpoint keeps of it."""
        names = EncodedNames.from_lists(name for report in self.reports for name in report.names)
        return {
            "diary.steps": np.array(self.steps, np.int64),
            "diary.losses": np.array(self.losses, np.float64),
            "diary.reported": np.array([report.iteration for report in self.reports], np.int64),
            "diary.reported_losses": np.array([report.smoothed_loss for report in self.reports], np.float64),
            "diary.tokens": names.tokens,
            "diary.offsets": names.offsets,
        }

    @classmethod
    def from_arrays(
        cls, config: notebook.NotebookConfig, arrays: Mapping[str, npt.NDArray[Any]]
    ) -> "TrainingLog":
        """The log in the arrays of a checkpoint."""
        tokens, offsets = arrays["diary.tokens"].tolist(), arrays["diary.offsets"].tolist()
        names = [tokens[start:stop] for start, stop in pairwise(offsets)]
        each = config.names_per_report
        reported = zip(
            arrays["diary.reported"].tolist(), arrays["diary.reported_losses"].tolist(), strict=True
        )
        reports = [
            notebook.NotebookReport(iteration, loss, names[place * each : (place + 1) * each])
            for place, (iteration, loss) in enumerate(reported)
        ]
        return cls(arrays["diary.steps"].tolist(), arrays["diary.losses"].tolist(), reports)

    @classmethod
    def check_layout(cls, arrays: Layouts) -> None:
        """Raise DataError unless arrays of these types and shapes can be a log."""
        expected = cls([], [], []).arrays()
        for name in sorted(set(expected) | set(arrays)):
            if name not in expected or name not in arrays:
                raise invalid_checkpoint(name, "unknown or missing array")
            array = arrays[name]
            if array.dtype != expected[name].dtype or array.ndim != 1 or array.shape[0] > _MOST_LOGGED:
                raise invalid_checkpoint(name, f"{array.dtype} of shape {array.shape}")
        for left, right in (("steps", "losses"), ("reported", "reported_losses")):
            if arrays[_LOG + left].shape != arrays[_LOG + right].shape:
                raise invalid_checkpoint(_LOG + left, f"another length than {_LOG}{right}")

    def add(self, now: notebook.NotebookProgress) -> None:
        """Keep what training reported."""
        self.steps.append(now.state.iteration)
        self.losses.append(now.smoothed_loss)
        if now.report:
            self.reports.append(now.report)


def train(
    context: StageContext,
    config: notebook.NotebookConfig,
    vocabulary: Vocabulary,
    names: EncodedNames,
    sources: Mapping[str, int],
) -> tuple[notebook.NotebookParameters, pa.Table]:
    """Parameters in the notebook's layout, and the columns of schemas.HISTORY; writes the transcript.

    sources:  how many names each source gave, in their order.
    """

    def from_arrays(arrays: Arrays) -> tuple[notebook.NotebookState, TrainingLog]:
        own = {name: array for name, array in arrays.items() if not name.startswith(_LOG)}
        return notebook.NotebookState.from_arrays(config, vocabulary.size, own), TrainingLog.from_arrays(
            config, arrays
        )

    def check(headers: Mapping[str, ArrayHeader]) -> None:
        own = {name: header for name, header in headers.items() if not name.startswith(_LOG)}
        notebook.NotebookState.check_layout(config, vocabulary.size, own)
        TrainingLog.check_layout({name: headers[name] for name in headers if name not in own})

    checkpoints = Checkpoints(context)
    state, log = checkpoints.load(from_arrays, check) or (
        notebook.NotebookState.start(config, vocabulary.size, names.count),
        TrainingLog([], [], []),
    )
    if state.iteration:
        context.notice(f"going on from the checkpoint of iteration {state.iteration:,}")
    for now in notebook.train(config, vocabulary.size, names, state):
        if state.iteration > (log.steps[-1] if log.steps else 0):
            log.add(now)
        if now.report:
            context.notice(_report_line(now.report, vocabulary))
        context.progress(
            state.iteration, now.iterations, f"smoothed loss {now.smoothed_loss:.3f} nats per name"
        )
        checkpoints.save_if_due(
            lambda: {**state.arrays(), **log.arrays()},
            f"training, iteration {state.iteration:,} of {now.iterations:,}",
        )
    printed = notebook.transcript(
        vocabulary.characters, names, log.reports, config.iterations, sources, state.parameters
    )
    context.writer.write_text(TRANSCRIPT, printed)
    steps = np.array(log.steps, np.int64)
    history = {
        "step": steps,
        "epoch": steps / names.count,
        "training_loss": np.array(log.losses),
        "validation_loss": pa.nulls(len(steps), pa.float64()),
        "learning_rate": np.full(len(steps), config.learning_rate),
    }
    return state.parameters, pa.table(history)


def _report_line(report: notebook.NotebookReport, vocabulary: Vocabulary) -> str:
    names = ", ".join(notebook.printed_name(name, vocabulary.characters) for name in report.names)
    return f"Iteration: {report.iteration}, Loss: {report.smoothed_loss:f}  {names}"
