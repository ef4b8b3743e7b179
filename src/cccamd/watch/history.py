"""Answer times per source and per channel, over the last minutes and the last day.

Memory is bounded: so many series, so many buckets in each, and an open bucket is a histogram.
"""

import math
from array import array
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from cccamd.facts import ServiceId
from cccamd.watch.happenings import EcmFinished, EcmResult, Happening, SourceAnswered

SERIES_LIMIT: Final = 64
"""How many sources, and how many channels, are remembered: those that were asked last."""
BIN_GROWTH: Final = math.log(1.05)
"""Histogram bins are 5 % wide: nobody needs an answer time more exactly."""
SHORTEST: Final = 1e-4
"""Seconds; what is quicker counts as this."""


class Span(Enum):
    """How far back to look: the length of a bucket in seconds, and how many there are."""

    MINUTES = (5, 120)
    DAY = (60, 1440)

    @property
    def step(self) -> int:
        """The length of one bucket in seconds."""
        return self.value[0]

    @property
    def length(self) -> int:
        """The whole span in seconds."""
        return self.value[0] * self.value[1]


class Point(NamedTuple):
    """The answers of one bucket. Times are seconds, all 0 when nothing was answered."""

    at: float
    """When the bucket begins, seconds since the epoch."""
    answered: int
    refused: int
    median: float
    percentile95: float
    longest: float


@dataclass(frozen=True, slots=True)
class Series:
    """The answer times of one source (by name) or one channel."""

    subject: str | ServiceId
    points: tuple[Point, ...]
    """The oldest first; buckets in which nothing happened are left out."""


class History:
    """Remembers answer times; fed with happenings, read by pages."""

    def __init__(self) -> None:
        self._sources: OrderedDict[str | ServiceId, _Record] = OrderedDict()
        self._channels: OrderedDict[str | ServiceId, _Record] = OrderedDict()

    def observe(self, happening: Happening) -> None:
        """Take a happening in; those without an answer time are none of its business."""
        match happening:
            case SourceAnswered():
                self._add(self._sources, happening.source, happening)
            case EcmFinished():
                channel = ServiceId(happening.caid, happening.ident, happening.sid)
                self._add(self._channels, channel, happening)

    def sources(self, span: Span, *, now: float) -> tuple[Series, ...]:
        """Give the answer times of each source, its own, without our waiting."""
        return _read(self._sources, span, now)

    def channels(self, span: Span, *, now: float) -> tuple[Series, ...]:
        """Give the answer times of each channel, as its viewers saw them."""
        return _read(self._channels, span, now)

    def _add(
        self,
        records: OrderedDict[str | ServiceId, "_Record"],
        subject: str | ServiceId,
        happening: EcmFinished | SourceAnswered,
    ) -> None:
        record = records.get(subject)
        if record is None:
            if len(records) >= SERIES_LIMIT:
                records.popitem(last=False)
            record = records[subject] = _Record()
        else:
            records.move_to_end(subject)
        answered = happening.result is EcmResult.CW
        record.add(happening.at, happening.seconds if answered else None)


def _read(
    records: OrderedDict[str | ServiceId, "_Record"], span: Span, now: float
) -> tuple[Series, ...]:
    series = (Series(key, record.points(span, now)) for key, record in records.items())
    return tuple(one for one in series if one.points)


class _Record:
    """One subject in all spans."""

    __slots__ = ("_tracks",)

    def __init__(self) -> None:
        self._tracks = {span: _Track(span) for span in Span}

    def add(self, at: float, seconds: float | None) -> None:
        number = None if seconds is None else _bin(seconds)
        for track in self._tracks.values():
            track.add(at, seconds, number)

    def points(self, span: Span, now: float) -> tuple[Point, ...]:
        since = now - span.length
        return tuple(point for point in self._tracks[span].points() if point.at >= since)


class _Track:
    """One subject in one span: closed buckets as plain numbers, and the open one."""

    __slots__ = ("_closed", "_limit", "_open", "_step")

    def __init__(self, span: Span) -> None:
        self._step, buckets = span.value
        self._limit = buckets * len(Point._fields)
        self._closed = array("d")
        self._open: _Bucket | None = None

    def add(self, at: float, seconds: float | None, number: int | None) -> None:
        begin = at - at % self._step
        if self._open is None or self._open.begin < begin:
            self._close()
            self._open = _Bucket(begin)
        # A wall clock that was set back: the open bucket takes it.
        self._open.add(seconds, number)

    def points(self) -> Iterator[Point]:
        width = len(Point._fields)
        for index in range(0, len(self._closed), width):
            at, answered, refused, *times = self._closed[index : index + width]
            yield Point(at, int(answered), int(refused), *times)
        if self._open is not None:
            yield self._open.point()

    def _close(self) -> None:
        if self._open is None:
            return
        self._closed.extend(self._open.point())
        if len(self._closed) > self._limit:
            del self._closed[: len(Point._fields)]


class _Bucket:
    """Answers of a few seconds, as a histogram."""

    __slots__ = ("_bins", "_longest", "_refused", "_shortest", "begin")

    def __init__(self, begin: float) -> None:
        self.begin = begin
        self._bins: dict[int, int] = {}
        self._refused = 0
        self._shortest = math.inf
        self._longest = 0.0

    def add(self, seconds: float | None, number: int | None) -> None:
        if seconds is None or number is None:
            self._refused += 1
            return
        self._bins[number] = self._bins.get(number, 0) + 1
        self._shortest = min(self._shortest, seconds)
        self._longest = max(self._longest, seconds)

    def point(self) -> Point:
        answered = sum(self._bins.values())
        median, percentile95 = self._quantile(0.5), self._quantile(0.95)
        return Point(self.begin, answered, self._refused, median, percentile95, self._longest)

    def _quantile(self, share: float) -> float:
        """The middle of the bin that this share of the answers reaches into."""
        left = share * sum(self._bins.values())
        for number in sorted(self._bins):
            left -= self._bins[number]
            if left <= 0:
                middle = SHORTEST * math.exp((number + 0.5) * BIN_GROWTH)
                return min(max(middle, self._shortest), self._longest)
        return 0.0


def _bin(seconds: float) -> int:
    return int(math.log(max(seconds, SHORTEST) / SHORTEST) / BIN_GROWTH)
