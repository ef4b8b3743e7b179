"""dvbapi messages, both ways: written and read in every version and cutting, and as recorded."""

from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_ca_pmt import ca_pmts

from cccamd.ids import Caid, Ident, Sid
from cccamd.wire.dvbapi import (
    CA_PMT_LIMIT,
    CAT,
    ECM_ANY,
    ECM_EVEN,
    ECM_ODD,
    NO_INDEX,
    PAT,
    Algorithm,
    Channel,
    ClientInfo,
    ClientMessage,
    ClientReader,
    EcmInfo,
    FilterData,
    FramingError,
    MessageIgnored,
    Parity,
    SectionIgnored,
    SectionMatch,
    ServerInfo,
    ServerMessage,
    ServerReader,
    SetDescrambler,
    SetFilter,
    SetMode,
    SetPid,
    Stop,
    StopFilter,
    serialize_for_client,
    serialize_for_server,
    serialize_server_info,
)
from dvbapi_sessions import DVBAPI_SESSIONS, DvbapiSession

VERSIONS = range(4)
CW = bytes.fromhex("415372064cb5b5b6")


def pieces(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    at = 0
    for size in sizes:
        yield data[at : at + size]
        at += size
    yield data[at:]


small = st.integers(0, 255)
pids = st.integers(0, 0x1FFF)
u32 = st.integers(0, 2**32 - 1)
texts = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=15)
matches = st.binary(min_size=16, max_size=16).flatmap(
    lambda value: st.builds(SectionMatch, st.just(value), st.binary(min_size=16, max_size=16))
)
server_messages = st.one_of(
    st.builds(SetFilter, small, small, pids, matches),
    st.builds(StopFilter, small, small, pids),
    st.builds(SetPid, pids, st.integers(-1, 127)),
    st.builds(
        SetDescrambler,
        st.integers(0, 127),
        st.sampled_from(Parity),
        st.binary(min_size=8, max_size=8),
    ),
    st.builds(SetMode, st.integers(0, 127), st.sampled_from(Algorithm), st.booleans()),
    st.builds(
        EcmInfo,
        service=st.integers(0, 0xFFFF).map(Sid),
        caid=st.integers(0, 0xFFFF).map(Caid),
        pid=pids,
        ident=u32.map(Ident),
        milliseconds=u32,
        system=texts,
        reader=texts,
        source=texts,
        protocol=texts,
        hops=small,
    ),
)
sections = st.builds(
    lambda table, body: bytes((table,)) + (0x7000 | len(body)).to_bytes(2) + body,
    small,
    st.binary(min_size=4, max_size=300),
)
client_messages = st.one_of(
    st.builds(ClientInfo, st.integers(1, 2), texts),
    st.builds(Stop, small),
    st.builds(FilterData, small, small, sections),
    ca_pmts,
)
cuts = st.lists(st.integers(0, 40), max_size=12)
channels = st.builds(Channel, small, u32)


@given(st.lists(st.tuples(channels, server_messages), max_size=5), st.sampled_from(VERSIONS), cuts)
def test_what_a_server_says_is_read(
    said: list[tuple[Channel, ServerMessage]], version: int, sizes: list[int]
) -> None:
    data = b"".join(serialize_for_client(one, channel, version) for channel, one in said)
    reader = ServerReader(version)
    read = [found for piece in pieces(data, sizes) for found in reader.messages(piece)]
    if version < 3:
        said = [(Channel(channel.adapter), one) for channel, one in said]
    assert read == said


@given(st.lists(st.tuples(u32, client_messages), max_size=5), st.sampled_from(VERSIONS), cuts)
def test_what_a_client_says_is_read(
    said: list[tuple[int, ClientMessage]], version: int, sizes: list[int]
) -> None:
    if version == 3:  # nobody changes the version within a connection but by an introduction
        said = [(0, one) if isinstance(one, ClientInfo) else (number, one) for number, one in said]
        said = [(number, one) for number, one in said if not isinstance(one, ClientInfo)]
    else:
        said = [(0, one) for _, one in said]
    hello = [(0, ClientInfo(version, "lab"))] if version else []
    data = b"".join(
        serialize_for_server(one, version, number)
        if not isinstance(one, ClientInfo)
        else serialize_for_server(one, version)
        for number, one in said
    )
    data = b"".join(serialize_for_server(one, 0) for _, one in hello) + data
    reader = ClientReader()
    read = [found for piece in pieces(data, sizes) for found in reader.messages(piece)]
    assert read == hello + said


