"""Input files that somebody else owns: their bytes count, not their paths or dates."""

import errno
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from artifacts.documents import file_digest
from rnn_core.errors import DataError


@dataclass(frozen=True)
class SourceFile:
    """One file of a source, as the input of a stage."""

    path: Path

    @cached_property
    def digest(self) -> str:
        """sha256 of the file's bytes. Raises DataError if they cannot be read."""
        try:
            path = self.local()
            if path.exists() and not path.is_file():  # a FIFO would block for ever
                raise OSError(errno.EINVAL, "it is no regular file; save its content to one")
            return file_digest(path)
        except (OSError, ValueError) as refusal:  # a path with a NUL is a ValueError
            raise self._unreadable(getattr(refusal, "strerror", None) or str(refusal)) from refusal

    @property
    def version(self) -> str:
        """What is another one whenever the file is: its digest, unless there is something cheaper."""
        return self.digest

    @property
    def origin(self) -> str:
        """Where it is, for the manifest and for people: its path."""
        return str(self.path)

    def local(self) -> Path:
        """Where its bytes can be read."""
        return self.path

    def _unreadable(self, why: str) -> DataError:
        return DataError(
            "corpus.unreadable",
            f"the corpus could not be read: {why}",
            where=str(self.path),
            fix="check the path of this source, and that you may read the file.",
        )
