"""What stands in the journal: one kind of value for everything, and what is summed up for it.

Beside logins and freezes these are visits (one account on one channel: how long, how many ECMs,
how quickly they were answered) and a guess whether a receiver hangs on a cable or on radio.
"""

import math
from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from cccamd.facts import EcmResult
from cccamd.ids import Caid, Ident, Sid
from cccamd.watch import EcmFinished, SourceAnswered, median

FILE_NAME: Final = "journal.db"
"""In the folder of the node id, unless somebody says otherwise."""


class Kind(Enum):
    """What an entry tells; the value is what files and exports hold."""

    START = "start"
    """The journal begins to write: the server has started."""
    LOGIN = "login"
    LOGOUT = "logout"
    REFUSED = "refused"
    """Somebody did not get in."""
    LINK = "link"
    """What the round trips of one login look like."""
    VISIT = "visit"
    """One account on one channel, from `at` to `until`."""
    FREEZE = "freeze"
    """A picture stood still, from `at` to `until`."""
    INCIDENT = "incident"
    """Something was wrong, from `at` to `until`; without an end as long as it is."""
    OUTAGE = "outage"
    """A source was away, from `at` to `until`."""
    ACTION = "action"
    """Somebody did something to the server: `subject` says who, `text` what."""
    SOURCE = "source"
    """What a source did from `at` to `until`: a few hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the journal. Times are seconds; `at` and `until` since the epoch.

    Two entries of the same moment, kind, account, address and service are one: the later one
    says more.
    """

    at: float
    kind: Kind
    account: str = ""
    address: str = ""
    caid: int = 0
    ident: int = 0
    sid: int = 0
    until: float | None = None
    source: str = ""
    """Who gave the CWs; with how many of them when there were several."""
    asked: int = 0
    answered: int = 0
    """With a CW."""
    median: float | None = None
    """The usual answer time, to within some percent."""
    worst: float | None = None
    text: str = ""
    """A reason, a version, a cause: for people."""
    subject: str = ""
    """The source, or whatever an incident is about."""
    number: int = 0
    """Of an incident or a freeze: names it in pages and commands."""
    cause: str = ""
    """Of an incident or a freeze, in the words of `facts`."""
    suffering: int = 0
    """How many accounts an incident hit."""
    evidence: str = ""
    """What was seen, one line each."""
    up: float | None = None
    """Seconds of this time that a source was up; of an outage or an incident 0 as long as it goes
    on, and None once it is over."""
    losses: int = 0
    """How often it was lost in this time."""

    @property
    def goes_on(self) -> bool:
        """Whether it was not over yet when it was written last."""
        return self.kind in (Kind.OUTAGE, Kind.INCIDENT) and self.up is not None


SAMPLES_KEPT: Final = 64
SAMPLES_NEEDED: Final = 8
STEADY, UNSTEADY = 0.001, 0.003
"""Seconds of jitter. A cable in the house stays far below the one, radio seldom does; between
both, nobody can tell."""
FAR: Final = 0.015
"""Seconds of round trip beyond which the way is longer than a house, and its jitter says
nothing about the last few metres."""


@dataclass(slots=True)
class RoundTrips:
    """The last round trips of one client, and how much they differ."""

    _samples: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=SAMPLES_KEPT))

    def add(self, seconds: float, jitter: float) -> None:
        """Note one measurement."""
        self._samples.append((seconds, jitter))

    @property
    def guess(self) -> str:
        """What the link probably is, in words; empty as long as there is too little to say."""
        if len(self._samples) < SAMPLES_NEEDED:
            return ""
        usual = median(seconds for seconds, _ in self._samples)
        jitter = median(jitter for _, jitter in self._samples)
        numbers = f"round trip {1000 * usual:.1f} ms, jitter {1000 * jitter:.1f} ms"
        if usual > FAR:
            return f"not in this house: {numbers}"
        if jitter < STEADY:
            return f"probably wired: {numbers}"
        if jitter > UNSTEADY:
            return f"probably wireless: {numbers}"
        return f"wired or wireless, hard to tell: {numbers}"


