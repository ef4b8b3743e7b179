"""What keeps strangers from using up the web server: each bound, against a real one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from browsing import exchange, get, serving
from scene import Scene
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cccamd.web import create_app
from cccamd.web import serving as web_serving

PASSED = "HTTP/1.1 200 OK"


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with serving(Scene().app()) as port:
        yield port


async def test_connections_that_ask_nothing_are_ended(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_serving, "HEAD_TIMEOUT", 0.5)
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


async def test_more_connections_than_anybody_needs_are_not_kept(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_serving, "SOCKETS_LIMIT", 3)
    writers = [(await asyncio.open_connection("127.0.0.1", port))[1] for _ in range(3)]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(2.0):
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
    for each in (writer, *writers):
        each.close()
    await asyncio.sleep(0.05)
    assert (await get(port, "/health")).status == PASSED


async def test_a_second_head_must_come_in_time_too(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_serving, "HEAD_TIMEOUT", 0.5)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /health HTTP/1.1\r\nHost: t\r\n\r\n")
    await reader.readuntil(b"}")
    writer.write(b"GET ")
    async with asyncio.timeout(2.0):
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
    writer.close()


async def test_an_answer_may_take_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one whose request was there before the one before it had quite ended."""
    monkeypatch.setattr(web_serving, "HEAD_TIMEOUT", 0.5)

    async def slow_to_end(_: Request) -> Response:
        return Response("done", background=BackgroundTask(asyncio.sleep, 0.1))

    app = create_app(Scene().context(), routes=[Route("/slow", slow_to_end)])
    async with serving(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for path in (b"/slow", b"/live/events"):
            writer.write(b"GET " + path + b" HTTP/1.1\r\nHost: t\r\n\r\n")
        await reader.readuntil(b"event: whole")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.9):
                await reader.read()
        writer.close()


async def test_more_requests_at_once_than_anybody_needs_are_told_to_come_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(web_serving, "CONNECTIONS_LIMIT", 2)
    async with serving(Scene().app()) as port:
        _, idle = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.sleep(0.05)
        assert (await get(port, "/health")).status == "HTTP/1.1 503 Service Unavailable"
        idle.close()
        await idle.wait_closed()
        assert (await get(port, "/health")).status == PASSED


async def test_a_head_that_is_too_long_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_serving, "HEAD_LIMIT", 1024)
    unended = "GET /health HTTP/1.1\r\nX: " + "x" * web_serving.HEAD_LIMIT
    async with serving(Scene().app()) as port:
        answer = await exchange(port, unended)
    assert answer.status == "HTTP/1.1 400 Bad Request"
