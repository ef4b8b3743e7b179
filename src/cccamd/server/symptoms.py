"""Looks every second or two for what is wrong, and keeps the list of incidents true.

It only reads what others know: the judges are in `cccamd.why`, the list in `cccamd.watch`.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from cccamd.cards import EVERYTHING, Grant, SourceId
from cccamd.facts import OVERLOADED_SECONDS, ConfigState, EcmResult, Incident, SourceStatus
from cccamd.net import in_slices
from cccamd.server.loadwatch import LoadWatch
from cccamd.server.observers import Observers
from cccamd.server.record import ClientRecord
from cccamd.server.sessioncontext import SessionContext
from cccamd.server.snapshot import named
from cccamd.server.watching import Watchers
from cccamd.setup.logins import Accesses, accesses_of
from cccamd.setup.setup import Setup
from cccamd.watch import Happening, IncidentBegan, IncidentEnded, IncidentGrew, Incidents, Throttle
from cccamd.why import MachineTrouble, Receiver, Scene, Together, find_symptoms
from cccamd.wire.link import Peer
from cccamd.wording import lasted

if TYPE_CHECKING:
    from cccamd.server.fleetdesk import FleetDesk

log = logging.getLogger("cccamd.incident")

LOOK_INTERVAL: Final = 2.0
"""Seconds."""
PAUSES_TOLD: Final = 60.0
"""Seconds for which a pause of our loop is what is wrong now."""
LATELY: Final = 30.0
"""Seconds for which a refused request says how a receiver fares: two or three crypto periods."""


class Asking(Protocol):
    """Who asks ECMs: a client, or one of the services of a client that wants many clear."""

    @property
    def record(self) -> ClientRecord:
        """What it did."""

    @property
    def told(self) -> Collection[object]:
        """The cards that it may use."""

    @property
    def peer(self) -> Peer | None:
        """Who it says it is; None before it has said so."""

    @property
    def ended(self) -> bool:
        """Whether it is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What is looked at."""

    context: SessionContext
    sources: Callable[[], Generator[None, None, Mapping[SourceId, SourceStatus]]]
    """Describes them step by step."""
    setup: Callable[[], Setup]
    files: Callable[[], ConfigState]
    machine: Callable[[], tuple[MachineTrouble, ...]]
    watchers: Watchers
    services: Callable[[], Iterable[Asking]]
    """What dvbapi clients want clear."""
    together: Together
    """Finds which sources fail as one."""
    fleet: "FleetDesk | None" = None


class Lookout:
    """Looks, keeps incidents, and tells what is news: to the log, and to all that watch."""

    def __init__(self, around: Surroundings, observers: Observers) -> None:
        self._around = around
        self._observers = observers
        self._incidents = Incidents()
        self._load = LoadWatch(around.context.fair)
        self._throttle = Throttle(others="incidents of many other kinds")
        self._rights = _Rights()

    def incidents(self) -> tuple[Incident, ...]:
        """What is wrong, by how many suffer; then what was wrong, the newest first."""
        return self._incidents.report()

    def clock_was_set(self, step: float, now: float) -> None:
        """The wall clock was set by so many seconds, and shows `now`."""
        self._incidents.clock_was_set(step, now)

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_INTERVAL)
            try:
                await self.look()
            except Exception as error:  # one look that fails is not the end of looking
                self._around.context.on_failure("looking for what is wrong", error)

    async def look(self) -> None:
        """Look once."""
        scene, together = await self._scene(), self._around.together
        # A thread: the scene holds no live object, and hundreds of links take a while to judge.
        found = await asyncio.to_thread(lambda: tuple(find_symptoms(scene, together)))
        for happening in self._incidents.update(found, scene.at):
            self._observers.tell(happening)
            self._log(happening)
        for kind, count in self._throttle.ended(scene.at):
            log.warning("%s: %d more within a minute", kind, count)

    async def _scene(self) -> Scene:
        around, context = self._around, self._around.context
        around.watchers.look_at_clocks()
        if self._rights.setup is not around.setup():
            # A thread: thousands of lines take a while.
            self._rights = await asyncio.to_thread(_Rights.of, around.setup())
        receivers = await in_slices(self._receivers())
        sources = await in_slices(around.sources())
        load = await in_slices(self._load.looking(asyncio.get_running_loop().time()))
        frozen = await in_slices(around.watchers.opening_freezes())
        now, names = self._observers.now(), around.setup().companions.channels
        return Scene(
            at=now,
            config=around.setup().config,
            sources=tuple(sources.values()),
            receivers=receivers,
            frozen=tuple(named(freeze, names) for freeze in frozen),
            findings=tuple(named(found, names) for found in around.watchers.receivers()),
            files=around.files(),
            machine=around.machine(),
            doors=context.records.door_log.shut,
            load=load,
            pauses=around.watchers.heartbeat.pulse.lately(now, PAUSES_TOLD),
            double_logins=context.double_logins.lately(now),
            clones=context.clones.clones(),
            loops=context.exchange.loops(),
            accesses=self._rights.accesses,
            fleet=around.fleet.describe() if around.fleet is not None else None,
        )

    def _receivers(self) -> Generator[None, None, tuple[Receiver, ...]]:
        """Those that may be in trouble; each is a step."""
        found: list[Receiver] = []
        viewers: list[Asking] = [*self._around.context.seats, *self._around.services()]
        for session in viewers:
            receiver = _receiver(session, self._observers.now(), self._rights)
            if receiver is not None:
                found.append(receiver)
            yield
        return tuple(found)

    def _log(self, happening: Happening) -> None:
        match happening:
            case IncidentBegan(incident=incident):
                if self._throttle.admits(incident.cause.value, happening.at):
                    words = describe(incident)
                    log.warning("%s", f"{words}; {incident.change}" if incident.change else words)
            case IncidentGrew(incident=incident):
                if self._throttle.admits(incident.cause.value, happening.at):
                    log.warning("now %s", describe(incident))
            case IncidentEnded(incident=incident):
                if self._throttle.admits(incident.cause.value, happening.at):
                    seconds = (incident.ended_at or happening.at) - incident.began_at
                    long = lasted(seconds, incident.times)
                    log.info("%s: over after %s", describe(incident), long)


def describe(incident: Incident) -> str:
    """An incident as one line: `a.example:12000 is down: ... (3 accounts suffer)`."""
    whom = incident.suffering
    suffer = f" ({whom} account{'s' if whom > 1 else ''} in trouble for it)" if whom else ""
    return f"{incident.cause.value}: {incident.subject} {incident.text}{suffer}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rights:
    """What the files say of who may have what, looked up once."""

    setup: Setup | None = None
    grants: Mapping[str, Grant] = field(default_factory=dict)
    """By account."""
    accesses: Accesses = field(default_factory=dict)

    @classmethod
    def of(cls, setup: Setup) -> "_Rights":
        """Those of a setup."""
        return cls(
            setup=setup,
            grants={line.user: line.grant for line in setup.config.f_lines},
            accesses=accesses_of(setup.config, setup.toml),
        )


def _receiver(session: Asking, now: float, rights: _Rights) -> Receiver | None:
    usage, cards = session.record.usage, len(session.told)
    refused = usage.last_result not in (None, EcmResult.CW)
    late = (usage.last_seconds or 0.0) >= OVERLOADED_SECONDS
    unserved = (refused or late) and 0 <= now - usage.heard_at < LATELY
    if (cards and not unserved) or session.ended or session.peer is None:
        return None
    return Receiver(
        account=session.record.user,
        connected_at=usage.connected_at,
        cards=cards,
        unserved=unserved,
        served_by=usage.served_by,
        grant=rights.grants.get(session.record.user, EVERYTHING),
    )
