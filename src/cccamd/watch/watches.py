"""Who watches which channel, how long its keys last, and how much time is left before each.

The table id of a service's ECMs toggles between 0x80 and 0x81 with each crypto period. The
first request with the other table id, whoever's it is, marks the beginning of a period.
"""

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from statistics import median
from typing import Final, TypedDict

from cccamd.facts import ChannelMargin, EcmResult, Freeze, Margin
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


MARGINS_KEPT: Final = 12
MARGINS_NEEDED: Final = 5
"""Fewer make no trend."""
HORIZON: Final = 12
"""Crypto periods; what lies further ahead is no forecast but a guess."""
STEEP: Final = 0.01
"""Seconds that must be lost in each second, so that noise is no trend."""


def seconds_to_zero(margins: Sequence[Margin], period: float) -> float | None:
    """Say in how many seconds the margin will be used up; None: it will not be soon.

    The slope is the median of those between all pairs: a single stall is no trend.
    """
    if len(margins) < MARGINS_NEEDED:
        return None
    first, last = margins[0], margins[-1]
    if first.seconds - last.seconds < STEEP * (last.at - first.at):
        return None  # by far the most: so quickly seen that it may be asked each time
    slopes = [
        (later.seconds - sooner.seconds) / (later.at - sooner.at)
        for sooner, later in combinations(margins, 2)
        if later.at > sooner.at
    ]
    slope = median(slopes) if slopes else 0.0
    if slope > -STEEP:
        return None
    left = max(0.0, median(margin.seconds for margin in tuple(margins)[-3:]) / -slope)
    return left if left <= HORIZON * period else None


SILENCE: Final = 2.5
"""Crypto periods without a request after which nobody watches a channel any more."""
UNKNOWN_PERIOD: Final = 60.0
"""Seconds that stand in for a crypto period that is not known (yet)."""


@dataclass(slots=True)
class WatchingAccount:
    """One account, and what it asked for last."""

    name: str
    last: Service
    asked_at: float
    """When it asked for `last`."""
    services: set[Service] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class Watch:
    """One account on one service."""

    account: WatchingAccount
    service: Service
    crypto: CryptoPeriod
    fingerprint: bytes
    asked_at: float
    heard_at: float
    is_first: bool = True
    answered: bool = False
    refusal: EcmResult = EcmResult.NOK1
    due_at: float | None = None
    """When the CW that is missing is needed; None: not known, or none is missing."""
    freeze: Freeze | None = None
    margins: deque[Margin] = field(default_factory=lambda: deque(maxlen=MARGINS_KEPT))
    foreseen: float | None = None
    """When the margin will be used up; None: no freeze is foreseen."""

    def turn_to(self, fingerprint: bytes, asked_at: float) -> None:
        """The next ECM was asked for."""
        self.fingerprint, self.asked_at = fingerprint, asked_at
        self.is_first = self.answered = False
        self.due_at = None


class Subject(TypedDict):
    """What a happening about a channel is about."""

    account: str
    caid: Caid
    ident: Ident
    sid: Sid


def subject_of(watch: Watch) -> Subject:
    """Name the account and the channel."""
    caid, ident, sid = watch.service
    return {"account": watch.account.name, "caid": caid, "ident": ident, "sid": sid}


def has_gone_on(watch: Watch) -> bool:
    """Whether the account has asked for something else since: it has zapped away, or it
    watches two channels; then the next request for this one tells."""
    account = watch.account
    return account.last != watch.service and account.asked_at > watch.asked_at


def is_silent(watch: Watch, now: float) -> bool:
    """Whether nobody watches any more."""
    return now - watch.heard_at > SILENCE * (watch.crypto.period or UNKNOWN_PERIOD)


def channel_margin(watch: Watch) -> ChannelMargin:
    """What pages show of it."""
    forecast = ""
    if watch.foreseen is not None:
        left = watch.foreseen - watch.heard_at
        forecast = f"the margin falls: a freeze is due in about {left:.0f} s"
    return ChannelMargin(
        period=watch.crypto.period,
        margin=watch.margins[-1].seconds if watch.margins else None,
        margins=tuple(watch.margins),
        forecast=forecast,
        **subject_of(watch),
    )
