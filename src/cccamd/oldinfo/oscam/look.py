"""A server as OSCam's API shows it: clients, readers and their numbers, in neither XML nor JSON.

Source: docs/oscamapi.md sections 2 to 5.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b, md5
from typing import Final

from cccamd.facts import (
    DVBAPI,
    AnswerReport,
    AnswerTime,
    ClientStatus,
    LinkState,
    ServiceId,
    Snapshot,
    SourceKind,
    SourceStatus,
    is_active,
)
from cccamd.ids import Caid, Ident, format_caid, format_ident, format_sid
from cccamd.oldinfo.words import printable
from cccamd.values import Outcome

UNKNOWN: Final = "unknown"
"""A channel, a provider or a CA system without a name."""
NOWHERE: Final = "0.0.0.0"
"""The address of what has none."""
SERVER: Final = "cccamd"
_HERE: Final = "127.0.0.1"
_NO_CHANNEL: Final = ("0000", "000000", "0000")
_STATES: Final = {
    LinkState.CONNECTING: "NEEDINIT",
    LinkState.LOGGING_IN: "NEEDINIT",
    LinkState.UP: "CONNECTED",
    LinkState.WAITING: "ERROR",
    LinkState.NOT_RUNNING: "OFF",
}
_TIMEOUTS: Final = frozenset({Outcome.NO_ANSWER, Outcome.LOST, Outcome.SILENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiLook:
    """What is shown: one moment of a server, how its last ECMs went, and the names of providers."""

    snapshot: Snapshot
    answers: AnswerReport
    provider_name: Callable[[Caid, Ident], str | None]
    log: Sequence[str] = ()
    """The last lines of the log, the oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One `client` of the part `status`: the server itself, who asks, a reader or a client."""

    type: str
    """s, h, r, p or c (docs/oscamapi.md section 3)."""
    name: str
    protocol: str
    program: str = ""
    au: str = "0"
    thid: str
    channel: tuple[str, str, str] = _NO_CHANNEL
    """CAID, provider and SID in hex digits."""
    title: str | None = None
    """The channel's name, perhaps after its provider's; None where none can be watched."""
    ecm_time: str = ""
    """Milliseconds."""
    last: tuple[AnswerTime, ...] = ()
    answered: str = ""
    login_at: float
    online: int
    idle: int
    address: str = _HERE
    port: str = "0"
    state: str = "OK"
    cards: Mapping[int, int] = field(default_factory=dict)
    """Of a reader, by hop."""
    reshares: tuple[int, ...] = ()

    @property
    def is_reader(self) -> bool:
        """Whether it is a source of ours."""
        return self.type in ("r", "p")

    @property
    def is_up(self) -> bool:
        """Whether it can be asked."""
        return self.state in ("CONNECTED", "CARDOK")


def rows(look: ApiLook) -> Iterator[Row]:
    """All there are: the server, the page, readers, clients."""
    snapshot = look.snapshot
    for kind, protocol in (("s", "server"), ("h", "http")):
        yield Row(
            type=kind,
            name=SERVER,
            protocol=protocol,
            thid=_thid(kind),
            login_at=snapshot.started_at,
            online=seconds(snapshot.at - snapshot.started_at),
            idle=0,
        )
    watched, reshares = _watched(snapshot), _reshares(snapshot)
    for source in snapshot.sources:
        row = _reader(source, watched.get(source.name), look)
        yield replace(row, reshares=tuple(reshares.get(source.name, ())))
    for client in snapshot.clients:
        yield _client(client, look)


def _reader(source: SourceStatus, client: ClientStatus | None, look: ApiLook) -> Row:
    """`client`: the last whose ECM it answered; that says what it works on."""
    snapshot = look.snapshot
    since = snapshot.started_at if source.up_at is None else source.up_at
    address, port = place(source)
    service = client.service if client is not None else None
    heard_at = client.heard_at if client is not None else since
    return Row(
        type=reader_type(source),
        name=source.name,
        protocol=reader_protocol(source),
        program="" if source.kind is SourceKind.LOCAL else source.program,
        au="-1",
        thid=_thid("reader", source.name),
        channel=_numbers(service),
        title=title(service, look),
        ecm_time=_milliseconds(client.last_seconds) if client is not None else "",
        last=look.answers.sources.get(source.name, ()),
        login_at=since,
        online=0 if source.up_at is None else seconds(snapshot.at - since),
        idle=seconds(snapshot.at - heard_at),
        address=address,
        port=port,
        state=state(source),
        cards=source.cards_by_hop,
    )


def _client(client: ClientStatus, look: ApiLook) -> Row:
    at = look.snapshot.at
    return Row(
        type="c",
        name=client.account,
        protocol=client_protocol(client),
        program=client.program,
        au="-1" if client.emms_passed else "0",
        thid=_thid("client", client.account, client.address, str(client.port)),
        channel=_numbers(client.service),
        title=title(client.service, look),
        ecm_time=_milliseconds(client.last_seconds),
        last=look.answers.accounts.get(client.account, ()),
        answered=client.last_source,
        login_at=client.connected_at,
        online=seconds(at - client.connected_at),
        idle=seconds(at - client.heard_at),
        address=client.address,
        port=str(client.port),
    )


def _watched(snapshot: Snapshot) -> dict[str, ClientStatus]:
    """The client that each source answered last, as far as is known."""
    by_age = sorted(snapshot.clients, key=lambda client: client.heard_at)
    return {client.last_source: client for client in by_age if client.last_source}


def _reshares(snapshot: Snapshot) -> Mapping[str, Sequence[int]]:
    """How far the cards of each source may go on."""
    found: dict[str, list[int]] = {}
    for card in snapshot.cards:
        found.setdefault(card.source, []).append(card.reshare)
    return found


# Words.


def reader_type(source: SourceStatus) -> str:
    """Say what it is: a card of ours, or a server elsewhere."""
    return "r" if source.kind is SourceKind.LOCAL else "p"


def reader_protocol(source: SourceStatus) -> str:
    """Name how it is asked; what looks for `cccam` finds it."""
    if source.kind is SourceKind.LOCAL:
        return "constcw" if source.program == "fixed" else printable(source.program) or "local"
    if source.kind is SourceKind.NEWCAMD:
        return "newcamd"
    return _cccam(source)


def client_protocol(client: ClientStatus) -> str:
    """Name what it speaks."""
    if client.version.startswith(DVBAPI):
        return "dvbapi"
    return "newcamd" if client.revision is None else _cccam(client)


def _cccam(peer: ClientStatus | SourceStatus) -> str:
    name = "cccam_ext" if peer.extended else "cccam"
    version = "-".join(filter(None, (peer.version, peer.build)))
    return f"{name} ({version})" if version else name


def state(source: SourceStatus) -> str:
    """Say how a reader does, in OSCam's words."""
    up = source.state is LinkState.UP
    return "CARDOK" if up and source.kind is SourceKind.LOCAL else _STATES[source.state]


