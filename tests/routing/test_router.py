"""The router alone: who is asked, who is answered, when."""

from itertools import pairwise

import pytest
from desk import CLIENT, Desk, asked, delivered, ecm, name_of, refused
from network import IDENT, cw_of

from cccamd.cards import Limit, View
from cccamd.ids import SHARED_NODE_IDS, Caid, Ident, NodeId, Sid
from cccamd.routing import (
    Abandon,
    Ask,
    CardStep,
    Choice,
    Deliver,
    Event,
    LoopDetected,
    Priorities,
    Refuse,
    Result,
    SourceTraits,
)
from cccamd.values import ControlWords, Offer, Outcome, Refusal, Service

CW = cw_of(ecm()).raw


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_the_question_goes_out_under_the_name_the_source_knows(desk: Desk) -> None:
    card = desk.upstream("a")
    ask = asked(desk.request("anna", 0.0))
    assert (ask.source, ask.card) == (card.source, card)
    assert ask.request == (card.caid, IDENT, 101, 1, ecm())
    answer = desk.right(ask, 0.1)
    assert delivered(answer) == {"anna": CW}
    assert answer[0].trace.winner is card  # type: ignore[union-attr]


def test_one_question_for_many_and_then_the_cache(desk: Desk) -> None:
    desk.upstream("a")
    ask = asked(desk.request("anna", 0.0))
    assert desk.request("ben", 0.05) == []
    assert delivered(desk.right(ask, 0.1)) == {"anna": CW, "ben": CW}
    (answer,) = desk.request("cleo", 14.0)
    assert isinstance(answer, Deliver)
    assert answer.trace.result is Result.CACHED
    assert isinstance(asked(desk.request("dan", 15.2)), Ask)


def test_an_ecm_has_one_name_for_all_who_want_it(desk: Desk) -> None:
    desk.upstream("a")
    asked(desk.request("anna", 0.0))
    asked(desk.request("ben", 0.0, number=1))
    names = [desk.router.fingerprint_of(desk.requests[waiter]) for waiter in ("anna", "ben")]
    assert names[0] != names[1]
    assert set(desk.router._flights) == set(names)


def test_many_wait_for_one_source_although_there_are_others(desk: Desk) -> None:
    desk.upstream("a")
    desk.upstream("b", "c")
    ask = asked(desk.request("anna", 0.0))
    for name in ("ben", "cleo"):
        assert desk.request(name, 0.1) == []
    assert set(delivered(desk.right(ask, 0.2))) == {"anna", "ben", "cleo"}


def test_another_provider_or_section_is_another_question(desk: Desk) -> None:
    desk.upstream("a", idents=(IDENT, 0x80))
    asks = [
        asked(desk.request("anna", 0.0)),
        asked(desk.request("ben", 0.0, ident=0x80)),
        asked(desk.request("cleo", 0.0, number=1)),
    ]
    assert len({ask.ask_id for ask in asks}) == 3


def test_who_cannot_see_the_card_that_is_asked_gets_a_question_of_his_own(desk: Desk) -> None:
    far, near = desk.upstream("b", "c"), desk.upstream("a")
    both, only_near = desk.view, desk.view_of(uphops=1)
    desk.router.source_ready(near.source, SourceTraits(), 0.0)
    # Make the far one the better choice: the near one has refused this service before.
    desk.wrong(asked(desk.request("x", 0.0, view=only_near)), 0.0, Refusal.PASSING)
    first = asked(desk.request("anna", 2.0, number=1, view=both))
    assert first.card is far
    second = asked(desk.request("ben", 2.0, number=1, view=only_near))
    assert second.card is near
    assert set(delivered(desk.right(first, 2.1))) == {"anna"}
    assert set(delivered(desk.right(second, 2.2))) == {"ben"}
    (answer,) = desk.request("cleo", 3.0, number=1, view=only_near)
    assert isinstance(answer, Deliver)


def test_a_cached_answer_is_not_for_those_who_cannot_see_its_card(desk: Desk) -> None:
    desk.upstream("b", "c")
    desk.right(asked(desk.request("anna", 0.0)), 0.1)
    only_near = desk.view_of(uphops=1)
    assert isinstance(desk.request("ben", 0.2)[0], Deliver)
    assert isinstance(desk.request("cleo", 0.2, view=only_near)[0], Refuse)


