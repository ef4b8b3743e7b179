"""For the same trouble `explain` and the doctor say the same: code, advice and setting."""

from dataclasses import replace

import pytest
from explained import NOW, announced, ask, client, evidence, source

from cccamd.facts import LinkState, SourceStatus
from cccamd.net import ConnectError, Failure, Step, explain_end
from cccamd.setup.logins import upstreams_of
from cccamd.values import Offer
from cccamd.why import Diagnosis, Evidence, Finding, Trial, Weight
from cccamd.why.audience import KnownCards, judge_accounts
from cccamd.why.links import TriedLink, judge_link, judge_running_link
from cccamd.why.meanings import MEANINGS
from cccamd.why.network import judge_answer_times
from cccamd.wire.link import Closed, CloseReason

C_LINE = "C: headend-a 12000 u p"


def same(ours: Finding, theirs: Diagnosis) -> bool:
    found = theirs.finding
    advice = f"{ours.change[0].upper()}{ours.change[1:]}."
    return (ours.code, ours.change, ours.setting) == (
        found.code,
        found.change,
        found.setting,
    ) and theirs.advice == advice


def doctor_on_accounts(seen: Evidence) -> Diagnosis:
    return judge_accounts(KnownCards(cards=tuple(seen.table.cards()), where=""), seen)[0]


@pytest.mark.parametrize(
    ("cfg", "card", "code"),
    [
        ("F: anna x 1", announced(hop=1), "too-far"),
        ("F: anna x 5 0 {0,0,0,0,0,0,0,0}", announced(), "too-far"),
        ("F: anna x 5 0 1 { 0b00:030b00:0 }", announced(), "limited"),
        ("F: anna x\nGLOBAL LIMITS : { 0b00:0:0 }", announced(), "limited"),
        ("F: anna x", announced(reshare=0), "not-reshared"),
        ("F: anna x", announced(path=(client().node_id,)), "loop"),
    ],
)
def test_a_card_that_an_account_does_not_see(cfg: str, card: Offer, code: str) -> None:
    seen = evidence(cfg, card)
    (ours,) = ask(seen).cards[0].findings
    theirs = doctor_on_accounts(seen)
    assert ours.code == code
    assert same(ours, theirs)
    assert ours.text in theirs.finding.text


def test_an_account_outside_its_hours() -> None:
    seen = evidence("F: anna x 5 1 1 { } { } { 20:00-22:00 }", announced())
    (ours,) = [found for found in ask(seen).findings if found.code == "hours-closed"]
    theirs = doctor_on_accounts(seen)
    assert same(ours, theirs)
    assert ours.text == theirs.finding.text


def test_a_server_without_any_source() -> None:
    seen = evidence("F: anna x", sources={})
    (ours,) = [found for found in ask(seen).findings if found.code == "no-sources"]
    assert same(ours, doctor_on_accounts(seen))


def doctor_on_link(seen: Evidence, trial: Trial) -> Diagnosis:
    """With what our running server says, and with a trial alone if it says nothing."""
    (upstream,) = upstreams_of(seen.config, seen.toml)
    (status,) = seen.sources.values()
    running = status if status.last_failure or status.up_at else None
    return judge_link(TriedLink(upstream=upstream, trial=trial, running=running), seen)


def the_link(seen: Evidence) -> Finding:
    (ours,) = ask(seen).sources[0].findings
    assert ours.weight is Weight.BAD
    return ours


@pytest.mark.parametrize("step", MEANINGS)
def test_a_link_that_fails_at_some_step(step: Step) -> None:
    down = lost(Failure(step, str(ConnectError(step, "for some reason"))))
    ours = the_link(evidence(C_LINE, status=down))
    silent = source(line=1, state=LinkState.WAITING, up_at=None, cards_by_hop={})
    trial = Trial(reached=step, detail="for some reason")
    theirs = doctor_on_link(evidence(C_LINE, status=silent), trial)
    assert same(ours, theirs)
    assert theirs.more[0].startswith("1. ")


def lost(failure: Failure | None) -> SourceStatus:
    return source(
        line=1,
        state=LinkState.WAITING,
        up_at=None,
        last_failure=failure.text if failure else "",
        failed_step=failure.step if failure else None,
        cards_by_hop={},
    )


@pytest.mark.parametrize("introduced", [False, True])
@pytest.mark.parametrize("reason", [*CloseReason, None])
def test_a_link_of_the_running_server_that_is_down(
    reason: CloseReason | None, introduced: bool
) -> None:
    failure = reason and explain_end(Closed(reason), introduced=introduced)
    seen = evidence(C_LINE, status=lost(failure))
    theirs = doctor_on_link(seen, Trial(reached=Step.LOGIN, failed=False))
    assert theirs.finding.code == ("down" if failure else "login-left-out")
    assert same(the_link(seen), theirs) == bool(failure)


@pytest.mark.parametrize("step", [Step.CONNECT_TIMEOUT, Step.GATEWAY])
def test_a_link_that_fails_with_others_is_not_for_its_owner(step: Step) -> None:
    shared = {"A:1": "look at the router"}
    down = replace(lost(Failure(step, "so it is")), shared_advice=shared["A:1"])
    seen = evidence(C_LINE, status=down)
    ours, theirs = the_link(seen), doctor_on_link(seen, Trial(reached=step))
    assert ours.change == shared["A:1"]
    assert same(ours, theirs)
    assert all("others fail at the same time" in text for text in (ours.text, theirs.finding.text))
    (again,) = [each for each in check_up_of(seen) if each.subject == down.name]
    assert same(ours, again)
    assert "router" in theirs.more[0]


def check_up_of(seen: Evidence) -> list[Diagnosis]:
    """What the doctor says from inside of the same server."""
    upstreams = tuple(upstreams_of(seen.config, seen.toml))
    (status,) = seen.sources.values()
    trials = (TriedLink(upstream=each, trial=Trial(), running=status) for each in upstreams)
    return [found for each in trials if (found := judge_running_link(each, seen)) is not None]


def test_who_is_silent_with_others_is_not_for_its_owner() -> None:
    silent = source(line=1, silent_since=NOW - 9, shared_advice="look at the router", asked=9)
    findings = ask(evidence(C_LINE, status=silent)).sources[0].findings
    (ours,) = [each for each in findings if each.code == "silent"]
    (theirs,) = judge_answer_times([silent], NOW)
    assert ours.change == theirs.finding.change == "look at the router"


@pytest.mark.parametrize("limits", ["", " no { 0:0:0 }"])
@pytest.mark.parametrize(("rejected", "code"), [(0, "announces-nothing"), (3, "all-rejected")])
def test_a_link_that_is_up_and_brings_nothing(rejected: int, code: str, limits: str) -> None:
    up = source(line=1, cards_by_hop={}, cards_rejected=rejected)
    seen = evidence(C_LINE + limits, status=up)
    ours = the_link(seen)
    assert ours.code == code
    assert same(ours, doctor_on_link(seen, Trial()))
