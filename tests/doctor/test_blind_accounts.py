"""Accounts that see 0 cards: who is named, why, and which line is to be changed."""

import pytest

from cccamd.cards import Card, CardTable, LocalOffer
from cccamd.doctor.accounts import KnownCards, judge_accounts, running_cards
from cccamd.doctor.finding import Finding, Verdict
from cccamd.doctor.running import RunningStatus, StatusUnavailable, read_status
from cccamd.ids import Caid, Ident, NodeId, ShareId
from cccamd.setup.cccamcfg import parse
from cccamd.values import Offer, Provider

OWN = NodeId(bytes(7) + b"\1")
THEIRS = NodeId(bytes(7) + b"\2")
NOON = 12 * 60


def table_with(*cards: LocalOffer | Offer) -> tuple[Card, ...]:
    table = CardTable(OWN)
    for card in cards:
        if isinstance(card, LocalOffer):
            table.add_local(table.add_source(), card)
        else:
            table.add(table.add_source(), card)
    return tuple(table.cards())


def local(caid: int = 0x0B00) -> LocalOffer:
    return LocalOffer(caid=Caid(caid), providers=(Provider(Ident(0x030B00)),))


def learnt(*, hop: int = 1, reshare: int = 2) -> Offer:
    return Offer(
        share_id=ShareId(1),
        remote_id=5,
        caid=Caid(0x0500),
        hop=hop,
        reshare=reshare,
        ua=bytes(8),
        providers=(Provider(Ident(0)),),
        path=(THEIRS,),
    )


def judge(cfg: str, *cards: LocalOffer | Offer, complete: bool = True) -> list[Finding]:
    known = table_with(*cards)
    names = tuple(f"source {number}" for number in range(len(known)))
    return judge_accounts(
        parse(cfg.encode()).config,
        KnownCards(cards=known, names=names, where="tests", complete=complete),
        minute=NOON,
    )


@pytest.mark.parametrize(
    ("cfg", "card", "evidence", "advice"),
    [
        ("F: anna x 5 1 1 { 0:0:0 }", local(), "downhops 0 means", "braces of line 1"),
        ("F: anna x 5 1 1 { 0:0 }", local(), "downhops 0 means", "braces of line 1"),
        ("F: anna x 5 1 1 { 0B00:0:0, 0:0:3 }", local(), "limits of the F-line", "of line 1"),
        ("F: anna x\nGLOBAL LIMITS : { 0B00:0:0 }", local(), "GLOBAL LIMITS", "GLOBAL LIMITS"),
        ("F: anna x 0", learnt(), "beyond uphops 0", "Raise uphops"),
        ("F: anna x 5 1 {0,0,0,0,0,0,0,0}", learnt(hop=3), "beyond downhops 1", "Raise downhops"),
        ("F: anna x", learnt(reshare=0), "reshare 0", "Ask the cards' owner"),
    ],
)
def test_an_account_that_sees_nothing(
    cfg: str, card: LocalOffer | Offer, evidence: str, advice: str
) -> None:
    (found,) = judge(cfg, card)
    assert (found.verdict, found.subject) == (Verdict.WARNING, "anna")
    assert "sees 0 of 1 card" in found.evidence
    assert evidence in found.evidence
    assert advice in found.advice


def test_a_caid_that_is_kept_from_an_account_is_told_but_is_no_fault() -> None:
    (found,) = judge("F: anna x 5 1 1 { 0B00:0:0 }", local(), local(0x0500))
    assert found.verdict is Verdict.OK
    assert found.more[0].startswith("anna (line 1) does not see CAID 0B00: ")


def test_who_sees_cards_is_not_named() -> None:
    blind, rest = judge("F: anna x\nF: bert x 5 1 1 { 0:0:0 }\nF: carl x", local())
    assert blind.subject == "bert"
    assert (rest.verdict, rest.subject) == (Verdict.OK, "")
    assert "seen by 2 of 3 accounts" in rest.evidence


@pytest.mark.parametrize(
    ("complete", "verdict"), [(True, Verdict.WARNING), (False, Verdict.NOT_CHECKED)]
)
def test_without_cards_there_is_nothing_to_see(complete: bool, verdict: Verdict) -> None:
    (found,) = judge("F: anna x", complete=complete)
    assert found.verdict is verdict


def test_an_account_is_not_blamed_for_cards_that_are_not_known() -> None:
    (found,) = judge("F: anna x 5 1 1 { 0B00:0:0 }", local(), complete=False)
    assert found.verdict is Verdict.ADVICE


def test_outside_its_time_frame_an_account_gets_nothing() -> None:
    closed, _ = judge("F: anna x 5 1 1 { } { } { 20:00-22:00 }", local())
    assert closed.verdict is Verdict.ADVICE
    assert "third braces of line 1" in closed.advice


def test_without_accounts_nobody_can_log_in() -> None:
    (found,) = judge("SERVER LISTEN PORT : 12000", local())
    assert found.verdict is Verdict.ADVICE


STATUS = {
    "server": {"node_id": "380ceca0f39150d3", "config_path": "/etc/CCcam.cfg", "program": "x"},
    "clients": [],
    "sources": [],
}
CARD = {
    "source": "h.example:12000",
    "caid": "0B00",
    "idents": ["030B00"],
    "hop": 2,
    "reshare": 1,
    "path": ["380ceca0f39150d3"],
}


def test_the_cards_of_a_running_server_are_judged_alike() -> None:
    known = running_cards(read_status(STATUS, {"cards": [CARD]}))
    (card,) = known.cards
    assert (card.caid, card.hop, card.reshare, card.local) == (0x0B00, 2, 1, False)
    (found,) = judge_accounts(parse(b"F: anna x 1").config, known, minute=NOON)
    assert "hop 2 is beyond uphops 1" in found.evidence


@pytest.mark.parametrize(
    ("status", "cards"),
    [
        ([], {"cards": []}),
        ({}, {"cards": []}),
        (STATUS, {}),
        (STATUS, None),
        (STATUS, {"cards": [CARD | {"caid": "rubbish"}]}),
    ],
)
def test_an_answer_of_something_else_is_no_status(status: object, cards: object) -> None:
    with pytest.raises(StatusUnavailable):
        read_status(status, cards)


def test_newer_servers_may_say_more() -> None:
    status = {**STATUS, "weather": "fine"}
    assert isinstance(read_status(status, {"cards": [CARD | {"colour": "red"}]}), RunningStatus)
