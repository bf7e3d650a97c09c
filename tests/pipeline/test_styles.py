"""Every list is a style: what a run learns of it, and names that are asked for by it."""

import subprocess
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from small_lists import asked, make_list, rows_of
from small_runs import COMMAND, clean_environment

from artifacts.model_file import MODEL, check_layout, model_contents
from data.text.strings import to_strings
from flows.pipeline import pipeline
from rnn_core.errors import ConfigError, DataError
from rnn_core.metrics.evaluation import EvaluationConfig
from rnn_core.sample.sampler import Sampler, SamplingConfig
from rnn_core.sample.scoring import log_probabilities
from rnn_core.train.config import TrainingConfig
from tasks import stages
from tasks.config.preview import PreviewConfig
from tasks.config.promotion import PromotionConfig
from tasks.config.retrain import RetrainConfig
from tasks.config.settings import ListSettings, Settings
from tasks.config.sources import Source
from tasks.core.events import Finished
from tasks.engines.plain import stage_runner
from tasks.generate import dataset
from tasks.models import open_model
from tasks.models.name_predicate import name_predicate
from tasks.report.blend import blend_sections
from tasks.stages.evaluating import METRICS
from tasks.views.console import Console
from tasks.views.preview import preview_sections

# Two lists that share no letter.
LISTS = {
    "low": [a + b + c for a in ("ba", "do", "ga", "ko") for b in ("ba", "do", "ga", "ko") for c in "abdgko"],
    "high": [a + b + c for a in ("mi", "nu", "re", "si") for b in ("mi", "nu", "re", "si") for c in "inres"],
}
LETTERS = {name: set("".join(names)) for name, names in LISTS.items()}


def config_of(folder, lists=("low", "high"), training_seed=0, **changes):
    folder.mkdir(exist_ok=True)
    for name in lists:
        (folder / f"{name}.txt").write_text("\n".join(LISTS[name]) + "\n")
    return RetrainConfig(
        sources=tuple(Source(name, str(folder / f"{name}.txt")) for name in lists),
        training=TrainingConfig(
            cell="gru", hidden_size=16, epochs=60, patience=60, learning_rate=0.02, seed=training_seed
        ),
        evaluation=EvaluationConfig(sample_names=50),
        sampling=SamplingConfig(count=40),
        promotion=PromotionConfig(min_edit_distance_ratio=0.0),  # there are few names of a few syllables
        **changes,
    )


def run(config, store):
    """The artifacts of a run by stage."""
    artifacts = {}

    def listen(event):
        if isinstance(event, Finished):
            artifacts[event.stage] = event.artifact

    with stage_runner(Settings(store=store), listen) as runner:
        pipeline(config, runner)
    return artifacts


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("styles") / "store"


@pytest.fixture(scope="module")
def made(store):
    return run(config_of(store.parent / "lists"), store)


@pytest.fixture
def model(made, store):
    return open_model(made["mixture"].folder / MODEL, store)


def is_like(name):
    """The list whose letters a name has; empty for a mix of both."""
    return next((style for style, letters in LETTERS.items() if set(name) <= letters), "")


@pytest.mark.parametrize("drawn_from", ["network", "mixture"])
def test_names_that_are_asked_for_by_style_are_like_that_list(model, drawn_from):
    assert model.styles == ("low", "high")
    for style in model.styles:
        names = model.draw(400, style=style, drawn_from=drawn_from).to_pylist()
        fits = np.mean([is_like(name) == style for name in names])
        assert fits > 0.9


def test_without_a_style_names_come_by_the_shares_of_the_lists(made, model):
    shares = made["model"].manifest().metadata["model_card"]["styles"]
    examples = made["examples"].table("examples.parquet").to_pylist()
    trained_on = [row["source"] for row in examples if row["split"] == "train"]
    assert shares == {style: trained_on.count(style) / len(trained_on) for style in LISTS}
    names = model.draw(2_000).to_pylist()
    assert np.mean([is_like(name) == "low" for name in names]) == pytest.approx(shares["low"], abs=0.06)


