"""Hostile documents: a file's name, its content, and the command that reads it (PATH stands for the file)."""

import io
import random
import zipfile
from pathlib import Path

Document = tuple[str, bytes, list[str]]

_DRY = ["run", "--dry-run"]


def hostile_toml(rng: random.Random, _store: Path) -> Document:
    """A configuration."""
    depth, digits = rng.choice([50, 900, 5_000, 100_000]), rng.choice([20, 400, 4_400, 100_000])
    text = rng.choice(
        [
            f"a = {'[' * depth}{']' * depth}",
            f"[training]\nepochs = {'9' * digits}",
            f"{'.'.join('a' * depth)} = 1",
            f"[training]\nhidden_size = '{chr(27)}[2J'",
            f"[training]\n{'x' * digits} = 1",
            "[training]\nepochs = nan\nlearning_rate = -inf",
            "\ufeff" * rng.randrange(3) + "[training",
            "".join(chr(rng.randrange(1, 0x2FF)) for _ in range(rng.randrange(1, 400))),
        ]
    )
    return "hostile.toml", text.encode("utf-8", "replace"), [*_DRY, "--config", "PATH"]


def hostile_json(rng: random.Random, _store: Path) -> Document:
    """A source on the command line."""
    depth = rng.choice([10, 900, 3_000, 20_000])
    text = rng.choice(
        [
            f'{{"name": {"[" * depth}{"]" * depth}}}',
            f'{{"name": {"9" * depth}}}',
            '{"name": "a", "path": 7}',
            f'{{"name": "{"x" * depth}", "path": "nowhere"}}',
            '{"name": "\\u001b[2J", "path": "\\u001b]0;x"}',
            '{"name": null, "path": [], "column": {}}',
            "{" + ",".join(f'"k{place}": 1' for place in range(depth // 10)) + "}",
        ]
    )
    return "unread", b"", [*_DRY, "--source", text]


def hostile_npz(rng: random.Random, store: Path) -> Document:
    """A model file."""
    kind = rng.choice(["bomb", "many", "header", "damaged"])
    content = io.BytesIO()
    if kind == "damaged":
        changed = bytearray(sorted(store.glob("mixture/*/model.npz"))[0].read_bytes())
        for _ in range(rng.randrange(1, 20)):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        content.write(bytes(changed))
    else:
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
            if kind == "bomb":
                file.writestr("layers.0.W_xh.npy", bytes(rng.choice([1 << 20, 1 << 28])))
            elif kind == "many":
                for place in range(20_000):
                    file.writestr(f"{place}.npy", b"")
            else:
                shape = f"({'9' * rng.choice([5, 12, 40])},)"
                head = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
                file.writestr("W_hy.npy", b"\x93NUMPY\x01\x00v\x00" + head.encode())
    words = ["generate", "--engine", "plain", "--count", "5", "--output", "-", "--model", "PATH"]
    return f"hostile-{rng.randrange(1 << 30)}.npz", content.getvalue(), words
