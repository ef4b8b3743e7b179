"""How fast the sources of the running server have answered so far."""

from collections.abc import Iterable
from typing import Final

from cccamd.doctor.finding import Check, Finding, Verdict
from cccamd.doctor.running import RunningSource
from cccamd.doctor.wording import count, milliseconds

GOOD: Final = 0.5
"""Seconds; up to here a picture does not stutter."""
OVERLOADED: Final = 1.5
GIVEN_UP: Final = 3.0
"""Seconds after which the first receivers no longer wait."""
ENOUGH: Final = 20
"""Requests from which on the share of answers says something."""
POOR_SHARE: Final = 0.5


def judge_answer_times(sources: Iterable[RunningSource]) -> list[Finding]:
    """One finding for each source that was asked; one for all when none was."""
    findings = [_judge(source) for source in sources if source.asked]
    return findings or [
        Finding(
            check=Check.ANSWER_TIMES,
            verdict=Verdict.NOT_CHECKED,
            evidence="no source was asked for anything yet",
        )
    ]


def _judge(source: RunningSource) -> Finding:
    asked, answered, usual = source.asked, source.answered, source.usual_seconds
    counts = f"{answered:,} of {count(asked, 'request')} answered"
    if asked >= ENOUGH and answered < POOR_SHARE * asked:
        return _finding(
            source,
            Verdict.WARNING,
            f"only {counts}",
            "Its cards do not decode what is watched: see which CAIDs and services they are for.",
        )
    if usual is None:
        return _finding(source, Verdict.OK, counts)
    evidence = f"usually {milliseconds(usual)}; {counts}"
    if usual > GIVEN_UP:
        what = f"{evidence}: receivers have given up by then"
        return _finding(source, Verdict.WARNING, what, "Find a faster source; this one is no help.")
    if usual >= OVERLOADED:
        return _finding(
            source,
            Verdict.WARNING,
            f"{evidence}: it is overloaded",
            "Ask its owner to take clients off it, or add a second source for these channels.",
        )
    if usual > GOOD:
        advice = "Good is up to 500 ms. Look at its round trip above; then at its load."
        return _finding(source, Verdict.ADVICE, f"{evidence}: slow, pictures may stutter", advice)
    return _finding(source, Verdict.OK, f"{evidence}: good")


def _finding(source: RunningSource, verdict: Verdict, evidence: str, advice: str = "") -> Finding:
    return Finding(
        check=Check.ANSWER_TIMES,
        subject=source.name,
        verdict=verdict,
        evidence=evidence,
        advice=advice,
    )
