"""What a source that is there does with what it is asked: nothing at all, wrong CWs, refusals.

`explain` and the incidents say it in these words.
"""

from collections.abc import Iterator
from typing import Final

from cccamd.facts import LastMinute, LinkState, SourceKind, SourceStatus
from cccamd.why.finding import Finding, Weight, ago, count, listed

ENOUGH: Final = 3
"""So many within a minute are no accident."""


def explain_answers(source: SourceStatus, at: float) -> Iterator[Finding]:
    """Everything that is the matter with its answers at a moment, the gravest first."""
    if source.state is not LinkState.UP:
        return
    for found in (silence(source, at), wrong_cws(source), refusals(source)):
        if found is not None:
            yield found


def silence(source: SourceStatus, at: float) -> Finding | None:
    """It is up, and says nothing about any question."""
    if source.silent_since is None:
        return None
    return Finding(
        code="silent",
        weight=Weight.BAD,
        text=f"does not answer anything it is asked, for {ago(at - source.silent_since)} now",
        change=(
            f"{_whose(source)}: its link is up, so what is stuck is behind it (a card reader, or a"
            " server of its own); the first answer ends this"
        ),
    )


def wrong_cws(source: SourceStatus) -> Finding | None:
    """It gives CWs that open nothing."""
    minute = source.last_minute
    kinds = [
        (minute.zero, "all-zero CW"),
        (minute.checksum, "CW with wrong checksum bytes"),
        (minute.repeated, "CW of the period before"),
    ]
    if sum(number for number, _ in kinds) < ENOUGH:
        return None
    told = listed([_count(number, noun) for number, noun in kinds if number])
    return Finding(
        code="wrong-cws",
        weight=Weight.BAD,
        text=f"gave {told} within the last minute, and {count(minute.answered, 'right one')}",
        change=(
            f"{_whose(source)}: all-zero CWs mean that its card cannot decode the channel, or waits"
            " for an EMM; others, that something on the way damages or repeats them. None of them"
            " is passed on"
        ),
    )


def refusals(source: SourceStatus) -> Finding | None:
    """It refuses everything."""
    minute = source.last_minute
    refused = minute.cannot_decode + minute.refused
    if minute.answered or refused < ENOUGH:
        return None
    told = listed(
        [
            f"{number} time{'s' if number > 1 else ''} that it {words}"
            for number, words in (
                (minute.cannot_decode, "cannot decode the service"),
                (minute.refused, "refuses for now"),
            )
            if number
        ]
    )
    return Finding(
        code="refuses-all",
        weight=Weight.BAD,
        text=f"said {told} within the last minute, and gave no CW",
        change=f"{_whose(source)}: its card may have expired, or lack these channels",
    )


def wrong_share(minute: LastMinute) -> float:
    """Which part of its CWs was wrong."""
    wrong = minute.zero + minute.checksum + minute.repeated
    return wrong / max(1, wrong + minute.answered)


def _count(number: int, noun: str) -> str:
    head, _, tail = noun.partition("CW")
    return f"{number} {head}CW{'' if number == 1 else 's'}{tail}"


def _whose(source: SourceStatus) -> str:
    if source.kind is SourceKind.LOCAL:
        return f"look at the card {source.name} itself"
    return f"ask the owner of {source.name}"
