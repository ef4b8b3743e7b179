"""Cards that go while they are asked, cards that learn, and clients that ask again."""

from itertools import pairwise

import pytest
from desk import Desk, asked, delivered, ecm, refused
from network import cw_of

from cccamd.cards import Card
from cccamd.routing import Ask, Deliver, Refuse, Result
from cccamd.values import Outcome, Refusal

CW = cw_of(ecm()).raw


@pytest.fixture
def desk() -> Desk:
    return Desk()


def withdraw(desk: Desk, card: Card, now: float) -> list:
    assert desk.table.remove(card.source, card.share_id) is not None
    return desk.carry_out(desk.router.card_withdrawn(card, now), now)


def refusals(desk: Desk, until: float) -> list[tuple[float, Refuse]]:
    return [(at, each) for at, each in desk.wait(until) if isinstance(each, Refuse)]


def test_the_next_card_is_asked_at_once(desk: Desk) -> None:
    near, far = desk.upstream("a"), desk.upstream("b", "c")
    assert asked(desk.request("anna", 0.0)).card is near
    ask = asked(withdraw(desk, near, 0.1))
    assert ask.card is far
    assert delivered(desk.right(ask, 0.3)) == {"anna": CW}


def test_where_there_is_no_other_the_refusal_comes_at_once(desk: Desk) -> None:
    card = desk.upstream("a")
    asked(desk.request("anna", 0.0))
    desk.request("ben", 0.1)
    assert withdraw(desk, card, 0.2) == []
    answers = refusals(desk, 1.0)
    assert [round(at, 3) for at, _ in answers] == [0.45, 0.45], "its moment to be offered anew"
    for _, answer in answers:
        assert answer.refusal is Refusal.PASSING
        assert answer.trace.outcome is Outcome.WITHDRAWN
        assert answer.trace.result is Result.REFUSED


def test_all_cards_of_a_source_at_once(desk: Desk) -> None:
    one = desk.upstream("a")
    other = desk.announce(one.source, "a", "b", share_id=500)
    first = asked(desk.request("anna", 0.0))
    assert first.card is one
    withdraw(desk, other, 0.1)
    assert withdraw(desk, one, 0.1) == [], "the other one is gone as well, and is not asked"
    ((at, _),) = refusals(desk, 1.0)
    assert at == pytest.approx(0.35)


@pytest.mark.parametrize("path", ["a", "b"])
def test_a_list_that_is_renewed_costs_nobody_an_answer(desk: Desk, path: str) -> None:
    card = desk.upstream("a")
    ask = asked(desk.request("anna", 0.0))
    withdraw(desk, card, 0.1)
    again = desk.announce(card.source, path, share_id=card.share_id)
    assert again is not card
    desk.router.card_offered(again)
    assert desk.wait(2.0) == []
    assert delivered(desk.right(ask, 2.0)) == {"anna": CW}


def test_an_answer_of_a_card_that_has_gone_is_still_an_answer(desk: Desk) -> None:
    near, far = desk.upstream("a"), desk.upstream("b", "c")
    first = asked(desk.request("anna", 0.0))
    second = asked(withdraw(desk, near, 0.1))
    assert second.card is far
    assert delivered(desk.right(first, 0.2)) == {"anna": CW}


def test_a_card_that_came_and_went_while_somebody_waited_is_for_him_too(desk: Desk) -> None:
    """Whatever he saw when he asked: what counts is what he sees when the answer comes."""
    desk.upstream("a")
    asked(desk.request("anna", 0.0))
    late = desk.upstream("b")
    assert desk.request("ben", 0.1) == []
    (second,) = [each for _, each in desk.wait(4.0) if isinstance(each, Ask)]
    assert second.card is late
    assert delivered(desk.right(second, 4.0)) == {"anna": CW, "ben": CW}


def test_what_went_without_an_answer_says_so_once(desk: Desk) -> None:
    card = desk.upstream("a")
    asked(desk.request("anna", 0.0))
    withdraw(desk, card, 0.1)
    desk.wait(11.0)
    (settled,) = desk.settled
    assert settled.outcome is Outcome.WITHDRAWN
    assert desk.router.condition(card.source, 11.0).usual is None, "it is no late answer"
    assert not desk.router._flights
    assert not desk.router._asks


