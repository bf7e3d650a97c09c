"""The file of a trained model, as the input of a stage: what it was trained on, and how it travels."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from artifacts.model_file import MODEL
from artifacts.open_store import open_store
from artifacts.source_file import SourceFile
from artifacts.store import Artifact
from rnn_core.errors import DataError
from tasks.models.training_lists import TrainingList, model_line, training_lists


@dataclass(frozen=True)
class ModelFile(SourceFile):
    """The file of a trained model, as an input of a stage.

    path:      a model.npz.
    artifact:  the artifact that it belongs to; None for a file outside of a store.
    """

    artifact: Artifact | None = None

    @property
    def origin(self) -> str:
        """Where it is from, for people: stage and key, or a path."""
        return self.artifact.origin if self.artifact else super().origin

    @cached_property
    def training(self) -> Artifact | None:
        """The intact `validated` artifact, whose names the model was trained on; None if it is unknown.

        Raises DataError if it is damaged, or one that leads to it.
        """
        artifact = self.artifact
        for role in ("examples", "validated"):
            artifact = artifact and _input(artifact, role)
        return artifact

    @cached_property
    def training_lists(self) -> list[TrainingList]:
        """The lists that the model was trained on; empty if that is unknown."""
        artifact = self.artifact
        return training_lists(open_store(artifact.folder.parents[1]), artifact.reference) if artifact else []

    def local(self) -> Path:
        """Where its bytes can be read; of a bucket, they come here if they are not."""
        return self.artifact.path(MODEL) if self.artifact else super().local()

    def __reduce__(self) -> tuple[Any, ...]:
        return _on_this_machine, (self.path, self.artifact, self.__dict__.get("digest"))

    def line(self, now: datetime) -> str:
        """Which model it is, from which lists, and its age, in a line for people."""
        return model_line(self.artifact, now) if self.artifact else self.origin

    def _unreadable(self, why: str) -> DataError:
        return invalid_file_error(str(self.path), f"it could not be read: {why}", "")


def _on_this_machine(path: Path, artifact: Artifact | None, digest: str | None) -> ModelFile:
    """A model that came from elsewhere, with the digest that was taken there: of a bucket, its copy here."""
    arrived = ModelFile(artifact.folder / MODEL if artifact else path, artifact)
    if digest is not None:
        arrived.__dict__["digest"] = digest
    return arrived


def _input(artifact: Artifact, role: str) -> Artifact | None:
    """The intact input of an artifact; None if it is not in the store, or its content has changed."""
    reference = artifact.input(role)
    if not reference:
        return None
    store = open_store(artifact.folder.parents[1])
    source, fault = store.examine(reference.stage, reference.key)
    if fault:
        raise damaged_error(store.place(reference.stage, reference.key), fault)
    return source if source and source.digest == reference.digest else None


def damaged_error(where: str, fault: str) -> DataError:
    """The error of a damaged artifact on the way to a model."""
    return DataError(
        "model.damaged",
        "the artifact is damaged",
        where=where,
        saw=fault,
        fix="repeat the run that made it; or name another model.",
    )


def invalid_file_error(where: str, what: str, saw: str) -> DataError:
    """The error of a file that holds no model."""
    return DataError(
        "model.unreadable",
        f"not a valid model file: {what}",
        where=where,
        saw=saw,
        fix=f"name the {MODEL} of an artifact of the stage `mixture` or `model`, or an intact copy of it.",
    )
