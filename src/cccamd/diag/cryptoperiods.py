"""How long the key of each service lasts, learnt from the requests for its ECMs.

The table id of a service's ECMs toggles between 0x80 and 0x81 with each crypto period. The
first request with the other table id, whoever's it is, marks the beginning of a period.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from cccamd.status import ServiceId

SHORTEST, LONGEST = 1.0, 180.0
"""Seconds. Broadcasts use 5 to 120; what lies outside is a gap, or no crypto period at all."""
INTERVALS_KEPT: Final = 9
INTERVALS_NEEDED: Final = 2
FINGERPRINTS_KEPT: Final = 8
"""A client that lags behind asks for an ECM of a period that is over: it begins none."""
SERVICES_LIMIT: Final = 4096


@dataclass(slots=True)
class _Stream:
    turn: int = -1
    turned_at: float = 0.0
    seen: deque[int] = field(default_factory=lambda: deque(maxlen=FINGERPRINTS_KEPT))
    intervals: deque[float] = field(default_factory=lambda: deque(maxlen=INTERVALS_KEPT))
    period: float | None = None

    def learn(self, turn: int, fingerprint: int, at: float) -> None:
        if fingerprint in self.seen:
            return
        self.seen.append(fingerprint)
        if turn == self.turn:
            return
        known, interval = self.turn != -1, at - self.turned_at
        self.turn, self.turned_at = turn, at
        if known and SHORTEST <= interval <= LONGEST:
            self.intervals.append(interval)
            # The median: periods that nobody watched make some intervals too long.
            if len(self.intervals) >= INTERVALS_NEEDED:
                self.period = median(self.intervals)


class CryptoPeriods:
    """The crypto periods of the services that were asked for last."""

    def __init__(self) -> None:
        self._streams: OrderedDict[ServiceId, _Stream] = OrderedDict()

    def learn(self, service: ServiceId, *, parity: int, fingerprint: int, at: float) -> None:
        """Note a request. Without a table id (`parity` 0) each new ECM is a new period."""
        stream = self._streams.get(service)
        if stream is None:
            if len(self._streams) >= SERVICES_LIMIT:
                self._streams.popitem(last=False)
            stream = self._streams[service] = _Stream()
        stream.learn(parity or fingerprint, fingerprint, at)

    def period(self, service: ServiceId) -> float | None:
        """Seconds between two changes of the key; None: not known yet."""
        stream = self._streams.get(service)
        return stream.period if stream else None
