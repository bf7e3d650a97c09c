"""The whole pipeline, in this process, on lists of all kinds: any script, and names with weights."""

import numpy as np
import pytest
from small_weights import Weights, weighing

from data.config import ExamplesConfig, ValidationConfig
from flows.pipeline import pipeline
from rnn_core.errors import ConfigError, DataError
from rnn_core.metrics.evaluation import EvaluationConfig
from rnn_core.notebook import NotebookConfig
from rnn_core.sample.sampler import SamplingConfig
from rnn_core.text.vocabulary import UnknownCharacter, Vocabulary
from rnn_core.train.config import TrainingConfig
from tasks import stages
from tasks.config.retrain import RetrainConfig
from tasks.config.settings import Settings
from tasks.config.sources import Source
from tasks.core.events import Notice
from tasks.models import open_model

SCRIPTS = {
    "Latin with diacritics": "Zoë Łukasz Şule Ðorđe Þóra Nguyễn Čeněk Øyvind Señora Ångström",
    "Greek": "Ἀθηνᾶ Γιώργος Ελένη Κώστας Νίκος Σοφία Ιωάννης Μαρία Δημήτρης Ζωή",
    "Cyrillic": "Алёна Борис Вячеслав Юлия Сергій Ђорђе Наталья Игорь Жанна Фёдор",
    "Arabic": "محمد فاطمة خالد عائشة يوسف مريم أحمد زينب إبراهيم ليلى",
    "Hebrew": "דוד שרה משה רחל יוסף לאה אברהם מרים נועה יצחק",
    "Japanese": "さくら ゆき 太郎 花子 健一 アキラ 美咲 翔太 ひろし 陽子",
    "Korean": "민준 서연 지훈 수빈 예은 도윤 하은 시우 지우 은서",
    "Chinese": "王伟 李娜 张敏 刘洋 陈静 杨勇 赵磊 黄丽 周杰 𠮷野",
}
TINY = {
    "training": TrainingConfig(hidden_size=8, epochs=2),
    "sampling": SamplingConfig(count=20),
    "evaluation": EvaluationConfig(sample_names=20),
}


class Run:
    """weights: of names that have passed validation."""

    def __init__(self, folder, weights=None, **knobs):
        self.settings = Settings(store=folder / "store")
        self.made, self.heard = {}, []
        self.weights = weights
        pipeline(RetrainConfig(**knobs), self)

    def __call__(self, stage, config, **inputs):
        artifact, _ = stage.produce(self.settings, config, self.heard.append, {"engine": "test"}, **inputs)
        self.made[stage.name] = artifact
        if stage is stages.validated and self.weights:
            return self(weighing, self.weights, validated=artifact)
        return artifact

    def wait(self, promises):
        return list(promises)

    @property
    def notices(self):
        return [event.text for event in self.heard if isinstance(event, Notice)]


def source(folder, name, names):
    path = folder / f"{name}.txt"
    path.write_text("\n".join(names) + "\n", encoding="utf-8")
    return Source(name, str(path))


def test_names_in_any_script_are_learnt_and_drawn(tmp_path):
    lists = {script: names.split() for script, names in SCRIPTS.items()}
    names = [name for listed in lists.values() for name in listed]
    run = Run(tmp_path, sources=tuple(source(tmp_path, *each) for each in lists.items()), **TINY)
    assert not len(run.made["validated"].table("rejected.parquet"))
    vocabulary = Vocabulary.from_names(names)
    letters = run.made["vocabulary"].table("vocabulary.parquet")["character"].to_pylist()
    assert tuple(letters) == vocabulary.characters
    examples = run.made["examples"].table("examples.parquet")
    assert sorted(examples["name"].to_pylist()) == sorted(names)
    assert examples["tokens"].to_pylist() == [
        vocabulary.encode([name]).tokens.tolist() for name in examples["name"].to_pylist()
    ]
    model = open_model(run.made["mixture"].key, run.settings.store)
    for listed in lists.values():
        own = "".join(listed)
        drawn = model.draw(20, prefix=own[0], allowed=own).to_pylist()
        assert all(name[0] == own[0] and set(name) <= set(own) for name in drawn)
        assert np.isfinite(model.log_probabilities([*listed, *drawn])).all()


