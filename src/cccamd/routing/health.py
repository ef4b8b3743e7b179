"""What is known of each source: its answer times, its load, whether it is late right now."""

from dataclasses import dataclass, field

from cccamd.cards import Card, SourceId
from cccamd.routing.keys import Service
from cccamd.routing.patience import ASK_LIFETIME
from cccamd.routing.standby import NEVER, StandbyGroup
from cccamd.routing.times import AnswerTimes

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
    heard_at: float = NEVER
    """When it last answered or refused anything."""
    late_since: float = NEVER
    """When the youngest request was sent that it is, or was, later with than usual."""
    times: AnswerTimes = field(default_factory=AnswerTimes)
    service_times: dict[Service, AnswerTimes] = field(default_factory=dict)

    def is_late(self, now: float) -> bool:
        """Whether it seems to hang.

        A source that has answered something else since is only slow with one service, or
        silent about what it cannot decode.
        """
        return self.late_since > self.heard_at and now < self.late_since + ASK_LIFETIME

    def count_answer(self, service: Service, seconds: float, now: float) -> None:
        """Count how long an answer took."""
        self.times.add(seconds, now)
        self._times_of(service).add(seconds, now)

    def count_silence(self, service: Service, seconds: float, now: float) -> None:
        """Count a request that was never answered: against the source only if it hangs."""
        if self.heard_at < now - seconds:
            self.times.add(seconds, now)
        self._times_of(service).add(seconds, now)

    def _times_of(self, service: Service) -> AnswerTimes:
        times = self.service_times.get(service)
        if times is None:
            if len(self.service_times) >= SERVICES_LIMIT:
                del self.service_times[next(iter(self.service_times))]
            times = self.service_times[service] = AnswerTimes()
        return times

    def usual(self, service: Service, now: float) -> float | None:
        """The usual answer time for a service; None: not known."""
        times = self.service_times.get(service)
        if times is None or len(times) < SERVICE_SAMPLES:
            times = self.times
        return times.usual(now)

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
        if group := self.of(source).traits.group:
            self._groups[group].lost(source)

    def stalled(self, source: SourceId, now: float) -> None:
        """A source is much later than usual."""
        if group := self.of(source).traits.group:
            self._groups[group].stalled(source, now)

    def place(self, card: Card, now: float) -> int:
        """0 for a card whose source serves; more for a standby."""
        group = self.of(card.source).traits.group
        return self._groups[group].place(card.source, now) if group else 0
