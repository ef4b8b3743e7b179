"""A source that says nothing: noticed, shown, tried now and then, and back at its first word."""

from itertools import pairwise

import pytest
from desk import Desk, asked, delivered, ecm, refused
from network import cw_of

from cccamd.routing import Ask, Deliver, Refuse, Result
from cccamd.routing.condition import LastMinute
from cccamd.values import ControlWords, Outcome, Refusal


@pytest.fixture
def desk() -> Desk:
    return Desk()


def watch(desk: Desk, until: int, *, channels: int = 1, begin: int = 0) -> list[tuple[float, Ask]]:
    """So many clients ask once in ten seconds each, one after the other; nobody answers."""
    asks = []
    for second in range(begin, until):
        desk.wait(float(second))
        for channel in range(channels):
            if second % 10 == channel % 10:
                waiter = f"{channel}/{second}"
                number = 1000 * channel + second
                actions = desk.request(waiter, float(second), number=number, sid=1 + channel)
                asks += [(float(second), each) for each in actions if isinstance(each, Ask)]
    return asks


def silent_since(desk: Desk, now: float) -> float | None:
    (card,) = desk.table.cards_with(0x0B00)
    return desk.router.condition(card.source, now).silent_since


def test_it_is_silent_when_nothing_came_of_two_questions(desk: Desk) -> None:
    desk.upstream("a")
    watch(desk, 10)
    assert silent_since(desk, 10.0) is None, "one question says little"
    watch(desk, 20, begin=10)
    assert silent_since(desk, 13.0) == 0.0, "within two crypto periods, and it says since when"
    assert silent_since(desk, 400.0) is None, "nobody has asked it for minutes"


def test_many_clients_notice_it_within_one_crypto_period(desk: Desk) -> None:
    desk.upstream("a")
    watch(desk, 9, channels=10)
    assert silent_since(desk, 9.0) == 0.0


@pytest.mark.parametrize("answer", ["cw", "refusal"])
def test_one_word_about_anything_ends_it(desk: Desk, answer: str) -> None:
    card = desk.upstream("a")
    asks = watch(desk, 12, channels=5)
    assert silent_since(desk, 12.0) == 0.0
    last = asks[-1][1]
    if answer == "cw":
        desk.right(last, 12.0)
    else:
        desk.wrong(last, 12.0)
    assert silent_since(desk, 12.0) is None
    condition = desk.router.condition(card.source, 12.0)
    assert condition.usual is None or condition.usual < 9.0, "what it took then is over"


def test_a_link_that_gives_up_has_heard_nothing(desk: Desk) -> None:
    desk.upstream("a")
    for second, ask in watch(desk, 12, channels=5):
        desk.refused(ask.ask_id, Refusal.LATE, second + 12.0)
    assert silent_since(desk, 24.0) == 0.0


def test_a_slow_source_is_not_silent(desk: Desk) -> None:
    card = desk.upstream("a")
    for number in range(8):
        now = 10.0 * number
        ask = asked(desk.request(f"w{number}", now, number=number))
        desk.wait(now + 6.0)
        desk.right(ask, now + 6.0)
        assert silent_since(desk, now + 6.0) is None
    condition = desk.router.condition(card.source, 76.0)
    assert (condition.slow, condition.late) == (6, 6), "of the last minute"
    assert condition.usual == 6.0


def test_silent_about_one_service_is_not_silent(desk: Desk) -> None:
    desk.upstream("a")
    for number in range(6):
        now = 10.0 * number
        desk.request(f"dark{number}", now, number=number, sid=1)
        desk.right(asked(desk.request(f"well{number}", now, number=100 + number, sid=2)), now + 0.1)
        desk.wait(now + 9.0)
        assert silent_since(desk, now + 9.0) is None


def test_what_is_given_up_is_tried_every_five_seconds_and_others_do_not_wait(desk: Desk) -> None:
    desk.upstream("a")
    watch(desk, 25, channels=10)
    asks = [at for at, _ in watch(desk, 60, channels=10, begin=25)]
    assert {later - earlier for earlier, later in pairwise(asks)} == {5.0}
    desk.wait(61.0)
    answer = refused(desk.request("new", 61.0, number=99_999, sid=50))
    assert answer.refusal is Refusal.PASSING, "trouble that passes: nobody said that it cannot"
    assert answer.trace.ended_at == answer.trace.asked_at
    assert answer.trace.result is Result.SILENT
    assert answer.trace.outcome is Outcome.SILENT


