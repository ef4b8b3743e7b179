"""What the tests of the demonstration share: a stream made by hand, and a scrambler for it."""

import asyncio
import io
import os
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from cccamd.ids import Caid, Sid
from cccamd.lab.cas import CardKeys, CasError, decode, learn
from cccamd.lab.demo.broadcast import Broadcast
from cccamd.lab.demo.receiver import Receiver
from cccamd.lab.demo.scrambler import CaSettings, CwPeriod, Scrambler
from cccamd.lab.demo.subscription import Subscription
from cccamd.lab.ts import PACKET_LENGTH, PCR_HZ, ElementaryStream, Pat, Pmt, Program, SectionWriter
from cccamd.values import ControlWords

CAID = Caid(0x7F00)
SID = 0x0017
PMT_PID, VIDEO_PID, AUDIO_PID = 0x1000, 0x100, 0x101
PICTURES_PER_SECOND = 25
PACKETS_PER_PICTURE = 5


def _packet(pid: int, count: int, *, start: bool = False, field: bytes = b"") -> bytes:
    head = (pid | (0x4000 if start else 0)).to_bytes(2)
    head += bytes([(0x30 if field else 0x10) | count & 0x0F]) + field
    return b"\x47" + head + (bytes.fromhex("000001E0000080C00A") if start else b"")


def _pcr_field(seconds: float) -> bytes:
    base = int(seconds * PCR_HZ) << 7 | 0x7E
    return b"\x07\x10" + base.to_bytes(5) + b"\0"


def make_stream(seconds: float, *, first_pcr: float = 0.0) -> bytes:
    """Pictures full of noise, with tables five times a second."""
    noise = random.Random(17)
    pat_writer, pmt_writer = SectionWriter(0), SectionWriter(PMT_PID)
    pat = Pat(transport_stream_id=1, version=0, programs=(Program(SID, PMT_PID),))
    streams = tuple(
        ElementaryStream(stream_type=kind, pid=pid) for kind, pid in ((2, 0x100), (3, 0x101))
    )
    pmt = Pmt(program=SID, version=0, pcr_pid=VIDEO_PID, streams=streams)
    packets: list[bytes] = []
    for picture in range(int(seconds * PICTURES_PER_SECOND)):
        if picture % 5 == 0:
            packets += [bytes(p.raw) for p in pat_writer.packetise(pat.serialize())]
            packets += [bytes(p.raw) for p in pmt_writer.packetise(pmt.serialize())]
        pcr = _pcr_field((first_pcr + picture / PICTURES_PER_SECOND) % ((1 << 33) / PCR_HZ))
        count = picture * PACKETS_PER_PICTURE
        packets.append(_packet(VIDEO_PID, count, start=True, field=pcr))
        packets += [_packet(VIDEO_PID, count + i) for i in range(1, PACKETS_PER_PICTURE)]
        packets.append(_packet(AUDIO_PID, picture, start=True))
    return b"".join(p + noise.randbytes(PACKET_LENGTH - len(p)) for p in packets)


class KnownScrambler(Scrambler):
    """Scrambles with CWs that the test can look up by the ECM."""

    def __init__(self, *, period: float = 0.5, seed: int = 1) -> None:
        settings = CaSettings(caid=CAID, ecm_pid=0x300, emm_pid=0x301, period=period)
        super().__init__(
            settings, make_ecm=self._make_ecm, random_bytes=random.Random(seed).randbytes
        )
        self.control_words: dict[bytes, ControlWords] = {}
        """By ECM, in the order of the crypto periods."""

    def _make_ecm(self, period: CwPeriod, *, sid: Sid) -> bytes:
        body = sid.to_bytes(2) + period.number.to_bytes(4)
        ecm = bytes([0x80 | period.number & 1, 0x70, len(body)]) + body
        self.control_words[ecm] = period.control_words
        return ecm


class CardAtHand:
    """Decodes like the server's card, after `delay` seconds."""

    def __init__(self, keys: CardKeys, *, delay: float = 0.0) -> None:
        self.keys = keys
        self.delay = delay

    async def ask(self, ecm: bytes, *, caid: Caid, sid: Sid) -> ControlWords | None:
        await asyncio.sleep(self.delay)
        try:
            return decode(self.keys, ecm, sid=sid, now=datetime.now(UTC))
        except CasError:
            return None

    async def send_emm(self, emm: bytes, *, caid: Caid) -> None:
        self.keys = learn(self.keys, emm)


class Studio:
    """Everything but the stream."""

    def __init__(self, *, paid: bool = True, delay: float = 0.0) -> None:
        tomorrow = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
        self.subscription = Subscription(CAID, expires=tomorrow)
        self.card = CardAtHand(self.subscription.make_card(paid=paid), delay=delay)
        settings = CaSettings(caid=CAID, ecm_pid=0x300, emm_pid=0x301, period=0.5)
        self.scrambler = Scrambler(
            settings, make_ecm=self.subscription.make_ecm, random_bytes=os.urandom
        )
        self.scrambled, self.clear = io.BytesIO(), io.BytesIO()
        self.done: list[float] = []
        self.broadcast = Broadcast(
            self.scrambler,
            Receiver(CAID),
            self.card,
            scrambled_file=self.scrambled,
            clear_file=self.clear,
        )

    async def at(self, done: float) -> None:
        self.done.append(done)


@pytest.fixture(scope="session")
def stream() -> bytes:
    """Three seconds: 75 pictures, 480 packets."""
    return make_stream(3.0)


@pytest.fixture(scope="session")
def stream_of() -> Callable[..., bytes]:
    """Makes a stream of so many seconds; `first_pcr` is where its clock begins, in seconds."""
    return make_stream


@pytest.fixture
def scrambler() -> KnownScrambler:
    """Six crypto periods in the three seconds of `stream`."""
    return KnownScrambler()


@pytest.fixture(scope="session")
def known() -> Callable[..., KnownScrambler]:
    """Makes scramblers; those with the same seed use the same CWs."""
    return KnownScrambler


@pytest.fixture(scope="session")
def open_studio() -> type[Studio]:
    """Makes a broadcast ready to run."""
    return Studio
