"""Whether a Prefect API answers, found out without importing Prefect."""

import re

from tasks.server.errors import ServerError

_ANSWER_SECONDS = 5.0
_STRANGER = "https://page.invalid"  # no page has this origin


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
            fix="start that server, correct PREFECT_API_URL (it ends with /api), or unset it (in a profile: "
            "`prefect config unset PREFECT_API_URL`); or run without Prefect: --engine plain",
        )


def health_fault(url: str) -> str:
    """Why the API cannot be used; empty if it can. One that asks for credentials can: Prefect has them."""
    import ssl
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import urlopen

    if not url.startswith(("http://", "https://")):
        return "it begins with neither http:// nor https://"
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


def is_open(url: str) -> bool:
    """Whether any web page may use the API, without a password, as by Prefect's defaults.

    False if it does not answer.
    """
    from http.client import HTTPException
    from urllib.request import Request, urlopen

    # A password guards its version, but not its health.
    version = Request(f"{without_credentials(url).rstrip('/')}/version", headers={"Origin": _STRANGER})
    try:
        with urlopen(version, timeout=_ANSWER_SECONDS) as answer:
            return answer.headers["Access-Control-Allow-Origin"] in ("*", _STRANGER)
    except (OSError, ValueError, HTTPException):
        return False


def without_credentials(url: str) -> str:
    """The URL for a terminal or a log: a user and a password in it are for the server alone.

    All before the last @ counts as them: a password may hold a slash, and the scheme may be missing.
    """
    *credentials, rest = url.rsplit("@", 1)
    scheme = re.match("https?://", url)
    return f"{scheme[0] if scheme and credentials else ''}{rest}"
