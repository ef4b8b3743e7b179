"""Sources that fail together: one symptom, from the first that is silent to the last one back."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from cccamd.facts import Cause, LinkState, SourceStatus, Step
from cccamd.notify import Outbox, Rules
from cccamd.setup.cccamcfg import Config
from cccamd.watch import IncidentBegan, IncidentEnded, IncidentGrew, Incidents, Symptom
from cccamd.why import Scene, Together, find_symptoms
from cccamd.why.together import AT_ONE_TIME, BACK_WITHIN, NAMED
from fact_factory import NOW, a_local_source, a_source

A, B, C = "198.51.100.1:12000", "b.example:12000", "c.example:12000"
LAN = "192.168.1.20:12000"


def well(name: str) -> SourceStatus:
    return a_source(name, up_at=NOW - 9000, address="")


def silent(name: str, since: float = NOW) -> SourceStatus:
    return replace(well(name), silent_since=since)


def down(name: str, step: Step = Step.CONNECT_TIMEOUT, since: float = NOW) -> SourceStatus:
    return replace(
        well(name),
        state=LinkState.WAITING,
        up_at=None,
        down_since=since,
        last_failure=f"{step.value}: so it is",
        failed_step=step,
        cards=0,
        cards_by_hop={},
    )


def look(
    sources: Sequence[SourceStatus], together: Together | None = None, at: float = NOW
) -> list[Symptom]:
    scene = Scene(at=at, config=Config(file="/etc/CCcam.cfg"), sources=tuple(sources))
    return list(find_symptoms(scene, together))


def subjects(found: Sequence[Symptom]) -> list[str]:
    return [each.subject for each in found]


@pytest.mark.parametrize(
    ("sources", "change"),
    [
        ((down(A, Step.NAME_SERVER), down(B, Step.NAME_SERVER), well(C)), "/etc/resolv.conf"),
        ((down(A, Step.NAME_SERVER), down(B)), "/etc/resolv.conf"),
        ((down(A, Step.GATEWAY), down(B, Step.GATEWAY), well(C)), "cable or Wi-Fi"),
        ((down(A), down(B, Step.NO_SIGN)), "router of this network"),
        ((down(A, Step.SEED), down(B, Step.NO_GREETING)), "router of this network"),
        ((silent(A), down(B)), "router of this network"),
        ((silent(A), silent(B), a_local_source()), "router of this network"),
        ((down(A), down(B), well(LAN)), "router of this network"),
        ((down(A), down(B), down(C, Step.REFUSED, NOW - 1)), "router of this network"),
    ],
)
def test_what_fails_as_one_is_one(sources: Sequence[SourceStatus], change: str) -> None:
    first = look(sources)[0]
    assert (first.cause, first.subject) == (Cause.SOURCES_AWAY, "several sources")
    assert first.covers == {A, B}
    assert f"{A} and {B}" in first.text
    assert change in first.change
    assert [line.split()[0] for line in first.evidence] == [f"{A}:", f"{B}:"]


@pytest.mark.parametrize(
    "sources",
    [
        (down(A), well(C)),
        (down(A), down(B), well(C)),
        (down(A, since=NOW - AT_ONE_TIME - 1), down(B)),
        (down(A, Step.REFUSED), down(B, Step.LOGIN)),
        (down(A), down(B), down(C, Step.REFUSED)),
        (down(LAN), down("192.168.1.21:1"), well("192.168.1.22:1")),
        (down(A, Step.GATEWAY), well(B)),
        (silent(A), well(B)),
    ],
)
def test_what_fails_for_itself_is_told_for_itself(sources: Sequence[SourceStatus]) -> None:
    assert Cause.SOURCES_AWAY not in {each.cause for each in look(sources)}


def test_who_is_back_leaves_and_the_others_have_their_time() -> None:
    together = Together()
    look((down(A), down(B), down(C)), together)
    (found,) = look((well(A), down(B), down(C, Step.REFUSED)), together, NOW + 10)
    assert found.subject == "several sources"
    assert found.only_lingers, "the words of all of them are told at the end"
    assert A not in found.text
    assert f"not yet: {B} and {C}" in found.text
    (found,) = look((well(A), down(B), well(C)), together, NOW + 9 + BACK_WITHIN)
    assert found.subject == "several sources"
    (found,) = look((well(A), down(B), well(C)), together, NOW + 11 + BACK_WITHIN)
    assert found.subject == B, "this one has a trouble of its own"
    assert not look((well(A), well(B), well(C)), together, NOW + 200)


def test_what_is_said_of_one_names_it_unless_it_is_true_of_all() -> None:
    (found,) = look((silent(A), silent(B), down(C, Step.NO_GREETING)))
    assert found.text.endswith(f"; {C}: {Step.NO_GREETING.value}: so it is")
    named = replace(down(B), last_failure="b.example does not answer")
    (found,) = look((silent(A), named))
    assert found.text.endswith("; b.example does not answer")
    (found,) = look((down(A), down(B)))
    assert found.text.endswith(f"; {Step.CONNECT_TIMEOUT.value}: so it is")


def test_what_is_sure_is_said_rather_than_what_is_frequent() -> None:
    (found,) = look((down(A), down(B, Step.NAME_SERVER), down(C)))
    assert "no answer from a name server" in found.text


def test_one_that_says_something_else_in_between_stays_and_one_that_fails_later_joins() -> None:
    together = Together()
    look((down(A), down(B)), together)
    (found,) = look((down(A), down(B, Step.RESET), down(C, since=NOW + 500)), together, NOW + 500)
    assert found.covers == {A, B, C}


def test_a_name_that_is_not_found_for_good_is_its_own_trouble_once_others_are_back() -> None:
    together = Together()
    look((down(A, Step.NAME_SERVER), down(B, Step.NAME_SERVER)), together)
    for second in range(0, 200, 2):
        found = look((well(A), down(B, Step.NAME_SERVER)), together, NOW + second)
    assert subjects(found) == [B]


def test_a_link_that_is_made_anew_is_still_down() -> None:
    together = Together()
    anew = replace(
        down(A), state=LinkState.CONNECTING, last_failure="", failed_step=None, down_since=NOW
    )
    assert look((anew, well(B)), together) == []
    (before,) = look((down(A), well(B)), together)
    assert look((anew, well(B)), together) == [before]
    assert look((anew, well(B)), together) == [before]
    assert look((well(A), well(B)), together) == []
    assert look((anew, well(B)), together) == []


def test_five_hundred_that_fall_within_a_minute_are_one_incident_and_one_message() -> None:
    """Silent first, then down, one after the other; and back in the same way."""
    names = [f"198.51.{number // 250}.{number % 250}:12000" for number in range(500)]
    together, book, box = Together(), Incidents(), Outbox(Rules(after=60.0))
    told, numbers = [], set()
    for second in range(0, 720, 4):
        at = NOW + second

        def source(place: int, second: int = second) -> SourceStatus:
            falls, back = 60 * place / 500, 300 + 60 * place / 500
            if second < falls or second >= back:
                return well(names[place])
            if second < falls + 30:
                return silent(names[place], NOW + falls)
            return down(names[place], Step.GATEWAY, NOW + falls)

        symptoms = look([source(place) for place in range(500)], together, at)
        for happening in book.update(symptoms, at):
            match happening:
                case IncidentBegan(incident=incident):
                    box.began(incident, second)
                    numbers.add(incident.number)
                case IncidentGrew(incident=incident, parts=parts):
                    box.grew(incident, parts, second)
                case IncidentEnded(incident=incident):
                    box.ended(incident, second)
        told += [message.title for message in box.due(second, 12 * 60)]
        if second == 200:
            (incident,) = book.report()
            assert f"and {500 - NAMED} more" in incident.text
    assert told == ["sources away: several sources", "Over: sources away: several sources"]
    over = [one for one in book.report() if one.cause is Cause.SOURCES_AWAY]
    assert len(over) == 1
    assert f"and {500 - NAMED} more" in over[0].text, "the words of all, though some were back"
