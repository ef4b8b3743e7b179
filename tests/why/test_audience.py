"""Accounts that see 0 cards: who is named, why, and which line is to be changed."""

from pathlib import Path

import pytest

from cccamd.cards import CardTable, LocalOffer, SourceId
from cccamd.facts import SourceKind
from cccamd.ids import Caid, Ident, NodeId, ShareId
from cccamd.localcards import find_kinds
from cccamd.routing import Priorities
from cccamd.setup.cccamcfg import parse
from cccamd.setup.merging import merge
from cccamd.setup.toml import TomlConfig
from cccamd.setup.toml import parse as parse_toml
from cccamd.values import Offer, Provider
from cccamd.why import Diagnosis, Evidence, Grade
from cccamd.why.audience import KnownCards, judge_accounts, running_cards
from fact_factory import a_card, a_client, a_source

OWN = NodeId(bytes(7) + b"\1")
THEIRS = NodeId(bytes(7) + b"\2")
NOON = 12 * 60


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


def evidence(cfg: str, table: CardTable, **words: object) -> Evidence:
    fields: dict[str, object] = {
        "live": True,
        "at": 0.0,
        "minute": NOON,
        "config": parse(cfg.encode(), file="CCcam.cfg").config,
        "toml": TomlConfig(),
        "priorities": Priorities(),
        "table": table,
        "sources": {},
    }
    return Evidence(**(fields | words))  # type: ignore[arg-type]


def judge(cfg: str, *cards: LocalOffer | Offer, complete: bool = True) -> list[Diagnosis]:
    table, sources = CardTable(OWN), {}
    for number, card in enumerate(cards, 1):
        source = table.add_source()
        sources[source] = a_source(f"source {number}:12000")
        if isinstance(card, LocalOffer):
            table.add_local(source, card)
        else:
            table.add(source, card)
    if not cards:
        sources[SourceId(1)] = a_source("empty:12000", cards_by_hop={})
    known = KnownCards(cards=tuple(table.cards()), where="tests", complete=complete)
    return judge_accounts(known, evidence(cfg, table, sources=sources))


@pytest.mark.parametrize(
    ("cfg", "card", "evidence", "advice"),
    [
        ("F: anna x 5 1 1 { 0:0:0 }", local(), "{ 0:0:0 } of the F-line", "first braces of line 1"),
        ("F: anna x 5 1 1 { 0:0 }", local(), "keep it from anna", "first braces of line 1"),
        ("F: anna x 5 1 1 { 0B00:0:0, 0:0:3 }", local(), "{ 0B00:0:0 } of the F-line", "of line 1"),
        ("F: anna x\nGLOBAL LIMITS : { 0B00:0:0 }", local(), "GLOBAL LIMITS", "GLOBAL LIMITS"),
        ("F: anna x 0", learnt(), "up to hop 0", "Raise the third field (uphops) of line 1 to 2."),
        ("F: anna x 5 1 {0,0,0,0,0,0,0,0}", learnt(hop=3), "at hop 4", "Raise the fourth field"),
        ("F: anna x", learnt(reshare=0), "reshare 0", "Only the owner of source 1:12000 can"),
    ],
)
def test_an_account_that_sees_nothing(
    cfg: str, card: LocalOffer | Offer, evidence: str, advice: str
) -> None:
    (found,) = judge(cfg, card)
    assert (found.grade, found.subject) == (Grade.WARNING, "anna")
    assert "sees 0 of 1 card" in found.finding.text
    assert evidence in found.finding.text
    assert advice in found.advice


def test_a_caid_that_is_kept_from_an_account_is_told_but_is_no_fault() -> None:
    (found,) = judge("F: anna x 5 1 1 { 0B00:0:0 }", local(), local(0x0500))
    assert found.grade is Grade.OK
    assert found.more[0].startswith("anna (line 1) does not see CAID 0B00: ")


def test_who_sees_cards_is_not_named() -> None:
    blind, rest = judge("F: anna x\nF: bert x 5 1 1 { 0:0:0 }\nF: carl x", local())
    assert blind.subject == "bert"
    assert (rest.grade, rest.subject) == (Grade.OK, "")
    assert "seen by 2 of 3 accounts" in rest.finding.text


