"""Addresses of buckets: `s3://bucket/prefix`, `gs://…`, `az://…`, and the folder here that mirrors each.

Programs and pages that know folders alone see the mirror: its path is made from the address, and the address
can be read from it. What is in the mirror is a copy; the bucket is what counts.
"""

import os
import re
from pathlib import Path
from urllib.parse import quote, unquote

from rnn_core.errors import ConfigError

CACHE_VARIABLE = "NAMEWRIGHT_CACHE"
SCHEMES = ("s3", "gs", "az")
_ADDRESS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):/+(?P<rest>.*)", re.DOTALL)
_MIRROR = re.compile(r"(?:s3|gs|az)%3A%2F%2F[^/]+")
_PLAIN = re.compile(r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._=-]+)*")
_LONGEST = 100  # characters; the mirror is a folder of that name


def bucket_address(path: str | Path) -> str | None:
    """The address that is written there, if it is one of a bucket; `s3:/bucket` as well, as a Path has it.

    Raises ConfigError for an address of another kind, and one that is not plain.
    """
    match = _ADDRESS.fullmatch(str(path))
    if not match or len(match["scheme"]) < 2:  # a single letter is a drive
        return None
    scheme, rest = match["scheme"].lower(), match["rest"].rstrip("/")
    if scheme not in SCHEMES:
        raise ConfigError(
            "config.store",
            f"no store and no list can be at an address of the kind {scheme}://",
            saw=f"{scheme}://{rest}"[:80],
            fix=f"use a folder, or a bucket: {', '.join(f'{known}://bucket/prefix' for known in SCHEMES)}.",
        )
    if not _PLAIN.fullmatch(rest) or ".." in rest or len(rest) > _LONGEST:
        raise ConfigError(
            "config.store",
            "the address of a bucket is its name, and a prefix of letters, digits and ._-= between slashes",
            saw=f"{scheme}://{rest}"[:80],
            fix=f"write {scheme}://bucket/prefix, of at most {_LONGEST} characters.",
        )
    return f"{scheme}://{rest}"


def mirror(address: str) -> Path:
    """The folder that mirrors the bucket at this address."""
    return cache_folder() / quote(address, safe="")


def inside(root: Path, *names: str) -> Path:
    """A folder in a store; of a bucket the mirror of the prefix, which is a bucket's address as well."""
    address = mirrored_address(root)
    return mirror("/".join([address, *names])) if address else root.joinpath(*names)


def mirrored_address(folder: Path) -> str | None:
    """The address of the bucket that this folder mirrors, if it is a mirror."""
    return unquote(folder.name) if _MIRROR.fullmatch(folder.name) else None


def cache_folder() -> Path:
    """Where mirrors are: NAMEWRIGHT_CACHE, or `namewright` in the user's cache folder."""
    if own := os.environ.get(CACHE_VARIABLE):
        return Path(own).expanduser().absolute()
    user = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(user).expanduser().absolute() / "namewright"
