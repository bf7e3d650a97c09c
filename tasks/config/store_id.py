"""Which store a deployment was made for, so that a worker with another one does not fill it unnoticed."""

import os
import uuid
from pathlib import Path

from artifacts import atomic_io
from artifacts.errors import StoreError

VARIABLE = "NAMEWRIGHT_STORE_ID"  # of a deployed run: the id, and the path that the store had for `deploy`
_FILE = "id"


def identify(store: Path) -> str:
    """The value of NAMEWRIGHT_STORE_ID for this store, which has an id from now on. Raises StoreError."""
    file = store.absolute() / _FILE
    with atomic_io.io_errors(file, "give the store an id"):
        if not file.exists():
            atomic_io.write_file(file, f"{uuid.uuid4().hex}\n".encode())
        return f"{file.read_text(encoding='ascii').strip()} {file.parent}"


def check_store(store: Path) -> None:
    """Raise StoreError if this run was deployed for another store. One that was not deployed has any."""
    identity, _, path = os.environ.get(VARIABLE, "").partition(" ")
    file = store.absolute() / _FILE
    with atomic_io.io_errors(file, "read the id of the store"):
        current = file.read_text(encoding="ascii").strip() if file.exists() else ""
    if identity not in ("", current):
        raise StoreError(
            "store.another",
            "the worker has another store than the deployment",
            where=str(file.parent),
            saw=f"deployed for {path}",
            fix=f"set NAMEWRIGHT_STORE={path} where the worker starts, or deploy with the worker's store.",
        )
