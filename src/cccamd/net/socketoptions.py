"""What the sockets of connections are told: send at once, and notice dead peers."""

import socket
from functools import cache

KEEPALIVE_IDLE, KEEPALIVE_PROBE_INTERVAL, KEEPALIVE_PROBES = 15, 5, 3
"""A peer whose machine is gone is noticed after 30 s (docs/protocol.md section 12)."""
DEAD_PEER_MILLISECONDS = 30_000


def set_socket_options(sock: socket.socket) -> None:
    """Send at once, and notice dead peers (docs/protocol.md section 2).

    Of use for a socket that listens, too: those that it accepts inherit them, and cost one system
    call instead of a dozen (uvloop makes a socket object for each).
    """
    if sock.family == socket.AF_UNIX:
        return  # there is nothing between its ends
    *others, (level, name, value) = _socket_options()
    if sock.getsockopt(level, name) == value:
        return  # inherited, as all others were
    for each in others:
        sock.setsockopt(*each)
    sock.setsockopt(level, name, value)


@cache
def _socket_options() -> list[tuple[int, int, int]]:
    """Levels, names and values of those that the system knows."""
    options = [
        (socket.IPPROTO_TCP, "TCP_NODELAY", 1),
        (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
        (socket.IPPROTO_TCP, "TCP_KEEPIDLE", KEEPALIVE_IDLE),
        (socket.IPPROTO_TCP, "TCP_KEEPINTVL", KEEPALIVE_PROBE_INTERVAL),
        (socket.IPPROTO_TCP, "TCP_KEEPCNT", KEEPALIVE_PROBES),
        (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", DEAD_PEER_MILLISECONDS),
    ]
    return [
        (level, getattr(socket, name), value)
        for level, name, value in options
        if hasattr(socket, name)
    ]