Service = tuple[Caid, Ident, Sid]
"""A plain tuple: it is looked up for every single ECM."""
BIN_GROWTH: Final = math.log(1.05)
"""Answer times are counted in bins 5 % wide: exact enough, and no visit is too long for it."""
SHORTEST: Final = 1e-4
"""Seconds; what is quicker counts as this."""
_LOWEST_BIN: Final = round(math.log(SHORTEST) / BIN_GROWTH)


@dataclass(slots=True)
class AnswerTimes:
    """Counts answer times; knows the usual one (the median) and the worst."""

    worst: float = 0.0
    _count: int = 0
    _bins: dict[int, int] = field(default_factory=dict)

    def add(self, seconds: float, weight: int = 1) -> None:
        """Count one, or as many equal ones."""
        if seconds > self.worst:
            self.worst = seconds
        self._count += weight
        number = round(math.log(seconds) / BIN_GROWTH) if seconds > SHORTEST else _LOWEST_BIN
        self._bins[number] = self._bins.get(number, 0) + weight

    @property
    def median(self) -> float | None:
        """The usual one, to within some percent; None: there was none."""
        half, below = (self._count + 1) // 2, 0
        for number in sorted(self._bins):
            below += self._bins[number]
            if below >= half:
                return min(math.exp(number * BIN_GROWTH), self.worst)
        return None


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
    times: AnswerTimes = field(default_factory=AnswerTimes)
    _sources: dict[str, int] = field(default_factory=dict)

    def add(self, ecm: EcmFinished) -> None:
        """Count a request."""
        source = ecm.source
        self.heard_at, self.left = ecm.at, False
        self.asked += 1
        self.times.add(ecm.seconds)
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
            median=self.times.median,
            worst=self.times.worst,
        )

    def _describe_sources(self) -> str:
        if len(self._sources) < 2:
            return next(iter(self._sources), "")
        most = sorted(self._sources.items(), key=lambda pair: -pair[1])
        return ", ".join(f"{name} ({count})" for name, count in most)


SOURCE_PERIOD: Final = 4 * 3600.0
"""Seconds that one entry of a source sums up."""


@dataclass(slots=True, kw_only=True)
class SourceWatch:
    """One source: whether it is up, and what it did in this period. `*_at` is since the epoch."""

    name: str
    began_at: float
    """When this period began, or when the source was first heard of."""
    seen_at: float
    written_at: float
    is_up: bool
    down_at: float | None = None
    why: str = ""
    """Why it went down."""
    up: float = 0.0
    losses: int = 0
    asked: int = 0
    answered: int = 0
    times: AnswerTimes = field(default_factory=AnswerTimes)

    def pass_time(self, now: float) -> None:
        """Count the time since it was looked at; a clock that was set counts for nothing."""
        passed = now - self.seen_at
        if self.is_up and 0 < passed < SOURCE_PERIOD:
            self.up += passed
        self.seen_at = now

    def add(self, answer: SourceAnswered) -> None:
        """Count what it answered."""
        self.asked += answer.weight
        if answer.result is EcmResult.CW:
            self.answered += answer.weight
            self.times.add(answer.seconds, answer.weight)

    def next_period(self, now: float, *, was_set: bool = False) -> "SourceWatch":
        """The same source in the time to come. `was_set`: by another clock; an outage that goes on
        begins there as one more, and both together are as long as it was."""
        return SourceWatch(
            name=self.name,
            began_at=now,
            seen_at=now,
            written_at=now,
            is_up=self.is_up,
            down_at=now if was_set and self.down_at is not None else self.down_at,
            why=self.why,
        )

    def entry(self) -> Entry:
        """The period as far as it got."""
        return Entry(
            at=self.began_at,
            until=max(self.seen_at, self.began_at),
            kind=Kind.SOURCE,
            subject=self.name,
            asked=self.asked,
            answered=self.answered,
            median=self.times.median,
            worst=self.times.worst if self.answered else None,
            up=self.up,
            losses=self.losses,
        )

    def outage(self, *, is_over: bool = False) -> list[Entry]:
        """The outage that goes on, as far as it got; none when it is up."""
        if self.down_at is None:
            return []
        return [
            Entry(
                at=self.down_at,
                until=max(self.seen_at, self.down_at),
                kind=Kind.OUTAGE,
                subject=self.name,
                text=self.why,
                up=None if is_over else 0.0,
            )
        ]
