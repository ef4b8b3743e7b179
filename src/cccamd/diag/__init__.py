"""What makes a running server understandable. Pure: no sockets, clocks or logging."""

from cccamd.diag.happenings import (
    CardsChanged,
    ClientLoggedIn,
    ClientLoggedOut,
    EcmFinished,
    EcmResult,
    EmmFinished,
    Happening,
    LoginFailed,
    SourceAnswered,
    SourceDown,
    SourceUp,
)
from cccamd.diag.throttle import Throttle

__all__ = [
    "CardsChanged",
    "ClientLoggedIn",
    "ClientLoggedOut",
    "EcmFinished",
    "EcmResult",
    "EmmFinished",
    "Happening",
    "LoginFailed",
    "SourceAnswered",
    "SourceDown",
    "SourceUp",
    "Throttle",
]
