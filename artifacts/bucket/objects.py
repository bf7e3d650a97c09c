"""The objects of a bucket below a prefix: every request is bounded, retried, and fails with one clear error.

An answer may be lost after the bucket has acted on it. So whoever creates or replaces an object on a
condition compares the content with its own when the answer says that the condition fails.
"""

import functools
import hashlib
import os
import re
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import obstore
from obstore import exceptions
from obstore.store import from_url

from artifacts.documents import MOST_BYTES
from artifacts.errors import StoreError

_CLIENT = {"connect_timeout": "5s", "read_timeout": "30s", "timeout": "600s"}
_RETRIES: Any = {
    "max_retries": 6,
    "retry_timeout": timedelta(seconds=60),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=5), "base": 2},
}
_ATTEMPTS = 4  # of what obstore does not retry: a body that breaks off, an answer that makes no sense
_PAUSE = 0.2  # seconds before the second attempt; twice as many before each further one
_PART = 8 << 20  # bytes that are in memory at a time
_NO_BUCKET = re.compile(r"NoSuchBucket|ContainerNotFound|bucket does not exist|container does not exist")
_DETAIL = re.compile(r"<(Code|Message)>(.{1,200}?)</\1>", re.DOTALL)
_DENIED = re.compile(r"ExpiredToken|InvalidAccessKey|SignatureDoesNotMatch|169\.254\.169\.254|metadata\.goog")
_OF_ACCESS = ("AWS_", "AZURE_", "GOOGLE_")
_STATUS = re.compile(r"(?:status code|status): (\d{3}[\w ]*)")

_CONDITION_FAILED = (exceptions.AlreadyExistsError, exceptions.PreconditionError, FileNotFoundError)

Result = TypeVar("Result")


class Content(NamedTuple):
    """What an object holds, and the version of the object that does."""

    body: bytes
    version: Any


class ObjectInfo(NamedTuple):
    """An object in a listing. modified: by the bucket's clock."""

    name: str
    bytes: int
    modified: datetime
    version: str


