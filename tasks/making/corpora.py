"""The stages `corpus`, `merged` and `validated`: from files to names that a network may learn from."""

from collections.abc import Sequence

from artifacts.durable import reported
from artifacts.keys import sha256
from artifacts.source_file import SourceFile
from artifacts.store import Artifact
from data import merging, schemas, validation
from data.config import CorpusConfig, MergingConfig, ValidationConfig
from data.corpus import Taken, read_text
from rnn_core.errors import DataError
from tasks.stage import Work

NAMES, REJECTED = "names.parquet", "rejected.parquet"


def corpus(work: Work, config: CorpusConfig, file: SourceFile) -> None:
    with reported(file.path, "read the corpus"):
        content = file.path.read_bytes()
    if sha256(content) != file.digest:
        raise DataError(
            "corpus.changed",
            "the file changed while it was read",
            where=str(file.path),
            fix="run again when nobody writes to it.",
        )
    taken = read_text(content, config, str(file.path))
    if not len(taken.names):
        raise DataError(
            "corpus.empty",
            "the file holds no names",
            where=str(file.path),
            saw=f"{len(taken.rejected)} lines, all blank" if len(taken.rejected) else "no line",
            fix="check the file, or take it out of the sources.",
        )
    _write(work, taken, schemas.CORPUS_REJECTED)


def merged(work: Work, config: MergingConfig, corpora: Sequence[Artifact]) -> None:
    _write(work, merging.merge([one.table(NAMES) for one in corpora], config), schemas.REJECTED)


def validated(work: Work, config: ValidationConfig, merged: Artifact) -> None:
    taken = validation.validate(merged.table(NAMES), config)
    if not len(taken.names):
        seen = "; ".join(_reasons(taken))
        raise DataError(
            "corpus.empty",
            "no name is left to learn from",
            saw=f"{len(taken.rejected)} rejections: {seen}",
            fix="check the files of the sources, and the rules under [validation].",
        )
    _write(work, taken, schemas.REJECTED)


def _write(work: Work, taken: Taken, rejected: schemas.Schema) -> None:
    work.write_table(NAMES, schemas.CORPUS, taken.names)
    work.write_table(REJECTED, rejected, taken.rejected)
    work.draft.facts["rejected"] = {
        each["values"]: each["counts"] for each in taken.rejected["reason"].value_counts().to_pylist()
    }
    if len(taken.rejected):
        work.notice(f"{len(taken.rejected)} rows not taken, see {REJECTED}: {'; '.join(_reasons(taken))}")


def _reasons(taken: Taken) -> list[str]:
    return [
        f"{row['source']} line {row['line']}: {row['reason']}"
        for row in taken.rejected.slice(0, 3).select(["source", "line", "reason"]).to_pylist()
    ]
