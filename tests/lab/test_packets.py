"""Packets: fields, and finding them again in a stream."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cccamd.lab.ts import PACKET_LENGTH, Packet, PacketReader, Parity


def packet(head: str, fill: int = 0xEE) -> bytes:
    return bytes.fromhex(head).ljust(PACKET_LENGTH, bytes([fill]))


def test_fields_of_a_scrambled_packet_that_starts_a_unit() -> None:
    view = Packet(packet("475FFFDA"))
    assert view.pid == 0x1FFF
    assert view.unit_start
    assert view.parity is Parity.ODD
    assert view.continuity == 0xA
    assert view.payload_offset == 4
    assert view.pcr is None


@pytest.mark.parametrize(
    ("head", "parity"),
    [("47010010", None), ("47010050", None), ("47010090", Parity.EVEN), ("470100D0", Parity.ODD)],
)
def test_parity_is_in_the_two_scrambling_control_bits(head: str, parity: Parity | None) -> None:
    assert Packet(packet(head)).parity is parity


def test_the_other_parity() -> None:
    assert Parity.EVEN.other is Parity.ODD
    assert Parity.ODD.other is Parity.EVEN


@pytest.mark.parametrize(
    ("head", "offset"),
    [
        ("47010000", PACKET_LENGTH),  # the reserved value: neither
        ("47010010", 4),
        ("4701002000", PACKET_LENGTH),
        ("4701003000", 5),
        ("47010030B6", 187),
        ("47010030B7", PACKET_LENGTH),
        ("47010030FF", PACKET_LENGTH),  # longer than the packet
    ],
)
def test_payload_begins_behind_the_adaptation_field(head: str, offset: int) -> None:
    view = Packet(packet(head))
    assert view.payload_offset == offset
    assert len(view.payload) == PACKET_LENGTH - offset


@pytest.mark.parametrize(
    ("head", "pcr"),
    [
        ("47010030 07 10 FFFFFFFFFE00", 0x1FFFFFFFF),
        ("47010030 07 10 000000017E00", 2),
        ("47010030 07 00 000000017E00", None),
        ("47010030 06 10 000000017E00", None),  # too short to hold one
        ("47010010 07 10 000000017E00", None),
    ],
)
def test_pcr_in_ticks_of_90_khz(head: str, pcr: int | None) -> None:
    assert Packet(packet(head)).pcr == pcr


@given(st.binary(min_size=PACKET_LENGTH, max_size=PACKET_LENGTH))
def test_any_bytes_have_fields(raw: bytes) -> None:
    view = Packet(raw)
    assert 0 <= view.pid <= 0x1FFF
    assert 4 <= view.payload_offset <= PACKET_LENGTH
    assert view.pcr is None or view.pcr < 1 << 33


def feed_in_pieces(stream: bytes, cuts: list[int]) -> tuple[list[bytes], int]:
    reader = PacketReader()
    edges = [0, *sorted(cuts), len(stream)]
    packets = [
        bytes(found.raw)
        for begin, end in pairwise(edges)
        for found in reader.feed(stream[begin:end])
    ]
    return packets, reader.skipped


THREE = [packet(f"4701001{i}") for i in range(3)]


def test_reader_gives_the_same_packets_wherever_the_stream_is_cut() -> None:
    stream = b"".join(THREE)
    for cut in range(len(stream) + 1):
        assert feed_in_pieces(stream, [cut]) == (THREE, 0)


@given(
    st.binary(max_size=400).map(lambda raw: raw.replace(b"\x47", b"\x46")),
    st.lists(st.integers(0, 3 * PACKET_LENGTH), max_size=5),
)
def test_reader_skips_garbage_and_counts_it(garbage: bytes, cuts: list[int]) -> None:
    assert feed_in_pieces(garbage + b"".join(THREE), cuts) == (THREE, len(garbage))


def test_reader_is_not_fooled_by_a_sync_byte_inside_garbage() -> None:
    garbage = b"\x00\x47\x00"
    for cut in range(len(garbage) + 2 * PACKET_LENGTH):
        assert feed_in_pieces(garbage + b"".join(THREE), [cut]) == (THREE, 3)


def test_reader_loses_one_packet_to_a_hole_in_the_stream() -> None:
    found, skipped = feed_in_pieces(THREE[0] + THREE[1][100:] + THREE[2] + THREE[0], [])
    assert found == [THREE[0], THREE[2], THREE[0]]
    assert skipped == 88


@given(st.lists(st.binary(max_size=500), max_size=6))
def test_reader_keeps_less_than_two_packets_of_anything(chunks: list[bytes]) -> None:
    reader = PacketReader()
    taken = sum(len(reader.feed(chunk)) * PACKET_LENGTH for chunk in chunks)
    kept = sum(map(len, chunks)) - taken - reader.skipped
    assert 0 <= kept <= PACKET_LENGTH
