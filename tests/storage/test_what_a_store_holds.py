"""`namewright store`: what a store holds and why, in a folder and in a bucket."""

from collections import Counter
from dataclasses import replace

import pytest
from small_artifacts import put, recipe_of

from artifacts.bucket.address import inside
from artifacts.dataset import Dataset
from artifacts.registry import Entry
from rnn_core.errors import DataError
from tasks.views.store_view import artifact_sections, store_section

BY = {"engine": "test"}


def rows(section):
    return [[getattr(cell, "text", cell) for cell in row] for row in section.table.rows]


def sections(place, key):
    return {section.title: section for section in artifact_sections(place.store, key)}


def put_made_from(store, recipe, origins):
    """An artifact with inputs."""
    with store.lock(recipe.stage, recipe.key, on_wait=lambda: None):
        draft = store.writer(recipe.stage, recipe.key)
        draft.write_text("report.html", "a page")
        return store.commit(draft, recipe, origins=origins, seconds=1.5, run={"engine": "plain"})


@pytest.fixture
def model(place):
    """The champion, made from examples, from which a list was generated."""
    examples = put(place.store, recipe_of("examples"))
    recipe = recipe_of("mixture", examples=examples.digest)
    made = put_made_from(place.store, recipe, {"examples": examples.origin})
    entry = Entry.now(made.reference, None, "decision/1", BY)
    place.store.registry("champion").promote(entry, None, on_wait=lambda: None)
    request = replace(recipe_of("generated"), inputs={"model": made.digest})
    dataset = Dataset(inside(place.root, "generated", request.key))
    with dataset.claim(request, overwrite=False, on_wait=lambda: None):
        metadata = {"names": 150, "first": ["Ana"]}
        dataset.finish(
            request, [examples], metadata=metadata, origins={"model": made.origin}, seconds=2.0, run=BY
        )
    return made


def test_every_artifact_is_listed_with_its_size_and_who_keeps_it(place, model):
    section = store_section(place.store, None, 50)
    assert section.title.startswith(f"3 artifacts in {place.store.where}, ")
    words = {row[0].partition("/")[0]: (row[3], row[4]) for row in rows(section)}
    assert words == {
        "mixture": ("champion", ""), "examples": ("champion", "150"), "generated": ("you", "150"),
    }  # fmt: skip
    assert all(row[1] == row[2] for row in rows(section))  # made and used on one day
    (row,) = rows(store_section(place.store, "mixture", 50))
    assert row[0] == f"mixture/{model.key[:12]}"
    assert rows(store_section(place.store, "names", 50)) == []


@pytest.mark.usefixtures("model")
def test_no_more_rows_are_shown_than_asked_for_and_the_title_says_so(place):
    section = store_section(place.store, None, 2)
    assert len(rows(section)) == 2
    assert section.title.startswith("3 artifacts in ")
    assert section.title.endswith("; the 2 that were used last")


def test_an_artifact_says_what_it_is_from_what_and_why_it_is_kept(place, model):
    examples = model.manifest().origins["examples"]
    found = sections(place, model.key[:8])
    facts = dict(rows(found[model.origin]))
    assert facts["what it is"].startswith("The network and an n-gram model")
    assert facts["by"] == "engine plain"
    assert facts["it took"] == "1.5 s"
    assert facts["where"] == model.place
    assert rows(found["Made from"]) == [["examples", examples[: len("examples/") + 12], ""]]
    (user,) = rows(found["Made from it"])
    assert user[0].startswith("generated/")
    reasons = list(found["Kept for"].points)
    assert reasons[0] == "the current champion"
    assert any(reason.startswith("the generated list ") for reason in reasons)
    of_examples = sections(place, examples)
    assert of_examples["Kept for"].points[0] == "made from it: the current champion"
    assert of_examples["Models made from it"].points[0].startswith(f"mixture/{model.key[:12]}")


def test_what_nothing_refers_to_says_so_and_what_is_gone_is_marked(place):
    gone = f"model/{'0' * 32}"
    for number in range(11):
        recipe = recipe_of("names", model=f"{number:064}")
        put_made_from(place.store, recipe, {"model": gone})
    found = [sections(place, manifest.recipe.key) for manifest in place.store.list("names")]
    kept = [each["Kept for"].points[0] for each in found]
    assert kept.count("nothing: maintain removes it by --artifact-days or --max-size") == 1
    assert kept.count("one of the latest 10 of its stage") == 10
    assert rows(found[0]["Made from"]) == [["model", "model/000000000000", "no longer in the store"]]


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize("key", ["", "zz", "000000000000", "names/0", "nö/1", "a" * 5000])
def test_an_unknown_key_is_one_clear_error(place, key):
    with pytest.raises(DataError) as caught:
        sections(place, key)
    assert caught.value.code == "artifact.unknown"
    assert caught.value.where == place.store.where


def test_an_ambiguous_key_names_those_that_have_it(place):
    # Of 17 keys, at least two begin with one digit.
    keys = [put(place.store, recipe_of("names", run=str(number))).key for number in range(17)]
    (digit, count), *_ = Counter(key[0] for key in keys).most_common()
    with pytest.raises(DataError) as caught:
        sections(place, f"names/{digit}")
    assert caught.value.fix.count("\n") == count <= 10
    assert caught.value.code == "artifact.ambiguous"
    assert all(f"names/{key}" in caught.value.fix for key in keys if key[0] == digit)


def test_an_artifact_whose_manifest_is_damaged_says_so(place, model):
    place.tamper(f"{model.origin}/manifest.json", lambda content: content[:-9])
    with pytest.raises(DataError) as caught:
        sections(place, model.key[:8])
    assert caught.value.code == "artifact.unreadable"
    assert "manifest.json" in caught.value.saw
