"""Requests made by hand: to a real web server byte by byte, or straight to an application."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import FastAPI
from starlette.types import Message

from cccamd.web.serving import WebServer


@dataclass(frozen=True)
class Reply:
    """What came back until the server closed the connection."""

    status: str
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


def fail(name: str, error: BaseException) -> None:
    """Nothing of ours may fail."""
    raise AssertionError(name) from error


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[int]:
    """Serve an application, and give its port."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        server = WebServer(app, [sock], on_failure=fail)
        running = asyncio.get_running_loop().create_task(server.run())
        try:
            yield sock.getsockname()[1]
        finally:
            server.stop()
            await running


async def exchange(port: int, request: str, *, source: str = "127.0.0.1") -> Reply:
    """Send a request as it stands, and read to the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    writer.write(request.encode())
    async with asyncio.timeout(10.0):
        answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    pairs = (line.partition(": ") for line in lines)
    return Reply(status, {name.lower(): value for name, _, value in pairs}, body)


async def get(
    port: int,
    path: str,
    *headers: str,
    method: str = "GET",
    source: str = "127.0.0.1",
    host: str = "localhost",
) -> Reply:
    """Ask as HTTP/1.1 with `Connection: Close`."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: Close", *headers]
    return await exchange(port, "\r\n".join(lines) + "\r\n\r\n", source=source)


async def ask(app: FastAPI, path: str, *, method: str = "GET") -> Reply:
    """Ask an application without any socket."""
    bare, _, query = path.partition("?")
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": bare,
        "raw_path": bare.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 16_001),
    }
    await app(scope, receive, send)
    status = HTTPStatus(sent[0]["status"])
    headers = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return Reply(f"HTTP/1.1 {status.value} {status.phrase}", headers, body)
