"""The EMM of the open test CAS: commands to one card, to a group of cards, or to all.

Source: docs/open-cas.md section 5.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum

from cccamd.ids import Caid
from cccamd.lab.cas.section import KEY_LENGTH, CasError, Section, parse_section, seal_section

SERIAL_LENGTH = 8


class Addressee(IntEnum):
    """Whom an EMM is for; the value is its table id."""

    CARD = 0x82
    GROUP = 0x83
    ALL = 0x84


ADDRESS_LENGTHS = {Addressee.CARD: 8, Addressee.GROUP: 4, Addressee.ALL: 0}
_HEADER_LENGTHS = {int(to): length + SERIAL_LENGTH for to, length in ADDRESS_LENGTHS.items()}


class _Code(IntEnum):
    SET_KEY = 1
    REVOKE_KEY = 2


_KEY_ID_LENGTH = 2
_EXPIRY_LENGTH = 4
_COMMAND_LENGTHS = {
    _Code.SET_KEY: 1 + _KEY_ID_LENGTH + _EXPIRY_LENGTH + KEY_LENGTH,
    _Code.REVOKE_KEY: 1 + _KEY_ID_LENGTH,
}


@dataclass(frozen=True, slots=True)
class SetKey:
    """Add a service key, or renew it: its bytes, its last moment, or both."""

    key_id: int
    key: bytes = field(repr=False)
    expires: datetime
    """Aware, whole seconds, 1970 to 2106."""

    def serialize(self) -> bytes:
        """Write code, key id, expiry in seconds since 1970 UTC, key."""
        expires = int(self.expires.timestamp()).to_bytes(_EXPIRY_LENGTH)
        return bytes([_Code.SET_KEY]) + self.key_id.to_bytes(2) + expires + self.key


@dataclass(frozen=True, slots=True)
class RevokeKey:
    """Take a service key away."""

    key_id: int

    def serialize(self) -> bytes:
        """Write code, key id."""
        return bytes([_Code.REVOKE_KEY]) + self.key_id.to_bytes(2)


KeyCommand = SetKey | RevokeKey


@dataclass(frozen=True, slots=True)
class EmmHeader:
    """What an EMM says in the clear."""

    to: Addressee
    address: bytes
    """The UA (8 bytes), the SA (4 bytes), or nothing."""
    serial: int
    """Grows with every EMM under one management key: 64 bits."""


@dataclass(frozen=True, slots=True)
class SealedEmm:
    """An EMM that was read, and not opened yet."""

    header: EmmHeader
    section: Section

    def unseal(self, key: bytes, *, caid: Caid) -> tuple[KeyCommand, ...]:
        """Open it with the management key of its addressee; all commands are sound, or none.

        Raises:
            CasError: not authentic, or a command that this format version does not know.
        """
        return _parse_commands(self.section.unseal(key, context=_context(caid)))


def parse_sealed_emm(raw: bytes) -> SealedEmm:
    """Read an EMM section.

    Raises:
        CasError: it is none of this system.
    """
    section = parse_section(raw, header_lengths=_HEADER_LENGTHS)
    address, serial = section.header[:-SERIAL_LENGTH], section.header[-SERIAL_LENGTH:]
    header = EmmHeader(Addressee(section.table_id), address, int.from_bytes(serial))
    return SealedEmm(header, section)


def seal_emm(
    header: EmmHeader, commands: tuple[KeyCommand, ...], *, caid: Caid, key: bytes, nonce: bytes
) -> bytes:
    """Build an EMM section. `nonce`: 12 fresh random bytes.

    Raises:
        CasError: too many commands for one section.
    """
    return seal_section(
        header.to,
        header.address + header.serial.to_bytes(SERIAL_LENGTH),
        b"".join(command.serialize() for command in commands),
        key=key,
        nonce=nonce,
        context=_context(caid),
    )


def _context(caid: Caid) -> bytes:
    return b"cccamd open EMM" + caid.to_bytes(2)


def _parse_commands(raw: bytes) -> tuple[KeyCommand, ...]:
    commands: list[KeyCommand] = []
    position = 0
    while position < len(raw):
        length = _command_length(raw[position])
        if position + length > len(raw):
            raise CasError("the last command is cut off")
        commands.append(_parse_command(raw[position : position + length]))
        position += length
    if not commands:
        raise CasError("no command in it")
    return tuple(commands)


def _command_length(code: int) -> int:
    try:
        return _COMMAND_LENGTHS[_Code(code)]
    except ValueError:
        raise CasError(f"unknown command {code:02X}") from None


def _parse_command(raw: bytes) -> KeyCommand:
    key_id = int.from_bytes(raw[1:3])
    if raw[0] == _Code.REVOKE_KEY:
        return RevokeKey(key_id)
    expires = datetime.fromtimestamp(int.from_bytes(raw[3:7]), UTC)
    return SetKey(key_id, raw[7:], expires)
