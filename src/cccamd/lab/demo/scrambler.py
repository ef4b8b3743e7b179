"""The broadcaster's side: scramble a service, send ECMs and EMMs along with it.

A scrambler knows the control words, because it makes them up. For every crypto period it
puts the current and the next one into an ECM, sealed for those who may watch, and repeats
that ECM many times a second for receivers that are switched on in between.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from cccamd.errors import CccamdError
from cccamd.ids import Caid, Sid
from cccamd.lab.ts import (
    CAT_PID,
    PAT_PID,
    PCR_HZ,
    PCR_MODULUS,
    PMT_TABLE_ID,
    CaDescriptor,
    Cat,
    CsaKey,
    Packet,
    PacketReader,
    Parity,
    Pat,
    Pmt,
    SectionReader,
    SectionWriter,
    scramble,
)
from cccamd.values import HALF_LENGTH, ControlWords, with_checksums

ECM_INTERVAL = 0.1
"""Seconds of stream between repetitions of an ECM: broadcasters take 0.1 to 0.2."""


@dataclass(frozen=True, slots=True, repr=False)
class CwPeriod:
    """The time for which one CW is in force, and what is announced in it."""

    number: int
    """Counts from 0."""
    cw: bytes
    next_cw: bytes

    @property
    def parity(self) -> Parity:
        """How the packets of this period are marked."""
        return Parity.ODD if self.number % 2 else Parity.EVEN

    @property
    def control_words(self) -> ControlWords:
        """The current and the next CW, each in the half of its parity."""
        if self.parity is Parity.EVEN:
            return ControlWords(self.cw + self.next_cw)
        return ControlWords(self.next_cw + self.cw)


class MakeEcm(Protocol):
    """Seals the control words of a period: the CA system behind a scrambler."""

    def __call__(self, period: CwPeriod, *, sid: Sid) -> bytes:
        """Return one section: of table 80 in even periods, of table 81 in odd ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaSettings:
    """What a scrambler tells receivers about its CA system. The PIDs must be unused so far."""

    caid: Caid
    ecm_pid: int
    emm_pid: int
    period: float
    """Length of a crypto period in seconds of stream time."""


@dataclass(frozen=True, slots=True)
class Multiplex:
    """The same packets twice."""

    clear: bytes
    """As they were before scrambling: what a receiver must arrive at."""
    scrambled: bytes
    """As they are sent."""


