"""Which nodes were there and are not: whoever looks at an outage sees who is missing. Plain.

A node that is there is no business of the roll. One that goes is on it until it is back, for a day
at most; and where there are too many names, those stay that were there longest: a name that was
there for a minute is more often a mistake than a node that people miss.
"""

from dataclasses import dataclass, replace
from typing import Final

from cccamd.facts import NodeState

REMEMBERED: Final = 86_400.0
"""Seconds for which a node that is not there is known."""
ABSENT_LIMIT: Final = 100
"""Names of nodes that are not there; of more the one that was there for the shortest is dropped."""
GONE_AFTER: Final = 16.0
"""Seconds of silence after which a node is gone: three of its words, and a little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """A node that is not there. Times are seconds, monotonic."""

    name: str
    state: NodeState
    config: str
    """What stood for its accounts."""
    came_at: float
    heard_at: float
    """When it was heard of last."""


class Roll:
    """Knows it for one node."""

    def __init__(self) -> None:
        self._absent: dict[str, Absent] = {}

    def left(self, absent: Absent, seen_for: float | None) -> None:
        """A node is gone. `seen_for`: seconds that the engine has been there; None: it is away.

        Of a node that was not heard of while nobody could be heard nothing is known.
        """
        if absent.state is NodeState.MISSING and not _could_be_heard(seen_for):
            absent = replace(absent, state=NodeState.UNSEEN)
        self._absent[absent.name] = absent
        if len(self._absent) > ABSENT_LIMIT:
            shortest = min(self._absent.values(), key=lambda one: one.heard_at - one.came_at)
            del self._absent[shortest.name]

    def came(self, name: str) -> None:
        """A node is there."""
        self._absent.pop(name, None)

    def look(self, now: float, seen_for: float | None) -> None:
        """Forget who was gone for long; who says nothing though it could be heard is missing."""
        for name, absent in list(self._absent.items()):
            if now >= absent.heard_at + REMEMBERED:
                del self._absent[name]
            elif absent.state is NodeState.UNSEEN and _could_be_heard(seen_for):
                self._absent[name] = replace(absent, state=NodeState.MISSING)

    def absent(self) -> list[Absent]:
        """All of them, by name."""
        return sorted(self._absent.values(), key=lambda one: one.name)


def _could_be_heard(seen_for: float | None) -> bool:
    return seen_for is not None and seen_for >= GONE_AFTER
