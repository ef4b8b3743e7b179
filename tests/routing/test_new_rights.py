"""Who waits goes by the rights that it has now, not by those it had when it asked."""

import pytest
from desk import Desk, asked, delivered, refused, waiter

from cccamd.cards import View
from cccamd.routing import Abandon, Action, Ask, Deliver, Refuse
from cccamd.values import Refusal


@pytest.fixture
def desk() -> Desk:
    return Desk()


def adopt(desk: Desk, name: str, view: View, now: float) -> list[Action]:
    wanted = desk.router.wanted(view, desk.requests[name])
    return desk.carry_out(desk.router.rights_changed(waiter(name), wanted, now), now)


def test_who_may_have_none_any_more_is_refused_at_once_and_gets_no_answer(desk: Desk) -> None:
    desk.upstream("a", "b")
    ask = asked(desk.request("anna", 0.0))
    actions = adopt(desk, "anna", desk.view_of(uphops=0), 0.5)
    assert [type(action) for action in actions] == [Refuse, Abandon]
    assert desk.right(ask, 0.6) == []
    assert desk.router.is_idle


def test_who_may_still_have_another_gets_that_one_only(desk: Desk) -> None:
    far, near = desk.upstream("b", "c"), desk.upstream("a")
    only_near = desk.view_of(uphops=1)
    desk.wrong(asked(desk.request("x", 0.0, view=only_near)), 0.0, Refusal.PASSING)
    ask = asked(desk.request("anna", 2.0, number=1))
    assert ask.card is far
    (other,) = (each for each in adopt(desk, "anna", only_near, 2.1) if isinstance(each, Ask))
    assert other.card is near
    assert delivered(desk.right(ask, 2.2)) == {}
    assert delivered(desk.right(other, 2.3)).keys() == {"anna"}


def test_others_in_the_same_flight_lose_nothing(desk: Desk) -> None:
    desk.upstream("a", "b")
    ask = asked(desk.request("anna", 0.0))
    desk.request("ben", 0.1)
    assert refused(adopt(desk, "anna", desk.view_of(uphops=0), 0.5)).waiter == waiter("anna")
    assert delivered(desk.right(ask, 0.6)).keys() == {"ben"}


def test_who_may_have_more_gets_that(desk: Desk) -> None:
    desk.local()
    far = desk.upstream("a", "b")
    ask = asked(desk.request("anna", 0.0, view=desk.view_of(uphops=0)))
    assert ask.card is not far
    assert adopt(desk, "anna", desk.view, 0.1) == []
    assert asked(desk.wrong(ask, 0.2)).card is far


def test_who_has_been_answered_or_has_left_is_not_answered_again(desk: Desk) -> None:
    desk.upstream("a")
    assert [type(each) for each in desk.right(asked(desk.request("anna", 0.0)), 0.1)] == [Deliver]
    assert adopt(desk, "anna", desk.view_of(uphops=0), 0.2) == []
