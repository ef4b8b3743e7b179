"""What a check says: a verdict, the evidence for it, and the one thing to do."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """How bad it is, from harmless to bad; the value is for people."""

    OK = "ok"
    NOT_CHECKED = "not checked"
    ADVICE = "advice"
    WARNING = "warning"
    FAILURE = "failure"

    @property
    def exit_status(self) -> int:
        """What the shell is told: 0 nothing is wrong, 1 warning, 2 failure."""
        return {Verdict.WARNING: 1, Verdict.FAILURE: 2}.get(self, 0)


class Check(Enum):
    """What is looked at; the value is for people."""

    CONFIGURATION = "configuration"
    SERVER = "server"
    PORTS = "ports"
    FIREWALL = "firewall"
    ADDRESS = "address"
    UPSTREAM = "C-line"
    ROUND_TRIP = "round trip"
    ANSWER_TIMES = "answer times"
    ACCOUNTS = "accounts"
    NODE_ID = "node id"
    CLOCK = "clock"
    RESOURCES = "files and memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The outcome of one check of one thing. No text in it holds a secret."""

    check: Check
    subject: str = ""
    """Which of several: a port, a host; empty when there is only one."""
    verdict: Verdict
    evidence: str
    """What was seen."""
    advice: str = ""
    """The one thing to do; empty when there is nothing to do."""
    more: tuple[str, ...] = ()
    """Further lines: likely causes, the most likely first; or an outline of what to build."""


_SEVERITY = tuple(Verdict)


def worst(findings: Iterable[Finding]) -> Verdict:
    """The worst verdict of all; `OK` when there is none."""
    return max((found.verdict for found in findings), key=_SEVERITY.index, default=Verdict.OK)
