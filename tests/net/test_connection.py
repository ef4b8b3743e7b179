"""A connection between a real socket and a protocol object; the peer is a client of ours."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from cccamd.ids import Caid, Ident, ShareId, Sid
from cccamd.net import (
    Client,
    Connected,
    Connection,
)
from cccamd.values import Request
from cccamd.wire.cccam import (
    Caller,
    ClientProtocol,
    Identity,
    ServerProtocol,
    Target,
    make_node_id,
)
from cccamd.wire.link import Closed, CloseReason, LoginRequested, OffersDue, Requested, ServerEvent

HOST = "127.0.0.1"


class Door:
    """Takes connections in; `react` may do something at any event."""

    def __init__(self, react: Callable[[Connection[ServerEvent], object], None]) -> None:
        self.events: list[object] = []
        self.failures: list[BaseException] = []
        self.ended = 0
        self.over = asyncio.Event()
        self._react = react

    def make(self) -> Connection[ServerEvent]:
        protocol = ServerProtocol(
            node_id=make_node_id(b"serv"),
            program="door",
            random=bytes(12),
            now=asyncio.get_running_loop().time(),
        )
        connection = Connection(
            protocol, lambda event: self._handle(connection, event), on_failure=self._note
        )
        connection.when_ended(self._count_end)
        return connection

    def _handle(self, connection: Connection[ServerEvent], event: object) -> None:
        self.events.append(event)
        if isinstance(event, LoginRequested):
            assert isinstance(connection.protocol, ServerProtocol)
            connection.protocol.authenticate(b"secret")
        self._react(connection, event)

    def _note(self, name: str, error: BaseException) -> None:
        self.failures.append(error)

    def _count_end(self) -> None:
        self.ended += 1
        self.over.set()


@asynccontextmanager
async def connected(
    react: Callable[[Connection[ServerEvent], object], None],
) -> AsyncIterator[tuple[Door, Client[ClientProtocol]]]:
    door = Door(react)
    server = await asyncio.get_running_loop().create_server(door.make, HOST, 0)
    port = server.sockets[0].getsockname()[1]
    target = Target(host=HOST, port=port, user=b"anna", password=b"secret")
    client = await Client.connect(
        HOST, port, Caller(target, Identity(make_node_id(b"clnt"), "test"))
    )
    try:
        yield door, client
    finally:
        await client.close()
        server.close()


def ecm(number: int) -> Request:
    return Request(Caid(0x0B00), Ident(0), ShareId(1), Sid(1), bytes([0x80, number]))


async def ask_twice_at_once(client: Client[ClientProtocol]) -> None:
    await client.wait_until(lambda: client.protocol.extended, timeout=10.0)
    now = asyncio.get_running_loop().time()
    for number in (1, 2):
        client.protocol.ask(number, ecm(number), now)
    client._connection.flush()
    await client.wait_until(lambda: client.closed is not None, timeout=10.0)
    await asyncio.sleep(0.02)


async def test_events_have_an_order_and_an_end() -> None:
    async with connected(lambda connection, event: None) as (door, client):
        await client.wait_until(lambda: bool(client.server and client.server.program), timeout=10.0)
        await client.close()
        await door.over.wait()
    kinds = [type(event) for event in door.events]
    assert kinds[0] is Connected
    assert kinds[-1] is Closed
    assert kinds.count(Closed) == 1
    assert OffersDue in kinds
    assert door.ended == 1


async def test_after_close_nothing_but_the_end_is_handled() -> None:
    def close_at_the_first(connection: Connection[ServerEvent], event: object) -> None:
        if isinstance(event, Requested):
            connection.close(CloseReason.SHUTDOWN)

    async with connected(close_at_the_first) as (door, client):
        await ask_twice_at_once(client)
    assert [type(event) for event in door.events[-2:]] == [Requested, Closed]


async def test_a_handler_that_raises_ends_its_connection_and_nothing_follows() -> None:
    def fail(connection: Connection[ServerEvent], event: object) -> None:
        if isinstance(event, (Requested, Closed)):
            raise ZeroDivisionError

    async with connected(fail) as (door, client):
        await ask_twice_at_once(client)
        assert client.closed is not None
    assert [type(event) for event in door.events[-2:]] == [Requested, Closed]
    assert door.events[-1] == Closed(CloseReason.INTERNAL_ERROR, "ZeroDivisionError")
    assert len(door.failures) == 2
    assert door.ended == 1
