"""What is counted about clients and sources while they are connected."""

from dataclasses import dataclass, field
from typing import Final

from cccamd.facts import EcmResult, ServiceId, ShareUse
from cccamd.ids import Caid, Ident
from cccamd.values import Request
from cccamd.watch import followed

_CW: Final = EcmResult.CW

SHARES_LIMIT = 256
"""CAIDs and providers told apart for one client or source; an honest one asks a few."""

_ShareKey = tuple[bool, Caid, Ident]


@dataclass(slots=True)
class ShareCounts:
    """How often each CAID and provider was asked for, and answered."""

    _counts: dict[_ShareKey, list[int]] = field(default_factory=dict)

    def add(self, request: Request, *, local: bool | None, answered: bool) -> None:
        """Count one request that has ended; `local` is None for one that nobody answered."""
        shares = self._counts
        if local is None:
            local = (True, request.caid, request.ident) in shares
        key = (local, request.caid, request.ident)
        counts = shares.get(key)
        if counts is None:
            if len(shares) >= SHARES_LIMIT:
                return
            counts = shares[key] = [0, 0]
        counts[0] += 1
        counts[1] += answered

    def uses(self) -> tuple[ShareUse, ...]:
        """The counts as values."""
        return tuple(
            ShareUse(local=local, caid=caid, ident=ident, asked=asked, answered=answered)
            for (local, caid, ident), (asked, answered) in self._counts.items()
        )


@dataclass(slots=True, kw_only=True)
class ClientUsage:
    """What one client did since it connected. `*_at` is seconds since the epoch."""

    connected_at: float
    heard_at: float
    ecms_asked: int = 0
    ecms_answered: int = 0
    emms_sent: int = 0
    emms_passed: int = 0
    service: ServiceId | None = None
    last_result: EcmResult | None = None
    last_source: str = ""
    served_by: str = ""
    """The source that gave it a CW last; a refusal since does not change that."""
    last_seconds: float | None = None
    shares: ShareCounts | None = None
    """None: nothing was answered yet."""

    def clock_was_set(self, step: float, now: float) -> None:
        """The wall clock was set by so many seconds, and shows `now`."""
        self.connected_at = followed(self.connected_at, step, now)
        self.heard_at = followed(self.heard_at, step, now)

    def asked(self, request: Request, *, now: float) -> None:
        """Count a request that came in."""
        self.heard_at = now
        self.ecms_asked += 1
        service = self.service
        if service is None or (service.sid, service.caid) != (request.sid, request.caid):
            self.service = ServiceId(request.caid, request.ident, request.sid)

    def finished(
        self,
        request: Request,
        *,
        result: EcmResult,
        source: str,
        local: bool | None,
        seconds: float,
    ) -> None:
        """Count a request that was answered."""
        answered = result is _CW
        self.ecms_answered += answered
        self.last_result, self.last_source, self.last_seconds = result, source, seconds
        if source:
            self.served_by = source
        if self.shares is None:
            self.shares = ShareCounts()
        self.shares.add(request, local=local, answered=answered)


@dataclass(slots=True)
class SourceUsage:
    """What one source was asked since the server started."""

    asked: int = 0
    answered: int = 0
    shares: ShareCounts = field(default_factory=ShareCounts)

    def finished(self, request: Request, *, local: bool, answered: bool) -> None:
        """Count one ask that has ended."""
        self.asked += 1
        self.answered += answered
        self.shares.add(request, local=local, answered=answered)


@dataclass(slots=True)
class Totals:
    """What was counted since the server started."""

    ecms: int = 0
    emms: int = 0
    logins_failed: int = 0
    peak_pending: int = 0
