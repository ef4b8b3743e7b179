"""Ports for servers that tests start.

A port that is found free and let go may be taken by another test a moment later, or given to the
client's end of some connection. So it is held: bound, and not listened at, until the process ends.
Who connects to it is refused as at any free port.
"""

import atexit
import random
import socket
from contextlib import ExitStack
from functools import cache

_CHANCE = random.SystemRandom()
"""Not the generator that tests seed: two of them at once would choose the same ports."""


@cache
def _held() -> ExitStack:
    held = ExitStack()
    atexit.register(held.close)
    return held


def free_port() -> int:
    """A port that nobody listens at, and that nobody else is given."""
    while True:
        port = _CHANCE.randrange(15_000, 32_000)
        holder = socket.socket()
        try:
            holder.bind(("", port))
        except OSError:
            holder.close()
            continue
        # From now on a server that says the same may listen here, as all of ours do
        # (`socket.create_server`), and one of another test that asks as above may not.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _held().enter_context(holder)
        return port
