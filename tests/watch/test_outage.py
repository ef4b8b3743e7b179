"""A picture that stands still for a quarter of an hour, minute by minute, on a fake clock."""

import pytest
from broadcast import SOURCE, Evening
from prometheus_client.samples import Sample

from cccamd.facts import Verdict
from cccamd.values import Outcome
from cccamd.watch import FreezeBegan, FreezeEnded
from cccamd.watch.metrics.exposition import collect
from fact_factory import a_snapshot


def samples(evening: Evening, name: str) -> dict[str, float]:
    report = evening.freezes.report(evening.now)
    families = collect(evening.metrics, a_snapshot(), report)
    found: list[Sample] = [each for family in families for each in family.samples]
    return {each.labels["account"]: each.value for each in found if each.name == name}


def frozen_seconds(evening: Evening) -> float:
    return samples(evening, "cccamd_frozen_seconds_total").get("anna", 0.0)


def margin(evening: Evening) -> float:
    told = samples(evening, "cccamd_channel_margin_seconds")["anna"]
    assert told == evening.channel().margin
    return told


def silent(evening: Evening, turns: range, **words: object) -> None:
    """The source says nothing: the server gives up after 4.5 s each time."""
    evening.watch(turns, Outcome.NO_ANSWER, seconds=4.5, **words)


