"""How a source does right now: what came of the last minute's questions, and whether it is silent.

A source is *silent* when it was asked several times and has said nothing about any of it for
most of a crypto period, neither a CW nor a refusal; whatever else its link carries. One that
has answered anything since is not, however long it leaves one service without a word.
"""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final

from cccamd.values import Outcome

SILENT_AFTER = 8.0
"""Seconds from the first question that nothing came of: nearly a crypto period."""
SILENT_ASKS = 2
"""So many must have been left without a word: one alone may be the fault of its ECM."""
GIVEN_UP_AFTER = 20.0
"""Seconds of silence, two crypto periods, from which on not everybody waits for the source any
more: it is only tried now and then."""
PROBE_INTERVAL = 5.0
"""Seconds between two questions to a source that is given up: each is the real one of a client,
and the first answer, however late, ends the silence."""
DOUBT_INTERVAL = 10.0
"""Seconds after which a source that has left something without a word is asked along with
another that is well: nobody waits for it, and it is known whether it is there."""
UNKNOWN_AGAIN_AFTER = 300.0
"""Seconds after the last question from which on nobody can say whether it would answer."""
SLOW_ANSWER = 1.0
"""Seconds: a picture stutters."""
NEVER = float("-inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """How a source does; the counts are of the last minute."""

    silent_since: float | None = None
    """When it was asked the first thing that it did not answer, if it is silent."""
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    """How often each thing came of asking it."""
    slow: int = 0
    """How many of its CWs took longer than a second."""
    late: int = 0
    """How many of its CWs came when those who asked had been refused already."""
    usual: float | None = None
    """Within which time, in seconds, nearly all its answers come; None: not known (any more)."""


@dataclass(slots=True)
class Silence:
    """Notices that a source says nothing about what it is asked."""

    asked_at: float = NEVER
    """When it was asked the last time."""
    heard_at: float = NEVER
    """When it last said anything about a question."""
    first_at: float = NEVER
    """When it was asked the first thing that nothing came of."""
    unheard: int = 0
    """How many questions were left without a word since."""

    def heard(self, now: float) -> None:
        """It has answered or refused something."""
        self.heard_at = now
        self.unheard = 0

    def missed(self, asked_at: float) -> None:
        """What it was asked then is much later than usual."""
        if asked_at <= self.heard_at:
            return
        if not self.unheard or asked_at < self.first_at:
            self.first_at = asked_at
        self.unheard += 1

    def since(self, now: float) -> float | None:
        """Since when it is silent; None: it is not, as far as anybody can tell."""
        if self.unheard < SILENT_ASKS or now < self.first_at + SILENT_AFTER:
            return None
        return self.first_at if now < self.asked_at + UNKNOWN_AGAIN_AFTER else None

    def given_up(self, now: float) -> bool:
        """Whether it is to be left alone now, because trying it again has time."""
        if now >= self.asked_at + PROBE_INTERVAL:
            return False
        since = self.since(now)
        return since is not None and now >= since + GIVEN_UP_AFTER


_ANSWERED: Final = Outcome.ANSWERED
STEP = 5.0
STEPS = 12
"""A minute."""


class LastMinute:
    """Counts what came of each question, in steps of five seconds."""

    __slots__ = ("_steps",)

    def __init__(self) -> None:
        self._steps: deque[_Step] = deque(maxlen=STEPS)

    def count(self, outcome: Outcome, seconds: float, deadline: float, now: float) -> None:
        """Count one that has ended after so many seconds."""
        steps = self._steps
        if not steps or now >= steps[-1].ends_at:
            steps.append(_Step(now + STEP))
        step = steps[-1]
        if outcome is not _ANSWERED:
            step.others[outcome] += 1
            return
        step.answered += 1
        if seconds > SLOW_ANSWER:
            step.slow += 1
            step.late += seconds > deadline

    def read(self, now: float) -> tuple[Counter[Outcome], int, int]:
        """How often each thing happened, how many CWs were slow, how many late."""
        outcomes: Counter[Outcome] = Counter()
        slow = late = 0
        for step in self._steps:
            if step.ends_at > now - STEP * (STEPS - 1):
                outcomes.update(step.others)
                outcomes[Outcome.ANSWERED] += step.answered
                slow, late = slow + step.slow, late + step.late
        return +outcomes, slow, late


@dataclass(slots=True)
class _Step:
    ends_at: float
    answered: int = 0
    slow: int = 0
    late: int = 0
    others: Counter[Outcome] = field(default_factory=Counter)
