"""Clients, sources and cards at one moment, and the server that has them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final

from cccamd.facts.declaring import (
    BlankIfNone,
    CaidFact,
    Fact,
    IdentFact,
    Metric,
    NodeIdFact,
    ShareIdFact,
    SidFact,
)
from cccamd.facts.fleet import FleetStatus
from cccamd.facts.words import (
    ACTIVE_SECONDS,
    ConfigProblemKind,
    Door,
    EcmResult,
    LinkState,
    PenaltyKind,
    Revision,
    SourceKind,
    Step,
)


@dataclass(frozen=True, slots=True)
class ServiceId(Fact):
    """A channel; its name is from CCcam.channelinfo."""

    caid: CaidFact
    ident: IdentFact
    sid: SidFact
    name: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareUse(Fact):
    """How often one CAID and provider was asked for, and answered with a CW."""

    local: bool
    """Answered by a card of ours; else by one of an upstream."""
    caid: CaidFact
    ident: IdentFact
    asked: int
    answered: int


DVBAPI: Final = "dvbapi "
"""How the version of a client begins that speaks dvbapi."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DescrambledService(ServiceId):
    """A service that a client wants clear which shows many at once, over dvbapi."""

    adapter: int
    """The client's number of its receiver."""
    ecm_pid: int
    """Where the ECMs come from that are asked; 0: no card may open any of them."""
    ecms_asked: int
    ecms_answered: int
    """With a CW."""
    last_result: Annotated[EcmResult | None, BlankIfNone(EcmResult)]
    """CW, NOK1, NOK2 or empty."""
    last_source: str
    last_seconds: float | None
    """From its last ECM to the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientStatus(Fact):
    """One client that is logged in."""

    account: str
    line: int
    """Its F-line in the configuration."""
    address: str
    port: int
    version: str
    build: str
    revision: Annotated[Revision | None, BlankIfNone(Revision)]
    """Of the CCcam protocol; empty for others."""
    extended: bool
    program: str
    """What it calls itself in its partner text; empty without one."""
    node_id: NodeIdFact | None
    """null for a client whose protocol knows no such thing."""
    connected_at: float
    heard_at: float
    """When it last asked for something."""
    ecms_asked: int
    ecms_answered: int
    """With a CW."""
    emms_sent: int
    emms_passed: int
    pending: Annotated[
        int, Metric("cccamd_requests_pending", "ECMs of clients without an answer yet.")
    ]
    """ECMs without an answer yet."""
    cards: int
    """How many cards it was told of."""
    service: ServiceId | None
    """What it watches."""
    last_result: Annotated[EcmResult | None, BlankIfNone(EcmResult)]
    """CW, NOK1, NOK2 or empty."""
    last_source: str
    last_seconds: float | None
    """From its last ECM to our answer."""
    uses: tuple[ShareUse, ...]
    paired: str = ""
    """The paired server that it has proved to be, by TLS; empty: its link is not protected."""
    descrambling: Annotated[
        int, Metric("cccamd_services_descrambled", "Services that dvbapi clients want clear.")
    ] = 0
    """How many services it wants clear at once; 0 for clients that only ask ECMs."""
    services: tuple[DescrambledService, ...] = ()
    """These services."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastMinute(Fact):
    """What came of the ECMs that a source was asked, as far as it came within the last minute."""

    answered: int = 0
    """With a right CW."""
    slow: int = 0
    """Of these: took longer than a second."""
    late: int = 0
    """Of these: came when those who asked had been refused already."""
    cannot_decode: int = 0
    """It says that it cannot decode the service."""
    refused: int = 0
    """It refused for now, or asks to be left alone."""
    no_answer: int = 0
    """It did not answer in time."""
    zero: int = 0
    """All-zero CWs."""
    checksum: int = 0
    """CWs with wrong checksum bytes."""
    repeated: int = 0
    """CWs of the period before."""
    lost: int = 0
    """Its link was lost, or the card was taken back, before it answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus(Fact):
    """One upstream link or one local card; what is not said of it is nothing yet."""

    name: str
    """host:port as in the C-line, or the name of the card."""
    kind: SourceKind
    line: int
    """Its C-line; 0 for a local card."""
    state: LinkState
    up_at: float | None = None
    """Since when it can be asked; null: it cannot."""
    next_attempt_at: float | None = None
    down_since: float | None = None
    """Since when it cannot be asked; null: it can."""
    last_failure: str = ""
    """Why the last login or attempt ended; empty: none has ended yet."""
    failed_step: Annotated[Step | None, BlankIfNone(Step)] = None
    """Of `last_failure`: how far it got and what failed."""
    address: str = ""
    version: str = ""
    build: str = ""
    revision: Annotated[Revision | None, BlankIfNone(Revision)] = None
    """Of the CCcam protocol; empty for others."""
    extended: bool = False
    program: str = ""
    """What it calls itself in its partner text; of a local card, its kind."""
    node_id: NodeIdFact | None = None
    in_flight: Annotated[int, Metric("cccamd_source_requests_in_flight", "ECMs it works on.")] = 0
    """ECMs that it works on."""
    cards: Annotated[int, Metric("cccamd_source_cards", "Cards from it.")] = 0
    cards_by_hop: Mapping[int, int] = field(default_factory=dict)
    """Number of cards by distance from us."""
    cards_rejected: int = 0
    """Cards of its list that we do not take."""
    asked: int = 0
    answered: int = 0
    """With a CW."""
    silent_since: float | None = None
    """Since when it answers nothing of what it is asked, though it is up; null: it does answer, or
    is asked nothing. It is asked about every five seconds then, and nobody else waits for it."""
    last_minute: LastMinute = LastMinute()
    usual_seconds: float | None = None
    """The time within which nearly all its last answers came, or were given up: what the router
    goes by. null: it was asked nothing for five minutes."""
    uses: tuple[ShareUse, ...] = ()
    group: str = ""
    """The standby group it belongs to, or empty."""
    rank: int = 0
    """Its place in the group: the lowest serves."""
    paired: str = ""
    """The paired server that it has to prove to be, by TLS; empty: its link is not protected."""
    tls_port: int | None = None
    """The port that is called then; null: that of `name`."""
    shared_advice: str = ""
    """It fails together with others, for what leads to all of them, and this is what to do about
    that; empty: it is well, or its trouble is its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardStatus(Fact):
    """One way to one card."""

    source: str
    share_id: ShareIdFact
    """At its source."""
    own_share_id: ShareIdFact
    """At us."""
    caid: CaidFact
    idents: tuple[IdentFact, ...]
    hop: int
    reshare: int
    path: tuple[NodeIdFact, ...]
    """Nodes from its origin to the source."""
    assigned_sids: tuple[SidFact, ...]
    rejected_sids: tuple[SidFact, ...]
    seen_by: tuple[str, ...]
    """Accounts, logged in now, that were told of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubleLogin(Fact):
    """A login with the right password that was refused: its account was in use."""

    account: str
    address: str
    """Where it came from."""
    holders: tuple[str, ...]
    """Addresses of those who were logged in, and gave a sign of life."""
    first_at: float
    last_at: float
    times: int
    """How often it was refused since `first_at`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clone(Fact):
    """A node id that more than one program has now: one was copied from the other."""

    node_id: NodeIdFact
    own: bool
    """It is the node id of this server."""
    accounts: tuple[str, ...]
    """Clients that have it."""
    sources: tuple[str, ...]
    """Upstreams that have it."""
    addresses: tuple[str, ...]
    """Where they all are; those at one address may also be one program that logs in twice."""
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Penalty(Fact):
    """What somebody bears for failed logins: the brake on guessing. It ends by itself."""

    who: str
    """An address, a network, or a user name."""
    kind: PenaltyKind
    """Whether it is let in at all."""
    doors: tuple[Door, ...]
    """Where its logins failed; a ban holds for all doors."""
    user: str
    """The name that was tried last."""
    tries: int
    """Failed logins so far, as long as they are not forgotten."""
    bans: int
    """The how manieth ban it is, or how many there were; each is twice as long."""
    last_at: float
    """When the last of these logins failed; of a ban of before a restart, the restart."""
    until: float
    """When it is over, if nothing more happens."""
    wait_seconds: float
    """What the next login has to wait; 0 when nobody is let in at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus(Fact):
    """The server itself."""

    at: float
    """The moment that all this is about."""
    started_at: Annotated[float, Metric("cccamd_start_time_seconds", "Start, seconds since 1970.")]
    program: str
    node_id: NodeIdFact
    config_path: str
    accounts: Annotated[tuple[str, ...], Metric("cccamd_accounts", "F-lines in use.")]
    """All accounts, logged in or not."""
    ecms_total: int
    emms_total: int
    logins_failed: int
    connections_refused: Annotated[
        int, Metric("cccamd_connections_refused", "Connections closed unheard.", grows=True)
    ]
    """Connections that were closed before their first byte."""
    pending_logins: Annotated[int, Metric("cccamd_logins_pending", "Connections before login.")]
    """Connections that have not logged in yet."""
    peak_pending: int
    """Most ECMs of one client that were ever open at once."""
    double_logins: Annotated[
        tuple[DoubleLogin, ...],
        Metric("cccamd_double_logins", "Logins refused lately: their account was in use."),
    ] = ()
    """Logins of the last ten minutes that were refused because their account was in use."""
    clones: Annotated[
        tuple[Clone, ...], Metric("cccamd_clones", "Node ids that several programs have.")
    ] = ()
    """Node ids that several programs have now."""
    banned: Annotated[
        int, Metric("cccamd_bans", "Addresses and networks banned now for failed logins.")
    ] = 0
    """How many addresses and networks are banned for failed logins."""
    slowed: Annotated[
        int, Metric("cccamd_logins_slowed", "Addresses and names whose logins wait now.")
    ] = 0
    """How many addresses and names have to wait with their logins for those that failed."""
    penalties: tuple[Penalty, ...] = ()
    """Who they are: bans first, of each kind the latest first; at most 100."""
    workers: Annotated[int, Metric("cccamd_workers", "Processes that hold connections.")] = 0
    """Processes that hold the connections of CCcam clients; 0: the server does that itself."""
    workers_away: Annotated[
        int, Metric("cccamd_workers_away", "Workers that do not run at the moment.")
    ] = 0
    """How many of them do not run at the moment."""
    workers_restarted: Annotated[
        int, Metric("cccamd_workers_restarted", "Workers started again.", grows=True)
    ] = 0
    """How often one of them had to be started again."""
    fleet: FleetStatus | None = None
    """The fleet of which this server is a node; null: it is alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigProblem(Fact):
    """One place in the files that is not as it should be. No text holds a secret."""

    kind: ConfigProblemKind
    file: str
    line: int | None
    """null: the file as a whole, or a setting that no longer stands there."""
    text: str
    """A sentence; it does not name the place once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigState(Fact):
    """Whether the server runs with what its files say, and if not, why."""

    read_at: Annotated[
        float,
        Metric(
            "cccamd_config_last_reload_success_timestamp_seconds",
            "When the files in use were read, seconds since 1970.",
        ),
    ] = 0.0
    """When the files that are in use were read."""
    tried_at: float = 0.0
    """When the files were read last, taken or not."""
    taken: Annotated[
        bool,
        Metric(
            "cccamd_config_last_reload_successful",
            "1: the files were taken when they were read last; 0: the old ones are in use.",
        ),
    ] = True
    """The files were taken when they were read last; false: what was read before is in use."""
    refusal: str = ""
    """Why they were not taken, with the place; empty when they were."""
    refused_since: float | None = None
    """Since when files have been refused; null: they are taken."""
    changes: tuple[str, ...] = ()
    """What the last reload changed: names of accounts, C-lines, cards and settings. Empty before
    the first."""
    problems: tuple[ConfigProblem, ...] = ()
    """What is wrong with the files in use, the gravest first; at most 100."""
    left_out: Annotated[
        int, Metric("cccamd_config_left_out", "Lines, values, tables and files not used.")
    ] = 0
    """How many lines, values, tables and files are not used."""
    not_done: Annotated[
        int, Metric("cccamd_config_not_done", "Settings that the system did not let us carry out.")
    ] = 0
    """How many settings could not be carried out."""
    waiting: Annotated[
        int, Metric("cccamd_config_waiting", "Changed settings that wait for a restart.")
    ] = 0
    """How many changed settings wait for a restart."""
    doubtful: int = 0
    """How many places are used, but are probably not what was meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot(ServerStatus):
    """A server at one moment, and all there is in it."""

    config: ConfigState = field(default_factory=ConfigState)
    clients: tuple[ClientStatus, ...]
    sources: tuple[SourceStatus, ...]
    cards: tuple[CardStatus, ...]


def is_active(client: ClientStatus, at: float) -> bool:
    """Whether a client asked for something a moment ago."""
    return at - client.heard_at <= ACTIVE_SECONDS


def active_clients(snapshot: Snapshot) -> list[ClientStatus]:
    """All clients that are active."""
    return [client for client in snapshot.clients if is_active(client, snapshot.at)]
