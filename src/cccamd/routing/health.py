"""What is known of each source: its answer times, its load, whether it is late right now."""

from dataclasses import dataclass, field

from cccamd.cards import Card, SourceId
from cccamd.routing.keys import Service
from cccamd.routing.standby import StandbyGroup
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
    overdue: int = 0
    """How many of those should have been answered by now."""
    times: AnswerTimes = field(default_factory=AnswerTimes)
    service_times: dict[Service, AnswerTimes] = field(default_factory=dict)

    def count(self, service: Service, seconds: float, now: float) -> None:
        """Count an answer time."""
        self.times.add(seconds, now)
        times = self.service_times.get(service)
        if times is None:
            if len(self.service_times) >= SERVICES_LIMIT:
                del self.service_times[next(iter(self.service_times))]
            times = self.service_times[service] = AnswerTimes()
        times.add(seconds, now)

    def usual(self, service: Service, now: float) -> float | None:
        """The usual answer time for a service, behind what is in flight; None: not known."""
        times = self.service_times.get(service)
        if times is None or len(times) < SERVICE_SAMPLES:
            times = self.times
        usual = times.usual(now)
        if usual is not None and self.traits.one_at_a_time:
            usual *= self.load + 1
        return usual


class Health:
    """All sources, and the groups they stand by in."""

    def __init__(self) -> None:
        self._sources: dict[SourceId, SourceHealth] = {}
        self._groups: dict[str, StandbyGroup] = {}

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
        if traits.group:
            self._groups.setdefault(traits.group, StandbyGroup()).ready(source, traits.rank, now)

    def lost(self, source: SourceId) -> None:
        """A source cannot be asked any more."""
        if group := self.of(source).traits.group:
            self._groups[group].lost(source)

    def forget(self, source: SourceId) -> None:
        """A source will never be asked again."""
        health = self._sources.pop(source, None)
        if health and health.traits.group:
            self._groups[health.traits.group].forget(source)

    def stalled(self, source: SourceId, now: float) -> None:
        """A source is much later than usual."""
        if group := self.of(source).traits.group:
            self._groups[group].stalled(source, now)

    def place(self, card: Card, now: float) -> int:
        """0 for a card whose source serves; more for a standby."""
        group = self.of(card.source).traits.group
        return self._groups[group].place(card.source, now) if group else 0
