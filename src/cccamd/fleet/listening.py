"""Which services a node listens to, and how long others usually take for their CWs."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from cccamd.fleet.actions import Unwatch, Watch
from cccamd.routing import AnswerTimes
from cccamd.values import Service

WATCHED_LIFE = 120.0
"""Seconds after the last question for a service for which its channel is listened to."""
SERVICES_LIMIT = 2000
"""A bound for memory: the service that was asked for longest ago is listened to no more."""
ENOUGH = 20
"""Of fewer CWs nobody can tell within which time 95 of 100 come: then it is no less than what our
own card usually takes."""


@dataclass(slots=True, eq=False)
class _Watched:
    """A service that is asked for here."""

    service: Service
    channel: bytes
    since: float
    asked_at: float
    waits: AnswerTimes = field(default_factory=AnswerTimes)
    """How long others took from their claims to their CWs."""


class Listening:
    """Times are seconds, monotonic."""

    def __init__(self, name: Callable[..., bytes]) -> None:
        """`name`: names channels, as `Seals.name` does."""
        self._name = name
        self._services: OrderedDict[Service, _Watched] = OrderedDict()
        self._channels: dict[bytes, _Watched] = {}

    def __len__(self) -> int:
        return len(self._services)

    def want(self, service: Service, now: float) -> list[Watch | Unwatch]:
        """A service is asked for: what to do so that its CWs are heard, if anything."""
        services = self._services
        watched = services.get(service)
        if watched is not None:
            watched.asked_at = now
            services.move_to_end(service)
            return []
        watched = services[service] = _Watched(service, self.channel(service), now, now)
        self._channels[watched.channel] = watched
        actions: list[Watch | Unwatch] = []
        while oldest := next(iter(services.values())):
            if len(services) <= SERVICES_LIMIT and now < oldest.asked_at + WATCHED_LIFE:
                break
            del services[oldest.service], self._channels[oldest.channel]
            actions.append(Unwatch(oldest.channel))
        return [*actions, Watch(watched.channel)]

    def channel(self, service: Service) -> bytes:
        """Where the CWs of a service are told."""
        if watched := self._services.get(service):
            return watched.channel
        caid, ident, sid = service
        plain = caid.to_bytes(2) + ident.to_bytes(4) + sid.to_bytes(2)
        return self._name("service", plain)

    def service_of(self, channel: bytes) -> Service | None:
        """Whose channel it is; None: of none that is listened to."""
        watched = self._channels.get(channel)
        return watched.service if watched is not None else None

    def since(self, service: Service) -> float | None:
        """Since when it is listened to; None: it is not."""
        watched = self._services.get(service)
        return watched.since if watched is not None else None

    def took(self, service: Service, seconds: float, now: float) -> None:
        """A CW of another node came so long after that node's claim."""
        if watched := self._services.get(service):
            watched.waits.add(seconds, now)

    def usual(self, service: Service, own: float, now: float) -> float:
        """Within which time a CW of another node usually comes; `own`: what our card takes."""
        watched = self._services.get(service)
        usual = watched.waits.usual(now) if watched is not None else None
        if usual is None or watched is None or len(watched.waits) < ENOUGH:
            return max(usual or 0.0, own)
        return usual
