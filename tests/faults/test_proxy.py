"""The bad way itself: it ends as quietly as it began, whatever is under way on it."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from laboratory import HOST
from proxy import Proxy, Way


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(100):
        writer.write(data)
    writer.close()


@pytest.mark.parametrize("way", [Way(), Way(delay=30.0), Way(dead=True), Way(silent_after=0)])
def test_a_way_ends_without_a_word_while_it_is_used(way: Way) -> None:
    said: list[dict[str, Any]] = []

    async def use() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context))
        server = await asyncio.start_server(_echo, HOST, 0)
        proxy = Proxy(server.sockets[0].getsockname()[1], way)
        async with proxy.open():
            reader, writer = await asyncio.open_connection(HOST, proxy.port)
            writer.write(b"x")
            if way == Way():
                assert await reader.read(1) == b"x"
            await asyncio.sleep(0.05)
        with suppress(ConnectionError):
            assert not await reader.read(1)
        writer.close()
        server.close()
        await asyncio.sleep(0.05)  # the echo ends by itself
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(use())
    assert not said
