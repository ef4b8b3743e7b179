"""One direction of the connection's cipher: RC4 with a one-byte chain on top.

Source: docs/protocol.md section 3. The chain byte `s` makes each plain byte depend on the
one before it. Written with d = c ^ ks and q = p ^ s, both directions are free of loops:

    decrypt   p[i] = d[i] ^ d[i-1],  d[-1] = state        one shift and one xor
    encrypt   c[i] = ks[i] ^ q[i],   q = running xor of p, starting from the state
    and the state afterwards is the last d, or q: the two are the same number.

And the mask over the control words of plain mode. Source: docs/protocol.md section 8.
"""

from functools import lru_cache

from cccamd.values import CW_LENGTH, with_checksums
from cccamd.wire.cccam.keystream import keystream


@lru_cache
def _doubling(length: int) -> tuple[int, ...]:
    """The distances, in bits, that make up the running xor of `length` bytes."""
    return tuple(8 << step for step in range((length - 1).bit_length()))


class Cipher:
    """RC4 plus chain; the same object can encrypt, decrypt and skip."""

    __slots__ = ("_keystream", "_state")

    def __init__(self, key: bytes) -> None:
        self._keystream = keystream(key)
        self._state = key[0]

    def encrypt(self, plain: bytes, *, burn: int = 0) -> bytes:
        """Encrypt `plain` and move on by its length; then `skip` by `burn` bytes."""
        length = len(plain)
        if not length:
            return b""
        running = int.from_bytes(plain) ^ (self._state << (8 * length - 8))
        for shift in _doubling(length):
            running ^= running >> shift
        self._state = running & 0xFF
        if not burn:
            return self._keystream(running.to_bytes(length))
        # One call of the C library instead of two: this is the CW answer of plain mode.
        return self._keystream((running << 8 * burn).to_bytes(length + burn))[:length]

    def decrypt(self, encrypted: bytes) -> bytes:
        """Decrypt `encrypted` and move on by its length."""
        length = len(encrypted)
        if not length:
            return b""
        chained = int.from_bytes(self._keystream(encrypted))
        plain = chained ^ (chained >> 8) ^ (self._state << (8 * length - 8))
        self._state = chained & 0xFF
        return plain.to_bytes(length)

    def skip(self, length: int) -> None:
        """Burn `length` bytes of keystream; the chain stays (section 8 on why that is safe)."""
        self._keystream(bytes(length))


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
