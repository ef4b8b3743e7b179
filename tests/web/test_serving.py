"""What keeps strangers from using up the web server: each bound, against a real one."""

import asyncio
import gc
import socket
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

import pytest
from browsing import exchange, get, serving
from scene import Scene
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from cccamd.web import serving as web_serving
from cccamd.web.app import create_app

PASSED = "HTTP/1.1 200 OK"


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with serving(Scene().app()) as port:
        yield port


async def test_connections_that_ask_nothing_are_ended(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_serving, "PATIENCE", 0.5)
    silent = await asyncio.open_connection("127.0.0.1", port)
    dripping = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(3):
        dripping[1].write(b"GET /health HTTP/1.1\r\n")
        await asyncio.sleep(0.05)
    async with asyncio.timeout(2.0):
        for reader, writer in (silent, dripping):
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
            writer.close()
    assert (await get(port, "/health")).status == PASSED


async def test_many_silent_connections_keep_nobody_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(web_serving, "IDLE_LIMIT", 5)
    async with serving(Scene().app()) as port:
        await look_in_spite_of_silence(port)


async def look_in_spite_of_silence(port: int) -> None:
    first, begun = await asyncio.open_connection("127.0.0.1", port)
    begun.write(b"GET /health HTTP/1.1\r\n")
    silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(12)]
    for source in ("127.0.0.2", "127.0.0.1"):
        assert (await get(port, "/health", source=source)).status == PASSED
    with suppress(ConnectionResetError):
        assert await silent[0][0].read() == b"", "the oldest has made way"
    begun.write(b"Host: localhost\r\n\r\n")
    assert (await first.readline()).strip().decode() == PASSED, "who has begun to ask has not"
    await end([begun, *(writer for _, writer in silent)])


async def test_a_second_head_must_come_in_time_too(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_serving, "PATIENCE", 0.5)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await reader.readuntil(b"}")
    writer.write(b"GET ")
    async with asyncio.timeout(2.0):
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
    writer.close()


async def test_an_answer_may_take_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one whose request was there before the one before it had quite ended."""
    monkeypatch.setattr(web_serving, "PATIENCE", 0.5)

    async def slow_to_end(_: Request) -> Response:
        return Response("done", background=BackgroundTask(asyncio.sleep, 0.1))

    app = create_app(Scene().context(), routes=[Route("/slow", slow_to_end)])
    async with serving(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for path in (b"/slow", b"/live/events"):
            writer.write(b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readuntil(b"event: whole")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.9):
                await reader.read()
        writer.close()


SIZE = 8_000_000
"""Bytes of an answer that no buffers of kernels hold."""


async def in_one_piece(_: Request) -> Response:
    return Response(bytes(SIZE))


async def in_pieces(_: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(SIZE // 50_000):
            yield bytes(50_000)
        await asyncio.sleep(0.7)  # nothing is left to be read, and that is not the reader's fault
        yield b"end"

    return StreamingResponse(pieces())


@pytest.mark.parametrize("large", [in_one_piece, in_pieces])
async def test_who_does_not_read_is_cut(
    monkeypatch: pytest.MonkeyPatch, large: Callable[[Request], Awaitable[Response]]
) -> None:
    """Also who reads a little now and then. Who reads slowly gets it all."""
    monkeypatch.setattr(web_serving, "PATIENCE", 0.3)
    monkeypatch.setattr(web_serving, "CONNECTIONS_LIMIT", 3)
    app = create_app(Scene().context(), routes=[Route("/large", large)])
    async with serving(app) as port:
        deaf, dripping = [await large_answer(port, room=4096, times=2) for _ in range(2)]
        slow = await large_answer(port, room=50_000)
        is_full = (await get(port, "/health")).status == "HTTP/1.1 503 Service Unavailable"
        assert is_full == (large is in_pieces), "a place is needed while there is more to write"
        loop, taken, tail = asyncio.get_running_loop(), 0, b""
        begin = loop.time()
        async with asyncio.timeout(8.0):
            while data := await read_some(slow, 30_000):
                taken += len(data)
                tail = (tail + data)[-20:]
                if loop.time() - begin < 1.0:
                    await asyncio.sleep(0.05)
                    with suppress(ConnectionResetError):
                        await read_some(dripping, 1000)
        assert taken > SIZE
        assert large is in_one_piece or b"end" in tail
        assert (await get(port, "/health")).status == PASSED
        for peer in (deaf, dripping):
            left = 0
            with suppress(ConnectionResetError):
                while data := await read_some(peer, 1_000_000):
                    left += len(data)
            assert left < SIZE - 100_000
        for peer in (deaf, dripping, slow):
            peer.close()


async def large_answer(port: int, *, room: int, times: int = 1) -> socket.socket:
    """Ask for /large, so often at once, and read the first bytes of it only."""
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    peer.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(peer, ("127.0.0.1", port))
    question = b"GET /large HTTP/1.1\r\nHost: localhost\r\n"
    again = (times - 1) * (question + b"\r\n")
    await loop.sock_sendall(peer, again + question + b"Connection: Close\r\n\r\n")
    assert (await read_some(peer, 15)).decode() == PASSED[:15]
    return peer


async def read_some(peer: socket.socket, most: int) -> bytes:
    """Read what is there, at most so much."""
    return await asyncio.get_running_loop().sock_recv(peer, most)


async def test_more_requests_at_once_than_anybody_needs_are_told_to_come_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(web_serving, "CONNECTIONS_LIMIT", 3)
    monkeypatch.setattr(web_serving, "PER_SOURCE_LIMIT", 2)
    async with serving(Scene().app()) as port:
        views = [await view(port) for _ in range(2)]
        busy = await get(port, "/health")
        assert busy.status == "HTTP/1.1 503 Service Unavailable"
        assert (await get(port, "/health", source="127.0.0.2")).status == PASSED
        views.append(await view(port, source="127.0.0.2"))
        assert (await get(port, "/health", source="127.0.0.3")).status == busy.status
        await end(views)
        async with asyncio.timeout(10.0):
            while (await get(port, "/health")).status != PASSED:
                pass


async def test_live_views_of_one_address_leave_room_for_pages_and_for_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(web_serving, "VIEWS_PER_SOURCE_LIMIT", 3)
    async with serving(Scene().app()) as port:
        await watch_as_often_as_one_may(port)


async def watch_as_often_as_one_may(port: int) -> None:
    """The next is told to come again."""
    views = [await view(port) for _ in range(web_serving.VIEWS_PER_SOURCE_LIMIT)]
    assert (await get(port, web_serving.LIVE_PATH)).status == "HTTP/1.1 503 Service Unavailable"
    assert (await get(port, "/health")).status == PASSED
    views.append(await view(port, source="127.0.0.2"))
    await end(views)


async def end(writers: Iterable[asyncio.StreamWriter]) -> None:
    for writer in writers:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def view(port: int, *, source: str = "127.0.0.1") -> asyncio.StreamWriter:
    """Watch the live view; it has begun when this returns."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    writer.write(f"GET {web_serving.LIVE_PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert (await reader.readline()).strip().decode() == PASSED
    return writer


async def test_a_head_that_is_too_long_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_serving, "HEAD_LIMIT", 1024)
    unended = "GET /health HTTP/1.1\r\nX: " + "x" * web_serving.HEAD_LIMIT
    async with serving(Scene().app()) as port:
        answer = await exchange(port, unended)
    assert answer.status == "HTTP/1.1 400 Bad Request"


