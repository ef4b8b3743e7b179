"""No CW of a period before is given on when another source says something else.

Each of these was a way in which one was: by the services that clients name, by who sees which
card, by what comes late, and by what is kept.
"""

import pytest
from desk import Desk, asked, delivered, ecm, refused, waiter
from network import CAID, cw_of

from cccamd.cards import View
from cccamd.ids import NodeId
from cccamd.routing import Action, Ask, Deliver, SourceTraits

OLD, TRUE = cw_of(ecm(0)), cw_of(ecm(1))


@pytest.fixture
def desk() -> Desk:
    """One that has told the CW of the ECM before, for service 1."""
    desk = Desk()
    desk.upstream("a")
    desk.right(asked(desk.request("first", 0.0)), 0.1)
    return desk


def without(desk: Desk, name: str) -> View:
    """The view of a client that does not see the card of a node: it is that node."""
    node_id = NodeId(name.encode().rjust(8, b"."))
    (card,) = (card for card in desk.table.cards_with(CAID) if node_id in card.path)
    desk.table.set_node_id(card.source, node_id)
    return desk.view_of(node_id=node_id)


def question(actions: list[Action]) -> Ask:
    """The one question in what was decided, whatever else was."""
    (ask,) = (action for action in actions if isinstance(action, Ask))
    return ask


def late_answer(desk: Desk, now: float) -> tuple[list[Action], Ask]:
    """Let the stale card be believed at the deadline, the honest one being late; its ask."""
    first = asked(desk.request("anna", now, number=1))
    honest = asked(desk.answered(first.ask_id, OLD, now + 0.1))
    gone = [action for _, action in desk.wait(now + 4.6)]
    return gone, honest


@pytest.mark.parametrize("first", [7, 0], ids=["another", "none"])
def test_a_waiter_that_names_another_service_first_hides_nothing(desk: Desk, first: int) -> None:
    honest = desk.upstream("b", "c")
    ask = asked(desk.request("liar", 10.0, number=1, sid=first))
    desk.request("anna", 10.1, number=1)
    other = asked(desk.answered(ask.ask_id, OLD, 10.2))
    assert other.card is honest
    assert delivered(desk.right(other, 10.3)) == {"liar": TRUE.raw, "anna": TRUE.raw}


def test_what_a_liar_was_told_alone_is_not_told_to_who_names_the_right_service(desk: Desk) -> None:
    honest = desk.upstream("b", "c")
    ask = asked(desk.request("liar", 10.0, number=1, sid=7))
    assert delivered(desk.answered(ask.ask_id, OLD, 10.1)) == {"liar": OLD.raw}
    again = asked(desk.request("anna", 10.2, number=1))
    other = asked(desk.answered(again.ask_id, OLD, 10.3))
    assert other.card is honest
    assert delivered(desk.right(other, 10.4)) == {"anna": TRUE.raw}
    assert delivered(desk.request("ben", 10.5, number=1)) == {"ben": TRUE.raw}
    assert delivered(desk.request("liar", 10.6, number=1, sid=7)) == {"liar": TRUE.raw}


def test_what_was_kept_for_one_service_counts_for_the_next_that_is_told_it(desk: Desk) -> None:
    honest = desk.upstream("b", "c")
    desk.request("anna", 1.0, sid=5)  # the ECM of the period before, from what is kept
    ask = asked(desk.request("anna", 10.0, number=1, sid=5))
    assert asked(desk.answered(ask.ask_id, OLD, 10.1)).card is honest


def test_naming_many_services_does_not_make_the_right_one_forgotten(desk: Desk) -> None:
    """Whoever asks other ECMs under its name."""
    desk.upstream("b", "c")
    for number in range(10, 13):
        for action in desk.request("liar", 5.0, number=number):
            assert isinstance(action, Ask)
            desk.right(action, 5.1)
    ask = asked(desk.request("anna", 10.0, number=1))
    assert isinstance(asked(desk.answered(ask.ask_id, OLD, 10.1)), Ask)


