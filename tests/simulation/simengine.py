"""What stands for a fleet's engine: it speaks RESP3 over wires in memory, and does all that an
engine may do: forget, evict, lose what it pushes, push twice or late, hang, die."""

import asyncio
import random
from typing import TYPE_CHECKING, Any, Final

from hiredis import Reader

from cccamd.fleet import talk

if TYPE_CHECKING:
    from simfleet import FleetWorld

PORTS: Final = (6379, 6380)
"""There are two: halves of a fleet may each see one of them."""
NULL: Final = b"_\r\n"
OK: Final = b"+OK\r\n"


def _bulk(data: bytes) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(data), data)


def _push(*words: bytes) -> bytes:
    return b">%d\r\n" % len(words) + b"".join(map(_bulk, words))


class FakeEngine:
    """One engine."""

    def __init__(self, world: "FleetWorld", port: int) -> None:
        self.world, self.port = world, port
        self.chance = random.Random(f"{world.seed} engine {port}")
        self.entries: dict[bytes, tuple[bytes, float]] = {}
        self.channels: dict[bytes, dict[EngineSide, None]] = {}
        self.loses = self.repeats = self.delays = 0.0
        """How many of the messages that it pushes are lost, come twice, or late."""
        self.commands = 0
        self.rise()

    def rise(self) -> None:
        self.world.net.doors[self.port] = lambda end: end.begin(EngineSide(self))

    def die(self) -> None:
        self.world.net.doors.pop(self.port, None)
        self.forget()
        for wire in self.world.net.wires_to(self.port):
            wire.cut()

    def forget(self) -> None:
        """Lose what is kept, as over a restart."""
        self.entries.clear()

    def evict(self) -> None:
        """Have no room for some of it."""
        for name in [name for name in self.entries if self.chance.random() < 0.5]:
            del self.entries[name]

    def get(self, name: bytes) -> bytes | None:
        value, until = self.entries.get(name, (None, 0.0))
        return value if self.world.loop.time() < until else None

    def set(self, name: bytes, value: bytes, ms: bytes) -> None:
        self.entries[name] = value, self.world.loop.time() + int(ms) / 1000

    def publish(self, channel: bytes, text: bytes) -> int:
        chance, listening = self.chance, self.channels.get(channel, {})
        for side in listening:
            if chance.random() < self.loses:
                continue
            told = _push(b"smessage", channel, text)
            for _ in range(2 if chance.random() < self.repeats else 1):
                if chance.random() < self.delays:
                    self.world.loop.call_later(chance.random() * 0.5, side.tell, told)
                else:
                    side.tell(told)
        return len(listening)


class EngineSide(asyncio.Protocol):
    """Its side of one connection."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine
        self._reader = Reader()
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        for channel, listening in list(self._engine.channels.items()):
            listening.pop(self, None)
            if not listening:
                del self._engine.channels[channel]

    def eof_received(self) -> None:
        """It goes as well."""

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (words := self._reader.gets()) is not False:
            self._engine.commands += 1
            self.tell(self._do(words))

    def tell(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _do(self, words: list[bytes]) -> bytes:
        engine = self._engine
        match words:
            case [b"HELLO", b"3", *_]:
                return b"%1\r\n+proto\r\n:3\r\n"
            case [b"PING"]:
                return b"+PONG\r\n"
            case [b"SET", name, value, b"NX", b"GET", b"PX", ms]:
                kept = engine.get(name)
                if kept is not None:
                    return _bulk(kept)
                engine.set(name, value, ms)
                return NULL
            case [b"SET", name, value, b"PX", ms]:
                engine.set(name, value, ms)
                return OK
            case [b"GET", name]:
                kept = engine.get(name)
                return NULL if kept is None else _bulk(kept)
            case [b"EVAL", script, b"1", name, *more]:
                return b":%d\r\n" % self._run(script, name, more)
            case [b"SPUBLISH", channel, text]:
                return b":%d\r\n" % engine.publish(channel, text)
            case [b"SSUBSCRIBE", channel]:
                engine.channels.setdefault(channel, {})[self] = None
                return b">3\r\n" + _bulk(b"ssubscribe") + _bulk(channel) + b":1\r\n"
            case [b"SUNSUBSCRIBE", channel]:
                engine.channels.get(channel, {}).pop(self, None)
                return b">3\r\n" + _bulk(b"sunsubscribe") + _bulk(channel) + b":0\r\n"
        engine.world.books.blame(f"the engine was told {words!r}")
        return b"-ERR unknown command\r\n"

    def _run(self, script: bytes, name: bytes, more: list[bytes]) -> bool:
        """What the scripts of the nodes do."""
        engine, kept = self._engine, self._engine.get(name)
        match script, more:
            case talk._EXTEND, [value, ms] if kept == value:
                engine.set(name, value, ms)
            case talk._RELEASE, [value] if kept == value:
                del engine.entries[name]
            case talk._TAKE, [before, value, ms] if kept is None or kept == before:
                engine.set(name, value, ms)
            case _:
                return False
        return True
