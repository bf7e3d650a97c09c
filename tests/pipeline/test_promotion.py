"""Champion and challenger: what is promoted, what is refused, and what becomes of a champion that is gone."""

import re
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
from runs_to_decision import NAMES, Runs, as_far_as_the_decision
from small_artifacts import put, recipe_of
from small_runs import outcomes

from artifacts.checksummed_json import dumps, loads
from artifacts.store import Store
from flows import hints
from rnn_core.errors import ConfigError, DataError
from rnn_core.metrics.bootstrap import Gain
from tasks.config.promotion import PromotionConfig
from tasks.config.settings import WorkerSettings
from tasks.core.events import Finished
from tasks.core.plan import Plan
from tasks.models import champion, open_model
from tasks.models.champion import CHAMPION
from tasks.models.load import find_model, load_model
from tasks.models.promotion import Comparison, promotion_verdict

WORSE, GOOD, BETTER = 1, 6, 40  # epochs


@pytest.fixture(scope="module")
def with_champion(tmp_path_factory):
    """A store whose champion is GOOD, for tests that copy it."""
    runs = Runs(tmp_path_factory.mktemp("promotion"))
    runs.decide(GOOD)
    return runs


@pytest.fixture
def runs(with_champion, tmp_path):
    shutil.copytree(with_champion.store.root, tmp_path / "store")
    return Runs(tmp_path)


def snapshot(folder: Path):
    return {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in sorted(folder.rglob("*"))}


def test_the_first_model_is_promoted_and_an_unchanged_run_decides_and_writes_nothing(runs):
    config, first, before = runs.config(GOOD), runs.champion, snapshot(runs.store.root)
    computed, told = runs.run(config)
    assert not any(computed.values())
    assert told == f"{first.stage}/{first.key[:12]} is the champion"
    assert snapshot(runs.store.root) == before
    assert open_model(store=runs.store.root).origin == first.origin


def test_a_worse_challenger_is_refused_with_the_figures_and_refused_again_from_the_cache(runs):
    first, config = runs.champion, runs.config(WORSE)
    _, told = runs.run(config)
    assert re.search(r" is not promoted: its gain on \d\d held-out names is -0\.", told)
    assert runs.champion == first
    rows, facts = runs.figures()
    nats = rows["nats_per_character"]
    assert nats["difference"] == pytest.approx(nats["champion"] - nats["challenger"])
    assert nats["low"] < nats["difference"] < nats["high"] < 0 < nats["limit"]
    assert nats["kept"] is False
    assert (facts["promote"], facts["notes"]) == (False, [])
    for metric in ("validity", "novelty", "edit_distance_ratio"):
        row = rows[metric]
        assert row["difference"] == pytest.approx(row["challenger"] - row["champion"])
    computed, again = runs.run(config)
    assert not any(computed.values())
    assert again == told


def test_a_better_challenger_is_promoted_and_an_unchanged_run_finds_the_same_decision(runs):
    first, config = runs.champion, runs.config(BETTER)
    _, told = runs.run(config)
    assert f"is the champion now, after {first.stage}/{first.key[:12]}: its gain on" in told
    standing = runs.registry().current()
    assert standing.artifact != first
    assert standing.against == first
    assert standing.why.startswith("decision/")
    assert standing.by == {"engine": "plain"}
    computed, again = runs.run(config)
    assert not any(computed.values())
    assert again.endswith("is the champion")
    assert open_model(store=runs.store.root).origin == standing.artifact.origin


def test_a_dry_run_finds_the_decision_as_a_run_does_and_says_why_another_is_made(runs):
    runs.decide(BETTER)
    for epochs, is_made in ((BETTER, False), (GOOD, True)):
        plan = Plan(runs.settings)
        as_far_as_the_decision(runs.config(epochs), plan)
        assert bool(plan.stages[-1].reason) is is_made
        assert not any(stage.reason for stage in plan.stages[:-1])
    assert "champion changed" in plan.stages[-1].reason


def test_stages_in_processes_of_their_own_decide_the_same(runs, with_champion):
    runs.decide(BETTER)
    expected = runs.champion
    shutil.rmtree(runs.store.root)
    shutil.copytree(with_champion.store.root, runs.store.root)
    runs.workers = WorkerSettings("processes", 2)
    assert "is the champion now" in runs.decide(BETTER)
    assert runs.champion == expected


