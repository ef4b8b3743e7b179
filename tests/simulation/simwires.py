"""A network in memory: connections that delay, cut into pieces, stop and break, all from a seed.

A wire has two ends, each an `asyncio.Transport` to whoever uses it. What one end writes comes
out at the other in order, in pieces and after delays that the wire's own chance decides; up to
`WINDOW` bytes are on their way or unread, the rest stays with the writer, as with TCP.
"""

import asyncio
import errno
import random
import socket
from collections.abc import Callable, Sequence
from typing import Any, Final

from cccamd.net.failures import explain_connect_error

WINDOW: Final = 64 * 1024
SERVER: Final = "10.0.0.1"


class FakeSocket:
    """What is asked of the socket below a transport."""

    family = socket.AF_INET

    def __init__(self, end: "End | None" = None) -> None:
        self.end = end

    def setsockopt(self, *words: object) -> None:
        """It has no options."""

    def getsockopt(self, level: int, option: int, length: int = 0) -> bytes:
        return b"\x01" if length == 1 else b""

    def fileno(self) -> int:
        raise OSError(errno.EBADF, "no descriptor")

    def setblocking(self, wanted: bool) -> None:
        """It never blocks."""

    def dup(self) -> "FakeSocket":
        """From now on somebody else has the connection: its transport may go."""
        assert self.end is not None
        if self.end._lost:
            raise OSError(errno.EBADF, "no descriptor")
        self.end.is_left = True
        return FakeSocket(self.end)

    def shutdown(self, how: int) -> None:
        self.close()

    def close(self) -> None:
        if self.end is not None:
            self.end.abort()


class End(asyncio.Transport):
    """One end of a wire."""

    def __init__(self, wire: "Wire", address: tuple[str, int]) -> None:
        super().__init__()
        self.wire = wire
        self.other: End
        self.peername = address
        self.protocol: Any = None
        self.unread: list[bytes] = []
        """What came before anybody was there to read it."""
        self.reads = True
        self.received = 0
        self.is_left = False
        """Whether the next end is that of the transport, and not of the connection."""
        self.extra: dict[str, Any] = {}
        self._sock = FakeSocket(self)
        self._buffer = bytearray()
        self._flying = 0
        self._arrives_at = 0.0
        self._closing = self._lost = self._eof_sent = False

    # As asyncio has it.

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        known = {"peername": self.peername, "socket": self._sock}
        return self.extra.get(name, known.get(name, default))

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def get_protocol(self) -> Any:
        return self.protocol

    def is_closing(self) -> bool:
        return self._closing

    def get_write_buffer_size(self) -> int:
        return len(self._buffer)

    def is_reading(self) -> bool:
        return self.reads

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.wire.net.loop.call_soon(lambda: self.read_on(wanted=True))

    def write(self, data: Any) -> None:
        if self._lost or self._eof_sent:
            return
        assert not self._closing, "written after the end"
        self._buffer += data
        self._push()

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            if not self._buffer:
                self._finish()

    def abort(self) -> None:
        if self.is_left:
            self.is_left, self.protocol = False, None
            return
        self._buffer.clear()
        self._closing = True
        self._lose(None)
        self.other._later(self.other._lose, ConnectionResetError(errno.ECONNRESET, "reset"))

    # Inside.

    @property
    def is_lost(self) -> bool:
        """Whether the program at this end has nothing of it any more."""
        return self._lost

    def hand_to(self, protocol: Any, rest: bytes = b"") -> None:
        """Let another protocol go on, which gets `rest` first."""
        self.protocol = protocol
        protocol.connection_made(self)
        if rest and not self._lost:
            protocol.data_received(rest)

    def begin(self, protocol: Any) -> None:
        self.protocol = protocol
        self.wire.net.loop.call_soon(self._begin)

    def _begin(self) -> None:
        if self._lost:
            return
        self.protocol.connection_made(self)
        self._read()

    def read_on(self, *, wanted: bool) -> None:
        """Whether the program at this end reads."""
        self.reads = wanted
        if wanted:
            self._read()

    def _read(self) -> None:
        while self.unread and self.reads:
            self._take(self.unread.pop(0))

    def _push(self) -> None:
        chance = self.wire.chance
        while self._buffer and self._flying < WINDOW:
            length = len(self._buffer)
            if chance.random() < self.wire.cutting:
                length = chance.randint(1, length)
            piece = bytes(self._buffer[:length])
            del self._buffer[:length]
            self._flying += length
            self._later(self.other._arrive, piece)
        if self._closing and not self._buffer and not self._lost:
            self._finish()

    def _later(self, act: Callable[..., None], *args: Any) -> None:
        """After the wire's delay, and after all that was sent before."""
        loop = self.wire.net.loop
        # A little after the one before: asyncio's timers of one moment have no order.
        earliest = self._arrives_at + 1e-6
        at = max(loop.time() + self.wire.delay(), earliest, self.wire.stopped_until)
        self._arrives_at = at
        loop.call_at(at, act, *args)

    def _arrive(self, piece: bytes) -> None:
        if self._lost:
            return
        if self.protocol is None or not self.reads or self.unread:
            self.unread.append(piece)
        else:
            self._take(piece)

    def _take(self, piece: bytes) -> None:
        if self._lost:
            return
        self.other._flying -= len(piece)
        self.received += len(piece)
        self.wire.net.note("bytes", self.wire.number, self.peername, piece)
        if not self._closing:
            self.protocol.data_received(piece)
        if self.other._buffer:
            self.other._push()

    def _finish(self) -> None:
        """All is written: the other end reads the end of it."""
        if not self._eof_sent:
            self._eof_sent = True
            self._later(self.other._see_end)
            self.wire.net.loop.call_soon(self._lose, None)

    def _see_end(self) -> None:
        if self._lost or self.protocol is None:
            self._lose(None)
            return
        if not self._closing:
            self.protocol.eof_received()
            self.close()

    def _lose(self, error: Exception | None) -> None:
        if self._lost:
            return
        self._lost = self._closing = True
        self._buffer.clear()
        self.wire.ended(self)
        if self.protocol is not None:
            self.wire.net.loop.call_soon(self.protocol.connection_lost, error)
            self.wire.net.note("lost", self.wire.number, self.peername, type(error).__name__)


