"""Options are text: spelled as the list is; an empty path is not a folder; a hint is about its own error."""

import sys
import unicodedata

import numpy as np
import pytest

import namewright as namewright_module
from artifacts.model_file import ModelContents
from data.config import CorpusConfig, MergingConfig, ValidationConfig
from flows import cli
from rnn_core.errors import ConfigError
from rnn_core.nn import network
from rnn_core.text.vocabulary import Vocabulary
from rnn_core.train.config import TrainingConfig
from tasks.config.retrain import RetrainConfig
from tasks.config.settings import Settings
from tasks.models import open_model
from tasks.models.load import TrainedModel

# It is in the place of a process of its own.
pytestmark = pytest.mark.filterwarnings("ignore:Cyclopts application invoked without tokens")

ACUTE = "\N{COMBINING ACUTE ACCENT}"


@pytest.fixture(scope="module")
def model():
    """A model of names with é, untrained: all characters are equally probable."""
    vocabulary = Vocabulary.from_names(["Ana", "Ema", "José", "Pepe"])
    untrained = network.init(np.random.default_rng(0), "elman", vocabulary.size, 4, np.float32)
    return TrainedModel("untrained", vocabulary, ModelContents(untrained, None, None))


@pytest.fixture
def namewright(tmp_path, monkeypatch, capfd):
    """Runs a command in this process; its exit code, and what it printed."""

    def run(*options):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["namewright", *options])
        code = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code
        printed = capfd.readouterr()
        return code, printed.out, printed.err

    return run


def test_a_letter_with_a_combining_accent_means_the_letter_of_the_list(model):
    names = model.draw(2000, forbidden=f"e{ACUTE}").to_pylist()
    assert not any("é" in name for name in names)
    assert any("e" in name for name in names)
    assert names == model.draw(2000, forbidden="é").to_pylist()
    assert model.draw(50, prefix=f"Jose{ACUTE}") == model.draw(50, prefix="José")
    assert model.draw(50, allowed=f"ane{ACUTE}") == model.draw(50, allowed="ané")
    composed, decomposed = ["José", "Ana"], [unicodedata.normalize("NFD", "José"), "Ana"]
    assert (model.log_probabilities(decomposed) == model.log_probabilities(composed)).all()


def test_a_character_that_no_spelling_makes_known_is_refused_as_it_was_typed(model):
    with pytest.raises(ConfigError, match=r"prefix has a character.*\n.*\n.*U\+0301"):
        model.draw(1, prefix=f"a{ACUTE}")


def test_allowed_characters_are_spelled_as_the_merged_names_are():
    decomposed = ValidationConfig(characters=f"abe{ACUTE}")
    assert RetrainConfig(validation=decomposed).validation.characters == "abé"
    assert RetrainConfig(validation=decomposed) == RetrainConfig(
        validation=ValidationConfig(characters="abé")
    )
    as_written = RetrainConfig(validation=decomposed, merging=MergingConfig(normalisation="none"))
    assert as_written.validation.characters == f"abe{ACUTE}"


def test_names_to_score_may_come_from_a_generator(model):
    names = ["Ana", "Ema"]
    assert (model.log_probabilities(name for name in names) == model.log_probabilities(names)).all()
    with pytest.raises(TypeError, match="not a list of names"):
        model.log_probabilities(number for number in (1, 2))


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("data", "--store"),
        ("data", "--config"),
        ("generate", "--exclude"),
        ("generate", "--exclude-containing"),
    ],
)
def test_an_empty_path_is_neither_the_current_folder_nor_no_list(namewright, tmp_path, command, option):
    (tmp_path / "a.txt").write_text("Ana\n")
    code, _, err = namewright(command, option, "", *(["--source", "x=a.txt"] if command == "data" else []))
    assert (code, err.splitlines()[0]) == (2, f"error[config.range]: {option} must be a path, got ''")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_an_empty_store_is_refused_in_python_too():
    for refused in (lambda: Settings(store=""), lambda: open_model(store="")):
        with pytest.raises(ConfigError, match="store must be a path"):
            refused()


@pytest.mark.parametrize(
    ("table", "what", "fix"),
    [
        ('{"name":"x","path":""}', "a source has no 'path'", 'path = "towns.txt"'),
        ('{"name":"x","path":"a.txt","weight":"2"}', "a source's 'weight' is a number", "weight = 2"),
        ('{"name":"x","path":"a.txt","limit":"2"}', "a source's 'limit' is a whole number", "limit = 3000"),
        ('{"name":"x","path":"a.txt","wieght":2}', "unknown key 'wieght'", "did you mean 'weight'?"),
        ('{"name":"x","path":"a.txt","separates":";"}', "unknown key 'separates'", "the keys are "),
    ],
)
def test_a_hint_is_about_its_own_error(namewright, tmp_path, table, what, fix):
    (tmp_path / "a.txt").write_text("Ana\n")
    code, _, err = namewright("data", "--store", "store", "--source", table)
    assert code == 2
    what_is_wrong, where, _, how_to_fix, *_ = err.splitlines()
    assert what in what_is_wrong
    assert where == "  where: --source"
    assert fix in how_to_fix


def test_a_source_in_single_brackets_is_shown_the_double_ones(namewright, tmp_path):
    (tmp_path / "pipeline.toml").write_text('[source]\nname = "x"\npath = "a.txt"\n')
    for command in ("run", "data"):
        code, _, err = namewright(command, "--store", "store")
        assert (code, err.splitlines()[0]) == (2, "error[config.file]: [source] is in single brackets")
        assert "[[source]]" in err


def test_a_byte_order_mark_before_a_pipeline_file_is_passed_over(namewright, tmp_path):
    (tmp_path / "a.txt").write_text("Ana\nBea\n")
    (tmp_path / "pipeline.toml").write_text('[[source]]\nname = "x"\npath = "a.txt"\n', encoding="utf-8-sig")
    code, out, _ = namewright("data", "--store", "store")
    assert code == 0
    assert "x" in out


def test_a_rejected_row_says_in_which_of_several_files_it_is(namewright, tmp_path):
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "b.txt").write_text("Ida\n\x1b[31mBad\nRuth\n")
    (tmp_path / "f" / "c.txt").write_text("Cole\nGlen\x07X\n")
    _, out, _ = namewright("data", "--store", "store", "--source", "x=f")
    assert "x, b.txt line 2: " in out
    assert "x, c.txt line 2: " in out


def test_a_weight_of_a_billion_and_numbers_of_numpy_are_numbers():
    assert CorpusConfig("x", weight=1_000_000_000).weight == 1e9
    with pytest.raises(ConfigError, match="weight must be a number from 1e-09 to 1e\\+09"):
        CorpusConfig("x", weight=1.1e9)
    config = TrainingConfig(layers=np.int64(2), learning_rate=np.float32(0.5))
    assert (type(config.layers), type(config.learning_rate)) == (int, float)
    assert config == TrainingConfig(layers=2, learning_rate=0.5)


def test_the_public_module_generates_from_the_champion_or_a_model_that_is_named(learnt):
    champion = open_model(store=learnt)
    assert namewright_module.generate(20, store=learnt, prefix="Ma") == champion.draw(20, prefix="Ma")
    by_key = namewright_module.generate(5, model=champion.origin, store=learnt)
    assert by_key == namewright_module.open_model(store=learnt).draw(5)
