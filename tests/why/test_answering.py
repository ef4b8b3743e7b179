"""What is said of a source that is there and does not do its work."""

import pytest
from explained import NOW, announced, ask, evidence, source

from cccamd.facts import Cause, LastMinute, LinkState, SourceKind
from cccamd.setup.cccamcfg import parse
from cccamd.why import Receiver, Scene, find_symptoms
from cccamd.why.answering import explain_answers

CFG = "F: anna secret\nC: headend-a 12000 user pass\n"


@pytest.mark.parametrize(
    ("minute", "code", "words"),
    [
        (LastMinute(zero=3), "wrong-cws", "gives CWs that open nothing: 3 all-zero CWs"),
        (
            LastMinute(checksum=2, repeated=1, answered=9),
            "wrong-cws",
            "gives CWs that open nothing: 2 CWs with wrong checksum bytes and 1 CW of the period"
            " before within a minute, and 9 right ones",
        ),
        (
            LastMinute(cannot_decode=4, refused=1),
            "refuses-all",
            "refuses all that it is asked (cannot decode the service): 5 within a minute",
        ),
    ],
)
def test_each_trouble_has_its_own_words(minute: LastMinute, code: str, words: str) -> None:
    (found,) = explain_answers(source(last_minute=minute), NOW)
    assert found.code == code
    assert found.text.startswith(words)
    assert "ask the owner of headend-a:12000" in found.change


def test_few_are_an_accident_and_a_refusal_among_answers_is_none() -> None:
    for minute in (
        LastMinute(zero=2),
        LastMinute(cannot_decode=9, answered=1),
        LastMinute(answered=60, slow=60, late=60),
    ):
        assert not list(explain_answers(source(last_minute=minute), NOW))


def test_a_source_that_is_down_is_not_silent() -> None:
    down = source(silent_since=NOW - 9, state=LinkState.WAITING, up_at=None)
    assert not list(explain_answers(down, NOW))


def test_silence_is_told_of_the_source_and_of_its_cards() -> None:
    silent = source(silent_since=NOW - 12)
    shown = ask(evidence(CFG, announced(), status=silent), caid=0x0B00)
    words = "is logged in and answers nothing that it is asked"
    (answer,) = shown.sources
    assert f"{words}, for 12 s now" in [finding.text for finding in answer.findings]
    (card,) = shown.cards
    assert f"headend-a:12000 {words}" in [finding.text for finding in card.findings]


def test_a_card_of_ours_has_no_owner_to_ask() -> None:
    (found,) = explain_answers(source("attic", kind=SourceKind.LOCAL, silent_since=NOW - 9), NOW)
    assert found.change.startswith("look whether its card still works")


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ({"silent_since": NOW - 30}, Cause.SOURCE_SILENT),
        ({"last_minute": LastMinute(zero=6, answered=2)}, Cause.WRONG_CWS),
        ({"last_minute": LastMinute(refused=6)}, Cause.SOURCE_REFUSES),
    ],
)
def test_it_is_an_incident_with_those_who_suffer(words: dict[str, object], cause: Cause) -> None:
    receiver = Receiver(
        account="anna",
        connected_at=NOW - 600,
        cards=1,
        unserved=True,
        served_by="headend-a:12000",
    )
    scene = Scene(
        at=NOW,
        config=parse(CFG.encode()).config,
        sources=(source(**words),),
        receivers=(receiver,),
    )
    (symptom,) = find_symptoms(scene)
    assert (symptom.cause, symptom.subject) == (cause, "headend-a:12000")
    assert symptom.sufferers == {"anna"}
    assert symptom.since == words.get("silent_since", NOW)


def test_zero_cws_for_what_others_decode_are_no_incident() -> None:
    minute = LastMinute(zero=5, answered=60)
    scene = Scene(
        at=NOW,
        config=parse(CFG.encode()).config,
        sources=(source(last_minute=minute),),
        receivers=(),
    )
    assert not list(find_symptoms(scene))
