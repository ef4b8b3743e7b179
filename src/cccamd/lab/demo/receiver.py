"""The viewer's side: descramble a service with the CWs that its ECMs give.

Whoever owns a `Receiver` has a card asked about the ECMs it finds, and brings the answers.
Packets that wait for an answer are held back, so their order never changes.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from cccamd.ids import Caid
from cccamd.lab.demo.tuner import EcmFound, Found, Tuner
from cccamd.lab.ts import PACKET_LENGTH, CsaKey, Packet, PacketReader, Parity, Pmt, descramble
from cccamd.values import ControlWords

HELD_LIMIT = 16_384
"""Packets held back at most: 3 MB, some 5 s of a standard definition service."""

_PES_START = b"\0\0\1"
_SMALLEST_SCRAMBLED = 8


@dataclass(slots=True)
class _Segment:
    """The packets from the first sight of one ECM to the first sight of the next."""

    number: int
    """Of that ECM; 0 before the first."""
    held: bytearray = field(default_factory=bytearray)
    scrambled: dict[Parity, int] = field(default_factory=dict)
    """How many of the packets held are scrambled."""
    samples: dict[Parity, bytes] = field(default_factory=dict)
    """The first packets that start a PES packet, whose first three bytes are known."""
    keys: dict[Parity, CsaKey] = field(default_factory=dict)
    """Those that opened a sample."""

    def add(self, packet: Packet) -> None:
        self.held += packet.raw
        parity = packet.parity
        if parity is None:
            return
        self.scrambled[parity] = self.scrambled.get(parity, 0) + 1
        length = PACKET_LENGTH - packet.payload_offset
        if packet.unit_start and length >= _SMALLEST_SCRAMBLED:
            self.samples.setdefault(parity, bytes(packet.raw))

    def opens(self, parity: Parity, key: CsaKey) -> bool:
        """Whether the key fits: a wrong one gives the known bytes once in 16 million times."""
        sample = bytearray(self.samples[parity])
        descramble(sample, {parity: key})
        return Packet(sample).payload.startswith(_PES_START)


class Receiver:
    """Descrambles a stream with one service that is scrambled for `caid`.

    Each ECM holds the CWs of its own crypto period and of the next one. So what follows ECM n
    is descrambled with the answer to ECM n or to ECM n - 1: in time, even if an answer takes
    a whole period. A CW that does not fit is not used: its packets leave as they came, dark.
    """

    def __init__(self, caid: Caid, *, held_limit: int = HELD_LIMIT) -> None:
        self._held_limit = held_limit * PACKET_LENGTH
        self._packets = PacketReader()
        self._tuner = Tuner(caid)
        self._segments = deque([_Segment(0)])
        self._answers: dict[int, ControlWords | None] = {}
        self._ready = bytearray()
        self.packets = 0
        """Packets received."""
        self.descrambled = 0
        """Packets that came scrambled and left clear."""
        self.dark = 0
        """Packets that left scrambled."""

    @property
    def pmt(self) -> Pmt | None:
        """What the service consists of; None before that was found."""
        return self._tuner.pmt

    def feed(self, chunk: bytes) -> list[Found]:
        """Take some of the stream, return the new ECMs and EMMs in it."""
        messages: list[Found] = []
        for packet in self._packets.feed(chunk):
            self.packets += 1
            for message in self._tuner.feed(packet):
                messages.append(message)
                if isinstance(message, EcmFound):
                    self._segments.append(_Segment(message.number))
            self._segments[-1].add(packet)
        self._release()
        return messages

    def answer(self, number: int, control_words: ControlWords | None) -> None:
        """Bring the answer to an ECM, early or late; None: it was refused."""
        self._answers[number] = control_words
        self._release()

    def take(self) -> bytes:
        """Return the packets that are ready, in the order they came."""
        ready = bytes(self._ready)
        self._ready.clear()
        return ready

    def finish(self) -> None:
        """The stream has ended: what waits for an answer leaves now."""
        while self._release_first():
            pass

    def _held(self) -> int:
        return sum(len(segment.held) for segment in self._segments)

    def _release(self) -> None:
        while self._is_decided(self._segments[0]) or self._held() > self._held_limit:
            if not self._release_first():
                return

    def _is_decided(self, segment: _Segment) -> bool:
        """Whether for every packet held it is known that there is a key or there is none."""
        return all(
            self._find_key(segment, parity) or self._is_hopeless(segment, parity)
            for parity in segment.scrambled
        )

    def _find_key(self, segment: _Segment, parity: Parity) -> bool:
        """Fill `segment.keys` if an answer fits."""
        if parity in segment.keys:
            return True
        if parity not in segment.samples:
            return False
        for cw in self._candidates(segment, parity):
            key = CsaKey(cw)
            if segment.opens(parity, key):
                segment.keys[parity] = key
                return True
        return False

    def _candidates(self, segment: _Segment, parity: Parity) -> Iterator[bytes]:
        for number in (segment.number, segment.number - 1):
            control_words = self._answers.get(number)
            if control_words is not None:
                yield control_words.even if parity is Parity.EVEN else control_words.odd

    def _is_hopeless(self, segment: _Segment, parity: Parity) -> bool:
        """Whether neither an answer nor a packet that is still to come can help."""
        if segment.number == 0:
            return True
        ended = segment is not self._segments[-1]
        answered = segment.number in self._answers
        return answered and (ended or parity in segment.samples)

    def _release_first(self) -> bool:
        """Let go of the first segment's packets; return whether another segment is next."""
        segment = self._segments[0]
        clear = descramble(segment.held, segment.keys)
        self.descrambled += clear
        self.dark += sum(segment.scrambled.values()) - clear
        self._ready += segment.held
        segment.held.clear()
        segment.scrambled.clear()
        if len(self._segments) == 1:
            return False
        self._segments.popleft()
        for number in [n for n in self._answers if n < self._segments[0].number - 1]:
            del self._answers[number]
        return True