def test_a_refusal_moves_on_at_once_to_the_next_best(desk: Desk) -> None:
    far, near, local = desk.upstream("b", "c"), desk.upstream("a"), desk.local()
    order = []
    actions = desk.request("anna", 0.0)
    for _ in range(3):
        ask = asked(actions)
        order.append(ask.card)
        actions = desk.wrong(ask, 0.1)
    assert order == [local, near, far]
    assert refused(actions).refusal is Refusal.CANNOT_DECODE


@pytest.mark.parametrize(
    ("refusals", "nok"),
    [
        ((Refusal.CANNOT_DECODE, Refusal.CANNOT_DECODE), Refusal.CANNOT_DECODE),
        ((Refusal.CANNOT_DECODE, Refusal.PASSING), Refusal.PASSING),
        ((Refusal.NOT_SENT, Refusal.CANNOT_DECODE), Refusal.PASSING),
    ],
)
def test_nok2_only_when_no_card_can_decode(
    desk: Desk, refusals: tuple[Refusal, ...], nok: Refusal
) -> None:
    desk.upstream("a")
    desk.upstream("b")
    actions = desk.request("anna", 0.0)
    for refusal in refusals:
        actions = desk.wrong(asked(actions), 0.1, refusal)
    assert refused(actions).refusal is nok


def test_who_gets_nothing_by_the_deadline_gets_nok1_and_the_late_answer_is_kept(
    desk: Desk,
) -> None:
    desk.upstream("a")
    ask = asked(desk.request("anna", 0.0))
    (at, answer), (_, abandon) = desk.wait(9.0)
    assert isinstance(answer, Refuse)
    assert (at, answer.refusal, answer.trace.result) == (4.5, Refusal.PASSING, Result.DEADLINE)
    assert abandon == Abandon(ask.ask_id, ask.source)
    assert desk.request("ben", 5.0) == []
    assert delivered(desk.right(ask, 6.0)) == {"ben": CW}
    assert set(delivered(desk.request("anna again", 7.0))) == {"anna again"}


def test_what_is_due_at_the_same_time_is_done_in_the_order_it_came(desk: Desk) -> None:
    desk.upstream("a")
    names = ["anna", "ben", "cleo"]
    for number, name in enumerate(names):
        desk.request(name, 0.0, number=number)
    refusals = [
        name_of(action.waiter) for _, action in desk.wait(4.6) if isinstance(action, Refuse)
    ]
    assert refusals == names


def test_a_question_that_is_never_answered_is_forgotten(desk: Desk) -> None:
    desk.upstream("a")
    ask = asked(desk.request("anna", 1.0))
    assert [type(action) for _, action in desk.wait(60.0)] == [Refuse, Abandon]
    assert desk.router.condition(ask.source, 60.0).usual == 10.0
    assert desk.wrong(ask, 60.0) == []
    assert desk.router.next_deadline() is None
    assert desk.right(ask, 61.0) == []
    assert isinstance(asked(desk.request("ben", 62.0)), Ask)


def test_nobody_waits_any_more(desk: Desk) -> None:
    desk.upstream("a")
    ask = asked(desk.request("anna", 0.0))
    assert desk.request("ben", 0.0) == []
    assert desk.gone("anna", 0.1) == []
    assert desk.gone("anna", 0.1) == []
    assert desk.gone("ben", 0.1) == [Abandon(ask.ask_id, ask.source)]
    assert desk.wrong(ask, 0.1, Refusal.NOT_SENT) == []
    again = asked(desk.request("cleo", 0.2))
    assert again.ask_id != ask.ask_id
    assert desk.gone("cleo", 0.3) == [Abandon(again.ask_id, again.source)]
    assert desk.right(again, 0.4) == []
    assert set(delivered(desk.request("dan", 0.5))) == {"dan"}


