"""The list of incidents: opened, kept up to date, closed, and opened again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cccamd.facts import Cause, Incident
from cccamd.watch import IncidentBegan, IncidentEnded, IncidentGrew, Incidents, Symptom
from cccamd.watch.incidents import GRACE, OPEN_LIMIT, RETURN, YOUNG

NOW = 1_800_000_000.0


def a_symptom(cause: Cause = Cause.SOURCE_DOWN, subject: str = "a:1", **words: object) -> Symptom:
    fields: dict[str, object] = {"since": NOW, "text": "is down"} | words
    return Symptom(cause=cause, subject=subject, **fields)  # type: ignore[arg-type]


def open_ones(book: Incidents) -> list[Incident]:
    return [incident for incident in book.report() if incident.ended_at is None]


def test_an_outage_of_fifteen_minutes_is_one_incident_from_its_first_second_to_its_last() -> None:
    book, news = Incidents(), []
    for second in range(0, 901, 2):
        text = f"is down for the {second}th second"
        news += book.update([a_symptom(text=text, sufferers=frozenset({"anna"}))], NOW + second)
        if second in (0, 60, 300, 720, 900):
            (incident,) = book.report()
            assert (incident.began_at, incident.ended_at) == (NOW, None)
            assert incident.text == text
            assert (incident.suffering, incident.sufferers) == (1, ("anna",))
    (began,) = news
    assert isinstance(began, IncidentBegan)
    (ended,) = book.update([], NOW + 900 + GRACE)
    assert isinstance(ended, IncidentEnded)
    assert (ended.incident.began_at, ended.incident.ended_at) == (NOW, NOW + 900)
    assert book.report() == (ended.incident,)


def test_what_only_lingers_does_not_have_the_last_word() -> None:
    """A link is up again, and for a moment pictures that it darkened stand still: that is so now,
    and is not what it was."""
    book = Incidents()
    lingering = a_symptom(text="lets a picture stand still", only_lingers=True)
    book.update([lingering], NOW)
    book.update([a_symptom(text="is down: refused")], NOW + 2)
    book.update([lingering], NOW + 60)
    assert open_ones(book)[0].text == "lets a picture stand still"
    (ended,) = book.update([], NOW + 60 + GRACE)
    assert isinstance(ended, IncidentEnded)
    assert ended.incident.text == "is down: refused"


def test_what_is_slow_then_silent_then_down_is_one_incident_that_grows() -> None:
    book = Incidents()
    (began,) = book.update([a_symptom(Cause.SOURCE_SLOW)], NOW)
    (grew,) = book.update([a_symptom(Cause.SOURCE_SILENT)], NOW + 4)
    assert isinstance(grew, IncidentGrew)
    assert (grew.is_renamed, grew.parts) == (True, ())
    assert book.update([a_symptom(Cause.SOURCE_SILENT)], NOW + 6) == []
    (grew,) = book.update([a_symptom(Cause.SOURCE_DOWN)], NOW + 40)
    assert isinstance(began, IncidentBegan)
    assert isinstance(grew, IncidentGrew)
    (incident,) = book.report()
    assert (incident.number, incident.cause) == (began.incident.number, Cause.SOURCE_DOWN)
    assert incident.began_at == NOW


def test_a_pause_that_is_much_longer_than_the_one_that_was_told_is_told_too() -> None:
    """Twenty seconds after 51 ms were in no log."""
    book = Incidents()

    def look(size: float, at: float) -> list[str]:
        symptom = a_symptom(Cause.SERVER_PAUSED, text=f"stood still for {size} s", size=size)
        told = book.update([symptom], NOW + at)
        assert not any(isinstance(each, IncidentGrew) and each.is_renamed for each in told)
        return [each.incident.text for each in told]  # type: ignore[attr-defined]

    assert look(0.05, 0) == ["stood still for 0.05 s"]
    assert look(0.4, 2) == []
    assert look(20.0, 4) == ["stood still for 20.0 s"]
    assert look(20.0, 6) == look(60.0, 8) == look(0.1, 70) == []
    assert look(15.0, 72) == ["stood still for 15.0 s"]
    book.update([], NOW + 90)
    assert look(0.05, 92) == ["stood still for 0.05 s"], "it is back"
    assert look(15.0, 94) == ["stood still for 15.0 s"]
    assert book.update([a_symptom(subject="b")], NOW + 95)[0].at == NOW + 95, "others have no size"
    assert book.update([a_symptom(subject="b")], NOW + 96) == []


def test_what_was_slow_for_long_and_is_down_then_is_another_trouble() -> None:
    book = Incidents()
    book.update([a_symptom(Cause.SOURCE_SLOW)], NOW)
    book.update([a_symptom(Cause.SOURCE_SLOW)], NOW + YOUNG)
    found = book.update([a_symptom(Cause.SOURCE_DOWN)], NOW + YOUNG + 2)
    assert [type(one) for one in found] == [IncidentBegan]
    assert len(open_ones(book)) == 2


def several(*names: str) -> Symptom:
    return a_symptom(Cause.SOURCES_AWAY, "several", covers=frozenset(names))


def test_what_covers_others_goes_on_with_the_oldest_and_is_told_when_it_hits_more() -> None:
    book = Incidents()
    ben = frozenset({"ben"})
    book.update([a_symptom(subject="a", since=NOW - 9)], NOW)
    book.update([a_symptom(subject="a"), a_symptom(subject="b", sufferers=ben)], NOW + 2)
    assert [one.number for one in open_ones(book)] == [2, 1]
    (grew,) = book.update([several("a", "b")], NOW + 30)
    assert isinstance(grew, IncidentGrew)
    assert (grew.incident.number, grew.parts, grew.is_renamed) == (1, (2,), True)
    assert grew.incident.began_at == NOW - 9
    assert [one.number for one in book.report()] == [1], "the other is told no more"
    assert book.update([several("a", "b")], NOW + 32) == []
    assert book.update([several("a")], NOW + 34) == []
    assert book.update([several("a", "b")], NOW + 35) == [], "it has hit this one before"
    (grew,) = book.update([several("a", "c")], NOW + 36)
    assert isinstance(grew, IncidentGrew)
    assert (grew.parts, grew.is_renamed) == ((), False)
    began, ended = [], []
    for second in (38, 40, 50):
        for found in book.update([a_symptom(subject="c")], NOW + second):
            (began if isinstance(found, IncidentBegan) else ended).append(found)
    assert len(began) == len(ended) == 1, "one of them has a trouble of its own now"
    assert book.report()[-1].sufferers == ("ben",), "of the whole"
    (back, *_) = book.update([several("a", "c")], NOW + 60)
    assert isinstance(back, IncidentBegan)
    assert (back.incident.number, back.incident.times) == (1, 2)
    assert len(open_ones(book)) == 1


def test_one_look_that_missed_it_ends_nothing() -> None:
    book = Incidents()
    book.update([a_symptom()], NOW)
    assert book.update([], NOW + GRACE - 1) == []
    assert len(open_ones(book)) == 1
    assert book.update([a_symptom()], NOW + GRACE + 1) == []


def test_what_is_over_is_over_also_when_the_clock_was_set_back() -> None:
    book = Incidents()
    book.update([a_symptom()], NOW)
    (ended,) = book.update([], NOW - 3600)
    assert isinstance(ended, IncidentEnded)
    assert ended.incident.ended_at == NOW, "not before it began"


def test_what_comes_back_soon_is_the_same_incident_and_later_another() -> None:
    book = Incidents()
    for flap in range(3):
        at = NOW + flap * 60
        assert [type(found) for found in book.update([a_symptom(since=at)], at)] == [IncidentBegan]
        assert [type(found) for found in book.update([], at + 30)] == [IncidentEnded]
    (incident,) = book.report()
    assert (incident.number, incident.times, incident.began_at) == (1, 3, NOW)
    book.update([a_symptom(since=NOW + 120 + RETURN + 1)], NOW + 120 + RETURN + 1)
    assert [(one.number, one.times, one.ended_at) for one in book.report()] == [
        (2, 1, None),
        (1, 3, NOW + 120),
    ]


def test_those_by_whom_most_suffer_come_first_and_what_is_over_comes_last() -> None:
    book = Incidents()
    book.update([a_symptom(subject="over")], NOW - 100)
    book.update([], NOW)
    few, many = frozenset({"anna"}), frozenset({"anna", "ben"})
    book.update(
        [
            a_symptom(subject="nobody", since=NOW - 9),
            a_symptom(subject="few", sufferers=few),
            a_symptom(Cause.CLONE, subject="many", sufferers=many),
        ],
        NOW,
    )
    assert [one.subject for one in book.report()] == ["many", "few", "nobody", "over"]


def test_who_suffered_at_any_time_is_told_when_it_is_over() -> None:
    book = Incidents()
    book.update([a_symptom(sufferers=frozenset({"ben"}))], NOW)
    book.update([a_symptom(sufferers=frozenset({"Anna"}))], NOW + 2)
    assert book.report()[0].sufferers == ("Anna",)
    book.update([], NOW + 60)
    assert book.report()[0].sufferers == ("Anna", "ben")


@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0])
def test_a_clock_that_jumps_leaves_no_incident_that_ends_before_it_began(jump: float) -> None:
    book = Incidents()
    book.update([a_symptom()], NOW)
    book.update([a_symptom(since=NOW)], NOW + jump)
    book.update([], NOW + jump + 60)
    (incident,) = book.report()
    assert incident.ended_at is not None
    assert incident.ended_at >= incident.began_at


@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0])
def test_a_clock_that_is_set_makes_no_incident_older_or_younger(jump: float) -> None:
    book = Incidents()
    book.update([a_symptom(), a_symptom(subject="b:1")], NOW)
    book.update([a_symptom()], NOW + 60)
    book.clock_was_set(jump, NOW + 90 + jump)
    book.update([a_symptom()], NOW + 90 + jump)
    assert [each.began_at for each in open_ones(book)] == [NOW + jump]
    book.update([a_symptom(), a_symptom(subject="b:1")], NOW + 170 + jump)
    assert [(each.subject, each.times) for each in open_ones(book)] == [("a:1", 1), ("b:1", 2)]
    book.update([a_symptom()], NOW + 180 + jump)
    book.update([a_symptom(), a_symptom(subject="b:1")], NOW + 999 + jump)
    assert sorted((each.subject, each.times) for each in open_ones(book)) == [
        ("a:1", 1),
        ("b:1", 1),
    ]


def test_five_thousand_troubles_open_as_many_incidents_as_anybody_reads() -> None:
    book = Incidents()
    book.update([a_symptom(subject=str(number)) for number in range(5000)], NOW)
    assert len(open_ones(book)) == OPEN_LIMIT


SUBJECTS = st.sets(st.sampled_from("abc"))


@given(st.lists(st.tuples(SUBJECTS, st.floats(0.5, 400)), max_size=30))
def test_what_is_shown_is_what_was_seen_last(looks: list[tuple[set[str], float]]) -> None:
    """Open is what was seen within the grace; each began as often as it ended or is open."""
    book, now = Incidents(), NOW
    seen: dict[str, float] = {}
    began: list[str] = []
    ended: list[str] = []
    for subjects, pause in looks:
        now += pause
        seen |= dict.fromkeys(subjects, now)
        symptoms = [a_symptom(subject=subject, since=now) for subject in sorted(subjects)]
        for found in book.update(symptoms, now):
            if isinstance(found, IncidentBegan):
                began.append(found.incident.subject)
            elif isinstance(found, IncidentEnded):
                ended.append(found.incident.subject)
        expected = {subject for subject, at in seen.items() if now - at < GRACE}
        assert {one.subject for one in open_ones(book)} == expected
        assert sorted(began) == sorted([*ended, *expected])
        numbers = [one.number for one in book.report()]
        assert len(numbers) == len(set(numbers))