def test_what_was_rolled_back_is_not_promoted_again_by_a_run_but_by_hand(runs):
    first, config = runs.champion, runs.config(BETTER)
    runs.run(config)
    second = runs.champion
    assert champion.roll_back(runs.store, ("syllables",), {}, on_wait=lambda: None) == (second, first)
    computed, told = runs.run(config)
    assert not any(computed.values())
    assert "was rolled back; by hand: namewright models promote" in told
    assert runs.champion == first
    model, _ = runs.store.resolve(second)
    assert champion.promote_by_hand(runs.store, model, {}, on_wait=lambda: None) == first
    assert runs.run(config)[1].endswith("is the champion")


def test_a_roll_back_to_a_model_that_is_gone_says_what_else_there_is(runs):
    first = runs.champion
    runs.decide(BETTER)
    second = runs.champion
    shutil.rmtree(runs.store.folder(first.stage, first.key))
    with pytest.raises(DataError, match="the previous champion is not in the store") as caught:
        champion.roll_back(runs.store, ("syllables",), {}, on_wait=lambda: None)
    shown = hints.message(caught.value, "models")
    assert "namewright models rollback" not in shown
    assert "namewright models promote KEY" in shown
    assert runs.champion == second


def test_a_decision_that_was_overtaken_promotes_nothing_and_the_next_run_decides_anew(runs):
    runs.decide(WORSE, mode="manual")
    (other,) = (key for key in runs.store.keys("mixture") if key != runs.champion.key)
    other, _ = runs.store.examine("mixture", other)

    def overtake(event):
        if isinstance(event, Finished) and event.stage == "decision":
            champion.promote_by_hand(runs.store, other, {}, on_wait=lambda: None)

    _, told = runs.run(runs.config(BETTER), overtake)
    assert "is not promoted: the registry was changed by someone else meanwhile" in told
    assert runs.champion == other.reference
    assert "is the champion now" in runs.decide(BETTER)


def test_by_hand_means_that_a_run_only_says_who_deserves_it(runs):
    first = runs.champion
    told = runs.decide(BETTER, mode="manual")
    assert "is ready to be promoted, by hand: namewright models promote" in told
    assert runs.champion == first


def keys_of(runs) -> set[str]:
    return set(runs.store.keys("mixture"))


def test_every_set_of_lists_has_a_champion_of_its_own_and_that_of_the_last_run_is_taken(runs):
    first, known = runs.champion, keys_of(runs)
    assert "is the champion now, after none" in runs.decide(BETTER, source="towns")
    (towns,) = keys_of(runs) - known
    assert runs.champion == first
    assert runs.registry("towns").current().artifact.key == towns
    root = runs.store.root
    assert open_model(store=root).origin == f"mixture/{towns}"
    assert open_model(store=root, sources=["syllables"]).origin == first.origin
    assert runs.decide(GOOD).endswith("is the champion")  # all from the cache
    assert open_model(store=root).origin == first.origin
    assert find_model("champion", root, ["towns"]).origin == f"mixture/{towns}"


def test_a_roll_back_and_a_promotion_by_hand_concern_one_set_of_lists(runs, models):
    first = runs.champion
    runs.decide(GOOD, source="towns")
    towns = runs.registry("towns").current().artifact
    runs.decide(BETTER)
    assert runs.champion != first
    assert "is the champion again" in models("rollback")
    assert runs.champion == first
    assert runs.registry("towns").current().artifact == towns
    listed = models("list")
    assert re.search(rf"{first.key[:12]} .* syllables\b.* champion$", listed, flags=re.M)
    assert re.search(rf"{towns.key[:12]} .* towns\b.* champion$", listed, flags=re.M)
    models("promote", towns.key)
    assert open_model(store=runs.store.root).origin == towns.origin


def test_of_lists_without_a_champion_none_is_taken_and_it_is_told_what_there_is(runs):
    known = keys_of(runs)
    told = runs.decide(GOOD, source="towns", min_edit_distance_ratio=9.0)
    (towns,) = keys_of(runs) - known
    assert told.endswith(f"; to use it all the same: namewright generate --model {towns[:12]}")
    with pytest.raises(DataError) as caught:
        open_model(store=runs.store.root)
    assert (caught.value.code, caught.value.what) == ("champion.none", "no model of towns was promoted")
    assert caught.value.saw == "champions of syllables"
    assert "--sources" in hints.message(caught.value, "generate")
    assert towns in caught.value.fix
    with pytest.raises(DataError, match="no model of nowhere was promoted"):
        open_model(store=runs.store.root, sources=["nowhere"])