class Wire:
    """A connection."""

    def __init__(self, net: "Net", number: int, caller: tuple[str, int], port: int) -> None:
        self.net = net
        self.number = number
        self.chance = random.Random(f"{net.seed} wire {number}")
        self.cutting = self.chance.choice((0.0, 0.1, 0.5))
        self.slowness = self.chance.choice((0.0, 0.001, 0.01, 0.06))
        self.stopped_until = 0.0
        self.caller = End(self, (SERVER, port))
        self.called = End(self, caller)
        self.caller.other, self.called.other = self.called, self.caller
        self._open = {id(self.caller), id(self.called)}

    def delay(self) -> float:
        return self.slowness * (0.5 + self.chance.random())

    def cut(self) -> None:
        """Break: both ends notice, and what was on its way is lost."""
        reset = ConnectionResetError(errno.ECONNRESET, "reset")
        self.caller._lose(reset)
        self.called._lose(reset)

    def stop(self, seconds: float) -> None:
        """Let nothing through for a while."""
        self.stopped_until = self.net.loop.time() + seconds

    def ended(self, end: End) -> None:
        self._open.discard(id(end))
        if not self._open:
            self.net.wires.pop(self.number, None)


class Listening:
    """A port that is open, to a program that accepts by itself: a socket that listens."""

    def __init__(self, net: "Net", port: int) -> None:
        self._net, self._port = net, port
        self._waiting: list[End] = []
        self._ready: Callable[[], object] | None = None
        net.doors[port] = self._come

    def when_ready(self, act: Callable[[], object] | None) -> None:
        """What `add_reader` and `remove_reader` are for other sockets."""
        self._ready = act
        if self._waiting:
            self._net.loop.call_soon(self._look)

    def _come(self, end: End) -> None:
        self._waiting.append(end)
        self._net.loop.call_soon(self._look)

    def _look(self) -> None:
        if self._ready is not None and self._waiting:
            self._ready()
            if self._waiting:
                self._net.loop.call_soon(self._look)

    def accept(self) -> tuple[FakeSocket, tuple[str, int]]:
        if not self._waiting:
            raise BlockingIOError
        end = self._waiting.pop(0)
        return FakeSocket(end), end.peername

    def setblocking(self, wanted: bool) -> None:
        """It does not block either."""

    def getsockname(self) -> tuple[str, int]:
        return SERVER, self._port

    def close(self) -> None:
        self._net.doors.pop(self._port, None)
        for end in self._waiting:
            end.abort()


class Net:
    """All wires and open ports of one run."""

    loop: Any

    def __init__(self, seed: str, note: Callable[..., None]) -> None:
        self.seed = seed
        self.note = note
        self.server_port = self.newcamd_port = 0
        self.doors: dict[int, Callable[[End], None]] = {}
        self.wires: dict[int, Wire] = {}
        self._count = 0
        self._chance = random.Random(f"{seed} net")

    def listen(self, factory: Callable[[], Any], port: int) -> None:
        """Open a port: each who comes gets a protocol at once."""
        self.doors[port] = lambda end: end.begin(factory())

    def open_sockets(
        self, addresses: Sequence[str], port: int, *, early: bool = True
    ) -> list[Listening]:
        """What stands for `cccamd.net.listener.open_sockets`."""
        return [Listening(self, port)]

    def call(self, port: int, protocol: Any, *, address: str) -> Wire | None:
        """Connect somebody at once; None: nobody listens there."""
        door = self.doors.get(port)
        if door is None:
            return None
        wire = self._wire(address, port)
        door(wire.called)
        wire.caller.begin(protocol)
        return wire

    def _wire(self, address: str, port: int) -> Wire:
        self._count += 1
        wire = Wire(self, self._count, (address, 20_000 + self._count), port)
        self.wires[wire.number] = wire
        return wire

    async def connect(self, addresses: Any, *, host: str, port: int, patience: float) -> Any:
        """What stands for `cccamd.net.dial.connect`: the server calls an upstream."""
        await asyncio.sleep(self._chance.random() * 0.1)
        door = self.doors.get(port)
        if door is None:
            refused = ConnectionRefusedError(errno.ECONNREFUSED, "refused")
            raise explain_connect_error(refused, host=host, port=port)
        wire = self._wire(SERVER, port)
        door(wire.called)
        return FakeSocket(wire.caller)

    def adopt(self, sock: FakeSocket, protocol: Any) -> tuple[End, Any]:
        """The rest of it: the socket gets its protocol."""
        assert sock.end is not None
        if sock.end._lost:
            raise ConnectionResetError(errno.ECONNRESET, "reset")
        sock.end.protocol = protocol
        sock.end._begin()
        return sock.end, protocol
