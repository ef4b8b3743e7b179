"""How long the key of each service lasts, learnt from the requests for its ECMs.

The table id of a service's ECMs toggles between 0x80 and 0x81 with each crypto period. The
first request with the other table id, whoever's it is, marks the beginning of a period.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from cccamd.ids import Caid, Ident, Sid

Service = tuple[Caid, Ident, Sid]
"""A plain tuple: it is looked up for every single ECM."""

SHORTEST, LONGEST = 1.0, 180.0
"""Seconds. Broadcasts use 5 to 120; what lies outside is a gap, or no crypto period at all."""
INTERVALS_KEPT: Final = 9
INTERVALS_NEEDED: Final = 2
FINGERPRINTS_KEPT: Final = 8
"""A client that lags behind asks for an ECM of a period that is over: it begins none."""
SERVICES_LIMIT: Final = 4096


@dataclass(slots=True)
class CryptoPeriod:
    """The crypto period of one service."""

    period: float | None = None
    """Seconds between two changes of the key; None: not known yet."""
    _turn: int | bytes = -1
    _turned_at: float = 0.0
    _seen: deque[bytes] = field(default_factory=lambda: deque(maxlen=FINGERPRINTS_KEPT))
    _intervals: deque[float] = field(default_factory=lambda: deque(maxlen=INTERVALS_KEPT))

    def learn(self, parity: int, fingerprint: bytes, at: float) -> None:
        """Note a request. Without a table id (`parity` 0) each new ECM is a new period."""
        if fingerprint in self._seen:
            return
        self._seen.append(fingerprint)
        turn = parity or fingerprint
        if turn == self._turn:
            return
        known, interval = self._turn != -1, at - self._turned_at
        self._turn, self._turned_at = turn, at
        if known and SHORTEST <= interval <= LONGEST:
            self._intervals.append(interval)
            # The median: periods that nobody watched make some intervals too long.
            if len(self._intervals) >= INTERVALS_NEEDED:
                self.period = median(self._intervals)


class CryptoPeriods:
    """The crypto periods of the services that were asked for last."""

    def __init__(self) -> None:
        self._services: OrderedDict[Service, CryptoPeriod] = OrderedDict()

    def of(self, service: Service) -> CryptoPeriod:
        """What is known of a service, and learns on."""
        found = self._services.get(service)
        if found is None:
            if len(self._services) >= SERVICES_LIMIT:
                self._services.popitem(last=False)
            found = self._services[service] = CryptoPeriod()
        return found
