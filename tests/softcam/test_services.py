"""Lists of services, their changes, their ends (docs/dvbapi-protocol.md sections 6 to 8, 15)."""

import pytest
from dvbreceiver import (
    ADD,
    AUDIO,
    CAID,
    ECM_PID,
    FIRST,
    LAST,
    MORE,
    ONLY,
    OTHER_CAID,
    OTHER_ECM_PID,
    UPDATE,
    VIDEO,
    Cards,
    Receiver,
    cw,
    ecm,
    kinds,
    pmt,
)

from cccamd.softcam import Chance, House, Prospect, SetFilter, StopFilter, TooMany
from cccamd.wire.dvbapi import Command


def sids(receiver: Receiver) -> list[int]:
    return [service.sid for service in receiver.softcam.services]


def test_the_first_filter_is_set_at_once_whatever_the_cards_do() -> None:
    receiver = Receiver()
    (order,) = [each for each in receiver.say(pmt()) if isinstance(each, SetFilter)]
    assert (order.demux, order.filter, order.pid) == (0, 0, ECM_PID)
    assert (order.match.value[0], order.match.mask[0]) == (0x80, 0xF0)
    assert kinds(receiver.wait(60.0)) == "", "and nothing else until an ECM comes"


def test_a_full_list_ends_what_it_does_not_name_when_it_is_whole() -> None:
    receiver = Receiver()
    receiver.say(pmt(1, manage=FIRST), pmt(2, ca=[(CAID, 300)], manage=LAST))
    receiver.say(pmt(2, ca=[(CAID, 300)], manage=FIRST), pmt(3, manage=MORE))
    assert sids(receiver) == [1, 2, 3], "not before the last"
    receiver.say(pmt(4, manage=LAST))
    assert sids(receiver) == [2, 3, 4]
    receiver.say(pmt(5, manage=ONLY))
    assert sids(receiver) == [5]


def test_a_list_without_a_last_entry_is_whole_after_two_seconds() -> None:
    receiver = Receiver()
    receiver.say(pmt(1))
    receiver.say(pmt(2, manage=FIRST))
    receiver.wait(1.9)
    assert sids(receiver) == [1, 2]
    receiver.wait(0.2)
    assert sids(receiver) == [2]


def test_add_and_update_leave_the_others_alone() -> None:
    receiver = Receiver()
    receiver.say(pmt(1), pmt(2, manage=ADD), pmt(3, manage=UPDATE), pmt(1, manage=ADD))
    assert sids(receiver) == [1, 2, 3], "an update of what is not known is an addition"
    receiver.say(pmt(4, manage=LAST))
    assert sids(receiver) == [1, 2, 3, 4], "the last of a list that nobody began"


@pytest.mark.parametrize("manage", [ONLY, ADD, UPDATE, MORE, LAST])
def test_not_selected_ends_one_service_whatever_the_list_says(manage: object) -> None:
    receiver = Receiver()
    receiver.say(pmt(1), pmt(2, manage=ADD))
    receiver.say(pmt(1, manage=manage, command=Command.NOT_SELECTED))  # type: ignore[arg-type]
    assert sids(receiver) == [2]


def test_a_query_changes_nothing() -> None:
    receiver = Receiver()
    receiver.say(pmt(1))
    assert receiver.say(pmt(2, command=Command.QUERY)) == []
    assert sids(receiver) == [1]


def test_the_same_again_does_nothing_whatever_its_version_and_order() -> None:
    receiver = Receiver(Cards(CAID, OTHER_CAID))
    ca = [(CAID, ECM_PID), (OTHER_CAID, OTHER_ECM_PID)]
    receiver.say(pmt(ca=ca, pids=[VIDEO, AUDIO]))
    receiver.watch(0)
    assert receiver.say(pmt(ca=ca[::-1], pids=[AUDIO, VIDEO], version=9, manage=UPDATE)) == []


def test_equal_services_of_two_adapters_are_two() -> None:
    receiver = Receiver()
    receiver.say(pmt(1, adapter=0), pmt(1, adapter=1, manage=ADD))
    receiver.send(ecm(0))
    for token in sorted(receiver.asks):
        receiver.answer(cw(token), token)
    assert receiver.pids[0, VIDEO] != receiver.pids[1, VIDEO], "no index is shared"
    assert len(receiver.keys) == 4


def test_streams_that_come_and_go_are_told_and_the_keys_again() -> None:
    receiver = Receiver()
    receiver.say(pmt())
    receiver.watch(0)
    orders = receiver.say(pmt(pids=[VIDEO, 102], manage=UPDATE))
    assert kinds(orders) == "pPKK", "and the filter stays"
    assert set(receiver.pids) == {(0, VIDEO), (0, 102)}