def test_a_source_that_takes_a_card_back_is_not_silent_about_it(desk: Desk) -> None:
    card = desk.upstream("a")
    for number in range(3):
        desk.request(f"w{number}", 0.1 * number, number=number)
    withdraw(desk, card, 0.4)
    desk.wait(9.0)
    assert desk.router.condition(card.source, 9.0).silent_since is None


# EMMs.


def dark(desk: Desk, now: float, number: int) -> Ask:
    """Somebody asks, and the card cannot decode it."""
    ask = asked(desk.request(f"dark{now}", now, number=number))
    refused(desk.wrong(ask, now))
    return ask


def test_after_an_emm_the_next_request_is_asked_again(desk: Desk) -> None:
    card = desk.upstream("a")
    dark(desk, 0.0, 0)
    refused(desk.request("anna", 2.0, number=1))
    desk.router.source_taught(card.source, 3.0)
    assert isinstance(desk.request("anna2", 3.0, number=2)[0], Ask)


def test_a_card_that_needs_a_moment_to_learn_is_asked_once_a_second(desk: Desk) -> None:
    """Whether it acknowledges EMMs or not."""
    card = desk.upstream("a")
    desk.router.source_taught(card.source, 0.0)
    dark(desk, 0.5, 0)
    refused(desk.request("anna", 1.4, number=1))
    dark(desk, 1.5, 2)
    assert isinstance(desk.request("ben", 2.5, number=3)[0], Ask)


def test_emms_do_not_let_clients_flood_a_card(desk: Desk) -> None:
    card = desk.upstream("a")
    asks = 0
    for step in range(200):
        now = step / 10
        desk.router.source_taught(card.source, now)
        for action in desk.request(f"w{step}", now, number=step):
            if isinstance(action, Ask):
                asks += 1
                desk.wrong(action, now)
    assert asks == 20


# Clients that ask again for what they did not get.


def test_a_repeated_request_gets_its_answer_at_once(desk: Desk) -> None:
    desk.upstream("a")
    ask = asked(desk.request("anna", 0.0))
    assert desk.request("anna again", 1.0) == [], "it is being asked"
    assert set(delivered(desk.right(ask, 2.0))) == {"anna", "anna again"}
    (answer,) = desk.request("anna once more", 3.0)
    assert isinstance(answer, Deliver)


def test_a_late_answer_is_there_for_who_asks_again(desk: Desk) -> None:
    desk.upstream("a")
    ask = asked(desk.request("anna", 0.0))
    ((at, _),) = refusals(desk, 5.0)
    assert at == 4.5
    assert desk.request("anna again", 5.0) == []
    assert set(delivered(desk.right(ask, 6.0))) == {"anna again"}


@pytest.mark.parametrize("sid", [0, 1])
@pytest.mark.parametrize("refusal", [Refusal.PASSING, Refusal.LATE])
def test_a_repeat_after_trouble_is_asked_again_but_not_at_any_rate(
    desk: Desk, sid: int, refusal: Refusal
) -> None:
    desk.upstream("a")
    asked_at = []
    for step in range(100):
        now = step / 10
        for action in desk.request(f"w{step}", now, sid=sid):
            if isinstance(action, Ask):
                asked_at.append(now)
                desk.refused(action.ask_id, refusal, now)
    gaps = [later - earlier for earlier, later in pairwise(asked_at)]
    assert 3 <= len(asked_at) <= 10
    assert min(gaps) >= 0.99


def test_a_repeat_goes_to_the_card_that_has_not_failed(desk: Desk) -> None:
    near, far = desk.upstream("a"), desk.upstream("b", "c")
    second = asked(desk.wrong(asked(desk.request("anna", 0.0)), 0.1, Refusal.PASSING))
    refused(desk.wrong(second, 0.2))
    assert asked(desk.request("anna again", 1.5)).card is near, "the other one cannot"
    desk.table.remove(far.source, far.share_id)
