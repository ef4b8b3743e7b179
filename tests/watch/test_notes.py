"""What happened lately: sentences, each thing once."""

from dataclasses import replace
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from cccamd.facts import EcmResult, Note, Revision, Tone
from cccamd.ids import NO_NODE_ID, Caid, Ident, Sid
from cccamd.watch import (
    CardsChanged,
    ClientLoggedIn,
    ClientLoggedOut,
    EcmFinished,
    FreezeBegan,
    FreezeEnded,
    FreezeForeseen,
    LoginFailed,
    Notes,
    SourceDown,
    SourceUp,
)
from cccamd.watch.notes import NOTES_LIMIT
from fact_factory import a_freeze

NOW = 1_800_000_000.0


def ecm(sid: int, result: EcmResult = EcmResult.CW, *, account: str = "anna") -> EcmFinished:
    return EcmFinished(
        at=NOW,
        account=account,
        caid=Caid(0x0B00),
        ident=Ident(0),
        sid=Sid(sid),
        parity=0x80,
        fingerprint=b"1",
        result=result,
        seconds=0.1,
        source="attic" if result is EcmResult.CW else "",
        cached=False,
    )


def sentences(notes: Notes) -> list[str]:
    return [_sentence(note) for note in reversed(notes.recent())]


def _sentence(note: Note) -> str:
    sid = f" {note.service.sid}" if note.service else ""
    times = f" x{note.times}" if note.times > 1 else ""
    return f"{note.subject} {note.text}{sid}{times}"


def test_links_and_logins_are_told_with_their_reasons() -> None:
    notes = Notes()
    notes.observe(
        ClientLoggedIn(
            at=NOW,
            account="anna",
            address="192.0.2.7",
            version="2.3.0",
            build="3367",
            revision=Revision.V2,
            node_id=NO_NODE_ID,
        )
    )
    notes.observe(SourceUp(at=NOW, source="attic"))
    notes.observe(CardsChanged(at=NOW, source="attic", cards=1))
    notes.observe(SourceDown(at=NOW, source="attic", reason="it went silent"))
    notes.observe(ClientLoggedOut(at=NOW, account="anna", address="192.0.2.7", reason="it left"))
    assert sentences(notes) == [
        "anna logged in from 192.0.2.7, version 2.3.0",
        "attic is up",
        "attic now has 1 card",
        "attic is down: it went silent",
        "anna has left: it left",
    ]


def test_of_ecms_only_news_are_told() -> None:
    notes = Notes()
    nok = EcmResult.NOK2
    for happening in (ecm(1), ecm(1), ecm(2), ecm(2, nok), ecm(2, nok), ecm(2)):
        notes.observe(happening)
    assert sentences(notes) == [
        "anna watches 1",
        "anna watches 2",
        "anna gets no CW (NOK2) for 2",
        "anna gets CWs again for 2",
    ]
    assert [note.tone for note in notes.recent()][:2] == [Tone.GOOD, Tone.BAD]


def test_two_clients_of_one_account_watch_two_channels_and_that_is_told_once() -> None:
    notes = Notes()
    for _ in range(5):
        notes.observe(replace(ecm(1), client=1))
        notes.observe(replace(ecm(2), client=2))
    assert len(notes.recent()) == 2
    notes.observe(
        ClientLoggedOut(at=NOW, account="anna", client=2, address="192.0.2.7", reason="it left")
    )
    notes.observe(replace(ecm(2), client=3))  # it came back to where it was: no news
    assert len(notes.recent()) == 3


def test_a_picture_that_freezes_is_told_from_its_sign_to_its_end() -> None:
    notes, began = Notes(), NOW + 20
    ids = {"account": "anna", "caid": Caid(0x0B00), "ident": Ident(0), "sid": Sid(7)}
    notes.observe(FreezeForeseen(at=NOW, margin=1.0, seconds=20.2, **ids))  # type: ignore[arg-type]
    freeze = a_freeze("anna", at=began, over=False, cause="no CW", sid=Sid(7))
    notes.observe(FreezeBegan(at=began, freeze=freeze))
    ended = FreezeEnded(at=NOW + 23, freeze=replace(freeze, seconds=3.0, over=True))
    notes.observe(ended)
    assert sentences(notes) == [
        "anna may freeze in about 20 s on 7",
        "anna froze (no CW) on 7",
        "anna was frozen for 3.0 s on 7",
    ]


def test_what_goes_on_and_on_is_said_once_and_counted() -> None:
    notes = Notes()
    for second in range(3):
        notes.observe(
            LoginFailed(at=NOW + second, account="", address="192.0.2.9", reason="no account")
        )
        notes.observe(SourceDown(at=NOW + second, source="attic", reason="it is off"))
    assert sentences(notes) == [
        "192.0.2.9 did not get in: no account x3",
        "attic is down: it is off x3",
    ]
    assert notes.recent()[0].at == NOW + 2
    notes.observe(SourceUp(at=NOW + 3, source="attic"))
    notes.observe(SourceDown(at=NOW + 4, source="attic", reason="it is off"))
    assert sentences(notes)[-2:] == ["attic is up", "attic is down: it is off"]


def test_the_list_is_bounded() -> None:
    notes = Notes()
    for sid in range(NOTES_LIMIT + 10):
        notes.observe(ecm(sid))
    assert len(notes.recent()) == NOTES_LIMIT


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=40))
def test_repeated_notes_are_found_as_if_one_looked_through_all_of_them(
    moves: list[tuple[int, bool]],
) -> None:
    with patch("cccamd.watch.notes.NOTES_LIMIT", 3):
        notes, kept = Notes(), list[tuple[str, str, int]]()
        for at, (number, is_up) in enumerate(moves):
            source, text = f"link{number}", "is up" if is_up else "is down: lost"
            notes.observe(
                SourceUp(at=at, source=source)
                if is_up
                else SourceDown(at=at, source=source, reason="lost")
            )
            last = next((each for each in reversed(kept) if each[0] == source), None)
            times = 1
            if last is not None and last[1] == text:
                kept = [each for each in kept if each is not last]
                times += last[2]
            kept = [*kept, (source, text, times)][-3:]
            assert [(each.subject, each.text, each.times) for each in notes.recent()] == kept[::-1]
