"""Requests to a server of ours, as Prefect's own client makes them."""

import functools
import json
from urllib.request import urlopen


@functools.cache
def posting_headers(api: str) -> dict[str, str]:
    """Of a request that changes something there, or filters."""
    with urlopen(f"{api}/csrf-token?client=tests", timeout=30) as answer:
        token = json.load(answer)["token"]
    return {
        "Content-Type": "application/json",
        "Prefect-Csrf-Token": token,
        "Prefect-Csrf-Client": "tests",
    }
