"""Compares what a receiver made, bit for bit, with what was scrambled."""

from enum import Enum

from cccamd.lab.demo.scrambler import Multiplex
from cccamd.lab.ts import PACKET_LENGTH


class Seen(Enum):
    """What became of a packet that was sent scrambled."""

    CLEAR = "clear"
    """Every bit as before scrambling."""
    DARK = "dark"
    """Every bit as it was sent: nobody had the control word."""
    WRONG = "wrong"
    """Anything else."""


class Comparison:
    """Fed with both streams as they come; keeps only what the receiver still owes."""

    def __init__(self) -> None:
        self._clear = bytearray()
        self._scrambled = bytearray()
        self.counts = dict.fromkeys(Seen, 0)
        """Of the packets that were sent scrambled; a damaged one of the others is WRONG too."""
        self.stretches: list[Seen] = []
        """What a viewer saw one after the other."""

    @property
    def owed(self) -> int:
        """Packets sent and not received yet."""
        return len(self._clear) // PACKET_LENGTH

    @property
    def is_identical(self) -> bool:
        """Whether the receiver's stream is the clear stream, bit for bit, up to its end."""
        return not self.owed and not self.counts[Seen.DARK] and not self.counts[Seen.WRONG]

    def sent(self, multiplex: Multiplex) -> None:
        """Take what went out."""
        self._clear += multiplex.clear
        self._scrambled += multiplex.scrambled

    def received(self, packets: bytes) -> None:
        """Take what the receiver made of it."""
        for start in range(0, len(packets), PACKET_LENGTH):
            end = start + PACKET_LENGTH
            self._compare(packets[start:end], self._clear[start:end], self._scrambled[start:end])
        del self._clear[: len(packets)]
        del self._scrambled[: len(packets)]

    def _compare(self, packet: bytes, clear: bytearray, scrambled: bytearray) -> None:
        if packet == clear == scrambled:
            return
        if packet == clear:
            seen = Seen.CLEAR
        elif packet == scrambled:
            seen = Seen.DARK
        else:
            seen = Seen.WRONG
        self.counts[seen] += 1
        if self.stretches[-1:] != [seen]:
            self.stretches.append(seen)
