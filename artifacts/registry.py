"""Which artifact stands in a role: a pointer that changes atomically, with its whole history.

<root>/registry/<role>.json

What stands there is the newest of a stack: a promotion puts an artifact on top, and a roll-back takes the top
away. Both are entries of the history, which only grows.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from artifacts import atomic_io
from artifacts.checksummed_json import dumps, loads
from artifacts.errors import StoreError
from rnn_core.errors import DataError

ROLLED_BACK = "rolled back"
BY_HAND = "promoted by hand"

OnWait = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Reference:
    """An artifact by its key and its content, whether it is still in the store or not."""

    stage: str
    key: str
    digest: str

    @property
    def origin(self) -> str:
        return f"{self.stage}/{self.key}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One change of what stands in a role.

    artifact:  that stands there from now on.
    against:   what it was compared with when it got there; None if with nothing.
    why:       the origin of a `decision`, or of another artifact that says so; BY_HAND; or ROLLED_BACK.
    made_at:   UTC, ISO 8601.
    by:        who asked: the engine, and Prefect's flow run where there is one.
    """

    artifact: Reference
    against: Reference | None
    why: str
    created_at: str
    by: Mapping[str, str]

    @classmethod
    def now(cls, artifact: Reference, against: Reference | None, why: str, by: Mapping[str, str]) -> "Entry":
        return cls(artifact, against, why, datetime.now(UTC).isoformat(timespec="seconds"), by)


class ConflictError(StoreError):
    """Something else stands in the role by now than whoever wants to change it has seen there."""

    def __init__(self, path: Path, expected: Reference | None, current: Reference | None) -> None:
        super().__init__(
            "registry.overtaken",
            "what stands there was changed by someone else meanwhile",
            where=str(path),
            saw=f"{current.origin if current else 'nothing'}, "
            f"and not {expected.origin if expected else 'nothing'}",
            fix="nothing was changed: look at what stands there now, and ask again if it is still wanted.",
        )


class Registry:
    """Of one role.

    path:  the file that holds its history.
    lock:  makes one change at a time, of all processes; told what to call while it waits.
    """

    def __init__(self, path: Path, lock: Callable[[OnWait], AbstractContextManager[None]]) -> None:
        self.path, self._lock = path, lock

    def history(self) -> tuple[Entry, ...]:
        """Newest last. Raises DataError if the file is damaged, StoreError if it cannot be read."""
        with atomic_io.io_errors(self.path, "read the registry"):
            try:
                content = self.path.read_bytes()
            except FileNotFoundError:
                return ()
        try:
            document = loads(content)
            if document["role"] != self.path.stem:
                raise ValueError(f"it is that of the role {document['role']}")
            return tuple(_from_json(**each) for each in document["history"])
        except (ValueError, TypeError, KeyError, AttributeError) as fault:
            raise DataError(
                "registry.damaged",
                "the registry of what was promoted is damaged",
                where=str(self.path),
                saw=f"{type(fault).__name__}: {fault}",
                fix="put a copy of this file in its place. Without one, move it away and promote a model by "
                "hand, `namewright models promote`: the history then begins anew.",
            ) from fault

    def current(self) -> Entry | None:
        """What stands in the role. Raises as `history` does."""
        return _stack(self.history()).current

    def rolled_back(self) -> frozenset[str]:
        """Digests of what was rolled back and has not been promoted since. Raises as `history` does."""
        return _stack(self.history()).rolled_back

    def baseline_for(self, judged: str) -> Reference | None:
        """What an artifact that is judged for the role is to be compared with.

        judged:  its digest.

        It is what stands there. But if that is the one that is judged, it is what that was compared with when
        it got there: so an unchanged run asks the same question again, and finds the answer.

        Raises as `history` does.
        """
        current = self.current()
        if current and current.artifact.digest == judged:
            return current.against
        return current.artifact if current else None

    def promote(self, entry: Entry, expected: Reference | None, on_wait: OnWait) -> None:
        """Let the entry's artifact stand in the role, durably.

        expected:  what stands there as far as the caller knows; its content counts.
        on_wait:   called again and again while somebody else changes it; it may raise to give up.

        Raises Overtaken if something else stands there, and as `history` does.
        """
        with self._lock(on_wait):
            history = self.history()
            self._check_current(_stack(history), expected)
            self._write((*history, entry))

    def roll_back(
        self,
        expected: Reference | None,
        by: Mapping[str, str],
        check: Callable[[Reference], object],
        on_wait: OnWait,
    ) -> tuple[Reference, Reference]:
        """Let stand again what stood before, durably: what stood until now, and what does from now on.

        expected:  as for `promote`.
        check:     raises if what stood before must not stand again.

        Raises DataError if nothing stood before, Overtaken, what `check` raises, and as `history` does.
        """
        with self._lock(on_wait):
            history = self.history()
            stack = _stack(history)
            self._check_current(stack, expected)
            entries = stack.entries
            if len(entries) < 2:
                raise DataError(
                    "registry.nothing_before",
                    "nothing stood there before",
                    where=str(self.path),
                    saw=entries[0].artifact.origin if entries else "nothing was ever promoted",
                    fix="promote a model by hand: namewright models promote KEY.",
                )
            before, until_now = entries[-2:]
            check(before.artifact)
            self._write((*history, Entry.now(before.artifact, before.against, ROLLED_BACK, by)))
        return until_now.artifact, before.artifact

    def _check_current(self, stack: "_Stack", expected: Reference | None) -> None:
        current = stack.current.artifact if stack.current else None
        if _digest(current) != _digest(expected):
            raise ConflictError(self.path, expected, current)

    def _write(self, history: tuple[Entry, ...]) -> None:
        with atomic_io.io_errors(self.path, "write the registry"):
            document = {"role": self.path.stem, "history": list(map(_as_json, history))}
            atomic_io.write_file(self.path, dumps(document))


class _Stack(NamedTuple):
    entries: tuple[Entry, ...]
    rolled_back: frozenset[str]

    @property
    def current(self) -> Entry | None:
        return self.entries[-1] if self.entries else None


def _stack(history: tuple[Entry, ...]) -> _Stack:
    entries: list[Entry] = []
    rolled_back: set[str] = set()
    for entry in history:
        if entry.why == ROLLED_BACK:
            rolled_back.add(entries.pop().artifact.digest)
        else:
            entries.append(entry)
            rolled_back.discard(entry.artifact.digest)
    return _Stack(tuple(entries), frozenset(rolled_back))


def _digest(reference: Reference | None) -> str | None:
    return reference.digest if reference else None


def _as_json(entry: Entry) -> dict[str, Any]:
    return {"made_at" if name == "created_at" else name: value for name, value in asdict(entry).items()}


def _from_json(
    artifact: dict[str, str], against: dict[str, str] | None, why: str, made_at: str, by: dict[str, str]
) -> Entry:
    return Entry(Reference(**artifact), Reference(**against) if against else None, why, made_at, by)