async def test_a_connection_is_freed_as_soon_as_it_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody looks for circles that were put aside, as a live view's are, within hours."""
    living: weakref.WeakSet[object] = weakref.WeakSet()

    class Known(web_serving._Connection):
        def __init__(self, *words: Any) -> None:
            super().__init__(*words)
            living.add(self)

    monkeypatch.setattr(web_serving, "_Connection", Known)
    gc.disable()
    try:
        async with serving(Scene().app()) as port:
            assert (await get(port, "/health")).status == PASSED
            assert (await get(port, "/")).status == PASSED
            await end([await view(port)])
            _, silent = await asyncio.open_connection("127.0.0.1", port)
            await end([silent])
            async with asyncio.timeout(10.0):
                while living:
                    await asyncio.sleep(0.01)
    finally:
        gc.enable()


class Asker:
    """A connection as `_Clocked` knows it."""

    is_gone = False

    def answering(self) -> AbstractContextManager[None]:
        return nullcontext()


def scope_of(number: int, address: str = "127.0.0.1") -> Scope:
    return {"state": {"cccamd.connection": Asker()}, "client": (address, number), "path": "/"}


async def test_one_request_begins_in_each_turn_of_the_loop() -> None:
    """Whatever comes meanwhile, as an ECM, waits for one of them at most."""
    loop = asyncio.get_running_loop()
    turn = 0
    begun: list[tuple[int, int]] = []

    def count() -> None:
        nonlocal turn
        turn += 1
        if len(begun) < 20:
            loop.call_soon(count)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        begun.append((scope["client"][1], turn))

    clocked: Any = web_serving._Clocked(app)
    count()
    asked = [loop.create_task(clocked(scope_of(number), None, None)) for number in range(20)]
    await asyncio.sleep(0)
    asked[7].cancel()
    await asyncio.gather(*asked, return_exceptions=True)
    numbers, turns = zip(*begun, strict=True)
    assert numbers == tuple(number for number in range(20) if number != 7)
    assert len(set(turns)) == len(turns)
    begun.clear()
    asked = [loop.create_task(clocked(scope_of(number), None, None)) for number in range(9)]
    asked.append(loop.create_task(clocked(scope_of(20, "192.168.1.7"), None, None)))
    await asyncio.gather(*asked)
    assert begun[2][0] == 20, "nobody else waits for one source's"
    await clocked(scope_of(20), None, None)
    assert begun[-1][0] == 20