def test_a_lost_source_hands_over_and_is_not_asked_for_another_card(desk: Desk) -> None:
    lost, other = desk.upstream("a"), desk.upstream("b", "c")
    ask = asked(desk.request("anna", 0.0))
    assert ask.card is lost
    moved = asked(desk.lost(lost.source, 0.1))
    assert moved.card is other
    assert refused(desk.lost(other.source, 0.2)).refusal is Refusal.PASSING


def test_what_a_lost_source_has_besides_is_not_asked_either(desk: Desk) -> None:
    card = desk.upstream("a")
    desk.announce(card.source, "b", "a", share_id=7)
    asked(desk.request("anna", 0.0))
    assert refused(desk.lost(card.source, 0.1)).refusal is Refusal.PASSING


def test_two_cards_of_one_source_do_not_confirm_each_other(desk: Desk) -> None:
    stale = desk.upstream("a")
    desk.announce(stale.source, "b", "a", share_id=7)
    honest = desk.upstream("c", "d", "e")
    desk.right(asked(desk.request("anna", 0.0)), 0.01)
    actions = desk.request("ben", 10.0, number=1)
    for _ in range(2):
        ask = asked(actions)
        assert ask.source == stale.source
        actions = desk.answered(ask.ask_id, cw_of(ecm()), 10.1)
    ask = asked(actions)
    assert ask.card is honest
    assert delivered(desk.right(ask, 10.2)) == {"ben": cw_of(ecm(1)).raw}


def repeated(desk: Desk, number: int, now: float) -> tuple[Ask, Ask]:
    """Let the first source give the CW of the period before; its question and the next one."""
    first = asked(desk.request("ben", now, number=number))
    return first, asked(desk.answered(first.ask_id, cw_of(ecm()), now + 0.1))


def test_two_sources_that_agree_on_a_repeated_cw_are_right(desk: Desk) -> None:
    one, two = desk.upstream("a"), desk.upstream("b", "c")
    desk.upstream("d", "e", "f")
    desk.right(asked(desk.request("anna", 0.0)), 0.01)
    first, second = repeated(desk, 1, 10.0)
    assert (first.card, second.card) == (one, two)
    assert delivered(desk.answered(second.ask_id, cw_of(ecm()), 10.2)) == {"ben": CW}
    for card in (one, two):
        only = desk.view_of(node_id=next(node for node in (one, two) if node is not card).path[0])
        (answer,) = desk.request(f"by {card.own_share_id}", 10.3, number=1, view=only)
        assert isinstance(answer, Deliver), "both are known to have said so"


def test_who_repeats_a_cw_that_another_does_not_is_asked_last(desk: Desk) -> None:
    stale, honest = desk.upstream("a"), desk.upstream("b", "c")
    desk.right(asked(desk.request("anna", 0.0)), 0.01)
    _, second = repeated(desk, 1, 10.0)
    assert delivered(desk.right(second, 10.2)) == {"ben": cw_of(ecm(1)).raw}
    assert asked(desk.request("cleo", 20.0, number=2)).card is honest
    assert stale.hop < honest.hop


def test_a_repeated_cw_is_better_than_none(desk: Desk) -> None:
    desk.upstream("a")
    desk.right(asked(desk.request("anna", 0.0)), 0.01)
    only = asked(desk.request("ben", 10.0, number=1))
    assert delivered(desk.answered(only.ask_id, cw_of(ecm()), 10.1)) == {"ben": CW}


def test_times_are_those_of_the_service(desk: Desk) -> None:
    """A source that decodes one service slowly is asked first for all the others."""
    near = desk.upstream("a")
    for number in range(4):
        for sid, seconds in ((1, 0.1), (2, 0.9)):
            now = 10.0 * number
            ask = asked(desk.request(f"{sid}.{number}", now, number=number + 10 * sid, sid=sid))
            desk.right(ask, now + seconds)
    far = desk.upstream("b", "c")
    assert asked(desk.request("anna", 100.0, number=98)).card is near
    assert asked(desk.request("ben", 100.0, number=99, sid=2)).card is far


# Pauses.


