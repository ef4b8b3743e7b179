"""What becomes of a folder: the lines of a CCcam.cfg and the tables of a cccamd.toml, as values.

Texts that came from OSCam hold one letter for each byte, as in `lexer`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from cccamd.cards import Limit
from cccamd.ids import Caid, Ident, Sid
from cccamd.setup.hours import TimeFrame
from cccamd.values import Service

Pair = tuple[Caid, Ident]
NOTHING = (Limit(Caid(0), Ident(0), 0),)
"""A brace group that shuts everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceList:
    """One `[services.NAME]`."""

    name: str
    caids: tuple[Caid, ...] = ()
    providers: tuple[Ident, ...] = ()
    sids: tuple[Sid, ...] = ()


@dataclass(slots=True, kw_only=True)
class AccountPlan:
    """One F-line, and what its `[[account]]` adds."""

    user: str
    password: str = field(repr=False)
    uphops: int
    emm: bool
    limits: tuple[Limit, ...] = ()
    denied: tuple[Service, ...] = ()
    frames: tuple[TimeFrame, ...] = ()
    host: str = ""
    groups: frozenset[int] | None = None
    """None: everything, as without groups."""
    idents: tuple[Pair, ...] = ()
    services: tuple[str, ...] = ()
    expires: date | None = None
    max_connections: int | None = None
    """None: as many as come."""
    protocols: tuple[str, ...] = ()
    times: Mapping[str, tuple[TimeFrame, ...]] = field(default_factory=dict)
    enabled: bool = True
    emm_to: tuple[str, ...] = ()
    remark: str = ""


@dataclass(slots=True, kw_only=True)
class UpstreamPlan:
    """One C-line or N-line, and what its `[[upstream]]` adds."""

    label: str
    line: int = 0
    """Of its password, in the old file."""
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    limits: tuple[Limit, ...] = ()
    wantemus: bool = False
    key: str | None = field(default=None, repr=False)
    """Of an N-line; None: it is a C-line."""
    hops: int = 0
    version: str = ""
    groups: frozenset[int] | None = None
    caids: tuple[Caid, ...] = ()
    idents: tuple[Pair, ...] = ()
    services: tuple[str, ...] = ()
    emm: bool = True
    reshare: int | None = None
    """None: no limit of its own."""
    minimum_downhops: int | None = None
    """None: that of all."""
    named: bool = False
    """Whether something refers to its label."""
    standby: str = ""
    rank: int = 1


@dataclass(slots=True, kw_only=True)
class CardPlan:
    """One `[[card]]` of fixed control words."""

    name: str
    caid: Caid
    providers: tuple[Ident, ...]
    words: Mapping[Sid, str] = field(repr=False)
    """32 hex digits by service."""
    reshare: int | None = None
    """None: the usual."""
    groups: frozenset[int] | None = None
    idents: tuple[Pair, ...] = ()
    line: int = 0
    """Of its label, in the old file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewcamdPlan:
    """One `[[newcamd]]`."""

    port: int
    key: str = field(repr=False)
    caid: Caid | None = None
    providers: tuple[Ident, ...] = ()
    bind: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Plan:
    """All of it."""

    settings: dict[str, str] = field(default_factory=dict)
    """Keys of CCcam.cfg and their values."""
    tables: dict[str, dict[str, object]] = field(default_factory=dict)
    """The single tables of cccamd.toml, by their names."""
    accounts: list[AccountPlan] = field(default_factory=list)
    upstreams: list[UpstreamPlan] = field(default_factory=list)
    cards: list[CardPlan] = field(default_factory=list)
    newcamd: list[NewcamdPlan] = field(default_factory=list)
    services: list[ServiceList] = field(default_factory=list)
    dvbapi_account: str = ""
    channels: list[str] = field(default_factory=list)
    """Lines of CCcam.channelinfo."""
    providers: list[str] = field(default_factory=list)
    """Lines of CCcam.providers."""
    priorities: list[str] = field(default_factory=list)
    """Lines of CCcam.prio."""
