"""Which store a deployment was made for, so that a worker with another one does not fill it unnoticed."""

import os
import uuid
from pathlib import Path

from artifacts.errors import StoreError
from artifacts.open_store import open_store
from artifacts.shared_document import SharedDocument
from tasks.config.settings import shown_store

VARIABLE = "NAMEWRIGHT_STORE_ID"  # of a deployed run: the id, and the path that the store had for `deploy`
_FILE = "id"


def identify(store: Path) -> str:
    """The value of NAMEWRIGHT_STORE_ID for this store, which has an id from now on. Raises StoreError."""
    document = open_store(store.absolute()).document(_FILE)
    if not _read(document):
        document.update(lambda content: content or f"{uuid.uuid4().hex}\n".encode(), on_wait=lambda: None)
    return f"{_read(document)} {shown_store(store.absolute())}"


def check_store(store: Path) -> None:
    """Raise StoreError if this run was deployed for another store. One that was not deployed has any."""
    identity, _, path = os.environ.get(VARIABLE, "").partition(" ")
    if not identity:
        return
    if _read(open_store(store.absolute()).document(_FILE)) != identity:
        raise StoreError(
            "store.another",
            "the worker has another store than the deployment",
            where=shown_store(store.absolute()),
            saw=f"deployed for {path}",
            fix=f"set NAMEWRIGHT_STORE={path} where the worker starts, or deploy with the worker's store.",
        )


def _read(document: SharedDocument) -> str:
    return (document.read() or b"").decode(errors="replace").strip()
