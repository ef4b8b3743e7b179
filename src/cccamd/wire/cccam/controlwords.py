"""Control words: the 16 bytes that open a crypto period, and the mask over them.

Source: docs/protocol.md sections 1 and 8.
"""

from dataclasses import dataclass
from functools import lru_cache

CW_LENGTH = 16
HALF_LENGTH = 8


@dataclass(frozen=True, slots=True, repr=False)
class ControlWords:
    """Even CW (8 bytes), then odd CW (8 bytes). Never shows its bytes: a CW is a secret."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != CW_LENGTH:
            raise ValueError(f"control words are {CW_LENGTH} bytes, not {len(self.raw)}")

    def __repr__(self) -> str:
        return "ControlWords(...)"

    @property
    def even(self) -> bytes:
        """The first half, for packets scrambled with the even key."""
        return self.raw[:HALF_LENGTH]

    @property
    def odd(self) -> bytes:
        """The second half, for packets scrambled with the odd key."""
        return self.raw[HALF_LENGTH:]

    @property
    def checksums_valid(self) -> bool:
        """Whether bytes 3, 7, 11 and 15 are the sums of the three bytes before each."""
        raw = self.raw  # written out: it runs for every answer of every source
        return (
            raw[3] == (raw[0] + raw[1] + raw[2]) & 0xFF
            and raw[7] == (raw[4] + raw[5] + raw[6]) & 0xFF
            and raw[11] == (raw[8] + raw[9] + raw[10]) & 0xFF
            and raw[15] == (raw[12] + raw[13] + raw[14]) & 0xFF
        )

    @property
    def is_zero(self) -> bool:
        """Whether there is no CW at all in here; one zero half alone means "not told"."""
        return not any(self.raw)


def with_checksums(raw: bytes) -> bytes:
    """Replace every fourth byte of a CW, or of a half, by the sum of the three before it."""
    fixed = bytearray(raw)
    for position in range(3, len(fixed), 4):
        fixed[position] = sum(fixed[position - 3 : position]) & 0xFF
    return bytes(fixed)


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
