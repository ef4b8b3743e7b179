"""Our side of dvbapi: what it tells, what it says to whom, and how it ends."""

from dataclasses import replace

import pytest

from cccamd.ids import Caid, Ident, Sid
from cccamd.values import ECM_TABLE_IDS
from cccamd.wire.dvbapi import (
    ALL_SERVICES,
    ECM_ANY,
    FIRST_WORD_TIMEOUT,
    NO_INDEX,
    WRITE_LIMIT,
    Algorithm,
    CaDescriptor,
    CaPmt,
    Channel,
    ClientInfo,
    ClientIntroduced,
    ClientMessage,
    Command,
    DvbapiEvent,
    DvbapiServer,
    EcmInfo,
    FilterData,
    ListManagement,
    LocalDemuxExpected,
    LocalDemuxProgram,
    MessageIgnored,
    Parity,
    SectionIgnored,
    SectionReceived,
    ServerInfo,
    ServerMessage,
    ServerReader,
    ServiceListed,
    SetDescrambler,
    SetFilter,
    SetMode,
    SetPid,
    Stop,
    StopFilter,
    Stopped,
    Stream,
    serialize_for_client,
    serialize_for_server,
)
from cccamd.wire.link import Closed, CloseReason, Loss, Remark, State
from dvbapi_sessions import DVBAPI_SESSIONS, DvbapiSession

SERVICE = CaPmt(
    service=Sid(0x101),
    adapter=5,
    descriptors=(CaDescriptor(Caid(0x7F00), 0x110),),
    streams=(Stream(0x1B, 0x101), Stream(0x0F, 0x102)),
)
SECTION = bytes.fromhex("80700401020304")
CW = bytes.fromhex("415372064cb5b5b6")
INFO = EcmInfo(service=Sid(0x101), caid=Caid(0x7F00), pid=0x110, ident=Ident(0), milliseconds=3)
TEXT = "cccamd test"
VERSIONS = range(4)
LONG = 90 * "x"
LONGEST: list[ServerMessage] = [
    replace(INFO, system=LONG, reader=LONG, source=LONG, protocol=LONG),
    SetFilter(0, 0, 0x110, ECM_ANY),
]


def hear(
    server: DvbapiServer, *said: ClientMessage, version: int = 2, message_id: int = 0
) -> list[DvbapiEvent]:
    data = b"".join(serialize_for_server(one, version, message_id) for one in said)
    server.receive_data(data, 1.0)
    return server.events_received()


def introduced(version: int = 2, text: str = "lab/client") -> DvbapiServer:
    server = DvbapiServer(0.0)
    assert hear(server, ClientInfo(version, text))[-1] == ClientIntroduced(version, text)
    server.introduce(TEXT)
    server.data_to_send()
    return server


def read(server: DvbapiServer) -> list[tuple[Channel, ServerMessage | ServerInfo]]:
    return list(ServerReader(server.version).messages(server.data_to_send()))


@pytest.mark.parametrize(("version", "said"), [(1, 1), (2, 2), (3, 3), (7, 3)])
def test_the_version_is_the_client_s(version: int, said: int) -> None:
    server = DvbapiServer(0.0)
    hear(server, ClientInfo(version, "lab"))
    assert (server.version, server.state) == (version, State.OPEN)
    server.introduce(TEXT)
    assert read(server) == [(Channel(), ServerInfo(said, TEXT))]


def test_server_info_stands_alone() -> None:
    """tvheadend sends its first CA_PMT together with CLIENT_INFO; the rest comes at once."""
    server = DvbapiServer(0.0)
    channel = Channel(5)
    told = hear(server, ClientInfo(2, "Tvheadend 4.3"), SERVICE)
    assert told == [ClientIntroduced(2, "Tvheadend 4.3"), ServiceListed(channel, SERVICE)]
    server.introduce(TEXT)
    server.set_filter(channel, 0, 0, 0x110, ECM_ANY)
    server.set_pid(channel, 0x101, 0)
    assert read(server) == [(Channel(), ServerInfo(2, TEXT))]
    assert server.next_deadline() == 1.0
    server.handle_deadline(1.0)
    assert [type(one) for _, one in read(server)] == [SetFilter, SetPid]
    assert server.next_deadline() is None
    assert server.data_to_send() == b""


