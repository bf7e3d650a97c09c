"""Why `maintain` keeps an artifact: the registry refers to it, or a generated list, or it is a late one."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from artifacts.bucket.address import inside
from artifacts.dataset import manifests
from artifacts.gc import latest, with_lineage
from artifacts.manifest import Manifest
from artifacts.registry import Registry
from artifacts.store import Store
from tasks.generate.dataset import LIST
from tasks.models.champion import CHAMPION, short_name
from tasks.models.training_lists import list_names

_ROLES = {CHAMPION: "champion", "lists": "accepted lists"}  # by the first word of a role's name


class Root(NamedTuple):
    """An artifact that is kept, with everything that it was made from.

    word:  who refers to it, in a word or two.
    text:  the same in full.
    """

    origin: str
    word: str
    text: str


def roots(store: Store, keep_last: int) -> Iterator[Root]:
    """What the registry and the generated lists refer to; a rollback goes `keep_last` entries back.

    Raises DataError if the registry is damaged: what it pointed at is then unknown.
    """
    for registry in store.registries():
        yield from _of_registry(store, registry, keep_last)
    for manifest in manifests(inside(store.root, LIST)):
        for origin in manifest.origins.values():
            yield Root(origin, "list", f"the generated list {manifest.recipe.key[:12]}")


def reasons(
    manifests_by_origin: Mapping[str, Manifest], kept: Iterable[Root], keep_last: int
) -> dict[str, list[Root]]:
    """Why each artifact is kept; those for which there is no reason are left out.

    The reason of one that something kept was made from has the origin of that.
    """
    found: dict[str, list[Root]] = {}
    for root in kept:
        for origin in with_lineage(manifests_by_origin, [root.origin]):
            found.setdefault(origin, []).append(root)
    newest = latest(manifests_by_origin, keep_last)
    for origin in with_lineage(manifests_by_origin, newest):
        text = f"one of the latest {keep_last:,} of {'its' if origin in newest else 'another'} stage"
        root = Root(origin if origin in newest else "", "latest", text)
        found.setdefault(origin, []).append(root)
    return found


def _of_registry(store: Store, registry: Registry, keep_last: int) -> Iterator[Root]:
    current, prefix = registry.current(), registry.role.split("-")[0]
    role = _ROLES.get(prefix, prefix)
    if current:
        lists = list_names(store, current.artifact)
        of_lists = f" of {', '.join(lists)}" if lists else ""
        yield Root(current.artifact.origin, role, f"the current {role}{of_lists}")
    for entry in [*registry.history()[-keep_last:], *([current] if current else [])]:
        text = f"the history of the {role}, {entry.created_at[:10]}"
        if not current or entry.artifact != current.artifact:
            yield Root(entry.artifact.origin, f"earlier {role}", text)
        yield Root(entry.why, role, f"the promotion of {short_name(entry.artifact)}")
        if entry.against:
            yield Root(entry.against.origin, f"earlier {role}", text)
