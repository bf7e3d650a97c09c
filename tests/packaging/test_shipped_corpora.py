"""The bundled name lists are what their README says."""

import hashlib
import re
import string

import pytest


@pytest.fixture(scope="module")
def folder(checkout):
    return checkout / "data" / "corpora"


@pytest.fixture(scope="module")
def stated(folder) -> dict[str, tuple[int, str]]:
    """File name -> number of names and sha256, from the README's table."""
    rows = re.findall(
        r"^\| `(\S+\.txt)` \| (\d+) \| `([0-9a-f]{64})` \|$",
        (folder / "README.md").read_text(encoding="utf-8"),
        flags=re.MULTILINE,
    )
    return {file: (int(count), digest) for file, count, digest in rows}


def test_the_readme_lists_every_bundled_corpus(folder, stated):
    assert stated.keys() == {path.name for path in folder.glob("*.txt")}


def test_each_corpus_has_the_bytes_that_its_readme_states(folder, stated):
    digests = {file: hashlib.sha256((folder / file).read_bytes()).hexdigest() for file in stated}
    assert digests == {file: digest for file, (_, digest) in stated.items()}


def test_each_corpus_has_as_many_different_names_as_its_readme_states(folder, stated):
    for file, (count, _) in stated.items():
        text = (folder / file).read_text(encoding="utf-8")
        assert text.endswith("\n")
        names = text.removesuffix("\n").split("\n")
        assert (len(names), len(set(names))) == (count, count), file


def test_merged_they_have_the_54_characters_of_the_notebook(folder, stated):
    characters = set("".join((folder / file).read_text(encoding="utf-8") for file in stated))
    assert characters == {"\n", " ", *string.ascii_letters}
    assert len(characters) == 54
