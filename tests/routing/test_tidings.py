"""CWs that other nodes of a fleet tell, and asks that are held because others may be asking."""

from desk import Desk, asked, delivered, ecm, refused, waiter
from network import CAID, IDENT, cw_of

from cccamd.cards import Card
from cccamd.ids import NodeId, ShareId, Sid
from cccamd.routing import Abandon, Action, Ask, Disproved, Prospect, Result, SourceTraits, Tidings
from cccamd.values import ControlWords, Refusal, Request, Service, with_checksums

SERVICE = Service(CAID, IDENT, Sid(1))
RIGHT = cw_of(ecm(1))
WRONG, WRONG_TOO = (ControlWords(with_checksums(bytes(range(n, n + 16)))) for n in (1, 2))


def tell(
    desk: Desk, card: Card, cw: ControlWords, now: float, *, number: int = 1, corrects: bool = False
) -> list[Action]:
    """Let the node whose card this is say what it gave."""
    request = Request(CAID, IDENT, ShareId(0), Sid(1), ecm(number))
    fingerprint = desk.router.fingerprint_of(request)
    tidings = Tidings(fingerprint, SERVICE, card, cw, corrects)
    return desk.carry_out(desk.router.heard(tidings, now), now)


def blamed(actions: list[Action]) -> list[Card]:
    return [action.card for action in actions if isinstance(action, Disproved)]


def test_what_is_told_is_there_for_who_may_see_the_card() -> None:
    desk = Desk()
    card = desk.upstream("other node")
    assert tell(desk, card, RIGHT, 10.0) == []
    assert delivered(desk.request("anna", 10.1, number=1)) == {"anna": RIGHT.raw}
    desk.table.set_node_id(card.source, NodeId(b"receiver"))
    stranger = desk.view_of(node_id=card.path[0])
    assert delivered(desk.request("emil", 10.2, number=1, view=stranger)) == {}


def test_who_waits_is_answered_and_what_is_held_is_given_up() -> None:
    desk = Desk()
    own = desk.upstream("a")
    node = desk.upstream("b", "c")
    ask = asked(desk.request("anna", 10.0, number=1))
    assert ask.card is own
    desk.router.held(ask.ask_id, 10.0)
    actions = tell(desk, node, RIGHT, 10.2)
    assert delivered(actions) == {"anna": RIGHT.raw}
    assert Abandon(ask.ask_id, own.source) in actions
    desk.refused(ask.ask_id, Refusal.NOT_SENT, 10.2)
    assert not desk.router.sent(ask.ask_id, 10.3), "nobody wants it any more"
    assert desk.router.is_idle


def test_what_is_held_is_no_card_s_fault() -> None:
    desk = Desk()
    own = desk.upstream("a")
    other = desk.upstream("b", "c")
    ask = asked(desk.request("anna", 10.0, number=1))
    assert desk.router.prospect(ask.ask_id) == Prospect(
        desk.router.fingerprint_of(desk.requests["anna"]), SERVICE, 0.5, False, False, own.source
    )
    desk.router.held(ask.ask_id, 10.0)
    assert desk.wait(12.0) == [], "another card was asked, or this one counted as late"
    assert desk.router.sent(ask.ask_id, 12.0)
    assert not desk.router.sent(ask.ask_id, 12.0)
    later = desk.wait(12.0 + 0.62)
    assert later == [], "its time began when it was held"
    (late,) = [action for _, action in desk.wait(13.0)]
    assert isinstance(late, Ask)
    assert late.card is other
    assert delivered(desk.right(ask, 13.1)) == {"anna": RIGHT.raw}
    assert desk.router.condition(own.source, 13.1).usual == 13.1 - 12.0


def test_the_clock_of_a_source_begins_when_what_was_held_goes_out() -> None:
    """One that is given up is left alone for five seconds after what it was asked last."""
    desk = Desk()
    desk.upstream("a")
    for number in (0, 1):
        desk.request(f"w{number}", 10.0 * number, number=number)
        desk.wait(10.0 * number + 9.0)
    desk.wait(30.0)
    ask = asked(desk.request("anna", 30.0, number=3))
    desk.router.held(ask.ask_id, 30.0)
    assert desk.router.sent(ask.ask_id, 34.0)
    assert refused(desk.request("emil", 38.9, number=4, sid=2)).trace.result is Result.SILENT
    desk.wait(39.0)
    asked(desk.request("emil", 39.0, number=4, sid=2))


def test_what_was_asked_of_a_node_is_answered_by_what_it_tells() -> None:
    desk = Desk()
    node = desk.upstream("a")
    asked(desk.request("anna", 10.0, number=1))
    assert delivered(tell(desk, node, RIGHT, 10.2)) == {"anna": RIGHT.raw}
    assert desk.router.is_idle
    assert len(desk.settled) == 1


def test_a_node_that_tells_a_cw_is_not_silent() -> None:
    """What was ordered while the engine was ill got no answer; now its CWs come."""
    desk = Desk()
    node = desk.upstream("a")
    for number in range(3):
        desk.request("anna", 10.0 * number, number=number)
        desk.wait(10.0 * number + 9.0)
    assert desk.router.condition(node.source, 30.0).silent_since is not None
    tell(desk, node, cw_of(ecm(7)), 30.0, number=7)
    assert desk.router.condition(node.source, 30.0).silent_since is None
    asked(desk.request("anna", 31.0, number=8))


