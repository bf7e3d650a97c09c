"""A grid of names: a table for each style, with a column for each temperature."""

from collections.abc import Iterator

from tasks.config.preview import PreviewConfig
from tasks.models.load import TrainedModel
from tasks.process import signals
from tasks.report.sections import Section, Table, columns
from tasks.report.text import escape_invisible

_LONGEST = 24  # characters shown of a name


def preview_sections(model: TrainedModel, config: PreviewConfig) -> Iterator[Section]:
    """A section for each style, one after the other. Raises as `TrainedModel.draw` does."""
    for style in config.styles(model.styles):
        names = []
        for sampling in config.columns(style):
            signals.raise_if_requested("while names are drawn for a preview")
            names.append(model.draw_sample(sampling).to_pylist())
        heads = [f"at {temperature:g}" for temperature in config.temperatures]
        rows = [
            [escape_invisible(name, _LONGEST) or "(empty)" for name in row]
            for row in zip(*names, strict=True)
        ]
        yield Section(escape_invisible(style) or "Names", table=Table(columns(*heads), rows))
