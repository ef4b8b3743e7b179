"""docs/failures.md: every failure of a link is in it, and every test that it names exists."""

import re
from pathlib import Path

import pytest

from cccamd.facts import Cause, Step
from cccamd.net import explain_end
from cccamd.routing import Result
from cccamd.values import Outcome
from cccamd.wire.link import Closed, CloseReason

TESTS = Path(__file__).parent
TABLE = (TESTS.parent / "docs" / "failures.md").read_text()
INCIDENTS = (TESTS.parent / "docs" / "incidents.md").read_text()
LINKS = TABLE.partition("## Links")[2].partition("\n## ")[0]
CARDS = TABLE.partition("## Cards and channels")[2].partition("\n## ")[0]
NAMED = sorted(set(re.findall(r"`((?:\w+/)*test_\w+\.py)(?:::(test_\w+))?", TABLE)))
ATTEMPTS = [
    step
    for step in Step
    if step
    not in {
        explain_end(Closed(reason), introduced=introduced).step
        for reason in CloseReason
        for introduced in (False, True)
    }
]
ENDS = [
    reason
    for reason in CloseReason
    if explain_end(Closed(reason), introduced=True).step is not Step.ENDED
]


@pytest.mark.parametrize("step", [step for step in ATTEMPTS if step is not Step.UP])
def test_each_way_not_to_get_a_connection_is_in_the_table(step: Step) -> None:
    assert f"| {step.value}: " in LINKS


@pytest.mark.parametrize("reason", ENDS)
def test_each_end_of_a_link_is_in_the_table(reason: CloseReason) -> None:
    texts = re.findall(r"^\| ([^|]*?)(?: \(.*?\))? \|", LINKS, re.MULTILINE)
    assert any(reason.value.startswith(text) for text in texts), reason.value


@pytest.mark.parametrize("reason", [each for each in CloseReason if each is not CloseReason.LOCAL])
def test_each_reason_for_which_a_connection_ends_has_a_row(reason: CloseReason) -> None:
    """Of clients, too; a row may give the beginning alone, or stand for what is in brackets."""
    rows = re.findall(r"^\| ([^|]+?)(?: \(.*?\))? \|", TABLE, re.MULTILINE)
    starts = [row.partition(" ...")[0] for row in rows]
    assert any(reason.value.startswith(start) for start in starts if start), reason.value


@pytest.mark.parametrize("cause", Cause)
def test_each_cause_of_an_incident_is_in_its_table(cause: Cause) -> None:
    assert re.search(rf"^\| (?:[^|]+, )?{re.escape(cause.value)}[, |]", INCIDENTS, re.MULTILINE)


@pytest.mark.parametrize("outcome", [each for each in Outcome if each is not Outcome.ANSWERED])
def test_each_end_of_a_question_to_a_source_is_in_the_table(outcome: Outcome) -> None:
    assert f"| ... {outcome.value} |" in CARDS or f"| {outcome.value} |" in CARDS


@pytest.mark.parametrize(
    "result", [each for each in Result if each not in (Result.ANSWERED, Result.CACHED)]
)
def test_each_end_of_a_request_is_in_the_table(result: Result) -> None:
    assert f"| {result.value} |" in CARDS


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_the_tests_that_it_names_exist(path: str, name: str) -> None:
    texts = [found.read_text() for found in TESTS.rglob(path)]
    assert any(f"def {name}" in text for text in texts)