def test_a_second_introduction_comes_behind_what_was_said() -> None:
    server = introduced()
    server.set_pid(Channel(5), 0x101, 0)
    hear(server, ClientInfo(2, "again"))
    server.introduce(TEXT)
    assert [type(one) for _, one in read(server)] == [SetPid]
    assert [type(one) for _, one in read(server)] == [ServerInfo]


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_more_than_a_segment_is_cut_between_messages(version: int) -> None:
    """Over a network a longer write comes in two parts, and minisatip drops half a message."""
    server = introduced(version) if version else DvbapiServer(0.0)
    for number in range(100):
        server.set_filter(Channel(5), number, 0, 0x110, ECM_ANY)
    writes = []
    while data := server.data_to_send():
        writes.append(data)
    assert 1000 < max(map(len, writes)) <= WRITE_LIMIT
    found = [list(ServerReader(version).messages(data)) for data in writes]
    demuxes = [one.demux for write in found for _, one in write if isinstance(one, SetFilter)]
    assert demuxes == list(range(100)), "each write whole, and all in order"
    longest = max(len(serialize_for_client(one, Channel(), 3)) for one in LONGEST)
    assert longest < 400


@pytest.mark.parametrize("version", [1, 2, 3])
def test_each_message_for_a_service_is_addressed_as_its_ca_pmt_was(version: int) -> None:
    server = introduced(version)
    (listed,) = hear(server, SERVICE, version=version, message_id=77)
    assert isinstance(listed, ServiceListed)
    channel = listed.channel
    assert channel == Channel(5, 77 if version == 3 else 0)
    server.set_filter(channel, 0, 1, 0x110, ECM_ANY)
    server.set_mode(channel, 0, Algorithm.CSA_VARIANT)
    server.set_pid(channel, 0x101, 0)
    server.set_descrambler(channel, 0, Parity.EVEN, CW)
    server.ecm_info(channel, INFO)
    server.remove_pid(channel, 0x101)
    server.stop_filter(channel, 0, 1, 0x110)
    expected: list[ServerMessage] = [
        SetFilter(
            0, 1, 0x110, replace(ECM_ANY, value=b"\x80" + bytes(15), mask=b"\xf0" + bytes(15))
        ),
        SetMode(0, Algorithm.CSA_VARIANT),
        SetPid(0x101, 0),
        SetDescrambler(0, Parity.EVEN, CW),
        INFO,
        SetPid(0x101, NO_INDEX),
        StopFilter(0, 1, 0x110),
    ]
    unknown = {1: (SetMode, EcmInfo), 2: (SetMode,), 3: ()}[version]
    assert read(server) == [(channel, one) for one in expected if not isinstance(one, unknown)]


def test_sections_of_filters_that_are_not_set_are_ignored() -> None:
    server = introduced()
    data = FilterData(0, 1, SECTION)
    ignored = SectionIgnored(0, 1, len(SECTION))
    assert hear(server, data) == [ignored]
    server.set_filter(Channel(5), 0, 1, 0x110, ECM_ANY)
    assert hear(server, data, FilterData(1, 0, SECTION)) == [
        SectionReceived(0, 1, SECTION),
        SectionIgnored(1, 0, len(SECTION)),
    ]
    server.stop_filter(Channel(5), 0, 1, 0x110)
    assert hear(server, data) == [ignored], "it was under way"
    assert server.state is State.OPEN


def test_a_stop_names_a_number_or_all() -> None:
    server = introduced()
    one, every = hear(server, Stop(5), Stop(ALL_SERVICES))
    assert (one, every) == (Stopped(5), Stopped(ALL_SERVICES))
    assert isinstance(one, Stopped)
    assert isinstance(every, Stopped)
    assert (one.is_all, every.is_all) == (False, True)


