"""What is worth an entry."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cccamd.facts import Cause, EcmResult, Incident, Revision
from cccamd.ids import Caid, Ident, NodeId, Sid
from cccamd.watch import (
    ClientLoggedIn,
    ClientLoggedOut,
    EcmFinished,
    FreezeBegan,
    FreezeEnded,
    IncidentBegan,
    IncidentEnded,
    IncidentGrew,
    LoginFailed,
    RoundTripMeasured,
)
from cccamd.watch.journal import Entry, Kind, Scribe
from fact_factory import a_freeze, an_incident

NOW = 1_800_000_000.0


def ecm(
    at: float,
    seconds: float = 0.05,
    *,
    sid: int = 1,
    source: str = "a:12000",
    account: str = "anna",
) -> EcmFinished:
    return EcmFinished(
        at=NOW + at,
        account=account,
        caid=Caid(0x0B00),
        ident=Ident(0x030B00),
        sid=Sid(sid),
        parity=0x80,
        fingerprint=str(at).encode(),
        result=EcmResult.CW if source else EcmResult.NOK1,
        seconds=seconds,
        source=source,
        cached=False,
    )


def login(at: float = 0.0) -> ClientLoggedIn:
    return ClientLoggedIn(
        at=NOW + at,
        account="anna",
        address="192.0.2.7",
        version="2.3.0",
        build="3367",
        revision=Revision.V2,
        node_id=NodeId(bytes(8)),
    )


def logout(at: float) -> ClientLoggedOut:
    return ClientLoggedOut(at=NOW + at, account="anna", address="192.0.2.7", reason="it left")


def visits(entries: list[Entry]) -> list[Entry]:
    """The last state of each visit, as the file keeps it."""
    last = {(each.at, each.sid): each for each in entries if each.kind is Kind.VISIT}
    return list(last.values())


def test_a_session_reads_like_a_story() -> None:
    scribe = Scribe()
    told = [*scribe.observe(login())]
    for number in range(30):
        told += scribe.observe(ecm(1 + 10 * number))
    for number in range(3):
        told += scribe.observe(
            ecm(301 + 10 * number, 0.4, sid=2, source="b:12000" if number else "")
        )
    told += scribe.observe(logout(330))
    first, second = visits(told)
    assert told[0].kind is Kind.LOGIN
    assert "version 2.3.0 build 3367, v2" in told[0].text
    assert (first.asked, first.answered, first.source) == (30, 30, "a:12000")
    assert first.until == NOW + 291
    assert first.median == pytest.approx(0.05, rel=0.03)
    assert (second.asked, second.answered, second.worst) == (3, 2, 0.4)
    assert second.source == "b:12000"
    assert told[-1].kind is Kind.LOGOUT
    assert told[-1].text == "it left"
    assert len(told) < 14  # 33 requests, written about once a minute


def test_two_sources_are_both_named() -> None:
    scribe = Scribe()
    told = [
        *scribe.observe(ecm(0)),
        *scribe.observe(ecm(10)),
        *scribe.observe(ecm(20, source="b:12000")),
        *scribe.observe(logout(21)),
    ]
    assert visits(told)[0].source == "a:12000 (2), b:12000 (1)"


def test_coming_back_is_another_visit_and_two_tuners_are_not() -> None:
    scribe = Scribe()
    zapped = ((0, 1), (10, 2), (20, 2), (60, 1))
    back = [each for at, sid in zapped for each in scribe.observe(ecm(at, sid=sid))]
    assert len(visits(back)) == 3
    scribe = Scribe()
    turns = range(40)
    both = [each for turn in turns for each in scribe.observe(ecm(5 * turn, sid=turn % 2))]
    assert len(visits(both)) == 2


def test_a_flood_of_failures_is_summed_up() -> None:
    scribe = Scribe()
    told = []
    for number in range(500):
        failure = LoginFailed(
            at=NOW + 2 * number, account="", address="203.0.113.9", reason="no such user"
        )
        told += scribe.observe(failure)
    assert len(told) < 20
    assert any("more within ten minutes" in each.text for each in told)


def test_a_flood_from_many_addresses_pushes_nothing_out_of_the_journal() -> None:
    scribe = Scribe()
    failures = (
        LoginFailed(at=NOW, account="", address=f"2001:db8::{number:x}", reason="no such user")
        for number in range(5000)
    )
    told = [entry for failure in failures for entry in scribe.observe(failure)]
    assert len(told) <= 5 * 65


def test_an_account_that_comes_and_goes_all_the_time_is_summed_up() -> None:
    scribe = Scribe()
    told = []
    for number in range(500):
        told += scribe.observe(login(number / 4))
        told += scribe.observe(logout(number / 4 + 0.1))
    assert len(told) == 2 * 50  # each that is told comes and goes
    assert [each.text for each in scribe.advance(NOW + 700)] == ["450 more within ten minutes"]
    assert [each.kind for each in scribe.observe(login(701))] == [Kind.LOGIN]


def test_services_without_end_are_no_visits_without_end() -> None:
    scribe = Scribe()
    told = visits([each for number in range(3000) for each in scribe.observe(ecm(0, sid=number))])
    assert len(told) == 600
    scribe.advance(NOW + 700)
    assert len(visits(scribe.observe(ecm(700, sid=5000)))) >= 1
    assert visits(scribe.observe(ecm(700, sid=5001, account="bert")))


@pytest.mark.parametrize(
    ("trips", "words"),
    [
        ([(0.001, 0.0002), (0.004, 0.002), (0.001, 0.0001)] * 5, "probably wired"),
        ([(0.003, 0.004), (0.014, 0.009), (0.006, 0.001)] * 5, "probably wireless"),
        ([(0.003, 0.002)] * 9, "hard to tell"),
        ([(0.040, 0.001)] * 20, "not in this house"),
        ([(0.001, 0.0001)] * 3, ""),
        ([(0.001, None)] * 20, ""),
    ],
)
def test_cable_or_radio_is_guessed_from_jitter(
    trips: list[tuple[float, float | None]], words: str
) -> None:
    scribe = Scribe()
    scribe.observe(login())
    for seconds, jitter in trips:
        scribe.observe(RoundTripMeasured(at=NOW, account="anna", seconds=seconds, jitter=jitter))
    links = [each for each in scribe.observe(logout(5)) if each.kind is Kind.LINK]
    assert [words in each.text for each in links] == ([True] if words else [])


def test_a_freeze_is_an_entry() -> None:
    freeze = a_freeze("anna", at=NOW, seconds=3.0)
    (began,) = Scribe().observe(FreezeBegan(at=NOW, freeze=replace(freeze, over=False)))
    assert (began.kind, began.at, began.until) == (Kind.FREEZE, NOW, None)
    (told,) = Scribe().observe(FreezeEnded(at=NOW + 3, freeze=freeze))
    assert (told.kind, told.at, told.until) == (Kind.FREEZE, NOW, NOW + 3)


def test_an_incident_that_grows_is_a_line_for_each_of_its_causes() -> None:
    def incident(number: int, cause: Cause, at: float, ended: float | None = None) -> Incident:
        return an_incident(
            str(number) if cause is not Cause.SOURCES_AWAY else "several",
            number=number,
            cause=cause,
            began_at=NOW + at,
            ended_at=ended,
        )

    scribe = Scribe()
    one, two = incident(1, Cause.SOURCE_SILENT, 0), incident(2, Cause.SOURCE_DOWN, 5)
    whole = incident(1, Cause.SOURCES_AWAY, 0)
    entries = scribe.observe(IncidentBegan(at=NOW + 1, incident=one))
    entries += scribe.observe(IncidentBegan(at=NOW + 6, incident=two))
    entries += scribe.observe(IncidentGrew(at=NOW + 9, incident=whole, is_renamed=True, parts=(2,)))
    entries += scribe.observe(IncidentGrew(at=NOW + 20, incident=whole))
    entries += scribe.advance(NOW + 400)
    over = incident(1, Cause.SOURCES_AWAY, 0, NOW + 900)
    entries += scribe.observe(IncidentEnded(at=NOW + 908, incident=over))
    entries += scribe.advance(NOW + 2000)
    last = {(one.at, one.cause, one.subject): one for one in entries}
    assert [(one.number, one.cause, one.at - NOW, one.until) for one in last.values()] == [
        (1, "source silent", 0, NOW + 9),
        (2, "source down", 5, NOW + 9),
        (1, "sources away", 9, NOW + 900),
    ]


@given(
    st.lists(
        st.tuples(st.floats(0, 1000), st.floats(0, 5), st.integers(1, 4), st.booleans()),
        max_size=60,
    )
)
def test_no_request_is_lost_and_none_counted_twice(
    asked: list[tuple[float, float, int, bool]],
) -> None:
    scribe = Scribe()
    told: list[Entry] = []
    for at, seconds, sid, answered in sorted(asked):
        told += scribe.observe(ecm(at, seconds, sid=sid, source="a" if answered else ""))
    told += scribe.observe(logout(2000))
    found = visits(told)
    assert sum(each.answered for each in found) <= sum(each.asked for each in found) <= len(asked)
    if len({at for at, *_ in asked}) == len(asked) and not any(each[1] for each in asked):
        assert sum(each.asked for each in found) == len(asked)
    for each in found:
        assert each.median is not None
        assert each.worst is not None
        assert each.median <= each.worst


def test_two_clients_of_one_account_have_a_story_each() -> None:
    scribe = Scribe()
    scribe.observe(replace(login(), client=1))
    scribe.observe(replace(login(1), client=2, address="192.0.2.8"))
    told = [
        *scribe.observe(replace(ecm(2), client=1)),
        *scribe.observe(replace(ecm(3, sid=2), client=2)),
        *scribe.observe(replace(ecm(12), client=1)),
        *scribe.observe(replace(logout(13), client=2)),
        *scribe.observe(replace(ecm(22), client=1)),
        *scribe.observe(replace(logout(23), client=1)),
    ]
    assert [(each.address, each.asked) for each in visits(told)] == [
        ("192.0.2.7", 3),
        ("192.0.2.8", 1),
    ]
