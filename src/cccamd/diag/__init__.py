"""What makes a running server understandable. Pure: no sockets, clocks or logging."""

from cccamd.diag.freezereport import ChannelMargin, Freeze, FreezeReport
from cccamd.diag.freezes import Freezes
from cccamd.diag.happenings import (
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
from cccamd.diag.history import History, Point, Series, Span
from cccamd.diag.margins import Margin
from cccamd.diag.notes import Note, Notes, Tone
from cccamd.diag.sampling import ROUND as SAMPLING_ROUND
from cccamd.diag.sampling import Sampler
from cccamd.diag.throttle import Throttle

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
