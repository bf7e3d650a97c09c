"""Manifests in a bucket: one that is asked for by its key, or many, several at a time."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from artifacts.bucket.objects import Content, Objects
from artifacts.manifest import Manifest, foreign

_AT_ONCE = 16  # requests; each waits for the bucket most of the time


def read_manifest(objects: Objects, name: str, stage: str, key: str) -> tuple[Content, Manifest] | str:
    """The manifest of this key in an object; or what is wrong with it, an empty text if there is none."""
    try:
        content = objects.read(name)
        if content is None:
            return ""
        written = Manifest.from_json(content.body)
    except ValueError as fault:
        return f"{name.rpartition('/')[2]} {fault}"
    return foreign(written, stage, key) or (content, written)


def read_manifests(objects: Objects, names: Iterable[str]) -> Iterator[tuple[str, Manifest]]:
    """The manifests in these objects, with their names; what is not there, or broken, is left out."""

    def read(name: str) -> tuple[str, Manifest] | None:
        try:
            content = objects.read(name)
            return (name, Manifest.from_json(content.body)) if content else None
        except ValueError:
            return None

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield from filter(None, pool.map(read, names))
