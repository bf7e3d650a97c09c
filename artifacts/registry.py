"""The registry: which artifact is current in a role, with the whole history of changes.

<store>/registry/<role>.json

A promotion pushes an artifact onto a stack and a rollback pops it; the top is current. Both are entries of
the history, which only grows.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple

from artifacts.checksummed_json import dumps, loads
from artifacts.documents import MOMENT, PLAIN_NAME, as_type
from artifacts.errors import StoreError
from artifacts.shared_document import OnWait, SharedDocument
from rnn_core.errors import DataError

ROLLED_BACK = "rolled back"
BY_HAND = "promoted by hand"


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

    def __init__(self, where: str, expected: Reference | None, current: Reference | None) -> None:
        super().__init__(
            "registry.overtaken",
            "the registry was changed by someone else meanwhile",
            where=where,
            saw=f"{current.origin if current else 'nothing'}, "
            f"and not {expected.origin if expected else 'nothing'}",
            fix="nothing was changed: look at what is current now; if it is still wanted, run it again.",
        )


class Registry:
    """The registry of one role.

    document:  that holds its history.
    """

    def __init__(self, role: str, document: SharedDocument) -> None:
        self.role, self._document = role, document

    @property
    def where(self) -> str:
        """The place of its document, for messages."""
        return self._document.where

    def history(self) -> tuple[Entry, ...]:
        """Every change, newest last. Raises DataError if it is damaged, StoreError if unreadable."""
        try:
            content = self._document.read()
        except ValueError as fault:
            raise self._damaged(fault) from fault
        return self._parse(content)

    def _parse(self, content: bytes | None) -> tuple[Entry, ...]:
        if content is None:
            return ()
        try:
            document = as_type(_Document, loads(content))
            if document.role != self.role:
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
            where=self.where,
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

        def with_entry(history: tuple[Entry, ...]) -> tuple[Entry, ...]:
            self._check_current(_replay(history), expected)
            return (*history, entry)

        self._change(with_entry, on_wait)

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

        def without_current(history: tuple[Entry, ...]) -> tuple[Entry, ...]:
            stack = _replay(history)
            self._check_current(stack, expected)
            entries = stack.entries
            if len(entries) < 2:
                raise DataError(
                    "registry.nothing_before",
                    "there is no previous artifact to roll back to",
                    where=self.where,
                    saw=entries[0].artifact.origin if entries else "nothing was ever promoted",
                    fix="promote a model by hand.",
                )
            previous = entries[-2]
            check(previous.artifact)
            return (*history, Entry.now(previous.artifact, previous.against, ROLLED_BACK, by))

        history = self._change(without_current, on_wait)
        return _replay(history[:-1]).entries[-1].artifact, history[-1].artifact

    def _change(
        self, change: Callable[[tuple[Entry, ...]], tuple[Entry, ...]], on_wait: OnWait
    ) -> tuple[Entry, ...]:
        """The history after a change that nobody's comes in between of."""
        history: tuple[Entry, ...] = ()

        def changed(content: bytes | None) -> bytes:
            nonlocal history
            history = change(self._parse(content))
            return dumps({"role": self.role, "history": list(map(_as_json, history))})

        try:
            self._document.update(changed, on_wait)
        except ValueError as fault:
            raise self._damaged(fault) from fault
        return history

    def _check_current(self, stack: "_Stack", expected: Reference | None) -> None:
        current = stack.current.artifact if stack.current else None
        if _digest(current) != _digest(expected):
            raise ConflictError(self.where, expected, current)


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
