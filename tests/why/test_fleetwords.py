"""What the doctor says of a fleet."""

from dataclasses import replace

import pytest

from cccamd.facts import FleetStatus, NodeState, NodeStatus
from cccamd.why.diagnosis import Check, Diagnosis, Grade
from cccamd.why.fleetwords import fleet_counted, judge_fleet
from fact_factory import NOW, a_snapshot

USUAL = "0123456789abcdef"
NORTH = NodeStatus(name="north", heard_at=NOW - 2.0, cards=3, config=USUAL)
WELL = FleetStatus(node="attic", engine_up=True, config=USUAL, usual_config=USUAL, nodes=(NORTH,))
MISSING = NodeStatus(name="barn", state=NodeState.MISSING, heard_at=NOW - 300.0, cards=0)


def judged(fleet: FleetStatus | None) -> list[Diagnosis]:
    return list(judge_fleet(replace(a_snapshot(), fleet=fleet)))


def test_a_server_that_is_alone_and_one_whose_engine_is_away_are_not_judged_here() -> None:
    assert not judged(None)
    assert not judged(replace(WELL, engine_up=False, trouble="no route", nodes=(), round_trip=1.0))


def test_a_fleet_that_is_well_is_ok() -> None:
    (found,) = judged(WELL)
    assert (found.check, found.grade, found.advice) == (Check.FLEET, Grade.OK, "")
    assert found.finding.text == "1 other node: 1 there; the configuration of all is 01234567"
    assert fleet_counted(replace(WELL, nodes=())) == "no other node was heard of"


@pytest.mark.parametrize(
    ("fleet", "grade", "code", "text"),
    [
        (
            replace(WELL, twin="aabb"),
            Grade.FAILURE,
            "twin-node",
            "another node is called attic, too: node id aabb",
        ),
        (
            replace(WELL, nodes=()),
            Grade.ADVICE,
            "node-alone",
            "no other node was heard of",
        ),
        (
            replace(WELL, round_trip=1.0),
            Grade.WARNING,
            "engine-slow",
            "the engine takes 1,000 ms to answer, so each node asks its own cards, as without it",
        ),
        (
            replace(WELL, unread=3, unread_at=NOW - 59.0),
            Grade.WARNING,
            "engine-forges",
            "the engine gave 3 values that no node wrote there: swapped, changed or made up, and"
            " not used",
        ),
        (
            replace(WELL, absent=(MISSING, replace(MISSING, name="x", state=NodeState.STOPPED))),
            Grade.WARNING,
            "node-missing",
            "1 node missing: barn (for 5 min)",
        ),
        (
            replace(WELL, nodes=(replace(NORTH, differs=True, config="fedcba9876"),)),
            Grade.WARNING,
            "node-differs",
            "node north has another configuration: hash fedcba98, the others 01234567",
        ),
        (
            replace(WELL, nodes=(replace(NORTH, distrusted_until=NOW + 9.0),)),
            Grade.WARNING,
            "node-wrong",
            "gave wrong CWs, and not believed for now: north",
        ),
    ],
)
def test_each_trouble_is_named_with_what_to_do(
    fleet: FleetStatus, grade: Grade, code: str, text: str
) -> None:
    (found,) = judged(fleet)
    assert (found.grade, found.finding.code, found.finding.text) == (grade, code, text)
    assert found.advice


def test_an_engine_that_forged_long_ago_is_well() -> None:
    (found,) = judged(replace(WELL, unread=3, unread_at=NOW - 61.0))
    assert found.grade is Grade.OK


def test_500_missing_nodes_are_one_line() -> None:
    many = tuple(replace(MISSING, name=f"node{number}") for number in range(500))
    (found,) = judged(replace(WELL, absent=many))
    assert len(found.finding.text) < 120
