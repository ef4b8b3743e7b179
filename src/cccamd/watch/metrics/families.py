"""Metric families of the Prometheus exposition: made of plain numbers, and of facts."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, get_type_hints

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from cccamd import facts
from cccamd.facts import (
    ACTIVE_SECONDS,
    Cause,
    ClientStatus,
    ConfigState,
    Fact,
    FleetStatus,
    FreezeReport,
    Incident,
    ServerStatus,
    Snapshot,
    SourceKind,
    SourceStatus,
    active_clients,
)
from cccamd.ids import format_node_id
from cccamd.watch.metrics.counting import Histogram


def gauge(name: str, text: str, value: float) -> Metric:
    """One number that goes up and down."""
    return GaugeMetricFamily(name, text, value=value)


def gauges(name: str, text: str, *, label: str, values: Mapping[str, float]) -> Metric:
    """Numbers that go up and down, told apart by one label."""
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family


def counter(name: str, text: str, value: float) -> Metric:
    """One number that only grows; `_total` is added to the name."""
    return CounterMetricFamily(name, text, value=value)


def counters(name: str, text: str, *, label: str, values: Mapping[str, float]) -> Metric:
    """Numbers that only grow, told apart by one label."""
    family = CounterMetricFamily(name, text, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family


def counters_of_two(
    name: str, text: str, *, labels: tuple[str, str], values: Mapping[tuple[str, str], float]
) -> Metric:
    """Numbers that only grow, told apart by two labels."""
    family = CounterMetricFamily(name, text, labels=labels)
    for pair, number in values.items():
        family.add_metric(pair, number)
    return family


def histograms(
    name: str, text: str, *, label: str, values: Iterable[tuple[str, Histogram]]
) -> Metric:
    """Answer times, told apart by one label."""
    family = HistogramMetricFamily(name, text, labels=[label])
    for value, times in values:
        family.add_metric([value], times.cumulated(), sum_value=times.total)
    return family


FARTHEST_HOP: Final = 9
"""Cards from farther away are counted together."""


def snapshot_metrics(snapshot: Snapshot) -> Iterator[Metric]:
    """What a server looks like at one moment: its facts that have a metric, and some sums."""
    info = GaugeMetricFamily("cccamd_build_info", "What runs.", labels=["program", "node_id"])
    info.add_metric([snapshot.program, format_node_id(snapshot.node_id)], 1)
    yield info
    yield from _sums(ServerStatus, [snapshot])
    yield from _sums(ConfigState, [snapshot.config])
    if snapshot.fleet is not None:
        yield from _sums(FleetStatus, [snapshot.fleet])
    yield from _sums(ClientStatus, snapshot.clients)
    active = len(active_clients(snapshot))
    yield gauges(
        "cccamd_clients",
        f"Clients that are logged in; active ones asked in the last {ACTIVE_SECONDS} s.",
        label="state",
        values={"active": active, "idle": len(snapshot.clients) - active},
    )
    hops = Counter(_hop(card.hop) for card in snapshot.cards)
    yield gauges("cccamd_cards", "Cards by distance.", label="hop", values=hops)
    yield _sources_up(snapshot.sources)
    yield _sources_silent(snapshot.sources)
    yield _sources_protected(snapshot.sources)
    yield from _sums_by_source(snapshot.sources)


def freeze_metrics(report: FreezeReport) -> Iterator[Metric]:
    """How close pictures are to a freeze."""
    margins: dict[str, float] = {}
    for channel in report.channels:
        if channel.margin is not None:
            before = margins.get(channel.account, channel.margin)
            margins[channel.account] = min(before, channel.margin)
    yield gauges(
        "cccamd_channel_margin_seconds",
        "Time left before the key is needed, of the tightest channel; below 0: frozen for so long.",
        label="account",
        values=margins,
    )


def incident_metrics(incidents: Iterable[Incident]) -> Iterator[Metric]:
    """What is wrong now, and how many suffer; each cause has a number, if only 0."""
    open_now, suffering = (dict.fromkeys((cause.value for cause in Cause), 0.0) for _ in range(2))
    for incident in incidents:
        if incident.ended_at is None:
            open_now[incident.cause.value] += 1
            suffering[incident.cause.value] += incident.suffering
    yield gauges("cccamd_incidents_open", "What is wrong now.", label="cause", values=open_now)
    yield gauges(
        "cccamd_incident_sufferers",
        "Accounts in trouble for what is wrong now.",
        label="cause",
        values=suffering,
    )


def _hop(hop: int) -> str:
    return str(hop) if hop <= FARTHEST_HOP else f"{FARTHEST_HOP + 1}+"


def _sources_up(sources: Iterable[SourceStatus]) -> Metric:
    """Two links to the same host and port are one series, here and below."""
    up: dict[tuple[str, str], float] = {}
    for source in sources:
        key = (source.name, source.kind.name.lower())
        up[key] = max(up.get(key, 0.0), float(source.up_at is not None))
    state = GaugeMetricFamily("cccamd_source_up", "1: it can be asked.", labels=["source", "kind"])
    for labels, value in up.items():
        state.add_metric(labels, value)
    return state


def _sources_silent(sources: Iterable[SourceStatus]) -> Metric:
    silent: dict[str, float] = {}
    for source in sources:
        value = float(source.silent_since is not None)
        silent[source.name] = max(silent.get(source.name, 0.0), value)
    text = "1: it is up, and answers nothing of what it is asked."
    return gauges("cccamd_source_silent", text, label="source", values=silent)


def _sources_protected(sources: Iterable[SourceStatus]) -> Metric:
    protected: dict[str, float] = {}
    for source in sources:
        if source.kind is not SourceKind.LOCAL:
            value = float(bool(source.paired))
            protected[source.name] = min(protected.get(source.name, value), value)
    text = "1: its link goes by TLS, and it has to prove the key that was paired."
    return gauges("cccamd_source_protected", text, label="source", values=protected)


def _sums(kind: type[Fact], all_of_it: Iterable[Fact]) -> Iterator[Metric]:
    """The facts of this kind that have a metric, each summed up."""
    for name, metric in _DECLARED[kind]:
        make = counter if metric.grows else gauge
        yield make(metric.name, metric.text, sum(_number(fact, name) for fact in all_of_it))


def _sums_by_source(sources: Iterable[SourceStatus]) -> Iterator[Metric]:
    for name, metric in _DECLARED[SourceStatus]:
        values: defaultdict[str, float] = defaultdict(float)
        for source in sources:
            values[source.name] += _number(source, name)
        make = counters if metric.grows else gauges
        yield make(metric.name, metric.text, label="source", values=values)


def _declared(kind: type[Fact]) -> tuple[tuple[str, facts.Metric], ...]:
    """The fields that have a metric, and that."""
    return tuple(
        (name, note)
        for name, hint in get_type_hints(kind, include_extras=True).items()
        for note in getattr(hint, "__metadata__", ())
        if isinstance(note, facts.Metric)
    )


def _number(fact: Fact, name: str) -> float:
    value = getattr(fact, name)
    return len(value) if isinstance(value, tuple) else float(value)


_DECLARED: Final[Mapping[type[Fact], tuple[tuple[str, facts.Metric], ...]]] = {
    kind: _declared(kind)
    for kind in (ServerStatus, ConfigState, ClientStatus, SourceStatus, FleetStatus)
}
