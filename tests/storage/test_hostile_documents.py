"""Files that somebody else wrote: one error each, in no time, and no more memory than the file has bytes."""

import io
import json
import os
import struct
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_artifacts import recipe_of

from artifacts import checksummed_json, documents, formats, npz
from artifacts.gc import GarbageCollector
from artifacts.registry import ROLLED_BACK, Entry, Reference
from rnn_core.errors import DataError, escape_controls

MIB = 1 << 20


def npy(array, shape=None, descr="<f8"):
    content = io.BytesIO()
    header = {"descr": descr, "fortran_order": False, "shape": array.shape if shape is None else shape}
    np.lib.format.write_array_header_1_0(content, header)
    return content.getvalue() + array.tobytes()


def zipped(members, compression=zipfile.ZIP_STORED):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for name, member in members:
            archive.writestr(zipfile.ZipInfo(name), member, compression)
    return content.getvalue()


def overlapping(times):
    """A zip whose directory names one member again and again, under other names of the same length."""
    whole = zipped([("W000.npy", npy(np.zeros(MIB // 8)))])
    end, directory = whole.rfind(b"PK\x05\x06"), whole.rfind(b"PK\x01\x02")
    entries = b"".join(whole[directory:end].replace(b"W000", b"W%03d" % number) for number in range(times))
    record = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, times, times, len(entries), directory, 0)
    return whole[:directory] + entries + record


def with_header(text):
    return zipped([("W.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text)])


ZEROS = np.zeros(32 * MIB // 8)
HOSTILE = {
    "deflated": lambda: zipped([("W.npy", npy(ZEROS))], zipfile.ZIP_DEFLATED),
    "with a deflated member that nobody wants": lambda: zipped(
        [("W.npy", npy(np.zeros(3))), ("x", bytes(32 * MIB))], zipfile.ZIP_DEFLATED
    ),
    "of one array twice": lambda: overlapping(2).replace(b"W001", b"W000"),
    "of overlapping members": lambda: overlapping(64),
    "of too many members": lambda: zipped((f"W{number}.npy", npy(np.zeros(1))) for number in range(5000)),
    "of a header that claims a terabyte": lambda: zipped([("W.npy", npy(np.zeros(1), (1 << 37,)))]),
    "of a header with sizes below 0": lambda: zipped([("W.npy", npy(np.zeros(1), (-1, -1)))]),
    "of a deep header": lambda: with_header(b"(" * 9000),
    "of a header of signs": lambda: with_header(b"-" * 9000 + b"1"),
    "of objects": lambda: zipped([("W.npy", npy(np.zeros(1), descr="|O"))]),
    "of texts": lambda: zipped([("W.npy", npy(np.zeros(1), descr="<U2"))]),
    "cut off": lambda: zipped([("W.npy", npy(np.zeros(3)))])[:-30],
    "empty": lambda: b"",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_an_npz_is_refused_before_there_is_memory_for_what_it_claims(tmp_path, kind):
    path = tmp_path / "model.npz"
    path.write_bytes(HOSTILE[kind]())
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"artifact\.unreadable"):
            formats.read_arrays(path)
        assert tracemalloc.get_traced_memory()[1] < 4 * MIB
    finally:
        tracemalloc.stop()


def test_arrays_of_another_shape_than_expected_are_not_read(tmp_path):
    path = tmp_path / "model.npz"
    formats.write_arrays(path, {"W": ZEROS})

    def check(headers):
        assert headers["W"] == npz.ArrayHeader(np.dtype("f8"), ZEROS.shape)
        raise DataError("test.shape", "too large", fix="none")

    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"test\.shape"):
            formats.read_arrays(path, check)
        assert tracemalloc.get_traced_memory()[1] < MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b'{"a":' * 40 + b"1" + b"}" * 40,
        b"[" + b"9" * 5000 + b"]",
        b"1e999",
        b"NaN",
        b'"' + b"x" * documents.MOST_BYTES + b'"',
        b"\xff",
        b"",
    ],
    ids=["brackets", "depth", "digits", "infinity", "nan", "size", "bytes", "nothing"],
)
def test_json_beyond_the_limits_is_refused(content):
    with pytest.raises(ValueError):
        documents.parse_json(content)


@pytest.mark.parametrize(
    "content",
    [
        b"a = " + b"[" * 5000,
        b".".join([b"a"] * 100_000) + b" = 1",
        b"[" + b' . "a"'.join([b"a"] * 3000) + b"]",
        b"a = {b = " * 40 + b"1" + b"}" * 40,
        b"a = " + b"9" * 5000,
        b"a = " + b"9" * 30,
        b"#" * (MIB + 1),
        b"\xff",
    ],
    ids=["brackets", "dots", "a table's dots", "depth", "digits", "64 bits", "size", "bytes"],
)
def test_toml_beyond_the_limits_is_refused(content):
    with pytest.raises(ValueError):
        documents.parse_toml(content)


def test_toml_within_the_limits_is_read():
    text = '\ufeff[a.b]\nc = "1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17.18.19.20"\nd.e = 1.5\n'
    assert documents.parse_toml(text.encode())["a"]["b"]["d"] == {"e": 1.5}


def without(name):
    return lambda document: document.pop(name)


def with_value(*path):
    *path, name, value = path

    def change(document):
        for part in path:
            document = document[part]
        document[name] = value

    return change


def renamed(name):
    """The first file of a manifest under another name."""

    def change(document):
        first = next(iter(document["files"]))
        document["files"][name] = document["files"].pop(first)

    return change


FORGED_MANIFESTS = {
    **{
        f"files named {name!r}": renamed(name)
        for name in ("../victim", "a/b", "..", "", "a\\b", "a\0b", "a\x1b[31m")
    },
    "no files": with_value("files", {}),
    "files are a list": with_value("files", []),
    "no facts": with_value("facts", None),
    "no origins": with_value("origins", None),
    "origins that are no inputs": with_value("origins", {"merged": "merged/1"}),
    "a stage that is a number": with_value("recipe", "stage", 7),
    "inputs that are a list": with_value("recipe", "inputs", ["a"]),
    "a version that is true": with_value("recipe", "version", True),
    "a size below 0": with_value("files", "report.html", "bytes", -1),
    "a digest that is a list": with_value("files", "report.html", "sha256", ["a"]),
    "rows that are a text": with_value("files", "names.parquet", "rows", "many"),
    "a time without a zone": with_value("made_at", "2026-01-01T00:00:00"),
    "a time that is none": with_value("made_at", "yesterday"),
    "seconds that are a text": with_value("seconds", "1"),
    "an unknown field": with_value("more", 1),
    "a missing field": without("run"),
    "a deep field": with_value("facts", {"a": json.loads("[" * 50 + "]" * 50)}),
}  # fmt: skip


@pytest.mark.parametrize("kind", FORGED_MANIFESTS)
def test_a_manifest_with_a_valid_checksum_over_anything_else_is_set_aside(store, put_artifact, recipe, kind):
    artifact = put_artifact(store, recipe)
    path, victim = artifact.folder / "manifest.json", artifact.folder.with_name("victim")
    victim.write_text("precious")
    document = checksummed_json.loads(path.read_bytes())
    FORGED_MANIFESTS[kind](document)
    path.write_bytes(checksummed_json.dumps(document))
    (action,) = GarbageCollector(store, 0.0, dry_run=False).verify([recipe.stage])
    assert (action.outcome, action.what) == ("damaged", artifact.origin)
    assert "manifest.json" in action.why
    assert victim.read_text() == "precious"


def with_first_rolled_back(document):
    document["history"][0]["why"] = ROLLED_BACK


@pytest.mark.parametrize(
    ("stage", "facts"),
    [
        ("decision", {"promote": "yes"}),
        ("decision", {"reasons": 7}),
        ("gate", {"passed": 1}),
        ("profile", {"sources": {"a": 1}}),
        ("examples", {"names": {"train": "96"}}),
        ("model", {"model_card": []}),
        ("generated", {"first": [1]}),
    ],
)
def test_metadata_of_another_type_than_runs_act_on_is_a_fault_of_its_artifact(
    store, put_artifact, stage, facts
):
    artifact = put_artifact(store, recipe_of(stage))
    with pytest.raises(DataError, match="does not say"):
        artifact.manifest().metadata["names"]
    path = artifact.folder / "manifest.json"
    path.write_bytes(checksummed_json.dumps({**checksummed_json.loads(path.read_bytes()), "facts": facts}))
    assert "not a valid manifest" in store.examine(stage, artifact.key)[1]


FORGED_REGISTRIES = {
    "a rollback first": with_first_rolled_back,
    "a history that is an object": with_value("history", {}),
    "a change that is a text": with_value("history", ["promoted"]),
    "a stage that is a number": with_value("history", 0, "artifact", "stage", 7),
    "a stage that is a path": with_value("history", 0, "artifact", "stage", "../.."),
    "a digest that is a list": with_value("history", 0, "artifact", "digest", ["a"]),
    "no artifact": with_value("history", 0, "artifact", None),
    "a time that is a number": with_value("history", 0, "made_at", 7),
    "who, as a text": with_value("history", 0, "by", "me"),
    "no role": without("role"),
}


@pytest.mark.parametrize("kind", FORGED_REGISTRIES)
def test_a_registry_with_a_valid_checksum_over_anything_else_is_damaged(store, kind):
    registry = store.registry("champion")
    entry = Entry.now(Reference("mixture", "a", "digest"), None, "decision/1", {"engine": "test"})
    registry.promote(entry, None, on_wait=lambda: None)
    document = checksummed_json.loads(Path(registry.where).read_bytes())
    FORGED_REGISTRIES[kind](document)
    Path(registry.where).write_bytes(checksummed_json.dumps(document))
    with pytest.raises(DataError, match=r"registry\.damaged"):
        registry.history()


def link_to_itself(path):
    path.symlink_to(path.name)


@pytest.mark.parametrize("entry", [link_to_itself, os.mkfifo, Path.mkdir], ids=lambda entry: entry.__name__)
@pytest.mark.parametrize("name", ["manifest.json", "names.parquet"])
def test_an_odd_entry_is_the_fault_of_its_artifact_alone(store, put_artifact, recipe, entry, name):
    odd, whole = put_artifact(store, recipe), put_artifact(store, replace(recipe, version=9))
    (odd.folder / name).unlink()
    entry(odd.folder / name)
    actions = {
        action.what: action for action in GarbageCollector(store, 0.0, dry_run=False).verify([recipe.stage])
    }
    assert actions[whole.origin].outcome == "whole"
    assert (actions[odd.origin].outcome, actions[odd.origin].is_odd) == ("damaged", True)
    assert put_artifact(store, recipe).digest == odd.digest


@pytest.mark.parametrize("entry", [Path.touch, link_to_itself, lambda path: path.symlink_to("/etc")])
def test_an_odd_entry_in_scratch_is_cleared_by_who_writes_there_and_by_maintenance(store, recipe, entry):
    (store.root / "scratch").mkdir(parents=True)
    path = store.root / "scratch" / f"{recipe.stage}-{recipe.key}"
    entry(path)
    store.writer(recipe.stage, recipe.key).discard()
    entry(path)
    (action,) = GarbageCollector(store, 0.0, dry_run=False).clear_scratch()
    assert (action.outcome, action.is_odd) == ("removed", True)
    assert not os.path.lexists(path)
    assert Path("/etc").is_dir()


def test_what_is_removed_while_the_store_is_listed_is_passed_over(store, put_artifact, recipe, monkeypatch):
    gone, there = put_artifact(store, recipe), put_artifact(store, replace(recipe, version=9))
    keys = list(store.keys(recipe.stage))
    store.remove(gone)
    monkeypatch.setattr(type(store), "keys", lambda _store, _stage: iter(keys))
    assert [written.recipe.key for written in store.list(recipe.stage)] == [there.key]
    collector = GarbageCollector(store, 0.0, dry_run=False)
    assert [action.what for action in collector.verify([recipe.stage])] == [there.origin]
    assert list(collector.remove([replace(there.manifest(), recipe=recipe)])) == []


def test_what_moves_a_cursor_or_turns_a_line_is_an_escape_in_an_error():
    error = DataError("test.code", "wrong", where="a\x1b[31m\r\x9b\u202e", fix="none\nat all")
    assert r"a\x1b[31m\r\x9b\u202e" in str(error)
    assert str(error).count("\n") == 3
    assert escape_controls("Ana\tJosé नि\u200dम") == "Ana\tJosé नि\u200dम"


def test_a_document_larger_than_the_limit_is_not_read(tmp_path):
    path = tmp_path / "registry.json"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # a hole
    with pytest.raises(ValueError, match="larger"):
        documents.read_file(path)
