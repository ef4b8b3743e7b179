"""Finds what concerns one CA system in a stream: PAT -> PMT -> ECMs, and CAT -> EMMs."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cccamd.ids import Caid, Sid
from cccamd.lab.ts import (
    CAT_PID,
    PAT_PID,
    CaDescriptor,
    Cat,
    Packet,
    Pat,
    Pmt,
    SectionReader,
    TsError,
)
from cccamd.values import ECM_TABLE_IDS, EMM_TABLE_IDS


@dataclass(frozen=True, slots=True, kw_only=True)
class EcmFound:
    """A new ECM came: ask for its control words, and give them to `Receiver.answer`."""

    number: int
    """Counts from 1."""
    caid: Caid
    sid: Sid
    ecm: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class EmmFound:
    """An EMM came: pass it on to the card, which knows whether it is meant."""

    caid: Caid
    emm: bytes


Found = EcmFound | EmmFound


class Tuner:
    """Watches a stream with one service: its ECMs for `caid`, and all EMMs for `caid`."""

    def __init__(self, caid: Caid) -> None:
        self._caid = caid
        self._watched: dict[int, tuple[SectionReader, Callable[[bytes], Found | None]]] = {}
        self.pmt: Pmt | None = None
        """Of the service, once it was found."""
        self._sid = Sid(0)
        self._ecm_table_id: int | None = None
        self._ecm_count = 0
        self._watch(PAT_PID, self._read_pat)
        self._watch(CAT_PID, self._read_cat)

    def feed(self, packet: Packet) -> list[Found]:
        """Look at one packet; return the messages completed by it."""
        if packet.pid not in self._watched:
            return []
        reader, read = self._watched[packet.pid]
        found = []
        for section in reader.feed(packet):
            try:
                found.append(read(section))
            except TsError:
                # Damaged, or another table on the same PID: a table is sent again soon.
                continue
        return [message for message in found if message]

    def _watch(self, pid: int, read: Callable[[bytes], Found | None]) -> None:
        self._watched.setdefault(pid, (SectionReader(), read))

    def _read_pat(self, section: bytes) -> None:
        for program in Pat.parse(section).programs:
            if program.number:
                self._watch(program.pmt_pid, self._read_pmt)

    def _read_cat(self, section: bytes) -> None:
        for ca in self._ours(Cat.parse(section).ca_descriptors):
            self._watch(ca.pid, self._read_emm)

    def _read_pmt(self, section: bytes) -> None:
        pmt = Pmt.parse(section)
        for ca in self._ours(pmt.ca_descriptors):
            self.pmt, self._sid = pmt, Sid(pmt.program)
            self._watch(ca.pid, self._read_ecm)

    def _ours(self, descriptors: Iterable[CaDescriptor]) -> list[CaDescriptor]:
        return [ca for ca in descriptors if ca.caid == self._caid]

    def _read_ecm(self, section: bytes) -> EcmFound | None:
        """The table id toggles when the ECM is a new one; until then it is a repetition."""
        if section[0] not in ECM_TABLE_IDS or section[0] == self._ecm_table_id:
            return None
        self._ecm_table_id = section[0]
        self._ecm_count += 1
        return EcmFound(number=self._ecm_count, caid=self._caid, sid=self._sid, ecm=section)

    def _read_emm(self, section: bytes) -> EmmFound | None:
        if section[0] not in EMM_TABLE_IDS:
            return None
        return EmmFound(caid=self._caid, emm=section)
