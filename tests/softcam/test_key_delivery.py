"""CWs as the client gets them (docs/dvbapi-protocol.md sections 8 and 9)."""

import pytest
from dvbreceiver import ADD, AUDIO, CAID, ECM_PID, VIDEO, Cards, Receiver, cw, ecm, kinds, pmt

from cccamd.softcam import Chance, Prospect, SetFilter, SetHalf, SetPid, TellEcm
from cccamd.values import Refusal
from cccamd.wire.dvbapi import NO_PID


@pytest.fixture
def receiver() -> Receiver:
    receiver = Receiver()
    receiver.say(pmt())
    return receiver


def test_streams_first_then_both_halves_then_what_it_was(receiver: Receiver) -> None:
    orders = receiver.watch(0)
    assert kinds(orders) == "PPKKI"
    assert [each.pid for each in orders if isinstance(each, SetPid)] == [VIDEO, AUDIO]
    (info,) = [each for each in orders if isinstance(each, TellEcm)]
    assert (info.ecm.caid, info.ecm.pid, info.by.reader) == (CAID, ECM_PID, "card")
    assert kinds(receiver.watch(1)) == "KKI", "streams are told once"


def test_a_half_that_is_zero_is_not_in_this_ecm(receiver: Receiver) -> None:
    assert kinds(receiver.watch(0, cw(5, 0))) == "PPKI"
    assert kinds(receiver.watch(1, cw(0, 6))) == "KI"
    assert receiver.halves() == (bytes([5]) * 8, bytes([6]) * 8)


def test_a_constant_cw_is_told_again_and_again(receiver: Receiver) -> None:
    """tvheadend goes black after 12 s without a fresh key, minisatip forgets one after 45 s."""
    receiver.watch(0, cw(7, 7))
    assert kinds(receiver.wait(9.9)) == ""
    assert kinds(receiver.wait(10.1)) == "KK" * 6
    receiver.watch(1, cw(7, 7))
    assert kinds(receiver.wait(2.1)) == "KK", "the same again is no change"
    receiver.watch(2, cw(8, 9))
    assert kinds(receiver.wait(9.9)) == ""


def test_an_ecm_that_was_answered_is_not_asked_again(receiver: Receiver) -> None:
    receiver.watch(0)
    assert receiver.send(ecm(0)) == []
    receiver.now += 1.0
    assert kinds(receiver.send(ecm(0))) == "KK", "minisatip sends it again when it has no CW"
    assert not receiver.asks
    receiver.send(ecm(1))
    assert receiver.send(ecm(1)) == [], "nor is one that is asked just now"
    assert len(receiver.asks) == 1


def test_ecms_that_take_turns_on_a_pid_are_asked_once_each(receiver: Receiver) -> None:
    """Two streams of ECMs, of which one is for others: ten of each come in a second."""
    asked = 0
    for turn in range(40):
        receiver.send(ecm(2 * (turn % 2)))
        for token in sorted(receiver.asks):
            asked += 1
            if receiver.asks[token].request.section == ecm(0):
                receiver.answer(cw(1), token)
            else:
                receiver.refuse(Refusal.CANNOT_DECODE, token)
        receiver.wait(0.1)
    assert asked == 2
    receiver.wait(10.0)
    receiver.send(ecm(2))
    assert len(receiver.asks) == 1, "a card may have learnt"


def test_an_ecm_that_comes_back_brings_its_cw_back(receiver: Receiver) -> None:
    receiver.watch(0, cw(1))
    receiver.watch(1, cw(3))
    assert kinds(receiver.send(ecm(0))) == "KK"
    assert receiver.halves()[0] == bytes([1]) * 8
    assert not receiver.asks


