"""The registry: which artifact is current in a role, with the whole history of changes.

<root>/registry/<role>.json

A promotion pushes an artifact onto a stack and a rollback pops it; the top is current. Both are entries of
the history, which only grows.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from artifacts import atomic_io
from artifacts.checksummed_json import dumps, loads
from artifacts.documents import MOMENT, PLAIN_NAME, as_type, read_file
from artifacts.errors import StoreError
from rnn_core.errors import DataError

ROLLED_BACK = "rolled back"
BY_HAND = "promoted by hand"

OnWait = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Reference:
    """An artifact by its key and its content, whether or not it is still in the store."""

    stage: Annotated[str, PLAIN_NAME]
    key: Annotated[str, PLAIN_NAME]
    digest: str

    @property
    def origin(self) -> str:
        """The artifact as `stage/key`."""
        return f"{self.stage}/{self.key}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One change of a role.

    artifact:    current from now on.
    against:     the baseline it was compared with at the time, if any.
    why:         the origin of the `decision`, or of another artifact, that promoted it; BY_HAND; ROLLED_BACK.
    created_at:  UTC, ISO 8601.
    by:          who ran it: the engine, and Prefect's flow run where there is one.
    """

    artifact: Reference
    against: Reference | None
    why: str
    created_at: Annotated[str, MOMENT]
    by: Mapping[str, str]

    @classmethod
    def now(cls, artifact: Reference, against: Reference | None, why: str, by: Mapping[str, str]) -> "Entry":
        """An entry dated with the present moment."""
        return cls(artifact, against, why, datetime.now(UTC).isoformat(timespec="seconds"), by)


class ConflictError(StoreError):
    """The role was changed since the caller looked at it."""

    def __init__(self, path: Path, expected: Reference | None, current: Reference | None) -> None:
        super().__init__(
            "registry.overtaken",
            "the registry was changed by someone else meanwhile",
            where=str(path),
            saw=f"{current.origin if current else 'nothing'}, "
            f"and not {expected.origin if expected else 'nothing'}",
            fix="nothing was changed: look at what is current now; if it is still wanted, run it again.",
        )


class Registry:
    """The registry of one role.

    path:  the file that holds its history.
    lock:  held during a change, by one process at a time; takes the function to call while it waits.
    """

    def __init__(self, path: Path, lock: Callable[[OnWait], AbstractContextManager[None]]) -> None:
        self.path, self._lock = path, lock

    def history(self) -> tuple[Entry, ...]:
        """Every change, newest last. Raises DataError if the file is damaged, StoreError if unreadable."""
        with atomic_io.io_errors(self.path, "read the registry"):
            try:
                content = read_file(self.path)
            except FileNotFoundError:
                return ()
            except ValueError as fault:
                raise self._damaged(fault) from fault
        try:
            document = as_type(_Document, loads(content))
            if document.role != self.path.stem:
                raise ValueError(f"it belongs to the role {document.role!r}")
            history = tuple(map(_from_json, document.history))
            _replay(history)
        except ValueError as fault:
            raise self._damaged(fault) from fault
        return history

    def _damaged(self, fault: ValueError) -> DataError:
        return DataError(
            "registry.damaged",
            "the registry is damaged",
            where=str(self.path),
            saw=str(fault),
            fix="put a copy of this file in its place. Without one, move it away and promote a model by "
            "hand: the history then begins anew.",
        )

    def current(self) -> Entry | None:
        """The change that made its artifact current. Raises as `history` does."""
        return _replay(self.history()).current

    def rolled_back(self) -> frozenset[str]:
        """Digests of artifacts that were rolled back and not promoted since. Raises as `history` does."""
        return _replay(self.history()).rolled_back

    def baseline_for(self, candidate: str) -> Reference | None:
        """The artifact that a candidate for the role is compared with.

        candidate:  its digest.

        That is the current one, or if the candidate itself is current, what it was compared with when it was
        promoted: so an unchanged run asks the same question again, and finds the answer in the store.

        Raises as `history` does.
        """
        current = self.current()
        if current and current.artifact.digest == candidate:
            return current.against
        return current.artifact if current else None

    def promote(self, entry: Entry, expected: Reference | None, on_wait: OnWait) -> None:
        """Make the entry's artifact current, durably.

        expected:  what is current as far as the caller knows; its content counts.
        on_wait:   called again and again while another process changes the role; it may raise to give up.

        Raises ConflictError if something else is current, and as `history` does.
        """
        with self._lock(on_wait):
            history = self.history()
            self._check_current(_replay(history), expected)
            self._write((*history, entry))

    def roll_back(
        self,
        expected: Reference | None,
        by: Mapping[str, str],
        check: Callable[[Reference], object],
        on_wait: OnWait,
    ) -> tuple[Reference, Reference]:
        """Make the previous artifact current again, durably.

        expected:  as for `promote`.
        check:     raises if the previous artifact must not become current again.

        Returns what was current until now, and what is from now on. Raises DataError if there is no previous
        artifact, ConflictError, what `check` raises, and as `history` does.
        """
        with self._lock(on_wait):
            history = self.history()
            stack = _replay(history)
            self._check_current(stack, expected)
            entries = stack.entries
            if len(entries) < 2:
                raise DataError(
                    "registry.nothing_before",
                    "there is no previous artifact to roll back to",
                    where=str(self.path),
                    saw=entries[0].artifact.origin if entries else "nothing was ever promoted",
                    fix="promote a model by hand.",
                )
            previous, current = entries[-2:]
            check(previous.artifact)
            self._write((*history, Entry.now(previous.artifact, previous.against, ROLLED_BACK, by)))
        return current.artifact, previous.artifact

    def _check_current(self, stack: "_Stack", expected: Reference | None) -> None:
        current = stack.current.artifact if stack.current else None
        if _digest(current) != _digest(expected):
            raise ConflictError(self.path, expected, current)

    def _write(self, history: tuple[Entry, ...]) -> None:
        with atomic_io.io_errors(self.path, "write the registry"):
            document = {"role": self.path.stem, "history": list(map(_as_json, history))}
            atomic_io.write_file(self.path, dumps(document))


@dataclass(frozen=True, slots=True)
class _Document:
    role: str
    history: tuple[Mapping[str, Any], ...]


class _Stack(NamedTuple):
    entries: tuple[Entry, ...]
    rolled_back: frozenset[str]

    @property
    def current(self) -> Entry | None:
        return self.entries[-1] if self.entries else None


def _replay(history: tuple[Entry, ...]) -> _Stack:
    """What the changes lead to. Raises ValueError for a rollback with nothing to return to."""
    entries: list[Entry] = []
    rolled_back: set[str] = set()
    for entry in history:
        if entry.why == ROLLED_BACK:
            if len(entries) < 2:
                raise ValueError("has a rollback without an earlier artifact")
            rolled_back.add(entries.pop().artifact.digest)
        else:
            entries.append(entry)
            rolled_back.discard(entry.artifact.digest)
    return _Stack(tuple(entries), frozenset(rolled_back))


def _digest(reference: Reference | None) -> str | None:
    return reference.digest if reference else None


def _as_json(entry: Entry) -> dict[str, Any]:
    return {"made_at" if name == "created_at" else name: value for name, value in asdict(entry).items()}


def _from_json(change: Mapping[str, Any]) -> Entry:
    fields = {"created_at" if name == "made_at" else name: value for name, value in change.items()}
    entry: Entry = as_type(Entry, fields, "a change")
    return entry