def test_a_single_viewer_is_always_asked_for(desk: Desk) -> None:
    """Nothing is lost by it: there is no other way, and the next answer may be the first."""
    desk.upstream("a")
    assert [at for at, _ in watch(desk, 200)] == [10.0 * number for number in range(20)]


def test_the_first_answer_brings_everybody_back(desk: Desk) -> None:
    desk.upstream("a")
    asks = watch(desk, 41, channels=10)
    at, probe = asks[-1]
    assert isinstance(desk.request("before", 41.0, number=77, sid=60)[0], Refuse)
    answer = desk.right(probe, at + 4.0)
    assert delivered(answer), "who waits for it gets it"
    assert isinstance(desk.request("after", at + 4.0, number=78, sid=60)[0], Ask)


def test_an_answer_that_comes_after_all_has_given_it_up_counts(desk: Desk) -> None:
    desk.upstream("a")
    asks = watch(desk, 41, channels=10)
    desk.wait(52.0)  # everything has timed out
    assert not desk.router._flights
    assert silent_since(desk, 52.0) is not None
    assert desk.right(asks[-1][1], 52.0) == []
    assert silent_since(desk, 52.0) is None


def test_another_source_is_asked_instead(desk: Desk) -> None:
    dumb, well = desk.upstream("a"), desk.upstream("b", "c")
    asked_at = []
    for number in range(40):
        now = 1.0 * number
        for _, action in desk.wait(now):
            if isinstance(action, Ask) and action.card is well:
                desk.right(action, now)
        for action in desk.request(f"w{number}", now, number=number):
            if isinstance(action, Ask) and action.card is well:
                desk.right(action, now + 0.1)
            elif isinstance(action, Ask):
                asked_at.append(number)
    assert len(asked_at) <= 5, "asked along with the other one every ten seconds"
    assert desk.router.condition(dumb.source, 40.0).silent_since is not None
    assert desk.router.condition(well.source, 40.0).silent_since is None
    (last,) = desk.request("last", 39.5, number=999)
    assert isinstance(last, Ask)
    assert last.card is well
    desk.right(last, 39.6)
    both = desk.request("along", 51.0, number=1000)
    assert [each.card for each in both if isinstance(each, Ask)] == [well, dumb]
    desk.right(both[1], 51.1)  # type: ignore[arg-type]
    assert desk.router.condition(dumb.source, 51.1).silent_since is None
    assert asked(desk.request("next", 51.2, number=1001)).card is dumb, "as if nothing had been"


def test_a_lost_source_is_down_and_not_silent(desk: Desk) -> None:
    card = desk.upstream("a")
    watch(desk, 15, channels=5)
    desk.lost(card.source, 15.0)
    assert desk.router.condition(card.source, 15.0).silent_since is None


def test_the_last_minute_is_counted_by_what_came_of_it(desk: Desk) -> None:
    card = desk.upstream("a")
    raws = [bytes(16), bytes(range(16)), cw_of(ecm(2)).raw]
    for number, raw in enumerate(raws):
        now = 10.0 * number
        ask = asked(desk.request(f"w{number}", now, number=number))
        desk.answered(ask.ask_id, ControlWords(raw), now + 0.1)
    ask = asked(desk.request("x", 30.0, number=9))
    stuck = desk.answered(ask.ask_id, cw_of(ecm(2)), 30.1)
    assert isinstance(stuck[0], Deliver), "better than none"
    counts = desk.router.condition(card.source, 31.0).outcomes
    expected = (Outcome.ZERO, Outcome.CHECKSUM, Outcome.ANSWERED, Outcome.REPEATED)
    assert counts == dict.fromkeys(expected, 1)
    assert not desk.router.condition(card.source, 120.0).outcomes


def test_a_minute_forgets_in_steps() -> None:
    minute = LastMinute()
    for second in range(0, 130):
        minute.count(Outcome.ANSWERED, 0.1, 4.5, float(second))
    outcomes, slow, late = minute.read(130.0)
    assert 50 <= outcomes[Outcome.ANSWERED] <= 60
    assert (slow, late) == (0, 0)
