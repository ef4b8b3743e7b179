"""The mask over control words on the wire of plain mode.

Source: docs/protocol.md section 8.
"""

from functools import lru_cache

from cccamd.values import CW_LENGTH, with_checksums


@lru_cache(maxsize=4096)
def _mask(node_id: int, share_id: int) -> int:
    """Everything of section 8 that does not depend on the CW, as one 128-bit number."""
    return int.from_bytes(
        ((node_id >> 4 * i) ^ (share_id >> 2 * i) ^ (0xFF if i & 1 else 0)) & 0xFF
        for i in range(CW_LENGTH)
    )


SIGNED_SHIFT_DAMAGE = 0xF0
"""What a node id shifted as a signed number does to byte 15 when its top bit is set."""


def without_signed_shift(raw: bytes) -> bytes:
    """Repair byte 15 of a CW that OSCam before 2016 masked, if exactly that is wrong with it."""
    last = raw[-1] ^ SIGNED_SHIFT_DAMAGE
    return raw[:-1] + bytes([last]) if last == with_checksums(raw)[-1] else raw


def mask(raw: bytes, *, node_id: int, share_id: int) -> bytes:
    """Mask a CW for the plain-mode wire, or unmask it: it is the same function.

    `node_id` is the client's, as an unsigned 64-bit number; `share_id` is the request's.
    """
    return (int.from_bytes(raw) ^ _mask(node_id, share_id)).to_bytes(CW_LENGTH)