@pytest.mark.parametrize("cell", ["gru", "elman"])
def test_the_empty_name_after_the_last_line_is_learnt_where_it_is_valid(tmp_path, cell):
    (tmp_path / "list.txt").write_text("Ana\nBea\n")
    everything = ExamplesConfig(validation_share=0.0, test_share=0.0)
    run = Run(
        tmp_path,
        sources=(Source("list", str(tmp_path / "list.txt"), empty_last_line=True),),
        validation=ValidationConfig(min_length=0),
        examples=everything,
        **TINY | {"training": TrainingConfig(cell=cell, hidden_size=8, epochs=2)},
    )
    examples = run.made["examples"].table("examples.parquet").to_pylist()
    assert sorted((row["name"], row["split"]) for row in examples) == [
        ("", "train"), ("Ana", "train"), ("Bea", "train"),
    ]  # fmt: skip
    model = open_model(run.made["mixture"].key, run.settings.store)
    assert np.isfinite(model.log_probabilities([""])).all()
    assert all(model.draw(20).to_pylist())


def test_a_model_that_meets_a_character_it_never_saw_names_it(sources, tmp_path):
    run = Run(tmp_path, sources=sources[:1], **TINY)
    model = open_model(run.made["mixture"].key, run.settings.store)
    with pytest.raises(UnknownCharacter, match=r"'дo'.*\n.*'д' \(U\+0434\)") as caught:
        model.log_probabilities(["do", "дo"])
    assert (caught.value.name, caught.value.character) == ("дo", "д")
    with pytest.raises(ConfigError, match="'д'"):
        model.draw(1, prefix="д")


SYLLABLES = ("ba", "do", "ri", "lu", "men", "to")
MANY = [a + b + c for a in SYLLABLES for b in SYLLABLES for c in SYLLABLES[:3]]
FEW = [a.upper() + b.upper() for a in SYLLABLES for b in SYLLABLES[:2]]


@pytest.fixture
def sources(tmp_path):
    return source(tmp_path, "many", MANY), source(tmp_path, "few", FEW)


def test_weights_of_names_count_in_training_in_the_mixture_and_in_evaluation(sources, tmp_path):
    run = Run(tmp_path, Weights("few", 20.0), sources=sources, **TINY)
    assert any(text.startswith("they have weights: one counts as") for text in run.notices)
    metrics = {
        (row["model"], row["split"], row["source"]): row["value"]
        for row in run.made["evaluation"].table("metrics.parquet").to_pylist()
        # of each list in its style, and of all names in theirs
        if row["metric"]
        == ("nats_per_character_in_style" if row["source"] == "all" else "nats_per_character")
    }
    card = run.made["model"].manifest().metadata["model_card"]
    best = card["best_validation_nats_per_character"]
    assert metrics["rnn", "validation", "all"] == pytest.approx(best, rel=1e-5)
    for model in ("rnn", "mixture", "kneser-ney 8-gram"):
        of_many, of_few, of_all = (metrics[model, "train", of] for of in ("many", "few", "all"))
        assert abs(of_all - of_few) < abs(of_all - of_many)


def test_with_equal_weights_a_model_is_the_same_to_the_byte(sources, tmp_path):
    equal, none = (
        Run(tmp_path / folder, weights, sources=sources[:1], **TINY)
        for folder, weights in (("equal", Weights("many", 0.25)), ("none", None))
    )
    for stage, file in (("model", "model.npz"), ("mixture", "model.npz"), ("evaluation", "metrics.parquet")):
        ours, theirs = ((run.made[stage].folder / file).read_bytes() for run in (equal, none))
        assert ours == theirs
    assert not any("weights" in text for text in equal.notices)


def test_the_notebooks_recipe_refuses_weights_before_it_learns_anything(sources, tmp_path):
    knobs = {"recipe": "notebook", "notebook": NotebookConfig(iterations=1), "sources": sources}
    with pytest.raises(DataError, match=r"notebook\.weights.*\n.*weights from 1 to 3"):
        Run(tmp_path, Weights("few", 3.0), **knobs)
    assert not list((tmp_path / "store").glob("examples/*/manifest.json"))
