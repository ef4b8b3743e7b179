"""EMMs that come with services (docs/dvbapi-protocol.md section 13)."""

import pytest
from dvbreceiver import ADD, CAID, OTHER_CAID, Cards, Receiver, cw, ecm, kinds, pmt

from cccamd.ids import Caid, ShareId
from cccamd.softcam import EmmCard, House, SetFilter
from cccamd.wire.dvbapi import Command

EMM_PID = 500
OURS = EmmCard(ShareId(9), Caid(CAID))


def cat(*ca: tuple[int, int], number: int = 0, last: int = 0) -> bytes:
    """A CAT section with these CA descriptors."""
    body = b"\xff\xff\xc1" + bytes((number, last))
    body += b"".join(
        b"\x09\x04" + caid.to_bytes(2) + (0xE000 | pid).to_bytes(2) for caid, pid in ca
    )
    body += bytes(4)
    return b"\x01" + (0xB000 | len(body)).to_bytes(2) + body


def emm(number: int, table_id: int = 0x82) -> bytes:
    return bytes((table_id, 0x70, 5)) + number.to_bytes(5)


class Home:
    def __init__(self) -> None:
        self.cards = [OURS]
        self.house = House(prospects=Cards(CAID), emm_cards=lambda: self.cards)

    def receiver(self) -> Receiver:
        receiver = Receiver(house=self.house)
        receiver.say(pmt())
        receiver.watch(0)
        return receiver


@pytest.fixture
def home() -> Home:
    return Home()


def pids(receiver: Receiver) -> list[int]:
    return sorted({pid for _, pid, _ in receiver.filters.values()} - {200})


def test_the_cat_says_where_and_the_card_gets_each_emm_once(home: Home) -> None:
    receiver = home.receiver()
    assert kinds(receiver.wait(9.9)) == "", "the picture comes first"
    (order,) = [each for each in receiver.wait(10.0) if isinstance(each, SetFilter)]
    assert (order.pid, order.match.value, order.match.mask) == (1, b"\x01", b"\xff")
    orders = receiver.send(cat((OTHER_CAID, 501), (CAID, EMM_PID)), 1)
    assert kinds(orders) == "fFFF", "and the CAT is not needed any more"
    for table_id in range(0x80, 0x90):
        receiver.send(emm(table_id, table_id), EMM_PID)
    assert [each.section[0] for each in receiver.emms] == list(range(0x82, 0x90))
    assert {each.card for each in receiver.emms} == {OURS.share_id}
    for _ in range(43):
        receiver.send(emm(0x82), EMM_PID)
    assert len(receiver.emms) == 14, "tvheadend passes every repetition on"


def test_two_parts_of_a_cat_are_read(home: Home) -> None:
    receiver = home.receiver()
    receiver.wait(20.0)
    assert kinds(receiver.send(cat((OTHER_CAID, 501), last=1), 1)) == ""
    receiver.send(cat((CAID, EMM_PID), number=1, last=1), 1)
    assert pids(receiver) == [EMM_PID]


def test_one_receiver_at_a_time_looks_after_a_card(home: Home) -> None:
    """minisatip#1324: several receivers send the same EMM twice."""
    first, second = home.receiver(), home.receiver()
    first.wait(20.0)
    first.send(cat((CAID, EMM_PID)), 1)
    second.wait(60.0)
    assert (pids(first), pids(second)) == ([EMM_PID], [])
    first.softcam.end(first.now)
    second.wait(31.0)
    second.send(cat((CAID, EMM_PID)), 1)
    assert pids(second) == [EMM_PID], "the next one takes over"


def test_another_service_of_the_same_connection_takes_over(home: Home) -> None:
    receiver = home.receiver()
    receiver.say(pmt(2, manage=ADD, ca=[(CAID, 300)]))
    receiver.send(ecm(0), 300)
    receiver.answer(cw(1))
    receiver.wait(20.0)
    receiver.send(cat((CAID, EMM_PID)), 1)
    demux = {demux for (demux, _), (_, pid, _) in receiver.filters.items() if pid == EMM_PID}
    assert demux == {0}
    receiver.say(pmt(1, manage=ADD, command=Command.NOT_SELECTED))
    receiver.wait(31.0)
    receiver.send(cat((CAID, EMM_PID)), 1)
    demux = {demux for (demux, _), (_, pid, _) in receiver.filters.items() if pid == EMM_PID}
    assert demux == {1}


def test_a_card_that_goes_is_not_looked_after_any_more(home: Home) -> None:
    receiver = home.receiver()
    receiver.wait(20.0)
    receiver.send(cat((CAID, EMM_PID)), 1)
    home.cards = []
    assert kinds(receiver.change_cards(CAID)) == "fff"
    home.cards = [OURS]
    receiver.wait(31.0)
    assert pids(receiver) == [EMM_PID], "the CAT is still known"


def test_without_a_card_that_wants_emms_nothing_is_looked_for(home: Home) -> None:
    home.cards = []
    receiver = home.receiver()
    assert kinds(receiver.wait(9.0) + receiver.wait(0.5)) == ""
    receiver.wait(100.0)
    assert pids(receiver) == []


@pytest.mark.parametrize("length", range(40))
def test_a_cat_that_is_cut_short_hurts_nobody(home: Home, length: int) -> None:
    receiver = home.receiver()
    receiver.wait(20.0)
    receiver.send(cat((CAID, EMM_PID), (CAID, 502))[: length + 1], 1)
    assert receiver.ecm_pids[0] == 200
