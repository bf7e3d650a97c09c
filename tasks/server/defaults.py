"""Namewright's defaults for Prefect's settings, where the user has set nothing.

Prefect reads its settings when it is imported, so this comes first and imports none of it.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from artifacts.documents import MOST_BYTES, open_file, parse_toml
from rnn_core.validators import out_of_range

_DEFAULTS = {
    # Nothing is sent to anyone, and the UI fetches nothing from elsewhere.
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_V2_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    # Finished runs are deleted after 90 days. Prefect's own default keeps them, and `watch` adds 144 a day.
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    # A deployed run holds its slot by a lease. Prefect keeps leases in memory: a server that restarts forgets
    # them, ends the run at the next renewal, and counts the slot as taken for ever.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    # Prefect waits 20 s for its embedded server; a cold disk has taken 36.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    # A request waits 2 + 4 + 8 s for a server that restarts. Prefect's own 5 retries would be 62 s.
    "PREFECT_CLIENT_MAX_RETRIES": "3",
}
# Where Namewright prints, Prefect's logs go to its server only.
_QUIET = {
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_INTERNAL_LOGGING_LEVEL": "CRITICAL",
}
_UI_FOLDER = ("PREFECT_UI_STATIC_DIRECTORY", "PREFECT_SERVER_UI_STATIC_DIRECTORY")
_ALIASES = {
    "PREFECT_INTERNAL_LOGGING_LEVEL": "PREFECT_LOGGING_INTERNAL_LEVEL",
    "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS",
    "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED",
}
DEFAULT_PORT = 4200


def apply_defaults(*, quiet: bool = False) -> None:
    """Put our defaults into the environment, before Prefect is imported.

    quiet:  keep Prefect's logs off this process's console.
    """
    _apply({**_DEFAULTS, **(_QUIET if quiet else {})})


def close_server(port: int) -> None:
    """Let only its own pages call the server that this process becomes, unless the user has set otherwise."""
    own = [f"http://{host}:{port}" for host in ("127.0.0.1", "localhost")]
    _apply(
        {
            "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": ",".join(own),
            "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
        }
    )


def _apply(settings: Mapping[str, str]) -> None:
    set_by_user = user_settings()
    for name, value in settings.items():
        if name not in set_by_user and _ALIASES.get(name) not in set_by_user:
            os.environ[name] = value


def server_environment() -> dict[str, str]:
    """The environment of a server process: this one's with our defaults, but for the quiet console."""
    apply_defaults()
    environment = {name: value for name, value in os.environ.items() if _QUIET.get(name) != value}
    if not user_settings().keys() & _UI_FOLDER:
        environment[_UI_FOLDER[0]] = str(_ui_folder())
    return environment


def _ui_folder() -> Path:
    """A folder for the files of Prefect's UI, in which its second one finds no place.

    That one calls a host of analytics as soon as a page of it opens, whatever the settings say, and the first
    has a link to it wherever it is served. Prefect serves what it can copy: a link to nowhere is in the way,
    of which its log has a line.
    """
    folder = prefect_home() / "namewright-ui"
    with contextlib.suppress(OSError):  # `start` says what is wrong with that home
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "v2").symlink_to("not-served")
    return folder


def api_url() -> str | None:
    """The URL of the server that the user has set, if any."""
    return user_settings().get("PREFECT_API_URL") or None


def api_port() -> int:
    """The port that the user has set for a server, or 4200. Raises ConfigError if it is not a number."""
    port = user_settings().get("PREFECT_SERVER_API_PORT", str(DEFAULT_PORT))
    if not port.isdecimal():
        raise out_of_range("PREFECT_SERVER_API_PORT", "a whole number", port)
    return int(port)


def prefect_home() -> Path:
    """The folder where Prefect keeps its database and profiles."""
    return Path(user_settings().get("PREFECT_HOME") or "~/.prefect").expanduser()


def user_settings() -> Mapping[str, str]:
    """The settings in the environment and in the files that Prefect reads; the environment wins.

    Source: the order of Prefect's settings sources, prefect/settings/base.py in 3.8.
    """
    return {**_profile(), **_tables(), **_dotenv(), **os.environ}


def _profile() -> dict[str, str]:
    folder = Path(os.environ.get("PREFECT_HOME") or "~/.prefect").expanduser()
    profiles = _toml(Path(os.environ.get("PREFECT_PROFILES_PATH") or folder / "profiles.toml"))
    active = os.environ.get("PREFECT_PROFILE") or profiles.get("active")
    return {name: str(value) for name, value in _table(profiles, "profiles", str(active)).items()}


def _tables() -> dict[str, str]:
    in_project = _table(_toml(Path("pyproject.toml")), "tool", "prefect")
    return dict([*_flat(in_project), *_flat(_toml(Path("prefect.toml")))])


def _flat(table: Mapping[str, Any], prefix: str = "PREFECT") -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        key = f"{prefix}_{name.upper()}"
        if isinstance(value, Mapping):
            yield from _flat(value, key)
        else:
            yield key, str(value)


def _dotenv() -> dict[str, str]:
    try:
        lines = Path(".env").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    pairs = (line.removeprefix("export ").partition("=") for line in lines if not line.startswith("#"))
    return {name.strip(): value.strip().strip("'\"") for name, equals, value in pairs if equals}


def _toml(path: Path) -> dict[str, Any]:
    """Empty if there is none; Prefect itself reports what is wrong with it."""
    try:
        with open_file(path, follow_links=True) as stream:
            return parse_toml(stream.read(MOST_BYTES))
    except (OSError, ValueError):
        return {}


def _table(tables: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """The table of these names, one within the other; empty if it is none."""
    for name in names:
        inner = tables.get(name)
        tables = inner if isinstance(inner, Mapping) else {}
    return tables
