"""How logs name cards, requests and peers: one readable line each."""

from cccamd.ids import (
    format_caid,
    format_ident,
    format_service,
    format_share_id,
)
from cccamd.values import Offer, Request
from cccamd.wire.link import Peer


def describe_card(card: Offer) -> str:
    """`card 0000006A 0B00:030B00 hop 1 reshare 2`."""
    idents = ",".join(format_ident(provider.ident) for provider in card.providers) or "-"
    name = f"card {format_share_id(card.share_id)} {format_caid(card.caid)}:{idents}"
    return f"{name} hop {card.hop} reshare {card.reshare}"


def describe_request(request: Request) -> str:
    """`0B00:030B00:1D80 (share 0000006A, 150 bytes)`."""
    service = format_service(request.caid, request.ident, request.sid)
    return f"{service} (share {format_share_id(request.share_id)}, {len(request.section)} bytes)"


TEXT_LIMIT = 80


def shorten(text: str) -> str:
    """Cut what a peer says to what fits into a line."""
    return text if len(text) <= TEXT_LIMIT else text[:TEXT_LIMIT] + "..."


def describe_program(peer: Peer) -> str:
    """`is OSCam v1.20, capabilities EXT SID SLP`."""
    capabilities = " ".join(peer.capabilities) or "none"
    return f"is {shorten(peer.program) or 'a program without a name'}, capabilities {capabilities}"
