"""Why somebody is not even asked for a password."""

from dataclasses import replace

from explained import NOW, evidence

from cccamd.facts import Door, PenaltyKind
from cccamd.watch import ConnectionRefused, LoginFailed
from cccamd.why import Explanation, Grade, Question, Recent, explain, penalty_text
from cccamd.why.brake import judge_bans
from fact_factory import a_penalty, a_snapshot

FAR = "203.0.113.7"
BAN = a_penalty(FAR, until=NOW + 540)
WAIT = replace(BAN, kind=PenaltyKind.SLOWED, bans=0, wait_seconds=0.8, doors=(Door.TELNET,))
NAME = replace(BAN, who="anna", kind=PenaltyKind.NAME_SLOWED, bans=0, wait_seconds=1.5)


def ask(question: Question, recent: Recent) -> Explanation:
    base = evidence("F: anna secret\nF: ben secret", clients={}, recent=recent)
    return explain(
        question,
        replace(base, penalties_of=lambda address: (BAN,) if address == FAR else ()),
    )


def test_each_kind_is_a_sentence() -> None:
    assert penalty_text(BAN, NOW) == (
        f"{FAR} is banned for 9 min more, after 10 failed logins (CCcam and web pages), the last"
        " as anna, the ban number 2"
    )
    assert penalty_text(WAIT, NOW) == (
        f"logins from {FAR} wait 0.8 s each, for 9 min more, after 10 failed logins (telnet), the"
        " last as anna"
    )
    assert penalty_text(NAME, NOW).startswith("who logs in as anna from a new place waits 1.5 s")


def test_a_ban_is_told_of_the_account_that_brought_it_and_of_no_other() -> None:
    failed, knocked = Recent(), Recent()
    failed.observe(LoginFailed(at=NOW - 60, account="anna", address=FAR, reason="wrong password"))
    knocked.observe(ConnectionRefused(at=NOW - 5, address=FAR, reason="banned"))
    for recent in (failed, knocked):
        codes = [each.code for each in ask(Question(account="anna"), recent).findings]
        assert "banned" in codes
    codes = [each.code for each in ask(Question(account="ben"), knocked).findings]
    assert "banned" not in codes


def test_an_address_is_explained_by_itself() -> None:
    recent = Recent()
    recent.observe(LoginFailed(at=NOW - 60, account="anna", address=FAR, reason="wrong password"))
    recent.observe(ConnectionRefused(at=NOW - 5, address=FAR, reason="too many failed"))
    answer = ask(Question(address=FAR), recent)
    found = {each.code: each for each in answer.findings}
    assert found.keys() == {"network-not-allowed", "banned", "login-refused", "turned-away"}
    assert "[network] allow" in found["network-not-allowed"].change
    assert "exempt" in found["banned"].change
    assert (answer.cards, answer.ecms, answer.address) == ((), (), FAR)
    near = ask(Question(address="192.168.1.7"), Recent())
    assert [each.code for each in near.findings] == ["address-admitted", "address-unknown"]
    assert near.summary == "192.168.1.7 may connect: its network is let in, and it is not banned"


def test_the_doctor_names_a_few_of_thousands() -> None:
    assert not list(judge_bans(a_snapshot(at=NOW)))
    bans = tuple(replace(BAN, who=f"203.0.113.{number}") for number in range(100))
    (said,) = judge_bans(a_snapshot(at=NOW, penalties=(*bans, WAIT), banned=10_000, slowed=1))
    assert said.grade is Grade.ADVICE
    assert said.finding.text.startswith("10,000 addresses and networks are banned")
    assert said.more[-1] == "and 9,995 more"
    (said,) = judge_bans(a_snapshot(at=NOW, penalties=(BAN,), banned=1))
    assert said.finding.text.startswith(f"{FAR} is banned")
