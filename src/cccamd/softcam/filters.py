"""The filters of one service: which number means what at the client.

Source: docs/dvbapi-protocol.md section 8. A filter with another PID gets another number, and what
it replaces is stopped after it: a client that has no filter for a moment gives the service up.
"""

from collections.abc import Callable, Collection, Iterator
from typing import Final

from cccamd.softcam.numbers import FilterNumbers, Resting
from cccamd.softcam.orders import Order, SetFilter, StopFilter
from cccamd.values import EVEN_TABLE_ID
from cccamd.wire.dvbapi import ECM_ANY, ECM_EVEN, ECM_ODD, Channel, SectionMatch

SILENT: Final = 1.5
"""Crypto periods without an ECM of the other parity after which any is good again."""


class EcmFilter:
    """Lets the ECMs of one PID through; its service may wait for one parity only."""

    def __init__(self, number: int, pid: int) -> None:
        self.number = number
        self.pid = pid
        self.match = ECM_ANY
        self.any_at: float | None = None
        """When to let through any parity again."""


class Filters:
    """All filters of one service."""

    def __init__(
        self,
        demux: int,
        *,
        order: Callable[[Order], None],
        resting: Resting,
        limit: int,
        switches: bool,
    ) -> None:
        """`switches`: the client passes on every repetition of an ECM, unless it is told to wait
        for the other parity."""
        self.demux = demux
        self._order = order
        self._numbers = FilterNumbers(limit)
        self._resting = resting
        self._switches = switches
        self._ecms: dict[int, EcmFilter] = {}
        self._others: dict[int, int] = {}
        """The PIDs of filters for other sections, by number."""

    def ecm_pid(self, number: int) -> int | None:
        """The PID of ECMs that a filter is for."""
        found = (each.pid for each in self._ecms.values() if each.number == number)
        return next(found, None)

    @property
    def ecm_pids(self) -> Collection[int]:
        """The PIDs of ECMs that are let through."""
        return self._ecms.keys()

    def want_ecms(self, channel: Channel, pids: Collection[int], now: float) -> None:
        """Let through the ECMs of these PIDs and no others: first what is new, then the rest."""
        for pid in pids:
            if pid in self._ecms:
                continue
            number = self._numbers.take(self._resting, self.demux, now)
            if number is not None:
                self._ecms[pid] = EcmFilter(number, pid)
                self._order(SetFilter(channel, self.demux, number, pid, ECM_ANY))
        if any(pid in self._ecms for pid in pids):  # never without a successor
            for pid in [pid for pid in self._ecms if pid not in pids]:
                self._stop(channel, self._ecms.pop(pid).number, pid, now)

    def came(self, channel: Channel, pid: int, table_id: int, period: float, now: float) -> None:
        """An ECM was taken: wait for the next one, if its repetitions would come otherwise."""
        found = self._ecms.get(pid)
        if found is not None and self._switches:
            self._match(channel, found, ECM_ODD if table_id == EVEN_TABLE_ID else ECM_EVEN)
            found.any_at = now + SILENT * period

    def want_any(self, channel: Channel, pid: int) -> None:
        """An ECM failed: the next one is welcome, whatever its parity."""
        found = self._ecms.get(pid)
        if found is not None and self._switches:
            self._match(channel, found, ECM_ANY)

    @property
    def next_at(self) -> float | None:
        """When `wake` wants to be called."""
        times = (each.any_at for each in self._ecms.values() if each.any_at is not None)
        return min(times, default=None)

    def wake(self, channel: Channel, now: float) -> None:
        """Do what is due."""
        for found in self._ecms.values():
            if found.any_at is not None and found.any_at <= now:
                self._match(channel, found, ECM_ANY)

    def add(self, channel: Channel, pid: int, match: SectionMatch, now: float) -> int | None:
        """Let through other sections; the filter's number, or None: there are too many."""
        number = self._numbers.take(self._resting, self.demux, now)
        if number is not None:
            self._others[number] = pid
            self._order(SetFilter(channel, self.demux, number, pid, match))
        return number

    def drop(self, channel: Channel, number: int, now: float) -> None:
        """Such sections are not needed any more."""
        pid = self._others.pop(number, None)
        if pid is not None:
            self._stop(channel, number, pid, now)

    def end(self, channel: Channel, now: float) -> None:
        """The service is not wanted any more."""
        for number, pid in tuple(self.all()):
            self._stop(channel, number, pid, now)
        self._ecms.clear()
        self._others.clear()

    def all(self) -> Iterator[tuple[int, int]]:
        """Number and PID of each."""
        yield from ((each.number, each.pid) for each in self._ecms.values())
        yield from self._others.items()

    def _match(self, channel: Channel, found: EcmFilter, match: SectionMatch) -> None:
        found.any_at = None
        if found.match != match:
            found.match = match
            self._order(SetFilter(channel, self.demux, found.number, found.pid, match))

    def _stop(self, channel: Channel, number: int, pid: int, now: float) -> None:
        self._order(StopFilter(channel, self.demux, number, pid))
        self._numbers.free(number)
        self._resting.begin(self.demux, number, now)
