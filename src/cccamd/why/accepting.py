"""Doors at which nobody gets in for want of descriptors or memory: what that is as an incident."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cccamd.facts import Cause
from cccamd.watch import Symptom
from cccamd.wording import ago


class ClosedDoor(NamedTuple):
    """One that takes no new connection now."""

    door: str
    """`port 12000`, or the path of a socket."""
    reason: str
    """In the system's words."""
    since: float
    """Seconds since the epoch."""


def closed_doors(doors: Iterable[ClosedDoor], at: float) -> Iterator[Symptom]:
    """Name each."""
    for door in doors:
        yield Symptom(
            cause=Cause.DOOR_SHUT,
            subject=door.door,
            since=door.since,
            text=f"takes no new connections: {door.reason}",
            change="see what opens so many, and give the server more descriptors: LimitNOFILE=65536"
            " in the [Service] section of the service; who is logged in is served on",
            evidence=(f"none could be accepted for {ago(at - door.since)}, but who made room",),
        )
