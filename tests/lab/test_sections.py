"""Sections: CRC, cutting them into packets, putting them together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cccamd.lab.ts import LongSection, Packet, SectionReader, SectionWriter, TsError, crc32_mpeg2

PID = 0x0321


def short_section(body: bytes, table_id: int = 0x80) -> bytes:
    return bytes([table_id]) + (0x7000 | len(body)).to_bytes(2) + body


sections = st.binary(max_size=4093).map(short_section)
long_sections = st.builds(
    LongSection,
    table_id=st.integers(0, 0xFE),
    extension=st.integers(0, 0xFFFF),
    version=st.integers(0, 31),
    current=st.booleans(),
    number=st.integers(0, 255),
    last_number=st.integers(0, 255),
    body=st.binary(max_size=1012),
)


def read(packets: list[Packet]) -> list[bytes]:
    reader = SectionReader()
    return [section for packet in packets for section in reader.feed(packet)]


def test_crc_of_the_check_string() -> None:
    assert crc32_mpeg2(b"123456789") == 0x0376E6E7


@given(long_sections)
def test_long_section_round_trip(section: LongSection) -> None:
    assert LongSection.parse(section.serialize()) == section


@given(long_sections, st.data())
def test_a_flipped_bit_is_noticed(section: LongSection, data: st.DataObject) -> None:
    raw = bytearray(section.serialize())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(TsError):
        LongSection.parse(bytes(raw))


def test_a_cut_section_is_noticed() -> None:
    raw = LongSection(table_id=0, extension=1, version=0, body=b"body").serialize()
    for length in range(len(raw)):
        with pytest.raises(TsError):
            LongSection.parse(raw[:length])
    with pytest.raises(TsError):
        LongSection.parse(raw + b"\0")


def test_a_long_section_that_got_too_long() -> None:
    with pytest.raises(TsError, match="1025 bytes"):
        LongSection(table_id=0, extension=1, version=0, body=bytes(1013)).serialize()


@given(st.lists(sections, max_size=4))
def test_sections_pass_through_packets(written: list[bytes]) -> None:
    writer = SectionWriter(PID)
    packets = [packet for section in written for packet in writer.packetise(section)]
    assert {packet.pid for packet in packets} <= {PID}
    assert read(packets) == written


def test_sections_that_share_packets() -> None:
    """The second begins right behind the first, in its last packet: pointer field 16."""
    first, second = short_section(bytes(196)), short_section(b"second")
    one = bytes.fromhex("474321100 0".replace(" ", "")) + first[:183]
    two = bytes.fromhex("4743211110") + first[183:] + second
    packets = [Packet(raw.ljust(188, b"\xff")) for raw in (one, two)]
    assert read(packets) == [first, second]


def test_a_repeated_packet_counts_once() -> None:
    section = short_section(bytes(500))
    packets = SectionWriter(PID).packetise(section)
    assert read([packet for packet in packets for _ in range(2)]) == [section]


def test_a_lost_packet_costs_its_section_only() -> None:
    writer = SectionWriter(PID)
    lost = writer.packetise(short_section(bytes(500)))
    whole = short_section(b"whole")
    assert read([lost[0], lost[2], *writer.packetise(whole)]) == [whole]


def test_joining_in_the_middle_waits_for_a_start() -> None:
    writer = SectionWriter(PID)
    tail = writer.packetise(short_section(bytes(500)))[1:]
    whole = short_section(b"whole")
    assert read([*tail, *writer.packetise(whole)]) == [whole]


def test_scrambled_packets_are_no_sections() -> None:
    (packet,) = SectionWriter(PID).packetise(short_section(b"x"))
    raw = bytearray(packet.raw)
    raw[3] |= 0x80
    assert read([Packet(raw)]) == []


@given(st.lists(st.binary(min_size=188, max_size=188).map(Packet), max_size=8))
def test_any_packets_give_only_whole_sections(packets: list[Packet]) -> None:
    for section in read(packets):
        assert len(section) == 3 + (int.from_bytes(section[1:3]) & 0x0FFF)
