"""What may be seen of a running server: frozen values for pages, commands and tests.

A `Snapshot` is made on demand, costs nothing in between, and holds no secret. Durations are
seconds, `*_at` is seconds since the epoch.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from cccamd.ids import Caid, Ident, NodeId, ShareId, Sid

ACTIVE_SECONDS: Final = 20
"""A client that asked for something within this time is active."""


@dataclass(frozen=True, slots=True)
class ServiceId:
    """What a client watches."""

    caid: Caid
    ident: Ident
    sid: Sid


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareUse:
    """How often one CAID and provider was asked for, and answered with a CW."""

    local: bool
    """Answered by a card of ours; else by one of an upstream."""
    caid: Caid
    ident: Ident
    asked: int
    answered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientStatus:
    """One client that is logged in."""

    account: str
    line: int
    """Its F-line."""
    address: str
    port: int
    version: str
    build: str
    revision: str
    """`v1` or `v2`."""
    extended: bool
    program: str
    """What it calls itself in its partner text; empty without one."""
    node_id: NodeId | None
    """None for a client whose protocol knows no such thing."""
    connected_at: float
    heard_at: float
    """When it last asked for something."""
    ecms_asked: int
    ecms_answered: int
    """With a CW."""
    emms_sent: int
    emms_passed: int
    pending: int
    cards: int
    """How many it was told of."""
    service: ServiceId | None
    last_result: str
    """`CW`, `NOK1`, `NOK2`, or empty."""
    last_source: str
    last_seconds: float | None
    uses: tuple[ShareUse, ...]


class SourceKind(Enum):
    """What a source is; the value is for people."""

    LOCAL = "local card"
    CCCAM = "CCcam server"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus:
    """One upstream link or one local card."""

    name: str
    """`host:port` as in the C-line, or the name of the card."""
    kind: SourceKind
    line: int
    """Its C-line; 0 for a local card."""
    state: str
    """`up`, `connecting`, `logging in`, `waiting`; a local card is always up."""
    up_at: float | None
    next_attempt_at: float | None
    last_failure: str
    address: str
    version: str
    build: str
    revision: str
    extended: bool
    program: str
    node_id: NodeId | None
    in_flight: int
    cards_by_hop: tuple[tuple[int, int], ...]
    """Pairs of hop (distance from us) and number of cards."""
    cards_rejected: int
    asked: int
    answered: int
    usual_seconds: float | None
    """Its usual answer time as the router knows it."""
    uses: tuple[ShareUse, ...]
    group: str
    rank: int

    @property
    def cards(self) -> int:
        """How many cards came from here."""
        return sum(count for _, count in self.cards_by_hop)


@dataclass(frozen=True, slots=True, kw_only=True)
class CardStatus:
    """One way to one card."""

    source: str
    share_id: ShareId
    """At its source."""
    own_share_id: ShareId
    """At us."""
    caid: Caid
    idents: tuple[Ident, ...]
    hop: int
    reshare: int
    path: tuple[NodeId, ...]
    assigned_sids: tuple[Sid, ...]
    rejected_sids: tuple[Sid, ...]
    seen_by: tuple[str, ...]
    """The accounts of clients, logged in now, that were told of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A whole server at one moment."""

    at: float
    started_at: float
    program: str
    node_id: NodeId
    config_path: str
    accounts: tuple[str, ...]
    """All of them, also those that are not logged in."""
    clients: tuple[ClientStatus, ...]
    sources: tuple[SourceStatus, ...]
    cards: tuple[CardStatus, ...]
    ecms_total: int
    emms_total: int
    logins_failed: int
    connections_refused: int
    pending_logins: int
    peak_pending: int
    """The most requests of one client that were ever open at once."""


def is_active(client: ClientStatus, at: float) -> bool:
    """Whether a client asked for something a moment ago."""
    return at - client.heard_at <= ACTIVE_SECONDS


def active_clients(snapshot: Snapshot) -> list[ClientStatus]:
    """All clients that are active."""
    return [client for client in snapshot.clients if is_active(client, snapshot.at)]
