"""A document in an object: who changes it replaces the version that it has read, or reads again."""

from collections.abc import Callable

from artifacts.bucket.objects import Objects
from artifacts.errors import StoreError
from artifacts.shared_document import OnWait, SharedDocument

_MOST_ROUNDS = 200  # however many write at the same moment, one of them gets on in each


class SharedObject(SharedDocument):
    """A document in an object of a bucket."""

    def __init__(self, objects: Objects, name: str) -> None:
        self._objects, self._name = objects, name
        self.where = objects.place(name)

    def read(self) -> bytes | None:
        """Its content."""
        content = self._objects.read(self._name)
        return content.body if content else None

    def update(self, changed: Callable[[bytes | None], bytes], on_wait: OnWait) -> None:
        """Replace the version that `changed` was given, or ask it again for a newer one."""
        for _ in range(_MOST_ROUNDS):
            content = self._objects.read(self._name)
            if content:
                written = self._objects.replace(self._name, changed(content.body), content.version)
            else:
                written = self._objects.create(self._name, changed(None))
            if written is not None:
                return
            on_wait()
        raise StoreError(
            "bucket.conditions",
            f"the bucket has refused {_MOST_ROUNDS} times to replace what it had just given",
            where=self.where,
            fix="check that its ETags are those of its objects; nothing was changed.",
        )
