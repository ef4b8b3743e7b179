"""Sources that stand in for each other: one serves, the others stand by."""

from dataclasses import dataclass

from cccamd.cards import SourceId

RETURN_AFTER = 60.0
"""Seconds a source must have been well before it serves again: no going to and fro."""
NEVER = float("-inf")


@dataclass(slots=True)
class _Member:
    rank: int
    ready: bool = True
    troubled_at: float = NEVER


class StandbyGroup:
    """Decides which source of a group serves: the lowest rank that is well."""

    def __init__(self) -> None:
        self._members: dict[SourceId, _Member] = {}

    def ready(self, source: SourceId, rank: int, now: float) -> None:
        """A member is there. One that was lost must prove itself before it serves again."""
        member = self._members.get(source)
        if member is None:
            self._members[source] = _Member(rank)
            return
        member.rank = rank
        if not member.ready:
            member.ready, member.troubled_at = True, now

    def lost(self, source: SourceId) -> None:
        """A member is gone."""
        if member := self._members.get(source):
            member.ready = False

    def forget(self, source: SourceId) -> None:
        """A member has left the group for good."""
        self._members.pop(source, None)

    def stalled(self, source: SourceId, now: float) -> None:
        """A member did not answer in time."""
        self._members[source].troubled_at = now

    def place(self, source: SourceId, now: float) -> int:
        """0 for the source that serves, 1 and up for those that stand by, next one first."""
        return sorted(self._members, key=lambda each: self._order(each, now)).index(source)

    def _order(self, source: SourceId, now: float) -> tuple[bool, bool, int, SourceId]:
        member = self._members[source]
        recovering = now - member.troubled_at < RETURN_AFTER
        return not member.ready, recovering, member.rank, source
