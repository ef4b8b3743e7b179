"""The scrambler: what it changes, what it adds, and when."""

from collections.abc import Callable
from itertools import groupby, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cccamd.errors import CccamdError
from cccamd.lab.demo.scrambler import CwPeriod, Multiplex
from cccamd.lab.ts import (
    CaDescriptor,
    Cat,
    CsaKey,
    Packet,
    PacketReader,
    Parity,
    Pmt,
    SectionReader,
    descramble,
)

VIDEO, AUDIO, PMT_PID, ECM_PID, EMM_PID = 0x100, 0x101, 0x1000, 0x300, 0x301
PACKETS_PER_SECOND = 160


def packets(stream: bytes) -> list[Packet]:
    return PacketReader().feed(stream)


def sections(stream: bytes, pid: int) -> list[bytes]:
    reader = SectionReader()
    return [s for p in packets(stream) if p.pid == pid for s in reader.feed(p)]


def of_pids(stream: bytes, *pids: int) -> list[Packet]:
    return [p for p in packets(stream) if p.pid in pids]


@pytest.fixture
def sent(scrambler: Any, stream: bytes) -> Multiplex:
    return scrambler.feed(stream)  # type: ignore[no-any-return]


def test_the_pmt_names_the_ecms_and_the_cat_the_emms(sent: Multiplex, stream: bytes) -> None:
    (before,) = set(sections(stream, PMT_PID))
    (after,) = set(sections(sent.scrambled, PMT_PID))
    pmt = Pmt.parse(after)
    assert pmt.ca_descriptors == (CaDescriptor(caid=0x7F00, pid=ECM_PID),)
    assert pmt.streams == Pmt.parse(before).streams
    (cat,) = set(sections(sent.scrambled, 1))
    assert Cat.parse(cat).ca_descriptors == (CaDescriptor(caid=0x7F00, pid=EMM_PID),)


def test_picture_and_sound_are_scrambled_and_nothing_else(sent: Multiplex) -> None:
    for packet in packets(sent.scrambled):
        assert (packet.parity is not None) == (packet.pid in (VIDEO, AUDIO))


def test_before_scrambling_picture_and_sound_are_those_of_the_source(
    sent: Multiplex, stream: bytes
) -> None:
    assert of_pids(sent.clear, VIDEO, AUDIO, 0) == of_pids(stream, VIDEO, AUDIO, 0)


def test_the_parity_changes_with_every_crypto_period(sent: Multiplex) -> None:
    video = [p.parity for p in of_pids(sent.scrambled, VIDEO)]
    runs = [(parity, len(list(run))) for parity, run in groupby(video)]
    assert [parity for parity, _ in runs] == [Parity.EVEN, Parity.ODD] * 3
    # 0.5 s are 12.5 pictures of 5 packets, and a period begins with a picture.
    assert [length for _, length in runs] == [65, 60, 65, 60, 65, 60]


def test_ecms_come_in_time_and_often(sent: Multiplex) -> None:
    scrambled = packets(sent.scrambled)
    places = [i for i, packet in enumerate(scrambled) if packet.pid == ECM_PID]
    assert max(after - before for before, after in pairwise(places)) < 0.2 * PACKETS_PER_SECOND
    first_scrambled = next(i for i, packet in enumerate(scrambled) if packet.parity)
    assert places[0] < first_scrambled
    ecms = sections(sent.scrambled, ECM_PID)
    assert [table_id for table_id, _ in groupby(ecm[0] for ecm in ecms)] == [0x80, 0x81] * 3


def test_each_ecm_holds_the_cw_of_its_own_period_and_of_the_next(
    scrambler: Any, sent: Multiplex
) -> None:
    """The even CW of an ECM and the odd CW before it must open what both announce."""
    told = list(scrambler.control_words.values())
    assert len(told) == 6
    for number, (this, following) in enumerate(pairwise(told)):
        if number % 2:
            assert following.even == this.even
            assert following.odd != this.odd
        else:
            assert following.odd == this.odd
            assert following.even != this.even
    assert all(control_words.checksums_valid for control_words in told)
    first = bytearray(b"".join(p.raw for p in of_pids(sent.scrambled, VIDEO)[:125]))
    keys = {Parity.EVEN: CsaKey(told[0].even), Parity.ODD: CsaKey(told[0].odd)}
    assert descramble(first, keys) == 125
    assert first == b"".join(p.raw for p in of_pids(sent.clear, VIDEO)[:125])


def test_an_emm_goes_out_once(scrambler: Any, stream: bytes) -> None:
    emm = bytes.fromhex("827003AABBCC")
    first = scrambler.feed(stream[:50_000])
    scrambler.send_emm(emm)
    second = scrambler.feed(stream[50_000:])
    assert sections(first.scrambled, EMM_PID) == []
    assert sections(second.scrambled, EMM_PID) == [emm]
    assert not any(p.parity for p in of_pids(second.scrambled, EMM_PID))


def test_a_clock_that_wraps_around(scrambler: Any, stream_of: Callable[..., bytes]) -> None:
    scrambler.feed(stream_of(3.0, first_pcr=(1 << 33) / 90_000 - 1))
    assert scrambler.period.number == 5


def test_a_stream_that_is_scrambled_already(scrambler: Any, sent: Multiplex) -> None:
    with pytest.raises(CccamdError, match="scrambled already"):
        scrambler.feed(sent.scrambled)


def test_without_a_service_nothing_is_changed(scrambler: Any, stream: bytes) -> None:
    video = b"".join(p.raw for p in of_pids(stream, VIDEO))
    assert scrambler.feed(video) == Multiplex(video, video)
    assert scrambler.period is None


@settings(max_examples=20)
@given(st.lists(st.integers(1, 20_000), min_size=1, max_size=6))
def test_chunks_of_any_size_make_the_same_stream(
    known: Callable[[], Any], stream: bytes, sizes: list[int]
) -> None:
    whole, pieces = known().feed(stream), known()
    clear, scrambled, position, turn = b"", b"", 0, 0
    while position < len(stream):
        size = max(sizes[turn % len(sizes)], 1_000)
        part = pieces.feed(stream[position : position + size])
        clear, scrambled = clear + part.clear, scrambled + part.scrambled
        position, turn = position + size, turn + 1
    assert (clear, scrambled) == (whole.clear, whole.scrambled)


def test_a_period_does_not_show_its_control_words() -> None:
    period = CwPeriod(0, b"12345678", b"abcdefgh")
    assert "1234" not in repr(period)
    assert "CwPeriod" in repr(period)