def test_the_champion_of_a_store_from_before_is_that_of_its_lists(runs):
    """One registry, `champion`, and nothing of which lists were trained on last."""
    first, own = runs.champion, Path(runs.registry().where)
    document = loads(own.read_bytes())
    own.unlink()
    earlier = Path(runs.store.registry(CHAMPION).where)
    earlier.write_bytes(dumps({**document, "role": CHAMPION}))
    (runs.store.root / "trained.json").unlink()
    assert open_model(store=runs.store.root).origin == first.origin
    assert runs.decide(GOOD).endswith("is the champion")
    assert f"is the champion now, after {first.stage}/{first.key[:12]}" in runs.decide(BETTER)
    second = runs.champion
    assert "is the champion now, after none" in runs.decide(GOOD, source="towns")
    assert runs.champion == second == runs.store.registry(CHAMPION).current().artifact
    assert champion.roll_back(runs.store, ("syllables",), {}, on_wait=lambda: None) == (second, first)
    assert not own.exists()


def test_the_champions_of_all_lists_are_kept_by_maintenance(runs, namewright):
    runs.decide(GOOD, source="towns")
    for epochs in (2, 3):
        time.sleep(1)  # which artifact is the newest is told by the second
        runs.decide(epochs, source="towns")
    outcome = namewright("maintain", "--store", str(runs.store.root), "--artifact-days=0", "--keep-last=1")
    assert outcome.returncode == 0, outcome.stderr
    assert "removed  mixture/" in outcome.stdout
    for source in ("syllables", "towns"):
        assert open_model(store=runs.store.root, sources=[source]).draw(1)


def test_with_too_few_names_to_compare_the_champion_stays(runs):
    first = runs.champion
    assert "held-out names can be compared, fewer than 1,000" in runs.decide(BETTER, min_names=1_000)
    assert runs.champion == first


def test_a_limit_that_is_not_kept_is_a_reason_of_its_own(runs):
    told = runs.decide(BETTER, min_novelty=0.99, min_gain=9.0)
    assert "; at least 9 is required of a model of the same list; novelty is" in told


def test_a_model_of_another_list_only_must_not_be_worse_than_the_margin(runs):
    """Names that the champion was trained on, or cannot spell, are left out, and notes say so."""
    names = [*NAMES[:-1], *(f"zzy{name}" for name in NAMES[:40])]
    assert "is required of a model of another list" in runs.decide(GOOD, names=names, margin=5.0, min_names=5)
    rows, facts = runs.figures()
    assert facts["promote"]
    assert rows["nats_per_character"]["limit"] == -5.0
    assert any("that the champion cannot spell" in note for note in facts["notes"])
    assert any("that the champion was trained on" in note for note in facts["notes"])
    assert 5 <= facts["names"] < 0.2 * len(names) * 0.9


def test_a_champion_whose_examples_are_gone_is_compared_all_the_same_and_it_is_told(runs):
    names = [*NAMES, "Nueva", "Otra"]
    examples, _ = runs.store.resolve(runs.store.resolve(runs.champion)[0].input("examples"))
    shutil.rmtree(examples.folder)
    assert "of a model of the same list" in runs.decide(BETTER, names=names)
    assert "the examples of the champion are not in the store" in runs.figures()[1]["notes"][0]


@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_nothing_is_promoted_over_a_champion_that_is_gone_and_a_promotion_by_hand_mends_it(runs, damage):
    first = runs.champion
    folder = runs.store.folder(first.stage, first.key)
    if damage == "missing":
        shutil.rmtree(folder)
    else:
        (folder / "model.npz").write_bytes(b"PK")
    for _ in range(2):
        with pytest.raises(DataError) as caught:
            runs.decide(BETTER)
        assert caught.value.code == f"champion.{damage}"
        assert "namewright models rollback" in hints.message(caught.value, "run")
    assert runs.champion == first
    assert runs.figures()[1]["promote"] is False
    (key,) = (key for key in runs.store.keys("mixture") if key != first.key)
    model, _ = runs.store.examine("mixture", key)
    champion.promote_by_hand(runs.store, model, {}, on_wait=lambda: None)
    assert runs.decide(BETTER).endswith("is the champion")
    assert runs.decide(GOOD)  # whatever it says: it is made again, and compared


