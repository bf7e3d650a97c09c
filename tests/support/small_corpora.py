"""What tests share that read and merge lists of names which they have in memory."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from artifacts.source_file import SourceFile
from data import corpus, merging
from data.config import CorpusConfig, MergingConfig
from data.corpus import CheckedRows


def read(
    files: Sequence[SourceFile], config: CorpusConfig, tell: Callable[[str], None] = lambda _text: None
) -> CheckedRows:
    """All parts as one."""
    names, rejected = zip(*corpus.read_corpus(files, config, tell), strict=True)
    return CheckedRows(pa.concat_tables(names), pa.concat_tables(rejected))


def merge(corpora: Sequence[pa.Table], config: MergingConfig) -> tuple[pa.Table, pa.Table, dict[str, Any]]:
    """Names and rejected rows, each all parts as one, which are of few rows here; and what was done."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merging, "_ROWS", 3)
        names, rejected, sources = merging.merge(corpora, config)
        return pa.concat_tables(names), pa.concat_tables(rejected), sources


def read_text(content: bytes, config: CorpusConfig) -> CheckedRows:
    """As from a file of that content."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "list.txt")
        path.write_bytes(content)
        return read([SourceFile(path)], config)
