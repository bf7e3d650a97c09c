"""Who may call a server of ours: its own pages, and programs on this machine.

CORS and CSRF protection alone leave WebSockets open, to which browsers apply neither, and a name of someone
else's that resolves to this machine (DNS rebinding), whose pages count as the server's own.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_REFUSAL = b"refused: requests come from this server's own pages and under its own names"


class Guard:
    """An ASGI application around another that refuses requests of other origins and under foreign host names.

    origins:    whose pages may call it besides its own; `*` for all, under any name.
    host:       that the server listens on; if it is not of this machine alone, its names are unknown.
    """

    def __init__(self, app: Any, origins: Collection[str], host: str) -> None:
        self._app = app
        self._origins = frozenset(origin.strip().rstrip("/") for origin in origins)
        self._hosts = LOOPBACK | set(_host_names(self._origins))
        self._is_open = "*" in self._origins
        self._has_any_name = self._is_open or host not in LOOPBACK

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        """Answer with 403 what is refused, WebSockets too."""
        kind = scope["type"]
        if kind not in ("http", "websocket") or self._is_allowed(_texts(scope["headers"])):
            await self._app(scope, receive, send)
        elif kind == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            plain = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(_REFUSAL))]
            await send({"type": "http.response.start", "status": 403, "headers": plain})
            await send({"type": "http.response.body", "body": _REFUSAL})

    def _is_allowed(self, headers: Mapping[str, str]) -> bool:
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._has_any_name and _host_name(f"//{host}") not in self._hosts:
            return False
        if origin is None or self._is_open or origin in self._origins:
            return True
        return origin in (f"http://{host}", f"https://{host}")


def _texts(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1"): text.decode("latin-1") for name, text in headers}


def _host_names(origins: Iterable[str]) -> list[str]:
    return [name for origin in origins if (name := _host_name(origin))]


def _host_name(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # as of an IPv6 address without its end
        return ""
