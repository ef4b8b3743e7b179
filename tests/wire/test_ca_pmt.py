"""CA_PMT: every form that programs send it in, and everything that may be wrong with it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cccamd.ids import Caid, Ident, Sid
from cccamd.wire.dvbapi import (
    NO_PID,
    SOURCES_LIMIT,
    STREAMS_LIMIT,
    CaDescriptor,
    CaPmt,
    CaPmtError,
    Command,
    EcmSource,
    ListManagement,
    NetworkIds,
    ServiceId,
    Stream,
    StreamSet,
    parse_ca_pmt,
    serialize_ca_pmt,
)

pids = st.integers(0, NO_PID)
bytes_ = st.integers(0, 255)
descriptors = st.lists(
    st.builds(
        CaDescriptor,
        st.integers(1, 0xFFFF).map(Caid),
        pids,
        st.binary(max_size=40),
    ),
    max_size=6,
).map(tuple)
streams = st.builds(Stream, bytes_, pids, descriptors)
ca_pmts = st.builds(
    CaPmt,
    list_management=st.sampled_from(ListManagement),
    command=st.sampled_from(Command),
    service=st.integers(0, 0xFFFF).map(Sid),
    version=bytes_,
    adapter=bytes_,
    descriptors=descriptors,
    streams=st.lists(streams, max_size=6).map(tuple),
    network=st.none()
    | st.builds(
        NetworkIds, st.integers(0, 2**32 - 1), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF)
    ),
    pmt_pid=st.none() | pids,
    demux=st.none() | bytes_,
    ca_device=st.none() | bytes_,
    uses=st.none() | st.integers(0, 2**32 - 1),
)


@given(ca_pmts, st.booleans())
def test_what_is_written_is_read(pmt: CaPmt, commands_in_streams: bool) -> None:
    """2 to 4 before a stream's descriptors are tags where they can be: such commands are not."""
    commands_in_streams = commands_in_streams and pmt.command is Command.DECODE
    body = serialize_ca_pmt(pmt, commands_in_streams=commands_in_streams)
    assert parse_ca_pmt(body) == pmt


@given(ca_pmts)
def test_the_universal_form_says_the_same(pmt: CaPmt) -> None:
    asked = replace(pmt, uses=None)
    assert parse_ca_pmt(serialize_ca_pmt(asked, universal=True)) == asked


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    if len(body) < 6:
        with pytest.raises(CaPmtError):
            parse_ca_pmt(body)
        return
    pmt = parse_ca_pmt(body)
    assert pmt.contents == pmt.contents
    assert all(source.pid != NO_PID and source.caid for source in pmt.sources)
    assert {pid for one in pmt.stream_sets for pid in one.pids} <= set(pmt.pids)


@given(ca_pmts, st.randoms(use_true_random=False))
def test_order_and_version_are_no_change(pmt: CaPmt, random) -> None:
    mixed = replace(
        pmt,
        version=pmt.version ^ 1,
        list_management=ListManagement.UPDATE,
        descriptors=tuple(random.sample(pmt.descriptors, len(pmt.descriptors))),
    )
    if len({stream.pid for stream in pmt.streams}) == len(pmt.streams):
        shuffled = random.sample(pmt.streams, len(pmt.streams))
        mixed = replace(mixed, streams=tuple(shuffled))
    assert mixed.contents == pmt.contents
    more = Stream(0x06, next(pid for pid in range(0x2000) if pid not in pmt.pids))
    assert replace(pmt, streams=(*pmt.streams, more)).contents != pmt.contents


def head(info: str, streams: str = "", *, list_management: int = 3) -> bytes:
    raw = bytes.fromhex(info)
    return (
        bytes((list_management, 0x01, 0x01, 0x00))
        + len(raw).to_bytes(2)
        + raw
        + bytes.fromhex(streams)
    )


def test_tvheadend_in_its_index_form() -> None:
    """83 says the adapter, so 82 is no matter."""
    pmt = parse_ca_pmt(
        bytes.fromhex(
            "03010101001c0181080000000000010001820201008402010083010009047f0001101b010100000f01020000"
        )
    )
    assert pmt == CaPmt(
        service=Sid(0x101),
        version=1,
        network=NetworkIds(0, 1, 1),
        pmt_pid=0x100,
        descriptors=(CaDescriptor(Caid(0x7F00), 0x110),),
        streams=(Stream(0x1B, 0x101), Stream(0x0F, 0x102)),
    )
    assert pmt.identity == ServiceId(0, Sid(0x101), NetworkIds(0, 1, 1))


