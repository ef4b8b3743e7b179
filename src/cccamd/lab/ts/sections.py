"""Sections: the tables and messages that travel in packets beside picture and sound.

Source: ISO/IEC 13818-1 section 2.4.4. ECMs and EMMs are sections too, without the
long header and without CRC.
"""

from dataclasses import dataclass
from typing import Self

from cccamd.lab.ts.packets import PACKET_HEADER_LENGTH, PACKET_LENGTH, SYNC_BYTE, Packet, TsError

SHORT_HEADER_LENGTH = 3
LONG_HEADER_LENGTH = 8
CRC_LENGTH = 4
LONG_SECTION_LIMIT = 1024
"""Most bytes of a PAT or PMT section, everything counted (section_length <= 1021)."""

_STUFFING = 0xFF
_PAYLOAD_LENGTH = PACKET_LENGTH - PACKET_HEADER_LENGTH
_CRC_POLYNOMIAL = 0x04C11DB7


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1) ^ (_CRC_POLYNOMIAL if value & 0x80000000 else 0)
        table.append(value & 0xFFFFFFFF)
    return tuple(table)


_CRC_TABLE = _crc_table()


def crc32_mpeg2(data: bytes) -> int:
    """Compute the CRC of MPEG-2 sections; 0 over a whole section means it is sound."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc << 8) & 0xFFFFFFFF ^ _CRC_TABLE[crc >> 24 ^ byte]
    return crc


@dataclass(frozen=True, slots=True, kw_only=True)
class LongSection:
    """A section with the long header and a CRC, as PAT and PMT have it."""

    table_id: int
    extension: int
    """Transport stream id in a PAT, program number in a PMT."""
    version: int
    current: bool = True
    """False: announces what will be valid later."""
    number: int = 0
    last_number: int = 0
    body: bytes

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read one section.

        Raises:
            TsError: it is cut short, or damaged, or has no long header.
        """
        if len(raw) < LONG_HEADER_LENGTH + CRC_LENGTH or not raw[1] & 0x80:
            raise TsError("a section without the long header")
        if len(raw) != section_length(raw) or crc32_mpeg2(raw):
            raise TsError(f"a damaged section of table {raw[0]:02X}")
        return cls(
            table_id=raw[0],
            extension=int.from_bytes(raw[3:5]),
            version=raw[5] >> 1 & 0x1F,
            current=bool(raw[5] & 1),
            number=raw[6],
            last_number=raw[7],
            body=raw[LONG_HEADER_LENGTH:-CRC_LENGTH],
        )

    def serialize(self) -> bytes:
        """Build the section with its CRC.

        Raises:
            TsError: it got longer than a section may be.
        """
        length = LONG_HEADER_LENGTH + len(self.body) + CRC_LENGTH
        if length > LONG_SECTION_LIMIT:
            raise TsError(f"a section of {length} bytes; at most {LONG_SECTION_LIMIT} fit")
        head = bytes([self.table_id])
        head += (0xB000 | length - SHORT_HEADER_LENGTH).to_bytes(2)
        head += self.extension.to_bytes(2)
        head += bytes([0xC0 | self.version << 1 | self.current, self.number, self.last_number])
        return head + self.body + crc32_mpeg2(head + self.body).to_bytes(CRC_LENGTH)


def section_length(head: bytes | bytearray) -> int:
    """How many bytes the section that begins with these (three at least) has."""
    return SHORT_HEADER_LENGTH + ((head[1] & 0x0F) << 8 | head[2])


class SectionReader:
    """Puts together the sections of one PID. Feed it that PID's packets only."""

    def __init__(self) -> None:
        self._continuity: int | None = None
        self._partial: bytearray | None = None

    def feed(self, packet: Packet) -> list[bytes]:
        """Take one packet, return the sections completed by it.

        A section with a lost packet is dropped; scrambled packets are ignored.
        """
        payload = packet.payload
        if not payload or packet.parity is not None or self._is_repeated(packet):
            return []
        if not packet.unit_start:
            return self._append(payload)
        start = 1 + payload[0]
        sections = self._append(payload[1:start])
        self._partial = bytearray()
        return sections + self._append(payload[start:])

    def _is_repeated(self, packet: Packet) -> bool:
        """Check the counter: a packet may be sent twice, a gap spoils what was begun."""
        before, self._continuity = self._continuity, packet.continuity
        if before is not None and packet.continuity != (before + 1) & 0x0F:
            if packet.continuity == before:
                return True
            self._partial = None
        return False

    def _append(self, data: bytes) -> list[bytes]:
        sections: list[bytes] = []
        if self._partial is None:
            return sections
        partial = self._partial + data
        while len(partial) >= SHORT_HEADER_LENGTH and partial[0] != _STUFFING:
            end = section_length(partial)
            if len(partial) < end:
                break
            sections.append(bytes(partial[:end]))
            del partial[:end]
        # Whatever follows stuffing is stuffing, up to the next start.
        self._partial = None if partial[:1] == bytes([_STUFFING]) else partial
        return sections


class SectionWriter:
    """Cuts sections into packets of one PID and keeps its continuity counter."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._continuity = 0

    def packetise(self, section: bytes) -> list[Packet]:
        """Return the packets that carry one section; the last one is filled with stuffing."""
        data = b"\0" + section
        return [
            self._packet(data[i : i + _PAYLOAD_LENGTH], unit_start=i == 0)
            for i in range(0, len(data), _PAYLOAD_LENGTH)
        ]

    def _packet(self, payload: bytes, *, unit_start: bool) -> Packet:
        pid = self.pid | (0x4000 if unit_start else 0)
        head = bytes([SYNC_BYTE]) + pid.to_bytes(2) + bytes([0x10 | self._continuity])
        self._continuity = (self._continuity + 1) & 0x0F
        return Packet(head + payload.ljust(_PAYLOAD_LENGTH, bytes([_STUFFING])))
