"""Twenty-five ways in which a file of a store goes bad."""

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

NOBODYS_KEY = "f" * 32  # a run leaves an artifact alone that it does not use
Corruption = Callable[[Path, random.Random], None]


def _bytes(change: Callable[[bytes, random.Random], bytes]) -> Corruption:
    def corrupt(path: Path, rng: random.Random) -> None:
        path.write_bytes(change(path.read_bytes(), rng))

    return corrupt


def _flipped(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content or b"\0")
    changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _zeros(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content) or 1)
    return content[:start] + bytes(len(content[start : start + 512])) + content[start + 512 :]


def _instead(make: Callable[[Path], Any]) -> Corruption:
    """Something else in the place of the file."""

    def change(path: Path, _rng: random.Random) -> None:
        path.unlink()
        make(path)

    return change


def _manifest(change: Callable[[dict[str, Any]], Any]) -> Corruption:
    """Another document in the manifest beside the file, whose checksum is left as it was."""

    def corrupt(path: Path, _rng: random.Random) -> None:
        manifest = path.with_name("manifest.json")
        manifest.write_text(json.dumps(change(json.loads(manifest.read_text()))))

    return corrupt


def _swapped(path: Path, rng: random.Random) -> None:
    other = rng.choice([one for one in sorted(path.parents[2].glob("*/*/*")) if one.is_file()])
    content = other.read_bytes()
    other.write_bytes(path.read_bytes())
    path.write_bytes(content)


def _under_another_key(path: Path, _rng: random.Random) -> None:
    path.parent.rename(path.parent.with_name(NOBODYS_KEY))


def _doubled_folder(path: Path, _rng: random.Random) -> None:
    shutil.copytree(path.parent, path.parent.with_name(NOBODYS_KEY))


CORRUPTIONS: dict[str, Corruption] = {
    "a bit": _bytes(_flipped),
    "zeros": _bytes(_zeros),
    "cut": _bytes(lambda content, rng: content[: rng.randrange(len(content) or 1)]),
    "cut by one": _bytes(lambda content, _rng: content[:-1]),
    "cut at its beginning": _bytes(lambda content, _rng: content[1:]),
    "empty": _bytes(lambda _content, _rng: b""),
    "more at its end": _bytes(lambda content, rng: content + rng.randbytes(16)),
    "twice": _bytes(lambda content, _rng: content * 2),
    "noise": _bytes(lambda content, rng: rng.randbytes(len(content))),
    "not UTF-8": _bytes(lambda content, _rng: b"\xff\xfe" + content),
    "line ends": _bytes(lambda content, _rng: content.replace(b"\n", b"\r\n") + b"\r\n"),
    "gone": _instead(lambda _path: None),
    "a folder": _instead(Path.mkdir),
    "a link to itself": _instead(lambda path: path.symlink_to(path.name)),
    "a link to nothing": _instead(lambda path: path.symlink_to("nothing")),
    "a link to a device": _instead(lambda path: path.symlink_to("/dev/zero")),
    "a FIFO": _instead(os.mkfifo),
    "another's": _swapped,
    "under another key": _under_another_key,
    "a second folder": _doubled_folder,
    "no object": _manifest(lambda _document: [1]),
    "no files": _manifest(lambda document: {**document, "files": {}}),
    "other types": _manifest(lambda document: dict.fromkeys(document, 1)),
    "a path": _manifest(lambda document: {**document, "files": {"../../x": {}}}),
    "a huge number": _manifest(lambda document: {**document, "version": 10**400}),
}
assert len(CORRUPTIONS) == 25
