"""What a Prefect server refuses, or does not answer, as an error of Namewright."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import PREFECT_API_URL

from tasks.server.errors import ServerError
from tasks.server.health import without_credentials

_FIX = "fix what it says, or look into its log"
_CREDENTIALS = (
    "set PREFECT_API_AUTH_STRING to the server's PREFECT_SERVER_API_AUTH_STRING, "
    "or PREFECT_API_KEY for Prefect Cloud"
)


def is_unauthorized(refusal: PrefectHTTPStatusError) -> bool:
    """Whether the server wants other credentials."""
    return refusal.response.status_code in (401, 403)


@contextmanager
def server_errors(request: str, retry: str) -> Iterator[None]:
    """Turn what Prefect's client raises into a ServerError.

    request:  what the server is asked for, for people.
    retry:    how to go on once the server is as it should be.
    """
    url = without_credentials(PREFECT_API_URL.value() or "")
    try:
        yield
    except PrefectHTTPStatusError as refusal:
        raise ServerError(
            "server.refused",
            f"the Prefect server refuses {request}",
            where=f"{url}, {refusal.request.method} {refusal.request.url.path}",
            saw=f"{refusal.response.status_code} {refusal.response.text[:500]}",
            fix=f"{_CREDENTIALS if is_unauthorized(refusal) else _FIX}; {retry}.",
        ) from refusal
    except httpx.HTTPError as lost:
        raise ServerError(
            "server.gone",
            f"the Prefect server did not answer when asked for {request}",
            where=url,
            saw=f"{type(lost).__name__}: {lost}",
            fix=f"start it; {retry}.",
        ) from lost
