"""What a node of a fleet is made of, and not what it does: who is alone loads no fleet."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cccamd.fleet.actions import Hearers
    from cccamd.fleet.claims import Seals
    from cccamd.server.fleetdesk import RunningEngine


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """What a node is in its fleet by."""

    node: str
    seals: "Seals"
    fingerprint_key: bytes
    """Under which all nodes name ECMs."""
    make_engine: "Callable[[Hearers], RunningEngine]"
    """Makes the way to the engine, which tells what happens to those given."""