def test_an_unknown_operation_ends_it_with_a_reason() -> None:
    server = introduced()
    server.set_pid(Channel(), 0x101, 0)
    server.receive_data(serialize_for_server(Stop(1), 2) + b"GET / HTTP/1.1\r\n\r\n", 2.0)
    detail = "it sent 47455420, which is no operation of a client"
    assert server.events_received() == [Closed(CloseReason.NOT_DVBAPI, detail)]
    assert (server.state, server.data_to_send()) == (State.CLOSED, b"")
    server.receive_data(serialize_for_server(Stop(1), 2), 3.0)
    server.introduce(TEXT)
    server.set_pid(Channel(), 0x101, 0)
    server.receive_eof(4.0)
    assert (server.events_received(), server.data_to_send()) == ([], b"")
    assert server.next_deadline() is None


def test_the_end_says_what_the_system_said() -> None:
    server = introduced()
    hear(server, SERVICE)
    server.receive_data(serialize_for_server(Stop(1), 2), 2.0)
    server.receive_eof(3.0, Loss(CloseReason.RESET, "reset by peer"))
    assert server.events_received() == [Closed(CloseReason.RESET, "reset by peer")]


def test_a_client_that_never_says_anything_is_given_up() -> None:
    server = DvbapiServer(10.0)
    deadline = 10.0 + FIRST_WORD_TIMEOUT
    server.receive_data(b"\xff\xff", 11.0)
    assert server.next_deadline() == deadline
    server.handle_deadline(deadline - 1)
    assert server.events_received() == []
    server.handle_deadline(deadline)
    assert server.events_received() == [Closed(CloseReason.SAID_NOTHING)]


def test_a_client_that_has_spoken_may_be_silent_for_ever() -> None:
    server = introduced()
    assert server.next_deadline() is None
    server.handle_deadline(1e9)
    assert server.state is State.OPEN


# Section 14: programs that want their softcam to read the devices.

MUMUDVB = bytes.fromhex("9f8032 82 0017 03 0101 01 000b 01 8202 0000 0904 7f00e110 1b e101 f000 00")


def everything_said_to(server: DvbapiServer, channel: Channel) -> list[type]:
    server.set_filter(channel, 0, 0, 0x110, ECM_ANY)
    server.set_pid(channel, 0x101, 0)
    server.set_mode(channel, 0, Algorithm.CSA_VARIANT)
    server.set_descrambler(channel, 0, Parity.EVEN, CW)
    server.ecm_info(channel, INFO)
    server.stop_filter(channel, 0, 0, 0x110)
    return [type(one) for _, one in read(server)]


def test_mumudvb_is_recognised_and_gets_what_it_knows() -> None:
    server = DvbapiServer(0.0)
    server.receive_data(MUMUDVB, 1.0)
    expected, listed = server.events_received()
    assert expected == LocalDemuxExpected(LocalDemuxProgram.MUMUDVB)
    assert "docs/dvbapi.md" in str(expected)
    assert isinstance(listed, ServiceListed)
    assert everything_said_to(server, listed.channel) == [SetPid, SetDescrambler]
    server.receive_data(MUMUDVB, 2.0)
    assert [type(one) for one in server.events_received()] == [ServiceListed], "said once"


def test_enigma2_is_recognised_by_its_name_or_its_descriptors() -> None:
    """On .listen it lists its services first, then says who it is, then lists them again."""
    server = DvbapiServer(0.0)
    service = replace(SERVICE, uses=1)
    told = hear(server, service, version=0)
    assert told[0] == LocalDemuxExpected(LocalDemuxProgram.ENIGMA2)
    told = hear(server, ClientInfo(3, "Enigma2"))
    assert told == [ClientIntroduced(3, "Enigma2")]
    server.introduce(TEXT)
    assert read(server) == [(Channel(), ServerInfo(3, TEXT))]
    told = hear(server, service, version=3, message_id=9)
    assert told == [ServiceListed(Channel(5, 9), service)]
    assert everything_said_to(server, Channel(5, 9)) == [SetMode, SetDescrambler, EcmInfo]


def test_enigma2_may_begin_with_its_name() -> None:
    server = DvbapiServer(0.0)
    told = hear(server, ClientInfo(3, "Enigma2"))
    expected = LocalDemuxExpected(LocalDemuxProgram.ENIGMA2)
    assert told == [expected, ClientIntroduced(3, "Enigma2")]


