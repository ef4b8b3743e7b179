"""Where an ECM goes: pure decisions, `now` is an argument, actions are values.

`Router` decides about ECMs, `EmmGate` about EMMs, `CloneDetector` finds copied installations.
"""

from cccamd.routing.actions import (
    Abandon,
    Action,
    Ask,
    AskId,
    BrokenOff,
    ClientId,
    Deliver,
    Disproved,
    LoopDetected,
    LoopSeen,
    Prospect,
    Refuse,
    Settled,
    Store,
    Tidings,
    Told,
    Waiter,
    Wanted,
)
from cccamd.routing.cache import CwCache
from cccamd.routing.clones import CloneDetector, NodeHolder
from cccamd.routing.condition import Condition
from cccamd.routing.emms import Bucket, EmmGate, EmmVerdict
from cccamd.routing.health import AnswerTimes, SourceTraits
from cccamd.routing.ranking import Priorities, Rank, Ranked
from cccamd.routing.router import Router, RouterSettings
from cccamd.routing.trace import CardStep, Choice, Event, Result, Trace

__all__ = [
    "Abandon",
    "Action",
    "AnswerTimes",
    "Ask",
    "AskId",
    "BrokenOff",
    "Bucket",
    "CardStep",
    "Choice",
    "ClientId",
    "CloneDetector",
    "Condition",
    "CwCache",
    "Deliver",
    "Disproved",
    "EmmGate",
    "EmmVerdict",
    "Event",
    "LoopDetected",
    "LoopSeen",
    "NodeHolder",
    "Priorities",
    "Prospect",
    "Rank",
    "Ranked",
    "Refuse",
    "Result",
    "Router",
    "RouterSettings",
    "Settled",
    "SourceTraits",
    "Store",
    "Tidings",
    "Told",
    "Trace",
    "Waiter",
    "Wanted",
]
