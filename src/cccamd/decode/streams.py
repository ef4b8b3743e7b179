"""TCP put together again: packets in any order in, the bytes of each side in order out.

Theory of operation. A side's bytes are told as soon as there is none missing before them. What
comes ahead of a gap waits; the gap is told as a `Hole` once it is clear that nothing will fill it:
the other side has acknowledged what comes after it and a second of the capture has passed, or too
much waits, or the connection ends. Nothing here grows with the capture: connections, and what waits
in each, are bounded.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from cccamd.decode.packets import Packet

CONNECTIONS_LIMIT: Final = 4096
"""Connections at once; the one that was silent longest is forgotten."""
OVER_LIMIT: Final = 1024
"""Connections that have ended of which late packets are known, and passed over."""
WAITING_LIMIT: Final = 256
"""Packets of one side that wait for one before them."""
WAITING_BYTES: Final = 1 << 19
PATIENCE: Final = 1.0
"""Seconds that are waited for a packet that was acknowledged, and so has arrived."""
_WRAP: Final = 1 << 32

Endpoint = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection is seen for the first time; `from_start`: with its very first packet."""

    connection: int
    ends: tuple[Endpoint, Endpoint]
    """Who opened it, and who was called; when that was not seen, in any order."""
    from_start: bool


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes of one side (0 or 1, as in `Opened.ends`), in order."""

    connection: int
    side: int
    data: bytes
    at: float
    """When the last of them came that was missing."""


@dataclass(frozen=True, slots=True)
class Hole:
    """Bytes of one side that are not in the capture."""

    connection: int
    side: int
    length: int


@dataclass(frozen=True, slots=True)
class Ended:
    """It is over, or the capture is. `side`: who ended it; None: nobody did, as far as is seen."""

    connection: int
    side: int | None
    reset: bool = False


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Nothing more will be told of it."""

    connection: int


Piece = Opened | Data | Hole | Ended | Forgotten


@dataclass(slots=True)
class _Side:
    expected: int | None = None
    """The number of its next byte; None: it has not been seen yet."""
    waiting: dict[int, tuple[bytes, float]] = field(default_factory=dict)
    waiting_bytes: int = 0
    waits_since: float = 0.0
    acknowledged: int | None = None
    """Up to where the other side has it."""
    end: int | None = None
    """The number behind its last byte, once it has said so."""
    is_over: bool = False


@dataclass(slots=True)
class _Connection:
    number: int
    ends: tuple[Endpoint, Endpoint]
    sides: tuple[_Side, _Side] = field(default_factory=lambda: (_Side(), _Side()))
    first: int = 0
    """The sequence number of who called, which tells it from the next between the two."""


class Streams:
    """All connections of one capture."""

    def __init__(self) -> None:
        self._connections: OrderedDict[frozenset[Endpoint], _Connection] = OrderedDict()
        self._over: OrderedDict[frozenset[Endpoint], _Connection] = OrderedDict()
        self._count = 0

    def take(self, packet: Packet) -> Iterator[Piece]:
        """Take in one packet, and tell what can be told."""
        key = frozenset((packet.source, packet.target))
        connection = self._connections.get(key)
        if connection is not None and _is_another(connection, packet):
            del self._connections[key]
            yield from self._finish(connection, None)
            connection = None
        if connection is None:
            if packet.rst or not (packet.syn or packet.data) or self._is_late(key, packet):
                return
            if len(self._connections) >= CONNECTIONS_LIMIT:
                yield from self._finish(self._connections.popitem(last=False)[1], None)
            connection = self._open(key, packet)
            yield Opened(connection.number, connection.ends, from_start=packet.syn)
        else:
            self._connections.move_to_end(key)
        yield from self._take(connection, packet)
        if packet.rst:
            side = connection.ends.index(packet.source)
            self._is_over(key)
            yield from self._finish(connection, side, reset=True)
        elif all(side.is_over for side in connection.sides):
            self._is_over(key)
            yield Forgotten(connection.number)

    def finish(self) -> Iterator[Piece]:
        """The capture ends here."""
        while self._connections:
            yield from self._finish(self._connections.popitem(last=False)[1], None)

    def _is_over(self, key: frozenset[Endpoint]) -> None:
        if len(self._over) >= OVER_LIMIT:
            self._over.popitem(last=False)
        self._over[key] = self._connections.pop(key)

    def _is_late(self, key: frozenset[Endpoint], packet: Packet) -> bool:
        """Whether it belongs to what has ended: sent again, or out of its order."""
        known = self._over.get(key)
        if known is None:
            return False
        side = known.sides[known.ends.index(packet.source)]
        end = packet.sequence + packet.syn + len(packet.data)
        if side.expected is not None and not _is_another(known, packet):
            return _distance(side.expected, end) <= 0
        del self._over[key]
        return False

    def _open(self, key: frozenset[Endpoint], packet: Packet) -> _Connection:
        self._count += 1
        ends, first = (packet.source, packet.target), packet.sequence
        if packet.syn and packet.ack:  # the one before it is not in the capture, or comes late
            ends, first = (packet.target, packet.source), (packet.acknowledged - 1) % _WRAP
        connection = _Connection(self._count, ends, first=first)
        self._connections[key] = connection
        return connection

    def _take(self, connection: _Connection, packet: Packet) -> Iterator[Piece]:
        number = connection.ends.index(packet.source)
        side, other = connection.sides[number], connection.sides[1 - number]
        if packet.ack:
            other.acknowledged = packet.acknowledged
        begin = (packet.sequence + packet.syn) % _WRAP
        if side.expected is None:
            side.expected = begin
        if packet.data and not side.is_over:
            _put(side, begin, packet.data, packet.at)
        if packet.fin and side.end is None:
            side.end = (begin + len(packet.data)) % _WRAP
        for each in (number, 1 - number):
            yield from _told(connection, each, packet.at)

    def _finish(
        self, connection: _Connection, ended: int | None, *, reset: bool = False
    ) -> Iterator[Piece]:
        for number, side in enumerate(connection.sides):
            yield from _all_told(connection.number, number, side)
        if ended is not None or not any(side.is_over for side in connection.sides):
            yield Ended(connection.number, ended, reset)
        yield Forgotten(connection.number)


