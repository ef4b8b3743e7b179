"""A card as this server knows it: whose it is, how far away, who may use it."""

from dataclasses import dataclass
from typing import NewType

from cccamd.ids import Caid, NodeId, ShareId, Sid
from cccamd.wire.cccam import UA_LENGTH, Provider

SourceId = NewType("SourceId", int)
"""One local card, or one upstream link; given out by `CardTable.add_source`, never used again."""


ONLY_CARD = ShareId(1)
"""The share id at a source that has one card and needs no numbers."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Card:
    """One way to one card. Compared by identity: announced anew with other words, it is another.

    Two ways to the same card are two `Card`s with the same `own_share_id`.
    """

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


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalCard:
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
