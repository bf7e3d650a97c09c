"""What a Prefect server refuses, or goes away from, as an error of ours."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import PREFECT_API_URL

from tasks.server.errors import ServerError
from tasks.server.health import without_credentials


@contextmanager
def server_errors(what: str, again: str) -> Iterator[None]:
    """what: the server is asked for, to be refused. again: how it goes on once the server is as it should be.

    Raises ServerError for what Prefect's client raises.
    """
    url = without_credentials(PREFECT_API_URL.value() or "")
    try:
        yield
    except PrefectHTTPStatusError as refusal:
        raise ServerError(
            "server.refused",
            f"the Prefect server refuses {what}",
            where=f"{url}, {refusal.request.method} {refusal.request.url.path}",
            saw=f"{refusal.response.status_code} {refusal.response.text[:500]}",
            fix=f"mend what it says, or look into its log; {again}.",
        ) from refusal
    except httpx.HTTPError as lost:
        raise ServerError(
            "server.gone",
            f"the Prefect server did not answer when asked for {what}",
            where=url,
            saw=f"{type(lost).__name__}: {lost}",
            fix=f"start it; {again}.",
        ) from lost
