"""Scramble and descramble whole packets: payload and scrambling control bits together."""

from collections.abc import Collection, Iterator, Mapping

from cccamd.lab.ts.csa import CsaKey, Span
from cccamd.lab.ts.packets import PACKET_LENGTH, Packet, Parity

_CONTROL_BYTE = 3
_CONTROL_SHIFT = 6
_CLEAR_MASK = 0x3F


def scramble(packets: bytearray, key: CsaKey, *, parity: Parity, pids: Collection[int]) -> int:
    """Scramble in place the packets of `pids` that have a payload; return how many."""
    spans = []
    for start, packet in _packets(packets):
        if packet.pid in pids and packet.payload_offset < PACKET_LENGTH:
            spans.append(_payload_span(start, packet))
            packets[start + _CONTROL_BYTE] |= parity << _CONTROL_SHIFT
    key.scramble(packets, spans)
    return len(spans)


def descramble(packets: bytearray, keys: Mapping[Parity, CsaKey]) -> int:
    """Descramble in place the packets whose key is there, leave the rest; return how many."""
    spans: dict[Parity, list[Span]] = {parity: [] for parity in keys}
    for start, packet in _packets(packets):
        parity = packet.parity
        if parity in spans:
            spans[parity].append(_payload_span(start, packet))
            packets[start + _CONTROL_BYTE] &= _CLEAR_MASK
    for parity, key in keys.items():
        key.descramble(packets, spans[parity])
    return sum(map(len, spans.values()))


def _packets(packets: bytearray) -> Iterator[tuple[int, Packet]]:
    view = memoryview(packets)
    for start in range(0, len(packets), PACKET_LENGTH):
        yield start, Packet(view[start : start + PACKET_LENGTH])


def _payload_span(start: int, packet: Packet) -> Span:
    offset = packet.payload_offset
    return start + offset, PACKET_LENGTH - offset
