"""What is known of each source: its answer times, its load, whether it is late right now.

All times are in seconds. How long a source is waited for follows from its usual answer time;
sources of one standby group serve in turn of their rank as long as they are well.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass, field

from cccamd.cards import Card, SourceId
from cccamd.routing.condition import (
    DOUBT_INTERVAL,
    NEVER,
    SILENT_AFTER,
    Condition,
    LastMinute,
    Silence,
)
from cccamd.values import Service

UNKNOWN_USUAL = 0.5
"""For a source that was never measured: up to then a picture has no stutter."""
FREEZE = 1.0
"""Whoever takes longer is only asked when there is nobody else, and not waited for alone."""
OVERDUE_FACTOR = 1.25
OVERDUE_LEAST = 0.05
"""Below this a difference is the network's and not the source's."""
STALLED_FACTOR = 2.5
STALLED_LEAST, STALLED_MOST = 0.4, 1.5
"""Three cards, one after the other, fit into a deadline."""
ASK_LIFETIME = 10.0
"""A crypto period: an answer that comes later opens nothing."""
LEFT_KEPT = 300.0
"""Seconds after which no request on its way knows cards of a source that has left."""


def overdue_after(usual: float) -> float:
    """When another card is asked as well, if the budget allows."""
    seconds = OVERDUE_FACTOR * usual
    if seconds < OVERDUE_LEAST:
        return OVERDUE_LEAST
    return seconds if seconds < FREEZE else FREEZE


def stalled_after(usual: float, deadline: float) -> float:
    """When another card is asked whatever it costs.

    A source that always takes its time gets it, up to half of the deadline: asking two such
    sources for everything would not make either of them faster.
    """
    most = max(STALLED_MOST, min(OVERDUE_FACTOR * usual, deadline / 2))
    return min(max(STALLED_FACTOR * usual, STALLED_LEAST), most)


SAMPLES = 32
"""Enough for a 95th percentile, few enough to notice a change within some minutes."""
USUAL_SHARE = 0.95
NEWS_SHARE = 8
"""The percentile is computed again when more than an eighth of the samples is new."""
FORGOTTEN_AFTER = 300.0
"""A source that was slow, and was left alone since, deserves a new try after that long."""


class AnswerTimes:
    """A sliding window of answer times, in seconds.

    A quantile and not a mean: one stall of three seconds says nothing about the next answer,
    but doubles the mean of thirty.
    """

    __slots__ = ("_newest_at", "_news", "_usual", "_window")

    def __init__(self) -> None:
        self._window: deque[float] = deque(maxlen=SAMPLES)
        self._newest_at = 0.0
        self._news = 0
        self._usual = 0.0

    def __len__(self) -> int:
        return len(self._window)

    def add(self, seconds: float, now: float) -> None:
        """Count one answer."""
        if now - self._newest_at > FORGOTTEN_AFTER:
            self._window.clear()
        self._newest_at = now
        self._window.append(seconds)
        self._news += 1

    def usual(self, now: float) -> float | None:
        """The time within which nearly all answers came; None when nothing is known."""
        window = self._window
        if not window or now - self._newest_at > FORGOTTEN_AFTER:
            return None
        if self._news * NEWS_SHARE > len(window):
            self._usual = sorted(window)[int(USUAL_SHARE * len(window))]
            self._news = 0
        return self._usual


RETURN_AFTER = 60.0
"""Seconds a source must have been well before it serves again: no going to and fro."""


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

    @property
    def is_empty(self) -> bool:
        """Whether there is nobody."""
        return not self._members

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


SERVICE_SAMPLES = 4
"""From so many answers on, what is known of the service counts, and not the whole source."""
SERVICES_LIMIT = 256
"""Services per source with times of their own; the oldest is forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTraits:
    """What the configuration says about a source."""

    one_at_a_time: bool = False
    """Plain mode: it takes one request until that is answered."""
    constant: bool = False
    """It gives the same CW for every ECM, by design (a fixed key)."""
    immediate: bool = False
    """It is a card of ours that never lets wait: asking it is answering."""
    group: str = ""
    """Sources of one group stand in for each other; empty: in no group."""
    rank: int = 0
    """The lowest rank of a group serves as long as it is well."""


DEFAULT_TRAITS = SourceTraits()


