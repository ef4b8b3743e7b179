"""Decides what is worth an entry. Pure: fed with happenings, answers with entries."""

import math
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import Final

from cccamd.facts import Incident
from cccamd.ids import format_node_id
from cccamd.watch import (
    ClientLoggedIn,
    ClientLoggedOut,
    ClockSet,
    EcmFinished,
    FreezeBegan,
    FreezeEnded,
    Happening,
    IncidentBegan,
    IncidentEnded,
    IncidentGrew,
    LoginFailed,
    OperatorActed,
    RoundTripMeasured,
    ServiceReleased,
    ServiceSelected,
    SourceAnswered,
    SourceDown,
    SourceGone,
    SourceUp,
    Throttle,
    followed,
)
from cccamd.watch.journal.entries import (
    SOURCE_PERIOD,
    Entry,
    Kind,
    RoundTrips,
    Service,
    SourceWatch,
    Visit,
)
from cccamd.watch.journal.frozen import entry_of

WRITE_INTERVAL: Final = 60.0
"""Seconds after which a visit that goes on is written again: no more is lost with a kill."""
CLIENTS_LIMIT: Final = 20_000
SOURCES_LIMIT: Final = 1000
VISITS_LIMIT: Final = 32
"""Open visits of one client; a receiver has four tuners."""
TEXT_LIMIT: Final = 200
SUMS_INTERVAL: Final = 60.0
SUMMED_UP: Final = 600.0
"""Seconds. What somebody may cause as often as he likes is counted for so long, beyond the first
few: the journal has a size, and a flood must not push out everything else."""
STRANGERS: Final = 64
"""Accounts and addresses that are told apart when logins fail; strangers have any number."""
LOGINS: Final = 50
"""Of one account that are written one by one."""
CHANGES: Final = 600
"""Of services by one account that begin a visit."""


_ClientKey = tuple[str, int]
"""Its account, and which of the account's clients it is."""


@dataclass(slots=True)
class _Client:
    address: str = ""
    logged_in_at: float = 0.0
    is_told: bool = True
    """Whether its login was written, and its logout will be."""
    visits: dict[Service, Visit] = field(default_factory=dict)
    round_trips: RoundTrips = field(default_factory=RoundTrips)


class _Sources:
    """What sources do: their outages, and what they answered in each period."""

    def __init__(self) -> None:
        self._watches: dict[str, SourceWatch] = {}

    def observe(
        self, happening: SourceAnswered | SourceUp | SourceDown | SourceGone
    ) -> list[Entry]:
        """Take note; return what is to be written now."""
        name, at = happening.source, happening.at
        watch = self._watches.get(name)
        if watch is None:
            if len(self._watches) >= SOURCES_LIMIT or isinstance(happening, SourceGone):
                return []
            watch = self._watches[name] = SourceWatch(
                name=name, began_at=at, seen_at=at, written_at=at, is_up=False
            )
        match happening:
            case SourceAnswered():
                watch.add(happening)
                if watch.down_at is None:
                    watch.is_up = True  # a local card says nothing of being up
                return []
            case SourceUp():
                return self._up(watch, at)
            case SourceDown():
                return self._down(watch, happening)
            case SourceGone():
                watch.pass_time(at)
                del self._watches[name]
                return [watch.entry(), *watch.outage()]

    def advance(self, now: float) -> list[Entry]:
        """Sum up what is due."""
        entries: list[Entry] = []
        for name, watch in self._watches.items():
            # A clock that was set ends the period where it was looked at last: it was no longer.
            was_set = not 0 <= now - watch.seen_at < SOURCE_PERIOD
            begins_anew = was_set or now // SOURCE_PERIOD != watch.began_at // SOURCE_PERIOD
            if 0 <= now - watch.written_at < WRITE_INTERVAL and not begins_anew:
                continue
            if not was_set:
                watch.pass_time(now)
            watch.written_at = now
            entries += [watch.entry(), *watch.outage(is_over=was_set)]
            if begins_anew:
                self._watches[name] = watch.next_period(now, was_set=was_set)
        return entries

    def clock_was_set(self, now: float) -> list[Entry]:
        """Somebody set the clock, which shows `now`: all periods end as they were seen last."""
        entries: list[Entry] = []
        for name, watch in self._watches.items():
            entries += [watch.entry(), *watch.outage(is_over=True)]
            self._watches[name] = watch.next_period(now, was_set=True)
        return entries

    def _up(self, watch: SourceWatch, at: float) -> list[Entry]:
        watch.pass_time(at)
        outage = watch.outage(is_over=True)
        watch.is_up, watch.down_at, watch.why = True, None, ""
        return outage

    def _down(self, watch: SourceWatch, down: SourceDown) -> list[Entry]:
        watch.pass_time(down.at)
        if watch.down_at is not None:
            return []  # another attempt has failed
        watch.losses += watch.is_up
        watch.is_up, watch.down_at, watch.why = False, down.at, down.reason[:TEXT_LIMIT]
        return watch.outage()


