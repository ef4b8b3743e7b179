"""Prometheus metrics: counters fed with happenings, gauges read from a snapshot.

Label sets are bounded: accounts and sources come from the configuration, and what exceeds
the limits after many reloads is counted as `other`.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from typing import Final

from prometheus_client import ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric

from cccamd.facts import Cause, EcmResult, FreezeReport, Incident, Snapshot
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
    LoginFailed,
    Pulse,
    SourceAnswered,
    SourceDown,
)
from cccamd.watch.metrics.families import (
    Histogram,
    counter,
    counters,
    counters_of_two,
    freeze_metrics,
    gauge,
    histograms,
    incident_metrics,
    snapshot_metrics,
)

NAMES_LIMIT: Final = 1000
"""Accounts, and sources, that have counters of their own."""
_OTHER: Final = "other"
_OUTCOMES: Final = {outcome: outcome.name.lower() for outcome in Outcome}
_RESULTS: Final = {result: result.value.lower() for result in EcmResult}


class Metrics:
    """Counts what happens, and shows it together with a snapshot."""

    def __init__(self) -> None:
        self._ecm_times = {result: Histogram() for result in EcmResult}
        self._ecms_cached = 0
        self._account_ecms: Counter[tuple[str, str]] = Counter()
        self._source_ecms: Counter[tuple[str, str]] = Counter()
        self._source_outcomes: Counter[tuple[str, str]] = Counter()
        self._source_times: dict[str, Histogram] = {}
        self._source_losses: Counter[str] = Counter()
        self._logins = Counter({"accepted": 0, "failed": 0})
        self._logouts = 0
        self._emms = Counter({"passed": 0, "refused": 0})
        self._freezes: Counter[str] = Counter()
        self._frozen_seconds: defaultdict[str, float] = defaultdict(float)
        self._frozen_shown: dict[str, float] = {}
        self._incidents = Counter({cause.value: 0 for cause in Cause})
        self._accounts: set[str] = set()
        self._sources: set[str] = set()
        self._process = ProcessCollector(registry=None)
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
                self._emms["passed" if happening.passed else "refused"] += 1
            case ClientLoggedIn():
                self._logins["accepted"] += 1
            case LoginFailed():
                self._logins["failed"] += 1
            case ClientLoggedOut():
                self._logouts += 1
            case FreezeBegan():
                self._freezes[_bounded(happening.freeze.account, self._accounts)] += 1
            case FreezeEnded():
                self._count_frozen(happening)
            case IncidentBegan():
                self._incidents[happening.incident.cause.value] += 1
            case SourceDown():
                self._source_losses[_bounded(happening.source, self._sources)] += 1

    def as_it_is(self) -> "Metrics":
        """A copy for another thread: this one goes on counting."""
        twin = copy(self)
        twin._ecm_times = {result: copy(times) for result, times in self._ecm_times.items()}
        twin._source_times = {name: copy(times) for name, times in self._source_times.items()}
        for name in _COUNTERS:
            setattr(twin, name, getattr(self, name).copy())
        return twin

    def collect(
        self,
        snapshot: Snapshot,
        freezes: FreezeReport,
        incidents: Sequence[Incident] = (),
        *,
        tasks: int = 0,
    ) -> list[Metric]:
        """Make all metrics; they stay as they are whatever happens from now on.

        `tasks`: how many tasks the event loop has.
        """
        return [
            gauge("cccamd_tasks", "Tasks of the event loop.", tasks),
            *self._pauses(),
            *self._load(),
            *self._client_counters(),
            self._frozen(freezes),
            *self._source_counters(),
            *snapshot_metrics(snapshot),
            *freeze_metrics(freezes),
            *incident_metrics(incidents),
            *self._process.collect(),
        ]

    def _load(self) -> Iterator[Metric]:
        if self.load is not None:
            shed, held_back = self.load()
            text = "Requests that were refused because of overload."
            yield counter("cccamd_requests_shed", text, shed)
            text = "How often a client was held back for asking more than [limits] allows."
            yield counter("cccamd_clients_held_back", text, held_back)

    def _pauses(self) -> Iterator[Metric]:
        if self.pulse is not None:
            count, total, longest = self.pulse.count, self.pulse.total, self.pulse.longest
            yield counter("cccamd_loop_pauses", "Pauses of the event loop over 50 ms.", count)
            yield counter("cccamd_loop_paused_seconds", "How long it stood still in them.", total)
            yield gauge("cccamd_loop_longest_pause_seconds", "The longest of them.", longest)

    def _count_ecm(self, happening: EcmFinished) -> None:
        weight = happening.weight
        self._ecm_times[happening.result].add(happening.seconds, weight)
        self._ecms_cached += weight * happening.cached
        account = _bounded(happening.account, self._accounts)
        self._account_ecms[account, _RESULTS[happening.result]] += weight

    def _count_answer(self, happening: SourceAnswered) -> None:
        source = _bounded(happening.source, self._sources)
        self._source_ecms[source, _RESULTS[happening.result]] += happening.weight
        self._source_outcomes[source, _OUTCOMES[happening.outcome]] += happening.weight
        if happening.result is EcmResult.CW:
            times = self._source_times.get(source)
            if times is None:
                times = self._source_times[source] = Histogram()
            times.add(happening.seconds, happening.weight)

    def _count_frozen(self, happening: FreezeEnded) -> None:
        account = _bounded(happening.freeze.account, self._accounts)
        self._frozen_seconds[account] += happening.freeze.seconds

    def _frozen(self, report: FreezeReport) -> Metric:
        """How long pictures stood still, those that do so now included: it grows all the time.

        A freeze may turn out to have ended sooner than it was known; what was shown stays.
        """
        values = dict(self._frozen_seconds)
        for freeze in report.freezes:
            if not freeze.over:
                account = _bounded(freeze.account, self._accounts)
                values[account] = values.get(account, 0.0) + freeze.seconds
        for account, seconds in values.items():
            self._frozen_shown[account] = max(seconds, self._frozen_shown.get(account, 0.0))
        return counters(
            "cccamd_frozen_seconds",
            "How long pictures stood still; grows while one does.",
            label="account",
            values=self._frozen_shown.copy(),
        )

    def _client_counters(self) -> Iterator[Metric]:
        yield histograms(
            "cccamd_ecm_duration_seconds",
            "From a client's ECM to our answer.",
            label="result",
            values=((_RESULTS[result], times) for result, times in self._ecm_times.items()),
        )
        yield counter("cccamd_ecms_cached", "ECMs answered without asking.", self._ecms_cached)
        yield counters_of_two(
            "cccamd_account_ecms",
            "ECMs of each account.",
            labels=("account", "result"),
            values=self._account_ecms,
        )
        yield counters("cccamd_logins", "Logins.", label="result", values=self._logins)
        yield counter("cccamd_logouts", "Clients that have left.", self._logouts)
        yield counters("cccamd_emms", "EMMs of clients.", label="result", values=self._emms)

        yield counters("cccamd_freezes", "Freezes.", label="account", values=self._freezes)
        yield counters(
            "cccamd_incidents",
            "Incidents that began, or came back.",
            label="cause",
            values=self._incidents,
        )

    def _source_counters(self) -> Iterator[Metric]:
        yield histograms(
            "cccamd_source_answer_duration_seconds",
            "From our asking a source to its CW.",
            label="source",
            values=self._source_times.items(),
        )
        yield counters_of_two(
            "cccamd_source_ecms",
            "ECMs that each source was asked.",
            labels=("source", "result"),
            values=self._source_ecms,
        )
        yield counters_of_two(
            "cccamd_source_outcomes",
            "What came of the ECMs that each source was asked.",
            labels=("source", "outcome"),
            values=self._source_outcomes,
        )
        losses = self._source_losses
        yield counters("cccamd_source_losses", "Lost links.", label="source", values=losses)


def _bounded(name: str, known: set[str]) -> str:
    if name not in known:
        if len(known) >= NAMES_LIMIT:
            return _OTHER
        known.add(name)
    return name


_COUNTERS: Final = (
    "_account_ecms",
    "_source_ecms",
    "_source_outcomes",
    "_source_losses",
    "_logins",
    "_emms",
    "_freezes",
    "_frozen_seconds",
    "_incidents",
)


class _Collected:
    """What the exposition wants to have: something that collects."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return self._metrics


def metrics_text(metrics: list[Metric], accept: str = "") -> tuple[bytes, str]:
    """Write metrics in the format that a scraper accepts; say which it is."""
    encode, content_type = choose_encoder(accept)
    return encode(_Collected(metrics)), content_type
