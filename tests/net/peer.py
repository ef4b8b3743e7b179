"""A toy protocol, and a peer on the loopback interface with one method to override."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from warnings import catch_warnings, simplefilter

from cccamd.ids import Caid, Ident, NodeId, ShareId, Sid
from cccamd.net import Connection
from cccamd.values import ControlWords, Emm, Offer, Refusal, Request, with_checksums
from cccamd.wire.cccam import (
    ServerProtocol,
    make_node_id,
)
from cccamd.wire.link import (
    CLOSED_BY_PEER,
    Closed,
    LoginRequested,
    LoginSucceeded,
    Loss,
    OffersDue,
    Requested,
    ServerEvent,
    State,
)

HOST = "127.0.0.1"
ECM = Request(Caid(0x0B00), Ident(0), ShareId(1), Sid(1), b"\x80ecm")
SILENCE = ECM._replace(section=b"\x80silence")
"""An ECM that our server never answers."""
CW = ControlWords(with_checksums(bytes(range(16))))
CARD = Offer(share_id=ShareId(1), remote_id=1, caid=Caid(0x0B00), hop=0, reshare=1)
EMM = Emm(Caid(0x0B00), Ident(0), ShareId(1), b"\x82emm")
PARTNER_NODE = make_node_id(b"serv")
PLAIN_NODE = NodeId(bytes.fromhex("7fffffff00000001"))
"""Not the shape that offers extended mode: peers stay plain."""
SMALL = 4096
"""Bytes of a socket's buffers where a test wants them full soon."""


@dataclass(frozen=True)
class Line:
    """A line came."""

    text: bytes


@dataclass
class Lines:
    """A protocol object as small as can be: each line is an event, and `say` sends one."""

    state: State = State.OPEN
    deadline_at: float | None = None
    rung: list[float] = field(default_factory=list)
    """When its deadline was handled."""
    _buffer: bytes = b""
    _out: bytes = b""
    _events: list[object] = field(default_factory=list)

    def say(self, text: bytes) -> None:
        self._out += text + b"\n"

    def receive_data(self, data: bytes, now: float) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        if self.state is not State.CLOSED:
            self._events += map(Line, lines)

    def receive_eof(self, now: float, loss: Loss = CLOSED_BY_PEER) -> None:
        if self.state is not State.CLOSED:
            self.state = State.CLOSED
            self._events = [Closed(loss.reason, loss.said)]

    def next_deadline(self) -> float | None:
        return self.deadline_at

    def handle_deadline(self, now: float) -> None:
        if self.deadline_at is not None and now >= self.deadline_at:
            self.deadline_at = None
            self.rung.append(now)

    def events_received(self) -> list[object]:
        events, self._events = self._events, []
        return events

    def data_to_send(self) -> bytes:
        data, self._out = self._out, b""
        return data


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def listens(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read until the other side has enough."""
    while await reader.read(1 << 16):
        pass


class Peer:
    """A server that does what `talk` says, with each connection."""

    def __init__(self, talk: Talk = listens) -> None:
        self.connections = 0
        self._talk = talk

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._talk(reader, writer)
        finally:
            writer.close()

    @asynccontextmanager
    async def serving(self, *, port: int = 0) -> AsyncIterator[int]:
        """Serve on a port of the loopback interface; which."""
        server = await asyncio.start_server(self.talk, HOST, port)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()


class Server:
    """Takes each login and answers ECMs that are `ECM`, until it is told to close them."""

    def __init__(
        self,
        *,
        introduces_itself: bool = True,
        has_card: bool = True,
        node_id: NodeId = PARTNER_NODE,
    ) -> None:
        self._node_id = node_id
        self.open: list[Connection[ServerEvent]] = []
        self._protocols: dict[Connection[ServerEvent], ServerProtocol] = {}
        self._introduces_itself, self._has_card = introduces_itself, has_card

    def withdraw_card(self) -> None:
        for connection in self.open:
            self._protocols[connection].withdraw(CARD.share_id)
            connection.flush()

    def make(self) -> Connection[ServerEvent]:
        protocol = ServerProtocol(
            node_id=self._node_id,
            program="server",
            random=bytes(12),
            now=asyncio.get_running_loop().time(),
        )
        made: Connection[ServerEvent] = Connection(
            protocol, lambda event: self._handle(made, event), on_failure=unexpected
        )
        self.open.append(made)
        self._protocols[made] = protocol
        return made

    def _handle(self, connection: Connection[ServerEvent], event: object) -> None:
        protocol = self._protocols[connection]
        if isinstance(event, LoginRequested):
            protocol.authenticate(b"secret")
        elif isinstance(event, LoginSucceeded) and not self._introduces_itself:
            connection.close()
        elif isinstance(event, OffersDue) and self._has_card:
            protocol.announce(CARD)
        elif isinstance(event, Requested) and event.request.section == ECM.section:
            protocol.answer(event.token, CW)
        elif isinstance(event, Requested) and event.request.section != SILENCE.section:
            protocol.refuse(event.token, Refusal.CANNOT_DECODE)
        elif isinstance(event, Closed):
            self.open.remove(connection)

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[int]:
        server = await asyncio.get_running_loop().create_server(self.make, HOST, port)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for connection in list(self.open):
                connection.close()


def unexpected(name: str, error: BaseException) -> None:
    raise AssertionError(name) from error


async def until(reached: Callable[[], bool], *, seconds: float = 10.0) -> None:
    """Wait until something holds.

    Raises:
        TimeoutError: it does not.
    """
    async with asyncio.timeout(seconds):
        while not reached():
            await asyncio.sleep(0.005)


@contextmanager
def no_socket_left() -> Iterator[None]:
    """Whatever was opened inside is closed by somebody, and not by the collector."""
    with catch_warnings(record=True) as told:
        simplefilter("always")
        yield
        gc.collect()
    assert not [each for each in told if each.category is ResourceWarning]