def place(source: SourceStatus) -> tuple[str, str]:
    """Say where a reader is: host or address, and port."""
    if source.kind is SourceKind.LOCAL:
        return NOWHERE, "0"
    host, _, port = source.name.rpartition(":")
    return source.address or host.strip("[]") or NOWHERE, port if port.isdecimal() else "0"


def title(service: ServiceId | None, look: ApiLook) -> str:
    """Name a channel. Readers take what is behind the first colon, so one in the name itself
    needs another before it."""
    if service is None or not service.name:
        return UNKNOWN
    provider = look.provider_name(service.caid, service.ident) or ""
    if provider or ":" in service.name:
        before = provider.replace(":", " ").strip() or format_caid(service.caid)
        return f"{before}: {service.name}"
    return service.name


def last_channel(service: ServiceId | None) -> str:
    """Name a channel by its numbers, and its name."""
    if service is None:
        return ""
    numbers = f"{format_caid(service.caid)}@{format_ident(service.ident)}"
    return f"{numbers}:{format_sid(service.sid)} {service.name or UNKNOWN}"


def _numbers(service: ServiceId | None) -> tuple[str, str, str]:
    if service is None:
        return _NO_CHANNEL
    return format_caid(service.caid), format_ident(service.ident), format_sid(service.sid)


