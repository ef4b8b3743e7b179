"""The metrics that a snapshot and the report on freezes give."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from cccamd.facts import FreezeReport, Snapshot, SourceKind, SourceStatus, active_clients
from cccamd.ids import format_node_id
from cccamd.watch.metrics.families import counter, gauge, gauges

FARTHEST_HOP: Final = 9
"""Cards from farther away are counted together."""
_KINDS: Final = {SourceKind.LOCAL: "local", SourceKind.CCCAM: "cccam"}


def snapshot_metrics(snapshot: Snapshot) -> Iterator[Metric]:
    """What a server looks like at one moment."""
    info = GaugeMetricFamily("cccamd_build_info", "What runs.", labels=["program", "node_id"])
    info.add_metric([snapshot.program, format_node_id(snapshot.node_id)], 1)
    yield info
    yield gauge("cccamd_start_time_seconds", "Start, seconds since 1970.", snapshot.started_at)
    yield gauge("cccamd_accounts", "F-lines in use.", len(snapshot.accounts))
    yield from _client_metrics(snapshot)
    hops = Counter(_hop(card.hop) for card in snapshot.cards)
    yield gauges("cccamd_cards", "Cards by distance.", label="hop", values=hops)
    yield from _source_metrics(snapshot.sources)


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


def _client_metrics(snapshot: Snapshot) -> Iterator[Metric]:
    active = len(active_clients(snapshot))
    yield gauges(
        "cccamd_clients",
        "Clients that are logged in; active ones asked in the last 20 s.",
        label="state",
        values={"active": active, "idle": len(snapshot.clients) - active},
    )
    pending = sum(client.pending for client in snapshot.clients)
    yield gauge("cccamd_requests_pending", "ECMs of clients without an answer yet.", pending)
    yield gauge("cccamd_logins_pending", "Connections before login.", snapshot.pending_logins)
    refused = snapshot.connections_refused
    yield counter("cccamd_connections_refused", "Connections closed unheard.", refused)


def _hop(hop: int) -> str:
    return str(hop) if hop <= FARTHEST_HOP else f"{FARTHEST_HOP + 1}+"


def _source_metrics(sources: Iterable[SourceStatus]) -> Iterator[Metric]:
    """Gauges of sources; two links to the same host and port are one series."""
    up: dict[tuple[str, str], float] = {}
    cards: Counter[str] = Counter()
    in_flight: Counter[str] = Counter()
    for source in sources:
        key = (source.name, _KINDS[source.kind])
        up[key] = max(up.get(key, 0.0), float(source.up_at is not None))
        cards[source.name] += source.cards
        in_flight[source.name] += source.in_flight
    state = GaugeMetricFamily("cccamd_source_up", "1: it can be asked.", labels=["source", "kind"])
    for labels, value in up.items():
        state.add_metric(labels, value)
    yield state
    yield gauges("cccamd_source_cards", "Cards from it.", label="source", values=cards)
    yield gauges(
        "cccamd_source_requests_in_flight",
        "ECMs it works on.",
        label="source",
        values=in_flight,
    )
