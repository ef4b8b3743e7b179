"""Where an ECM goes: pure decisions, `now` is an argument, actions are values.

`Router` takes requests and answers and says what to do. Why: docs/design/routing.md.
"""

from cccamd.routing.actions import (
    Abandon,
    Action,
    Ask,
    AskId,
    Deliver,
    LoopDetected,
    Refuse,
    Waiter,
)
from cccamd.routing.clones import CloneDetected, CloneDetector
from cccamd.routing.emms import EmmGate, EmmVerdict
from cccamd.routing.health import SourceTraits
from cccamd.routing.keys import Refusal
from cccamd.routing.priorities import Priorities, System
from cccamd.routing.ranking import Rank, Ranked
from cccamd.routing.router import Router
from cccamd.routing.settings import RouterSettings
from cccamd.routing.trace import Choice, Event, Result, Step, Trace

__all__ = [
    "Abandon",
    "Action",
    "Ask",
    "AskId",
    "Choice",
    "CloneDetected",
    "CloneDetector",
    "Deliver",
    "EmmGate",
    "EmmVerdict",
    "Event",
    "LoopDetected",
    "Priorities",
    "Rank",
    "Ranked",
    "Refusal",
    "Refuse",
    "Result",
    "Router",
    "RouterSettings",
    "SourceTraits",
    "Step",
    "System",
    "Trace",
    "Waiter",
]
