"""What a store holds, as sections of tables: every artifact, and of one what it is and why it is kept."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from artifacts.bucket.address import inside
from artifacts.dataset import manifests
from artifacts.gc import with_lineage
from artifacts.inventory import Inventory
from artifacts.keys import KEY_LENGTH
from artifacts.manifest import Manifest
from artifacts.store import Store
from rnn_core.errors import DataError
from tasks import stages
from tasks.config.maintenance import MaintenanceConfig
from tasks.generate.dataset import LIST
from tasks.report.sections import Cell, Row, Section, Table, columns
from tasks.views import references

_KEY = re.compile(rf"(?:(\w+)/)?([0-9a-f]{{1,{KEY_LENGTH}}})")
_SHOWN = 20  # inputs, artifacts made from it, and reasons; more are counted
_MATCHES = 10  # in an error
_MODEL = "mixture"
_KEEP_LAST = MaintenanceConfig().keep_last
_STAGES = {stage.name: stage for stage in (*stages.ALL, *stages.OF_A_LIST)}

Manifests = Mapping[str, Manifest]


def store_section(store: Store, stage: str | None, limit: int) -> Section:
    """The artifacts of a store and its generated lists, the last used first.

    stage:  of which alone; by default all.
    limit:  of rows; how many there are, the title says.

    Raises DataError if the registry is damaged.
    """
    known, inventory = _manifests(store), store.inventory()
    why = _reasons(store, known)
    chosen = {origin: known[origin] for origin in known if stage in (None, origin.partition("/")[0])}
    used = {origin: _last_use(inventory, origin) for origin in chosen}
    last_used_first = sorted(chosen, key=lambda origin: (used[origin], origin), reverse=True)
    rows: list[Row] = [
        [
            _short(origin),
            chosen[origin].created_at[:10],
            _day(used[origin]),
            _words(origin, why),
            f"{chosen[origin].rows:,}" if chosen[origin].rows is not None else "",
            f"{inventory.size(origin) / 1e6:,.2f}",
        ]
        for origin in last_used_first[:limit]
    ]
    size = sum(inventory.size(origin) for origin in chosen) / 1e6
    more = f"; the {limit:,} that were used last" if len(chosen) > limit else ""
    things = ("artifact" if len(chosen) == 1 else "artifacts") + (f" of the stage {stage}" if stage else "")
    return Section(
        f"{len(chosen):,} {things} in {store.where}, {size:,.1f} MB{more}",
        "none; a run makes them: namewright run LIST",
        table=Table(columns("artifact", "made", "last used", "kept for", numeric=("rows", "MB")), rows),
    )


def artifact_sections(store: Store, key: str) -> Iterator[Section]:
    """What one artifact is, what it was made from, what was made from it, and why it is kept.

    key:  or its first digits, with or without the stage: `mixture/3f2a91`.

    Raises DataError if there is none, or more than one, or if it or the registry is damaged.
    """
    known = _manifests(store)
    origin = _find(store, known, key)
    written, inventory = known[origin], store.inventory()
    rows: list[Row] = [
        ("what it is", _description(written)),
        ("where", _place(store, origin)),
        ("made, UTC", written.created_at[:19].replace("T", " ")),
        ("by", ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in written.run.items())),
        ("it took", f"{written.seconds:,.1f} s"),
        ("last used", _day(_last_use(inventory, origin))),
        ("size", f"{inventory.size(origin) / 1e6:,.2f} MB"),
        ("files", ", ".join(list(written.files)[:_SHOWN]) + (", …" if len(written.files) > _SHOWN else "")),
    ]
    if written.rows is not None:
        rows.append(("rows", f"{written.rows:,}"))
    yield Section(origin, table=Table(columns("", " "), rows))
    yield _inputs_section(written, known)
    yield _uses_section(origin, known)
    if written.recipe.stage not in (_MODEL, LIST):
        yield _models_section(origin, known)
    why = _reasons(store, known).get(origin, [])
    yield Section("Kept for", points=_shortened(_reason_texts(origin, why)))


def _inputs_section(written: Manifest, known: Manifests) -> Section:
    rows: list[Row] = []
    for role, origin in written.origins.items():
        is_artifact = bool(_KEY.fullmatch(origin))
        state = "" if not is_artifact or origin in known else "no longer in the store"
        rows.append((role, _short(origin) if is_artifact else origin, Cell(state, tone="muted")))
    hidden = len(rows) - _SHOWN
    rows = [*rows[:_SHOWN], *([("…", f"{hidden:,} more", "")] if hidden > 0 else [])]
    return Section("Made from", "nothing", table=Table(columns("as", "what", ""), rows))


def _uses_section(origin: str, known: Manifests) -> Section:
    users = [user for user, written in known.items() if origin in written.origins.values()]
    users.sort(key=lambda user: known[user].created_at, reverse=True)
    rows: list[Row] = [(_short(user), known[user].created_at[:10]) for user in users[:_SHOWN]]
    if len(users) > _SHOWN:
        rows.append((f"and {len(users) - _SHOWN:,} more", ""))
    return Section("Made from it", "nothing", table=Table(columns("artifact", "made"), rows))


def _models_section(origin: str, known: Manifests) -> Section:
    """The models in whose making it had a part."""
    models = [model for model in known if known[model].recipe.stage == _MODEL]
    made_from_it = [model for model in models if origin in with_lineage(known, [model])]
    made_from_it.sort(key=lambda model: known[model].created_at, reverse=True)
    texts = [f"{_short(model)}, {known[model].created_at[:10]}" for model in made_from_it]
    return Section("Models made from it", "none", points=_shortened(texts))


def _reasons(store: Store, known: Manifests) -> dict[str, list[references.Root]]:
    """Why each artifact of a run is kept, with the default of `maintain --keep-last`."""
    artifacts = {origin: written for origin, written in known.items() if not _is_list(origin)}
    return references.reasons(artifacts, references.roots(store, _KEEP_LAST), _KEEP_LAST)


def _is_list(origin: str) -> bool:
    return origin.startswith(f"{LIST}/")


def _reason_texts(origin: str, why: Sequence[references.Root]) -> list[str]:
    if _is_list(origin):
        return ["you: maintain removes a list by --list-days alone, and never the latest"]
    if not why:
        return ["nothing: maintain removes it by --artifact-days or --max-size"]
    texts = [root.text if root.origin == origin else f"made from it: {root.text}" for root in why]
    return list(dict.fromkeys(texts))


def _shortened(texts: list[str]) -> list[str]:
    hidden = len(texts) - _SHOWN
    return [*texts[:_SHOWN], *([f"and {hidden:,} more"] if hidden > 0 else [])]


def _words(origin: str, why: Mapping[str, list[references.Root]]) -> Cell:
    """Who keeps it, in a word or two: who refers to it before who refers to its product, and age last."""
    roots = sorted(why.get(origin, []), key=lambda root: (root.word == "latest", root.origin != origin))
    if not roots:
        return Cell("you" if _is_list(origin) else "–", tone="muted")
    return Cell(roots[0].word, tone="good" if roots[0].word == "champion" else "")


def _manifests(store: Store) -> dict[str, Manifest]:
    """Of every artifact and of every generated list in the store, by `stage/key`."""
    return {manifest.origin: manifest for manifest in (*store.list(), *manifests(inside(store.root, LIST)))}


def _find(store: Store, known: Manifests, text: str) -> str:
    match = _KEY.fullmatch(text.lower())
    stage, digits = match.groups() if match else (None, "")
    matches = [origin for origin in known if digits and _is_meant(origin, stage, digits)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        lines = "".join(f"\n         {origin}" for origin in sorted(matches)[:_MATCHES])
        more = f"\n         and {len(matches) - _MATCHES:,} more" if len(matches) > _MATCHES else ""
        raise DataError(
            "artifact.ambiguous",
            "more than one artifact has such a key",
            where=store.where,
            saw=text[:80],
            fix=f"give more digits, or the stage:{lines}{more}",
        )
    raise _unknown(store, text, stage, digits)


def _is_meant(origin: str, stage: str | None, digits: str) -> bool:
    of_stage, _, key = origin.partition("/")
    return stage in (None, of_stage) and key.startswith(digits)


def _unknown(store: Store, text: str, stage: str | None, digits: str) -> DataError:
    for name in [stage] if stage else _STAGES:
        damaged = [key for key in store.keys(name) if digits and key.startswith(digits)]
        if damaged:
            return DataError(
                "artifact.unreadable",
                "the manifest of this artifact cannot be read",
                where=store.place(name, damaged[0]),
                saw=store.verify(name, damaged[0])[1],
                fix="maintain sets it aside, and the next run that needs it makes it again.",
            )
    return DataError(
        "artifact.unknown",
        "no artifact has such a key",
        where=store.where,
        saw=text[:80],
        fix="give its key or the first digits of it, with or without the stage, as in mixture/3f2a91.",
    )


def _description(written: Manifest) -> str:
    stage = _STAGES.get(written.recipe.stage)
    if not stage:
        return "A generated list." if written.recipe.stage == LIST else f"stage {written.recipe.stage}"
    return (stage.function.__doc__ or "").strip().splitlines()[0]


def _place(store: Store, origin: str) -> str:
    stage, _, key = origin.partition("/")
    return store.place(stage, key)


def _last_use(inventory: Inventory, origin: str) -> float:
    stage, _, key = origin.partition("/")
    return (inventory.last_asked(origin) or 0.0) if stage == LIST else inventory.last_use(stage, key)


def _short(origin: str) -> str:
    stage, _, key = origin.partition("/")
    return f"{stage}/{key[:12]}"


def _day(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d}" if moment else ""