def test_another_ecm_pid_is_followed_without_a_moment_without_filter_or_key() -> None:
    """OSCam's filter stays on the old PID: the picture freezes for good."""
    receiver = Receiver()
    receiver.say(pmt())
    receiver.watch(0)
    orders = receiver.say(pmt(ca=[(CAID, OTHER_ECM_PID)], manage=UPDATE))
    assert kinds(orders) == "Ff", "the new filter first, by another number"
    first, second = (each for each in orders if isinstance(each, SetFilter | StopFilter))
    assert (first.pid, second.pid) == (OTHER_ECM_PID, ECM_PID)
    assert first.filter != second.filter
    assert receiver.halves() == (bytes([2]) * 8, bytes([3]) * 8), "the old keys bridge it"
    assert kinds(receiver.send(ecm(1), OTHER_ECM_PID)) == ""
    assert kinds(receiver.answer(cw(9))) == "KKI"


@pytest.mark.parametrize("ca", [[(CAID, ECM_PID)], [(CAID, OTHER_ECM_PID)]])
def test_a_stop_before_each_change_loses_no_key(ca: list[tuple[int, int]]) -> None:
    """tvheadend stops a service and lists it anew for each change of it."""
    receiver = Receiver()
    receiver.say(pmt(adapter=3))
    receiver.watch(0)
    assert kinds(receiver.stop(3)) == "ppf"
    receiver.keys.clear()
    receiver.wait(0.05)
    assert kinds(receiver.say(pmt(adapter=3, ca=ca, manage=ADD))) == "FPPKK"
    assert receiver.halves() == (bytes([2]) * 8, bytes([3]) * 8)


def test_what_was_not_answered_before_the_stop_is_asked_again() -> None:
    """tvheadend does not send an ECM twice that did not change."""
    receiver = Receiver()
    receiver.say(pmt())
    receiver.send(ecm(0))
    receiver.stop(0)
    assert not receiver.asks
    receiver.say(pmt())
    receiver.wait(0.1)
    assert [ask.request.section for ask in receiver.asks.values()] == [ecm(0)]


def test_remembered_keys_are_old_after_a_crypto_period() -> None:
    receiver = Receiver()
    receiver.say(pmt())
    receiver.watch(0)
    receiver.stop(255)
    receiver.wait(10.1)
    assert kinds(receiver.say(pmt())) == "F"


def test_a_client_that_comes_back_gets_the_keys_at_once() -> None:
    receiver = Receiver()
    receiver.say(pmt())
    receiver.watch(0)
    receiver.softcam.end(receiver.now)
    again = Receiver(receiver.cards, receiver.house, now=receiver.now + 3)
    assert kinds(again.say(pmt())) == "FPPKK"
    other = Receiver(receiver.cards, receiver.house, now=receiver.now + 3)
    assert kinds(other.say(pmt(tsid=8))) == "F", "another transponder is another service"
    assert kinds(other.say(pmt(ca=[(CAID, OTHER_ECM_PID)], adapter=1, manage=ADD))) == "F"


def test_without_a_network_a_service_is_known_again_by_its_streams() -> None:
    receiver = Receiver()
    receiver.say(pmt(tsid=None))
    receiver.watch(0)
    receiver.stop(255)
    assert kinds(receiver.say(pmt(tsid=None, pids=[300]))) == "F", "of another multiplex"
    receiver.stop(255)
    assert kinds(receiver.say(pmt(tsid=None, pids=[VIDEO, 300]))) == "FPPKK"


@pytest.mark.parametrize(
    ("number", "left"), [(255, []), (0, [2, 3]), (1, [1, 3]), (9, [1, 2]), (8, [1, 2, 3])]
)
def test_a_stop_means_the_adapter_and_else_the_demux(number: int, left: list[int]) -> None:
    receiver = Receiver()
    receiver.say(
        pmt(1, adapter=0, demux=1),
        pmt(2, adapter=1, demux=0, manage=ADD),
        pmt(3, adapter=5, demux=9, manage=ADD),
    )
    receiver.stop(number)
    assert sids(receiver) == left


def test_a_stop_ends_nothing_of_another_connection() -> None:
    """OSCam looks for the number in all connections."""
    receiver = Receiver()
    other = Receiver(receiver.cards, receiver.house)
    receiver.say(pmt())
    other.say(pmt(pids=[300], ca=[(CAID, 301)]))
    receiver.stop(255)
    assert sids(other) == [1]
    assert other.obey() == []


def test_everything_is_given_back_at_the_end() -> None:
    receiver = Receiver()
    for number in range(3):
        receiver.say(pmt(1, manage=FIRST), pmt(2, ca=[(CAID, 300)], manage=LAST))
        receiver.watch(number)
        receiver.send(ecm(number), 300)
        receiver.stop(255)
        assert receiver.is_clean
    receiver.say(pmt(1))
    receiver.send(ecm(1))
    receiver.softcam.end(receiver.now)
    assert kinds(receiver.softcam.orders()) == "", "nobody is there to be told"
    assert receiver.softcam.next_deadline() is None
    assert receiver.softcam.pending == 0


