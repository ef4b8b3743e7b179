"""What was counted, and what a snapshot has, in the formats that Prometheus reads.

Apart from the counting, which every server does: the library is loaded when somebody asks.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from prometheus_client import ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric

from cccamd.facts import FreezeReport, Incident, Snapshot
from cccamd.watch.metrics.counting import RESULTS, Metrics
from cccamd.watch.metrics.families import (
    counter,
    counters,
    counters_of_two,
    freeze_metrics,
    gauge,
    histograms,
    incident_metrics,
    snapshot_metrics,
)

_PROCESS: Final = ProcessCollector(registry=None)


def collect(
    counted: Metrics,
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
        *_pauses(counted),
        *_load(counted),
        *_client_counters(counted),
        counters(
            "cccamd_frozen_seconds",
            "How long pictures stood still; grows while one does.",
            label="account",
            values=counted.frozen(freezes),
        ),
        *_source_counters(counted),
        *snapshot_metrics(snapshot),
        *freeze_metrics(freezes),
        *incident_metrics(incidents),
        *_PROCESS.collect(),
    ]


def _load(counted: Metrics) -> Iterator[Metric]:
    if counted.load is not None:
        shed, held_back = counted.load()
        text = "Requests that were refused because of overload."
        yield counter("cccamd_requests_shed", text, shed)
        text = "How often a client was held back for asking more than [limits] allows."
        yield counter("cccamd_clients_held_back", text, held_back)


def _pauses(counted: Metrics) -> Iterator[Metric]:
    if counted.pulse is not None:
        count, total, longest = counted.pulse.count, counted.pulse.total, counted.pulse.longest
        yield counter("cccamd_loop_pauses", "Pauses of the event loop over 50 ms.", count)
        yield counter("cccamd_loop_paused_seconds", "How long it stood still in them.", total)
        yield gauge("cccamd_loop_longest_pause_seconds", "The longest of them.", longest)


def _client_counters(counted: Metrics) -> Iterator[Metric]:
    yield histograms(
        "cccamd_ecm_duration_seconds",
        "From a client's ECM to our answer.",
        label="result",
        values=((RESULTS[result], times) for result, times in counted.ecm_times.items()),
    )
    yield counter("cccamd_ecms_cached", "ECMs answered without asking.", counted.ecms_cached)
    yield counters_of_two(
        "cccamd_account_ecms",
        "ECMs of each account.",
        labels=("account", "result"),
        values=counted.account_ecms,
    )
    yield counters("cccamd_logins", "Logins.", label="result", values=counted.logins)
    yield counter("cccamd_logouts", "Clients that have left.", counted.logouts)
    yield counters("cccamd_emms", "EMMs of clients.", label="result", values=counted.emms)

    yield counters("cccamd_freezes", "Freezes.", label="account", values=counted.freezes)
    yield counters(
        "cccamd_incidents",
        "Incidents that began, or came back.",
        label="cause",
        values=counted.incidents,
    )


def _source_counters(counted: Metrics) -> Iterator[Metric]:
    yield histograms(
        "cccamd_source_answer_duration_seconds",
        "From our asking a source to its CW.",
        label="source",
        values=counted.source_times.items(),
    )
    yield counters_of_two(
        "cccamd_source_ecms",
        "ECMs that each source was asked.",
        labels=("source", "result"),
        values=counted.source_ecms,
    )
    yield counters_of_two(
        "cccamd_source_outcomes",
        "What came of the ECMs that each source was asked.",
        labels=("source", "outcome"),
        values=counted.source_outcomes,
    )
    losses = counted.source_losses
    yield counters("cccamd_source_losses", "Lost links.", label="source", values=losses)


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