def test_who_sees_one_card_only_is_not_told_what_a_card_he_does_not_see_contradicts(
    desk: Desk,
) -> None:
    desk.upstream("b", "c")
    right = asked(desk.request("anna", 10.0, number=1, view=without(desk, "a")))
    ask = question(desk.request("ben", 10.0, number=1, view=without(desk, "b")))
    assert delivered(desk.right(right, 10.1)) == {"anna": TRUE.raw}
    assert refused(desk.answered(ask.ask_id, OLD, 10.2)).waiter == waiter("ben")
    later = asked(desk.request("cleo", 12.0, number=1, view=without(desk, "b")))
    assert refused(desk.answered(later.ask_id, OLD, 12.2)).waiter == waiter("cleo")


def test_who_has_better_to_wait_for_does_not_get_what_another_believes(desk: Desk) -> None:
    desk.upstream("b", "c")
    first = asked(desk.request("anna", 10.0, number=1, view=without(desk, "b")))
    desk.request("ben", 10.0, number=1)
    actions = desk.answered(first.ask_id, OLD, 10.1)
    assert delivered(actions) == {"anna": OLD.raw}
    assert delivered(desk.right(question(actions), 10.2)) == {"ben": TRUE.raw}


def test_what_was_believed_at_the_deadline_is_put_right_by_a_late_answer(desk: Desk) -> None:
    desk.upstream("b", "c")
    gone, late = late_answer(desk, 10.0)
    assert delivered(gone) == {"anna": OLD.raw}
    desk.right(late, 15.0)
    assert delivered(desk.request("ben", 15.1, number=1)) == {"ben": TRUE.raw}


def test_it_is_no_reason_to_believe_it_in_the_next_period(desk: Desk) -> None:
    honest = desk.upstream("b", "c")
    _, late = late_answer(desk, 10.0)
    desk.right(late, 15.0)
    for number in (2, 3):
        now = 10.0 * number
        actions = desk.request("anna", now, number=number)
        ask = asked(actions)
        if ask.card is not honest:
            ask = asked(desk.answered(ask.ask_id, OLD, now + 0.1))
        assert delivered(desk.right(ask, now + 0.2)) == {"anna": cw_of(ecm(number)).raw}


def test_what_one_source_repeats_alone_is_asked_elsewhere_every_time(desk: Desk) -> None:
    """That another did not answer says nothing about the next period."""
    honest = desk.upstream("b", "c")
    gone, late = late_answer(desk, 10.0)
    assert delivered(gone) == {"anna": OLD.raw}
    desk.wait(29.0)
    assert late.card is honest
    first, *others = desk.request("anna", 30.0, number=2)
    assert isinstance(first, Ask)
    if first.card is not honest and not others:
        others = desk.answered(first.ask_id, OLD, 30.1)
    assert honest in [ask.card for ask in (first, *others) if isinstance(ask, Ask)]


def test_the_same_card_by_two_ways_does_not_confirm_itself() -> None:
    desk = Desk()
    near = desk.upstream("x", "b")
    source = desk.table.add_source()
    desk.router.source_ready(source, SourceTraits(), 0.0)
    far = desk.announce(source, "x", "c", share_id=near.remote_id)
    honest = desk.upstream("d", "e", "f")
    assert near.id == far.id
    desk.right(asked(desk.request("anna", 0.0)), 0.1)
    ask = asked(desk.request("anna", 10.0, number=1))
    seen = []
    while ask.card is not honest:
        seen.append(ask.card)
        ask = asked(desk.answered(ask.ask_id, OLD, 10.1))
    assert len(seen) == 2
    assert delivered(desk.right(ask, 10.2)) == {"anna": TRUE.raw}


def test_two_that_agree_make_a_feed_with_one_key_and_what_came_late_does_so_too(
    desk: Desk,
) -> None:
    desk.upstream("b", "c")
    gone, late = late_answer(desk, 10.0)
    assert delivered(gone) == {"anna": OLD.raw}
    desk.answered(late.ask_id, OLD, 15.0)
    ask = asked(desk.request("anna", 20.0, number=2))
    assert [type(action) for action in desk.answered(ask.ask_id, OLD, 20.1)] == [Deliver]


def test_a_source_does_not_contradict_itself(desk: Desk) -> None:
    """One that put things right is believed: nothing else is there."""
    ask = asked(desk.request("anna", 10.0, number=1))
    desk.answered(ask.ask_id, cw_of(b"a lie"), 10.1)
    later = asked(desk.request("ben", 30.0, number=1))
    assert delivered(desk.answered(later.ask_id, OLD, 30.1)) == {"ben": OLD.raw}