def test_who_cannot_decode_is_asked_once_in_a_crypto_period_however_many_want_it(
    desk: Desk,
) -> None:
    desk.upstream("a")
    asked_at = []
    for second in range(200):
        actions = desk.request(f"w{second}", float(second), number=second)
        if isinstance(actions[0], Ask):
            asked_at.append(second)
            actions = desk.wrong(asked(actions), float(second))
        else:
            answer = refused(actions)
            assert answer.trace.result is Result.RESTING
            assert answer.trace.outcome is Outcome.RESTING
            why = [outcome for _, outcome in answer.trace.outcomes()]
            assert why == [Outcome.CANNOT_DECODE, Outcome.RESTING]
            assert not desk.router._flights, "nobody waits for it"
        assert refused(actions).refusal is Refusal.CANNOT_DECODE
    assert {later - earlier for earlier, later in pairwise(asked_at)} == {8}


@pytest.mark.parametrize(
    ("raw", "outcome", "words"),
    [
        (bytes(16), Outcome.ZERO, "gave an all-zero CW"),
        (bytes(range(16)), Outcome.CHECKSUM, "gave a CW with wrong checksum bytes"),
    ],
)
def test_a_wrong_cw_has_a_name_of_its_own(
    desk: Desk, raw: bytes, outcome: Outcome, words: str
) -> None:
    desk.upstream("a")
    actions = desk.answered(asked(desk.request("anna", 0.0)).ask_id, ControlWords(raw), 0.1)
    trace = refused(actions).trace
    assert trace.outcome is outcome
    assert any(line.endswith(words) for line in trace.lines())
    (settled,) = desk.settled
    assert settled.outcome is outcome
    resting = refused(desk.request("ben", 0.5, number=1)).trace
    assert [end for _, end in resting.outcomes()] == [outcome, Outcome.RESTING]


def test_what_is_not_for_a_client_is_not_told_of_its_request(desk: Desk) -> None:
    """A refusal must not be laid at the door of a source that was never asked for it."""
    far, near = desk.upstream("b", "c"), desk.upstream("a")
    only_near = desk.view_of(uphops=1)
    desk.wrong(asked(desk.request("x", 0.0, view=only_near)), 0.0, Refusal.PASSING)
    assert asked(desk.request("anna", 2.0, number=1)).card is far
    mine = asked(desk.request("ben", 2.0, number=1, view=only_near))
    trace = refused(desk.wrong(mine, 2.1)).trace
    assert [card for card, _ in trace.outcomes()] == [near]
    assert all(
        far.share_id != step.card.share_id for step in trace.steps if isinstance(step, CardStep)
    )


def test_a_pause_is_for_one_service_and_ends_with_the_card(desk: Desk) -> None:
    card = desk.upstream("a")
    desk.wrong(asked(desk.request("anna", 0.0)), 0.0)
    assert isinstance(desk.request("ben", 1.0, number=1)[0], Refuse)
    assert isinstance(desk.request("cleo", 1.0, number=2, sid=2)[0], Ask)
    desk.table.remove(card.source, card.share_id)
    desk.announce(card.source, "a")
    assert isinstance(desk.request("dan", 1.0, number=3)[0], Ask)


def test_a_refusal_without_a_service_says_nothing_about_others(desk: Desk) -> None:
    desk.upstream("a")
    desk.wrong(asked(desk.request("anna", 0.0, sid=0)), 0.0)
    assert isinstance(desk.request("ben", 0.1, number=1, sid=0)[0], Ask)


def test_a_card_that_refused_comes_last_until_it_answers(desk: Desk) -> None:
    first, second = desk.upstream("a"), desk.upstream("b", "c")
    moved = asked(desk.wrong(asked(desk.request("anna", 0.0)), 0.0))
    desk.right(moved, 0.1)
    ask = asked(desk.request("ben", 20.0, number=1))
    assert ask.card is second
    back = asked(desk.wrong(ask, 20.1, Refusal.PASSING))
    assert back.card is first
    desk.right(back, 20.2)
    assert asked(desk.request("cleo", 30.0, number=2)).card is first


def test_trouble_that_passed_within_the_same_request_is_tried_again(desk: Desk) -> None:
    desk.upstream("a")
    slow = desk.upstream("b", "c")
    first = asked(desk.request("anna", 0.0))
    second = asked(desk.wrong(first, 0.0, Refusal.PASSING))
    assert second.card is slow
    ((at, retry),) = desk.wait(1.4)
    assert isinstance(retry, Ask)
    assert (retry.card, at) == (first.card, 1.25)


