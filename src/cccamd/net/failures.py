"""What went wrong on the way to a peer, in words for its owner.

What the operating system says about connecting and listening is translated here; what it says
about a file, a time server or our own pages is translated where those are read.
"""

import errno
import os
import socket
from enum import Enum

from cccamd.errors import CccamdError


class Step(Enum):
    """How far an attempt to connect got; the value is what people read."""

    RESOLVE = "name not found"
    ROUTE = "no route"
    REFUSED = "connection refused"
    CONNECT_TIMEOUT = "no answer to the connection attempt"
    CONNECT = "connection failed"
    SEED = "no seed"
    LOGIN = "login refused"
    INTRODUCTION = "no server data"
    UP = "logged in"


_ROUTE_ERRORS = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL})


class ConnectError(CccamdError):
    """A connection could not be made."""

    def __init__(self, step: Step, detail: str) -> None:
        super().__init__(step, detail)
        self.step = step
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.step.value}: {self.detail}"


def explain_connect_error(error: OSError, *, host: str, port: int) -> ConnectError:
    """Translate what the operating system said about a connection attempt."""
    if isinstance(error, socket.gaierror):
        return ConnectError(Step.RESOLVE, f"no address is known for the name {host}")
    if isinstance(error, TimeoutError) or error.errno == errno.ETIMEDOUT:
        detail = f"{host} does not answer: it is off, or a firewall drops port {port}"
        return ConnectError(Step.CONNECT_TIMEOUT, detail)
    if isinstance(error, ConnectionRefusedError):
        detail = f"{host} is there, but nothing listens on its port {port}"
        return ConnectError(Step.REFUSED, detail)
    if error.errno in _ROUTE_ERRORS:
        return ConnectError(Step.ROUTE, f"this machine knows no way to {host}")
    return ConnectError(Step.CONNECT, error.strerror or str(error))


_LISTEN_REASONS = {
    errno.EADDRINUSE: "another program listens there already",
    errno.EACCES: "ports below 1024 need root, or the capability CAP_NET_BIND_SERVICE",
    errno.EADDRNOTAVAIL: "this machine does not have that address",
}


def explain_listen_error(error: OSError) -> str:
    """Translate why a port is not to be had; asyncio puts words of its own around it."""
    number = error.errno or 0
    return _LISTEN_REASONS.get(number) or os.strerror(number)
