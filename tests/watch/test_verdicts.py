"""Whose fault a freeze was: each verdict brought about, on a fake clock."""

import pytest
from broadcast import SOURCE, START, Evening

from cccamd.facts import Freeze, Verdict
from cccamd.values import Outcome
from cccamd.watch import (
    Freezes,
    Judges,
    SeenReceiver,
    ServerPaused,
    ServerReloaded,
    SourceDown,
    SourceUp,
)
from cccamd.why import judge_freeze, judge_receiver

OTHER = "headend-b:12000"


def evening(turns: int = 10) -> Evening:
    made = Evening()
    made.watch(range(turns))
    return made


def the_freeze(made: Evening) -> Freeze:
    report = made.freezes.report(made.now)
    assert report.freezes, "nothing froze"
    return report.freezes[0]


def frozen_by(outcome: Outcome, *others: tuple[str, Outcome], turns: int = 2) -> Freeze:
    made = evening()
    tried = ((SOURCE, outcome), *others) if outcome is not Outcome.NO_CARD else ()
    for turn in range(10, 10 + turns):
        made.ask(turn, 0.2, outcome, tried=tried)
    made.wait(made.clock + 12)
    return the_freeze(made)


@pytest.mark.parametrize(
    ("outcome", "verdict", "cause"),
    [
        (Outcome.NO_ANSWER, Verdict.SOURCE_SILENT, f"{SOURCE} did not answer in time"),
        (Outcome.SILENT, Verdict.SOURCE_SILENT, f"{SOURCE} was not asked: it has not answered"),
        (Outcome.REFUSED, Verdict.SOURCE_REFUSED, f"{SOURCE} refused for now"),
        (Outcome.ASLEEP, Verdict.SOURCE_REFUSED, f"{SOURCE} asks not to be asked"),
        (Outcome.LOST, Verdict.SOURCE_AWAY, f"{SOURCE} was lost before it answered"),
        (Outcome.NOT_SENT, Verdict.SOURCE_AWAY, f"{SOURCE} was not asked: its link"),
        (Outcome.WITHDRAWN, Verdict.SOURCE_AWAY, f"{SOURCE} took its card back"),
        (Outcome.CANNOT_DECODE, Verdict.NOT_DECODED, f"{SOURCE} cannot decode the service"),
        (Outcome.RESTING, Verdict.NOT_DECODED, f"{SOURCE} had refused this channel before"),
        (Outcome.ZERO, Verdict.WRONG_CW, f"{SOURCE} gave an all-zero CW"),
        (Outcome.CHECKSUM, Verdict.WRONG_CW, f"{SOURCE} gave a CW with wrong checksum"),
        (Outcome.REPEATED, Verdict.WRONG_CW, f"{SOURCE} repeated the CW"),
        (Outcome.IGNORED, Verdict.NO_CARD, "every card that fits is switched off by CCcam.prio"),
        (Outcome.NO_CARD, Verdict.NO_CARD, "no card fits"),
        (Outcome.OUT_OF_HOURS, Verdict.NOT_ALLOWED, "it was outside the hours of the account"),
        (Outcome.EXPIRED, Verdict.NOT_ALLOWED, "the account has expired"),
        (Outcome.FAILED, Verdict.OURSELVES, f"{SOURCE} was not asked: an internal error"),
    ],
)
def test_what_a_source_does_is_its_verdict(outcome: Outcome, verdict: Verdict, cause: str) -> None:
    freeze = frozen_by(outcome)
    assert freeze.verdict is verdict
    assert freeze.cause.startswith(cause), freeze.cause
    assert freeze.change
    assert any("s: asked, NOK" in line for line in freeze.evidence)


def test_of_two_sources_the_one_counts_that_might_have_had_it() -> None:
    freeze = frozen_by(Outcome.CANNOT_DECODE, (OTHER, Outcome.NO_ANSWER))
    assert freeze.verdict is Verdict.SOURCE_SILENT
    assert freeze.cause == f"{OTHER} did not answer in time (2 times)"


def test_a_cw_that_comes_late() -> None:
    made = evening()
    made.wait(111.3)
    made.source(Outcome.ANSWERED, 11.2)
    made.ask(10, 11.4)
    freeze = the_freeze(made)
    assert freeze.verdict is Verdict.SOURCE_LATE
    assert freeze.seconds == pytest.approx(1.4)
    assert freeze.cause == (
        "the CW came 11.4 s after its ECM was asked for; the key changes every 10.0 s:"
        f" {SOURCE} took 11.2 s"
    )


