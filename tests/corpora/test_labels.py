"""Labels: a column of a source whose values are lists of their own."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.corpus import read_corpus
from rnn_core.errors import ConfigError, DataError
from rnn_core.sample.sampler import SamplingConfig
from rnn_core.text.styles import Styles
from rnn_core.train.config import TrainingConfig
from tasks.config.labels import readings
from tasks.config.retrain import RetrainConfig
from tasks.config.sources import Source

ROWS = [(f"Ana{n}", "F") for n in range(12)] + [(f"Leo{n}", " M ") for n in range(15)]


def csv_of(rows, folder, header="name,gender"):
    path = folder / "people.csv"
    path.write_text("\n".join([header, *(",".join(row) for row in rows)]) + "\n")
    return path


def names_of(config, files):
    return [name for part in read_corpus(files, config) for name in part.names["name"].to_pylist()]


def as_parquet(rows, folder):
    names, genders = zip(*rows, strict=True)
    pq.write_table(pa.table({"name": names, "gender": genders}), folder / "people.parquet")
    return folder / "people.parquet"


def as_json_lines(rows, folder):
    path = folder / "people.jsonl"
    path.write_text("".join(json.dumps({"name": name, "gender": gender}) + "\n" for name, gender in rows))
    return path


@pytest.mark.parametrize("written", [csv_of, as_parquet, as_json_lines])
def test_every_value_of_the_column_is_a_list_with_its_rows(written, tmp_path):
    path = written(ROWS, tmp_path)
    lists = readings([Source("people", str(path), label="gender")])
    assert [config.name for config, _ in lists] == ["people/F", "people/M"]
    for (config, files), letter in zip(lists, "FM", strict=True):
        assert names_of(config, files) == [name for name, gender in ROWS if gender.strip() == letter]


def test_a_label_is_read_together_with_a_row_filter_and_counts(tmp_path):
    rows = [(name, gender, str(1990 + n % 2), "3") for n, (name, gender) in enumerate(ROWS * 2)]
    path = csv_of(rows, tmp_path, "name,gender,year,count")
    source = Source("people", str(path), label=2, where="year = 1990", counts="count", column="name")
    for config, files in readings([source]):
        parts = [part.names for part in read_corpus(files, config)]
        table = pa.concat_tables(parts)
        assert set(table["weight"].to_pylist()) == {3.0}
        letter = config.name.removeprefix("people/")
        expected = [name for name, gender, year, _ in rows if year == "1990" and gender.strip() == letter]
        assert table["name"].to_pylist() == expected


def test_other_sources_stay_as_they_are(tmp_path):
    (tmp_path / "towns.txt").write_text("Bern\n")
    source = Source("towns", str(tmp_path / "towns.txt"))
    ((config, files),) = readings([source])
    assert config == source.reading
    assert names_of(config, files) == ["Bern"]


BROKEN = {
    "no such column": (ROWS, {"label": "sex"}, "corpus.column", "no column 'sex'"),
    "a rare label": ([*ROWS, ("Kim", "X")], {}, "corpus.label", "at least 10 rows"),
    "too many labels": ([(f"A{n}", f"L{n}") for n in range(70)], {}, "corpus.label", "more than 64"),
    "a row without one": ([*ROWS, ("Kim", "")], {}, "corpus.label", "a row has no label"),
    "two kinds of quotes": (
        [(f"A{n}", '"""it\'s"""') for n in range(12)],
        {},
        "corpus.label",
        "one kind of quotes",
    ),
}


@pytest.mark.parametrize(("rows", "options", "code", "words"), BROKEN.values(), ids=BROKEN)
def test_a_column_that_holds_no_labels_is_one_clear_error(rows, options, code, words, tmp_path):
    path = csv_of(rows, tmp_path)
    with pytest.raises(DataError) as caught:
        readings([Source("people", str(path), **{"label": "gender", **options})])
    assert caught.value.code == code
    assert words in str(caught.value)
    assert path.name in caught.value.where
    assert any(word in caught.value.fix for word in ("label", "rename", "row", "column"))


def test_the_row_without_a_label_is_named(tmp_path):
    path = csv_of([*ROWS[:4], ("Kim", " "), *ROWS], tmp_path)
    with pytest.raises(DataError) as caught:
        readings([Source("people", str(path), label="gender")])
    assert "row 5" in caught.value.where


def test_a_limit_or_another_list_of_the_same_name_is_refused(tmp_path):
    path = str(csv_of(ROWS, tmp_path))
    with pytest.raises(ConfigError, match="limit and label"):
        readings([Source("people", path, label="gender", limit=5)])
    with pytest.raises(ConfigError, match="same name"):
        readings([Source("people", path, label="gender"), Source("people/F", path, column="name")])


def test_one_source_with_labels_is_several_styles(tmp_path):
    sources = (Source("people", str(csv_of(ROWS, tmp_path)), label="gender"),)
    assert RetrainConfig(sources=sources, sampling=SamplingConfig(style="people/F")).has_styles
    with pytest.raises(ConfigError, match="knows no styles"):
        RetrainConfig(
            sources=sources,
            training=TrainingConfig(styles="none"),
            sampling=SamplingConfig(style="people/F"),
        )
    assert Styles.from_weights(["people/F", "people/M"], [1, 1]).weights("people/M") == {1: 1.0}