# Lateness.


def warm_up(desk: Desk, seconds: float = 0.1) -> None:
    """Let the best source answer a while in its usual time."""
    for number in range(100, 120):
        ask = asked(desk.request(f"w{number}", float(number), number=number))
        desk.right(ask, number + seconds)


def test_a_late_source_is_helped_by_another_which_wins(desk: Desk) -> None:
    usual, other = desk.upstream("a"), desk.upstream("b", "c")
    warm_up(desk)
    ask = asked(desk.request("anna", 200.0))
    assert ask.card is usual
    ((at, extra),) = desk.wait(200.3)
    assert isinstance(extra, Ask)
    assert extra.card is other
    assert at == pytest.approx(200.125)
    answer = desk.right(extra, 200.3)
    assert delivered(answer) == {"anna": CW}
    assert answer[1:] == [Abandon(ask.ask_id, ask.source)]
    steps = [step.event for step in answer[0].trace.steps if not isinstance(step, Choice)]  # type: ignore[union-attr]
    assert steps == [Event.ASKED, Event.OVERDUE, Event.ASKED_ALSO, Outcome.ANSWERED]


def test_while_a_source_is_late_others_are_asked_first(desk: Desk) -> None:
    usual, other = desk.upstream("a"), desk.upstream("b", "c")
    warm_up(desk)
    stuck = asked(desk.request("anna", 200.0))
    desk.wait(200.2)
    assert asked(desk.request("ben", 200.3, number=1)).card is other
    desk.right(stuck, 200.4)
    assert asked(desk.request("cleo", 200.5, number=2)).card is usual


def test_a_source_that_is_silent_about_one_service_is_not_late_for_the_others(
    desk: Desk,
) -> None:
    usual, _ = desk.upstream("a"), desk.upstream("b", "c")
    warm_up(desk)
    silent = asked(desk.request("anna", 200.0, sid=9))
    desk.wait(200.15)
    spoken = asked(desk.request("ben", 200.15, number=1))
    assert spoken.card is not usual
    desk.right(silent, 200.2)
    desk.right(spoken, 200.45)
    desk.request("cleo", 210.0, number=2, sid=9)
    alive = asked(desk.request("dan", 210.05, number=3))
    assert alive.card is usual
    desk.right(alive, 210.1)
    desk.wait(210.3)
    assert asked(desk.request("emil", 210.4, number=4)).card is usual


def test_help_has_a_budget_but_a_stalled_source_is_left_whatever_it_costs() -> None:
    desk = Desk(hedge_share=0.0)
    desk.upstream("a")
    other = desk.upstream("b", "c")
    warm_up(desk)
    desk.request("anna", 200.0)
    ((at, moved),) = desk.wait(201.0)
    assert isinstance(moved, Ask)
    assert (at, moved.card) == (pytest.approx(200.4), other)


def test_a_source_that_takes_one_at_a_time_is_slower_while_it_is_busy(desk: Desk) -> None:
    queued = desk.upstream("a", traits=SourceTraits(one_at_a_time=True))
    other = desk.upstream("b")
    warm_up(desk)
    asks = [asked(desk.request(f"w{number}", 200.0, number=number)) for number in range(3)]
    assert [ask.card for ask in asks] == [queued, other, other]


def test_no_help_is_asked_that_would_come_too_late_itself() -> None:
    for seconds, helps in ((0.3, True), (0.45, False)):
        desk = Desk(deadline=0.55)
        usual = desk.upstream("a")
        warm_up(desk)
        other = desk.upstream("b", "c")
        desk.router.source_ready(other.source, SourceTraits(), 0.0)
        for number in range(4):
            # Only the other one: the first is kept from this client.
            alone = desk.view_of(node_id=usual.path[0])
            ask = asked(desk.request(f"o{number}", 190.0, number=200 + number, view=alone))
            assert ask.card is other
            desk.right(ask, 190.0 + seconds)
        assert asked(desk.request("anna", 200.0)).card is usual
        help_asked = [type(action) for _, action in desk.wait(200.2)]
        assert help_asked == ([Ask] if helps else [])


