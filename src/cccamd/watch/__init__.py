"""What makes a running server understandable. Pure: no sockets, clocks or logging."""

from cccamd.watch.answers import Answers
from cccamd.watch.cases import (
    FreezeCase,
    Judgement,
    Judges,
    ReceiverCase,
    SeenAsk,
    SeenReceiver,
    SeenWay,
)
from cccamd.watch.freezes import Freezes
from cccamd.watch.happenings import (
    CardsChanged,
    ClientLoggedIn,
    ClientLoggedOut,
    ClockSet,
    ConnectionRefused,
    EcmFinished,
    EmmFinished,
    FreezeBegan,
    FreezeEnded,
    FreezeForeseen,
    Happening,
    LoginFailed,
    OperatorActed,
    RoundTripMeasured,
    ServerPaused,
    ServerReloaded,
    ServiceReleased,
    ServiceSelected,
    SourceAnswered,
    SourceDown,
    SourceGone,
    SourceUp,
)
from cccamd.watch.history import History
from cccamd.watch.incidents import (
    IncidentBegan,
    IncidentEnded,
    IncidentGrew,
    Incidents,
    Symptom,
)
from cccamd.watch.middle import median
from cccamd.watch.notes import Notes
from cccamd.watch.pulse import Pause, Pulse
from cccamd.watch.stamps import followed
from cccamd.watch.throttle import ROUND as SAMPLING_ROUND
from cccamd.watch.throttle import Sampler, Throttle
from cccamd.watch.watches import CryptoPeriod

__all__ = [
    "SAMPLING_ROUND",
    "Answers",
    "CardsChanged",
    "ClientLoggedIn",
    "ClientLoggedOut",
    "ClockSet",
    "ConnectionRefused",
    "CryptoPeriod",
    "EcmFinished",
    "EmmFinished",
    "FreezeBegan",
    "FreezeCase",
    "FreezeEnded",
    "FreezeForeseen",
    "Freezes",
    "Happening",
    "History",
    "IncidentBegan",
    "IncidentEnded",
    "IncidentGrew",
    "Incidents",
    "Judgement",
    "Judges",
    "LoginFailed",
    "Notes",
    "OperatorActed",
    "Pause",
    "Pulse",
    "ReceiverCase",
    "RoundTripMeasured",
    "Sampler",
    "SeenAsk",
    "SeenReceiver",
    "SeenWay",
    "ServerPaused",
    "ServerReloaded",
    "ServiceReleased",
    "ServiceSelected",
    "SourceAnswered",
    "SourceDown",
    "SourceGone",
    "SourceUp",
    "Symptom",
    "Throttle",
    "followed",
    "median",
]
