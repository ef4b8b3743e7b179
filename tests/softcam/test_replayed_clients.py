"""The recorded clients at our protocol object and our softcam, in the time of the recording.

Compared is what the client would have: the keys of each service after each ECM that the recorded
server answered. Numbers, repetitions and filters are our own; where the recorded server lost the
picture, ours must not.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import pytest
from dvbreceiver import BY, Cards

from cccamd.ids import Caid, Ident
from cccamd.softcam import (
    Ask,
    House,
    RemovePid,
    SetFilter,
    SetHalf,
    SetPid,
    Softcam,
    StopFilter,
    TellEcm,
)
from cccamd.values import ControlWords
from cccamd.wire import dvbapi
from cccamd.wire.dvbapi import (
    CaPmt,
    Channel,
    ClientIntroduced,
    ClientReader,
    DvbapiServer,
    EcmInfo,
    FilterData,
    Parity,
    SectionMatch,
    SectionReceived,
    ServerMessage,
    ServerReader,
    ServiceListed,
    Stopped,
)
from dvbapi_sessions import DVBAPI_SESSIONS, DvbapiSession, Frame

TV_CAID: Final = Caid(0x7F00)
ANSWER_TIME = 0.05
BY_NAME = {one.name: one for one in DVBAPI_SESSIONS}


@dataclass
class Box:
    """What a client has been told, by whatever server."""

    filters: dict[tuple[int, int], tuple[int, int, SectionMatch]] = field(default_factory=dict)
    indices: dict[tuple[int, int], int] = field(default_factory=dict)
    keys: dict[tuple[int, Parity], bytes] = field(default_factory=dict)
    told: list[ServerMessage] = field(default_factory=list)

    def take(self, channel: Channel, message: object) -> None:
        match message:
            case dvbapi.SetFilter(demux, number, pid, match_):
                self.filters[demux, number] = channel.adapter, pid, match_
            case dvbapi.StopFilter(demux, number, _):
                self.filters.pop((demux, number), None)
            case dvbapi.SetPid(pid, dvbapi.NO_INDEX):
                self.indices.pop((channel.adapter, pid), None)
            case dvbapi.SetPid(pid, index):
                self.indices[channel.adapter, pid] = index
            case dvbapi.SetDescrambler(index, parity, cw):
                self.keys[index, parity] = cw

    def find(self, adapter: int, pid: int, section: bytes) -> tuple[int, int] | None:
        """A filter that lets a section through."""
        return next(
            (
                handle
                for handle, (its_adapter, its_pid, match) in self.filters.items()
                if (its_adapter, its_pid) == (adapter, pid) and match.matches(section)
            ),
            None,
        )

    def ecm_pids(self, adapter: int = 0) -> set[int]:
        return {pid for its_adapter, pid, _ in self.filters.values() if its_adapter == adapter}

    def pair(self, adapter: int, pid: int) -> bytes:
        """The keys of a stream."""
        index = self.indices[adapter, pid]
        return self.keys[index, Parity.EVEN] + self.keys[index, Parity.ODD]


@dataclass(frozen=True)
class Answer:
    """What an ECM brought in the recording."""

    at: float
    adapter: int
    pids: frozenset[int]
    cw: bytes


def answers_in(session: DvbapiSession) -> dict[bytes, Answer]:
    """The keys that the recorded client had after each ECM that was answered."""
    box, found = Box(), dict[bytes, Answer]()
    waiting: dict[int, bytes] = {}
    server, client = ServerReader(session.version), ClientReader()
    for frame in session.frames:
        if frame.sender == "client":
            for _, message in client.messages(frame.wire):
                if isinstance(message, FilterData):
                    waiting[message.demux] = message.section
            continue
        for channel, message in server.messages(frame.wire):
            box.take(channel, message)
            if isinstance(message, EcmInfo):
                mine = {pid for (adapter, pid), _ in box.indices.items() if adapter == channel[0]}
                demux = next(
                    demux
                    for (demux, _), (adapter, pid, _) in box.filters.items()
                    if (adapter, pid) == (channel.adapter, message.pid)
                )
                of_service = frozenset(
                    pid for pid in mine if box.indices[channel.adapter, pid] == demux
                )
                cw = box.pair(channel.adapter, min(of_service))
                found[waiting[demux]] = Answer(frame.at, channel.adapter, of_service, cw)
    return found


class Replay:
    """A recorded client at our server."""

    def __init__(self, session: DvbapiSession) -> None:
        self.session = session
        self.cards = Cards()
        self.cards.served = Cards(TV_CAID).served
        self.server = DvbapiServer(0.0)
        self.softcam = Softcam(House(prospects=self.cards))
        self.box = Box()
        self.recorded = Box()
        self.answers = answers_in(session)
        self.now = 0.0
        self.writes: list[tuple[float, list[ServerMessage]]] = []
        self.unheard: list[bytes] = []
        """ECMs that the recorded server wanted and ours did not."""
        self._due: list[tuple[float, Ask]] = []
        self._recorded_server = ServerReader(session.version)
        self._client = ClientReader()
        self._read: ServerReader | None = None

    def frames(self) -> Iterator[Frame]:
        """Go through the recording; each frame is handed out after it was done."""
        for frame in self.session.frames:
            self.wait_until(frame.at)
            if frame.sender == "server":
                for channel, message in self._recorded_server.messages(frame.wire):
                    self.recorded.take(channel, message)
            elif frame.wire:
                self._hear(frame)
            yield frame
        self.softcam.end(self.now)
        self._carry_out()

    def wait_until(self, at: float) -> None:
        while True:
            softcam = self.softcam.next_deadline()
            times = [each for each in (softcam, *(due for due, _ in self._due)) if each is not None]
            if not times or min(times) > at:
                break
            self.now = max(self.now, min(times))
            for due, ask in [each for each in self._due if each[0] <= self.now]:
                self._due.remove((due, ask))
                answer = self.answers.get(ask.request.section)
                if answer is not None:
                    cw = ControlWords(answer.cw)
                    self.softcam.answered(ask.token, cw, BY, seconds=ANSWER_TIME, now=self.now)
            self.softcam.handle_deadline(self.now)
            self._carry_out()
        self.now = max(self.now, at)

    def _hear(self, frame: Frame) -> None:
        ((message_id, message),) = self._client.messages(frame.wire)
        wire = frame.wire
        if isinstance(message, FilterData):
            adapter, pid, _ = self.recorded.filters[message.demux, message.filter]
            ours = self.box.find(adapter, pid, message.section)
            if ours is None:
                self.unheard.append(message.section)
                return
            at = wire.index(b"\xff\xff\x00\x00") + 4
            wire = wire[:at] + bytes(ours) + wire[at + 2 :]
        self.server.receive_data(wire, self.now)
        for event in self.server.events_received():
            match event:
                case ClientIntroduced(_, text):
                    self.server.introduce("cccamd")
                    self.softcam.introduced(text)
                case ServiceListed(channel, pmt):
                    assert channel.message_id == message_id
                    self.softcam.listed(channel, pmt, self.now)
                case SectionReceived(demux, number, section):
                    self.softcam.heard(demux, number, section, self.now)
                case Stopped(number):
                    self.softcam.stopped(number, self.now)
        self._carry_out()

    def _carry_out(self) -> None:
        server = self.server
        for order in self.softcam.orders():
            match order:
                case SetFilter():
                    server.set_filter(*order)
                case StopFilter():
                    server.stop_filter(*order)
                case SetPid():
                    server.set_pid(*order)
                case RemovePid():
                    server.remove_pid(*order)
                case SetHalf(channel, index, parity, cw):
                    server.set_descrambler(channel, index, parity, cw)
                case TellEcm(channel, sid, ecm, _, _):
                    info = EcmInfo(
                        service=sid, caid=ecm.caid, pid=ecm.pid, ident=Ident(0), milliseconds=1
                    )
                    server.ecm_info(channel, info)
                case Ask():
                    self._due.append((self.now + ANSWER_TIME, order))
        while data := server.data_to_send():
            self._read = self._read or ServerReader(self.session.version)
            read = list(self._read.messages(data))
            self.writes.append((self.now, [message for _, message in read]))  # type: ignore[misc]
            for channel, message in read:
                self.box.take(channel, message)


def played(name: str) -> Replay:
    replay = Replay(BY_NAME[name])
    for _ in replay.frames():
        pass
    return replay


@pytest.mark.parametrize("session", DVBAPI_SESSIONS, ids=[one.name for one in DVBAPI_SESSIONS])
def test_a_recorded_client_has_the_keys_that_it_had(session: DvbapiSession) -> None:
    replay, compared = Replay(session), set[bytes]()
    for frame in replay.frames():
        for ecm, answer in replay.answers.items():
            is_near = answer.at <= frame.at <= answer.at + 1.5
            if not is_near or ecm in compared or ecm in replay.unheard:
                continue
            replay.wait_until(answer.at + 2 * ANSWER_TIME)
            for pid in answer.pids:
                assert replay.box.pair(answer.adapter, pid) == answer.cw, frame.meaning
            compared.add(ecm)
    assert compared == set(replay.answers)
    assert compared
    is_left_behind = "not-followed" in session.name  # what came by the PID that was given up
    assert bool(replay.unheard) is is_left_behind
    assert not replay.softcam.services
    infos = [one for _, write in replay.writes for one in write if isinstance(one, EcmInfo)]
    assert bool(infos) is (session.version >= 2)


@pytest.mark.parametrize("session", DVBAPI_SESSIONS, ids=[one.name for one in DVBAPI_SESSIONS])
def test_every_service_has_its_filter_within_a_second_and_half(session: DvbapiSession) -> None:
    """At once, in fact: in the same write as anything else that its CA_PMT brings."""
    replay, reader = Replay(session), ClientReader()
    for frame in replay.frames():
        if frame.sender == "client" and frame.wire:
            for _, message in reader.messages(frame.wire):
                if isinstance(message, CaPmt) and message.command is dvbapi.Command.DECODE:
                    pids = {source.pid for source in message.sources}
                    assert replay.box.ecm_pids(message.adapter) & pids, frame.meaning


def test_another_ecm_pid_after_a_stop_is_followed_and_the_keys_bridge_it() -> None:
    """The recorded server missed the stop, set no filter, and the picture froze."""
    replay = Replay(BY_NAME["dvbapi-2-tvheadend-oscam2026-ecm-pid-change-freezes"])
    last = b""
    for frame in replay.frames():
        if frame.meaning.startswith("stop, demux 0x0"):
            last = replay.box.keys[0, Parity.EVEN] + replay.box.keys[0, Parity.ODD]
            assert replay.box.ecm_pids() == set()
            replay.box.keys.clear()
        elif frame.sender == "client" and "ECM PID 0x111" in frame.meaning:
            assert replay.box.ecm_pids() == {0x111}
            assert replay.box.pair(0, 0x101) == replay.box.pair(0, 0x102) == last


def test_an_update_with_another_ecm_pid_is_followed_without_a_gap() -> None:
    replay = Replay(BY_NAME["dvbapi-2-script-oscam2026-update-not-followed"])
    updates = 0
    for frame in replay.frames():
        if "CA_PMT update" not in frame.meaning:
            continue
        updates += 1
        if updates < 3:
            assert replay.box.ecm_pids() == {0x111}
            assert replay.box.pair(0, 0x101) == replay.box.pair(0, 0x102)
        if updates == 1:
            changes = [type(one).__name__ for one in replay.writes[-1][1]]
            assert changes[:2] == ["SetFilter", "StopFilter"], "the new one first"
        if updates == 2:
            assert replay.box.pair(0, 0x103) == replay.box.pair(0, 0x101), "a stream more"
    assert updates == 3
    assert (replay.box.filters, replay.box.indices) == ({}, {})


def test_a_constant_cw_is_sent_so_often_that_no_key_gets_too_old() -> None:
    """tvheadend went black 12 s after the recorded server had sent its only CW."""
    replay = played("dvbapi-2-tvheadend-oscam2026-constant-cw-freezes")
    sent = [
        at
        for at, write in replay.writes
        if sum(isinstance(one, dvbapi.SetDescrambler) for one in write) == 2
    ]
    gaps = [later - before for before, later in pairwise(sent)]
    assert max(gaps) <= 10.1
    assert max(gap for gap, at in zip(gaps, sent[1:], strict=True) if at > 12.5) <= 2.1
    assert sent[-1] > 21.0
    assert {len(write) for at, write in replay.writes if at in sent[3:]} <= {2, 3}


def test_services_with_equal_pids_do_not_meet() -> None:
    for version in (1, 2, 3):
        replay = Replay(BY_NAME[f"dvbapi-{version}-script-oscam2026-two"])
        for frame in replay.frames():
            if frame.meaning.endswith("stop, demux 0x1"):
                assert replay.box.ecm_pids(1) == set()
                assert replay.box.ecm_pids(0) == {0x110}, "the other one goes on"
                assert {adapter for adapter, _ in replay.box.indices} == {0}
        assert {adapter for adapter, _ in replay.box.indices} <= {0}


def test_the_same_list_again_says_nothing() -> None:
    """tvheadend repeats its whole list whenever another service comes or goes."""
    replay = Replay(BY_NAME["dvbapi-2-tvheadend-oscam2026-two"])
    seen = repeated = 0
    for frame in replay.frames():
        if "CA_PMT last, service 0x101" in frame.meaning:
            repeated += 1
            assert len(replay.writes) == seen
        seen = len(replay.writes)
    assert repeated == 1
