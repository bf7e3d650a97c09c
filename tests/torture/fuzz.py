"""Inputs that somebody else wrote, changed at random, and the readers that they go to.

A reader returns, or raises what its caller turns into one clear message; anything else is a fault.
"""

import contextlib
import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cyclopts import Token

from artifacts import checksummed_json, documents, formats
from artifacts.manifest import Manifest
from artifacts.store import Store
from data import merging
from data.config import MergingConfig, ValidationConfig
from data.corpus import read_corpus
from data.validation import validate_corpus
from rnn_core.errors import NamewrightError
from tasks.config.detect import detect
from tasks.config.sources import Source, parse_sources

Fuzz = Callable[[random.Random, Path, Path], None]

_TEXTS = {
    ".txt": "Ana\nBéa Ñandú\nmaría-josé\n\n中村\nO'Neil\n",
    ".csv": 'name,sex,count\nAna,F,12\n"Béa, the ""first""",F,3\nIvo,M,1\n',
    ".tsv": "name\tcount\nAna\t1.200,5\nBéa\t3\n",
    ".json": '[{"name": "Ana", "n": 3}, {"name": "Béa", "n": 1.5}, {"name": null}]',
    ".jsonl": '{"name": "Ana", "n": 3}\n{"name": "Béa"}\n"Ivo"\n',
}
_BITS = [
    b"\0",
    b"\r",
    b"\n",
    b'"',
    b",",
    b"\t",
    b"[",
    b"{",
    b"\\",
    b"\xff",
    b"\xef\xbb\xbf",
    "\u202e".encode(),
]
_BITS += [b"\\ud800", b"\x1b[2J", b"9" * 400, b"-", b"1e999", b"NaN", b"a" * 3000, "\u0301".encode() * 90]
_VALUES = [None, True, -1, 0, 7, 1 << 70, 1.5, "", "../..", "\x1b[2J", "a" * 999, [], {}, [[]], {"a": {}}]
_OPTIONS: dict[str, list[Any]] = {
    "format": ["text", "csv", "tsv", "json", "jsonl", "parquet", "feather"],
    "encoding": ["utf-8", "latin-1", "utf-16", "cp1252", "utf-8-sig", "idna", "nonsense", "shift_jis"],
    "column": ["name", 0, 1, 2, 99, -1, "", "count"],
    "counts": ["count", "n", 1, 3, 0],
    "header": [False],
    "delimiter": [";", "\t", " ", "|", '"', ""],
    "quoting": [False],
    "decimal": [","],
    "thousands": [".", "'", ","],
    "limit": [0, 1, 3],
    "skip_rows": [1, 5, 999],
    "max_row_bytes": [1, 64],
    "max_bytes": [1, 200],
    "where": ['sex = "F"', "count > 1", "count >", 'a = "', "n = 1 and n != 2", "((("],
    "case": ["title"],
    "empty_last_line": [True],
    "weight": [0.0, 2.5, float("nan")],
}


def _changed(content: bytes, rng: random.Random) -> bytes:
    for _ in range(rng.randrange(5)):
        place, end = sorted(rng.choices(range(len(content) + 1), k=2))
        bit = rng.choice([rng.choice(_BITS), rng.randbytes(rng.randrange(1, 9)), content[place:end] * 2])
        content = content[:place] + bit + content[rng.choice([place, place + 1, end]) :]
    return content


def _other_document(document: Any, rng: random.Random) -> Any:
    """The document with another value, or none, somewhere in it."""
    if rng.random() < 0.2 or not isinstance(document, dict | list) or not document:
        return rng.choice(_VALUES)
    if isinstance(document, list):
        place = rng.randrange(len(document))
        return [*document[:place], _other_document(document[place], rng), *document[place + 1 :]]
    key = rng.choice(sorted(document))
    if rng.random() < 0.2:
        return {name: value for name, value in document.items() if name != key}
    if rng.random() < 0.1:
        return {**document, rng.choice(["", "../x", "more", key * 2]): document[key]}
    return {**document, key: _other_document(document[key], rng)}


