"""Decides what is worth an entry. Pure: fed with happenings, answers with entries."""

from dataclasses import dataclass, field
from typing import Final

from cccamd.ids import format_node_id
from cccamd.watch import (
    ClientLoggedIn,
    ClientLoggedOut,
    EcmFinished,
    FreezeEnded,
    Happening,
    LoginFailed,
    RoundTripMeasured,
    Throttle,
)
from cccamd.watch.journal.entries import Entry, Kind, RoundTrips, Service, Visit

WRITE_INTERVAL: Final = 60.0
"""Seconds after which a visit that goes on is written again: no more is lost with a kill."""
CLIENTS_LIMIT: Final = 20_000
VISITS_LIMIT: Final = 32
"""Open visits of one client; a receiver has four tuners."""
TEXT_LIMIT: Final = 200
REFUSALS_CHECK: Final = 60.0


@dataclass(slots=True)
class _Client:
    address: str = ""
    logged_in_at: float = 0.0
    visits: dict[Service, Visit] = field(default_factory=dict)
    round_trips: RoundTrips = field(default_factory=RoundTrips)


class Scribe:
    """Knows who watches what, and turns it into entries."""

    def __init__(self) -> None:
        self._clients: dict[str, _Client] = {}
        self._refusals = Throttle(others=("", "many addresses"))
        self._refusals_checked_at = 0.0

    def observe(self, happening: Happening) -> list[Entry]:
        """Take note; return what is to be written now."""
        match happening:
            case EcmFinished():
                return self._count(happening)
            case RoundTripMeasured(account=account, seconds=seconds, jitter=float(jitter)):
                self._client(account).round_trips.add(seconds, jitter)
                return []
            case ClientLoggedIn():
                return self._log_in(happening)
            case ClientLoggedOut():
                return self._log_out(happening)
            case LoginFailed():
                return self._refuse(happening)
            case FreezeEnded():
                return [_freeze(happening)]
            case _:
                return []

    def _client(self, account: str) -> _Client:
        client = self._clients.get(account)
        if client is None:
            if len(self._clients) >= CLIENTS_LIMIT:
                del self._clients[next(iter(self._clients))]
            client = self._clients[account] = _Client()
        return client

    def _count(self, ecm: EcmFinished) -> list[Entry]:
        client = self._clients.get(ecm.account) or self._client(ecm.account)
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
        client = self._clients[login.account] = _Client(login.address, login.at)
        text = f"version {login.version} build {login.build}"
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
        client = self._clients.pop(logout.account, _Client())
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
        return [*entries, _note(Kind.LOGOUT, logout)]

    def _refuse(self, failure: LoginFailed) -> list[Entry]:
        entries = self._sums(failure.at)
        if self._refusals.admits((failure.account, failure.address), failure.at):
            entries.append(_note(Kind.REFUSED, failure))
        return entries

    def _sums(self, now: float) -> list[Entry]:
        """Sum up those that were only counted: a flood must not push out everything else."""
        if now - self._refusals_checked_at < REFUSALS_CHECK:
            return []
        self._refusals_checked_at = now
        return [
            Entry(
                at=now,
                kind=Kind.REFUSED,
                account=account,
                address=address,
                text=f"{count} more within a minute",
            )
            for (account, address), count in self._refusals.ended(now)
        ]


def _note(kind: Kind, about: ClientLoggedOut | LoginFailed) -> Entry:
    return Entry(
        at=about.at,
        kind=kind,
        account=about.account,
        address=about.address,
        text=about.reason[:TEXT_LIMIT],
    )


def _freeze(freeze: FreezeEnded) -> Entry:
    return Entry(
        at=freeze.began_at,
        until=freeze.at,
        kind=Kind.FREEZE,
        account=freeze.account,
        caid=freeze.caid,
        ident=freeze.ident,
        sid=freeze.sid,
        source=freeze.source,
        text=freeze.cause[:TEXT_LIMIT],
    )
