"""What only nodes of a fleet can read: names of entries, and values, under the fleet key.

Theory of operation. All nodes have the same 32 bytes, the fleet key; the engine has not. Keys for
each purpose are derived from it, so that nothing made for one is of use for another.

    names       keyed BLAKE2b of what an entry is about: the engine cannot tell an ECM, a service or
                an account by its name, nor find the name of one that it knows
    values      ChaCha20-Poly1305, bound to the name of the entry, with a key of their own for each
                name: the random nonces of one name never come near the number where two are alike

The engine, or who has broken into it, can drop, delay and repeat what nodes wrote under the very
same name while it counts, and it sees how often something is asked for. It cannot read, change,
make or move a value; one that does is noticed by each node that gets such a value (`unread`).
"""

import os
from hashlib import blake2b
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from cccamd.fleet.actions import NAME_LENGTH

KEY_LENGTH: Final = 32
VERSION: Final = b"\x01"
"""The first byte of each value; a node leaves alone what a later version wrote."""
_NONCE_LENGTH: Final = 12


class Sealer:
    """Names and seals for one node; the same key makes the same names everywhere."""

    def __init__(self, key: bytes) -> None:
        """`key`: `KEY_LENGTH` secret bytes."""
        if len(key) != KEY_LENGTH:
            raise ValueError(f"a fleet key is {KEY_LENGTH} bytes, not {len(key)}")
        self._names = _derive(key, b"names")
        self._values = _derive(key, b"values")
        self.fingerprint_key = _derive(key, b"fingerprints")
        """Under which all nodes name the same ECM alike (`values.Fingerprints`)."""
        self.unread = 0
        """Values that no node can have written under the name that they came with."""

    def name(self, kind: str, *parts: bytes) -> bytes:
        """The name of an entry or a channel."""
        hashed = blake2b(key=self._names, digest_size=NAME_LENGTH)
        for part in (kind.encode(), *parts):
            hashed.update(len(part).to_bytes(4))
            hashed.update(part)
        return hashed.digest()

    def seal(self, name: bytes, plain: bytes) -> bytes:
        """Make a value of the entry or channel of this name."""
        nonce = os.urandom(_NONCE_LENGTH)
        return VERSION + nonce + self._cipher(name).encrypt(nonce, plain, name)

    def unseal(self, name: bytes, value: bytes) -> bytes | None:
        """Read it; None: no node of the fleet has written it, or not under this name."""
        if value[:1] != VERSION:
            return None
        nonce, sealed = value[1 : 1 + _NONCE_LENGTH], value[1 + _NONCE_LENGTH :]
        try:
            return self._cipher(name).decrypt(nonce, sealed, name)
        except (InvalidTag, ValueError):  # the second: too short for a nonce
            self.unread += 1
            return None

    def _cipher(self, name: bytes) -> ChaCha20Poly1305:
        return ChaCha20Poly1305(blake2b(name, key=self._values, digest_size=KEY_LENGTH).digest())


def _derive(key: bytes, purpose: bytes) -> bytes:
    made = HKDF(SHA256(), length=KEY_LENGTH, salt=None, info=b"cccamd fleet " + purpose)
    return made.derive(key)
