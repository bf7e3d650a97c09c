"""A lease: who holds the object that says so is the only maker, as far as a bucket can tell.

The holder renews it. One that was not renewed for `EXPIRY_SECONDS`, by the bucket's clock, belongs to nobody
any more. Two may believe for a moment that they hold it, after a pause of the machine or a lost connection:
that is harmless, since the first manifest of an artifact wins.
"""

import json
import os
import platform
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

from artifacts.bucket.objects import Content, Objects
from artifacts.documents import parse_json
from artifacts.errors import StoreError

EXPIRY_SECONDS = 60.0
_POLL_SECONDS = 2.0
_CLOCK = "leases/clock"  # written to learn the bucket's time
_FREE = ""


@contextmanager
def hold_lease(objects: Objects, name: str, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the lease of this name, renewed until the end.

    on_wait:  called again and again while somebody else holds it; it may raise to give up.

    Raises StoreError if the bucket does not answer.
    """
    lease = _Lease(objects, name)
    while not lease.try_take():
        for _ in range(round(_POLL_SECONDS / 0.1)):
            on_wait()
            time.sleep(0.1)
    with lease.renewed():
        yield


@contextmanager
def try_lease(objects: Objects, name: str) -> Iterator[bool]:
    """Hold the lease unless somebody else does; gives whether it is held."""
    lease = _Lease(objects, name)
    if not lease.try_take():
        yield False
        return
    with lease.renewed():
        yield True


def lease_name(stage: str, key: str) -> str:
    """The object that is the lease of this key."""
    return f"leases/{stage}-{key}.json"


def bucket_time(objects: Objects) -> datetime:
    """The time of the bucket's clock."""
    objects.overwrite(_CLOCK, secrets.token_hex(8).encode())
    written = objects.info(_CLOCK)
    return written.modified if written else bucket_time(objects)


class _Lease:
    def __init__(self, objects: Objects, name: str) -> None:
        self._objects, self._name = objects, name
        self._holder = secrets.token_hex(16)
        self._renewals = 0
        self._version: Any = None

    def try_take(self) -> bool:
        """Whether it was free or had expired, and is now held."""
        self._version = self._objects.create(self._name, self._body())
        if self._version is None and (present := self._objects.read(self._name)) and self._is_free(present):
            self._version = self._objects.replace(self._name, self._body(), present.version)
        return self._version is not None

    @contextmanager
    def renewed(self) -> Iterator[None]:
        ended = threading.Event()
        thread = threading.Thread(target=self._renew, args=(ended,), name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            with suppress(StoreError):  # it expires by itself
                if self._version is not None:
                    self._objects.replace(self._name, self._body(_FREE), self._version)

    def _renew(self, ended: threading.Event) -> None:
        while self._version is not None and not ended.wait(EXPIRY_SECONDS / 4):
            self._renewals += 1
            with suppress(StoreError):  # the next time is early enough, or it expires
                self._version = self._objects.replace(self._name, self._body(), self._version)

    def _is_free(self, present: Content) -> bool:
        try:
            holder = parse_json(present.body)["holder"]
        except (ValueError, TypeError, KeyError):  # nobody can hold what is no lease
            holder = _FREE
        if holder == _FREE:
            return True
        info = self._objects.info(self._name)
        return info is None or (bucket_time(self._objects) - info.modified).total_seconds() > EXPIRY_SECONDS

    def _body(self, holder: str | None = None) -> bytes:
        document = {
            "holder": self._holder if holder is None else holder,
            "renewals": self._renewals,  # another version of the object each time
            "machine": platform.node(),
            "process": os.getpid(),
        }
        return json.dumps(document).encode()