def test_every_private_descriptor() -> None:
    info = "01 8108 00000001 0002 0003 8202 0105 8301 06 8402 e107 8504 00000008 8601 09 8701 0a"
    pmt = parse_ca_pmt(head(info))
    assert pmt == CaPmt(
        service=Sid(0x101),
        network=NetworkIds(1, 2, 3),
        adapter=6,
        pmt_pid=0x107,
        uses=8,
        demux=9,
        ca_device=10,
    )
    assert serialize_ca_pmt(pmt) == bytes.fromhex(
        "03 0101 00 001e 01 8108 00000001 0002 0003 8402 0107 8301 068504 00000008 8601 09 8701 0a"
    )
    universal = serialize_ca_pmt(pmt, universal=True)
    assert bytes.fromhex("82020006") in universal
    assert bytes.fromhex("830106") not in universal


def test_numbers_of_programs_that_nobody_knows_are_zero() -> None:
    assert CaPmt(service=Sid(1)).version == 0
    assert parse_ca_pmt(head("01 8107 00000001000200")).network is None


@pytest.mark.parametrize(
    ("info", "adapter"),
    [
        ("01 8202 0003", 3),  # universal: demux and adapter
        ("01 8202 0100 8301 02", 2),  # index: a mask and a demux
        ("01 8301 02 8202 0105", 2),  # in whatever order
        ("01 8504 00000001 8202 0101", 0),  # Enigma2, adapter 0: a mask and a demux
        ("01", 0),
        ("01 8201 05", 0),  # of no known length
    ],
)
def test_the_adapter(info: str, adapter: int) -> None:
    assert parse_ca_pmt(head(info)).adapter == adapter


@pytest.mark.parametrize(
    ("raw", "command"),
    [(0, Command.DECODE), (1, Command.DECODE), (2, Command.QUERY_MMI), (4, Command.NOT_SELECTED)],
)
def test_the_command(raw: int, command: Command) -> None:
    assert parse_ca_pmt(head(f"{raw:02x}")).command is command
    assert parse_ca_pmt(head("", f"1b 0101 0001 {raw:02x}")).command is command


def test_an_unknown_list_value_ends_no_other_service() -> None:
    assert parse_ca_pmt(head("01", list_management=9)).list_management is ListManagement.ADD


CA = "0904 7f00e110"
"""A CA descriptor; three bits before the PID are reserved."""
SOURCE = EcmSource(Caid(0x7F00), 0x110)


@pytest.mark.parametrize(
    ("loop", "sources"),
    [
        (f"01 {CA}", (SOURCE,)),  # Enigma2 and VDR: a command first
        (CA, (SOURCE,)),  # MuMuDVB: none
        (f"04 {CA}", (SOURCE,)),
        (f"0a04 64657500 {CA}", (SOURCE,)),  # a language before it
        (f"0200 {CA}", (SOURCE,)),  # a tag that looks like a command, filling the loop
        ("01", ()),
        (f"01 {CA} 0904 7f", (SOURCE,)),  # neither reading fills the loop
        (f"{CA} 09", (SOURCE,)),
        ("0903 7f0001", ()),  # too short for a CA descriptor
        ("0904 0000e110", ()),  # no CAID
        ("0904 7f00ffff", ()),  # no PID
    ],
)
def test_the_loop_of_a_stream(loop: str, sources: tuple[EcmSource, ...]) -> None:
    length = len(bytes.fromhex(loop))
    pmt = parse_ca_pmt(head("01", f"1b e101 f{length:03x} {loop} 0f 0102 0000"))
    assert pmt.pids == (0x101, 0x102)
    assert pmt.sources == sources
    assert pmt.stream_sets == ((StreamSet(sources, (0x101,)),) if sources else ())