class Objects:
    """The objects below `address`; their names are relative to it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._store = _client(address, _access())

    def place(self, name: str) -> str:
        """The address of an object."""
        return f"{self.address}/{name}"

    def read(self, name: str, most: int = MOST_BYTES) -> Content | None:
        """An object of at most so many bytes; None if there is none. Raises ValueError for a larger one."""

        def get() -> Content | None:
            try:
                answer = obstore.get(self._store, name)
            except FileNotFoundError as absent:
                self._check_bucket(absent)
                return None
            if answer.meta["size"] > most:
                raise ValueError(f"is larger than {most:,} bytes")
            body = bytes(answer.bytes())
            if len(body) != answer.meta["size"]:
                raise _IncompleteError(f"{len(body):,} of {answer.meta['size']:,} bytes came")
            return Content(body, _version(answer.meta))

        return self._attempt("read", name, get)

    def version(self, name: str) -> Any:
        """The version of an object; None if there is none."""
        meta = self._head(name)
        return _version(meta) if meta else None

    def download(self, name: str, path: Path | None = None, version: str = "") -> str | None:
        """The sha256 of an object as it came; None if there is none.

        path:     the file that it is written to; without one nothing of it is kept.
        version:  the only one that is wanted: the object is as good as absent in another.
        """
        return self._attempt("read", name, lambda: self._stream(name, path, version))

    def _stream(self, name: str, path: Path | None, version: str) -> str | None:
        options: Any = {"if_match": version} if version else None
        try:
            answer = obstore.get(self._store, name, options=options)
        except exceptions.PreconditionError:
            return None
        except FileNotFoundError as absent:
            self._check_bucket(absent)
            return None
        digest, size = hashlib.sha256(), 0
        with path.open("wb") if path else nullcontext() as file:
            for part in answer.stream(min_chunk_size=_PART):
                digest.update(part)
                size += len(part)
                if file:
                    file.write(part)
        if size != answer.meta["size"]:
            raise _IncompleteError(f"{size:,} of {answer.meta['size']:,} bytes came")
        return digest.hexdigest()

    def create(self, name: str, body: bytes) -> Any:
        """Create an object; its version, or None if there is one already."""
        return self._conditional(name, body, "create")

    def replace(self, name: str, body: bytes, version: Any) -> Any:
        """Replace this version of an object; the new version, or None if it is no longer there."""
        return self._conditional(name, body, version)

    def overwrite(self, name: str, body: bytes) -> None:
        """Create or replace an object, whatever is there."""
        self._attempt("write", name, lambda: obstore.put(self._store, name, body))

    def upload(self, name: str, path: Path) -> Any:
        """Create or replace an object by a file, in several parts if it is large. Returns its version."""
        return self._attempt(
            "write", name, lambda: _version(obstore.put(self._store, name, path, chunk_size=_PART))
        )

    def remove(self, names: Sequence[str]) -> None:
        """Remove these objects, as far as they are there."""

        def delete(name: str) -> None:
            with suppress(FileNotFoundError):
                obstore.delete(self._store, name)

        for name in names:
            self._attempt("remove", name, functools.partial(delete, name))

    def listing(self, folder: str) -> Sequence[ObjectInfo]:
        """All objects whose names begin with `folder/`, sorted by name."""

        def request() -> list[ObjectInfo]:
            found = (meta for part in obstore.list(self._store, folder or None) for meta in part)
            return sorted(map(_info, found))

        return self._attempt("list", folder, request)

    def children(self, folder: str) -> tuple[Sequence[str], Sequence[ObjectInfo]]:
        """The folders in a folder, by their whole names, and the objects; of those nothing further down."""

        def request() -> tuple[list[str], list[ObjectInfo]]:
            found = obstore.list_with_delimiter(self._store, folder or None)
            objects = [_info(meta) for meta in found["objects"] if meta["path"] != folder]  # a marker of it
            return sorted(path.rstrip("/") for path in found["common_prefixes"]), sorted(objects)

        return self._attempt("list", folder, request)

    def entries(self, folder: str) -> Sequence[str]:
        """The names in a folder, sorted: of objects, and of folders, up to the next slash."""
        folders, objects = self.children(folder)
        return sorted(name.rpartition("/")[2] for name in [*folders, *(info.name for info in objects)])

    def info(self, name: str) -> ObjectInfo | None:
        """What a listing says of an object; None if there is none."""
        meta = self._head(name)
        return _info(meta) if meta else None

    def _head(self, name: str) -> Any:
        def head() -> Any:
            try:
                return obstore.head(self._store, name)
            except FileNotFoundError as absent:
                self._check_bucket(absent)
                return None

        return self._attempt("read", name, head)

    def _conditional(self, name: str, body: bytes, mode: Any) -> Any:
        def put() -> Any:
            try:
                return _version(obstore.put(self._store, name, body, mode=mode))
            except _CONDITION_FAILED as refusal:
                self._check_bucket(refusal)
                present = self.read(name)
                return present.version if present and present.body == body else None

        return self._attempt("write", name, put)

    def _check_bucket(self, absent: BaseException) -> None:
        """Raise StoreError if it is the bucket that does not exist."""
        if _NO_BUCKET.search(str(absent)):
            raise StoreError(
                "bucket.missing",
                "there is no such bucket",
                where=self.address,
                fix="create it, or check its name, the region and the endpoint.",
            ) from None

    def _attempt(self, doing: str, name: str, request: Callable[[], Result]) -> Result:
        """The result of a request. Raises StoreError once it has failed too often, or for good."""
        pause = _PAUSE
        for attempt in range(_ATTEMPTS):
            try:
                return request()
            except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as refusal:
                raise self._denied(doing, name, refusal) from None
            except exceptions.InvalidPathError as refusal:
                raise self._unusable_name(name, refusal) from None
            except (exceptions.BaseError, _IncompleteError, TimeoutError, ConnectionError) as refusal:
                if _is_denied(refusal):
                    raise self._denied(doing, name, refusal) from None
                self._check_bucket(refusal)
                if attempt == _ATTEMPTS - 1:
                    raise StoreError(
                        "bucket.unreachable",
                        f"could not {doing} an object of the bucket, after {_ATTEMPTS} attempts",
                        where=self.place(name),
                        saw=_in_words(refusal),
                        fix="run the same command again when the bucket answers: what is finished is whole.",
                    ) from None
                time.sleep(pause)
                pause *= 2
        raise AssertionError

    def _unusable_name(self, name: str, refusal: BaseException) -> StoreError:
        return StoreError(
            "bucket.name",
            "an object there has a name with an empty part, or with a part that is . or ..",
            where=self.place(name).rstrip("/"),
            saw=_in_words(refusal),
            fix="rename or remove that object, or use another prefix.",
        )

    def _denied(self, doing: str, name: str, refusal: BaseException) -> StoreError:
        return StoreError(
            "bucket.denied",
            f"the bucket does not let these credentials {doing}",
            where=self.place(name),
            saw=_in_words(refusal),
            fix="check the credentials, that they have not expired, and what they may do: read, write, list "
            "and delete objects. Run the same command again: what is finished is whole.",
        )


class _IncompleteError(Exception):
    """The body of an answer broke off."""


def _info(meta: Any) -> ObjectInfo:
    return ObjectInfo(meta["path"], meta["size"], meta["last_modified"], str(meta["e_tag"]))


def _version(meta: Any) -> Any:
    return {name: meta[name] for name in ("e_tag", "version") if meta[name] is not None}


def _is_denied(refusal: BaseException) -> bool:
    """Whether it is about credentials, whatever obstore calls it."""
    return bool(_DENIED.search(str(refusal)))


def _in_words(refusal: BaseException) -> str:
    """What the bucket said, in a line. Its whole answer may hold the key that signed the request."""
    text = str(refusal)
    if details := dict(_DETAIL.findall(text)):
        return ": ".join(" ".join(details[each].split()) for each in ("Code", "Message") if each in details)
    if status := _STATUS.search(text):
        return f"status {status[1]}"
    return text.splitlines()[0][:200] if text else type(refusal).__name__


def _access() -> tuple[tuple[str, str], ...]:
    """The variables by which the bucket is asked, which another test or notebook cell may change."""
    return tuple(sorted(pair for pair in os.environ.items() if pair[0].startswith(_OF_ACCESS)))


@functools.cache
def _client(address: str, _of: tuple[tuple[str, str], ...]) -> Any:
    """The client for an address, one for the whole process as long as it is asked in one way."""
    try:
        options: Any = {"client_options": {**_CLIENT, "allow_http": _endpoint().startswith("http://")}}
        if _has_profile(address):
            options["credential_provider"] = _profile()
        return from_url(address, retry_config=_RETRIES, **options)
    except (exceptions.BaseError, ValueError) as refusal:
        raise StoreError(
            "bucket.denied",
            "the bucket cannot be asked with this configuration",
            where=address,
            saw=_in_words(refusal),
            fix="check the variables of the environment: AWS_…, GOOGLE_… or AZURE_….",
        ) from None


def _endpoint() -> str:
    """The endpoint that the environment names, for MinIO and its like; empty for the provider's own."""
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT", "AZURE_STORAGE_ENDPOINT")
    return next((value for name in names if (value := os.environ.get(name))), "")


def _has_profile(address: str) -> bool:
    """Whether the credentials are those of a profile, which obstore does not read."""
    if not address.startswith("s3:") or "AWS_ACCESS_KEY_ID" in os.environ:
        return False
    file = Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials").expanduser()
    return "AWS_PROFILE" in os.environ or file.is_file()


def _profile() -> Any:
    try:
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError:
        raise StoreError(
            "bucket.denied",
            "boto3 reads the profiles of AWS, and is not installed",
            saw=f"AWS_PROFILE={os.environ.get('AWS_PROFILE', 'default')}",
            fix="pip install 'namewright[aws]', or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
        ) from None
    from botocore.exceptions import BotoCoreError

    try:
        return Boto3CredentialProvider()
    except (BotoCoreError, ValueError) as refusal:
        raise StoreError(
            "bucket.denied",
            "the profile gives no credentials",
            saw=str(refusal),
            fix="check AWS_PROFILE and the profiles in ~/.aws.",
        ) from None
