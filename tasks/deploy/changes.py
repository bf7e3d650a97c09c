"""What `namewright deploy` changes on a server."""

from typing import Literal, NamedTuple

Outcome = Literal["created", "updated", "unchanged", "removed", "moved", "left"]


class Change(NamedTuple):
    """What happened to one object on the server. note: what differed, or when it runs."""

    outcome: Outcome
    kind: str
    name: str
    note: str
