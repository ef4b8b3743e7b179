"""Requests that are none, or break off, sent byte by byte to a real server on its own kind of loop:
nobody else notices, and nothing of ours fails."""

import asyncio
import logging
import socket
import struct
from collections.abc import Iterable

import pytest
from browsing import get, serving
from scene import Scene

from cccamd.net import loop_factory

HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
LIVE = b"GET /live/events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
RESET = struct.pack("ii", 1, 0)
"""Linger no longer: closing resets the connection."""

BROKEN: dict[str, tuple[bytes, ...]] = {
    "a chunk without a length": (CHUNKED + b"ZZZ\r\nhello\r\n0\r\n\r\n",),
    "a chunk of negative length": (CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n",),
    "the same behind the head": (CHUNKED, b"ZZZ\r\n"),
    "the same while the answer goes on": (LIVE, b"", b"ZZZ\r\n" + b"x" * 100),
    "an upgrade": (HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + bytes(range(99)),),
    "no HTTP": (bytes(range(256)) * 8,),
    "a second request that is none": (HEAD + b"\r\nFOO\r\n\r\n",),
    "half a head": (HEAD[:20],),
    "a line that never ends": (b"GET /" + b"a" * 100_000,),
}


def send(port: int, pieces: Iterable[bytes], *, reset: bool) -> None:
    """Send pieces with a pause at each that is empty; read what comes, or cut the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=5.0) as sock:
        try:
            for piece in pieces:
                if piece:
                    sock.sendall(piece)
                else:
                    sock.recv(1)  # the answer has begun
            if reset:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                return
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass
        except OSError:
            pass  # it hung up: that is its right


@pytest.mark.parametrize("reset", [False, True])
def test_what_is_no_request_hurts_nobody_and_is_no_error_of_ours(
    reset: bool, caplog: pytest.LogCaptureFixture
) -> None:
    scene = Scene()
    went_wrong: list[object] = []

    async def attack() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, told: went_wrong.append(told))
        async with serving(scene.app()) as port:
            for name, pieces in BROKEN.items():
                await asyncio.to_thread(send, port, pieces, reset=reset)
                assert (await get(port, "/health")).status == "HTTP/1.1 200 OK", name
                assert (scene.failures, went_wrong) == ([], []), name

    caplog.set_level(logging.WARNING)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(attack())
    assert not caplog.records


@pytest.mark.parametrize("digits", [20, 400, 5000])
async def test_a_number_may_be_too_large_for_anything(digits: int) -> None:
    scene = Scene()
    async with serving(scene.app()) as port:
        page = await get(port, f"/freezes/{'9' * digits}")
        data = await get(port, f"/api/freezes/{'9' * digits}")
    assert (page.status, data.status) == ("HTTP/1.1 404 Not Found", "HTTP/1.1 400 Bad Request")
    assert not scene.failures


async def test_of_a_page_that_fails_no_more_is_told_than_fits_into_a_line() -> None:
    scene = Scene()
    app = scene.app()
    scene.snapshot = None  # type: ignore[assignment]
    async with serving(app) as port:
        await get(port, f"/explain?account={'a' * 9000}")
        await get(port, f"/api/../{'a' * 9000}/../../explain")
    assert all(len(told) < 300 for told in scene.failures)
    assert scene.failures