class Scribe:
    """Knows who watches what, and turns it into entries."""

    def __init__(self) -> None:
        self._clients: OrderedDict[_ClientKey, _Client] = OrderedDict()
        self._refusals: Throttle[tuple[str, str]] = Throttle(
            others=("", "many addresses"), window=SUMMED_UP, keys=STRANGERS
        )
        self._logins: Throttle[str] = Throttle(others="", burst=LOGINS, window=SUMMED_UP)
        self._changes: Throttle[str] = Throttle(others="", burst=CHANGES, window=SUMMED_UP)
        self._summed_up_at = 0.0
        self._sources = _Sources()
        self._incidents: dict[int, Incident] = {}
        """Those that go on, as they began."""
        self._grew_at: dict[int, float] = {}
        """Those that have grown: when. What they were before is a line of its own, which ended."""
        self._incidents_written_at = 0.0

    def observe(self, happening: Happening) -> list[Entry]:
        """Take note; return what is to be written now."""
        match happening:
            case EcmFinished():
                return self._count(happening)
            case RoundTripMeasured(seconds=seconds, jitter=float(jitter)):
                key = happening.account, happening.client
                self._client(key).round_trips.add(seconds, jitter)
                return []
            case ClientLoggedIn():
                return self._log_in(happening)
            case ClientLoggedOut():
                return self._log_out(happening)
            case ServiceSelected():
                key = happening.account, happening.client
                self._client(key).address = happening.address
                return []
            case ServiceReleased():
                return self._release(happening)
            case LoginFailed():
                return self._refuse(happening)
            case OperatorActed():
                return [_action(happening)]
            case FreezeBegan() | FreezeEnded():
                return [entry_of(happening.freeze)]
            case SourceAnswered() | SourceUp() | SourceDown() | SourceGone():
                return self._sources.observe(happening)
            case IncidentBegan(incident=incident):
                self._incidents[incident.number] = incident
                return [self._incident(incident, happening.at)]
            case IncidentGrew():
                return self._grow(happening)
            case IncidentEnded(incident=incident):
                self._incidents.pop(incident.number, None)
                entry = self._incident(incident, happening.at)
                self._grew_at.pop(incident.number, None)
                return [entry]
            case ClockSet():
                return self._set_clock(happening)
            case _:
                return []

    def _set_clock(self, clock: ClockSet) -> list[Entry]:
        """What goes on ends by the old clock and goes on by the new one: no line of the journal is
        longer or shorter than it was."""
        entries = self._sources.clock_was_set(clock.at)
        for client in self._clients.values():
            entries += [visit.entry() for visit in client.visits.values()]
            client.visits.clear()
            client.logged_in_at = followed(client.logged_in_at, clock.step, clock.at)
        before = clock.at - clock.step
        entries += [_over(self._incident(each, before)) for each in self._incidents.values()]
        self._grew_at |= dict.fromkeys(self._incidents, clock.at)
        self._incidents_written_at = self._summed_up_at = clock.at
        return entries

    def advance(self, now: float) -> list[Entry]:
        """Return what is to be written because time has passed. Call it about once a second."""
        entries = [*self._sources.advance(now), *self._sums(now)]
        if not 0 <= now - self._incidents_written_at < WRITE_INTERVAL:
            self._incidents_written_at = now
            entries += [self._incident(incident, now) for incident in self._incidents.values()]
        return entries

    def _grow(self, grown: IncidentGrew) -> list[Entry]:
        """An incident is known under another cause, or in the place of others."""
        number, entries = grown.incident.number, []
        before = self._incidents.get(number)
        if before is not None and grown.is_renamed:
            entries.append(_over(self._incident(before, grown.at)))
            self._grew_at[number] = grown.at
        for part in grown.parts:
            absorbed = self._incidents.pop(part, None)
            if absorbed is not None:
                entries.append(_over(self._incident(absorbed, grown.at)))
            self._grew_at.pop(part, None)
        self._incidents[number] = grown.incident
        return [*entries, self._incident(grown.incident, grown.at)]

    def _incident(self, incident: Incident, now: float) -> Entry:
        began_at = self._grew_at.get(incident.number, incident.began_at)
        return _incident(replace(incident, began_at=began_at), now)

    def _client(self, key: _ClientKey) -> _Client:
        client = self._clients.get(key)
        if client is None:
            if len(self._clients) >= CLIENTS_LIMIT:
                self._clients.popitem(last=False)
            client = self._clients[key] = _Client()
        return client

    def _count(self, ecm: EcmFinished) -> list[Entry]:
        key = ecm.account, ecm.client
        client = self._clients.get(key) or self._client(key)
        service = ecm.caid, ecm.ident, ecm.sid
        visit = client.visits.get(service)
        if visit is not None and not visit.is_over(ecm.at - ecm.seconds):
            visit.add(ecm)
            if ecm.at - visit.written_at < WRITE_INTERVAL:
                return []
            visit.written_at = ecm.at
            return [visit.entry()]
        return self._change_channel(client, service, ecm)

    def _change_channel(self, client: _Client, service: Service, ecm: EcmFinished) -> list[Entry]:
        """Begin a visit; write where the others stand, some of which end here."""
        if not self._changes.admits(ecm.account, ecm.at):
            return []
        entries = [visit.entry() for visit in client.visits.values()]
        began_at = ecm.at - ecm.seconds
        client.visits = {
            other: visit
            for other, visit in client.visits.items()
            if other != service and not visit.is_over(began_at)
        }
        for visit in client.visits.values():
            visit.left, visit.written_at = True, ecm.at
        if len(client.visits) >= VISITS_LIMIT:
            del client.visits[next(iter(client.visits))]
        visit = client.visits[service] = Visit(
            account=ecm.account,
            address=client.address,
            service=service,
            began_at=began_at,
            heard_at=ecm.at,
            written_at=ecm.at,
        )
        visit.add(ecm)
        return [*entries, visit.entry()]

    def _log_in(self, login: ClientLoggedIn) -> list[Entry]:
        is_told = self._logins.admits(login.account, login.at)
        client = _Client(login.address, login.at, is_told=is_told)
        self._clients[login.account, login.client] = client
        if not is_told:
            return []
        text = f"version {login.version}" + (f" build {login.build}" if login.build else "")
        if login.revision is not None:
            text += f", {login.revision.value}"
        if login.node_id is not None:
            text += f", node id {format_node_id(login.node_id)}"
        return [
            Entry(
                at=login.at,
                kind=Kind.LOGIN,
                account=login.account,
                address=client.address,
                text=text[:TEXT_LIMIT],
            )
        ]

    def _log_out(self, logout: ClientLoggedOut) -> list[Entry]:
        client = self._clients.pop((logout.account, logout.client), _Client())
        entries = [visit.entry() for visit in client.visits.values()]
        if guess := client.round_trips.guess:
            entries.append(
                Entry(
                    at=client.logged_in_at or logout.at,
                    until=logout.at,
                    kind=Kind.LINK,
                    account=logout.account,
                    address=logout.address,
                    text=guess,
                )
            )
        return [*entries, _note(Kind.LOGOUT, logout)] if client.is_told else entries

    def _release(self, released: ServiceReleased) -> list[Entry]:
        client = self._clients.pop((released.account, released.client), _Client())
        return [visit.entry() for visit in client.visits.values()]

    def _refuse(self, failure: LoginFailed) -> list[Entry]:
        entries = self._sums(failure.at)
        if self._refusals.admits((failure.account, failure.address), failure.at):
            entries.append(_note(Kind.REFUSED, failure))
        return entries

    def _sums(self, now: float) -> list[Entry]:
        """Sum up those that were only counted."""
        if 0 <= now - self._summed_up_at < SUMS_INTERVAL:
            return []
        self._summed_up_at = now
        self._changes.ended(now)
        return self._summed_up(now, until=now)

    def finish(self, now: float) -> list[Entry]:
        """Return what was only counted by now: nobody counts on."""
        return self._summed_up(now, until=math.inf)

    def _summed_up(self, now: float, *, until: float) -> list[Entry]:
        return [
            *(_sum(Kind.REFUSED, now, *who, count) for who, count in self._refusals.ended(until)),
            *(_sum(Kind.LOGIN, now, who, "", count) for who, count in self._logins.ended(until)),
        ]