def result(outcome: Outcome) -> tuple[int, str]:
    """OSCam's number and word for how an ECM went."""
    if outcome is Outcome.ANSWERED:
        return 0, "found"
    return (5, "timeout") if outcome in _TIMEOUTS else (4, "not found")


def md5_of(name: str) -> str:
    """The id by which the JSON of OSCam names accounts and readers."""
    digest = md5(name.encode(errors="replace"), usedforsecurity=False)
    return f"id_{digest.hexdigest()}"


def _thid(*what: str) -> str:
    """An id that stays the same from one look to the next."""
    digest = blake2b("\n".join(what).encode(errors="replace"), digest_size=6)
    return f"id_0x{digest.hexdigest()}"


# Numbers and times.


def seconds(span: float) -> int:
    """Whole seconds, never below 0."""
    return max(0, int(span))


def milliseconds(span: float) -> int:
    """Whole milliseconds; what took any time at all took one."""
    return max(1, round(span * 1000))


def _milliseconds(span: float | None) -> str:
    return "" if span is None else str(milliseconds(span))


def moment(at: float) -> str:
    """A time as `2026-11-25T16:31:18+0000`."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(at))


def percent(part: int, whole: int) -> str:
    """A part of a whole: `97.22`; of nothing it is none."""
    return f"{100 * part / whole if whole else 0:.2f}"


# Accounts and sums.


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One account, of which one or several clients are on, or none."""

    name: str
    status: str
    client: ClientStatus | None
    """The one that asked last."""
    asked: int
    answered: int
    emms: int
    seconds_per_cw: float
    idle: int
    logins: int

    @property
    def refused(self) -> int:
        """How many ECMs got no CW."""
        return self.asked - self.answered


def users(snapshot: Snapshot) -> Iterator[User]:
    """All accounts in their order."""
    on: dict[str, list[ClientStatus]] = {name: [] for name in snapshot.accounts}
    for client in snapshot.clients:
        on.setdefault(client.account, []).append(client)
    for name, clients in on.items():
        last = max(clients, key=lambda client: client.heard_at, default=None)
        answered = sum(client.ecms_answered for client in clients)
        online = sum(seconds(snapshot.at - client.connected_at) for client in clients)
        active = any(is_active(client, snapshot.at) for client in clients)
        yield User(
            name=name,
            status="online" if active else "connected" if clients else "offline",
            client=last,
            asked=sum(client.ecms_asked - client.pending for client in clients),
            answered=answered,
            emms=sum(client.emms_passed for client in clients),
            seconds_per_cw=online / answered if answered else 0.0,
            idle=seconds(snapshot.at - last.heard_at) if last is not None else 0,
            logins=len(clients),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """All accounts and all readers together."""

    users: int
    active: int
    connected: int
    cw_ok: int
    cw_not: int
    emms: int
    readers: int
    readers_up: int
    readers_ok: int
    readers_not: int


def sums(snapshot: Snapshot) -> Sums:
    """Add up."""
    everybody = list(users(snapshot))
    return Sums(
        users=len(everybody),
        active=sum(user.status == "online" for user in everybody),
        connected=sum(user.client is not None for user in everybody),
        cw_ok=sum(user.answered for user in everybody),
        cw_not=sum(user.refused for user in everybody),
        emms=sum(user.emms for user in everybody),
        readers=len(snapshot.sources),
        readers_up=sum(source.up_at is not None for source in snapshot.sources),
        readers_ok=sum(source.answered for source in snapshot.sources),
        readers_not=sum(source.asked - source.answered for source in snapshot.sources),
    )


def find_reader(snapshot: Snapshot, label: str) -> SourceStatus | None:
    """Find a reader by the label that it is shown with."""
    return next((one for one in snapshot.sources if printable(one.name) == label), None)
