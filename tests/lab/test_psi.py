"""PAT, PMT and CA descriptor."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cccamd.lab.ts import (
    CaDescriptor,
    Cat,
    Descriptor,
    ElementaryStream,
    LongSection,
    Pat,
    Pmt,
    Program,
    TsError,
)

# As libavformat's muxer writes them: service 1, picture (MPEG-2) and sound on 0100 and 0101.
PAT = bytes.fromhex("00B00D0001C100000001F0002AB104B2")
PMT = bytes.fromhex("02B0170001C10000E100F00002E100F00003E101F000F64A0355")

pids = st.integers(0, 0x1FFF)
versions = st.integers(0, 31)
descriptors = st.lists(
    st.builds(Descriptor, tag=st.integers(0, 255), data=st.binary(max_size=30)), max_size=4
).map(tuple)
ca_descriptors = st.builds(
    CaDescriptor, caid=st.integers(0, 0xFFFF), pid=pids, private=st.binary(max_size=20)
)
pats = st.builds(
    Pat,
    transport_stream_id=st.integers(0, 0xFFFF),
    version=versions,
    current=st.booleans(),
    number=st.integers(0, 255),
    last_number=st.integers(0, 255),
    programs=st.lists(st.builds(Program, st.integers(0, 0xFFFF), pids), max_size=20).map(tuple),
)
cats = st.builds(
    Cat,
    version=versions,
    current=st.booleans(),
    number=st.integers(0, 255),
    last_number=st.integers(0, 255),
    descriptors=descriptors,
)
pmts = st.builds(
    Pmt,
    program=st.integers(0, 0xFFFF),
    version=versions,
    current=st.booleans(),
    pcr_pid=pids,
    descriptors=descriptors,
    streams=st.lists(
        st.builds(
            ElementaryStream, stream_type=st.integers(0, 255), pid=pids, descriptors=descriptors
        ),
        max_size=4,
    ).map(tuple),
)


def test_a_real_pat() -> None:
    pat = Pat.parse(PAT)
    assert pat.programs == (Program(number=1, pmt_pid=0x1000),)
    assert pat.serialize() == PAT


def test_a_real_pmt() -> None:
    pmt = Pmt.parse(PMT)
    assert (pmt.program, pmt.pcr_pid) == (1, 0x100)
    assert [(s.stream_type, s.pid) for s in pmt.streams] == [(2, 0x100), (3, 0x101)]
    assert pmt.serialize() == PMT


@given(pats)
def test_pat_round_trip(pat: Pat) -> None:
    assert Pat.parse(pat.serialize()) == pat


@given(pmts)
def test_pmt_round_trip(pmt: Pmt) -> None:
    assert Pmt.parse(pmt.serialize()) == pmt


@given(cats)
def test_cat_round_trip(cat: Cat) -> None:
    assert Cat.parse(cat.serialize()) == cat


def test_a_cat_names_the_pids_of_emms() -> None:
    ours = CaDescriptor(caid=0x7F00, pid=0x0301)
    cat = Cat(version=3, descriptors=(Descriptor(5, b"x"), ours.to_descriptor()))
    assert cat.ca_descriptors == (ours,)
    assert cat.serialize()[:8] == bytes.fromhex("01B012FFFFC70000")


@given(ca_descriptors)
def test_ca_descriptor_round_trip(ca: CaDescriptor) -> None:
    assert CaDescriptor.parse(ca.to_descriptor().data) == ca


@given(ca_descriptors, ca_descriptors)
def test_ca_descriptors_of_the_service_come_before_those_of_streams(
    of_stream: CaDescriptor, of_service: CaDescriptor
) -> None:
    stream = ElementaryStream(
        stream_type=2, pid=1, descriptors=(Descriptor(5, b"x"), of_stream.to_descriptor())
    )
    pmt = Pmt(
        program=1,
        version=0,
        pcr_pid=1,
        descriptors=(of_service.to_descriptor(),),
        streams=(stream,),
    )
    assert pmt.ca_descriptors == (of_service, of_stream)


def test_bytes_of_a_ca_descriptor() -> None:
    assert CaDescriptor(caid=0x7F00, pid=0x0300).to_descriptor() == Descriptor(
        0x09, bytes.fromhex("7F00E300")
    )
    with pytest.raises(TsError):
        CaDescriptor.parse(b"\x7f\x00\xe3")


@pytest.mark.parametrize("table", [Pat, Pmt, Cat])
@given(body=st.binary(max_size=80), table_id=st.sampled_from([0, 1, 2, 0x42]))
def test_any_sound_section_is_a_table_or_an_error(
    table: type[Pat | Pmt | Cat], body: bytes, table_id: int
) -> None:
    raw = LongSection(table_id=table_id, extension=1, version=0, body=body).serialize()
    try:
        parsed = table.parse(raw)
    except TsError:
        return
    # Reserved bits are set when written, so compare what they read as.
    assert table.parse(parsed.serialize()) == parsed
