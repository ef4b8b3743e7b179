"""Whether the clock is right."""

from typing import Final

from cccamd.doctor.finding import Check, Finding, Verdict
from cccamd.machine import TimeAnswer

TOLERANCE: Final = 5.0
"""Seconds."""
_EFFECT: Final = "time frames of F-lines, validity of keys and times in logs are wrong"


def judge_clock(answer: TimeAnswer, *, synchronised: bool | None) -> Finding:
    """Judge what a time server said, or what the system says about its own clock."""
    if answer.server:
        return _judge_offset(answer)
    if answer.refusals:
        asked = "; ".join(answer.refusals)
        return _finding(Verdict.NOT_CHECKED, f"no time server answered: {asked}")
    if synchronised:
        return _finding(Verdict.OK, "the system says that it keeps its clock in step (NTP)")
    if synchronised is False:
        return _finding(
            Verdict.ADVICE,
            "the system says that nothing keeps its clock in step, and no time server is set",
            "Run: timedatectl set-ntp true",
        )
    return _finding(Verdict.NOT_CHECKED, "no time server is set; name one with --ntp HOST")


def _judge_offset(answer: TimeAnswer) -> Finding:
    off, server = abs(answer.offset), answer.server
    if off <= TOLERANCE:
        return _finding(Verdict.OK, f"within {off:.1f} s of {server}")
    way = "behind" if answer.offset > 0 else "ahead of"
    return _finding(
        Verdict.WARNING,
        f"{off:,.0f} s {way} {server}: {_EFFECT}",
        "Have the system keep its clock in step: timedatectl set-ntp true",
    )


def _finding(verdict: Verdict, evidence: str, advice: str = "") -> Finding:
    return Finding(check=Check.CLOCK, verdict=verdict, evidence=evidence, advice=advice)
