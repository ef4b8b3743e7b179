"""Which ECM PID is asked, and what a failure does (docs/dvbapi-protocol.md section 12)."""

import pytest
from dvbreceiver import (
    CAID,
    ECM_PID,
    OTHER_CAID,
    OTHER_ECM_PID,
    UPDATE,
    Cards,
    Receiver,
    cw,
    ecm,
    kinds,
    pmt,
)

from cccamd.ids import Caid, Ident, Sid
from cccamd.softcam import Chance, House, Prospect
from cccamd.values import Refusal
from cccamd.wire.dvbapi import CaDescriptor, CaPmt

BOTH = [(CAID, ECM_PID), (OTHER_CAID, OTHER_ECM_PID)]


def test_a_card_that_is_there_goes_before_the_order_of_the_list() -> None:
    receiver = Receiver(Cards(OTHER_CAID))
    receiver.say(pmt(ca=BOTH))
    assert receiver.ecm_pids == [OTHER_ECM_PID]


def test_a_card_of_ours_goes_before_one_far_away() -> None:
    receiver = Receiver()
    receiver.cards.served = {
        CAID: Prospect(Chance.SERVED, hop=1, cards="far"),
        OTHER_CAID: Prospect(Chance.SERVED, local=True, cards="near"),
    }
    receiver.say(pmt(ca=BOTH))
    assert receiver.ecm_pids == [OTHER_ECM_PID]
    receiver.cards.served[OTHER_CAID] = Prospect(Chance.SERVED, hop=2, cards="farther")
    receiver.stop(255)
    receiver.say(pmt(ca=BOTH))
    assert receiver.ecm_pids == [ECM_PID]


def test_a_provider_that_is_served_goes_before_what_worked_and_that_before_a_caid() -> None:
    def prospects(caid: Caid, ident: Ident, sid: Sid) -> Prospect:
        return Prospect(Chance.SERVED, hop=1, cards=(caid, ident))

    def seca(*idents: int) -> CaPmt:
        found = pmt()
        descriptors = tuple(
            CaDescriptor(Caid(0x0100), 200 + ident, ident.to_bytes(2)) for ident in idents
        )
        return CaPmt(
            service=found.service, descriptors=descriptors, streams=found.streams,
            network=found.network,
        )  # fmt: skip

    receiver = Receiver(house=House(prospects=prospects))
    receiver.say(seca(0, 7))
    assert receiver.ecm_pids == [207], "the provider is known"
    receiver.stop(255)
    receiver.say(pmt(ca=BOTH))
    receiver.watch(0)  # the first works
    receiver.stop(255)
    receiver.wait(60)
    receiver.say(pmt(ca=BOTH[::-1]))
    assert receiver.ecm_pids == [ECM_PID], "what worked last, whatever the order"


@pytest.mark.parametrize(
    "refusal", [Refusal.PASSING, Refusal.LATE, Refusal.NOT_SENT, Refusal.ASLEEP, Refusal.FAILED]
)
def test_what_passes_changes_no_choice(refusal: Refusal) -> None:
    receiver = Receiver(Cards(CAID, OTHER_CAID))
    receiver.say(pmt(ca=BOTH))
    for number in range(6):
        receiver.send(ecm(number))
        receiver.refuse(refusal)
        receiver.wait(10)
        while receiver.asks:
            receiver.refuse(refusal)
            receiver.wait(2)
    assert receiver.ecm_pids == [ECM_PID]
    assert receiver.stopped == 0


def test_two_ecms_that_cannot_be_decoded_are_enough_and_one_is_not() -> None:
    receiver = Receiver(Cards(CAID, OTHER_CAID))
    receiver.say(pmt(ca=BOTH))
    receiver.send(ecm(0))
    assert kinds(receiver.refuse(Refusal.CANNOT_DECODE)) == ""
    assert receiver.send(ecm(0)) == [], "the same is not asked again"
    receiver.send(ecm(1))
    assert kinds(receiver.refuse(Refusal.CANNOT_DECODE)) == "Ff", "never without a filter"
    assert receiver.ecm_pids == [OTHER_ECM_PID]
    receiver.send(ecm(2), OTHER_ECM_PID)
    assert kinds(receiver.answer(cw(1))) == "PPKKI"


