"""How sources did over days, summed up from their entries: for one page, and one command."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from cccamd.watch.journal.entries import Entry, Kind

OUTAGES_KEPT: Final = 10
"""The longest of each source."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A source was away; times are seconds since the epoch."""

    at: float
    until: float
    why: str
    goes_on: bool = False
    """It was not over when it was written last, at `until`."""

    @property
    def seconds(self) -> float:
        """How long."""
        return max(0.0, self.until - self.at)


@dataclass(slots=True, kw_only=True)
class SourceSum:
    """How one source did. Times are seconds."""

    name: str
    seen: float = 0.0
    """For how long the server looked at it: it ran, and the source was configured."""
    up: float = 0.0
    losses: int = 0
    """How often it was lost after it had been up."""
    away: float = 0.0
    """All outages together, from the failure to the next login."""
    outages: list[Outage] = field(default_factory=list)
    """The longest first."""
    asked: int = 0
    answered: int = 0
    """With a CW."""
    median: float | None = None
    """The usual answer time: the one that half of the answers, period by period, stayed below."""
    worst: float | None = None

    @property
    def uptime(self) -> float | None:
        """The share of the time that it was up, 0 to 1; None: it was not looked at."""
        return min(1.0, self.up / self.seen) if self.seen else None


def sum_up(entries: Iterable[Entry]) -> list[SourceSum]:
    """Sum up entries of the kinds `SOURCE` and `OUTAGE`; the source that was away longest first."""
    sums: dict[str, SourceSum] = {}
    medians: dict[str, list[tuple[float, int]]] = {}
    for entry in entries:
        one = sums.setdefault(entry.subject, SourceSum(name=entry.subject))
        if entry.kind is Kind.OUTAGE:
            outage = Outage(entry.at, entry.until or entry.at, entry.text, entry.goes_on)
            one.outages.append(outage)
            one.away += outage.seconds
        elif entry.kind is Kind.SOURCE:
            _add(one, entry)
            if entry.median is not None:
                medians.setdefault(entry.subject, []).append((entry.median, entry.answered))
    for name, one in sums.items():
        one.median = _weighted_median(medians.get(name, []))
        one.outages = sorted(one.outages, key=lambda outage: -outage.seconds)[:OUTAGES_KEPT]
    return sorted(sums.values(), key=lambda one: (-one.away, one.name))


def _add(one: SourceSum, entry: Entry) -> None:
    one.seen += max(0.0, (entry.until or entry.at) - entry.at)
    one.up += entry.up or 0.0
    one.losses += entry.losses
    one.asked += entry.asked
    one.answered += entry.answered
    if entry.worst is not None:
        one.worst = max(one.worst or 0.0, entry.worst)


def _weighted_median(medians: list[tuple[float, int]]) -> float | None:
    half = sum(weight for _, weight in medians) / 2
    below = 0
    for value, weight in sorted(medians):
        below += weight
        if below >= half:
            return value
    return None
