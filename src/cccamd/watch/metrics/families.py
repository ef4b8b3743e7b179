"""Metric families of the Prometheus exposition, made of plain numbers."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Final

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

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