def test_the_style_of_every_name_stands_beside_it(made):
    table = made["names"].table("names.parquet")
    assert table.column_names[-1] == "style"
    rows = table.to_pylist()
    assert np.mean([is_like(row["name"]) == row["style"] for row in rows]) > 0.9
    assert {row["style"] for row in rows} == {"low", "high"}


def test_each_name_is_scored_in_the_style_that_stands_beside_it(made, model):
    table = made["names"].table("names.parquet")
    scored = model.log_probabilities(table["name"], style=table["style"])
    np.testing.assert_allclose(scored, table["log_probability"], rtol=1e-4)
    for style in model.styles:
        (own,) = model.log_probabilities(["badoa"], style=[style])
        assert own == pytest.approx(*model.log_probabilities(["badoa"], style=style))
    assert model.log_probabilities(["badoa"], style=[""]) == model.log_probabilities(["badoa"])
    with pytest.raises(DataError, match="each name needs a style of its own"):
        model.log_probabilities(["badoa", "minus"], style=["low"])
    with pytest.raises(DataError, match="unknown style"):
        model.log_probabilities(["badoa", "minus"], style=["low", "elves"])


def test_a_name_is_as_probable_as_in_all_of_its_styles_together(made, model):
    names = ["badoa", "minus", "k"]
    in_styles = [model.log_probabilities(names, style=style) for style in model.styles]
    shares = made["model"].manifest().metadata["model_card"]["styles"].values()
    expected = np.log(sum(share * np.exp(log_p) for share, log_p in zip(shares, in_styles, strict=True)))
    np.testing.assert_allclose(model.log_probabilities(names), expected, rtol=1e-6)
    assert in_styles[0][0] > in_styles[1][0] + 5
    assert in_styles[1][1] > in_styles[0][1] + 5


def test_the_evaluation_scores_each_list_in_its_style_and_all_names_whatever_their_style(made, model):
    rows = made["evaluation"].table(METRICS).to_pylist()
    value = {(row["model"], row["split"], row["source"], row["metric"]): row["value"] for row in rows}
    examples = made["examples"].table("examples.parquet")
    test = examples.filter(pc.equal(examples["split"].cast(pa.string()), "test"))
    characters = pc.utf8_length(test["name"]).to_numpy() + 1
    scored = model.log_probabilities(test["name"], "network")
    of_all = value["rnn", "test", "all", "nats_per_character"]
    assert of_all == pytest.approx(-scored.sum() / characters.sum(), rel=1e-6)
    told = [value["rnn", "test", style, "nats_per_character"] for style in model.styles]
    in_style = value["rnn", "test", "all", "nats_per_character_in_style"]
    assert min(told) < in_style < max(told)
    assert in_style < of_all


def test_a_list_has_the_column_and_each_way_of_making_it_the_same_names(made, model, store):
    settings = ListSettings(store=store, model=str(made["mixture"].folder / MODEL))
    plain = replace(settings, output=store.parent / "plain")
    make_list(asked(count=3_000, columns=("name", "style")), plain)
    rows = rows_of(plain.output)
    assert {is_like(name) for name in rows["name"].to_pylist()} >= {"low", "high"}
    fits = [is_like(row["name"]) == row["style"] for row in rows.to_pylist()]
    assert np.mean(fits) > 0.9
    unique = replace(settings, output=store.parent / "unique")
    make_list(asked(count=50, unique=True, columns=("name", "style"), style="high"), unique)
    rows = rows_of(unique.output)
    assert set(rows["style"].to_pylist()) == {"high"}
    drawn = model.draw(2_000, style="high", max_length=6, truncate=True).to_pylist()
    assert rows["name"].to_pylist() == list(dict.fromkeys(drawn))[:50]