@given(st.binary(max_size=300), cuts, st.sampled_from(VERSIONS))
def test_any_bytes_are_cut_or_end_it(data: bytes, sizes: list[int], version: int) -> None:
    reader = ClientReader()
    if version:
        list(reader.messages(serialize_for_server(ClientInfo(version, ""), 0)))
    with suppress(FramingError):
        for piece in pieces(data, sizes):
            list(reader.messages(piece))


@pytest.mark.parametrize("session", DVBAPI_SESSIONS, ids=[one.name for one in DVBAPI_SESSIONS])
def test_recorded_servers_are_read_and_written_as_recorded(session: DvbapiSession) -> None:
    """Byte by byte, but for the timeout of a filter, which says nothing."""
    reader = ServerReader(session.version)
    for frame in session.sent_by("server"):
        ((channel, message),) = reader.messages(frame.wire)
        if isinstance(message, ServerInfo):
            again = serialize_server_info(message, session.version)
            assert frame.wire.startswith(again) or message.text.endswith(";")
            continue
        again = serialize_for_client(message, channel, session.version)
        if isinstance(message, SetFilter):
            assert (len(again), again[-1 if session.version else -4]) == (len(frame.wire), 4)
            assert again[:-8] == frame.wire[:-8]
        else:
            assert again == frame.wire, frame.meaning


@pytest.mark.parametrize("session", DVBAPI_SESSIONS, ids=[one.name for one in DVBAPI_SESSIONS])
def test_recorded_clients_are_read_in_any_pieces(session: DvbapiSession) -> None:
    whole, single = ClientReader(), ClientReader()
    for frame in session.sent_by("client"):
        (read,) = whole.messages(frame.wire)
        assert [one for byte in frame.wire for one in single.messages(bytes((byte,)))] == [read]
        assert meaning_of(*read) in frame.meaning, frame.meaning
    together = ClientReader()
    everything = b"".join(frame.wire for frame in session.sent_by("client"))
    assert len(list(together.messages(everything))) == len(session.sent_by("client"))


def meaning_of(message_id: int, message: object) -> str:
    """The beginning of what the recording says of a message."""
    mark = f"[message id {message_id}] " if message_id else ""
    match message:
        case ClientInfo(version, text):
            return f"{mark}CLIENT_INFO version {version}, '{text}'"
        case Stop(number):
            return f"{mark}stop, demux {number:#x}"
        case FilterData(demux, number, section):
            shape = f"section {section[0]:#x}, {len(section)} bytes"
            return f"{mark}FILTER_DATA demux {demux} filter {number}: {shape}"
    assert hasattr(message, "list_management"), message
    return f"{mark}CA_PMT {message.list_management.name.lower()}, service {message.service:#x}"


@pytest.mark.parametrize(
    ("version", "sizes"),
    [(0, [67, 9, 13, 21, 17]), (1, [65, 9, 13, 21, 17]), (2, [65, 9, 13, 21, 17])],
)
def test_sizes(version: int, sizes: list[int]) -> None:
    messages = [
        SetFilter(0, 0, 0x110, ECM_ANY),
        StopFilter(0, 0, 0x110),
        SetPid(0x101, -1),
        SetDescrambler(0, Parity.ODD, CW),
        SetMode(0, Algorithm.DVB_CSA, chained=True),
    ]
    assert [len(serialize_for_client(one, Channel(), version)) for one in messages] == sizes


