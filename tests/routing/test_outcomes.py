"""Each end of a question in its own words, on every way to it."""

from collections.abc import Callable

import pytest
from desk import Desk, asked

from cccamd.routing import Ask, Refuse, Result
from cccamd.values import Outcome, Refusal


def refuse(refusal: Refusal) -> Callable[[Desk, Ask], None]:
    return lambda desk, ask: answers(desk).extend(desk.refused(ask.ask_id, refusal, 0.5))


def lose(desk: Desk, ask: Ask) -> None:
    answers(desk).extend(desk.lost(ask.source, 0.5))


def wait(desk: Desk, ask: Ask) -> None:
    answers(desk).extend(action for _, action in desk.wait(5.0))


def answers(desk: Desk) -> list:
    return desk.__dict__.setdefault("answers", [])


@pytest.mark.parametrize(
    ("end", "outcome", "result"),
    [
        (refuse(Refusal.CANNOT_DECODE), Outcome.CANNOT_DECODE, Result.REFUSED),
        (refuse(Refusal.PASSING), Outcome.REFUSED, Result.REFUSED),
        (refuse(Refusal.ASLEEP), Outcome.ASLEEP, Result.REFUSED),
        (refuse(Refusal.LATE), Outcome.NO_ANSWER, Result.REFUSED),
        (refuse(Refusal.NOT_SENT), Outcome.NOT_SENT, Result.REFUSED),
        (refuse(Refusal.FAILED), Outcome.FAILED, Result.REFUSED),
        (lose, Outcome.LOST, Result.REFUSED),
        (wait, Outcome.NO_ANSWER, Result.DEADLINE),
    ],
)
def test_each_end_has_its_word(
    end: Callable[[Desk, Ask], None], outcome: Outcome, result: Result
) -> None:
    desk = Desk()
    card = desk.upstream("a")
    end(desk, asked(desk.request("anna", 0.0)))
    (refused,) = [each for each in answers(desk) if isinstance(each, Refuse)]
    trace = refused.trace
    assert (trace.outcomes(), trace.outcome) == ([(card, outcome)], outcome)
    assert trace.result is result
    decodes = outcome is not Outcome.CANNOT_DECODE
    assert refused.refusal is (Refusal.PASSING if decodes else Refusal.CANNOT_DECODE)


def test_a_source_that_wants_rest_is_asked_once_in_a_crypto_period() -> None:
    desk = Desk()
    desk.upstream("a")
    asks = []
    for step in range(100):
        for action in desk.request(f"w{step}", step / 10, number=step):
            if isinstance(action, Ask):
                asks.append(step)
                desk.refused(action.ask_id, Refusal.ASLEEP, step / 10)
    assert asks == [0, 80]


def test_words_differ_and_follow_a_name() -> None:
    texts = [outcome.value for outcome in Outcome]
    assert len(set(texts)) == len(texts)
    wrong = {outcome for outcome in Outcome if outcome.is_wrong_cw}
    assert wrong == {Outcome.ZERO, Outcome.CHECKSUM, Outcome.REPEATED}