def test_a_late_cw_is_told_and_an_older_one_is_not_told_after_a_newer(receiver: Receiver) -> None:
    receiver.send(ecm(0))
    receiver.send(ecm(1))
    first, second = sorted(receiver.asks)
    assert kinds(receiver.answer(cw(1), first)) == "PPKKI", "late is better than never"
    assert kinds(receiver.answer(cw(3), second)) == "KKI"
    receiver.send(ecm(2))
    receiver.send(ecm(3))
    third, fourth = sorted(receiver.asks)
    receiver.answer(cw(7), fourth)
    assert receiver.answer(cw(5), third) == []
    assert receiver.halves()[0] == bytes([7]) * 8


def test_what_fails_for_now_is_asked_again_until_its_period_is_over(receiver: Receiver) -> None:
    for number in range(4):
        receiver.watch(number)
        receiver.wait(10.0)
    receiver.send(ecm(4))
    asked = 0
    for _ in range(200):
        if receiver.asks:
            asked += 1
            receiver.refuse(Refusal.PASSING)
        receiver.wait(0.1)
    assert 5 <= asked <= 9, "with growing pauses, for fifteen seconds"
    assert receiver.ecm_pids == [ECM_PID], "the filter stays"
    assert kinds(receiver.watch(5)) == "KKI"


def test_vdr_is_made_to_wait_for_the_next_parity() -> None:
    """It sends every repetition of an ECM, ten a second."""
    receiver = Receiver(text="VDR plugin-dvbapi 2.2.5 / VDR 2.6.1")
    receiver.say(pmt())
    (order,) = [each for each in receiver.send(ecm(0)) if isinstance(each, SetFilter)]
    assert (order.demux, order.filter, order.match.value[0]) == (0, 0, 0x81)
    receiver.answer(cw(1))
    assert receiver.send(ecm(2)) == [], "the same parity does not come through"
    receiver.send(ecm(1))
    orders = receiver.refuse(Refusal.PASSING)
    assert [each.match.mask[0] for each in orders if isinstance(each, SetFilter)] == [0xF0]
    receiver.wait(0.5)
    receiver.answer(cw(3))
    receiver.send(ecm(2))
    receiver.answer(cw(5))
    orders = receiver.wait(15.5)
    assert [each.match.mask[0] for each in orders if isinstance(each, SetFilter)] == [0xF0]
    assert kinds(receiver.watch(4)) != "", "any is welcome when nothing came for so long"


def test_without_ecms_a_constant_cw_is_found_and_repeated() -> None:
    receiver = Receiver(Cards())
    receiver.cards.served = {
        CAID: Prospect(Chance.SERVED, local=True, cards="fixed", constant=True)
    }
    orders = receiver.say(pmt(ca=[(CAID, NO_PID)]))
    assert kinds(orders) == "F", "for tvheadend's sake"
    assert kinds(receiver.answer(cw(4, 4))) == "PPKKI"
    assert kinds(receiver.wait(6.1)) == "KKKKKK"


def test_a_guess_without_ecms_is_no_reason_to_ask_a_card() -> None:
    receiver = Receiver()
    receiver.cards.otherwise = Prospect(Chance.NEVER)
    receiver.say(pmt(ca=[(CAID, NO_PID)]))
    assert not receiver.asks
    assert not receiver.filters


def test_a_connection_asks_32_ecms_a_second_and_the_rest_later() -> None:
    receiver = Receiver()
    for sid in range(200):
        receiver.say(pmt(sid + 1, ca=[(CAID, 300 + sid)], pids=[3000 + sid], manage=ADD))
    for sid in range(200):
        receiver.send(ecm(0), 300 + sid)
    assert len(receiver.asks) == 64
    receiver.wait(1.0)
    assert 90 <= len(receiver.asks) <= 100
    receiver.wait(4.0)
    assert len(receiver.asks) == 200, "nobody is forgotten"


def test_a_key_is_in_no_text(receiver: Receiver) -> None:
    (half, _) = [each for each in receiver.watch(0) if isinstance(each, SetHalf)]
    assert half.cw.hex() not in repr(half)
    assert repr(half.cw) not in repr(half)