def _sum(kind: Kind, now: float, account: str, address: str, count: int) -> Entry:
    text = f"{count} more within ten minutes"
    return Entry(at=now, kind=kind, account=account, address=address, text=text)


def _note(kind: Kind, about: ClientLoggedOut | LoginFailed) -> Entry:
    return Entry(
        at=about.at,
        kind=kind,
        account=about.account,
        address=about.address,
        text=about.reason[:TEXT_LIMIT],
    )


def _action(acted: OperatorActed) -> Entry:
    return Entry(
        at=acted.at,
        kind=Kind.ACTION,
        account=acted.account,
        subject=acted.who,
        text=acted.what[:TEXT_LIMIT],
    )


def _incident(incident: Incident, now: float) -> Entry:
    """An incident as far as it got; one that goes on is written again and again, as visits are."""
    ended_at = incident.ended_at
    return Entry(
        at=incident.began_at,
        until=max(now, incident.began_at) if ended_at is None else ended_at,
        kind=Kind.INCIDENT,
        up=0.0 if ended_at is None else None,
        subject=incident.subject,
        number=incident.number,
        cause=incident.cause.value,
        suffering=incident.suffering,
        text=incident.text[:TEXT_LIMIT],
        evidence="\n".join(incident.evidence),
    )


def _over(entry: Entry) -> Entry:
    """A line that ends here: what it is about goes on as another."""
    return replace(entry, up=None)