def test_an_answer_after_we_gave_up_is_late_and_not_silent() -> None:
    made = evening()
    for turn in (10, 11):
        made.ask(turn, 4.5, Outcome.NO_ANSWER)
        made.wait(made.clock + 2)
        made.source(Outcome.ANSWERED, 6.5)
    freeze = the_freeze(made)
    assert freeze.verdict is Verdict.SOURCE_LATE
    assert freeze.cause == f"{SOURCE} answered after 6.5 s; a receiver does not wait that long"
    assert any("gave the CW (6.5 s)" in line for line in freeze.evidence)


def test_a_second_source_answers_after_the_first_was_silent() -> None:
    made = evening()
    made.wait(110.9)
    made.source(Outcome.ANSWERED, 0.1)
    made.ask(10, 11.0, tried=((OTHER, Outcome.NO_ANSWER), (SOURCE, Outcome.ANSWERED)))
    freeze = the_freeze(made)
    assert freeze.verdict is Verdict.SOURCE_SILENT
    assert freeze.cause.endswith(f"first {OTHER} did not answer in time")


def test_a_source_that_was_quick_is_not_blamed_for_our_slowness() -> None:
    made = evening()
    made.wait(110.9)
    made.source(Outcome.ANSWERED, 0.1)
    made.ask(10, 11.0, tried=())
    assert the_freeze(made).verdict is Verdict.OURSELVES


def test_a_card_that_went_with_its_link() -> None:
    made = evening()
    made.tell(SourceDown(at=made.now, source=OTHER, reason="somebody else's"))
    made.tell(SourceDown(at=made.now, source=SOURCE, reason="nothing was received"))
    for turn in (10, 11):
        made.ask(turn, 0.1, Outcome.NO_CARD, tried=())
    freeze = the_freeze(made)
    assert freeze.verdict is Verdict.SOURCE_AWAY
    assert freeze.cause == f"no card was there to be asked: {SOURCE} had been lost"
    assert OTHER not in "".join((*freeze.evidence, *freeze.around))


def test_a_source_that_this_account_never_asks_is_not_named() -> None:
    made = evening()
    made.watch(range(10), account="ben", sid=2)
    for turn in (10, 11):
        made.source(Outcome.NO_ANSWER, 4.0, name=OTHER)  # asked for somebody else
        made.ask(turn, 4.5, Outcome.NO_ANSWER)
    freeze = the_freeze(made)
    assert freeze.source == SOURCE
    assert OTHER not in "".join((freeze.cause, *freeze.evidence, *freeze.around))


def test_we_stood_still_ourselves() -> None:
    made = evening()
    made.wait(109.9)
    made.tell(ServerPaused(at=made.now, seconds=8.0))
    made.ask(10, 11.0)
    freeze = the_freeze(made)
    assert freeze.verdict is Verdict.OURSELVES
    assert freeze.cause == "this server stood still for 8.0 s, from -8.1 s on"


def test_a_pause_does_not_explain_an_outage() -> None:
    made = evening()
    made.tell(ServerPaused(at=made.now, seconds=3.5))
    made.watch(range(10, 40), Outcome.NO_ANSWER, seconds=4.5)
    assert the_freeze(made).verdict is Verdict.SOURCE_SILENT


def test_a_server_that_has_just_started_has_no_links_yet() -> None:
    made = Evening()
    made.freezes = Freezes(judges(), started_at=START - 3.0)
    for turn in range(3):
        made.ask(turn, 0.1, Outcome.NO_CARD, tried=())
    freeze = the_freeze(made)
    assert (freeze.verdict, freeze.from_start) == (Verdict.OURSELVES, True)
    assert freeze.cause.startswith("this server had been started 3 s before")
    assert freeze.change.startswith("nothing, if it does not last"), "no load is to blame"


def test_a_start_does_not_explain_what_stays_dark() -> None:
    made = Evening()
    made.freezes = Freezes(judges(), started_at=START - 3.0)
    for turn in range(5):
        made.ask(turn, 0.1, Outcome.NO_CARD, tried=())
    assert the_freeze(made).verdict is Verdict.NO_CARD


def test_a_start_does_not_explain_what_worked_since() -> None:
    made = Evening()
    made.freezes = Freezes(judges(), started_at=START - 1.0)
    made.watch(range(4))
    for turn in (4, 5):
        made.ask(turn, 0.1, Outcome.NO_CARD, tried=())
    assert the_freeze(made).verdict is Verdict.NO_CARD


def test_a_reload_lets_links_log_in_anew() -> None:
    made = evening()
    made.tell(ServerReloaded(at=made.now))
    made.tell(SourceDown(at=made.now, source=SOURCE, reason="the configuration changed"))
    made.ask(10, 0.2, Outcome.LOST)
    made.tell(SourceUp(at=made.now, source=SOURCE))
    made.wait(112)
    freeze = the_freeze(made)
    assert freeze.verdict is Verdict.OURSELVES
    assert freeze.cause.startswith("the configuration was read again")


