"""A worker process; the core starts it, with one end of two socket pairs."""

import asyncio
import gc
import json
import signal
import socket
import sys
from typing import Final, cast

from cccamd.ids import NodeId
from cccamd.machine import end_with_parent, keep_one_heap, raise_file_limit
from cccamd.net import loop_factory
from cccamd.workers import frames
from cccamd.workers.door import Door

CONTROL_LIMIT: Final = 65_536


class Line(asyncio.Protocol):
    """The stream to the core."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self.door = Door(self.write)
        self._transport: asyncio.Transport | None = None

    def write(self, data: bytes) -> None:
        """Send to the core."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.door.obey(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None  # nobody is there to be told anything
        self.door.close()
        self.ended.set()


def listen_as_told(door: Door, control: socket.socket) -> None:
    """Who we are, and the sockets to listen on, come as one message each."""
    told, descriptors, _, _ = socket.recv_fds(control, CONTROL_LIMIT, frames.SOCKETS_LIMIT)
    if not told:
        asyncio.get_running_loop().remove_reader(control)
        return
    words = json.loads(told)
    door.be(NodeId(bytes.fromhex(words["node_id"])), words["program"])
    door.listen([socket.socket(fileno=descriptor) for descriptor in descriptors])


async def work(stream: socket.socket, control: socket.socket) -> None:
    """Serve until the core is gone."""
    loop = asyncio.get_running_loop()
    line = Line()
    control.setblocking(False)
    loop.add_reader(control, listen_as_told, line.door, control)
    await loop.create_unix_connection(lambda: line, sock=stream)
    gc.collect()
    gc.freeze()
    await line.ended.wait()


def main() -> None:
    """Run on the descriptors that were handed over; signals are the core's business."""
    stream, control = (socket.socket(fileno=int(number)) for number in sys.argv[1:3])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    end_with_parent()
    raise_file_limit()
    keep_one_heap()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(work(stream, control))


if __name__ == "__main__":
    main()
