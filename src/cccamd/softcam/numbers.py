"""The small numbers by which a client and we mean the same: the lowest that is free.

Source: docs/dvbapi-protocol.md sections 8 and 9.
"""

from collections.abc import Iterable
from typing import Final

QUARANTINE: Final = 2.0
"""Seconds in which a filter's number means nothing new: sections of the old one may be on their
way, and would be taken for the new one's."""


class Numbers:
    """Numbers of demultiplexers and key indices of one connection, from one stock: a demux is
    the index of its first streams, and no two services may share an index."""

    def __init__(self, limit: int) -> None:
        """`limit`: how many there are at most."""
        self._limit = limit
        self._taken: set[int] = set()
        self._adapters: dict[int, int] = {}
        """With which adapter a number was used last."""

    def __len__(self) -> int:
        return len(self._taken)

    def take(self, adapter: int) -> int | None:
        """The lowest free number; None: there is none.

        tvheadend lets a demux be used with one adapter only, so one that was another adapter's
        is taken when there is no other.
        """
        free = [number for number in range(self._limit) if number not in self._taken]
        own = (number for number in free if self._adapters.get(number, adapter) == adapter)
        number = next(own, free[0] if free else None)
        if number is not None:
            self._taken.add(number)
            self._adapters[number] = adapter
        return number

    def free(self, number: int) -> None:
        """Give a number back."""
        self._taken.discard(number)


class FilterNumbers:
    """Numbers of the filters of one demux."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken: set[int] = set()

    def take(self, rests: "Resting", demux: int, now: float) -> int | None:
        """The lowest that is free, and was not in use a moment ago; None: there is none."""
        for number in range(self._limit):
            if number not in self._taken and not rests.rests(demux, number, now):
                self._taken.add(number)
                return number
        return None

    def free(self, number: int) -> None:
        """Give a number back."""
        self._taken.discard(number)


class Resting:
    """Filters (demux, number) that were stopped a moment ago."""

    def __init__(self) -> None:
        self._until: dict[tuple[int, int], float] = {}

    def begin(self, demux: int, number: int, now: float) -> None:
        """A filter was stopped."""
        while self._until and next(iter(self._until.values())) <= now:  # the oldest is the first
            del self._until[next(iter(self._until))]
        self._until.pop((demux, number), None)
        self._until[demux, number] = now + QUARANTINE

    def rests(self, demux: int, number: int, now: float) -> bool:
        """Whether its number is still to be left alone."""
        return self._until.get((demux, number), 0.0) > now


class Descrambled:
    """Which index each stream of one connection is descrambled with, by adapter and PID.

    Services of one adapter may share streams. The client knows one index for each: the last one
    told; when that service ends, the stream is another's again, and not removed.
    """

    def __init__(self) -> None:
        self._indices: dict[tuple[int, int], list[int]] = {}

    def add(self, adapter: int, pids: Iterable[int], index: int) -> list[int]:
        """These streams have this index from now on; return those of which that is new."""
        new = []
        for pid in pids:
            indices = self._indices.setdefault((adapter, pid), [])
            if index not in indices:
                indices.append(index)
                new.append(pid)
        return new

    def remove(self, adapter: int, pid: int, index: int) -> int | None:
        """A stream has this index no more. Return the one that it has after that: the same if
        nothing changes, None if nobody has it."""
        indices = self._indices[adapter, pid]
        before = indices[-1]
        indices.remove(index)
        if not indices:
            del self._indices[adapter, pid]
            return None
        return indices[-1] if before == index else index
