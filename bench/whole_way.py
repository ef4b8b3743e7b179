"""What an ECM costs from its bytes to the bytes of its answer, without socket and kernel.

    .venv/bin/python bench/whole_way.py [--profile]

A whole server in this process, with a client that has really logged in; then the requests' bytes
are given to its connection as the event loop would, and the answers are taken from it. The best
of several rounds, in microseconds on one core: what is told to observers later is in it.
`--profile` prints the functions that take the most instead, and how often each is called.
"""

import asyncio
import cProfile
import pstats
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rig.clients import Broadcast, Receiver
from rig.serving import TEST_CARD

from cccamd.ids import ShareId
from cccamd.lab.ports import free_port
from cccamd.localcards import find_kinds
from cccamd.net import Client, Connection, loop_factory
from cccamd.server import Server
from cccamd.setup.cccamcfg import parse
from cccamd.setup.setup import Setup
from cccamd.setup.toml import parse as parse_toml
from cccamd.wire.cccam import Caller, ClientProtocol, Identity, Target, make_node_id

ECMS: Final = 4000
ROUNDS: Final = 7
KNOWN: Final = 500
BATCH: Final = 20
"""Requests after which the loop has a turn, as with so many clients at once."""


class Sink:
    """In the place of the transport."""

    def __init__(self) -> None:
        self.written = 0

    def write(self, data: bytes) -> None:
        self.written += len(data)

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, name: str) -> None:
        return None

    def pause_reading(self) -> None:
        pass

    resume_reading = abort = close = pause_reading


async def logged_in(
    folder: Path,
) -> tuple[Server, Client[ClientProtocol], Connection[Any], Receiver]:
    """A server with its journal, and one client whose requests can be made by `Receiver`."""
    port = free_port()
    cfg = f"SERVER LISTEN PORT : {port}\nF: user0 secret\nALLOW TELNETINFO : no\n"
    cfg += f"WEBINFO LISTEN PORT : {free_port()}\n"
    config = parse(cfg.encode()).config
    toml = parse_toml(
        f'[server]\nbind = ["127.0.0.1"]\n{TEST_CARD}', kinds=find_kinds(), folder=folder
    )
    assert not toml.problems, [str(each) for each in toml.problems]
    server = Server(Setup(config=config, toml=toml.config, node_id=make_node_id(b"benc")))
    await server.start()
    receiver = Receiver(0)
    target = Target(host="127.0.0.1", port=port, user=b"user0", password=b"secret")
    node_id = make_node_id((0).to_bytes(4))
    client = await Client.connect("127.0.0.1", port, Caller(target, Identity(node_id, "bench")))
    await client.wait_until(lambda: len(client.cards) == 1, timeout=5)
    receiver.protocol = client.protocol
    receiver.knows(ShareId(next(iter(client.cards))))
    (session,) = server._sessions()
    return server, client, session.connection, receiver


async def run(connection: Connection[Any], requests: Sequence[bytes]) -> None:
    """Give them to the connection, with turns for the rest of the server in between."""
    receive = connection.data_received
    for at in range(0, len(requests), BATCH):
        for each in requests[at : at + BATCH]:
            receive(each)
        await asyncio.sleep(0)
    await asyncio.sleep(0.02)


async def main(profile: bool) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as name:
        server, client, connection, receiver = await logged_in(Path(name))
        own, connection._transport = connection._transport, Sink()
        connection.intake = None  # nobody asks that fast without being held back
        circles = list(Broadcast(0).distinct(1, KNOWN))
        try:
            for kind in ("distinct", "known"):
                best = float("inf")
                for round_ in range(ROUNDS):
                    receiver.requests.clear()
                    if kind == "known":
                        receiver.prepare(circles * (ECMS // KNOWN))
                        warm, receiver.requests[:] = (
                            receiver.requests[:KNOWN],
                            receiver.requests[KNOWN:],
                        )
                        await run(connection, warm)
                    else:
                        receiver.prepare(Broadcast(100 + round_).distinct(1, ECMS))
                    if profile and round_ == 3:
                        with cProfile.Profile() as measured:
                            await run(connection, receiver.requests)
                        print(kind, len(receiver.requests))
                        pstats.Stats(measured).sort_stats("tottime").print_stats(55)
                        break
                    began = time.thread_time()
                    await run(connection, receiver.requests)
                    took = time.thread_time() - began
                    best = min(best, took / len(receiver.requests))
                print(f"{kind:9} {1e6 * best:6.1f} us")
        finally:
            connection._transport = own
            await client.close()
            await server.stop()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(main("--profile" in sys.argv))