def test_a_blend_is_a_column_value_and_is_the_same_however_its_weights_are_written(made, model, store):
    output = store.parent / "blend"
    settings = ListSettings(store=store, model=str(made["mixture"].folder / MODEL), output=output)
    make_list(asked(count=20, style="low=0.5,high=0.5"), settings)
    rows = rows_of(output)
    assert set(rows["style"].to_pylist()) == {"low=0.5,high=0.5"}
    other = model.draw(20, style="low=3, high=3", max_length=6, truncate=True)
    assert rows["name"].to_pylist() == other.to_pylist()
    scored = model.log_probabilities(rows["name"], style=rows["style"])
    np.testing.assert_allclose(scored, rows["log_probability"], rtol=1e-4)


@pytest.mark.parametrize("drawn_from", ["network", "mixture"])
def test_a_name_is_scored_step_by_step_as_in_one_go(model, drawn_from):
    names = ["badoa", "minus", "k", "", "bakodog"]
    stepwise = log_probabilities(model.models.select(drawn_from, "low"), model.vocabulary.encode(names))
    np.testing.assert_allclose(stepwise, model.log_probabilities(names, drawn_from, "low"), rtol=1e-4)


def test_a_list_of_a_blend_shows_its_weights_and_how_each_style_judges_its_names(made, model, store, capsys):
    listed = []
    for name, options in (
        ("of a blend", {"style": "low=3,high=1"}),
        ("with capitals", {"style": "low=3,high=1", "capitalise_first": True}),
        ("of one style", {"style": "low"}),
        ("of all", {}),
    ):
        settings = ListSettings(
            store=store, model=str(made["mixture"].folder / MODEL), output=store.parent / name
        )
        make_list(asked(count=12, **options), settings, listed.append)
    blend, capitals, *others = (event for event in listed if event.stage == dataset.LIST and event.rows)
    assert not any("blend" in other.artifact.manifest().metadata for other in others)
    manifest = blend.artifact.manifest()
    (section,) = blend_sections(manifest.metadata)
    assert [column.title for column in section.table.columns] == ["name", "low=0.75", "high=0.25"]
    names = manifest.metadata["first"][:10]
    assert [row[0] for row in section.table.rows] == names
    for place, style in enumerate(model.styles, start=1):
        nats = -model.log_probabilities(names, style=style) / [len(name) + 1 for name in names]
        assert [row[place] for row in section.table.rows] == [f"{value:.3f}" for value in nats]
    (section,) = blend_sections(capitals.artifact.manifest().metadata)
    assert {tuple(row[1:]) for row in section.table.rows} == {("–", "–")}
    Console().list_summary(blend)
    assert f"\n  {names[0]} " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wish", "code", "fix"),
    [
        ("lwo", "style.unknown", "did you mean low?"),
        ("", "", ""),
        ("elves", "style.unknown", "the model knows low, high"),
        ("low=1,elves=1", "style.unknown", "the model knows low, high"),
        ("low=1,low=2", "style.blend", "low=0.7,high=0.3"),
        ("low=0,high=1", "style.blend", "low=0.7,high=0.3"),
        ("low=nan", "style.blend", "low=0.7,high=0.3"),
        ("low=inf,high=1", "style.blend", "low=0.7,high=0.3"),
        ("low=1,high", "style.blend", "low=0.7,high=0.3"),
        ("low,high", "style.blend", "low=0.7,high=0.3"),
    ],
)
def test_a_style_that_there_is_not_is_refused_with_those_that_there_are(model, wish, code, fix):
    if not code:
        assert len(model.draw(3, style=wish)) == 3
        return
    with pytest.raises(DataError) as caught:
        model.draw(3, style=wish)
    assert caught.value.code == code
    assert fix in caught.value.fix


def test_one_list_is_no_style_and_keeps_its_keys(tmp_path):
    config = config_of(tmp_path / "lists", lists=("low",))
    assert stages.model.recipe(config.model_config, inputs={}).config.get("styles") is None
    none = replace(config, training=replace(config.training, styles="none"))
    assert (
        stages.model.recipe(none.model_config, inputs={}).key
        == stages.model.recipe(config.model_config, inputs={}).key
    )
    made = run(config, tmp_path / "store")
    assert model_contents(made["mixture"].arrays(MODEL, check_layout)).styles is None
    assert "style" not in made["names"].table("names.parquet").column_names
    model = open_model(made["mixture"].folder / MODEL, tmp_path / "store")
    with pytest.raises(DataError, match="knows no styles"):
        model.draw(3, style="low")
    with pytest.raises(DataError, match="knows no styles"):
        model.log_probabilities(["badoa"], style="low")
    settings = ListSettings(
        store=tmp_path / "store", model=str(made["mixture"].folder / MODEL), output=tmp_path / "list"
    )
    with pytest.raises(ConfigError, match="no column"):
        make_list(asked(count=3, columns=("name", "style")), settings)