@pytest.mark.parametrize(("complete", "grade"), [(True, Grade.WARNING), (False, Grade.NOT_CHECKED)])
def test_without_cards_there_is_nothing_to_see(complete: bool, grade: Grade) -> None:
    (found,) = judge("F: anna x", complete=complete)
    assert found.grade is grade


def test_an_account_is_not_blamed_for_cards_that_are_not_known() -> None:
    (found,) = judge("F: anna x 5 1 1 { 0B00:0:0 }", local(), complete=False)
    assert found.grade is Grade.ADVICE


def test_outside_its_time_frame_an_account_gets_nothing() -> None:
    closed, _ = judge("F: anna x 5 1 1 { } { } { 20:00-22:00 }", local())
    assert closed.grade is Grade.ADVICE
    assert "third braces of line 1" in closed.advice


def test_without_accounts_nobody_can_log_in() -> None:
    (found,) = judge("SERVER LISTEN PORT : 12000", local())
    assert found.grade is Grade.ADVICE


def test_without_sources_it_is_said_as_explain_says_it() -> None:
    table = CardTable(OWN)
    (found,) = judge_accounts(KnownCards(cards=(), where=""), evidence("F: anna x", table))
    assert (found.grade, found.finding.code) == (Grade.WARNING, "no-sources")


def test_the_cards_of_a_running_server_are_judged_alike() -> None:
    sources = {
        SourceId(1): a_source("h.example:12000"),
        SourceId(2): a_source("attic", kind=SourceKind.LOCAL, line=0),
    }
    cards = (
        a_card("h.example:12000", 1, hop=2, reshare=1, path=(THEIRS,)),
        a_card("attic", 2, hop=0),
    )
    table = CardTable(OWN)
    known = running_cards(cards, evidence("", table, sources=sources))
    assert [(card.source, card.hop, card.local) for card in known.cards] == [
        (1, 2, False),
        (2, 0, True),
    ]
    shown = evidence("F: anna x 1", table, sources=sources)
    (found,) = judge_accounts(running_cards(cards[:1], shown), shown)
    assert "up to hop 1; this card is at hop 2" in found.finding.text
    assert found.more[0].startswith("h.example:12000, CAID ")


def test_a_card_that_came_through_the_very_client_is_no_fault_of_its_line() -> None:
    sources = {SourceId(1): a_source("h.example:12000")}
    cards = (a_card("h.example:12000", 1, path=(THEIRS,)),)
    clients = {"anna": (a_client("anna", node_id=THEIRS),)}
    shown = evidence("F: anna x", CardTable(OWN), sources=sources, clients=clients)
    (found,) = judge_accounts(running_cards(cards, shown), shown)
    assert (found.grade, found.finding.code) == (Grade.ADVICE, "loop")


GROUPS = """
[[account]]
user = "anna"
groups = [1]
[[account]]
user = "ben"
groups = [2]
expires = 1969-01-01
[[upstream]]
host = "h.example"
port = 12000
user = "me"
groups = [2]
[[card]]
kind = "test"
name = "attic"
caid = "0500"
groups = [2]
"""


@pytest.mark.parametrize(("name", "line"), [("h.example:12000", 3), ("attic", 0)])
def test_groups_of_a_running_server_and_last_days_count(name: str, line: int) -> None:
    toml = parse_toml(GROUPS, kinds=find_kinds(), folder=Path()).config
    cfg = "F: anna x\nF: ben x\nC: h.example 12000 me pw\n"
    config = merge(parse(cfg.encode(), file="CCcam.cfg").config, toml)
    kind = SourceKind.CCCAM if line else SourceKind.LOCAL
    sources = {SourceId(1): a_source(name, kind=kind, line=line)}
    table = CardTable(OWN)
    shown = evidence(cfg, table, sources=sources, config=config, toml=toml, at=1e9)
    blind, expired, seen = judge_accounts(
        running_cards((a_card(name, 1, reshare=2),), shown), shown
    )
    assert (blind.subject, blind.finding.code) == ("anna", "other-group")
    assert (expired.subject, expired.finding.code) == ("ben", "expired")
    assert seen.finding.text.startswith("cards are seen by 1 of 2 accounts")