def _list(rng: random.Random, _store: Path, folder: Path) -> None:
    suffix = rng.choice(sorted(_TEXTS))
    path = folder / f"list{rng.choice([suffix, suffix, suffix, '.txt', '.csv', suffix + '.gz'])}"
    content = _changed(
        _TEXTS[suffix].encode(rng.choice(["utf-8", "utf-8", "latin-1", "utf-16"]), "replace"), rng
    )
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" and rng.random() < 0.8 else content)
    names = rng.sample(sorted(_OPTIONS), rng.choice([0, 0, 1, 1, 2, 4]))
    try:
        source = Source("list", str(path), **{name: rng.choice(_OPTIONS[name]) for name in names})
        source = detect(source)[0] if rng.random() < 0.5 else source
        parts = [part.names for part in read_corpus(source.files, source.reading, lambda _text: None)]
        merged = merging.merge(parts, rng.choice([MergingConfig(), MergingConfig(duplicates="count")]))
        for table in merged.names:
            list(validate_corpus(table, ValidationConfig(min_character_count=rng.randint(1, 3))).rejected)
    finally:
        path.unlink()


def _source(rng: random.Random, _store: Path, _folder: Path) -> None:
    document = {"name": "a", "path": "list.txt", "column": "name", "weight": 1.5, "limit": 3, "header": True}
    text = rng.choice(
        [json.dumps(_other_document(document, rng)), "a=list.txt,column=name,weight=1.5,where=n > 1"]
    )
    changed = _changed(text.encode(), rng).decode(errors="replace") if rng.random() < 0.5 else text
    for source in parse_sources(None, [Token(keyword="--source", value=changed, source="cli")]):
        _ = source.reading


def _toml(rng: random.Random, _store: Path, _folder: Path) -> None:
    text = b'[training]\nepochs = 3\nlearning_rate = 1e-3\n[[source]]\nname = "a"\nx = {y = [1, "z"]}\n'
    _valued(lambda: documents.parse_toml(_changed(text, rng)))


def _manifest(rng: random.Random, store: Path, _folder: Path) -> None:
    content = rng.choice(sorted(store.glob("*/*/manifest.json"))).read_bytes()
    _valued(lambda: Manifest.from_json(_document(content, rng)))


def _registry(rng: random.Random, store: Path, folder: Path) -> None:
    path = rng.choice(sorted((store / "registry").glob("*.json")))
    registry = Store(folder).registry(path.stem)
    Path(registry.where).parent.mkdir(exist_ok=True)
    Path(registry.where).write_bytes(_document(path.read_bytes(), rng))
    registry.history()


def _arrays(rng: random.Random, store: Path, folder: Path) -> None:
    path = folder / "arrays.npz"
    path.write_bytes(_changed(rng.choice(sorted(store.glob("*/*/*.npz"))).read_bytes(), rng))
    formats.read_arrays(path)


def _document(content: bytes, rng: random.Random) -> bytes:
    """Other bytes, or another document with a valid checksum."""
    if rng.random() < 0.3:
        return _changed(content, rng)
    document = _other_document(checksummed_json.loads(content), rng)
    return checksummed_json.dumps(document if isinstance(document, dict) else {"document": document})


def _valued(read: Callable[[], object]) -> None:
    """What the readers' callers do: a ValueError is a fault of the document."""
    with contextlib.suppress(ValueError):
        read()


KINDS: tuple[Fuzz, ...] = (_list, _list, _list, _source, _toml, _manifest, _registry, _arrays)


def read_changed(seed: float, count: int, store: Path, folder: Path) -> None:
    """Read so many inputs; raises what a reader raises that is none of ours, with the input's number."""
    folder.mkdir(exist_ok=True)
    for number in range(count):
        rng = random.Random(f"{seed} {number}")
        kind = rng.choice(KINDS)
        try:
            kind(rng, store, folder)
        except NamewrightError as refusal:
            str(refusal)
        except BaseException as fault:
            fault.add_note(f"input {number} of {seed}, {kind.__name__}")
            raise
