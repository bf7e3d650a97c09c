"""A document in an object: who changes it replaces the version that it has read, or reads again."""

from collections.abc import Callable

from artifacts.bucket.objects import Objects
from artifacts.shared_document import OnWait, SharedDocument


class SharedObject(SharedDocument):
    """A document in an object of a bucket."""

    def __init__(self, objects: Objects, name: str) -> None:
        self._objects, self._name = objects, name
        self.where = objects.place(name)

    def read(self) -> bytes | None:
        """Its content; raises as the base class says."""
        content = self._objects.read(self._name)
        return content.body if content else None

    def update(self, changed: Callable[[bytes | None], bytes], on_wait: OnWait) -> None:
        """Replace the content; raises as the base class says."""
        while True:
            content = self._objects.read(self._name)
            if content:
                written = self._objects.replace(self._name, changed(content.body), content.version)
            else:
                written = self._objects.create(self._name, changed(None))
            if written is not None:
                return
            on_wait()