def test_an_outage_of_a_quarter_of_an_hour_is_true_at_each_moment() -> None:
    evening = Evening()
    evening.watch(range(10))
    assert margin(evening) == pytest.approx(9.9)
    silent(evening, range(10, 11))  # at 100 s; its key is needed at 110 s
    evening.wait(106)
    assert margin(evening) == pytest.approx(4.0)  # and not the 9.9 s of before
    assert not evening.open()
    evening.wait(110)
    for minute in (0, 1, 5, 12, 15):
        turn = 11 + 6 * minute
        silent(evening, range(int(evening.clock // 10), turn + 1))
        evening.wait(110 + 60 * minute + 8)
        now = 60 * minute + 8
        (freeze,) = evening.open()
        assert (freeze.number, freeze.account, freeze.source) == (1, "anna", SOURCE)
        assert freeze.seconds == pytest.approx(now, abs=0.01)
        assert margin(evening) == pytest.approx(-now, abs=0.01)
        assert evening.channel().margins[-1].seconds == pytest.approx(-now, abs=0.01)
        assert evening.channel().frozen == 1
        assert frozen_seconds(evening) == pytest.approx(now, abs=0.01)
        evening.wait(evening.clock + 1)
        assert margin(evening) == pytest.approx(-now - 1, abs=0.01)
        assert frozen_seconds(evening) == pytest.approx(now + 1, abs=0.01)
        assert freeze.verdict is Verdict.SOURCE_SILENT
        assert freeze.cause.startswith(f"{SOURCE} did not answer in time")
    evening.ask(103, 0.2)  # the source is there again
    assert not evening.open()
    (over,) = evening.past()
    assert over.seconds == pytest.approx(1030.2 - 110)
    assert frozen_seconds(evening) == pytest.approx(over.seconds)
    evening.ask(104)
    assert margin(evening) == pytest.approx(9.9)
    assert frozen_seconds(evening) == pytest.approx(over.seconds)
    assert [type(each) for each in evening.told] == [FreezeBegan, FreezeEnded]


def test_each_freeze_that_goes_on_is_a_step_and_may_end_meanwhile() -> None:
    """In an outage those of all receivers do; to judge them all at once would stop the rest."""
    evening, accounts = Evening(), [f"anna{number}" for number in range(8)]
    for turn in range(12):
        for account in accounts:
            outcome = Outcome.ANSWERED if turn < 10 else Outcome.NO_ANSWER
            evening.ask(turn, outcome=outcome, account=account)
    evening.wait(130)
    assert len(evening.open()) == 8
    steps = evening.freezes.opening(evening.now)
    for _ in range(3):
        next(steps)
    for account in accounts:
        evening.leave(account)
    for _ in range(5):
        next(steps)
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert len(end.value.value) == 3
    assert not evening.open()


def test_open_freezes_come_first_whatever_began_since() -> None:
    evening = Evening()
    evening.watch(range(5))
    evening.watch(range(5), account="ben", sid=2)
    silent(evening, range(5, 8))
    for turn in range(8, 60, 4):
        evening.ask(turn, 4.5, Outcome.NO_ANSWER, account="ben", sid=2)
        silent(evening, range(turn, turn + 3))
        evening.ask(turn + 3, account="ben", sid=2)
        silent(evening, range(turn + 3, turn + 4))
    report = evening.freezes.report(evening.now)
    assert len(report.freezes) > 5
    assert [freeze.over for freeze in report.freezes][:2] == [False, True]
    assert report.freezes[0].account == "anna"


def test_who_leaves_and_comes_back_is_frozen_again_at_once() -> None:
    evening = Evening()
    evening.watch(range(5))
    silent(evening, range(5, 9))
    assert len(evening.open()) == 1
    evening.leave()
    assert not evening.open()
    (first,) = evening.past()
    assert frozen_seconds(evening) == pytest.approx(first.seconds)
    silent(evening, range(9, 10))  # its first ECM after the login
    (again,) = evening.open()
    assert (again.number, again.from_start) == (2, True)
    assert margin(evening) == pytest.approx(-4.5)
    evening.ask(10)
    assert not evening.open()


def test_who_turns_to_another_channel_is_frozen_no_more() -> None:
    evening = Evening()
    evening.watch(range(5))
    silent(evening, range(5, 9))
    evening.ask(9, sid=2)
    evening.watch(range(10, 12), sid=2)
    assert not evening.open()
    (over,) = evening.past()
    assert over.seconds == pytest.approx(90 - 60, abs=0.01)  # until it turned away
    evening.ask(12, 4.5, Outcome.NO_ANSWER)  # and back: it is still dark
    (again,) = evening.open()
    assert (again.sid, again.from_start) == (1, True)


@pytest.mark.parametrize("step", [3600.0, -3600.0, 86_400.0 * 365])
def test_a_clock_that_is_set_freezes_and_heals_nothing(step: float) -> None:
    evening = Evening()
    evening.watch(range(5))
    silent(evening, range(5, 9))
    (before,) = evening.open()
    evening.set_by = step
    evening.freezes.step(step)
    (after,) = evening.open()
    assert after.seconds == pytest.approx(before.seconds)
    assert after.at == pytest.approx(before.at + step)
    assert margin(evening) == pytest.approx(-before.seconds)
    silent(evening, range(9, 12))
    (later,) = evening.open()
    assert later.seconds == pytest.approx(before.seconds + 30)
    evening.ask(12)
    assert evening.past()[0].seconds == pytest.approx(120.1 - 60)
    evening.watch(range(13, 16))
    assert len(evening.told) == 2
    assert margin(evening) == pytest.approx(9.9)


def test_under_great_load_who_is_in_trouble_is_followed_until_it_is_over() -> None:
    evening = Evening()
    evening.watch(range(5), weight=8)
    silent(evening, range(5, 7), weight=8)
    assert evening.freezes.attended == {("anna", 0)}
    silent(evening, range(7, 60), weight=0)  # it would not be looked at any more
    (freeze,) = evening.open()
    assert freeze.seconds == pytest.approx(594.5 - 60)
    evening.ask(60, weight=0)
    assert not evening.open()
    assert not evening.freezes.attended


def test_a_channel_that_never_opens_is_dark_from_the_start() -> None:
    evening = Evening()
    evening.watch(range(10), account="ben")  # the period is known
    silent(evening, range(10, 11))
    assert not evening.open()  # zapping may take so long
    silent(evening, range(11, 12))
    (freeze,) = evening.open()
    assert freeze.from_start
    assert freeze.seconds == pytest.approx(14.5)
    for minute in (1, 5, 12, 15):
        silent(evening, range(int(evening.clock // 10) + 1, 10 + 6 * minute + 1))
        (freeze,) = evening.open()
        assert margin(evening) == pytest.approx(-60 * minute - 4.5)
        assert frozen_seconds(evening) == pytest.approx(60 * minute + 4.5)
    evening.ask(101)
    assert evening.past()[0].seconds == pytest.approx(910.1)


def test_zapping_over_channels_that_nobody_has_is_no_freeze() -> None:
    evening = Evening()
    evening.watch(range(5))
    for number in range(20):
        evening.ask(5, 0.1, Outcome.CANNOT_DECODE, sid=10 + number, late=2.0 * number)
    evening.wait(200)
    assert not evening.told
    assert not evening.freezes.report(evening.now).receivers


def test_a_receiver_that_goes_away_during_a_freeze_ends_it_when_it_was_heard_last() -> None:
    evening = Evening()
    evening.watch(range(5))
    silent(evening, range(5, 9))
    evening.wait(100)
    shown = frozen_seconds(evening)
    evening.wait(150)
    assert not evening.open()
    assert evening.past()[0].seconds == pytest.approx(84.5 - 60)
    assert frozen_seconds(evening) >= shown  # a counter never goes back
