"""What programs and OSCam said to each other, with our softcam in OSCam's place.

Compared by meaning: numbers, filters of one parity and repeated halves are the server's own.
"""

import pytest
from dvbreceiver import Cards, Receiver

from cccamd.softcam import SetHalf
from cccamd.values import ControlWords
from cccamd.wire.dvbapi import (
    ClientInfo,
    ClientReader,
    Command,
    EcmInfo,
    FilterData,
    Parity,
    ServerReader,
    SetDescrambler,
    SetFilter,
    SetPid,
    Stop,
)
from dvbapi_sessions import DVBAPI_SESSIONS, DvbapiSession

NAMES = [session.name for session in DVBAPI_SESSIONS]


class Recorded:
    """What OSCam had told the client, up to a frame."""

    def __init__(self, session: DvbapiSession) -> None:
        self._reader = ServerReader(session.version)
        self.filters: dict[tuple[int, int], tuple[int, int]] = {}
        self._indices: dict[int, int] = {}
        self._keys: dict[int, dict[Parity, bytes]] = {}
        self.asked: dict[tuple[int, int], bytes] = {}
        """The last ECM of each adapter and PID."""
        self.words: dict[bytes, ControlWords] = {}

    def take(self, wire: bytes) -> None:
        for channel, message in self._reader.messages(wire):
            match message:
                case SetFilter(demux, number, pid, _):
                    self.filters[demux, number] = channel.adapter, pid
                case SetPid(_, index) if index >= 0:
                    self._indices[channel.adapter] = index
                case SetDescrambler(index, parity, cw):
                    self._keys.setdefault(index, {})[parity] = cw
                    self._indices[channel.adapter] = index
                case EcmInfo():
                    section = self.asked.get((channel.adapter, message.pid))
                    keys = self._keys.get(self._indices.get(channel.adapter, -1), {})
                    if section is not None and len(keys) == len(Parity):
                        cw = ControlWords(keys[Parity.EVEN] + keys[Parity.ODD])
                        self.words.setdefault(section, cw)


@pytest.mark.parametrize("session", DVBAPI_SESSIONS, ids=NAMES)
def test_a_recorded_client_gets_the_recorded_words(session: DvbapiSession) -> None:
    words = dict(_first_look(session).words)
    recorded, reader, opened = Recorded(session), ClientReader(), 0
    receiver = Receiver(Cards(*range(1, 0x10000)))
    start = receiver.now
    for frame in session.frames:
        receiver.wait(max(0.0, start + frame.at - receiver.now))
        if not frame.wire:
            receiver.softcam.end(receiver.now)
        elif frame.sender == "server":
            recorded.take(frame.wire)
        else:
            for message_id, message in reader.messages(frame.wire):
                opened += _say(receiver, recorded, words, message)
                assert message_id >= 0
    assert opened >= len(words) // 2, "most ECMs came through our filters"
    assert opened > 0


def _first_look(session: DvbapiSession) -> Recorded:
    recorded, reader = Recorded(session), ClientReader()
    for frame in session.frames:
        if frame.sender == "server" and frame.wire:
            recorded.take(frame.wire)
        elif frame.wire:
            for _, message in reader.messages(frame.wire):
                if isinstance(message, FilterData):
                    _note(recorded, message)
    return recorded


def _note(recorded: Recorded, message: FilterData) -> tuple[int, int] | None:
    place = recorded.filters.get((message.demux, message.filter))
    if place is not None:
        recorded.asked[place] = message.section
    return place


def _say(
    receiver: Receiver, recorded: Recorded, words: dict[bytes, ControlWords], message: object
) -> int:
    """Pass a message on; how many ECMs were answered for it."""
    match message:
        case ClientInfo(_, text):
            receiver.softcam.introduced(text)
        case Stop(number):
            receiver.stop(number)
        case FilterData():
            place = _note(recorded, message)
            for (demux, number), (adapter, pid, match) in list(receiver.filters.items()):
                if (adapter, pid) == place and match.matches(message.section):
                    receiver.softcam.heard(demux, number, message.section, receiver.now)
            receiver.obey()
            return _answer(receiver, words)
        case _:
            receiver.say(message)  # type: ignore[arg-type]
    return 0


def _answer(receiver: Receiver, words: dict[bytes, ControlWords]) -> int:
    opened = 0
    for token, ask in list(receiver.asks.items()):
        cw = words.get(ask.request.section)
        if cw is None:
            continue
        told = receiver.answer(cw, token)
        halves = {each.parity: each.cw for each in told if isinstance(each, SetHalf)}
        for parity, half in ((Parity.EVEN, cw.even), (Parity.ODD, cw.odd)):
            assert halves.get(parity, half) == half
        assert halves
        opened += 1
    return opened


@pytest.mark.parametrize("name", [name for name in NAMES if "ecm-pid" in name or "update" in name])
def test_the_ecm_pid_of_the_last_list_is_asked_where_oscam_froze(name: str) -> None:
    (session,) = [one for one in DVBAPI_SESSIONS if one.name == name]
    receiver, reader, pids = Receiver(Cards(*range(1, 0x10000))), ClientReader(), set()
    for frame in session.sent_by("client"):
        for _, message in reader.messages(frame.wire):
            if isinstance(message, Stop):
                receiver.stop(message.number)
            elif not isinstance(message, FilterData | ClientInfo):
                receiver.say(message)  # type: ignore[arg-type]
                pids = {source.pid for source in message.sources}  # type: ignore[union-attr]
                wanted = message.command is Command.DECODE  # type: ignore[union-attr]
                assert not wanted or set(receiver.ecm_pids) & pids, "a filter at once"
    assert pids
