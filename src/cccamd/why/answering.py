"""What a source that is there does with what it is asked: nothing at all, wrong CWs, refusals.

`explain` and the incidents say it in these words.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from cccamd.facts import LastMinute, LinkState, SourceKind, SourceStatus
from cccamd.why.finding import Finding, Weight
from cccamd.wording import ago, count, listed

ENOUGH: Final = 3
"""So many within a minute are no accident."""


def explain_answers(source: SourceStatus, at: float) -> Iterator[Finding]:
    """Everything that is the matter with its answers at a moment, the gravest first."""
    if source.state is not LinkState.UP:
        return
    found = silence(source)
    if found is not None and source.silent_since is not None:
        yield replace(found, text=f"{found.text}, for {ago(at - source.silent_since)} now")
    for other in (wrong_cws(source), refusals(source)):
        if other is not None:
            yield other


def silence(source: SourceStatus) -> Finding | None:
    """It is up, and says nothing about any question."""
    if source.silent_since is None:
        return None
    there = "is there" if source.kind is SourceKind.LOCAL else "is logged in"
    return Finding(
        code="silent",
        weight=Weight.BAD,
        text=f"{there} and answers nothing that it is asked",
        change=source.shared_advice
        or (
            f"{_whose(source)} whether its card still works; until it answers it is asked now and"
            " then only"
        ),
    )


def wrong_cws(source: SourceStatus) -> Finding | None:
    """It gives CWs that open nothing."""
    minute = source.last_minute
    wrong = _wrong(minute)
    if wrong < ENOUGH:
        return None
    kinds = listed(list(wrong_kinds(minute)))
    return Finding(
        code="wrong-cws",
        weight=Weight.BAD,
        text=(
            f"gives CWs that open nothing: {kinds} within a minute, and"
            f" {count(minute.answered, 'right one')}"
        ),
        change=(
            f"{_whose(source)} whether its card is subscribed to these services, or waits for an"
            " EMM (all-zero CWs), or what damages or repeats them (others); none is passed on"
        ),
    )


def wrong_kinds(minute: LastMinute) -> Iterator[str]:
    """How many there were of each kind."""
    kinds = (
        (minute.zero, "all-zero CW", "all-zero CWs"),
        (minute.checksum, "CW with wrong checksum bytes", "CWs with wrong checksum bytes"),
        (minute.repeated, "CW of the period before", "CWs of the period before"),
    )
    for number, one, many in kinds:
        if number:
            yield f"{number} {one if number == 1 else many}"


def refusals(source: SourceStatus) -> Finding | None:
    """It refuses everything."""
    minute = source.last_minute
    refused = minute.cannot_decode + minute.refused
    if minute.answered or refused < ENOUGH:
        return None
    what = "cannot decode the service" if minute.cannot_decode else "not now"
    wonder = (
        "whether its card is still subscribed to what is watched"
        if minute.cannot_decode
        else "whether its card is in order; it is asked again all the time"
    )
    return Finding(
        code="refuses-all",
        weight=Weight.BAD,
        text=f"refuses all that it is asked ({what}): {refused} within a minute",
        change=f"{_whose(source)} {wonder}",
    )


def wrong_share(minute: LastMinute) -> float:
    """Which part of its CWs was wrong."""
    wrong = _wrong(minute)
    return wrong / max(1, wrong + minute.answered)


def _wrong(minute: LastMinute) -> int:
    return minute.zero + minute.checksum + minute.repeated


def _whose(source: SourceStatus) -> str:
    if source.kind is SourceKind.LOCAL:
        return "look"
    return f"ask the owner of {source.name}"
