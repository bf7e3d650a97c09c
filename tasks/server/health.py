"""Whether a Prefect API answers, found out without importing Prefect."""

from tasks.server.errors import ServerError

_ANSWER_SECONDS = 5.0


def is_answering(url: str) -> bool:
    """Whether the API at this URL can be used."""
    return not health_fault(url)


def check_answering(url: str) -> None:
    """Raise ServerError if the API that PREFECT_API_URL names cannot be used."""
    if fault := health_fault(url):
        raise ServerError(
            "server.unreachable",
            "the Prefect server that PREFECT_API_URL names cannot be used",
            where=without_credentials(url),
            saw=fault,
            fix="start that server, correct PREFECT_API_URL (it ends with /api), or unset it; "
            "or run without Prefect: --engine plain",
        )


def health_fault(url: str) -> str:
    """Why the API cannot be used; empty if it can. One that asks for credentials can: Prefect has them."""
    import ssl
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import urlopen

    try:
        with urlopen(f"{without_credentials(url).rstrip('/')}/health", timeout=_ANSWER_SECONDS) as answer:
            healthy = url.startswith("https:") or answer.read(10).strip() == b"true"
            return "" if healthy else "something answers there, but not as a Prefect API"
    except HTTPError as refusal:
        return "" if refusal.code in (401, 403) else f"HTTP {refusal.code} {refusal.reason}"
    except (OSError, ValueError, HTTPException) as refusal:
        reason = getattr(refusal, "reason", refusal)
        if isinstance(reason, ssl.SSLError):  # a server is there; certificates are Prefect's to judge
            return ""
        return str(reason) or type(refusal).__name__


def without_credentials(url: str) -> str:
    """The URL for a terminal or a log: a user and a password in it are for the server alone."""
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"
