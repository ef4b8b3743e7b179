"""Comparing the receiver's stream with the clear one, packet by packet."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cccamd.lab.demo.comparison import Comparison, Seen
from cccamd.lab.demo.scrambler import Multiplex
from cccamd.lab.ts import PACKET_LENGTH

TABLE, ONE, TWO = (bytes([fill]) * PACKET_LENGTH for fill in b"tab")
ONE_SCRAMBLED, TWO_SCRAMBLED = ONE[::-1].upper(), TWO[::-1].upper()
SENT = Multiplex(TABLE + ONE + TWO, TABLE + ONE_SCRAMBLED + TWO_SCRAMBLED)


def compare(received: bytes, *, cut: int = 0) -> Comparison:
    comparison = Comparison()
    comparison.sent(SENT)
    comparison.received(received[: cut * PACKET_LENGTH])
    comparison.received(received[cut * PACKET_LENGTH :])
    return comparison


@pytest.mark.parametrize("cut", range(4))
def test_identical(cut: int) -> None:
    comparison = compare(SENT.clear, cut=cut)
    assert comparison.is_identical
    assert comparison.stretches == [Seen.CLEAR]
    assert comparison.counts == {Seen.CLEAR: 2, Seen.DARK: 0, Seen.WRONG: 0}


def test_dark_and_clear_one_after_the_other() -> None:
    comparison = compare(TABLE + ONE_SCRAMBLED + TWO)
    assert not comparison.is_identical
    assert comparison.stretches == [Seen.DARK, Seen.CLEAR]


def test_packets_that_are_missing_at_the_end() -> None:
    comparison = compare(TABLE + ONE)
    assert not comparison.is_identical
    assert comparison.owed == 1


def test_packets_that_were_never_sent() -> None:
    assert not compare(SENT.clear + TABLE).is_identical


@given(st.integers(0, 3 * PACKET_LENGTH - 1), st.integers(0, 7))
def test_one_wrong_bit_anywhere_is_found(place: int, bit: int) -> None:
    received = bytearray(SENT.clear)
    received[place] ^= 1 << bit
    comparison = compare(bytes(received))
    assert not comparison.is_identical
    assert comparison.counts[Seen.WRONG] == 1


def test_a_whole_stream(scrambler: Any, stream_of: Callable[..., bytes]) -> None:
    comparison = Comparison()
    stream = stream_of(1.0)
    for start in range(0, len(stream), 7_000):
        multiplex = scrambler.feed(stream[start : start + 7_000])
        comparison.sent(multiplex)
        comparison.received(multiplex.clear)
    assert comparison.is_identical
    assert comparison.counts[Seen.CLEAR] == 150