def test_an_answer_that_comes_after_the_end_meets_nobody() -> None:
    """The numbers of the old service are the new one's by then."""
    receiver = Receiver()
    receiver.say(pmt(1))
    receiver.send(ecm(0))
    (token,) = receiver.asks
    receiver.stop(255)
    receiver.say(pmt(2, ca=[(CAID, 300)]))
    assert receiver.answer(cw(5), token) == []


def test_a_section_of_the_service_before_is_not_taken_for_one_of_this() -> None:
    receiver = Receiver()
    receiver.say(pmt(1))
    receiver.stop(255)
    receiver.say(pmt(2, ca=[(CAID, 300)]))
    receiver.softcam.heard(0, 0, ecm(0), receiver.now)  # was on its way
    assert receiver.obey() == []


def test_256_services_and_one_more() -> None:
    receiver = Receiver()
    pmts = [pmt(n, ca=[(CAID, 1000 + n)], pids=[3000 + n], manage=ADD) for n in range(257)]
    orders = receiver.say(*pmts)
    assert [each.identity.service for each in orders if isinstance(each, TooMany)] == [256]
    assert len({service.demux for service in receiver.softcam.services}) == 256


def test_a_service_with_thousands_of_ca_descriptors_costs_no_more_than_64() -> None:
    asked = []

    def prospects(*what: object) -> Prospect:
        asked.append(what)
        return Prospect(Chance.MAY_COME)

    receiver = Receiver(house=House(prospects=prospects))
    own = {pid: [(CAID, 3000 + pid)] for pid in range(100, 200)}
    receiver.say(pmt(ca=[(CAID, pid) for pid in range(200, 1200)], own=own, pids=own))
    assert 0 < len(asked) <= 64 * 8
    assert receiver.filters


def test_streams_with_ecms_of_their_own_have_an_index_of_their_own() -> None:
    receiver = Receiver(Cards(CAID, OTHER_CAID))
    own = {AUDIO: [(OTHER_CAID, OTHER_ECM_PID)]}
    receiver.say(pmt(ca=[], own={VIDEO: [(CAID, ECM_PID)], **own}, pids=[VIDEO, AUDIO, 102]))
    receiver.watch(0)
    receiver.send(ecm(0), OTHER_ECM_PID)
    receiver.answer(cw(50))
    assert set(receiver.pids) == {(0, VIDEO), (0, AUDIO)}, "102 is clear"
    assert receiver.pids[0, VIDEO] != receiver.pids[0, AUDIO]
    assert receiver.pids[0, VIDEO] == 0, "VDR: the first is the demux"
    assert receiver.halves(receiver.pids[0, AUDIO])[0] == bytes([50]) * 8


def test_a_stream_of_two_services_stays_with_the_one_that_is_left() -> None:
    receiver = Receiver()
    receiver.say(pmt(1, pids=[VIDEO, AUDIO]), pmt(2, pids=[AUDIO, 300], manage=ADD))
    receiver.send(ecm(0))
    for token in sorted(receiver.asks):
        receiver.answer(cw(token), token)
    assert receiver.pids == {(0, VIDEO): 0, (0, AUDIO): 1, (0, 300): 1}
    receiver.say(pmt(2, manage=UPDATE, command=Command.NOT_SELECTED))
    assert receiver.pids == {(0, VIDEO): 0, (0, AUDIO): 0}
    receiver.say(pmt(3, pids=[AUDIO], manage=ADD))
    receiver.watch(1)
    receiver.say(pmt(1, manage=UPDATE, command=Command.NOT_SELECTED))
    assert set(receiver.pids) == {(0, AUDIO)}


def test_a_service_without_streams_waits_for_them() -> None:
    receiver = Receiver()
    assert kinds(receiver.say(pmt(pids=[]))) == ""
    assert kinds(receiver.say(pmt(manage=UPDATE))) == "F"
    receiver.watch(0)
    assert kinds(receiver.say(pmt(pids=[], manage=UPDATE))) == "pp", "the filter stays"
    assert kinds(receiver.say(pmt(manage=UPDATE))) == "PPKK"


def test_nothing_is_promised_that_can_never_come() -> None:
    receiver = Receiver(Cards())
    receiver.cards.otherwise = Prospect(Chance.NEVER)
    assert kinds(receiver.say(pmt())) == ""
    assert kinds(receiver.change_cards(CAID)) == "F", "unless it comes after all"
    assert kinds(receiver.change_cards()) == "", "and what is wanted has its filter"


def test_a_demux_is_not_given_to_another_adapter_while_others_are_free() -> None:
    receiver = Receiver()
    receiver.say(pmt(1, adapter=0))
    receiver.stop(255)
    receiver.say(pmt(2, adapter=1, ca=[(CAID, 300)]))
    assert {demux for demux, _ in receiver.filters} == {1}
    receiver.say(pmt(1, adapter=0, manage=ADD))
    assert {demux for demux, _ in receiver.filters} == {0, 1}
