"""The shape of a node id that offers extended mode.

Source: docs/protocol.md sections 6, 9 and 13.3.
"""

from cccamd.ids import NodeId
from cccamd.wire.cccam.handshake import PARTNER_SUM_BASE

PROGRAM_LETTER = b"C"
NODE_ID_RANDOM_LENGTH = 4


def make_node_id(random: bytes) -> NodeId:
    """Make our own node id from four random bytes.

    Raises:
        ValueError: `random` has another length.
    """
    if len(random) != NODE_ID_RANDOM_LENGTH:
        raise ValueError(f"a node id is made from {NODE_ID_RANDOM_LENGTH} random bytes")
    # OSCam before 2016 masks wrongly for node ids with the top bit set (section 8).
    named = bytes([random[0] & 0x7F]) + random[1:] + PROGRAM_LETTER
    check = 0xAA
    for byte in named:
        check ^= byte
    head = named + bytes([check])
    return NodeId(head + _partner_sum(head))


def offers_partner(node_id: bytes) -> bool:
    """Whether a program with this node id offers extended mode."""
    return node_id[6:] == _partner_sum(node_id[:6])


def _partner_sum(head: bytes) -> bytes:
    return ((PARTNER_SUM_BASE + sum(head)) & 0xFFFF).to_bytes(2)
