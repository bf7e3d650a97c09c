"""Which lists a model was trained on, and which lists of a store were trained on last."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from artifacts.documents import as_type, parse_json
from artifacts.errors import StoreError
from artifacts.keys import canonical_json, sha256
from artifacts.manifest import Manifest
from artifacts.open_store import open_store
from artifacts.registry import Reference
from artifacts.store import Artifact, Store

FILE = "trained.json"  # at the top of a store
_KEY_DIGITS = 6  # enough to name a model by


class TrainingList(NamedTuple):
    """A list that a model was trained on: the name of its source, and how many names it has."""

    name: str
    names: int


def role_of_lists(prefix: str, names: Sequence[str]) -> str:
    """The role in the registry for the set of lists with these names: `prefix-…`."""
    return f"{prefix}-{sha256(canonical_json(sorted(names)))[:12]}"


def training_lists(store: Store, model: Reference) -> list[TrainingList]:
    """The lists that a model was trained on, by the manifests that lead to them; empty if that is unknown.

    model:  an artifact of the stage `mixture` or `model`; or of `validated`, for the lists of these names.
    """
    current = _manifest(store, model)
    for role in ("merged",) if model.stage == "validated" else ("examples", "validated", "merged"):
        current = current and _input(store, current, role)
    if not current:
        return []
    corpora = [_input(store, current, role) for role in current.origins if role.startswith("corpora.")]
    known = [corpus for corpus in corpora if corpus]
    if len(known) < len(corpora):
        return []
    return [TrainingList(corpus.recipe.config["name"], corpus.rows or 0) for corpus in known]


def list_names(store: Store, model: Reference) -> tuple[str, ...]:
    """The sorted names of the lists that a model was trained on; empty if that is unknown."""
    return tuple(sorted(training_list.name for training_list in training_lists(store, model)))


def drawn_from_text(kind: str) -> str:
    """What of a model names are drawn from, after `model_line`: its network, or its mixture."""
    return f"; names drawn from its {kind}"


def model_line(model: Artifact, now: datetime | None = None) -> str:
    """Which model names are from, in a line: `3f2a91 · towns (300 names), trained today`.

    now:  the current time, for the age of the model; without it the line is the same at any time.
    """
    lists = training_lists(open_store(model.folder.parents[1]), model.reference)
    names = ", ".join(f"{each.name} ({each.names:,} name{'' if each.names == 1 else 's'})" for each in lists)
    line = f"{model.key[:_KEY_DIGITS]} · {names or 'unknown lists'}"
    return line if now is None else f"{line}, trained {_age(model.manifest().created_at, now)}"


def last_trained(store: Store) -> tuple[str, ...]:
    """The names of the lists that were trained on last in this store; empty if that is unknown."""
    try:
        content = store.document(FILE).read()
        document = as_type(Mapping[str, tuple[str, ...]], parse_json(content or b"{}"))
        names: tuple[str, ...] = document.get("lists", ())
    except (StoreError, ValueError):
        return ()
    return names


def remember_trained(store: Store, names: Sequence[str]) -> None:
    """Store these lists as those that were trained on last. Raises StoreError."""
    if names and tuple(names) != last_trained(store):
        content = json.dumps({"lists": list(names)}).encode() + b"\n"
        store.document(FILE).update(lambda _: content, on_wait=lambda: None)


def _age(created_at: str, now: datetime) -> str:
    moment = datetime.fromisoformat(created_at).astimezone(now.tzinfo)
    days = (now.date() - moment.date()).days
    if days < 0 or days > 30:
        return f"on {moment:%Y-%m-%d}"
    return {0: "today", 1: "yesterday"}.get(days, f"{days} days ago")


def _manifest(store: Store, reference: Reference) -> Manifest | None:
    """The manifest of an artifact that is in the store, unchanged; not verified against its files."""
    current = store.read_manifest(reference.stage, reference.key)
    return current if current and current.digest == reference.digest else None


def _input(store: Store, current: Manifest, role: str) -> Manifest | None:
    stage, _, key = current.origins.get(role, "").partition("/")
    return _manifest(store, Reference(stage, key, current.recipe.inputs[role])) if key else None