@pytest.mark.parametrize(
    ("message", "body"),
    [
        (SetPid(0x101, NO_INDEX), "40086f87 05 00000101 ffffffff"),
        (SetPid(0x101, 3), "40086f87 05 00000101 00000003"),
        (StopFilter(1, 2, 0x110), "00006f2a 05 01 02 0110"),
        (SetDescrambler(3, Parity.ODD, CW), "40106f86 05 00000003 00000001 415372064cb5b5b6"),
        (SetMode(3, Algorithm.DVB_CSA, chained=True), "400c6f88 05 00000003 00000000 00000001"),
        (SetMode(3, Algorithm.DES), "400c6f88 05 00000003 00000001 00000000"),
        (SetMode(3, Algorithm.AES_128), "400c6f88 05 00000003 00000002 00000000"),
        (SetMode(3, Algorithm.CSA_VARIANT), "400c6f88 05 00000003 00000003 00000000"),
        (
            SetFilter(1, 2, 0x110, ECM_ANY),
            f"403c6f2b 05 01 02 0110 80{30 * '0'} f0{30 * '0'} {32 * '0'} 00000000 00000004",
        ),
    ],
)
def test_every_byte_of_a_message(message: ServerMessage, body: str) -> None:
    assert serialize_for_client(message, Channel(5, 9), 2) == bytes.fromhex(body)
    marked = bytes.fromhex("a500000009") + bytes.fromhex(body)
    assert serialize_for_client(message, Channel(5, 9), 3) == marked


def test_a_client_without_a_message_id_says_zero() -> None:
    assert serialize_for_server(Stop(7), 3) == bytes.fromhex("a500000000 9f803f 04 83020007")
    assert serialize_for_server(Stop(7), 2) == bytes.fromhex("9f803f 04 83020007")


def test_a_cw_is_in_no_text() -> None:
    assert CW.hex() not in repr(SetDescrambler(0, Parity.EVEN, CW))
    assert repr(CW) not in repr(SetDescrambler(0, Parity.EVEN, CW))


def test_texts_for_people_are_short_and_one_line() -> None:
    info = EcmInfo(
        service=Sid(1),
        caid=Caid(0x7F00),
        pid=0x110,
        ident=Ident(0),
        milliseconds=1 << 40,
        system="first\r\nsecond",
        reader="ä" * 40,
        source="\N{SATELLITE ANTENNA}" * 16,
        hops=300,
    )
    ((_, read),) = ServerReader(2).messages(serialize_for_client(info, Channel(), 2))
    assert isinstance(read, EcmInfo)
    assert (read.system, read.reader) == ("first  second", "ä" * 31)
    assert (read.source, read.protocol) == ("\N{SATELLITE ANTENNA}" * 15, "")
    assert (read.milliseconds, read.hops) == (2**32 - 1, 255)


@pytest.mark.parametrize(
    ("match", "section", "passes"),
    [
        (ECM_ANY, "80700400", True),
        (ECM_ANY, "8170ff00", True),
        (ECM_ANY, "7f700400", False),
        (ECM_EVEN, "81700400", False),
        (ECM_ODD, "81700400", True),
        (CAT, "01b00900", True),
        (PAT, "00b00900", True),
        (PAT, "", False),
        (SectionMatch(b"\x82\x05", b"\xff\xff"), "82ffff05", True),  # the length is skipped
        (SectionMatch(b"\x82\x05", b"\xff\xff"), "82050506", False),
        (SectionMatch(b"\x82\x05", b"\xff\xff"), "827000", False),
        (SectionMatch(b"\x82\xf5", b"\xff\x0f"), "82ffff25", True),
        # The serial in bytes 4 to 7 of the filter meets bytes 6 to 9 of the section.
        (
            SectionMatch(b"\x82\0\0\0\1\2\3\4", b"\xff\0\0\0\xff\xff\xff\xff"),
            "82700a00000001020304",
            True,
        ),
        (SectionMatch(b"", b""), "ff", True),
    ],
)
def test_which_sections_a_filter_lets_through(
    match: SectionMatch, section: str, passes: bool
) -> None:
    assert match.matches(bytes.fromhex(section)) is passes


@pytest.mark.parametrize(("value", "mask"), [(bytes(17), bytes(17)), (b"\x80", b"")])
def test_a_filter_has_sixteen_bytes(value: bytes, mask: bytes) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        SectionMatch(value, mask)


