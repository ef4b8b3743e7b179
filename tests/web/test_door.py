"""The pages are loaded by their first visitor."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from browsing import exchange, fail
from contexts import full_context

from cccamd.web import WebDoor

REQUEST = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@asynccontextmanager
async def a_door(
    admits: Callable[[str], bool] = lambda address: True,
) -> AsyncIterator[tuple[WebDoor, asyncio.Task[None], socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.setblocking(False)
        door = WebDoor(
            replace(full_context(), admits=admits),
            [sock],
            routes=list,
            on_failure=fail,
            on_event=lambda event: None,
        )
        running = asyncio.get_running_loop().create_task(door.run())
        try:
            yield door, running, sock
        finally:
            door.stop()
            await asyncio.gather(running, return_exceptions=True)


async def test_the_first_visitor_is_answered_and_so_are_others() -> None:
    async with a_door() as (door, _, sock):
        assert not door.make_room()
        port = sock.getsockname()[1]
        replies = await asyncio.gather(*(exchange(port, REQUEST) for _ in range(5)))
        assert [reply.status for reply in replies] == ["HTTP/1.1 200 OK"] * 5


@pytest.mark.parametrize("turns", range(4))
async def test_it_can_be_stopped_before_anybody_comes(turns: int) -> None:
    async with a_door() as (door, running, sock):
        for _ in range(turns):
            await asyncio.sleep(0)
        door.stop()
        await running
        assert sock.fileno() == -1


async def test_nothing_is_loaded_for_who_may_not_look_and_he_hears_nothing() -> None:
    welcome: list[str] = []
    async with a_door(lambda address: address in welcome) as (door, _, sock):
        port = sock.getsockname()[1]
        for _ in range(3):
            assert await hung_up_on(port)
        assert not door.is_loaded
        welcome.append("127.0.0.1")
        assert (await exchange(port, REQUEST)).status == "HTTP/1.1 200 OK"
        assert door.is_loaded
        welcome.clear()
        assert await hung_up_on(port)


async def hung_up_on(port: int) -> bool:
    """Whether a connection ends before the first byte."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(5):
            return await reader.read() == b""
    finally:
        writer.close()


async def test_it_can_be_stopped_while_it_loads_for_somebody() -> None:
    async with a_door() as (door, running, sock):
        with socket.create_connection(sock.getsockname()):
            for _ in range(3):
                await asyncio.sleep(0)
            door.stop()
            await running
        assert sock.fileno() == -1


async def test_it_lets_go_of_its_sockets_when_it_is_cancelled() -> None:
    async with a_door() as (_, running, sock):
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert sock.fileno() == -1
