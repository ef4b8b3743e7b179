"""The receiver, fed by a scrambler without anything in between."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cccamd.ids import Caid
from cccamd.lab.demo.receiver import Receiver
from cccamd.lab.demo.scrambler import Multiplex
from cccamd.lab.demo.tuner import EcmFound, EmmFound
from cccamd.lab.ts import PACKET_LENGTH
from cccamd.values import ControlWords

CAID = Caid(0x7F00)
SCRAMBLED = 450
"""Packets of picture and sound in `stream`."""
PER_PERIOD = [78, 72, 78, 72, 78, 72]


@pytest.fixture
def sent(scrambler: Any, stream: bytes) -> Multiplex:
    return scrambler.feed(stream)  # type: ignore[no-any-return]


def watch(
    receiver: Receiver,
    sent: bytes,
    answers: dict[bytes, ControlWords],
    *,
    sizes: list[int],
    delay: int = 0,
) -> bytes:
    """Feed in chunks of these sizes; answers come `delay` chunks late, unknown ECMs are refused."""
    asked: list[tuple[int, EcmFound]] = []
    seen, position, turn = b"", 0, 0
    while position < len(sent):
        size = sizes[turn % len(sizes)]
        for found in receiver.feed(sent[position : position + size]):
            assert isinstance(found, EcmFound)
            asked.append((turn + delay, found))
        while asked and asked[0][0] <= turn:
            _, found = asked.pop(0)
            receiver.answer(found.number, answers.get(found.ecm))
        seen += receiver.take()
        position, turn = position + size, turn + 1
    for _, found in asked:
        receiver.answer(found.number, answers.get(found.ecm))
    receiver.finish()
    return seen + receiver.take()


@settings(max_examples=30)
@given(st.lists(st.integers(150, 20_000), min_size=1, max_size=5), st.integers(0, 3))
def test_every_bit_comes_back_however_the_stream_is_cut(
    known: Callable[[], Any], stream: bytes, sizes: list[int], delay: int
) -> None:
    scrambler = known()
    sent = scrambler.feed(stream)
    receiver = Receiver(CAID)
    assert watch(receiver, sent.scrambled, scrambler.control_words, sizes=sizes, delay=delay) == (
        sent.clear
    )
    assert (receiver.descrambled, receiver.dark) == (SCRAMBLED, 0)
    assert receiver.packets * PACKET_LENGTH == len(sent.clear)


def test_each_ecm_is_reported_once_and_the_service_with_it(sent: Multiplex) -> None:
    found = Receiver(CAID).feed(sent.scrambled)
    ecms = [message for message in found if isinstance(message, EcmFound)]
    assert [ecm.number for ecm in ecms] == [1, 2, 3, 4, 5, 6]
    assert {(ecm.caid, ecm.sid) for ecm in ecms} == {(0x7F00, 0x17)}
    assert all(before.ecm != after.ecm for before, after in pairwise(ecms))


def test_an_emm_is_reported(scrambler: Any, stream: bytes) -> None:
    receiver = Receiver(CAID)
    receiver.feed(scrambler.feed(stream[:50_000]).scrambled)
    scrambler.send_emm(bytes.fromhex("827003AABBCC"))
    found = receiver.feed(scrambler.feed(stream[50_000:]).scrambled)
    assert EmmFound(caid=CAID, emm=bytes.fromhex("827003AABBCC")) in found


def test_another_ca_system_is_not_ours(sent: Multiplex) -> None:
    receiver = Receiver(Caid(0x0B00))
    assert receiver.feed(sent.scrambled) == []
    assert receiver.take() == sent.scrambled
    assert receiver.dark == SCRAMBLED


def test_the_first_packets_wait_for_the_first_answer(scrambler: Any, sent: Multiplex) -> None:
    receiver = Receiver(CAID)
    (first,) = receiver.feed(sent.scrambled[: 60 * PACKET_LENGTH])
    assert isinstance(first, EcmFound)
    waiting = receiver.take()
    assert waiting == sent.clear[: len(waiting)]
    assert receiver.descrambled == 0
    receiver.answer(1, scrambler.control_words[first.ecm])
    assert waiting + receiver.take() == sent.clear[: 60 * PACKET_LENGTH]


def test_a_cw_is_known_a_whole_period_ahead(scrambler: Any, sent: Multiplex) -> None:
    """With the first ECM answered only, two periods are clear."""
    first = dict(list(scrambler.control_words.items())[:1])
    receiver = Receiver(CAID)
    seen = watch(receiver, sent.scrambled, first, sizes=[5_000])
    assert receiver.descrambled == sum(PER_PERIOD[:2])
    assert receiver.dark == sum(PER_PERIOD[2:])
    clear = next(i for i in range(0, len(seen), 188) if seen[i:][:188] != sent.clear[i:][:188])
    assert seen == sent.clear[:clear] + sent.scrambled[clear:]


def test_a_refused_ecm_costs_nothing_if_the_next_is_answered(
    scrambler: Any, sent: Multiplex
) -> None:
    answers = scrambler.control_words
    del answers[list(answers)[2]]
    receiver = Receiver(CAID)
    assert watch(receiver, sent.scrambled, answers, sizes=[5_000]) == sent.clear


@given(st.binary(min_size=16, max_size=16))
def test_with_wrong_control_words_the_picture_stays_dark(
    known: Callable[[], Any], stream: bytes, wrong: bytes
) -> None:
    scrambler = known()
    sent = scrambler.feed(stream)
    answers = dict.fromkeys(scrambler.control_words, ControlWords(wrong))
    receiver = Receiver(CAID)
    assert watch(receiver, sent.scrambled, answers, sizes=[9_000]) == sent.scrambled
    assert receiver.dark == SCRAMBLED


def test_a_wrong_answer_does_not_stop_the_right_ones(scrambler: Any, sent: Multiplex) -> None:
    answers = scrambler.control_words
    third = list(answers)[2]
    answers[third] = ControlWords(bytes(16))
    receiver = Receiver(CAID)
    assert watch(receiver, sent.scrambled, answers, sizes=[5_000]) == sent.clear


def test_what_is_held_back_is_bounded(scrambler: Any, sent: Multiplex) -> None:
    receiver = Receiver(CAID, held_limit=100)
    left = 0
    for start in range(0, len(sent.scrambled), PACKET_LENGTH):
        receiver.feed(sent.scrambled[start : start + PACKET_LENGTH])
        left += len(receiver.take())
        assert receiver.packets * PACKET_LENGTH - left <= 100 * PACKET_LENGTH
    receiver.finish()
    assert left + len(receiver.take()) == len(sent.scrambled)
    assert (receiver.descrambled, receiver.dark) == (0, SCRAMBLED)


def test_an_answer_after_the_bound_helps_the_rest_of_its_period(
    scrambler: Any, sent: Multiplex
) -> None:
    receiver = Receiver(CAID, held_limit=20)
    (found,) = receiver.feed(sent.scrambled[: 60 * PACKET_LENGTH])
    assert isinstance(found, EcmFound)
    receiver.answer(found.number, scrambler.control_words[found.ecm])
    dark = receiver.dark
    assert dark > 0
    receiver.feed(sent.scrambled[60 * PACKET_LENGTH : 90 * PACKET_LENGTH])
    seen = receiver.take()
    assert receiver.dark == dark
    assert seen[60 * PACKET_LENGTH :] == sent.clear[60 * PACKET_LENGTH : 90 * PACKET_LENGTH]


def test_joining_in_the_middle_is_dark_until_the_first_ecm(scrambler: Any, sent: Multiplex) -> None:
    middle = 130 * PACKET_LENGTH
    receiver = Receiver(CAID)
    seen = watch(receiver, sent.scrambled[middle:], scrambler.control_words, sizes=[5_000])
    assert 0 < receiver.dark < 40
    assert seen[60 * PACKET_LENGTH :] == sent.clear[middle + 60 * PACKET_LENGTH :]


@given(st.lists(st.binary(max_size=600), max_size=5))
def test_any_bytes_pass_through(chunks: list[bytes]) -> None:
    receiver = Receiver(CAID)
    for chunk in chunks:
        receiver.feed(chunk)
    receiver.finish()
    assert len(receiver.take()) == receiver.packets * PACKET_LENGTH


@settings(max_examples=30)
@given(st.data())
def test_a_damaged_stream_does_no_more_harm_than_its_damage(
    known: Callable[[], Any], stream: bytes, data: st.DataObject
) -> None:
    """Bits flip anywhere but in sync bytes; the packets stay in number and in order."""
    scrambler = known()
    sent = scrambler.feed(stream)
    damaged = bytearray(sent.scrambled)
    places = st.integers(0, len(damaged) - 1).filter(lambda place: place % PACKET_LENGTH)
    hit = set()
    for place in data.draw(st.lists(places, min_size=1, max_size=10)):
        damaged[place] ^= 1 << data.draw(st.integers(0, 7))
        hit.add(place // PACKET_LENGTH)
    receiver = Receiver(CAID)
    seen = watch(receiver, bytes(damaged), scrambler.control_words, sizes=[9_000])
    assert len(seen) == len(damaged)
    for number in set(range(receiver.packets)) - hit:
        span = slice(number * PACKET_LENGTH, (number + 1) * PACKET_LENGTH)
        assert seen[span] in (sent.clear[span], sent.scrambled[span])
