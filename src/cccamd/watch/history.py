"""Answer times per source and per channel, over the last minutes and the last day.

Inside, times are those of a clock that nobody sets: who sets the wall clock moves all that is
remembered along with it.

Memory is bounded: so many series, so many buckets in each, and an open bucket is a histogram.
"""

import math
from array import array
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Final, TypeVar

from cccamd.facts import ChannelTimes, EcmResult, Point, ServiceId, SourceTimes, Span
from cccamd.watch.happenings import ClockSet, EcmFinished, Happening, SourceAnswered

_CW: Final = EcmResult.CW
SERIES_LIMIT: Final = 64
"""How many sources, and how many channels, are remembered: those that were asked last."""
BIN_GROWTH: Final = math.log(1.05)
"""Histogram bins are 5 % wide: nobody needs an answer time more exactly."""
SHORTEST: Final = 1e-4
"""Seconds; what is quicker counts as this."""
WIDTH: Final = len(fields(Point))

T = TypeVar("T")


class History:
    """Remembers answer times; fed with happenings, read by pages."""

    def __init__(self) -> None:
        self._sources: OrderedDict[str, _Record] = OrderedDict()
        self._channels: OrderedDict[ServiceId, _Record] = OrderedDict()
        self._set_by = 0.0
        """Seconds by which the wall clock was set since the beginning."""

    def observe(self, happening: Happening) -> None:
        """Take a happening in; those without an answer time are none of its business."""
        match happening:
            case SourceAnswered():
                self._add(self._sources, happening.source, happening)
            case EcmFinished():
                channel = ServiceId(happening.caid, happening.ident, happening.sid)
                self._add(self._channels, channel, happening)
            case ClockSet():
                self._set_by += happening.step

    def sources(self, span: Span, *, now: float) -> tuple[SourceTimes, ...]:
        """Give the answer times of each source that was asked."""
        return tuple(SourceTimes(*found) for found in self._read(self._sources, span, now))

    def channels(self, span: Span, *, now: float) -> tuple[ChannelTimes, ...]:
        """Give the answer times of each channel that was watched."""
        return tuple(ChannelTimes(*found) for found in self._read(self._channels, span, now))

    def _add(
        self,
        records: OrderedDict[T, "_Record"],
        subject: T,
        happening: EcmFinished | SourceAnswered,
    ) -> None:
        record = records.get(subject)
        if record is None:
            if len(records) >= SERIES_LIMIT:
                records.popitem(last=False)
            record = records[subject] = _Record()
        else:
            records.move_to_end(subject)
        answered = happening.result is _CW
        record.add(happening.at - self._set_by, happening.seconds if answered else None)

    def _read(
        self, records: OrderedDict[T, "_Record"], span: Span, now: float
    ) -> Iterator[tuple[T, tuple[Point, ...]]]:
        for subject, record in records.items():
            if points := record.points(span, now, self._set_by):
                yield subject, points


class _Record:
    """One subject in all spans."""

    __slots__ = ("_tracks",)

    def __init__(self) -> None:
        self._tracks = {span: _Track(span) for span in Span}

    def add(self, at: float, seconds: float | None) -> None:
        number = None if seconds is None else _bin(seconds)
        for track in self._tracks.values():
            track.add(at, seconds, number)

    def points(self, span: Span, now: float, set_by: float) -> tuple[Point, ...]:
        since = now - span.length
        return tuple(point for point in self._tracks[span].points(set_by) if point.at >= since)


class _Track:
    """One subject in one span: closed buckets as plain numbers, and the open one."""

    __slots__ = ("_closed", "_limit", "_open", "_step")

    def __init__(self, span: Span) -> None:
        self._step = span.step
        self._limit = span.length // span.step * WIDTH
        self._closed = array("d")
        self._open: _Bucket | None = None

    def add(self, at: float, seconds: float | None, number: int | None) -> None:
        begin = at - at % self._step
        if self._open is None or self._open.begin < begin:
            self._close()
            self._open = _Bucket(begin)
        # A wall clock that was set back by less than is told: the open bucket takes it.
        self._open.add(seconds, number)

    def points(self, set_by: float) -> Iterator[Point]:
        for index in range(0, len(self._closed), WIDTH):
            yield _point(self._closed[index : index + WIDTH], set_by)
        if self._open is not None:
            yield _point(self._open.numbers(), set_by)

    def _close(self) -> None:
        if self._open is None:
            return
        self._closed.extend(self._open.numbers())
        if len(self._closed) > self._limit:
            del self._closed[:WIDTH]


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

    def numbers(self) -> tuple[float, ...]:
        """What makes a `Point`."""
        answered = sum(self._bins.values())
        median, percentile95 = self._quantile(0.5), self._quantile(0.95)
        return self.begin, answered, self._refused, median, percentile95, self._longest

    def _quantile(self, share: float) -> float:
        """The middle of the bin that this share of the answers reaches into."""
        left = share * sum(self._bins.values())
        for number in sorted(self._bins):
            left -= self._bins[number]
            if left <= 0:
                middle = SHORTEST * math.exp((number + 0.5) * BIN_GROWTH)
                return min(max(middle, self._shortest), self._longest)
        return 0.0


def _point(numbers: Sequence[float], set_by: float) -> Point:
    at, answered, refused, *times = numbers
    return Point(at + set_by, int(answered), int(refused), *times)


def _bin(seconds: float) -> int:
    return int(math.log(max(seconds, SHORTEST) / SHORTEST) / BIN_GROWTH)