def test_a_reload_that_touches_no_source_explains_nothing() -> None:
    """An account was added, and at the same moment a card went: that is not our doing."""
    made = evening()
    made.tell(ServerReloaded(at=made.now, sources=False))
    made.ask(10, 0.2, Outcome.NO_CARD, tried=())
    made.wait(112)
    assert the_freeze(made).verdict is Verdict.NO_CARD


def test_a_reload_does_not_explain_what_was_dark_before() -> None:
    made = evening()
    for turn in range(10, 20):
        made.ask(turn, 0.1, Outcome.NO_CARD, tried=())
    made.tell(ServerReloaded(at=made.now))
    for turn in range(20, 30):  # all asks that are remembered are younger than the reload
        made.ask(turn, 0.1, Outcome.NO_CARD, tried=())
        assert the_freeze(made).verdict is Verdict.NO_CARD


def test_the_receiver_asked_late() -> None:
    made = evening()
    made.ask(10, 7.0, late=4.0)
    freeze = the_freeze(made)
    assert freeze.seconds == pytest.approx(1.0, abs=0.01)
    assert freeze.verdict is Verdict.RECEIVER
    assert freeze.cause == (
        "the receiver asked 4.0 s later than its rhythm of 10.0 s; the answer took 7.0 s"
    )


def test_the_receiver_asked_late_over_a_bad_way() -> None:
    made = evening()
    made.way(sent_again=1)
    made.wait(100)
    made.way(sent_again=9, jitter=0.8)
    made.ask(10, 7.0, late=4.0)
    freeze = the_freeze(made)
    assert freeze.verdict is Verdict.NETWORK
    assert "8 segments had to be sent again" in freeze.cause
    assert any("jitter 800 ms" in line for line in freeze.evidence)


def test_an_answer_that_does_not_get_through() -> None:
    made = evening()
    made.ask(10)
    made.wait(109)
    made.way(unheard=9.5)
    assert not made.told  # its key is not needed yet
    made.wait(114)
    made.way(unheard=14.5)
    freeze = the_freeze(made)
    assert (freeze.verdict, freeze.over) == (Verdict.NETWORK, False)
    assert freeze.at == pytest.approx(START + 110)
    assert "has acknowledged nothing for 14.5 s" in freeze.cause
    made.wait(116)
    made.way()
    assert the_freeze(made).over
    assert the_freeze(made).verdict is Verdict.NETWORK


def test_a_way_that_is_open_ends_no_freeze_of_another_cause() -> None:
    made = evening()
    made.ask(10, outcome=Outcome.NO_ANSWER)
    made.wait(115)
    assert not the_freeze(made).over
    made.way()
    assert not the_freeze(made).over


def test_an_answer_that_was_acknowledged_before_is_no_freeze() -> None:
    made = evening()
    made.ask(10)
    made.wait(114)
    made.way(unheard=8.0)
    assert not made.told


def test_the_broadcast_changed_its_period() -> None:
    made = evening()
    made.ask(10)
    made.wait(118)
    made.seen["anna"] = SeenReceiver(made.now, None)  # it has asked
    made.ask(11, 12.0, late=8.0)
    freeze = the_freeze(made)
    assert freeze.verdict is Verdict.STREAM
    assert freeze.cause.startswith("the key changed after 18.0 s, and not after 10.0 s as before")


def test_others_on_the_same_channel_are_evidence() -> None:
    made = evening()
    made.watch(range(10), account="ben")
    made.watch(range(10), account="cora")
    for turn in (10, 11):
        made.ask(turn, account="ben")
        made.ask(turn, 0.2, Outcome.REFUSED)
    made.wait(111)
    assert "2 other accounts on the same channel, none frozen" in the_freeze(made).evidence


def test_a_freeze_is_asked_for_by_its_number() -> None:
    made = evening()
    made.watch(range(10, 13), Outcome.NO_ANSWER, seconds=4.5)
    freeze = the_freeze(made)
    assert made.freezes.find(freeze.number, made.now) == freeze
    made.ask(13)
    found = made.freezes.find(freeze.number, made.now)
    assert found is not None
    assert found.over
    assert made.freezes.find(99, made.now) is None


def test_numbers_go_on_where_the_journal_ends() -> None:
    made = evening()
    made.freezes.number_from(42)
    made.watch(range(10, 13), Outcome.NO_ANSWER, seconds=4.5)
    assert the_freeze(made).number == 42


def judges() -> Judges:
    return Judges(freeze=judge_freeze, receiver=judge_receiver)
