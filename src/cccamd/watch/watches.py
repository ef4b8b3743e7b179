"""Who watches which channel, how long its keys last, and how much time is left before each.

The table id of a service's ECMs toggles between 0x80 and 0x81 with each crypto period. The
first request with the other table id, whoever's it is, marks the beginning of a period.

All times here are seconds of a clock that nobody sets (`Freezes` keeps it).
"""

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Final, TypedDict

from cccamd.facts import Freeze, Margin
from cccamd.ids import Caid, Ident, Sid
from cccamd.watch.cases import SeenWay, Service
from cccamd.watch.happenings import EcmFinished
from cccamd.watch.middle import median

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
    turned_at: float = 0.0
    """When the present period began, as far as anybody asked."""
    _seen: deque[bytes] = field(default_factory=lambda: deque(maxlen=FINGERPRINTS_KEPT))
    _intervals: deque[float] = field(default_factory=lambda: deque(maxlen=INTERVALS_KEPT))

    @property
    def intervals(self) -> tuple[float, ...]:
        """The last ones, the oldest first."""
        return tuple(self._intervals)

    def learn(self, parity: int, fingerprint: bytes, at: float) -> None:
        """Note a request. Without a table id (`parity` 0) each new ECM is a new period."""
        if fingerprint in self._seen:
            return
        self._seen.append(fingerprint)
        turn = parity or fingerprint
        if turn == self._turn:
            return
        known, interval = self._turn != -1, at - self.turned_at
        self._turn, self.turned_at = turn, at
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
QUIET: Final = 2.0
"""Crypto periods without a request after which a receiver is suspiciously quiet."""
LEFT_AFTER: Final = 5.0
"""Seconds beyond a crypto period after which an account that turned to another channel has
left this one: as long as an answer may take. Who watches both has asked by then."""
UNKNOWN_PERIOD: Final = 60.0
"""Seconds that stand in for a crypto period that is not known (yet)."""
DARK_AFTER: Final = 5.0
"""Seconds without a first CW, a new ECM among them, after which that is no zapping any more."""
LATE, TOO_LATE = 0.1, 0.5
"""Of a crypto period. A receiver that asks less late is on time; one that is later than that
may as well have been elsewhere."""
Client = tuple[str, int]
"""An account and the number of one of its clients: most have but one."""
ASKS_KEPT: Final = 8
SOURCES_KEPT: Final = 16
WAYS_KEPT: Final = 8


@dataclass(slots=True)
class WatchingClient:
    """One client of an account, and what it asked for last."""

    key: Client
    last: Service
    asked_at: float
    """When it asked for `last`."""
    services: "dict[Service, Watch]" = field(default_factory=dict)
    missing: set[Service] = field(default_factory=set)
    """Services whose CW is missing now."""
    sources: dict[str, None] = field(default_factory=dict)
    """Those that its requests went to, the latest last."""
    ways: deque[SeenWay] = field(default_factory=lambda: deque(maxlen=WAYS_KEPT))

    @property
    def name(self) -> str:
        """The account."""
        return self.key[0]

    def went_to(self, source: str) -> None:
        """One of its requests went to this source."""
        self.sources.pop(source, None)
        self.sources[source] = None
        if len(self.sources) > SOURCES_KEPT:
            del self.sources[next(iter(self.sources))]


@dataclass(slots=True, eq=False)
class Standstill:
    """A freeze that goes on."""

    number: int
    at: float
    from_start: bool
    by_way: bool
    """Our answer has not got through to the receiver."""
    shown: Freeze | None = None
    """As it was judged last; its times are those of the wall clock then."""
    stale: bool = True
    """Something happened since it was judged."""
    lost: dict[str, None] = field(default_factory=dict)
    """Sources that were down at any time of it, in the order in which that was noticed."""
    others: int = 0
    others_frozen: int = 0


Asked = tuple[float, float, EcmFinished]
"""When an ECM was asked for, how late by the receiver's own rhythm, and how it ended."""


