"""Margins and freezes on simulated timelines."""

from collections.abc import Iterable
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cccamd.facts import EcmResult
from cccamd.ids import Caid, Ident, Sid
from cccamd.values import Outcome
from cccamd.watch import (
    ClientLoggedOut,
    EcmFinished,
    FreezeBegan,
    FreezeEnded,
    FreezeForeseen,
    Freezes,
    Happening,
    Judges,
    SourceAnswered,
    SourceDown,
)
from cccamd.watch.freezes import CHANNELS_OF_ONE
from cccamd.why import judge_freeze, judge_receiver

JUDGES = Judges(freeze=judge_freeze, receiver=judge_receiver)
CAID, IDENT, SID = Caid(0x0B00), Ident(0x030B00), Sid(0x1D80)
SOURCE = "headend-a:12000"
OUTCOMES = {
    EcmResult.CW: Outcome.ANSWERED,
    EcmResult.NOK1: Outcome.REFUSED,
    EcmResult.NOK2: Outcome.CANNOT_DECODE,
}
START = 1_800_000_000.0


def ecm(
    turn: int,
    at: float,
    seconds: float,
    *,
    result: EcmResult = EcmResult.CW,
    account: str = "anna",
    sid: int = SID,
) -> EcmFinished:
    """The answer, after `seconds`, to the ECM of period number `turn`, asked for at `at`."""
    return EcmFinished(
        at=START + at + seconds,
        account=account,
        caid=CAID,
        ident=IDENT,
        sid=Sid(sid),
        parity=0x80 + turn % 2,
        fingerprint=b"%d %d" % (sid, turn),
        result=result,
        seconds=seconds,
        source=SOURCE if result is EcmResult.CW else "",
        cached=False,
        outcome=OUTCOMES[result],
        tried=() if result is EcmResult.CW else ((SOURCE, OUTCOMES[result]),),
    )


def source_answer(at: float, seconds: float, result: EcmResult, *, sid: int = SID) -> Happening:
    return SourceAnswered(
        at=START + at,
        source="headend-a:12000",
        caid=CAID,
        ident=IDENT,
        sid=Sid(sid),
        result=result,
        seconds=seconds,
    )


def watching(seconds: Iterable[float], *, period: float = 10.0) -> list[Happening]:
    return [ecm(turn, turn * period, each) for turn, each in enumerate(seconds)]


def play(freezes: Freezes, happenings: Iterable[Happening]) -> list[Happening]:
    return [found for happening in happenings for found in freezes.observe(happening)]


@given(
    period=st.floats(10.0, 120.0),
    seconds=st.lists(st.floats(0.0, 0.9), min_size=4, max_size=40),
)
def test_quick_answers_show_their_margin_and_never_a_freeze(
    period: float, seconds: list[float]
) -> None:
    freezes = Freezes(JUDGES)
    assert play(freezes, watching(seconds, period=period)) == []
    report = freezes.report(START + len(seconds) * period)
    (channel,) = report.channels
    assert channel.period == pytest.approx(period, rel=1e-3)
    assert channel.margin == pytest.approx(period - seconds[-1], rel=1e-3)
    assert report.freezes == ()
    assert channel.forecast == ""


@given(gap=st.integers(1, 9), at=st.integers(4, 10))
def test_periods_that_nobody_watched_do_not_spoil_the_period(gap: int, at: int) -> None:
    freezes = Freezes(JUDGES)
    turns = [turn if turn < at else turn + 2 * gap for turn in range(14)]
    play(freezes, [ecm(turn, 10.0 * turn, 0.1) for turn in turns])
    (channel,) = freezes.report(START).channels
    assert channel.period == pytest.approx(10.0, abs=0.01)


def test_the_period_belongs_to_the_service_whoever_asked() -> None:
    freezes = Freezes(JUDGES)
    asked = [ecm(turn, 7.0 * turn, 0.1, account=f"u{turn}") for turn in range(5)]
    lagging = [ecm(turn, 7.0 * turn + 2.0, 0.1, account="late") for turn in range(5)]
    for each in sorted(asked + lagging, key=lambda each: each.at):
        freezes.advance(each.at)
        freezes.observe(each)
    freezes.advance(START + 30.2)
    channels = freezes.report(START).channels
    assert {round(channel.period or 0, 2) for channel in channels} == {7.0}
    # The others have been silent for more than 2.5 periods.
    assert {channel.account for channel in channels} == {"u2", "u3", "u4", "late"}