def test_a_run_whose_champion_is_gone_makes_all_its_artifacts_and_ends_with_an_error(
    namewright, quick, stored
):
    run = ("run", "--engine", "plain", *quick)
    (mixture,) = (stored / "mixture").iterdir()
    shutil.rmtree(mixture)
    outcome = namewright(*run, "--training.learning-rate", "0.02")
    assert outcome.returncode == 3
    assert outcome.stderr.startswith("error[champion.missing]")
    made = outcomes(outcome.stdout)
    assert made["names 25"] == made["decision"] == made["report"] == "computed"
    assert namewright(*run).returncode == 0  # which makes the champion again


@pytest.fixture
def models(namewright, runs):
    """`namewright models …` on the store; what it prints."""

    def ask(*arguments: str) -> str:
        outcome = namewright("models", *arguments, "--store", str(runs.store.root))
        assert outcome.returncode == 0, outcome.stderr
        return outcome.stdout

    return ask


def test_models_are_listed_shown_compared_promoted_and_rolled_back(models, runs):
    first = runs.champion
    assert "is ready to be promoted" in runs.decide(BETTER, mode="manual")
    (second,) = (key for key in runs.store.keys("mixture") if key != first.key)

    title, heads, *rows = models("list").splitlines()
    assert title.startswith("Models, with nats per character on test names and the settings that differ")
    known = ["key", "made, UTC", "network", "mixture"]
    assert re.split(r"  +", heads.strip())[:4] == known
    settings = re.split(r"  +", heads.strip())[4:-1]
    assert settings, "the settings in which the two differ are columns"
    assert {row.split()[0]: row.endswith(")  champion") for row in rows} == {
        first.key[:12]: True,
        second[:12]: False,
    }
    assert all(re.search(r"  syllables \(\d+\)", row) for row in rows)
    compared = models("compare", second[:8])
    assert re.search(r"^ *nats per character .* yes$", compared, flags=re.M)
    assert compared.startswith("promote: its gain on ")
    differing = compared.partition("Settings that differ:\n")[2].splitlines()
    assert differing[0].split() == ["setting", f"mixture/{second[:12]}", f"mixture/{first.key[:12]}"]
    assert {line.split()[0].rpartition(".")[2].replace("_", " ") for line in differing[1:]} == set(settings)
    assert models("compare", first.key, second).startswith("keep the champion: its gain on ")
    assert runs.champion == first  # so far nothing was changed

    said = models("promote", second[:10])
    assert said == f"mixture/{second} is the champion; before it was {first.origin}\n"
    assert open_model(store=runs.store.root).origin == f"mixture/{second}"
    keys = [*runs.store.keys("mixture"), *runs.store.keys("model")]
    unique = next(
        second[:length]
        for length in range(1, 32)
        if sum(key.startswith(second[:length]) for key in keys) == 1
    )
    assert models("show", unique) == models("show")  # any unique prefix of a key names the model
    shown = models("show")
    for fact in (
        second,
        "hidden size",
        "network, test: nats per character",
        "network, sample: novelty",
        "decision/",
    ):
        assert fact in shown
    assert re.search(rf"mixture/{second[:12]} +{first.origin[:20]} +promoted by hand +command line", shown)
    assert models("rollback").endswith(f"is the champion again; until now it was mixture/{second}\n")
    assert runs.champion == first
    assert re.search(rf"^ *{second[:12]} .* rolled back$", models("list"), flags=re.M)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("show", "abcdef"), "model.unknown"),
        (("promote", "model/"), "champion.stage"),
        (("rollback",), "registry.nothing_before"),
    ],
    ids=str,
)
def test_what_cannot_be_shown_or_promoted_is_told_with_what_to_do(namewright, runs, arguments, code):
    (model,) = runs.store.keys("model")
    arguments = [each + model if each.endswith("/") else each for each in arguments]
    outcome = namewright("models", *arguments, "--store", str(runs.store.root))
    assert outcome.returncode == 3
    assert outcome.stderr.startswith(f"error[{code}]")
    assert "Traceback" not in outcome.stderr


