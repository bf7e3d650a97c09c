import shutil

import pyarrow.parquet as pq
import pytest

from artifacts.source_file import SourceFile
from data.config import CorpusConfig, MergingConfig, ValidationConfig
from rnn_core.errors import DataError
from tasks import stages
from tasks.config.settings import Settings


@pytest.fixture
def validated(tmp_path):
    """The artifact of the stage `validated`, made of one list, and what was said meanwhile."""

    def make(content, config, **knobs):
        heard = []

        def produced(stage, config, **inputs):
            settings = Settings(store=tmp_path / "store")
            return stage.produce(settings, config, heard.append, {"engine": "test"}, **inputs)[0]

        (tmp_path / "list.txt").write_text(content)
        corpora = [
            produced(stages.corpus, CorpusConfig("towns", **knobs), file=SourceFile(tmp_path / "list.txt"))
        ]
        merged = produced(stages.merged, MergingConfig(), corpora=corpora)
        return produced(stages.validated, config, merged=merged, corpora=corpora), heard

    return make


def test_too_many_rejected_rows_stop_the_run_and_are_kept_where_the_error_says(validated):
    with pytest.raises(DataError) as refusal:
        validated("Bern\nB\u200basel\nGen\u202eeve\n", ValidationConfig())
    error = refusal.value
    assert error.code == "corpus.rejects"
    assert "2 of 3 rows are rejected, a share above 0.5" in error.what
    assert "towns line 2: holds a control or an invisible character ('B\\u200basel')" in error.saw
    rejected = pq.read_table(error.where)
    assert rejected["line"].to_pylist() == [2, 3]
    assert "quarantine" in error.where


def test_a_refused_corpus_is_kept_once_however_often_it_is_tried(validated, tmp_path):
    for _ in range(2):
        with pytest.raises(DataError) as refusal:
            validated("B\u200basel\n", ValidationConfig())
        assert refusal.value.code == "corpus.empty"
    assert len(list((tmp_path / "store" / "quarantine").iterdir())) == 1
    assert pq.read_table(refusal.value.where)["name"].to_pylist() == ["B\u200basel"]
    shutil.rmtree(tmp_path / "store" / "quarantine")
    with pytest.raises(DataError):
        validated("B\u200basel\n", ValidationConfig())


def test_a_list_of_an_empty_name_alone_is_refused_as_empty(validated):
    with pytest.raises(DataError, match=r"corpus\.empty"):
        validated("\n", ValidationConfig(min_length=0), empty_last_line=True)


def test_neither_blank_lines_nor_duplicates_are_rejects(validated):
    artifact, _ = validated("\n\n\nBern\n\n\nBern\nBern\nBern\n", ValidationConfig(max_rejected_share=0.0))
    assert artifact.manifest().rows == 1
    assert artifact.manifest().metadata["rejected_share"] == 0.0


def test_blank_rows_of_a_table_are_no_rejects(validated):
    config = ValidationConfig(max_rejected_share=0.0)
    artifact, heard = validated("name\n\n\nBern\n\n", config, format="csv")
    assert artifact.manifest().metadata["rejected_share"] == 0.0
    assert any("3 rows not taken" in getattr(event, "text", "") for event in heard)


def test_a_header_that_may_have_been_a_name_is_reported_as_the_list_is_read(validated):
    _, heard = validated("Bern\nBasel\n", ValidationConfig(), format="csv")
    assert any("'Bern' as the column of the names" in getattr(event, "text", "") for event in heard)


def test_a_share_at_the_limit_is_allowed_and_the_manifest_says_so(validated):
    artifact, _ = validated("Bern\nB\u200basel\n", ValidationConfig(max_rejected_share=0.5))
    assert artifact.manifest().metadata["rejected_share"] == 0.5


def test_removed_characters_are_reported_and_are_in_the_manifest(validated):
    config = ValidationConfig(min_character_count=2, rare="remove")
    artifact, heard = validated("anna\nnina\ninna¿\n", config)
    assert artifact.manifest().metadata["rare_characters_removed"] == {
        "characters": {"¿": 1},
        "rows": 1,
        "equal_to_another_name": 0,
    }
    assert any("removed from 1 names: '¿'" in getattr(event, "text", "") for event in heard)