def test_a_cw_that_comes_after_its_key_was_needed_is_a_freeze() -> None:
    freezes = Freezes(JUDGES)
    play(freezes, watching([0.1] * 5))
    play(freezes, [source_answer(50.2, 0.9, EcmResult.CW, sid=2)])
    play(freezes, [source_answer(61.4, 11.4, EcmResult.CW)])
    began, ended = play(freezes, [ecm(5, 50.0, 11.5)])
    assert isinstance(began, FreezeBegan)
    assert began.at == pytest.approx(START + 60.0)
    assert began.freeze.source == "headend-a:12000"
    assert isinstance(ended, FreezeEnded)
    assert ended.freeze.seconds == pytest.approx(1.5)
    (freeze,) = freezes.report(START + 100).freezes
    assert freeze.over
    assert freeze.seconds == pytest.approx(1.5)
    assert "the CW came 11.5 s after" in freeze.cause
    assert "+1.4 s: headend-a:12000 gave the CW after 11.40 s" in freeze.around
    assert any("0B00:030B00:0002, at worst 0.90 s" in line for line in freeze.around)


def test_refusals_are_a_freeze_when_the_key_is_needed_and_not_before() -> None:
    freezes = Freezes(JUDGES)
    play(freezes, watching([0.1] * 5))
    lost = SourceDown(at=START + 49.0, source="headend-a:12000", reason="nothing was received")
    assert play(freezes, [lost, ecm(5, 50.0, 0.2, result=EcmResult.NOK1)]) == []
    assert freezes.advance(START + 59.9) == []
    (began,) = freezes.advance(START + 60.1)
    assert isinstance(began, FreezeBegan)
    assert began.freeze.cause == f"{SOURCE} refused for now"
    assert freezes.advance(START + 61.0) == []
    (open_freeze,) = freezes.report(START + 62.0).freezes
    assert not open_freeze.over
    assert open_freeze.seconds == pytest.approx(2.0)
    assert "-11.0 s: headend-a:12000 was lost: nothing was received" in open_freeze.around
    (ended,) = play(freezes, [ecm(6, 60.0, 5.0)])
    assert isinstance(ended, FreezeEnded)
    assert ended.freeze.seconds == pytest.approx(5.0)


def test_a_second_try_in_time_is_no_freeze() -> None:
    freezes = Freezes(JUDGES)
    play(freezes, watching([0.1] * 5))
    assert play(freezes, [ecm(5, 50.0, 4.5, result=EcmResult.NOK1), ecm(5, 55.0, 0.3)]) == []
    assert freezes.advance(START + 61.0) == []
    (channel,) = freezes.report(START + 61.0).channels
    assert channel.margin == pytest.approx(4.7, abs=0.01)


def test_who_zaps_away_from_a_refusal_has_no_freeze() -> None:
    freezes = Freezes(JUDGES)
    play(freezes, watching([0.1] * 5))
    play(freezes, [ecm(5, 50.0, 0.2, result=EcmResult.NOK2), ecm(0, 52.0, 0.1, sid=7)])
    assert freezes.advance(START + 200.0) == []
    assert freezes.report(START + 200.0).freezes == ()


def test_who_watches_two_channels_has_one_all_the_same() -> None:
    freezes = Freezes(JUDGES)
    play(freezes, watching([0.1] * 5))
    play(freezes, [ecm(5, 50.0, 0.2, result=EcmResult.NOK2), ecm(0, 52.0, 0.1, sid=7)])
    assert freezes.advance(START + 60.0) == []
    (began,) = play(freezes, [ecm(6, 60.1, 0.2, result=EcmResult.NOK2)])
    assert isinstance(began, FreezeBegan)
    assert began.at == pytest.approx(START + 60.0)


def test_the_first_ecm_of_a_channel_change_is_no_freeze() -> None:
    freezes = Freezes(JUDGES)
    play(freezes, watching([0.1] * 5))
    refused = ecm(5, 50.0, 0.1, result=EcmResult.NOK1, account="ben")
    assert play(freezes, [refused]) == []
    assert freezes.advance(START + 65.0) == []


def test_a_client_that_leaves_ends_its_freeze() -> None:
    freezes = Freezes(JUDGES)
    play(freezes, watching([0.1] * 5))
    play(freezes, [ecm(5, 50.0, 0.2, result=EcmResult.NOK1)])
    assert len(freezes.advance(START + 61.0)) == 1
    left = ClientLoggedOut(at=START + 63.0, account="anna", address="192.0.2.7", reason="gone")
    (ended,) = freezes.observe(left)
    assert isinstance(ended, FreezeEnded)
    assert freezes.report(START + 64.0).channels == ()
    assert freezes.report(START + 64.0).freezes[0].seconds == pytest.approx(3.0)


