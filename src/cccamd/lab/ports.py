"""Ports for servers that start in a moment: of the demonstration, of tests and benches.

A port that is found free and let go may be taken by another server a moment later, or given to the
client's end of some connection. So it is held: bound, and not listened at. Who connects to it is
refused as at any free port.
"""

import atexit
import random
import socket
from contextlib import ExitStack, suppress
from functools import cache

_CHANCE = random.SystemRandom()
"""Not the generator that tests seed: two of them at once would choose the same ports."""


def hold_port(number: int = 0) -> socket.socket:
    """Bind a port, 0: any that is free, until the socket is closed.

    Raises:
        OSError: somebody has it.
    """
    holder = socket.socket()
    try:
        holder.bind(("", number))
    except OSError:
        holder.close()
        raise
    # After the bind: a server that says the same may listen here from now on, as all of ours do
    # (`socket.create_server`), and nobody else can hold it.
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return holder


def free_port() -> int:
    """A port that nobody listens at, and that nobody else is given until this process ends."""
    while True:
        port = _CHANCE.randrange(15_000, 32_000)
        with suppress(OSError):
            _held().enter_context(hold_port(port))
            return port


@cache
def _held() -> ExitStack:
    held = ExitStack()
    atexit.register(held.close)
    return held
