"""What a store in a bucket consists of, by listings: names, sizes and times are those of the last one."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from artifacts import atomic_io
from artifacts.bucket.lease import bucket_time
from artifacts.bucket.objects import ObjectInfo, Objects
from artifacts.bucket.usage import USED, use_name
from artifacts.inventory import LEASE, NAMED_AFTER_A_KEY, Inventory, Leftover
from artifacts.keys import KEY_LENGTH
from artifacts.manifest import FILE_NAME, Manifest

_DAY = 86_400.0
_KEY = rf"[0-9a-f]{{{KEY_LENGTH}}}"
_ATTEMPT = re.compile(rf"(?P<stage>\w+)/(?P<key>{_KEY})/(?P<attempt>[0-9a-f]{{16}})/.+")
_OURS = re.compile(
    rf"\w+/{_KEY}/({FILE_NAME}|[0-9a-f]{{16}}/[^/]+)"
    rf"|checkpoints/\w+/{_KEY}\.npz"
    rf"|{USED}/\w+/{_KEY}"
    rf"|leases/(clock|\w+-{_KEY}\.json)"
    r"|registry/[\w.-]+\.json|probe/[0-9a-f]{16}|(quarantine|generated)/[^/]+/.+"
    r"|[\w.-]+\.(json|html)"  # the documents at the top
)
_Group = tuple[str, str]  # the first two parts of a name


class BucketInventory(Inventory):
    """What a store in a bucket consists of.

    root:  the folder that mirrors it.
    """

    def __init__(self, objects: Objects, root: Path) -> None:
        super().__init__(root)
        self._objects = objects
        self._groups: dict[_Group, list[ObjectInfo]] | None = None

    def now(self) -> float:
        """The time of the bucket's clock."""
        return bucket_time(self._objects).timestamp()

    def names(self, folder: str) -> Sequence[str]:
        """The names in a folder, which is listed anew."""
        self._update(folder)
        start = len(folder) + 1
        return sorted({info.name[start:].partition("/")[0] for info in self._below(folder)})

    def exists(self, name: str) -> bool:
        """Whether there is such an object, or one below that name: asked anew."""
        return bool(self._objects.listing(name)) or self._objects.version(name) is not None

    def size(self, name: str = "") -> int:
        """The bytes of all objects of this name, and below it."""
        if not name:
            self._update("")
        return sum(info.bytes for info in self._below(name))

    def modified(self, name: str) -> float | None:
        """When the last of all objects of this name, or below it, was written."""
        return max((info.modified.timestamp() for info in self._below(name)), default=None)

    def last_use(self, stage: str, key: str) -> float:
        """When it was noted, or the artifact was made."""
        names = (f"{stage}/{key}/{FILE_NAME}", use_name(stage, key))
        return max(self.modified(name) or 0.0 for name in names)

    def last_asked(self, name: str) -> float | None:
        """The time of its lease."""
        return self.modified(f"{name}/{LEASE}")

    def is_odd(self, name: str) -> bool:  # noqa: ARG002
        """Never: nothing is removed but what a run has left."""
        return False

    def remove(self, name: str) -> None:
        """Remove an object, and all below that name; of an attempt, unless it was committed meanwhile."""
        attempt = _ATTEMPT.fullmatch(f"{name}/-")
        if attempt and self._committed(attempt["stage"], attempt["key"]) == attempt["attempt"]:
            return
        self._objects.remove([name, *(info.name for info in self._objects.listing(name))])
        if name.startswith("leases/"):  # and the lock that goes with it here
            lock = self._root / "locks" / f"{Path(name).stem}.lock"
            lock.unlink(missing_ok=True)

    def leftovers(self, now: float) -> Iterator[Leftover]:
        """The attempts that no manifest names, a day after the last of their files was written."""
        self._update("")
        for folder, infos in sorted((self._groups or {}).items()):
            attempts = {match["attempt"] for info in infos if (match := _ATTEMPT.fullmatch(info.name))}
            has_manifest = any(info.name.endswith(f"/{FILE_NAME}") for info in infos)
            if not attempts or (has_manifest and len(attempts) == 1):
                continue
            stage, key = folder
            try:
                committed = self._committed(stage, key)
            except ValueError:  # nobody knows which attempt it named
                continue
            for attempt in sorted(attempts - {committed}):
                name = f"{stage}/{key}/{attempt}"
                if now - (self.modified(name) or now) >= _DAY:
                    yield Leftover(name, stage, key, "left by a run that did not finish it")

    def foreign(self) -> Iterator[str]:
        """Objects whose names no run gives."""
        self._update("")
        for _, infos in sorted((self._groups or {}).items()):
            yield from (info.name for info in infos if not _OURS.fullmatch(info.name))

    def latest_list(self, folder: str, link: str, asked: Mapping[str, float]) -> str:  # noqa: ARG002
        """The one that was asked for last: a bucket has no links."""
        return max(asked, key=lambda name: (asked[name], name), default="")

    def unneeded_locks(self, now: float) -> Iterator[tuple[str, str, str]]:
        """Leases that nobody renewed for a day; who takes one meanwhile has it."""
        for file in self.names("leases"):
            match, name = NAMED_AFTER_A_KEY.fullmatch(Path(file).stem), f"leases/{file}"
            if match and now - (self.modified(name) or now) >= _DAY:
                yield match["stage"], match["key"], name

    def clear_notes(self, now: float) -> None:
        """Remove the notes on the use of what is no longer there, and probes of a day ago."""
        self._update("")
        for (top, second), infos in list((self._groups or {}).items()):
            if top == USED:
                keys = {info.name: info.name.rpartition("/")[2] for info in infos}
                unneeded = [name for name, key in keys.items() if not any(self._below(f"{second}/{key}"))]
            elif top == "probe":
                unneeded = [info.name for info in infos if now - info.modified.timestamp() >= _DAY]
            else:
                continue
            with atomic_io.io_errors(self._root, "clear the store"):
                self._objects.remove(unneeded)

    def _committed(self, stage: str, key: str) -> str:
        """The attempt that the manifest names; empty without one. Raises ValueError for a damaged one."""
        content = self._objects.read(f"{stage}/{key}/{FILE_NAME}")
        return Manifest.from_json(content.body).attempt if content else ""

    def _below(self, name: str) -> Iterator[ObjectInfo]:
        """All objects of this name, and below it, as of the last listing."""
        if self._groups is None:
            self._update("")
        groups = self._groups or {}
        parts = name.split("/")
        if len(parts) > 1:
            candidates = groups.get((parts[0], parts[1]), [])
        else:
            candidates = [info for (top, _), infos in groups.items() if name in ("", top) for info in infos]
        yield from (info for info in candidates if not name or f"{info.name}/".startswith(f"{name}/"))

    def _update(self, folder: str) -> None:
        """List a folder anew, or everything."""
        if self._groups is None:
            folder = ""
        listing = self._objects.listing(folder)
        kept = () if not folder else tuple((self._groups or {}).items())
        groups: dict[_Group, list[ObjectInfo]] = defaultdict(list)
        for group, infos in kept:
            others = [info for info in infos if not info.name.startswith(f"{folder}/")]
            if others:
                groups[group] = others
        for info in listing:
            top, _, rest = info.name.partition("/")
            groups[top, rest.partition("/")[0]].append(info)
        self._groups = dict(groups)