def _is_another(connection: _Connection, packet: Packet) -> bool:
    """Whether it begins another connection between the same two ports."""
    if not packet.syn or packet.ack:
        return False
    return packet.source != connection.ends[0] or packet.sequence != connection.first


def _put(side: _Side, begin: int, data: bytes, at: float) -> None:
    """Keep what is new of a packet."""
    assert side.expected is not None
    if _distance(side.expected, begin) + len(data) <= 0:
        return
    known, _ = side.waiting.get(begin, (b"", 0.0))
    if len(data) <= len(known):
        return
    if not side.waiting:
        side.waits_since = at
    side.waiting[begin] = (data, at)
    side.waiting_bytes += len(data) - len(known)


def _told(connection: _Connection, number: int, at: float) -> Iterator[Piece]:
    """What can be told of one side now."""
    side = connection.sides[number]
    yield from _in_order(connection.number, number, side, at)
    while side.waiting and _is_lost(side, at):
        yield from _skip(connection.number, number, side)
        yield from _in_order(connection.number, number, side)
        side.waits_since = at
    if side.end is not None and side.expected == side.end and not side.is_over:
        side.is_over = True
        if not connection.sides[1 - number].is_over:
            yield Ended(connection.number, number)


def _is_lost(side: _Side, at: float) -> bool:
    """Whether what is missing before the first that waits will not come any more."""
    if len(side.waiting) > WAITING_LIMIT or side.waiting_bytes > WAITING_BYTES:
        return True
    assert side.expected is not None
    if side.acknowledged is None or _distance(side.expected, side.acknowledged) <= 0:
        return False
    return at - side.waits_since >= PATIENCE


def _in_order(
    connection: int, number: int, side: _Side, at: float | None = None
) -> Iterator[Piece]:
    """What need not wait any more, which came `at`; without that, when each was seen: behind a
    hole nobody but us had to wait."""
    while side.waiting:
        assert side.expected is not None
        begin = _first(side)
        ahead = _distance(side.expected, begin)
        if ahead > 0:
            return
        data, seen_at = side.waiting.pop(begin)
        side.waiting_bytes -= len(data)
        fresh = data[-ahead:] if ahead < 0 else data
        if fresh:
            side.expected = (side.expected + len(fresh)) % _WRAP
            yield Data(connection, number, fresh, seen_at if at is None else at)


def _skip(connection: int, number: int, side: _Side) -> Iterator[Piece]:
    assert side.expected is not None
    begin = _first(side)
    yield Hole(connection, number, _distance(side.expected, begin))
    side.expected = begin


def _all_told(connection: int, number: int, side: _Side) -> Iterator[Piece]:
    """Whatever waits, with holes where something is missing."""
    while side.waiting:
        yield from _in_order(connection, number, side)
        if side.waiting:
            yield from _skip(connection, number, side)


def _first(side: _Side) -> int:
    """Which of those that wait comes first."""
    expected = side.expected or 0
    return min(side.waiting, key=lambda begin: _distance(expected, begin))


def _distance(start: int, end: int) -> int:
    """How many bytes lie between two numbers, which begin again at 0; negative: it is before."""
    ahead = (end - start) % _WRAP
    return ahead if ahead < _WRAP // 2 else ahead - _WRAP