def test_what_makes_no_sense_is_told_and_passed_over() -> None:
    server = introduced()
    server.receive_data(bytes.fromhex("9f8032 03 030101 ffff0000 0000 807003 010203"), 1.0)
    told = server.events_received()
    assert told == [MessageIgnored("CA_PMT", "a CA_PMT of 3 bytes"), SectionIgnored(0, 0, 6)]
    assert [event.is_routine for event in told if isinstance(event, Remark)] == [False, True]
    assert server.state is State.OPEN


def test_what_was_said_before_an_introduction_is_written_once() -> None:
    server = introduced()
    server.set_pid(Channel(5), 0x101, 0)
    server.introduce(TEXT)
    server.data_to_send()
    server.data_to_send()
    assert server.data_to_send() == b""


def test_the_rest_is_due_at_the_time_of_now() -> None:
    server = DvbapiServer(0.0)
    server.handle_deadline(5.0)
    server.introduce(TEXT)
    assert server.next_deadline() == 5.0


@pytest.mark.parametrize("version", [0, 2])
def test_others_get_filters(version: int) -> None:
    """The recorded client of version 0 filters by itself; a zero byte alone is not MuMuDVB."""
    server = introduced(version) if version else DvbapiServer(0.0)
    data = MUMUDVB if version else serialize_for_server(SERVICE, 0)
    server.receive_data(data, 1.0)
    (listed,) = server.events_received()
    assert isinstance(listed, ServiceListed)
    assert SetFilter in everything_said_to(server, listed.channel)


# The recorded sessions: their clients, and a softcam that answers from the recording.


def recorded_cws(session: DvbapiSession) -> dict[bytes, list[tuple[Parity, bytes]]]:
    """The halves that followed each ECM."""
    cws: dict[bytes, list[tuple[Parity, bytes]]] = {}
    reader = ServerReader(session.version)
    ecms: dict[int, bytes] = {}
    for frame in session.frames:
        if frame.sender == "client" and "FILTER_DATA" in frame.meaning:
            section = frame.wire[frame.wire.index(b"\xff\xff\0\0") + 6 :]
            ecms[frame.wire[frame.wire.index(b"\xff\xff\0\0") + 4]] = section
        elif frame.sender == "server":
            for _, one in reader.messages(frame.wire):
                if isinstance(one, SetDescrambler):
                    cws.setdefault(ecms[one.index], []).append((one.parity, one.cw))
    return cws


@pytest.mark.parametrize("session", DVBAPI_SESSIONS, ids=[one.name for one in DVBAPI_SESSIONS])
def test_recorded_clients_get_what_they_got(session: DvbapiSession) -> None:
    """Every message of the client is one event, and each CW goes to the service it was for."""
    cws = recorded_cws(session)
    server = DvbapiServer(0.0)
    channels: dict[int, Channel] = {}
    sections: list[bytes] = []
    answered: list[tuple[int, Parity, bytes]] = []
    reader: ServerReader | None = None
    for number in range(4):  # the numbers that the recorded server gave out
        for demux in range(2):
            server.set_filter(Channel(), demux, number, 0x110, ECM_ANY)
    server.data_to_send()
    for frame in session.sent_by("client"):
        server.receive_data(frame.wire, frame.at)
        (event,) = server.events_received()
        match event:
            case ClientIntroduced():
                assert event.version == session.version
                server.introduce(TEXT)
            case ServiceListed(channel, pmt):
                if pmt.command is Command.DECODE:
                    assert isinstance(pmt.list_management, ListManagement)
                    channels[pmt.service] = channel
            case SectionReceived(demux, _, section):
                assert section[0] in ECM_TABLE_IDS
                sections.append(section)
                for parity, cw in cws.get(section, ()):
                    server.set_descrambler(
                        channels.get(0x101 + demux, Channel()), demux, parity, cw
                    )
            case Stopped():
                pass
            case _:
                pytest.fail(f"{frame.meaning}: {event}")
        reader = reader or ServerReader(server.version)
        while data := server.data_to_send():
            for _, one in reader.messages(data):
                if isinstance(one, SetDescrambler):
                    answered.append((one.index, one.parity, one.cw))
    assert {section for section in sections if section in cws} == set(cws)
    assert {cw for _, _, cw in answered} == {cw for halves in cws.values() for _, cw in halves}
    server.receive_eof(1e6)
    assert server.events_received() == [Closed(CloseReason.PEER_CLOSED)]