def test_a_source_that_gives_up_in_time_is_counted_as_silent(desk: Desk) -> None:
    card = desk.upstream("a")
    ask = asked(desk.request("anna", 1.0))
    assert refused(desk.wrong(ask, 5.0, Refusal.LATE)).refusal is Refusal.PASSING
    assert desk.router.condition(card.source, 5.0).usual == 4.0
    (settled,) = desk.settled
    assert (settled.source, settled.outcome) == (card.source, Outcome.NO_ANSWER)
    assert settled.seconds == 4.0


def test_a_source_that_refuses_does_not_hang(desk: Desk) -> None:
    usual, other = desk.upstream("a"), desk.upstream("b", "c")
    warm_up(desk)
    stuck = asked(desk.request("anna", 200.0, sid=9))
    desk.wait(200.2)
    desk.wrong(stuck, 200.3)
    assert asked(desk.request("ben", 200.4, number=1)).card is usual
    assert usual.hop < other.hop


def test_a_zero_cw_says_cannot_and_a_damaged_one_says_trouble(desk: Desk) -> None:
    desk.upstream("a")
    for sid, raw, refusal in (
        (1, bytes(16), Refusal.CANNOT_DECODE),
        (2, bytes(range(16)), Refusal.PASSING),
    ):
        ask = asked(desk.request("anna", 0.0, sid=sid, number=sid))
        answer = refused(desk.answered(ask.ask_id, ControlWords(raw), 0.1))
        assert answer.refusal is refusal


def test_help_is_asked_for_as_a_share_of_the_requests() -> None:
    desk = Desk(hedge_share=0.5)
    desk.upstream("a")
    warm_up(desk)
    other = desk.upstream("b", "c")
    for number, expected in enumerate([True, False, True, False]):
        if number == 0:
            for _ in range(20):
                desk.router._budget.spend()
            desk.router._budget.save()
        now = 200.0 + 20.0 * number
        ask = asked(desk.request(f"x{number}", now, number=number))
        assert ask.card is not other
        helped = [action for _, action in desk.wait(now + 0.2) if isinstance(action, Ask)]
        assert bool(helped) == expected
        desk.right(ask, now + 0.21)
        for extra in helped:
            desk.right(extra, now + 0.22)


def test_a_third_is_asked_when_the_help_refuses(desk: Desk) -> None:
    desk.upstream("a")
    warm_up(desk)
    second, third = desk.upstream("b", "c"), desk.upstream("d", "e", "f")
    asked(desk.request("anna", 200.0))
    ((_, help_asked),) = desk.wait(200.2)
    assert isinstance(help_asked, Ask)
    assert help_asked.card is second
    assert asked(desk.wrong(help_asked, 200.25)).card is third


def test_a_card_that_answers_again_is_asked_as_before(desk: Desk) -> None:
    first, second = desk.upstream("a"), desk.upstream("b", "c")
    desk.right(asked(desk.wrong(asked(desk.request("anna", 0.0)), 0.0)), 0.1)
    only_first = desk.view_of(node_id=second.path[0])
    ask = asked(desk.request("ben", 20.0, number=1, view=only_first))
    assert ask.card is first
    desk.right(ask, 20.1)
    assert asked(desk.request("cleo", 30.0, number=2)).card is first


def test_a_lost_source_that_comes_back_has_no_pauses(desk: Desk) -> None:
    card = desk.upstream("a")
    desk.wrong(asked(desk.request("anna", 0.0)), 0.0)
    desk.lost(card.source, 0.1)
    desk.router.source_ready(card.source, SourceTraits(), 0.2)
    assert asked(desk.request("ben", 0.3, number=1)).card is card


