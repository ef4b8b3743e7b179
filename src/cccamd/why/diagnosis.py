"""What one check of the doctor came to: a finding, and how bad it is for the installation."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from cccamd.facts import SourceKind
from cccamd.why.finding import Finding, Weight


class Grade(Enum):
    """How bad it is, from harmless to bad; the value is for people."""

    OK = "ok"
    NOT_CHECKED = "not checked"
    ADVICE = "advice"
    WARNING = "warning"
    FAILURE = "failure"

    @property
    def exit_status(self) -> int:
        """What the shell is told: 0 nothing is wrong, 1 warning, 2 failure."""
        return {Grade.WARNING: 1, Grade.FAILURE: 2}.get(self, 0)


class Check(Enum):
    """What is looked at; the value is for people."""

    CONFIGURATION = "configuration"
    SERVER = "server"
    PORTS = "ports"
    FIREWALL = "firewall"
    ADDRESS = "address"
    UPSTREAM = "C-line"
    NEWCAMD = "N-line"
    ROUND_TRIP = "round trip"
    ANSWER_TIMES = "answer times"
    ACCOUNTS = "accounts"
    LOGINS = "failed logins"
    FLEET = "fleet"
    NODE_ID = "node id"
    CLOCK = "clock"
    RESOURCES = "files and memory"


def check_of_link(kind: SourceKind) -> Check:
    """What the check of a link to such a server is called."""
    return Check.NEWCAMD if kind is SourceKind.NEWCAMD else Check.UPSTREAM


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The outcome of one check of one thing."""

    check: Check
    grade: Grade
    finding: Finding
    subject: str = ""
    """Which of several: a port, a host; empty when there is only one."""
    more: tuple[str, ...] = ()
    """Further lines: likely causes, the most likely first; or an outline of what to build."""

    @property
    def advice(self) -> str:
        """The one thing to do, as a sentence; empty when there is nothing to do."""
        change = self.finding.change
        return f"{change[0].upper()}{change[1:]}." if change[:1].islower() else change


_WEIGHTS: Final = {
    Grade.OK: Weight.GOOD,
    Grade.NOT_CHECKED: Weight.NOTE,
    Grade.ADVICE: Weight.NOTE,
    Grade.WARNING: Weight.BAD,
    Grade.FAILURE: Weight.BAD,
}
_SEVERITY: Final = tuple(Grade)


def diagnose(
    check: Check,
    grade: Grade,
    code: str,
    text: str,
    change: str = "",
    *,
    subject: str = "",
    more: tuple[str, ...] = (),
) -> Diagnosis:
    """Say something that the doctor alone finds."""
    finding = Finding(code=code, weight=_WEIGHTS[grade], text=text, change=change)
    return Diagnosis(check=check, grade=grade, finding=finding, subject=subject, more=more)


def worst(found: Iterable[Diagnosis]) -> Grade:
    """The worst grade of all; `OK` when there is none."""
    return max((one.grade for one in found), key=_SEVERITY.index, default=Grade.OK)
