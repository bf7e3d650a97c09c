"""Labels: a column of a source whose values are lists of their own, and so styles.

    people.csv with label = "gender"    →    the sources people/F and people/M

Each is read by a row filter, as if it had been named with `where = gender = "F"`. So everything that is known
of a source is known of each label: its rows, its names in every split, how well they are predicted.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from artifacts.source_file import SourceFile
from data.config import CorpusConfig
from rnn_core.errors import ConfigError, DataError
from tasks.config.sources import Source

MOST_LABELS = 64
FEWEST_ROWS = 10  # of a label: fewer names say nothing of a style
_LONGEST = 100  # characters of a label
_SHOWN = 5

Reading = tuple[CorpusConfig, Sequence[SourceFile]]


def readings(sources: Sequence[Source]) -> list[Reading]:
    """How every list is read, and from which files: a source with labels is a list for each.

    Raises ConfigError for two lists of one name, DataError for labels that are none, and what `Source.files`
    and `read_corpus` raise.
    """
    lists = [reading for source in sources for reading in _readings(source)]
    names = Counter(config.name for config, _ in lists)
    if repeated := [name for name, count in names.items() if count > 1]:
        raise ConfigError(
            "config.source",
            "two lists have the same name",
            saw=repeated[0],
            fix="rename one of the sources; a label is called by its source and its value.",
        )
    return lists


def _readings(source: Source) -> Iterator[Reading]:
    files = source.files  # listed once: a bucket is asked for them
    reading = source.reading_of(files)
    if source.label is None:
        yield reading, files
        return
    if reading.limit is not None:
        raise ConfigError(
            "config.source",
            "limit and label cannot be combined: every label is read by itself",
            where=source.name,
            saw=f"limit = {reading.limit}, label = {source.label!r}",
            fix="leave the limit out, or read a shorter file.",
        )
    try:
        values = _labels(source, files, reading)
    except DataError as fault:
        if fault.code != "corpus.column":
            raise
        fix = "change the source's label, or give the column's number."
        raise DataError(fault.code, fault.what, where=fault.where, saw=fault.saw, fix=fix) from fault
    for value in values:
        where = f"{_column(source)} = {_quoted(value, source)}"
        if reading.where is not None:
            where = f"{reading.where} and {where}"
        yield replace(reading, name=f"{source.name}/{value}", where=where), files


def _labels(source: Source, files: Sequence[SourceFile], reading: CorpusConfig) -> list[str]:
    """The values of the column, sorted; each has some rows, and every row has one."""
    from data.corpus import read_corpus  # slow to import, and few sources have labels

    column = replace(
        reading, column=source.label, counts=None, weight=1.0, case="keep", decimal=None, thousands=None
    )
    counts: Counter[str] = Counter()
    for part in read_corpus(files, column):
        counts.update({row["values"]: row["counts"] for row in part.names["name"].value_counts().to_pylist()})
        if len(part.rejected):
            row = part.rejected.slice(0, 1).to_pylist()[0]
            raise _error(
                source,
                "a row has no label",
                f"{files[row['file'] - 1].origin}, row {row['line']:,}",
                row["reason"].replace("name", "label"),
                "give every row one, or take those rows out of the list.",
            )
        if len(counts) > MOST_LABELS:
            saw = ", ".join(map(repr, list(counts)[:_SHOWN]))
            fix = "name the column of a few groups, not one that differs from row to row."
            raise _error(source, f"more than {MOST_LABELS} labels", files[0].origin, f"{saw}, ...", fix)
    rare = [value for value, rows in counts.items() if rows < FEWEST_ROWS]
    if rare or not counts:
        saw = ", ".join(f"{value!r}: {counts[value]} rows" for value in sorted(rare)[:_SHOWN]) or "no rows"
        fix = "leave such rows out by the source's where, or join them to another label."
        raise _error(source, f"a label has at least {FEWEST_ROWS} rows", files[0].origin, saw, fix)
    return sorted(counts)


def _column(source: Source) -> str:
    """The column, as a row filter names it."""
    if isinstance(source.label, int):
        return str(source.label)
    assert source.label is not None
    return _quoted(source.label, source)


def _quoted(text: str, source: Source) -> str:
    if len(text) > _LONGEST or not text.isprintable() or ('"' in text and "'" in text):
        what = "a label and its column are short texts without line ends, with one kind of quotes at most"
        raise _error(source, what, source.path, repr(text[:_LONGEST]), "rename it in the list.")
    return f"'{text}'" if '"' in text else f'"{text}"'


def _error(source: Source, what: str, where: str, saw: str, fix: str) -> DataError:
    return DataError("corpus.label", what, where=f"{where}, label = {source.label!r}", saw=saw, fix=fix)
