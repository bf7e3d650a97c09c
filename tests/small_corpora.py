"""What tests share that read a list of names which they have in memory."""

import tempfile
from pathlib import Path

from artifacts.source_file import SourceFile
from data.config import CorpusConfig
from data.corpus import Taken, read


def read_text(content: bytes, config: CorpusConfig) -> Taken:
    """As from a file of that content."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "list.txt")
        path.write_bytes(content)
        return read([SourceFile(path)], config)