def test_half_a_cw_has_eight_bytes() -> None:
    with pytest.raises(ValueError, match="8 bytes, not 16"):
        SetDescrambler(0, Parity.EVEN, CW + CW)


BODY = "03 0101 01 0001 01"


@pytest.mark.parametrize("length", ["07", "8107", "820007", "8400000007"])
def test_every_form_of_a_length(length: str) -> None:
    ((_, pmt),) = ClientReader().messages(bytes.fromhex(f"9f8032 {length} {BODY}"))
    assert getattr(pmt, "service", None) == 0x101


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"GET / HTTP/1.1\r\n", "47455420"),
        (bytes.fromhex("9f803001"), "no operation of a client"),
        (bytes.fromhex("ffff0002"), "no operation of a client"),
        (bytes.fromhex("a500000001"), "no operation of a client"),
        (bytes.fromhex("9f803280"), "a length of 0 bytes"),
        (bytes.fromhex("9f803285"), "a length of 5 bytes"),
        (bytes.fromhex("9f8032") + b"\x82" + (CA_PMT_LIMIT + 1).to_bytes(2), "are the most"),
    ],
)
def test_what_has_no_length_ends_the_stream(data: bytes, words: str) -> None:
    reader = ClientReader()
    before = serialize_for_server(Stop(1), 0)
    messages = reader.messages(before + data)
    assert next(messages) == (0, Stop(1))
    with pytest.raises(FramingError, match=words):
        next(messages)


@pytest.mark.parametrize(
    ("version", "data", "words"),
    [
        (2, "40186f89 00", "40186f89, which is no operation of a server"),
        (0, "00 40086f87", "876f0840, which is no operation of a server"),
        (3, "40086f87 00", "40086f8700, where a message begins with a5"),
        (2, "40106f86 00 00000000 00000002 0000000000000000", "a parity 2"),
        (2, "400c6f88 00 00000000 00000004 00000001", "a cipher 4"),
    ],
)
def test_a_server_that_cannot_be_understood(version: int, data: str, words: str) -> None:
    with pytest.raises(FramingError, match=words):
        list(ServerReader(version).messages(bytes.fromhex(data)))


def test_a_ca_pmt_of_the_greatest_length() -> None:
    body = bytes.fromhex("03 0101 01 0001 01") + bytes(CA_PMT_LIMIT - 7)
    wire = bytes.fromhex("9f803282") + len(body).to_bytes(2) + body
    ((_, pmt),) = ClientReader().messages(wire)
    assert getattr(pmt, "service", None) == 0x101


@pytest.mark.parametrize(
    ("data", "ignored"),
    [
        ("9f8032 03 030101", MessageIgnored),
        ("9f803f 04 84020001", MessageIgnored),
        ("9f803f 02 8302", MessageIgnored),
        ("ffff0000 0000 807003 010203", SectionIgnored),
        ("ffff0000 0102 807000", SectionIgnored),
    ],
)
def test_what_has_a_length_and_no_sense_is_passed_over(data: str, ignored: type) -> None:
    after = serialize_for_server(Stop(7), 0)
    first, second = ClientReader().messages(bytes.fromhex(data) + after)
    assert isinstance(first[1], ignored)
    assert str(first[1]).endswith("ignored") or "ignored:" in str(first[1])
    assert second == (0, Stop(7))


def test_a_section_of_full_length() -> None:
    section = bytes.fromhex("80ffff") + bytes(4095)
    assert len(section) == 4098
    wire = serialize_for_server(FilterData(1, 2, section), 2)
    assert list(ClientReader().messages(wire)) == [(0, FilterData(1, 2, section))]


def test_numbers_above_three_are_version_three() -> None:
    reader = ClientReader()
    said = serialize_for_server(ClientInfo(9, "lab"), 0) + serialize_for_server(Stop(1), 9, 77)
    assert list(reader.messages(said)) == [(0, ClientInfo(9, "lab")), (77, Stop(1))]
    assert list(reader.messages(serialize_for_server(Stop(2), 2))) == [(0, Stop(2))]
