"""Answer times: exact where it matters, bounded whatever comes."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cccamd.facts import EcmResult, ServiceId, Span
from cccamd.ids import Caid, Ident, ShareId, Sid
from cccamd.net import at_once
from cccamd.routing import Result, Trace
from cccamd.values import Fingerprint, Request
from cccamd.watch import (
    Answers,
    CardsChanged,
    ClockSet,
    ConnectionRefused,
    EcmFinished,
    Happening,
    History,
    LoginFailed,
    SourceAnswered,
)
from cccamd.watch.history import SERIES_LIMIT
from cccamd.why.evidence import Recent

NOW = 1_800_000_000.0
NEWS = ServiceId(Caid(0x0B00), Ident(0x030B00), Sid(0x1D80))


def answered(
    seconds: float, *, at: float = NOW, source: str = "attic", result: EcmResult = EcmResult.CW
) -> SourceAnswered:
    return SourceAnswered(
        at=at,
        source=source,
        caid=NEWS.caid,
        ident=NEWS.ident,
        sid=NEWS.sid,
        result=result,
        seconds=seconds,
    )


def finished(sid: int, *, at: float = NOW) -> EcmFinished:
    return EcmFinished(
        at=at,
        account="anna",
        caid=NEWS.caid,
        ident=NEWS.ident,
        sid=Sid(sid),
        parity=0x80,
        fingerprint=b"1",
        result=EcmResult.CW,
        seconds=0.2,
        source="attic",
        cached=False,
    )


def test_a_single_answer_is_shown_exactly() -> None:
    history = History()
    history.observe(answered(0.1234))
    (series,) = history.sources(Span.MINUTES, now=NOW)
    (point,) = series.points
    assert series.source == "attic"
    assert (point.at, point.answered, point.refused) == (NOW, 1, 0)
    assert (point.median, point.percentile95, point.longest) == (0.1234, 0.1234, 0.1234)


@given(st.lists(st.floats(0.0002, 20), min_size=1, max_size=60))
def test_quantiles_are_within_a_bin_of_the_exact_ones(times: list[float]) -> None:
    history = History()
    for seconds in times:
        history.observe(answered(seconds))
    (series,) = history.sources(Span.DAY, now=NOW)
    (point,) = series.points
    ordered = sorted(times)
    for share, value in ((0.5, point.median), (0.95, point.percentile95)):
        exact = next(t for i, t in enumerate(ordered, 1) if i >= share * len(ordered) - 1e-9)
        assert value == pytest.approx(exact, rel=0.05)
    assert point.longest == ordered[-1]


def test_a_refusal_is_counted_and_has_no_time() -> None:
    history = History()
    history.observe(answered(0.1))
    history.observe(answered(3.0, result=EcmResult.NOK2))
    (series,) = history.sources(Span.MINUTES, now=NOW)
    assert [(p.answered, p.refused, p.longest) for p in series.points] == [(1, 1, 0.1)]


def test_each_answer_is_in_its_bucket_until_it_is_too_old() -> None:
    history = History()
    for at in (NOW - 700, NOW - 590, NOW - 5, NOW - 1, NOW):
        history.observe(answered(0.1, at=at))
    (series,) = history.sources(Span.MINUTES, now=NOW)
    assert [point.at - NOW for point in series.points] == [-590, -5, 0]
    (series,) = history.sources(Span.DAY, now=NOW)
    assert sum(point.answered for point in series.points) == 5
    assert history.sources(Span.MINUTES, now=NOW + 3600) == ()


def test_a_clock_that_was_set_back_loses_nothing() -> None:
    history = History()
    history.observe(answered(0.1))
    history.observe(answered(0.2, at=NOW - 3000))
    (series,) = history.sources(Span.MINUTES, now=NOW)
    assert [(p.at, p.answered) for p in series.points] == [(NOW, 2)]


def test_a_day_of_answers_keeps_a_day() -> None:
    history = History()
    for minute in range(3000):
        history.observe(answered(0.1, at=NOW + 60 * minute))
    (series,) = history.sources(Span.DAY, now=NOW + 60 * 3000)
    assert len(series.points) == 1440
    assert series.points[-1].at == NOW + 60 * 2999


def test_only_the_series_that_were_asked_last_are_kept() -> None:
    history = History()
    for sid in range(1, SERIES_LIMIT + 1):
        history.observe(finished(sid))
    history.observe(finished(1))
    history.observe(finished(0x7777))
    kept = {series.service for series in history.channels(Span.DAY, now=NOW)}
    assert len(kept) == SERIES_LIMIT
    assert ServiceId(NEWS.caid, NEWS.ident, Sid(1)) in kept
    assert ServiceId(NEWS.caid, NEWS.ident, Sid(2)) not in kept


@pytest.mark.parametrize("step", [100 * 86400.0, -100 * 86400.0, -7.0])
def test_what_is_remembered_of_answers_follows_a_clock_that_is_set(step: float) -> None:
    history, answers, recent = History(), Answers(), Recent()
    failure = LoginFailed(at=NOW, account="", address="192.0.2.1", reason="wrong password")
    happenings: list[Happening] = [answered(0.2, at=NOW - ago) for ago in (300.0, 100.0)]
    happenings += [finished(1), failure, replace(failure, account="anna")]
    happenings += [
        ConnectionRefused(at=NOW, address="192.0.2.2", reason="full"),
        CardsChanged(at=NOW, source="attic", cards=3),
        ClockSet(at=NOW + 50.0 + step, step=step),
    ]
    request = Request(NEWS.caid, NEWS.ident, ShareId(0), NEWS.sid, b"")
    trace = Trace(request, Fingerprint(b"1"), 0.0, 0.1, Result.SILENT, None, [])
    recent.note_ecm("anna", NOW, trace)
    for happening in happenings:
        for each in (history, answers, recent):
            each.observe(happening)
    after = NOW + 50.0 + step
    (source,) = history.sources(Span.MINUTES, now=after)
    assert [round(after - point.at) // 10 for point in source.points] == [35, 15]
    history.observe(answered(0.3, at=after + 20.0))
    (source,) = history.sources(Span.MINUTES, now=after + 20.0)
    assert [point.answered for point in source.points] == [1, 1, 1]
    told = at_once(answers.reporting())
    memory = recent.account("anna")
    (refusals,), change = memory.refusals.values(), recent.list_change("attic")
    assert change is not None
    assert {
        told.accounts["anna"][0].at,
        memory.ecms[0].at,
        refusals.first_at,
        refusals.last.at,
        recent.strangers[0].at,
        recent.failed_from("192.0.2.1")[0].at,
        recent.turned_away["192.0.2.2"].at,
        change.at,
    } == {NOW + step}
    assert told.services[0].last_at == told.sources["attic"][-1].at == NOW - 100.0 + step
