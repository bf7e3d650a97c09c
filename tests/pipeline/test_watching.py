"""A list that changed is noticed once, whatever it is called and whenever it was written."""

from pathlib import Path

import pytest

from rnn_core.errors import DataError
from tasks.config.sources import Source
from tasks.monitoring.source_changes import FILE, SourceMemory


@pytest.fixture
def towns(tmp_path: Path) -> Source:
    path = tmp_path / "towns.txt"
    path.write_text("Bern\nBasel\n")
    return Source("towns", str(path))


def changed(watched: SourceMemory, *sources: Source) -> list[str]:
    """And is remembered."""
    changes = watched.changes(sources)
    watched.remember(changes)
    return [change.source for change in changes]


def test_a_list_is_new_once_and_changed_once(tmp_path: Path, towns: Source) -> None:
    watched = SourceMemory(tmp_path / "store")
    assert changed(watched, towns) == ["towns"]
    assert changed(watched, towns) == []
    Path(towns.path).write_text("Bern\nBiel\n")
    (change,) = watched.changes([towns])
    assert change.was
    assert change.was != change.digest
    assert changed(watched, towns) == ["towns"]
    assert changed(watched, towns) == []


def test_a_list_that_is_written_again_with_the_same_bytes_did_not_change(
    tmp_path: Path, towns: Source
) -> None:
    watched = SourceMemory(tmp_path / "store")
    changed(watched, towns)
    moved = Path(towns.path).rename(tmp_path / "moved.txt")
    assert changed(watched, Source("towns", str(moved))) == []


def test_what_is_not_remembered_is_told_again(tmp_path: Path, towns: Source) -> None:
    watched = SourceMemory(tmp_path / "store")
    assert watched.changes([towns]) == watched.changes([towns])
    assert not (tmp_path / "store").exists()


def test_of_several_lists_those_that_changed_are_told(tmp_path: Path, towns: Source) -> None:
    (tmp_path / "rivers.txt").write_text("Aare\n")
    rivers = Source("rivers", str(tmp_path / "rivers.txt"))
    watched = SourceMemory(tmp_path / "store")
    assert changed(watched, towns, rivers) == ["towns", "rivers"]
    Path(rivers.path).write_text("Rhein\n")
    assert changed(watched, towns, rivers) == ["rivers"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_a_memory_that_is_damaged_is_none(tmp_path: Path, towns: Source, content: bytes) -> None:
    watched = SourceMemory(tmp_path)
    changed(watched, towns)
    (tmp_path / FILE).write_bytes(content)
    assert changed(watched, towns) == ["towns"]
    assert changed(watched, towns) == []


def test_a_list_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="could not be read"):
        SourceMemory(tmp_path).changes([Source("towns", str(tmp_path / "not-there.txt"))])
