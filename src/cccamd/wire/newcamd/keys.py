"""Keys and the cipher of newcamd.

Source: docs/newcamd-protocol.md sections 1, 3 and 4.
"""

from typing import Final

from cccamd.ids import CONFIG_KEY_LENGTH
from cccamd.wire.strangers import NEWCAMD_GREETING_LENGTH

GREETING_LENGTH: Final = NEWCAMD_GREETING_LENGTH
IV_LENGTH: Final = 8
BLOCK_LENGTH: Final = 8
_HALF: Final = 7
_NO_ZERO: Final = bytes.maketrans(b"\0", b"\1")


class FrameCipher:
    """Triple DES with two keys, in CBC mode over one frame; no frame depends on another.

    The library takes longer to begin with an IV than to encrypt a frame. So it goes on from frame
    to frame as if all were one, and its last block and the IV are exchanged for each other in the
    first block of each.
    """

    __slots__ = ("_decryptor", "_encryptor", "_last_received", "_last_sent", "key")

    def __init__(self, key: bytes) -> None:
        """`key`: 16 bytes, K1 and K2."""
        # 8 MiB, where newcamd is spoken.
        from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
        from cryptography.hazmat.primitives.ciphers import Cipher
        from cryptography.hazmat.primitives.ciphers.modes import CBC

        self.key = key
        cipher = Cipher(TripleDES(key + key[:8]), CBC(bytes(IV_LENGTH)))
        self._encryptor, self._decryptor = cipher.encryptor(), cipher.decryptor()
        self._last_sent = self._last_received = 0

    def encrypt(self, clear: bytes, iv: bytes) -> bytes:
        """Encrypt whole blocks of 8 bytes, one at least."""
        first = int.from_bytes(clear[:BLOCK_LENGTH]) ^ int.from_bytes(iv) ^ self._last_sent
        data = self._encryptor.update(first.to_bytes(BLOCK_LENGTH) + clear[BLOCK_LENGTH:])
        self._last_sent = int.from_bytes(data[-BLOCK_LENGTH:])
        return data

    def decrypt(self, data: bytes, iv: bytes) -> bytes:
        """Decrypt whole blocks of 8 bytes, one at least."""
        clear = self._decryptor.update(data)
        first = int.from_bytes(clear[:BLOCK_LENGTH]) ^ int.from_bytes(iv) ^ self._last_received
        self._last_received = int.from_bytes(data[-BLOCK_LENGTH:])
        return first.to_bytes(BLOCK_LENGTH) + clear[BLOCK_LENGTH:]


def login_cipher(config_key: bytes, greeting: bytes) -> FrameCipher:
    """The cipher of both sides up to the answer to the login."""
    return FrameCipher(spread(fold(config_key, greeting)))


def session_cipher(config_key: bytes, hashed: bytes) -> FrameCipher:
    """The cipher of both sides after that; `hashed` is the password's hash."""
    return FrameCipher(spread(fold(config_key, hashed)))


def spread(key: bytes) -> bytes:
    """Make 16 bytes for DES, each with an odd number of ones, out of 14."""
    return _spread_half(key[:_HALF]) + _spread_half(key[_HALF:])


def fold(key: bytes, text: bytes) -> bytes:
    """Put a text of any length into a key of 14 bytes."""
    folded = bytearray(key)
    for place, byte in enumerate(text):
        folded[place % CONFIG_KEY_LENGTH] ^= byte
    return bytes(folded)


def hash_password(password: bytes) -> bytes:
    """MD5-crypt with newcamd's fixed salt: 34 characters. It is as good as the password.

    Takes a millisecond, on purpose also for a user that does not exist. No line of a file can
    hold a zero byte, which the library refuses.
    """
    from passlib.hash import md5_crypt  # 0.6 MiB, where newcamd is spoken

    hashed: str = md5_crypt.using(salt="abcdefgh").hash(password.translate(_NO_ZERO))
    return hashed.encode("ascii")


def _spread_half(half: bytes) -> bytes:
    bits = int.from_bytes(half)
    return bytes(_with_odd_parity(bits >> shift & 0x7F) for shift in range(49, -1, -7))


def _with_odd_parity(seven_bits: int) -> int:
    return seven_bits << 1 | (seven_bits.bit_count() + 1) % 2