def test_it_starts_over_and_never_falls_silent() -> None:
    """minisatip#545: OSCam gives a service up until it is tuned anew."""
    receiver = Receiver(Cards(CAID, OTHER_CAID))
    receiver.say(pmt(ca=BOTH))
    tried = []
    for number in range(12):
        (pid,) = receiver.ecm_pids
        tried.append(pid)
        receiver.send(ecm(number), pid)
        assert receiver.asks, "each new ECM is asked"
        receiver.refuse(Refusal.CANNOT_DECODE)
        receiver.wait(10)
    assert tried == [ECM_PID, ECM_PID, OTHER_ECM_PID, OTHER_ECM_PID] * 3
    only = Receiver()
    only.say(pmt())
    for number in range(6):
        only.send(ecm(number))
        only.refuse(Refusal.CANNOT_DECODE)
    assert (only.ecm_pids, only.stopped) == ([ECM_PID], 0)
    only.send(ecm(7))
    assert kinds(only.answer(cw(1))) == "PPKKI"


def test_a_card_that_comes_later_is_chosen_then() -> None:
    receiver = Receiver(Cards())
    receiver.say(pmt(ca=BOTH))
    assert receiver.ecm_pids == [ECM_PID], "something has to be, and may come"
    receiver.send(ecm(0))
    receiver.refuse(Refusal.PASSING)
    assert kinds(receiver.change_cards(OTHER_CAID)) == "Ff"
    assert receiver.ecm_pids == [OTHER_ECM_PID]


def test_a_card_that_comes_within_the_period_is_asked_at_once() -> None:
    receiver = Receiver(Cards())
    receiver.say(pmt())
    receiver.send(ecm(0))
    for _ in range(8):
        receiver.refuse(Refusal.PASSING)
        receiver.wait(3.0)
    receiver.refuse(Refusal.PASSING)
    receiver.now += 0.5
    receiver.change_cards(CAID)
    receiver.wait(0.0)
    assert receiver.asks


def test_what_works_is_not_left_for_something_better() -> None:
    receiver = Receiver(Cards(OTHER_CAID))
    receiver.say(pmt(ca=BOTH))
    receiver.send(ecm(0), OTHER_ECM_PID)
    receiver.answer(cw(1))
    assert kinds(receiver.change_cards(CAID, OTHER_CAID)) == ""
    receiver.change_cards(CAID)  # the card is gone: nothing is lost until it is missed
    assert receiver.ecm_pids == [OTHER_ECM_PID]
    receiver.send(ecm(1), OTHER_ECM_PID)
    receiver.refuse(Refusal.PASSING)
    assert receiver.ecm_pids == [ECM_PID]


def test_a_peer_that_is_lost_and_comes_back_changes_nothing() -> None:
    receiver = Receiver()
    receiver.say(pmt(ca=BOTH))
    receiver.watch(0)
    receiver.change_cards()
    receiver.send(ecm(1))
    receiver.refuse(Refusal.PASSING)
    receiver.change_cards(CAID)
    receiver.wait(1.0)
    assert kinds(receiver.answer(cw(5))) == "KKI"
    assert receiver.stopped == 0


def test_streams_on_one_pid_are_tried_one_after_the_other() -> None:
    caid = 0x0604
    receiver = Receiver(Cards(caid))
    receiver.say(pmt(ca=[(caid, ECM_PID)]))
    receiver.send(b"\x82\x70\x05\x00\x09\x00\x00\x00", ECM_PID)  # an EMM is no ECM
    for number in (0, 1):
        for chain in (3, 4, 5):
            receiver.send(ecm(number, chain=chain))
        assert [each.request.section[4] for each in receiver.asks.values()] == [3]
        receiver.refuse(Refusal.CANNOT_DECODE)
    for chain in (3, 4, 5):
        receiver.send(ecm(2, chain=chain))
    (ask,) = receiver.asks.values()
    assert ask.request.section[4] == 4
    assert kinds(receiver.answer(cw(1))) == "PPKKI"
    assert receiver.stopped == 0
    receiver.say(pmt(ca=[(caid, ECM_PID)], pids=[100], manage=UPDATE))
    receiver.send(ecm(3, chain=3))
    assert not receiver.asks, "the choice outlives a change of the streams"


def test_two_providers_on_one_pid_are_asked_with_the_same_ecm() -> None:
    receiver = Receiver(Cards(0x0100))
    found = pmt()
    descriptors = tuple(CaDescriptor(Caid(0x0100), ECM_PID, bytes((0, each))) for each in (1, 2))
    receiver.say(CaPmt(service=found.service, descriptors=descriptors, streams=found.streams))
    for number in (0, 1):
        receiver.send(ecm(number))
        assert [each.request.ident for each in receiver.asks.values()] == [1]
        receiver.refuse(Refusal.CANNOT_DECODE)
    (ask,) = receiver.asks.values()
    assert (ask.request.ident, ask.request.section) == (2, ecm(1)), "at once, not a period later"
