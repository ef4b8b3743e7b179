"""What a login costs from its bytes to the server's data, without socket and kernel.

    .venv/bin/python bench/login_way.py [--profile]

A whole server in this process with its journal and log; hundreds of clients at once, each step of
all of them timed together: the connection, each piece that the client says, what is done
afterwards, and the logout. The least of several rounds, in microseconds of one core for each
client. `--profile` prints the functions that take the most instead.
"""

import asyncio
import cProfile
import gc
import pstats
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, Final

from rig.clients import NO_TEXT, Receiver
from rig.inside import server_inside

from cccamd.net import loop_factory
from cccamd.server import Server

CLIENTS: Final = 300
ROUNDS: Final = 9


class Wire:
    """In the place of the transport: keeps what is written."""

    def __init__(self, number: int) -> None:
        self._peer = (f"127.1.{number // 250}.{1 + number % 250}", 40_000 + number)
        self.protocol: Any = None
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    def taken(self) -> bytes:
        data, self.written = self.written, b""
        return data

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._peer if name == "peername" else default

    def pause_reading(self) -> None:
        pass

    resume_reading = abort = close = pause_reading


Steps = dict[str, float]


def timed(steps: Steps, name: str, act: Callable[[Any], object], each: Sequence[Any]) -> None:
    """Do something for all, and note what it took of the processor for each."""
    began = time.thread_time()
    for one in each:
        act(one)
    steps[name] = steps.get(name, 0.0) + (time.thread_time() - began) / len(each)


async def log_in_all(server: Server, measured: Any) -> Steps:
    """One round."""
    let_in = server._front._listener.let_in
    wires = [Wire(number) for number in range(CLIENTS)]
    clients = [Receiver(number, NO_TEXT) for number in range(CLIENTS)]
    for each in clients:
        each.sock.close()
        each.protocol = each._make_protocol(0.0)
    steps: Steps = {}
    gc.collect()
    with measured:
        timed(steps, "connection", let_in, wires)
    step = 0
    while clients[0].protocol.peer is None:
        step += 1
        said = []
        for wire, client in zip(wires, clients, strict=True):
            client.protocol.receive_data(wire.taken(), 0.0)
            client.protocol.events_received()
            said.append((wire.protocol.data_received, client.protocol.data_to_send()))
        if said[0][1]:
            with measured:
                timed(steps, f"piece {step}", lambda pair: pair[0](pair[1]), said)
    began = time.thread_time()
    with measured:
        await asyncio.sleep(0.05)
    steps["soon after"] = (time.thread_time() - began) / CLIENTS
    with measured:
        timed(steps, "logout", lambda wire: wire.protocol.connection_lost(None), wires)
    await asyncio.sleep(0.05)
    return steps


async def main(profile: bool) -> None:
    """Print the figures."""
    measured = cProfile.Profile() if profile else nullcontext()
    async with server_inside(CLIENTS) as (server, _):
        gc.freeze()
        rounds = [await log_in_all(server, measured) for _ in range(2 if profile else ROUNDS)]
    if profile:
        pstats.Stats(measured).sort_stats("tottime").print_stats(60).print_callers(
            "instancecheck|encode|isinstance|hasattr|_parse_octet|from_bytes"
        )
        return
    least = {step: min(each[step] for each in rounds) for step in rounds[0]}
    for step, took in least.items():
        print(f"{step:12} {1e6 * took:6.1f} us")
    print(f"{'login':12} {1e6 * sum(least[each] for each in least if each != 'logout'):6.1f} us")


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(main("--profile" in sys.argv))
