"""Whether a source is near enough for a steady picture."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean, median
from typing import Final

from cccamd.doctor.finding import Check, Finding, Verdict
from cccamd.doctor.wording import milliseconds

LONG: Final = 0.100
TOO_LONG: Final = 0.150
"""Seconds: between the two a picture is at risk when anything else is slow, too."""
UNSTEADY: Final = 0.020
"""Seconds of jitter that a cable does not have."""
LOST: Final = 0.9
"""A connection that takes so many seconds longer than the others lost its first packet: it is
repeated after one second."""


def jitter(samples: Sequence[float]) -> float:
    """The mean difference from one sample to the next."""
    return fmean(abs(two - one) for one, two in pairwise(samples)) if len(samples) > 1 else 0.0


def judge_round_trip(name: str, samples: Sequence[float]) -> Finding:
    """Compare round trip and jitter with what a picture needs."""
    nearest = min(samples)
    arrived = [sample for sample in samples if sample - nearest < LOST]
    lost = len(samples) - len(arrived)
    usual, unsteady = median(arrived), jitter(arrived)
    evidence = f"round trip {milliseconds(usual)}, jitter {milliseconds(unsteady)}"
    evidence += f" ({len(samples)} connections)"
    if lost:
        return _finding(
            name,
            Verdict.WARNING,
            f"{evidence}; {lost} of them lost a packet",
            "Replace Wi-Fi or powerline on the way by a cable; a lost packet costs a second.",
        )
    if usual > TOO_LONG:
        advice = (
            "Prefer a source that is nearer, and keep this one as a standby (rank in cccamd.toml)."
        )
        return _finding(name, Verdict.WARNING, f"{evidence}: too long for a steady picture", advice)
    if unsteady > UNSTEADY:
        advice = "Use a cable instead of Wi-Fi or powerline."
        return _finding(name, Verdict.ADVICE, f"{evidence}: unsteady, as Wi-Fi is", advice)
    if usual > LONG:
        advice = "It is a risk when anything else is slow: prefer a source that is nearer."
        return _finding(name, Verdict.ADVICE, evidence, advice)
    return _finding(name, Verdict.OK, evidence)


def _finding(name: str, verdict: Verdict, evidence: str, advice: str = "") -> Finding:
    return Finding(
        check=Check.ROUND_TRIP, subject=name, verdict=verdict, evidence=evidence, advice=advice
    )
