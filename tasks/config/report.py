"""What the report shows besides what the other stages left."""

from dataclasses import dataclass

from artifacts.model_file import ModelKind


@dataclass(frozen=True, slots=True)
class ReportConfig:
    """drawn_from: what the names by temperature and by style are drawn from; None for the model's default."""

    drawn_from: ModelKind | None = None