def test_a_run_refuses_a_style_that_no_list_is_before_it_trains(tmp_path):
    with pytest.raises(ConfigError, match="unknown style"):
        RetrainConfig(sources=config_of(tmp_path).sources, sampling=SamplingConfig(style="elves"))
    with pytest.raises(ConfigError, match="knows no styles"):
        RetrainConfig(
            sources=config_of(tmp_path).sources,
            training=TrainingConfig(styles="none"),
            sampling=SamplingConfig(style="low"),
        )


def test_a_training_that_starts_from_the_champion_keeps_the_start_of_each_style(tmp_path):
    config = config_of(tmp_path / "lists")
    config = replace(config, training=replace(config.training, start="champion"))
    first = run(config, tmp_path / "store")
    (tmp_path / "lists" / "low.txt").write_text("\n".join([*LISTS["low"], "bagoo"]) + "\n")
    second = run(replace(config, sources=config.sources[::-1]), tmp_path / "store")
    card = second["model"].manifest().metadata["model_card"]
    assert card["start"].startswith(f"the champion model/{first['model'].key[:12]}")
    model = open_model(second["mixture"].folder / MODEL, tmp_path / "store")
    assert model.styles == ("high", "low")
    for style in model.styles:
        assert np.mean([is_like(name) == style for name in model.draw(200, style=style).to_pylist()]) > 0.9


def test_a_decision_shows_how_well_the_names_of_each_list_are_predicted(made, store, model):
    examples = made["examples"].table("examples.parquet").to_pylist()
    figures = {row["metric"]: row for row in made["decision"].table("decision.parquet").to_pylist()}
    for style in model.styles:
        held_out = [row["name"] for row in examples if row["source"] == style and row["split"] != "train"]
        characters = sum(map(len, held_out)) + len(held_out)
        nats = -model.log_probabilities(held_out, style=style).sum() / characters
        figure = figures[f"nats_per_character of {style}"]
        assert figure["challenger"] == pytest.approx(nats, rel=1e-6)
        assert figure["champion"] is figure["limit"] is figure["kept"] is None
    again = run(config_of(store.parent / "lists", training_seed=1), store)
    figures = {row["metric"]: row for row in again["decision"].table("decision.parquet").to_pylist()}
    for style in model.styles:
        figure = figures[f"nats_per_character of {style}"]
        assert figure["difference"] == pytest.approx(figure["champion"] - figure["challenger"])


def sections_of(report):
    """Its sections in Markdown, without escapes, by title."""
    outline = (report.folder / "report.md").read_text(encoding="utf-8").replace("\\", "")
    return {title: text for title, _, text in (part.partition("\n") for part in outline.split("## "))}


def columns_of(section):
    """The names in the table of a section, by the head of their column."""
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return dict(zip(rows[0], zip(*rows[1:], strict=True), strict=True))


@pytest.mark.parametrize("drawn_from", [None, "network"])
def test_the_report_shows_the_names_that_are_drawn_by_temperature_by_style_and_of_a_blend(
    made, store, model, drawn_from
):
    if drawn_from:
        config = config_of(store.parent / "lists")
        made = run(replace(config, sampling=replace(config.sampling, drawn_from=drawn_from)), store)
    sections = sections_of(made["report"])
    for title in ("Names", "Names by temperature", "Names by style"):
        assert f"Drawn from the {drawn_from or 'mixture'}" in sections[title]
    by_temperature = columns_of(sections["Names by temperature"])
    for temperature in (0.5, 0.8, 1.0, 1.2):
        assert list(by_temperature[f"at {temperature:g}"]) == few(model, drawn_from, temperature=temperature)
    by_style = columns_of(sections["Names by style"])
    assert list(by_style) == ["low", "high", "low=0.5,high=0.5"]
    for style, names in by_style.items():
        assert list(names) == few(model, drawn_from, style)