class Scrambler:
    """Scrambles the only service of a stream; chunks of any size in, packets out.

    `random_bytes` gives as many bytes as it is asked for.
    """

    def __init__(
        self, settings: CaSettings, *, make_ecm: MakeEcm, random_bytes: Callable[[int], bytes]
    ) -> None:
        self._settings = settings
        self._make_ecm = make_ecm
        self._random_bytes = random_bytes

        self._packets = PacketReader()
        self._pat_reader = SectionReader()
        self._pmt_reader = SectionReader()
        self._pmt_writer: SectionWriter | None = None
        self._cat_writer = SectionWriter(CAT_PID)
        self._ecm_writer = SectionWriter(settings.ecm_pid)
        self._emm_writer = SectionWriter(settings.emm_pid)

        self._pmt: Pmt | None = None
        self.period: CwPeriod | None = None
        """The one in force; None until the service was found."""
        self._key: CsaKey | None = None
        self._ecm = b""
        self._clock = _StreamClock()
        self._period_ends_at = settings.period
        self._ecm_due_at = 0.0

        self._run = bytearray()
        self._clear = bytearray()
        self._scrambled = bytearray()

    def feed(self, chunk: bytes) -> Multiplex:
        """Take some of the clear stream, return what is to be sent.

        Raises:
            CccamdError: the stream is scrambled already, or its tables are damaged.
        """
        for packet in self._packets.feed(chunk):
            if packet.parity is not None:
                raise CccamdError("the stream given to the scrambler is scrambled already")
            self._take(packet)
        self._flush()
        done = Multiplex(bytes(self._clear), bytes(self._scrambled))
        self._clear.clear()
        self._scrambled.clear()
        return done

    def send_emm(self, emm: bytes) -> None:
        """Send an EMM with the packets of the next `feed`."""
        self._send(self._emm_writer, emm)

    def _take(self, packet: Packet) -> None:
        if self._pmt_writer and packet.pid == self._pmt_writer.pid:
            self._rewrite_pmt(packet, self._pmt_writer)
            return
        if self._pmt and packet.pid == self._pmt.pcr_pid:
            self._keep_time(packet, self._pmt)
        self._run += packet.raw
        if packet.pid == PAT_PID:
            self._read_pat(packet)

    def _read_pat(self, packet: Packet) -> None:
        """Learn where the PMT is, and let a CAT go along with the PAT."""
        for section in self._pat_reader.feed(packet):
            pid = next((p.pmt_pid for p in Pat.parse(section).programs if p.number), None)
            if pid is not None and self._pmt_writer is None:
                self._pmt_writer = SectionWriter(pid)
            ca = CaDescriptor(caid=self._settings.caid, pid=self._settings.emm_pid)
            cat = Cat(version=0, descriptors=(ca.to_descriptor(),))
            self._send(self._cat_writer, cat.serialize())

    def _rewrite_pmt(self, packet: Packet, writer: SectionWriter) -> None:
        """Replace the packets of the PMT by those of one that names our ECMs."""
        ca = CaDescriptor(caid=self._settings.caid, pid=self._settings.ecm_pid)
        for section in self._pmt_reader.feed(packet):
            if section[0] != PMT_TABLE_ID:
                self._send(writer, section)
                continue
            pmt = Pmt.parse(section)
            self._pmt = replace(pmt, descriptors=(*pmt.descriptors, ca.to_descriptor()))
            self._send(writer, self._pmt.serialize())
            if self.period is None:
                self._begin_period(self._pmt)

    def _keep_time(self, packet: Packet, pmt: Pmt) -> None:
        """Begin a crypto period, or repeat the ECM, when the stream has come that far.

        A period begins with the start of a picture: then the first packet scrambled with a
        new CW is one by which a receiver can tell whether it has the right one.
        """
        elapsed = self._clock.read(packet)
        if elapsed >= self._period_ends_at and packet.unit_start:
            self._period_ends_at += self._settings.period
            self._begin_period(pmt)
        elif elapsed >= self._ecm_due_at:
            self._send_ecm()

    def _begin_period(self, pmt: Pmt) -> None:
        self._flush()
        before = self.period
        self.period = CwPeriod(
            number=before.number + 1 if before else 0,
            cw=before.next_cw if before else self._new_cw(),
            next_cw=self._new_cw(),
        )
        self._key = CsaKey(self.period.cw)
        self._ecm = self._make_ecm(self.period, sid=Sid(pmt.program))
        self._send_ecm()

    def _new_cw(self) -> bytes:
        return with_checksums(self._random_bytes(HALF_LENGTH))

    def _send_ecm(self) -> None:
        self._ecm_due_at = self._clock.elapsed + ECM_INTERVAL
        self._send(self._ecm_writer, self._ecm)

    def _send(self, writer: SectionWriter, section: bytes) -> None:
        for packet in writer.packetise(section):
            self._run += packet.raw

    def _flush(self) -> None:
        """Scramble what gathered since the last time; all of it belongs to one period."""
        self._clear += self._run
        if self._pmt and self.period and self._key:
            pids = {stream.pid for stream in self._pmt.streams}
            scramble(self._run, self._key, parity=self.period.parity, pids=pids)
        self._scrambled += self._run
        self._run.clear()


class _StreamClock:
    """Time as the stream tells it, by the PCR in its packets."""

    def __init__(self) -> None:
        self._first: int | None = None
        self.elapsed = 0.0
        """Seconds of stream since the first PCR."""

    def read(self, packet: Packet) -> float:
        """Take a packet that may carry a PCR; return the time."""
        pcr = packet.pcr
        if pcr is not None:
            self._first = pcr if self._first is None else self._first
            self.elapsed = (pcr - self._first) % PCR_MODULUS / PCR_HZ
        return self.elapsed
