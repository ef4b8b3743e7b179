"""A service of one's own: takes what apprise's `json://` posts, or refuses it."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from cccamd.lab.ports import free_port


class Mailbox:
    def __init__(self, port: int) -> None:
        self.url = f"json://tv:hunter2@127.0.0.1:{port}"
        self.got: list[dict[str, Any]] = []
        self.answer = "200 OK"
        self.knocks = 0

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        )
        body = await reader.readexactly(length)
        self.knocks += 1
        if self.answer.startswith("200"):
            self.got.append(json.loads(body))
        writer.write(f"HTTP/1.1 {self.answer}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def until(self, number: int) -> None:
        async with asyncio.timeout(20.0):
            while len(self.got) < number:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def mailbox() -> AsyncIterator[Mailbox]:
    port = free_port()
    box = Mailbox(port)
    server = await asyncio.start_server(box.take, "127.0.0.1", port)
    try:
        yield box
    finally:
        server.close()
        await server.wait_closed()


@contextmanager
def mailbox_of_its_own() -> Iterator[Mailbox]:
    """One in a thread, for those whose own loop stands still, or lives in another time."""
    opened, done = threading.Event(), threading.Event()
    boxes: list[Mailbox] = []

    async def live() -> None:
        async with mailbox() as box:
            boxes.append(box)
            opened.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=lambda: asyncio.run(live()))
    thread.start()
    opened.wait()
    try:
        yield boxes[0]
    finally:
        done.set()
        thread.join()
