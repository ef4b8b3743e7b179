"""An account and the sources of its groups: what is kept from it is no reason for its trouble."""

from dataclasses import replace
from pathlib import Path

from explained import NOW, announced, ask, client, source

from cccamd.facts import LinkState
from cccamd.localcards import find_kinds
from cccamd.routing import Priorities
from cccamd.setup.cccamcfg import parse
from cccamd.setup.merging import merge
from cccamd.setup.toml import parse as parse_toml
from cccamd.why import Evidence, Explanation, Weight
from cccamd.why.evidence import evidence_of_files

CFG = b"F: anna secret\nC: far.example 12000 me pw\nC: near.example 12000 me pw\n"
ACCOUNT = '[[account]]\nuser = "anna"\ngroups = [1]\n'
SOURCES = """
[[upstream]]
host = "far.example"
port = 12000
user = "me"
groups = [1]
[[upstream]]
host = "near.example"
port = 12000
user = "me"
groups = [2]
"""


def house(*, far_is_down: bool = True, account: str = ACCOUNT) -> Evidence:
    """Anna is for far.example alone; near.example is up and has a card."""
    toml = parse_toml(account + SOURCES, kinds=find_kinds(), folder=Path()).config
    config = merge(parse(CFG, file="/etc/CCcam.cfg").config, toml)
    found = evidence_of_files(config, toml, Priorities(), at=NOW, minute=0)
    far, near = found.sources
    down = {
        "state": LinkState.WAITING,
        "up_at": None,
        "last_failure": "refused",
        "cards_by_hop": {},
    }
    found.table.add(near, announced())
    if not far_is_down:
        found.table.add(far, announced(2))
    statuses = {
        far: source("far.example:12000", 2, **(down if far_is_down else {})),
        near: source("near.example:12000", 3),
    }
    return replace(found, live=True, sources=statuses, clients={"anna": (client(),)})


def asked(shown: Evidence) -> Explanation:
    return ask(shown, caid=0x0B00)


def test_that_its_only_source_is_down_is_said_and_of_others_that_they_are_not_for_it() -> None:
    answer = asked(house())
    assert answer.summary.startswith(
        "anna can use none of 1 card: 1 of other groups; far.example:12000 is down: refused"
    )
    far, near = answer.sources
    assert any(each.code == "down" for each in far.findings)
    (kept,) = near.findings
    assert (kept.code, kept.weight) == ("other-group", Weight.NOTE)
    assert kept.text.startswith("not for anna, by groups: ")


def test_where_there_are_cards_for_it_nothing_is_said_of_sources_that_are_down() -> None:
    assert "down" not in asked(house(far_is_down=False)).summary


def test_a_question_about_no_account_is_about_all_sources() -> None:
    answer = ask(house(), None, caid=0x0B00)
    assert all(each.code != "other-group" for one in answer.sources for each in one.findings)


def test_that_an_account_has_expired_or_is_switched_off_settles_it() -> None:
    for line, words in (("expires = 2020-01-01", "up to 2020-01-01"), ("enabled = false", "off")):
        assert words in asked(house(account=f"{ACCOUNT}{line}\n")).summary