def few(model, drawn_from, style="", **options):
    """The first twelve names, by a prefix tree that is made for so few."""
    config = SamplingConfig(count=12, **options)
    accepts = name_predicate(model.file.training, model.vocabulary)
    chosen = model.models.select(drawn_from, style)
    sampler = Sampler(chosen, model.vocabulary, config, accepts, max_active=12, rarity=12)
    (part,) = sampler.names(0, 12)
    return to_strings(part.names, model.vocabulary).to_pylist()


def test_labels_of_one_source_are_styles_from_the_lists_to_the_report(tmp_path):
    rows = [f"{name},{style}" for style, names in LISTS.items() for name in names]
    (tmp_path / "both.csv").write_text("\n".join(["name,kind", *rows]) + "\n")
    config = replace(
        config_of(tmp_path / "lists"), sources=(Source("both", str(tmp_path / "both.csv"), label="kind"),)
    )
    made = run(config, tmp_path / "store")
    model = open_model(made["mixture"].folder / MODEL, tmp_path / "store")
    assert model.styles == ("both/high", "both/low")
    names = model.draw(200, style="both/high").to_pylist()
    assert np.mean([is_like(name) == "high" for name in names]) > 0.9
    scored = {row["source"] for row in made["evaluation"].table(METRICS).to_pylist()}
    assert scored == {"all", "both/high", "both/low"}
    outline = (made["report"].folder / "report.md").read_text(encoding="utf-8")
    assert "both/high" in outline.replace("\\", "")


def test_the_command_line_asks_for_a_style(made, store):
    def generate(*options):
        return subprocess.run(
            [COMMAND, "generate", "--engine", "plain", "--store", str(store), *options],
            env=clean_environment(store.parent),
            capture_output=True,
            text=True,
            check=False,
        )

    model = str(made["mixture"].folder / MODEL)
    output = store.parent / "some.csv"
    whole = generate("--model", model, "--style", "high", "--count", "5", "--output", str(output))
    assert whole.returncode == 0, whole.stderr
    assert output.read_text().count(',"high"\n') == 5
    wrong = generate("--model", model, "--style", "hihg", "--count", "5")
    assert wrong.returncode == 3
    assert "did you mean high?" in wrong.stderr


def test_the_command_line_previews_styles(made, store):
    model = str(made["mixture"].folder / MODEL)
    shown = subprocess.run(
        [COMMAND, "preview", model, "--count", "2", "--style", "high", "--temperatures", "0.4"],
        env=clean_environment(store.parent),
        cwd=store.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "high:\n  at 0.4" in shown.stdout


def test_a_preview_shows_the_first_names_of_every_style_at_every_temperature(model):
    config = PreviewConfig(count=3, temperatures=(0.5, 1.0), seed=4)
    sections = {section.title: section.table for section in preview_sections(model, config)}
    assert list(sections) == ["low", "high", "low=0.5,high=0.5"]
    for style, table in sections.items():
        assert [column.title for column in table.columns] == ["at 0.5", "at 1"]
        for place, temperature in enumerate(config.temperatures):
            drawn = model.draw(3, style=style, temperature=temperature, seed=4)
            assert [row[place] for row in table.rows] == drawn.to_pylist()
    (only,) = preview_sections(model, replace(config, style=("high",), prefix="mi"))
    assert only.title == "high"
    assert all(name.startswith("mi") for row in only.table.rows for name in row)


@pytest.mark.parametrize(
    "options",
    [{"count": 0}, {"temperatures": ()}, {"temperatures": (-1.0,)}, {"temperatures": (1.0,) * 9}],
    ids=str,
)
def test_a_preview_out_of_range_is_refused(options):
    with pytest.raises(ConfigError):
        PreviewConfig(**options)
