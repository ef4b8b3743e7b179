"""Doors at which nobody gets in, for want of descriptors, memory or places: as incidents."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from cccamd.facts import Cause
from cccamd.watch import Symptom
from cccamd.wording import ago

_MORE_FILES: Final = (
    "see what opens so many, and give the server more descriptors: LimitNOFILE=65536 in the"
    " [Service] section of the service; who is logged in is served on"
)
_MORE_PLACES: Final = (
    "raise max_clients in the [limits] table of cccamd.toml, and LimitNOFILE in the [Service]"
    " section of the service (each client takes a file descriptor); `cccamd doctor` says which"
)


class ClosedDoor(NamedTuple):
    """One that takes no new connection now."""

    door: str
    """`port 12000`, or the path of a socket."""
    reason: str
    """In the system's words."""
    since: float
    """Seconds since the epoch."""
    is_full: bool = False
    """As many are in as may be: nothing is short."""


def closed_doors(doors: Iterable[ClosedDoor], at: float) -> Iterator[Symptom]:
    """Name each."""
    for door in doors:
        yield Symptom(
            cause=Cause.DOOR_SHUT,
            subject=door.door,
            since=door.since,
            text=f"takes no new connections: {door.reason}",
            change=_MORE_PLACES if door.is_full else _MORE_FILES,
            evidence=(f"none could be accepted for {ago(at - door.since)}, but who made room",),
        )
