"""What `/api` says, as models: made from a snapshot here, read by `cccamd status` there.

Ids are hex texts as everywhere for people; times are seconds, `*_at` seconds since 1970.
"""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator

from cccamd.facts import ServiceId, SourceKind
from cccamd.ids import (
    format_caid,
    format_ident,
    format_node_id,
    format_share_id,
    format_sid,
)
from cccamd.watch import Tone


def _format(show: Any, kind: type) -> BeforeValidator:
    return BeforeValidator(lambda value: show(value) if isinstance(value, kind) else value)


CaidText = Annotated[str, _format(format_caid, int), Field(examples=["0B00"])]
IdentText = Annotated[str, _format(format_ident, int), Field(examples=["030B00"])]
SidText = Annotated[str, _format(format_sid, int), Field(examples=["1D80"])]
ShareIdText = Annotated[str, _format(format_share_id, int), Field(examples=["0000006A"])]
NodeIdText = Annotated[str, _format(format_node_id, bytes), Field(examples=["380ceca0f39150d3"])]
HopCounts = Annotated[dict[int, int], BeforeValidator(dict)]


class ApiModel(BaseModel):
    """Base: made from the values of `cccamd.facts`, by attribute."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class ServiceInfo(ApiModel):
    """A channel."""

    caid: CaidText
    ident: IdentText
    sid: SidText
    name: str | None = Field(None, description="from CCcam.channelinfo")

    @model_validator(mode="before")
    @classmethod
    def _add_name(cls, value: Any, info: ValidationInfo) -> Any:
        """Look the name up with the function that the context holds, if it holds one."""
        if not isinstance(value, ServiceId):
            return value
        name = (info.context or {}).get("channel_name", _nameless)
        found = name(value.caid, value.ident, value.sid)
        return {"caid": value.caid, "ident": value.ident, "sid": value.sid, "name": found}


def _nameless(*numbers: int) -> None:
    return None


class ShareUseInfo(ApiModel):
    """How often one CAID and provider was asked for, and answered with a CW."""

    local: bool
    caid: CaidText
    ident: IdentText
    asked: int
    answered: int


class ServerInfo(ApiModel):
    """The server itself."""

    at: float = Field(description="the moment that all this is about")
    started_at: float
    program: str
    node_id: NodeIdText
    config_path: str
    accounts: tuple[str, ...] = Field(description="all accounts, logged in or not")
    ecms_total: int
    emms_total: int
    logins_failed: int
    connections_refused: int
    pending_logins: int
    peak_pending: int = Field(description="most ECMs of one client that were ever open at once")


class ClientInfo(ApiModel):
    """One client that is logged in."""

    account: str
    line: int = Field(description="its F-line in the configuration")
    address: str
    port: int
    version: str
    build: str
    revision: str
    extended: bool
    program: str
    node_id: NodeIdText
    connected_at: float
    heard_at: float = Field(description="when it last asked for something")
    ecms_asked: int
    ecms_answered: int = Field(description="with a CW")
    emms_sent: int
    emms_passed: int
    pending: int = Field(description="ECMs without an answer yet")
    cards: int = Field(description="how many cards it was told of")
    service: ServiceInfo | None
    last_result: str = Field(description="CW, NOK1, NOK2 or empty")
    last_source: str
    last_seconds: float | None
    uses: tuple[ShareUseInfo, ...]


class SourceInfo(ApiModel):
    """One upstream link or one local card."""

    name: str
    kind: SourceKind
    line: int = Field(description="its C-line; 0 for a local card")
    state: str = Field(description="up, connecting, logging in, waiting")
    up_at: float | None
    next_attempt_at: float | None
    last_failure: str
    address: str
    version: str
    build: str
    revision: str
    extended: bool
    program: str
    node_id: NodeIdText | None
    in_flight: int
    cards: int
    cards_by_hop: HopCounts = Field(description="number of cards by distance")
    cards_rejected: int
    asked: int
    answered: int
    usual_seconds: float | None
    uses: tuple[ShareUseInfo, ...]
    group: str
    rank: int


class CardInfo(ApiModel):
    """One way to one card."""

    source: str
    share_id: ShareIdText
    own_share_id: ShareIdText
    caid: CaidText
    idents: tuple[IdentText, ...]
    hop: int
    reshare: int
    path: tuple[NodeIdText, ...] = Field(description="nodes from its origin to the source")
    assigned_sids: tuple[SidText, ...]
    rejected_sids: tuple[SidText, ...]
    seen_by: tuple[str, ...] = Field(description="accounts, logged in now, that were told of it")


class SystemInfo(ApiModel):
    """All cards of one CAID."""

    caid: CaidText
    cards: int
    nearest_hop: int
    idents: tuple[IdentText, ...]


class NoteInfo(ApiModel):
    """One thing that happened; `subject` and `text` make a sentence."""

    at: float
    tone: Tone
    subject: str
    text: str
    account: str
    service: ServiceInfo | None
    times: int = Field(description="how often in a row")


class ChannelMarginInfo(ApiModel):
    """How much time is left before each key of a watched channel is needed."""

    account: str
    caid: CaidText
    ident: IdentText
    sid: SidText
    period: float | None
    margin: float | None
    forecast: str


class Status(ApiModel):
    """What goes on: all but the single cards."""

    server: ServerInfo
    clients: tuple[ClientInfo, ...]
    sources: tuple[SourceInfo, ...]
    systems: tuple[SystemInfo, ...]
    notes: tuple[NoteInfo, ...] = Field(description="what happened lately, the newest first")
    channels: tuple[ChannelMarginInfo, ...]


class Clients(ApiModel):
    """All clients that are logged in."""

    clients: tuple[ClientInfo, ...]


class Sources(ApiModel):
    """All upstream links and local cards."""

    sources: tuple[SourceInfo, ...]


class Cards(ApiModel):
    """Cards."""

    cards: tuple[CardInfo, ...]


class Happened(ApiModel):
    """What happened lately, the newest first."""

    notes: tuple[NoteInfo, ...]
