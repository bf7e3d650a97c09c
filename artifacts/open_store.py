"""The store at an address: a folder, or a bucket by the folder that mirrors it."""

from pathlib import Path

from artifacts.bucket.address import mirrored_address
from artifacts.store import Store


def open_store(root: Path) -> Store:
    """The store there; in a folder unless that is the mirror of a bucket. Nothing is asked or written."""
    if mirrored_address(root) is None:
        return Store(root)
    from artifacts.bucket.store import BucketStore  # what knows of buckets is loaded for one alone

    return BucketStore(root)
