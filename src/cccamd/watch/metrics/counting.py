"""What happens, counted for Prometheus: counters fed with happenings.

Label sets are bounded: accounts and sources come from the configuration, and what exceeds
the limits after many reloads is counted as `other`.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable
from copy import copy
from typing import Final

from cccamd.facts import Cause, EcmResult, FreezeReport
from cccamd.values import Outcome
from cccamd.watch import (
    ClientLoggedIn,
    ClientLoggedOut,
    EcmFinished,
    EmmFinished,
    FreezeBegan,
    FreezeEnded,
    Happening,
    IncidentBegan,
    IncidentGrew,
    LoginFailed,
    Pulse,
    SourceAnswered,
    SourceDown,
)

_CW: Final = EcmResult.CW
NAMES_LIMIT: Final = 1000
"""Accounts, and sources, that have counters of their own."""
_OTHER: Final = "other"
_OUTCOMES: Final = {outcome: outcome.name.lower() for outcome in Outcome}
RESULTS: Final = {result: result.value.lower() for result in EcmResult}


BUCKETS: Final = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05),
    *(0.1, 0.2, 0.3, 0.4, 0.5, 0.75),
    *(1.0, 1.5, 2.0, 3.0, 4.5),
)
"""Seconds: 300 to 500 ms is good, 1.5 to 3 s is an overloaded source, 4.5 s the deadline."""
_BOUNDS: Final = (*map(str, BUCKETS), "+Inf")


class Histogram:
    """Answer times in buckets; the last takes all that is longer than any."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * len(_BOUNDS)
        self.total = 0.0

    def __copy__(self) -> "Histogram":
        twin = Histogram()
        twin.counts, twin.total = self.counts.copy(), self.total
        return twin

    def add(self, seconds: float, weight: int = 1) -> None:
        """Count one answer time, or as many equal ones as it stands for."""
        self.counts[bisect_left(BUCKETS, seconds)] += weight
        self.total += seconds * weight

    def cumulated(self) -> list[tuple[str, float]]:
        """Pairs of a bucket's upper bound and how many were at most that long."""
        so_far = 0
        pairs = []
        for bound, count in zip(_BOUNDS, self.counts, strict=True):
            so_far += count
            pairs.append((bound, float(so_far)))
        return pairs


class Metrics:
    """Counts what happens; `exposition.collect` shows it together with a snapshot."""

    def __init__(self) -> None:
        self.ecm_times = {result: Histogram() for result in EcmResult}
        self.ecms_cached = 0
        self.account_ecms: Counter[tuple[str, str]] = Counter()
        self.source_ecms: Counter[tuple[str, str]] = Counter()
        self.source_outcomes: Counter[tuple[str, str]] = Counter()
        self.source_times: dict[str, Histogram] = {}
        self.source_losses: Counter[str] = Counter()
        self.logins = Counter({"accepted": 0, "failed": 0})
        self.logouts = 0
        self.emms = Counter({"passed": 0, "refused": 0})
        self.freezes: Counter[str] = Counter()
        self._frozen_seconds: defaultdict[str, float] = defaultdict(float)
        self._frozen_shown: dict[str, float] = {}
        self.incidents = Counter({cause.value: 0 for cause in Cause})
        self._accounts: set[str] = set()
        self._sources: set[str] = set()
        self.pulse: Pulse | None = None
        """Whether our loop stands still."""
        self.load: Callable[[], tuple[int, int]] | None = None
        """How many requests were refused for overload; how often clients were held back."""

    def observe(self, happening: Happening) -> None:
        """Count one happening."""
        match happening:
            case EcmFinished():
                self._count_ecm(happening)
            case SourceAnswered():
                self._count_answer(happening)
            case EmmFinished():
                self.emms["passed" if happening.passed else "refused"] += 1
            case ClientLoggedIn():
                self.logins["accepted"] += 1
            case LoginFailed():
                self.logins["failed"] += 1
            case ClientLoggedOut():
                self.logouts += 1
            case FreezeBegan():
                self.freezes[_bounded(happening.freeze.account, self._accounts)] += 1
            case FreezeEnded():
                self._count_frozen(happening)
            case IncidentBegan() | IncidentGrew(is_renamed=True):
                self.incidents[happening.incident.cause.value] += 1
            case SourceDown():
                self.source_losses[_bounded(happening.source, self._sources)] += 1

    def as_it_is(self) -> "Metrics":
        """A copy for another thread: this one goes on counting."""
        twin = copy(self)
        twin.ecm_times = {result: copy(times) for result, times in self.ecm_times.items()}
        twin.source_times = {name: copy(times) for name, times in self.source_times.items()}
        for name in _COUNTERS:
            setattr(twin, name, getattr(self, name).copy())
        return twin

    def _count_ecm(self, happening: EcmFinished) -> None:
        weight = happening.weight
        self.ecm_times[happening.result].add(happening.seconds, weight)
        self.ecms_cached += weight * happening.cached
        account = _bounded(happening.account, self._accounts)
        self.account_ecms[account, RESULTS[happening.result]] += weight

    def _count_answer(self, happening: SourceAnswered) -> None:
        source = _bounded(happening.source, self._sources)
        self.source_ecms[source, RESULTS[happening.result]] += happening.weight
        self.source_outcomes[source, _OUTCOMES[happening.outcome]] += happening.weight
        if happening.result is _CW:
            times = self.source_times.get(source)
            if times is None:
                times = self.source_times[source] = Histogram()
            times.add(happening.seconds, happening.weight)

    def _count_frozen(self, happening: FreezeEnded) -> None:
        account = _bounded(happening.freeze.account, self._accounts)
        self._frozen_seconds[account] += happening.freeze.seconds

    def frozen(self, report: FreezeReport) -> dict[str, float]:
        """How long pictures of each account stood still, as they do now included: it only grows.

        A freeze may turn out to have ended sooner than it was known; what was shown stays.
        """
        values = dict(self._frozen_seconds)
        for freeze in report.freezes:
            if not freeze.over:
                account = _bounded(freeze.account, self._accounts)
                values[account] = values.get(account, 0.0) + freeze.seconds
        for account, seconds in values.items():
            self._frozen_shown[account] = max(seconds, self._frozen_shown.get(account, 0.0))
        return self._frozen_shown.copy()


def _bounded(name: str, known: set[str]) -> str:
    if name not in known:
        if len(known) >= NAMES_LIMIT:
            return _OTHER
        known.add(name)
    return name


_COUNTERS: Final = (
    "account_ecms",
    "source_ecms",
    "source_outcomes",
    "source_losses",
    "logins",
    "emms",
    "freezes",
    "_frozen_seconds",
    "incidents",
)