def test_what_was_dropped_for_one_may_be_asked_for_the_next(desk: Desk) -> None:
    """Two clients that see no card in common wait for the same ECM."""
    one, two = desk.upstream("a"), desk.upstream("b")
    only_one, only_two = (desk.view_of(node_id=card.path[0]) for card in (two, one))

    def ask(waiter: str, view: View) -> Ask:
        # Each is a server on the way to the card that it does not see, so loops are told too.
        return asked([a for a in desk.request(waiter, 0.0, view=view) if isinstance(a, Ask)])

    first, second = ask("anna", only_one), ask("ben", only_two)
    assert (first.card, second.card) == (one, two)
    assert desk.gone("anna", 0.1) == [Abandon(first.ask_id, one.source)]
    assert desk.wrong(first, 0.1, Refusal.NOT_SENT) == []
    assert ask("cleo", only_one).card is one
    assert set(delivered(desk.right(second, 0.3))) == {"ben"}


def test_a_main_source_that_stalls_stands_by_for_a_while(desk: Desk) -> None:
    main = desk.upstream("a", traits=SourceTraits(group="g", rank=0))
    standby = desk.upstream("b", "c", traits=SourceTraits(group="g", rank=1))
    ask = asked(desk.request("anna", 200.0))
    assert ask.card is main
    ((_, help_asked),) = desk.wait(201.0)
    assert isinstance(help_asked, Ask)
    desk.right(help_asked, 201.0)
    desk.wait(203.0)
    desk.right(ask, 203.0)
    assert asked(desk.request("ben", 210.0, number=1)).card is standby
    assert asked(desk.request("cleo", 270.0, number=2)).card is main


def test_a_source_that_refuses_is_not_slow(desk: Desk) -> None:
    card = desk.upstream("a")
    desk.wrong(asked(desk.request("anna", 0.0)), 2.0)
    assert desk.router.condition(card.source, 3.0).usual is None
    desk.right(asked(desk.request("ben", 20.0, number=1)), 20.5)
    assert desk.router.condition(card.source, 21.0).usual == 0.5


def test_cards_that_have_learnt_something_are_asked_again(desk: Desk) -> None:
    one, other = desk.upstream("a"), desk.upstream("b", "c")
    second = asked(desk.wrong(asked(desk.request("anna", 0.0)), 0.0))
    assert second.card is other
    desk.wrong(second, 0.0)
    refused(desk.request("ben", 1.0, number=1))
    desk.router.source_renewed(one.source)
    again = asked(desk.request("cleo", 1.0, number=2))
    assert again.card is one
    refused(desk.wrong(again, 1.0))


# Standby.


def test_a_standby_takes_over_at_once_and_hands_back_after_a_while(desk: Desk) -> None:
    main = desk.upstream("a", "b", traits=SourceTraits(group="g", rank=0))
    standby = desk.upstream("c", traits=SourceTraits(group="g", rank=1))
    ask = asked(desk.request("anna", 0.0))
    assert ask.card is main
    assert asked(desk.lost(main.source, 0.1)).card is standby
    desk.table.drop_source(main.source)
    assert asked(desk.request("ben", 5.0, number=1)).card is standby
    back = desk.announce(main.source, "a", "b")
    desk.router.source_ready(main.source, SourceTraits(group="g", rank=0), 10.0)
    assert asked(desk.request("cleo", 30.0, number=2)).card is standby
    assert asked(desk.request("dan", 71.0, number=3)).card is back


# Loops.


def test_a_request_that_comes_back_through_its_own_way_is_told_and_not_kept_waiting(
    desk: Desk,
) -> None:
    card = desk.upstream("a", "relay", "b")
    asked(desk.request("anna", 0.0))
    relay = desk.view_of(node_id=NodeId(b"...relay"))
    loop, answer = desk.request("relay", 0.1, view=relay)
    assert loop == LoopDetected(NodeId(b"...relay"), card.source, card)
    assert isinstance(answer, Refuse)
    assert answer.refusal is Refusal.PASSING


def test_a_relay_is_served_by_what_does_not_pass_it(desk: Desk) -> None:
    desk.upstream("relay")
    local = desk.local()
    first = asked(desk.request("anna", 0.0))
    assert first.card is local
    remote = asked(desk.wrong(first, 0.0, Refusal.PASSING))
    relay = desk.view_of(node_id=NodeId(b"...relay"))
    loop, answer = desk.request("relay", 0.1, view=relay)
    assert isinstance(loop, LoopDetected)
    assert isinstance(answer, Refuse)
    assert set(delivered(desk.right(remote, 0.2))) == {"anna"}


