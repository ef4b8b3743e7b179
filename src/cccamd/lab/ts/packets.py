"""Transport stream packets: 188 bytes each, found again after garbage.

Source: ISO/IEC 13818-1 section 2.4.3.
"""

from dataclasses import dataclass
from enum import IntEnum

from cccamd.errors import CccamdError

PACKET_LENGTH = 188
PACKET_HEADER_LENGTH = 4
SYNC_BYTE = 0x47

_HAS_ADAPTATION = 0x20
_HAS_PAYLOAD = 0x10
_HAS_PCR = 0x10
_PCR_LENGTH = 6

PCR_HZ = 90_000
"""Ticks per second of what `Packet.pcr` gives (the 27 MHz extension is left out)."""
PCR_MODULUS = 1 << 33


class TsError(CccamdError):
    """Bytes that are not what a transport stream may hold."""


class Parity(IntEnum):
    """Which control word a packet is scrambled with: its two scrambling control bits."""

    EVEN = 0b10
    ODD = 0b11

    @property
    def other(self) -> "Parity":
        """The parity of the crypto periods before and after."""
        return Parity(self ^ 1)


@dataclass(frozen=True, slots=True)
class Packet:
    """A view of one packet; any kind of buffer, exactly `PACKET_LENGTH` bytes."""

    raw: bytes | bytearray | memoryview

    @property
    def pid(self) -> int:
        """13-bit packet id: what stream of the multiplex this belongs to."""
        return (self.raw[1] & 0x1F) << 8 | self.raw[2]

    @property
    def unit_start(self) -> bool:
        """Whether a PES packet starts with the payload, or a section inside it."""
        return bool(self.raw[1] & 0x40)

    @property
    def parity(self) -> Parity | None:
        """The parity of a scrambled packet; None: in the clear (or the reserved value)."""
        control = self.raw[3] >> 6
        return Parity(control) if control >= Parity.EVEN else None

    @property
    def continuity(self) -> int:
        """4-bit counter of the packets with payload on this PID."""
        return self.raw[3] & 0x0F

    @property
    def payload_offset(self) -> int:
        """Where the payload begins; `PACKET_LENGTH` when there is none."""
        flags = self.raw[3]
        if not flags & _HAS_PAYLOAD:
            return PACKET_LENGTH
        if not flags & _HAS_ADAPTATION:
            return PACKET_HEADER_LENGTH
        return min(PACKET_HEADER_LENGTH + 1 + self.raw[4], PACKET_LENGTH)

    @property
    def payload(self) -> bytes:
        """A copy of the payload, empty when there is none."""
        return bytes(self.raw[self.payload_offset :])

    @property
    def pcr(self) -> int | None:
        """The program clock this packet carries, in ticks of `PCR_HZ`; None: it carries none."""
        if not self.raw[3] & _HAS_ADAPTATION:
            return None
        if self.raw[4] < 1 + _PCR_LENGTH or not self.raw[5] & _HAS_PCR:
            return None
        return int.from_bytes(self.raw[6:11]) >> 7


class PacketReader:
    """Cuts a byte stream into packets; skips what is between them and counts it."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._in_sync = True
        self.skipped = 0
        """Bytes thrown away so far because no packet began with them."""

    def feed(self, chunk: bytes) -> list[Packet]:
        """Take some bytes of the stream, return the packets completed by them."""
        self._buffer += chunk
        packets = []
        position = 0
        while len(self._buffer) - position >= PACKET_LENGTH:
            if self._buffer[position] != SYNC_BYTE:
                self._in_sync = False
            if not self._in_sync:
                found = self._find_sync(position)
                self.skipped += found - position
                position = found
                if not self._in_sync:
                    break
            end = position + PACKET_LENGTH
            packets.append(Packet(bytes(self._buffer[position:end])))
            position = end
        del self._buffer[:position]
        return packets

    def _find_sync(self, position: int) -> int:
        """The first place not ruled out; sync is regained where two packets in a row begin."""
        while (position := self._buffer.find(SYNC_BYTE, position)) >= 0:
            following = position + PACKET_LENGTH
            if following >= len(self._buffer):
                return position
            if self._buffer[following] == SYNC_BYTE:
                self._in_sync = True
                return position
            position += 1
        return len(self._buffer)