@dataclass(slots=True, eq=False)
class Watch:
    """One account on one service."""

    account: WatchingClient
    service: Service
    crypto: CryptoPeriod
    fingerprint: bytes
    parity: int
    began_at: float
    """When the channel was asked for first."""
    asked_at: float
    heard_at: float
    answered_at: float = 0.0
    is_first: bool = True
    """This ECM is the first one."""
    is_lit: bool = False
    """There was a CW, ever."""
    was_dark: bool = False
    """The same channel was dark when this account left it a moment ago."""
    is_whole: bool = True
    """We have seen it from its beginning."""
    answered: bool = False
    late: float = 0.0
    """Seconds that the receiver asked later than its own rhythm would have it."""
    due_at: float | None = None
    """When the CW that is missing is needed; None: not known, or none is missing."""
    freeze: Standstill | None = None
    margins: deque[Margin] = field(default_factory=lambda: deque(maxlen=MARGINS_KEPT))
    foreseen: float | None = None
    """When the margin will be used up; None: no freeze is foreseen."""
    asks: deque[Asked] = field(default_factory=lambda: deque(maxlen=ASKS_KEPT))
    wake_at: float = 0.0
    """When to look whether somebody still watches."""
    left_at: float | None = None
    """When the account asked for something else after this."""
    quiet_at: float | None = None
    """Since when it asks no more, if that is too long."""
    repeats: int = 0
    """How often the present ECM was asked for again although it had been answered."""
    same_parity: int = 1
    """How many ECMs of one parity came in a row."""
    parity_at: float = 0.0
    """When the first of them was asked for."""

    @property
    def needed_at(self) -> float | None:
        """When the CW of the present ECM is needed; None: nobody knows."""
        period = self.crypto.period
        return None if period is None else self.asked_at + period - self.late

    def turn_to(self, fingerprint: bytes, parity: int, asked_at: float) -> None:
        """The next ECM was asked for."""
        period, interval = self.crypto.period, asked_at - self.asked_at
        self.late = 0.0
        if period is not None and self.answered and self.left_at is None:
            late = interval - period
            if LATE * period < late <= TOO_LATE * period and parity != self.parity:
                self.late = late
        self.same_parity += 1
        if parity != self.parity or not parity:
            self.parity, self.same_parity, self.parity_at = parity, 1, asked_at
        self.fingerprint, self.asked_at = fingerprint, asked_at
        if self.answered:
            # Else the key is still owed, and needed when it was: a receiver whose rhythm is a
            # little quicker than ours would put that off for ever.
            self.due_at = None
        self.is_first = self.answered = False
        self.repeats = 0

    @property
    def is_turned(self) -> bool:
        """Whether the present ECM is the first of its parity."""
        return self.same_parity == 1

    def count_anew(self) -> None:
        """Count ECMs of one parity from the present one on, which is not the first of it."""
        self.same_parity, self.parity_at = 2, self.asked_at

    def gone_at(self) -> float:
        """When nobody watches any more, if nothing is asked until then."""
        period = self.crypto.period
        if self.left_at is not None and period is not None:
            return min(self.heard_at + period + LEFT_AFTER, self.heard_at + SILENCE * period)
        return self.heard_at + SILENCE * (period or UNKNOWN_PERIOD)

    def next_look(self) -> float:
        """When to look at it again, if nothing is asked until then."""
        quiet_due_at, gone_at = self.quiet_due_at(), self.gone_at()
        return gone_at if quiet_due_at is None else min(gone_at, quiet_due_at)

    def quiet_due_at(self) -> float | None:
        """When it is suspicious that nothing is asked; None: never."""
        period = self.crypto.period
        if period is None or self.left_at is not None or self.quiet_at is not None:
            return None
        return max(self.asked_at + QUIET * period, self.heard_at + period)


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


def live_margin(watch: Watch, now: float) -> float | None:
    """The seconds left, at this moment as far as that is known; below zero: frozen."""
    if watch.freeze is not None:
        return min(0.0, watch.freeze.at - now)
    if watch.due_at is not None:
        return max(0.0, watch.due_at - now)
    return watch.margins[-1].seconds if watch.margins else None