def test_a_node_id_that_names_nobody_is_no_loop(desk: Desk) -> None:
    nobody = next(iter(SHARED_NODE_IDS))
    card = desk.upstream("a")
    desk.table.add(
        card.source,
        Offer(
            share_id=card.share_id,
            remote_id=1,
            caid=card.caid,
            hop=1,
            reshare=3,
            providers=card.providers,
            path=(nobody, NodeId(b".......a")),
        ),
    )
    view = desk.view_of(node_id=nobody)
    asked(desk.request("anna", 0.0, view=view))
    assert desk.request("ben", 0.1, view=view) == []
    assert nobody != CLIENT


# CCcam.prio.

SYSTEM = Service(Caid(0x0B00), IDENT, Sid(0))


def test_i_lines_keep_requests_from_upstreams_but_not_from_local_cards() -> None:
    desk = Desk(priorities=Priorities(ignored=(SYSTEM,)))
    desk.upstream("a")
    answer = refused(desk.request("anna", 0.0))
    assert answer.refusal is Refusal.CANNOT_DECODE
    assert [step.event for step in answer.trace.steps if not isinstance(step, Choice)] == [
        Outcome.IGNORED
    ]
    local = desk.local()
    assert asked(desk.request("ben", 1.0)).card is local
    desk.router.priorities = Priorities()
    assert isinstance(asked(desk.request("cleo", 1.0, number=1)), Ask)


def test_a_p_line_orders_requests_that_name_no_provider(desk: Desk) -> None:
    near, far = desk.upstream("a", idents=(0x80,)), desk.upstream("b", "c", idents=(0x81,))
    assert asked(desk.request("anna", 0.0, ident=0)).card is near
    systems = tuple(Service(Caid(0x0B00), Ident(ident), Sid(0)) for ident in (0x81, 0x80))
    desk.router.priorities = Priorities(orders=(systems,))
    assert asked(desk.request("ben", 0.0, ident=0, number=1)).card is far


# Traces.


def test_a_trace_tells_the_whole_story_and_no_secrets(desk: Desk) -> None:
    desk.upstream("a")
    desk.upstream("b", "c")
    moved = asked(desk.wrong(asked(desk.request("anna", 10.0)), 10.02))
    (answer,) = desk.right(moved, 10.05)
    assert isinstance(answer, Deliver)
    assert list(answer.trace.lines()) == [
        "    +0.0 ms  choice 1: card 00000065 of source 1 (CAID 0B00, hop 1):"
        " hop 1, answers in about 150 ms",
        "    +0.0 ms  choice 2: card 00000066 of source 2 (CAID 0B00, hop 2):"
        " hop 2, answers in about 300 ms",
        "    +0.0 ms  card 00000065 of source 1 (CAID 0B00, hop 1) is asked",
        "   +20.0 ms  card 00000065 of source 1 (CAID 0B00, hop 1) cannot decode the service",
        "   +20.0 ms  card 00000066 of source 2 (CAID 0B00, hop 2) is asked",
        "   +50.0 ms  card 00000066 of source 2 (CAID 0B00, hop 2) gave the CW",
        "   +50.0 ms  a card gave the CW: card 00000066 of source 2 (CAID 0B00, hop 2)",
    ]
    assert answer.cw == ControlWords(CW)
    assert CW.hex() not in repr(answer)


def test_a_trace_does_not_change_when_its_ecm_goes_on(desk: Desk) -> None:
    desk.upstream("a")
    ask = asked(desk.request("anna", 0.0))
    answers = desk.wait(5.0)
    answer = answers[0][1]
    assert isinstance(answer, Refuse)
    before = answer.trace.steps
    desk.right(ask, 6.0)
    assert answer.trace.steps == before


def test_limits_of_the_account_hold_for_requests(desk: Desk) -> None:
    desk.local()
    view = desk.view_of(limits=(Limit(Caid(0), Ident(0), 0),))
    assert refused(desk.request("anna", 0.0, view=view)).trace.result is Result.NO_CARD