@pytest.mark.parametrize("trailing", ["", "00", "0f0102ff", "0f010200ff0001"])
def test_bytes_behind_the_last_stream(trailing: str) -> None:
    """MuMuDVB's zero byte, a head cut short, and a stream that is longer than what is left."""
    pmt = parse_ca_pmt(head(f"01 {CA}", "1b 0101 0000" + trailing))
    assert pmt.pids == (0x101,)
    assert pmt.trailing == len(trailing) // 2


def test_loops_longer_than_a_byte_can_say() -> None:
    many = tuple(CaDescriptor(Caid(0x0B00), pid, bytes(40)) for pid in range(0x100, 0x110))
    pmt = CaPmt(
        service=Sid(1), descriptors=many[:8], streams=(Stream(2, 1, many[8:]), Stream(4, 2))
    )
    body = serialize_ca_pmt(pmt)
    assert len(body) > 2 * 256
    assert parse_ca_pmt(body) == pmt


def test_streams_with_the_same_ecm_pids_share_a_set() -> None:
    own = CaDescriptor(Caid(0x7F00), 0x111)
    common = CaDescriptor(Caid(0x0B00), 0x120)
    pmt = CaPmt(
        service=Sid(1),
        descriptors=(common, common),
        streams=(
            Stream(0x1B, 0x101, (own,)),
            Stream(0x0F, 0x102),
            Stream(0x0F, 0x103, (own, common)),
            Stream(0x0F, 0x102, (own,)),
        ),
    )
    both = (EcmSource(common.caid, 0x120), EcmSource(own.caid, 0x111))
    assert pmt.stream_sets == (StreamSet(both, (0x101, 0x103)), StreamSet(both[:1], (0x102,)))
    assert pmt.sources == both
    assert CaPmt(service=Sid(1), streams=(Stream(0x1B, 0x101),)).stream_sets == ()


def test_a_flood_of_streams_and_descriptors_is_cut() -> None:
    """In a message of the greatest length every set would be looked at for every stream."""
    many = tuple(CaDescriptor(Caid(0x0B00), pid) for pid in range(400))
    body = serialize_ca_pmt(
        CaPmt(
            service=Sid(1),
            descriptors=many[:100],
            streams=tuple(Stream(0x06, pid, many[pid : pid + 1]) for pid in range(400)),
        )
    )
    pmt = parse_ca_pmt(body)
    assert pmt.pids == tuple(range(STREAMS_LIMIT))
    assert pmt.sources == tuple(EcmSource(Caid(0x0B00), pid) for pid in range(100))
    assert [len(stream.descriptors) for stream in pmt.streams].count(1) == SOURCES_LIMIT - 100
    assert pmt.stream_sets == (StreamSet(pmt.sources, pmt.pids),)
    seca = CaDescriptor(Caid(0x0100), 0x110, bytes(13) + 10 * (b"\x01" + bytes(14)))
    flood = parse_ca_pmt(serialize_ca_pmt(CaPmt(service=Sid(1), descriptors=20 * (seca,))))
    assert len(flood.descriptors) == SOURCES_LIMIT // 11


def test_a_forced_caid_names_no_ecms() -> None:
    pmt = parse_ca_pmt(head("01 0904 2600ffff"))
    assert (pmt.sources, pmt.forced_caids) == ((), (0x2600,))


@pytest.mark.parametrize(
    ("caid", "private", "idents"),
    [
        (0x0100, "0085", [0x0085]),
        (0x0100, "00", [0]),
        (0x0100, "0085" + 11 * "00" + "e2220086" + 11 * "00" + "e3330087", [0x85, 0x86, 0x87]),
        (0x0500, "0100000000001403032b0a", [0x032B00]),
        (0x0500, "0100000000001503032b0a", [0]),
        (0x0500, "1403032b0a", [0]),
        (0x1801, "114001", [0x4001]),
        (0x1801, "11400100", [0]),
        (0x4A70, "07ff", [7]),
        (0x2710, "09", [9]),
        (0x2711, "09", [0]),
        (0x0B00, "0102030405060708", [0]),
    ],
)
def test_the_provider_is_among_the_private_bytes(
    caid: int, private: str, idents: list[int]
) -> None:
    found = CaDescriptor(Caid(caid), 0x110, bytes.fromhex(private))
    assert [source.ident for source in found.sources] == [Ident(ident) for ident in idents]
    assert [source.pid for source in found.sources] == [0x110, 0x222, 0x333][: len(idents)]