def test_a_margin_that_falls_is_foreseen_once_and_in_time() -> None:
    freezes = Freezes(JUDGES)
    steady, falling = [0.2] * 6, [0.2 + 1.1 * step for step in range(9)]
    found = play(freezes, watching(steady + falling))
    (foreseen,) = found
    assert isinstance(foreseen, FreezeForeseen)
    assert foreseen.margin > 0
    froze_at = START + 10.0 * (6 + 9)
    assert foreseen.at < froze_at
    (channel,) = freezes.report(froze_at).channels
    assert "a freeze is due in about" in channel.forecast
    assert [margin.seconds for margin in channel.margins] == sorted(
        (margin.seconds for margin in channel.margins), reverse=True
    )


def test_one_stall_is_no_trend() -> None:
    freezes = Freezes(JUDGES)
    assert play(freezes, watching([0.2] * 10 + [6.0] + [0.2] * 4)) == []


@given(
    st.lists(
        st.tuples(
            st.integers(0, 30),
            st.floats(0, 300),
            st.floats(0, 20),
            st.sampled_from(EcmResult),
            st.sampled_from(["anna", "ben"]),
            st.integers(1, 3),
        ),
        max_size=60,
    )
)
def test_any_order_of_anything_balances(
    steps: list[tuple[int, float, float, EcmResult, str, int]],
) -> None:
    freezes = Freezes(JUDGES)
    numbers = count()
    found: list[Happening] = []
    for turn, at, seconds, result, account, sid in steps:
        found += freezes.observe(ecm(turn, at, seconds, result=result, account=account, sid=sid))
        if next(numbers) % 5 == 0:
            found += freezes.advance(START + at)
    for account in ("anna", "ben"):
        left = ClientLoggedOut(at=START + 400, account=account, address="", reason="")
        found += freezes.observe(left)
    began = [each for each in found if isinstance(each, FreezeBegan)]
    ended = [each for each in found if isinstance(each, FreezeEnded)]
    assert len(began) == len(ended)
    report = freezes.report(START + 400)
    assert report.channels == ()
    assert all(freeze.seconds >= 0 and freeze.over for freeze in report.freezes)


@pytest.mark.parametrize("quick", [0.0, 0.004, 0.3])
def test_a_rhythm_a_little_quicker_than_ours_puts_no_freeze_off(quick: float) -> None:
    """Each next ECM came before the key of the one before was due, for minutes."""
    freezes = Freezes(JUDGES)
    for happening in watching([0.1] * 4):
        freezes.observe(happening)
    began: list[FreezeBegan] = []
    at = 40.0
    for turn in range(4, 12):
        found = freezes.observe(ecm(turn, at, 0.0, result=EcmResult.NOK1))
        began += [each for each in found if isinstance(each, FreezeBegan)]
        at += 10.0 - quick
        began += [each for each in freezes.advance(START + at) if isinstance(each, FreezeBegan)]
        margin = freezes.report(START + at).channels[0].margin
        assert margin is not None
        assert margin <= max(0.3, 50.0 - at + 0.01)
    (one,) = began
    assert one.at == pytest.approx(START + 50.0, abs=0.35)


def test_the_next_ecm_in_time_pays_what_the_one_before_left_owing() -> None:
    freezes = Freezes(JUDGES)
    for happening in watching([0.1] * 4):
        freezes.observe(happening)
    found = freezes.observe(ecm(4, 40.0, 0.0, result=EcmResult.NOK1))
    found += freezes.observe(ecm(5, 49.7, 0.1))
    found += freezes.advance(START + 52.0)
    assert not any(isinstance(each, FreezeBegan) for each in found)
    margin = freezes.report(START + 52.0).channels[0].margin
    assert margin == pytest.approx(0.2, abs=0.01)


def test_who_asks_for_everything_pushes_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cccamd.watch.freezes.CHANNELS_LIMIT", 600)
    freezes = Freezes(JUDGES)
    play(freezes, [ecm(0, 0.0, 0.1, account="ben")])
    play(freezes, [ecm(0, 1.0, 0.1, sid=sid) for sid in range(1, 5000)])
    kept = [account for account, *_ in freezes._watches]
    assert (kept.count("anna"), kept.count("ben")) == (CHANNELS_OF_ONE, 1)
    assert len(freezes._wakes) < 2 * CHANNELS_OF_ONE + 1100, "who is dropped is forgotten"