@dataclass(slots=True)
class SourceHealth:
    """One source."""

    traits: SourceTraits = DEFAULT_TRAITS
    load: int = 0
    """Requests in flight."""
    taught_at: float = NEVER
    """When an EMM went to one of its cards."""
    silence: Silence = field(default_factory=Silence)
    minute: LastMinute = field(default_factory=LastMinute)
    late_since: float = NEVER
    """When the youngest request was sent that it is, or was, later with than usual."""
    times: AnswerTimes = field(default_factory=AnswerTimes)
    service_times: OrderedDict[Service, AnswerTimes] = field(default_factory=OrderedDict)

    def is_late(self, now: float) -> bool:
        """Whether it seems to hang.

        A source that has answered something else since is only slow with one service, or
        silent about what it cannot decode.
        """
        return self.late_since > self.silence.heard_at and now < self.late_since + ASK_LIFETIME

    def heard(self, now: float) -> None:
        """It has said something about a question. What it took while it was silent is over."""
        silence = self.silence
        if silence.unheard:
            if now >= silence.first_at + SILENT_AFTER:
                self.times = AnswerTimes()
                self.service_times.clear()
            silence.unheard = 0
        silence.heard_at = now

    def count_answer(self, service: Service, seconds: float, now: float) -> None:
        """Count how long an answer took."""
        self.times.add(seconds, now)
        self._times_of(service).add(seconds, now)

    def count_silence(self, service: Service, seconds: float, now: float) -> None:
        """Count a request that was never answered: against the source only if it hangs."""
        if self.silence.heard_at < now - seconds:
            self.times.add(seconds, now)
        self._times_of(service).add(seconds, now)

    def _times_of(self, service: Service) -> AnswerTimes:
        times = self.service_times.get(service)
        if times is None:
            if len(self.service_times) >= SERVICES_LIMIT:
                self.service_times.popitem(last=False)
            times = self.service_times[service] = AnswerTimes()
        return times

    def usual(self, service: Service, now: float) -> float | None:
        """The usual answer time for a service; None: not known."""
        times = self.service_times.get(service)
        if times is None or len(times) < SERVICE_SAMPLES:
            times = self.times
        return times.usual(now)

    def condition(self, now: float) -> Condition:
        """How it does right now."""
        outcomes, slow, late = self.minute.read(now)
        return Condition(
            silent_since=self.silence.since(now),
            outcomes=outcomes,
            slow=slow,
            late=late,
            usual=self.times.usual(now),
        )

    @property
    def turns(self) -> int:
        """How many answers it has to give until the next request has its own."""
        return self.load + 1 if self.traits.one_at_a_time else 1


class Health:
    """All sources, and the groups they stand by in."""

    def __init__(self) -> None:
        self._sources: dict[SourceId, SourceHealth] = {}
        self._groups: dict[str, StandbyGroup] = {}
        self.lost_sources: set[SourceId] = set()
        """Requests that are on their way may still know their cards."""
        self.doubted: set[SourceId] = set()
        """Those that have left something without a word, among others."""
        self._left: dict[SourceId, float] = {}
        """Those that have left for good, and when."""

    def __len__(self) -> int:
        return len(self._sources)

    def of(self, source: SourceId) -> SourceHealth:
        """What is known of a source; nothing of one that was never `ready`."""
        health = self._sources.get(source)
        if health is None:
            health = self._sources[source] = SourceHealth()
        return health

    def ready(self, source: SourceId, traits: SourceTraits, now: float) -> None:
        """A source can be asked."""
        health = self.of(source)
        if health.traits.group and health.traits.group != traits.group:
            self._groups[health.traits.group].forget(source)
        health.traits = traits
        self.lost_sources.discard(source)
        if traits.group:
            self._groups.setdefault(traits.group, StandbyGroup()).ready(source, traits.rank, now)

    def lost(self, source: SourceId) -> None:
        """A source cannot be asked any more."""
        self.lost_sources.add(source)
        self.of(source).silence = Silence()
        if group := self.of(source).traits.group:
            self._groups[group].lost(source)

    def leave(self, source: SourceId, now: float) -> None:
        """A lost source will not come back: no other gets its number. It is forgotten when the next
        one leaves, some time later; requests that are on their way may know its cards until then.
        """
        for each in [each for each, at in self._left.items() if at + LEFT_KEPT < now]:
            del self._left[each]
            self._forget(each)
        self._left[source] = now

    def _forget(self, source: SourceId) -> None:
        self.lost_sources.discard(source)
        self.doubted.discard(source)
        health = self._sources.pop(source, None)
        if health is not None and (group := self._groups.get(health.traits.group)):
            group.forget(source)
            if group.is_empty:
                del self._groups[health.traits.group]

    def stalled(self, source: SourceId, now: float) -> None:
        """A source is much later than usual."""
        if group := self.of(source).traits.group:
            self._groups[group].stalled(source, now)

    def doubt(self, source: SourceId, asked_at: float) -> None:
        """A source has left what it was asked then without a word for too long."""
        self.of(source).silence.missed(asked_at)
        self.doubted.add(source)

    def worth_a_try(self, source: SourceId, now: float) -> bool:
        """Whether to ask a source that is in doubt along with another one."""
        if source not in self.doubted or source in self.lost_sources:
            return False
        silence = self._sources[source].silence
        return bool(silence.unheard) and now >= silence.asked_at + DOUBT_INTERVAL

    def given_up(self, now: float) -> set[SourceId]:
        """The sources that are silent, and not to be tried now."""
        if not self.doubted:
            return self.doubted
        self.doubted = {each for each in self.doubted if self._sources[each].silence.unheard}
        return {each for each in self.doubted if self._sources[each].silence.given_up(now)}

    def place(self, card: Card, now: float) -> int:
        """0 for a card whose source serves; more for a standby."""
        group = self.of(card.source).traits.group
        return self._groups[group].place(card.source, now) if group else 0
