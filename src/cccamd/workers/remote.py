"""The core's end of a connection whose socket is in a worker."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from cccamd.net import Connection, TaskSet, Way
from cccamd.wire.link import CloseReason, Loss
from cccamd.workers import frames
from cccamd.workers.frames import Kind
from cccamd.workers.records import Told

IN_HAND: Final = 8192
"""Bytes that may be with the worker without being counted as not taken."""
LOOK_AGAIN: Final = 0.2
"""Seconds after which what is known of the way to a client is asked for anew."""

E = TypeVar("E")


class WorkerEnded(Exception):
    """The process that had the socket is gone."""


class RemoteTransport(asyncio.Transport):
    """What stands for the socket: orders to the worker, and what it says of it."""

    def __init__(
        self,
        number: int,
        peername: tuple[str, int],
        send: Callable[[Kind, int, bytes], None],
    ) -> None:
        super().__init__()
        self.number = number
        self.way: Way | None = None
        """How the way was when the worker looked last."""
        self.is_acknowledged = False
        self.stuck, self.asks_more = 0, False
        """As the worker told last: bytes that its machine has no room for; whether more came, and
        was not read."""
        self._peername = peername
        self._send = send
        self._given = self._taken = 0
        self._is_closing = False
        self._protocol: Any = None
        self._on_word: Callable[[bool], None] | None = None
        self._loop = asyncio.get_running_loop()
        self._asked_at = -1.0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Only who is there: the socket is elsewhere."""
        return self._peername if name == "peername" else default

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Who is told what comes."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Who is told what comes."""
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def begin(self, login_timeout: float, queue_limit: int) -> None:
        """Let the client in."""
        self._send(Kind.BEGIN, self.number, frames.BEGIN.pack(login_timeout, queue_limit))

    # In the lobby: a `Newcomer`.

    def say(self, words: bytes, on_word: Callable[[bool], None]) -> None:
        """Have the worker say the first words, which it makes itself, and tell of one of its."""
        self._on_word = on_word
        self._send(Kind.WAIT, self.number, b"")

    def hush(self) -> None:
        """Tell of no word any more."""
        self._on_word = None

    def spoke(self, said: bool) -> None:
        """The worker heard it say something; or else it has left."""
        if self._on_word is not None:
            self._on_word(said)

    def lead_in(
        self, tasks: TaskSet, door: asyncio.Protocol, address: str, on_lost: Callable[[], object]
    ) -> None:
        """It is its transport itself."""
        door.connection_made(self)

    # As its guest has it.

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Records for the worker."""
        self._given += len(data) + frames.HEAD.size
        self._send(Kind.SAYS, self.number, bytes(data))

    def taken(self, count: int) -> None:
        """The client's machine has taken so many bytes, or is about to."""
        self._taken += count

    def get_write_buffer_size(self) -> int:
        """What the client has not taken, as far as is known."""
        waiting = self._given - self._taken
        return self.stuck or (waiting if waiting > IN_HAND else 0)

    def is_closing(self) -> bool:
        """Whether nothing more may be written."""
        return self._is_closing

    def close(self) -> None:
        """End it when all is written."""
        self._finish(Kind.END)

    def abort(self) -> None:
        """End it now."""
        self._finish(Kind.DROP)

    def _finish(self, how: Kind) -> None:
        if not self._is_closing:
            self._is_closing = True
            self._send(how, self.number, b"")
            self._loop.call_soon(self.lost)

    def lost(self, why: Exception | None = None) -> None:
        """Nothing comes any more."""
        self._is_closing = True
        self.spoke(said=False)
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            protocol.connection_lost(why)

    def heard(self, body: bytes) -> None:
        """The worker told something of the client."""
        if self._protocol is not None:
            self._protocol.data_received(body)

    def pause_reading(self) -> None:
        """Have the worker read nothing more of it."""
        self._send(Kind.HOLD, self.number, b"")

    def resume_reading(self) -> None:
        """Have the worker read again."""
        self._send(Kind.GO_ON, self.number, b"")

    def look(self) -> None:
        """Have the worker say how the way is, for the next who asks."""
        now = self._loop.time()
        if now - self._asked_at >= LOOK_AGAIN and not self._is_closing:
            self._asked_at = now
            self._send(Kind.LOOK, self.number, b"")

    def noted(self, body: bytes) -> None:
        """The worker said how the way is."""
        acked, trip, jitter, known, unheard, again = frames.WAY.unpack(body)
        self.is_acknowledged = acked
        self.way = Way(trip, jitter, again, unheard) if known else None


class RemoteConnection(Connection[E], Generic[E]):
    """A `Connection` that has no socket to ask: the worker says what it sees, a moment later."""

    def data_received(self, data: bytes) -> None:
        """Records of the worker came; that a client left without a word is no word."""
        if self.has_heard or data[0] != Told.CLOSED:
            super().data_received(data)
            return
        self.attempt(self.protocol.receive_data, data, self.now())
        self.flush()

    def _explain(self, error: Exception | None) -> Loss:
        if isinstance(error, WorkerEnded):
            return Loss(CloseReason.WORKER_ENDED)
        return super()._explain(error)

    @property
    def _remote(self) -> RemoteTransport | None:
        return self._transport if isinstance(self._transport, RemoteTransport) else None

    def way(self) -> Way | None:
        """How the way was when the worker looked last; it is asked to look again."""
        remote = self._remote
        if remote is None:
            return None
        remote.look()
        return remote.way

    def is_acknowledged(self) -> bool:
        """Whether everything was acknowledged when the worker looked last."""
        remote = self._remote
        if remote is None:
            return False
        remote.look()
        return remote.is_acknowledged

    def is_full(self) -> bool:
        """Whether the client's machine had no room for more when the worker looked last."""
        remote = self._remote
        return remote is not None and remote.stuck > 0

    def asks_more(self) -> bool:
        """Whether it went on asking then."""
        remote = self._remote
        return remote is not None and remote.asks_more

    def peer_left(self) -> bool:
        """The worker notices that."""
        return self.is_closed and super().peer_left()
