"""Who sees which card, and how far it may go from there: the one place that decides.

Source: docs/protocol.md section 11; docs/config.md section 3.1. Why: docs/design/visibility.md.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from cccamd.cards.card import Card
from cccamd.cards.grant import EVERYTHING, Grant
from cccamd.cards.intake import Limit, LimitTable, find_limit, limit_table
from cccamd.ids import SHARED_NODE_IDS, Ident, NodeId
from cccamd.values import Provider, Service

RESHARE_LIMIT = 255
"""One byte on the wire."""


class Reason(Enum):
    """Why a client sees a card, or why it cannot use it."""

    VISIBLE = "visible"
    LOOP = "loop"
    NOT_RESHARED = "not reshared"
    TOO_FAR = "too far"
    OTHER_GROUP = "other group"
    LIMITED = "limited"
    NOT_GRANTED = "not granted"
    IDENT_MISSING = "provider missing"
    IDENT_LIMITED = "provider limited"
    SERVICE_DENIED = "service denied"
    SERVICE_NOT_GIVEN = "service not given"
    SERVICE_NOT_ASSIGNED = "service not assigned"
    SERVICE_REJECTED = "service rejected"
    SERVICE_UNKNOWN = "service unknown"
    OTHER_WAY = "another way"


class Rights(Protocol):
    """What an account may see, as its F-line says it."""

    @property
    def user(self) -> str:
        """Whose rights they are."""

    @property
    def line(self) -> int:
        """Where they stand."""

    @property
    def uphops(self) -> int:
        """How many hops away from us a card may be to be offered."""

    @property
    def downhops(self) -> int | None:
        """How many further hops it may go from there; None: no limit of this account's."""

    @property
    def max_distance(self) -> int:
        """The smaller of the two."""

    @property
    def limits(self) -> tuple[Limit, ...]:
        """Of single cards and providers."""

    @property
    def sids(self) -> tuple[Service, ...]:
        """Services that the client does not get; CAID 0 and ident 0 mean all."""

    @property
    def toml_file(self) -> str:
        """Set when they stand in this cccamd.toml, in the same line."""

    @property
    def grant(self) -> Grant:
        """What cccamd.toml says of them."""

    @property
    def place_words(self) -> str:
        """Where they stand, for people: `the F-line in line 3`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """A client, as far as it decides what it sees."""

    account: Rights
    node_id: NodeId | None = None
    """The program behind it, if its protocol knows such a thing."""
    global_limits: tuple[Limit, ...] = ()
    emm_allowed: bool = True
    """The effective permission of docs/config.md section 6.3: without it cards have no UA."""
    limits: LimitTable = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        limits = tuple(self.account.limits or self.global_limits)
        object.__setattr__(self, "limits", limit_table(limits))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one client may have of one card."""

    viewer: Viewer = field(repr=False)
    card: Card = field(repr=False)
    reason: Reason
    reshare: int = 0
    """The byte it is announced with: how many further hops the client may pass it on."""
    providers: tuple[Provider, ...] = ()
    """Those that the account's limits and lists leave; at least one when visible."""

    @property
    def visible(self) -> bool:
        """Whether the client is told of the card."""
        return self.reason is Reason.VISIBLE

    @property
    def line(self) -> int:
        """The F-line that decided."""
        return self.viewer.account.line

    @property
    def hop(self) -> int:
        """The card's distance from us."""
        return self.card.hop

    @property
    def text(self) -> str:
        """A sentence that the owner of a receiver understands."""
        return _sentence(self)


def judge(viewer: Viewer, card: Card) -> Verdict:
    """Decide whether a client is told of a card."""
    if viewer.node_id in card.path and viewer.node_id not in SHARED_NODE_IDS:
        return Verdict(viewer=viewer, card=card, reason=Reason.LOOP)
    if not card.local and card.reshare == 0:
        return Verdict(viewer=viewer, card=card, reason=Reason.NOT_RESHARED)
    if card.hop > viewer.account.max_distance:
        return Verdict(viewer=viewer, card=card, reason=Reason.TOO_FAR)
    if not viewer.account.grant.meets(card.access.grant):
        return Verdict(viewer=viewer, card=card, reason=Reason.OTHER_GROUP)
    return _judge_limits(viewer, card)


def _judge_limits(viewer: Viewer, card: Card) -> Verdict:
    """Leave the providers that the client may have; the strictest of them sets the reshare."""
    reshare = min(card.reshare if card.local else card.reshare - 1, RESHARE_LIMIT)
    if viewer.account.downhops is not None:
        reshare = min(reshare, viewer.account.downhops)
    providers = card.providers or (Provider(Ident(0)),)
    grant = viewer.account.grant
    if grant is not EVERYTHING:
        providers = tuple(each for each in providers if grant.offers(card.caid, each.ident))
        if not providers:
            return Verdict(viewer=viewer, card=card, reason=Reason.NOT_GRANTED)
    if not viewer.limits:
        return _visible(viewer, card, reshare, providers)
    kept = []
    for provider in providers:
        limit = find_limit(viewer.limits, card.caid, provider.ident)
        if limit is None or limit.number > 0:
            kept.append(provider)
            reshare = reshare if limit is None else min(reshare, limit.number - 1)
    if not kept:
        return Verdict(viewer=viewer, card=card, reason=Reason.LIMITED)
    return _visible(viewer, card, reshare, tuple(kept))


def _visible(viewer: Viewer, card: Card, reshare: int, providers: tuple[Provider, ...]) -> Verdict:
    return Verdict(
        viewer=viewer, card=card, reason=Reason.VISIBLE, reshare=reshare, providers=providers
    )


def _sentence(verdict: Verdict) -> str:
    account, card = verdict.viewer.account, verdict.card
    line = account.place_words
    match verdict.reason:
        case Reason.VISIBLE:
            return f"hop {card.hop} is within the {account.max_distance} of {line}"
        case Reason.LOOP:
            return "it came through the client itself"
        case Reason.NOT_RESHARED:
            return "its owner lets it go no further than to us (reshare 0)"
        case Reason.TOO_FAR:
            return f"hop {card.hop} is beyond {_distance_words(account)} of {line}"
        case Reason.OTHER_GROUP:
            return f"groups: {groups_words(account.grant, card.access.grant)}"
        case Reason.NOT_GRANTED:
            return f"the lists of {line} in cccamd.toml give none of its providers to this client"
        case _:
            where = line if account.limits else "GLOBAL LIMITS"
            return f"the limits of {where} give none of its providers to this client"


def groups_words(account: Grant, source: Grant) -> str:
    """Say why account and source do not meet."""
    ours, theirs = sorted(account.groups or ()), sorted(source.groups or ())
    if account.groups is not None and not ours:
        return "the account is in no group, so it shares with nobody"
    if not theirs:
        return "its source is in no group, so it serves nobody"
    return f"the account is in {_and(ours)}, its source in {_and(theirs)}"


def _and(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))


def _distance_words(account: Rights) -> str:
    if account.downhops is not None and account.downhops < account.uphops:
        return f"downhops {account.downhops}"
    return f"uphops {account.uphops}"
