"""The frame of an ECM or EMM section, and the cipher around its secret part.

Source: docs/open-cas.md sections 2 and 3.
"""

from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cccamd.errors import CccamdError

KEY_LENGTH = 16
NONCE_LENGTH = 12
TAG_LENGTH = 16
SEALED_LIMIT = 255
"""Bytes in all: the length byte of a CCcam request holds no more (docs/protocol.md section 7)."""
FORMAT_VERSION = 1

_FRAME_LENGTH = 4  # table id, flags and length, format version
_FLAGS = 0x70  # no section syntax, private, both reserved bits set
_LENGTH_MASK = 0x0FFF


class CasError(CccamdError):
    """A section, a key or a key file cannot be used; the text says why, and holds no secret."""


@dataclass(frozen=True, slots=True)
class Section:
    """A section taken apart: what anyone can read, and what only the key opens."""

    opened: bytes
    """From the table id to the end of the header; authenticated, not secret."""
    nonce: bytes
    sealed: bytes
    """Ciphertext and tag."""

    @property
    def table_id(self) -> int:
        """What kind of section it is."""
        return self.opened[0]

    @property
    def header(self) -> bytes:
        """What stands between the format version and the nonce."""
        return self.opened[_FRAME_LENGTH:]

    def unseal(self, key: bytes, *, context: bytes) -> bytes:
        """Decrypt and authenticate.

        Raises:
            CasError: another key, another context, or a bit was changed.
        """
        try:
            return AESGCM(key).decrypt(self.nonce, self.sealed, context + self.opened)
        except InvalidTag:
            raise CasError(
                "not authentic: made with another key or for another CAID, or damaged"
            ) from None


def parse_section(raw: bytes, *, header_lengths: dict[int, int]) -> Section:
    """Take a section apart; `header_lengths` says which table ids may come.

    Raises:
        CasError: another table id, length or format version.
    """
    if len(raw) < _FRAME_LENGTH:
        raise CasError(f"{len(raw)} bytes are too few for a section")
    if raw[0] not in header_lengths:
        expected = " or ".join(f"{table_id:02X}" for table_id in header_lengths)
        raise CasError(f"table id {raw[0]:02X}, expected {expected}")
    told = 3 + (int.from_bytes(raw[1:3]) & _LENGTH_MASK)
    if told != len(raw):
        raise CasError(f"the section says that it has {told} bytes, and has {len(raw)}")
    if raw[3] != FORMAT_VERSION:
        raise CasError(f"format version {raw[3]}, expected {FORMAT_VERSION}")
    nonce_at = _FRAME_LENGTH + header_lengths[raw[0]]
    sealed_at = nonce_at + NONCE_LENGTH
    if len(raw) < sealed_at + TAG_LENGTH:
        raise CasError(f"{len(raw)} bytes are too few for table id {raw[0]:02X}")
    return Section(raw[:nonce_at], raw[nonce_at:sealed_at], raw[sealed_at:])


def seal_section(
    table_id: int, header: bytes, secret: bytes, *, key: bytes, nonce: bytes, context: bytes
) -> bytes:
    """Build a section. The nonce must be fresh for this key: see docs/open-cas.md section 3.

    Raises:
        CasError: it would be longer than SEALED_LIMIT.
    """
    total = _FRAME_LENGTH + len(header) + NONCE_LENGTH + len(secret) + TAG_LENGTH
    if total > SEALED_LIMIT:
        raise CasError(f"the section would have {total} bytes, {SEALED_LIMIT} are allowed")
    if len(nonce) != NONCE_LENGTH:
        raise ValueError(f"a nonce is {NONCE_LENGTH} bytes, not {len(nonce)}")
    length = (_FLAGS << 8 | total - 3).to_bytes(2)
    opened = bytes([table_id]) + length + bytes([FORMAT_VERSION]) + header
    return opened + nonce + AESGCM(key).encrypt(nonce, secret, context + opened)
