"""A card as this server knows it: whose it is, how far away, who may use it."""

from dataclasses import dataclass
from typing import NewType

from cccamd.cards.grant import OPEN, Access
from cccamd.ids import Caid, NodeId, ShareId, Sid
from cccamd.values import UA_LENGTH, CardId, Provider

SourceId = NewType("SourceId", int)
"""One local card, or one upstream link; given out by `CardTable.add_source`, never used again."""


ONLY_CARD = ShareId(1)
"""The share id at a source that has one card and needs no numbers."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Card:
    """One way to one card.

    Two ways to the same card are two `Card`s with the same `id` and `own_share_id`. Announced
    anew with other words, a way is another one: `serial` tells, and alone decides equality among
    the cards of one table, so that a copy in another process is the same.
    """

    serial: int
    """Counts the announcements that the table took."""
    id: CardId
    """Which card it is, whatever way it took."""
    source: SourceId
    share_id: ShareId
    """Its name at the source."""
    own_share_id: ShareId
    """Its name at us: stays while any way to the card stays; never 0."""
    remote_id: int
    """Its name at its origin, passed on as it is."""
    caid: Caid
    hop: int
    """Its distance from us; 0 is in our own reader."""
    reshare: int
    """How many further hops we may pass it on; a local card always goes to our own clients."""
    local: bool
    """Whether we are the first to announce it."""
    providers: tuple[Provider, ...]
    ua: bytes
    path: tuple[NodeId, ...]
    """The nodes from its origin to the source; empty for a local card."""
    assigned_sids: tuple[Sid, ...]
    rejected_sids: tuple[Sid, ...]
    access: Access = OPEN
    """What cccamd.toml says of its source."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Card) and self.serial == other.serial

    def __hash__(self) -> int:
        return self.serial


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalOffer:
    """What the owner of a local card says about it. Fields as in `Card`."""

    caid: Caid
    share_id: ShareId = ONLY_CARD
    """Any number that is unique within its source."""
    hop: int = 0
    """More than 0 for a newcamd server's card: the HOPS of its N-line."""
    reshare: int = 0
    providers: tuple[Provider, ...] = ()
    ua: bytes = bytes(UA_LENGTH)
    assigned_sids: tuple[Sid, ...] = ()
    rejected_sids: tuple[Sid, ...] = ()
