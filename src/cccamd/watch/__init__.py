"""What makes a running server understandable. Pure: no sockets, clocks or logging."""

from cccamd.watch.freezereport import ChannelMargin, Freeze, FreezeReport
from cccamd.watch.freezes import Freezes
from cccamd.watch.happenings import (
    CardsChanged,
    ClientLoggedIn,
    ClientLoggedOut,
    EcmFinished,
    EcmResult,
    EmmFinished,
    FreezeBegan,
    FreezeEnded,
    FreezeForeseen,
    Happening,
    LoginFailed,
    RoundTripMeasured,
    SourceAnswered,
    SourceDown,
    SourceUp,
)
from cccamd.watch.history import History, Point, Series, Span
from cccamd.watch.margins import Margin
from cccamd.watch.notes import Note, Notes, Tone
from cccamd.watch.sampling import ROUND as SAMPLING_ROUND
from cccamd.watch.sampling import Sampler
from cccamd.watch.throttle import Throttle

__all__ = [
    "SAMPLING_ROUND",
    "CardsChanged",
    "ChannelMargin",
    "ClientLoggedIn",
    "ClientLoggedOut",
    "EcmFinished",
    "EcmResult",
    "EmmFinished",
    "Freeze",
    "FreezeBegan",
    "FreezeEnded",
    "FreezeForeseen",
    "FreezeReport",
    "Freezes",
    "Happening",
    "History",
    "LoginFailed",
    "Margin",
    "Note",
    "Notes",
    "Point",
    "RoundTripMeasured",
    "Sampler",
    "Series",
    "SourceAnswered",
    "SourceDown",
    "SourceUp",
    "Span",
    "Throttle",
    "Tone",
]
