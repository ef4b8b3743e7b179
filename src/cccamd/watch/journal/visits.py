"""One account on one channel: how long, how many ECMs, how quickly they were answered."""

import math
from dataclasses import dataclass, field
from typing import Final

from cccamd.facts import EcmResult
from cccamd.ids import Caid, Ident, Sid
from cccamd.watch import EcmFinished
from cccamd.watch.journal.entries import Entry, Kind

Service = tuple[Caid, Ident, Sid]
"""A plain tuple: it is looked up for every single ECM."""
BIN_GROWTH: Final = math.log(1.05)
"""Answer times are counted in bins 5 % wide: exact enough, and no visit is too long for it."""
SHORTEST: Final = 1e-4
"""Seconds; what is quicker counts as this."""
_LOWEST_BIN: Final = round(math.log(SHORTEST) / BIN_GROWTH)
SOURCES_LIMIT: Final = 8
SILENCE: Final = 150.0
"""Seconds without a request after which a visit is over: longer than any crypto period."""
SILENCE_AFTER_ZAPPING: Final = 30.0
"""The same once the account has turned to another channel."""


@dataclass(slots=True, kw_only=True)
class Visit:
    """A visit that goes on. `*_at` is seconds since the epoch."""

    account: str
    address: str
    service: Service
    began_at: float
    heard_at: float
    written_at: float
    left: bool = False
    """The account has turned to another channel since."""
    asked: int = 0
    answered: int = 0
    worst: float = 0.0
    _bins: dict[int, int] = field(default_factory=dict)
    _sources: dict[str, int] = field(default_factory=dict)

    def add(self, ecm: EcmFinished) -> None:
        """Count a request."""
        seconds, source = ecm.seconds, ecm.source
        self.heard_at, self.left = ecm.at, False
        self.asked += 1
        if seconds > self.worst:
            self.worst = seconds
        number = round(math.log(seconds) / BIN_GROWTH) if seconds > SHORTEST else _LOWEST_BIN
        self._bins[number] = self._bins.get(number, 0) + 1
        if ecm.result is EcmResult.CW:
            self.answered += 1
            if source in self._sources or len(self._sources) < SOURCES_LIMIT:
                self._sources[source] = self._sources.get(source, 0) + 1

    def is_over(self, now: float) -> bool:
        """Whether a request at `now` would begin another visit."""
        return now - self.heard_at > (SILENCE_AFTER_ZAPPING if self.left else SILENCE)

    def entry(self) -> Entry:
        """The visit as far as it got."""
        caid, ident, sid = self.service
        return Entry(
            at=self.began_at,
            until=self.heard_at,
            kind=Kind.VISIT,
            account=self.account,
            address=self.address,
            caid=caid,
            ident=ident,
            sid=sid,
            source=self._describe_sources(),
            asked=self.asked,
            answered=self.answered,
            median=self._median(),
            worst=self.worst,
        )

    def _median(self) -> float | None:
        half, below = (self.asked + 1) // 2, 0
        for number in sorted(self._bins):
            below += self._bins[number]
            if below >= half:
                return min(math.exp(number * BIN_GROWTH), self.worst)
        return None

    def _describe_sources(self) -> str:
        if len(self._sources) < 2:
            return next(iter(self._sources), "")
        most = sorted(self._sources.items(), key=lambda pair: -pair[1])
        return ", ".join(f"{name} ({count})" for name, count in most)
