"""The numbers of the field: their types, how people write them, how they are shown.

This is the only place that makes hex for people. Names follow `docs/protocol.md`.
"""

from typing import NewType

from cccamd.errors import NodeIdError

Caid = NewType("Caid", int)
"""16-bit conditional access system id, shown as 4 hex digits."""

Ident = NewType("Ident", int)
"""24-bit provider id inside a CAID, shown as 6 hex digits; 0 means any provider."""

Sid = NewType("Sid", int)
"""16-bit DVB service id, shown as 4 hex digits; 0 means unknown."""

ShareId = NewType("ShareId", int)
"""32-bit number by which an announcer names one card of its list."""

NodeId = NewType("NodeId", bytes)
"""8 bytes naming one running program in the sharing graph, shown as 16 hex digits."""

NODE_ID_LENGTH = 8
NO_NODE_ID = NodeId(bytes(NODE_ID_LENGTH))
SHARED_NODE_IDS = frozenset({NO_NODE_ID, NodeId(bytes.fromhex("0000000054fe1386"))})
"""Node ids that name nobody: every tvheadend whose owner set none sends one of these."""


def format_caid(caid: int) -> str:
    """Show a CAID: `0B00`."""
    return f"{caid:04X}"


def format_ident(ident: int) -> str:
    """Show a provider id: `030B00`."""
    return f"{ident:06X}"


def format_sid(sid: int) -> str:
    """Show a service id: `1D80`."""
    return f"{sid:04X}"


def format_share_id(share_id: int) -> str:
    """Show a share id: `0000006A`."""
    return f"{share_id:08X}"


def format_service(caid: int, ident: int, sid: int) -> str:
    """Show a service as people write it in their files: `0B00:030B00:1D80`."""
    return f"{format_caid(caid)}:{format_ident(ident)}:{format_sid(sid)}"


def format_node_id(node_id: bytes) -> str:
    """Show a node id: `380ceca0f39150d3`."""
    return node_id.hex()


def parse_node_id(text: str) -> NodeId:
    """Read 16 hex digits, blanks around them allowed.

    Raises:
        NodeIdError: the text is anything else.
    """
    digits = text.strip()
    try:
        value = bytes.fromhex(digits)
    except ValueError:
        value = b""
    if len(value) != NODE_ID_LENGTH or len(digits) != 2 * NODE_ID_LENGTH:
        raise NodeIdError("a node id is 16 hex digits, for instance 3f29c1d0437a04c2")
    return NodeId(value)
