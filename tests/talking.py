"""Somebody who listens, and talks to whoever comes; nothing of him is left at the end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

HOST = "127.0.0.1"
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def talking(talk: Talk) -> AsyncIterator[int]:
    """Yields his port. `talk` ends when the other side does; the line is closed after it.

    A talk that is cut off with its loop would leave a socket, which some later test is blamed for.
    """
    talks: list[asyncio.Task[None] | None] = []

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.append(asyncio.current_task())
        with suppress(ConnectionError):
            await talk(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(meet, HOST, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
    async with asyncio.timeout(20.0):
        await asyncio.gather(*filter(None, talks))
