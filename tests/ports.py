"""Ports for servers that tests start."""

import contextlib
import random
import socket

_CHANCE = random.SystemRandom()
"""Not the generator that tests seed: two of them at once would choose the same ports."""


def free_port() -> int:
    """A port that nobody listens at, and that no client's end of a connection may take: the
    system gives those out from 32768 on."""
    while True:
        port = _CHANCE.randrange(15_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("", port))
            return port
