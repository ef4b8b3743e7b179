"""The metrics that a snapshot and the report on freezes give."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, get_type_hints

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from cccamd import facts
from cccamd.facts import (
    ClientStatus,
    Fact,
    FreezeReport,
    ServerStatus,
    Snapshot,
    SourceStatus,
    active_clients,
)
from cccamd.ids import format_node_id
from cccamd.watch.metrics.families import counter, counters, gauge, gauges

FARTHEST_HOP: Final = 9
"""Cards from farther away are counted together."""


def snapshot_metrics(snapshot: Snapshot) -> Iterator[Metric]:
    """What a server looks like at one moment: its facts that have a metric, and some sums."""
    info = GaugeMetricFamily("cccamd_build_info", "What runs.", labels=["program", "node_id"])
    info.add_metric([snapshot.program, format_node_id(snapshot.node_id)], 1)
    yield info
    yield from _sums(ServerStatus, [snapshot])
    yield from _sums(ClientStatus, snapshot.clients)
    active = len(active_clients(snapshot))
    yield gauges(
        "cccamd_clients",
        "Clients that are logged in; active ones asked in the last 20 s.",
        label="state",
        values={"active": active, "idle": len(snapshot.clients) - active},
    )
    hops = Counter(_hop(card.hop) for card in snapshot.cards)
    yield gauges("cccamd_cards", "Cards by distance.", label="hop", values=hops)
    yield _sources_up(snapshot.sources)
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
        "Time left when the last CW came, of the tightest channel; below 0 the picture froze.",
        label="account",
        values=margins,
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
    kind: _declared(kind) for kind in (ServerStatus, ClientStatus, SourceStatus)
}
