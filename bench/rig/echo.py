"""The yardstick: answer each request of the load with as many bytes as a CW takes.

    python bench/rig/echo.py PORT

No cipher, no thought: what the event loop and the kernel take for themselves. On uvloop where
it is installed.
"""

import asyncio
import sys

try:
    import uvloop
except ImportError:
    uvloop = None

REQUEST_LENGTH, ANSWER = 167, bytes(20)


class Echo(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._length = 0

    def data_received(self, data: bytes) -> None:
        self._length += len(data)
        requests, self._length = divmod(self._length, REQUEST_LENGTH)
        if requests:
            self._transport.write(ANSWER * requests)


async def main() -> None:
    """Serve until killed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", int(sys.argv[1]), backlog=1000)
    await server.serve_forever()


if __name__ == "__main__":
    if uvloop is None:
        asyncio.run(main())
    else:
        uvloop.run(main())