def test_a_node_that_our_own_card_contradicts_was_wrong() -> None:
    """Whoever came first: the card of our own is believed, and what is kept is corrected."""
    desk = Desk()
    node = desk.upstream("node")
    tell(desk, node, WRONG, 10.0)
    own = desk.local()
    ask = asked([a for a in desk.request("anna", 30.0, number=1) if isinstance(a, Ask)])
    assert ask.card is own
    actions = desk.right(ask, 30.1)
    assert blamed(actions) == [node]
    assert delivered(actions) == {"anna": RIGHT.raw}
    assert delivered(desk.request("emil", 30.2, number=1)) == {"emil": RIGHT.raw}

    desk.right(asked(desk.request("anna", 40.0, number=2)), 40.1)
    assert blamed(tell(desk, node, WRONG_TOO, 40.2, number=2)) == [node]
    assert delivered(desk.request("emil", 40.3, number=2)) == {"emil": cw_of(ecm(2)).raw}


def test_the_straight_way_finds_out_as_well() -> None:
    desk = Desk()
    node = desk.upstream("node")
    tell(desk, node, WRONG, 10.0)
    desk.table.forget_source(node.source)
    own = desk.local(traits=SourceTraits(immediate=True))
    wanted = desk.router.wanted(desk.view, Request(CAID, IDENT, ShareId(0), Sid(1), ecm(1)))
    assert desk.router.straight(wanted) is own
    assert desk.router.taken(own, wanted, RIGHT, 30.0, 30.0) is None
    ask = asked(desk.carry_out(desk.router.request(waiter("anna"), wanted, 30.0), 30.0))
    assert blamed(desk.right(ask, 30.0)) == [node]


def test_of_two_nodes_a_third_says_who_was_wrong() -> None:
    desk = Desk()
    first, second, third = (desk.upstream(name) for name in ("a", "b", "c"))
    assert blamed(tell(desk, first, WRONG, 10.0)) == []
    assert blamed(tell(desk, second, RIGHT, 10.1)) == [], "nobody knows yet"
    assert blamed(tell(desk, third, RIGHT, 10.2)) == [first]
    assert delivered(desk.request("anna", 10.3, number=1)) == {"anna": RIGHT.raw}

    tell(desk, first, cw_of(ecm(2)), 20.0, number=2)
    assert blamed(tell(desk, second, WRONG_TOO, 20.1, number=2)) == []
    assert delivered(desk.request("anna", 20.2, number=2)) == {"anna": cw_of(ecm(2)).raw}
    assert blamed(tell(desk, third, cw_of(ecm(2)), 20.3, number=2)) == [second]


def test_who_says_who_was_wrong_knows_it_from_neither_of_the_two() -> None:
    """The same card by another way repeats only what has been said."""
    desk = Desk()
    first, second = desk.upstream("a"), desk.upstream("b")
    first_again, second_again = (
        desk.announce(desk.upstream("c", name).source, origin, name, share_id=card.id.remote_id)
        for card, origin, name in ((first, "a", "d"), (second, "b", "e"))
    )
    assert (first_again.id, second_again.id) == (first.id, second.id)
    tell(desk, first, WRONG, 10.0)
    tell(desk, second, RIGHT, 10.1)
    for repeated in (second, second_again):
        assert blamed(tell(desk, repeated, RIGHT, 10.2)) == [], "it was said by the same card"
    for repeated in (first, first_again):
        assert blamed(tell(desk, repeated, WRONG, 10.3)) == [], "it was said by the same card"
    assert delivered(desk.request("anna", 10.4, number=1)) == {"anna": WRONG.raw}
    assert blamed(tell(desk, desk.upstream("f"), RIGHT, 10.5)) == [first]


def test_what_another_contradicts_is_given_to_nobody_who_waits() -> None:
    """Who does not see the card that was first gets it from his own, not from who contradicts."""
    desk = Desk()
    first = desk.upstream("a")
    tell(desk, first, RIGHT, 10.0)
    node = desk.upstream("b")
    other = desk.view_of(node_id=first.path[0])
    ask = asked(desk.request("anna", 10.1, number=1, view=other))
    assert ask.card is node
    desk.router.held(ask.ask_id, 10.1)
    assert tell(desk, node, WRONG, 10.2) == []


def test_no_node_is_believed_what_shows_to_be_wrong() -> None:
    desk = Desk()
    node = desk.upstream("a")
    for cw in (ControlWords(bytes(16)), ControlWords(bytes(range(16)))):
        assert blamed(tell(desk, node, cw, 10.0)) == [node]
    tell(desk, node, RIGHT, 10.1)
    assert tell(desk, node, RIGHT, 20.0, number=2) == [], "that of the period before is a suspicion"
    assert delivered(desk.request("anna", 20.1, number=2)) == {}


def test_a_fixed_key_of_a_node_is_no_repetition() -> None:
    desk = Desk()
    node = desk.upstream("a", traits=SourceTraits(constant=True))
    for number in range(3):
        tell(desk, node, RIGHT, 10.0 + number, number=number)
        asking = desk.request("anna", 10.5 + number, number=number)
        assert delivered(asking) == {"anna": RIGHT.raw}


def test_only_who_has_said_it_takes_it_back() -> None:
    desk = Desk()
    node, other = desk.upstream("a"), desk.upstream("b")
    tell(desk, node, WRONG, 10.0)
    assert blamed(tell(desk, other, RIGHT, 10.1, corrects=True)) == []
    assert delivered(desk.request("anna", 10.2, number=1)) == {"anna": WRONG.raw}
    tell(desk, node, RIGHT, 10.3, corrects=True)
    assert delivered(desk.request("emil", 10.4, number=1)) == {"emil": RIGHT.raw}