def test_a_damaged_registry_ends_a_run_and_every_command_and_is_not_written_over(namewright, runs):
    path = Path(runs.registry().where)
    path.write_bytes(path.read_bytes().replace(b"mixture", b"mixtrue"))
    damaged = path.read_bytes()
    with pytest.raises(DataError) as caught:
        runs.decide(BETTER)
    assert caught.value.code == "registry.damaged"
    for command in (("list",), ("promote", next(runs.store.keys("mixture"))), ("rollback",)):
        outcome = namewright("models", *command, "--store", str(runs.store.root))
        assert outcome.returncode == 3
        assert outcome.stderr.startswith("error[registry.damaged]")
    assert path.read_bytes() == damaged


@pytest.mark.parametrize("last", [0, 1, 2])
def test_of_several_evaluations_of_a_model_the_last_made_is_shown(last, tmp_path, monkeypatch):
    store = Store(tmp_path)
    mixture = put(store, recipe_of("mixture"))
    made = [put(store, recipe_of("evaluation", mixture=mixture.digest, examples=each)) for each in "abc"]
    moments = {each.key: f"2024-01-0{2 if each is made[last] else 1}T00:00:00+00:00" for each in made}
    listed = [replace(each, created_at=moments[each.recipe.key]) for each in store.list("evaluation")]
    monkeypatch.setattr(store, "list", lambda _stage: listed)
    assert champion.latest_evaluation(store, mixture).key == made[last].key


def test_a_store_without_a_model_is_no_error_to_list(namewright, tmp_path):
    outcome = namewright("models", "list", "--store", "nowhere")
    assert outcome.stdout.endswith("no model in nowhere; train one: namewright run LIST\n")
    assert not (tmp_path / "nowhere").exists()


SAMPLE = {"validity": 1.0, "novelty": 0.9, "edit_distance_ratio": 1.0}


@pytest.mark.parametrize(
    ("gain", "same_list", "promote"),
    [
        (Gain(0.01, 0.004, 0.016), True, True),
        (Gain(0.01, 0.002, 0.016), True, True),  # as much as is required
        (Gain(0.006, 0.001, 0.012), True, False),  # it may be chance
        (Gain(0.0, -0.009, 0.009), True, False),  # another seed
        (Gain(0.0, -0.009, 0.009), False, True),  # as good, from another list
        (Gain(-0.02, -0.03, -0.01), False, False),
        (Gain(float("nan"), float("nan"), float("nan")), False, False),
    ],
)
def test_the_lower_end_of_the_interval_decides(gain, same_list, promote):
    compared = Comparison(900, 1.5, 1.5 + gain.value, gain, same_list)
    assert promotion_verdict(PromotionConfig(), compared, SAMPLE, {}).promote is promote


def test_what_was_not_measured_is_not_held_against_a_model():
    found = promotion_verdict(PromotionConfig(), None, {}, {})
    assert found.promote
    assert [figure.kept for figure in found.figures] == [None] * 3


@pytest.mark.parametrize("metric", SAMPLE)
def test_a_first_model_has_to_keep_the_limits(metric):
    found = promotion_verdict(PromotionConfig(), None, {**SAMPLE, metric: 0.01}, {})
    assert not found.promote
    assert found.reasons[0].startswith(f"{metric} is 0.01, below the limit of 0.")


@pytest.mark.parametrize(
    "knobs",
    [{"mode": "never"}, {"confidence": 1.0}, {"confidence": 0}, {"min_gain": -1}, {"resamples": 1}],
    ids=repr,
)
def test_a_rule_that_makes_no_sense_is_refused(knobs):
    with pytest.raises(ConfigError):
        PromotionConfig(**knobs)


def test_by_default_a_decision_compares_what_names_are_drawn_from(runs):
    runs.run(runs.config(BETTER, drawn_from=None, mode="manual"))
    rows, facts = runs.figures()
    assert facts["notes"] == []
    (key,) = (key for key in runs.store.keys("mixture") if key != runs.champion.key)
    candidate = load_model(find_model(key, runs.store.root))
    assert rows["nats_per_character"]["challenger"] == pytest.approx(
        nats_of_held_out_names(runs, candidate, "mixture")
    )


def nats_of_held_out_names(runs, model, drawn_from):
    (key,) = {manifest.recipe.key for manifest in runs.store.list("examples")}
    table = runs.store.examine("examples", key)[0].table("examples.parquet").to_pylist()
    names = sorted({row["name"] for row in table if row["split"] != "train"})
    return -model.log_probabilities(names, drawn_from).sum() / sum(len(name) + 1 for name in names)
