"""Addresses of names, looked up so that a name that hangs holds up nobody but itself.

Theory of operation. The system's own resolver is asked, because only it knows /etc/hosts,
nsswitch.conf and names of the local network as the owner's other programs do; it blocks, so it
runs in a thread. Each name that is being looked up has one thread of its own, started when it is
asked for and gone when the answer is there: whoever else wants the same name waits for the same
answer, and no name waits for another. So there are never more threads than names in the
configuration, however long a name server is silent. They are daemon threads: a program that ends
does not wait for them.

Whoever waits gives up by itself; the thread goes on, and what it finds late is used by those who
ask again soon (a resolver that first asks a dead name server needs five seconds each time).
"""

import asyncio
import socket
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Final

from cccamd.facts import Step
from cccamd.machine import SocketAddress, is_cut_off
from cccamd.net.failures import ConnectError, cut_off, explain_name_error

LATE: Final = 1.0
"""Seconds after which an answer counts as late."""
LATE_ANSWER_KEPT: Final = 60.0
"""Seconds for which a late answer is used."""


class _Lookup:
    """One name that is looked up, or was, slowly, a moment ago."""

    def __init__(self, host: str) -> None:
        self.found: Future[tuple[SocketAddress, ...]] = Future()
        self._host = host
        self._started_at = time.monotonic()
        self._kept_until = 0.0
        self.found.set_running_or_notify_cancel()  # whoever gives up does not stop it
        threading.Thread(target=self._run, name=f"name {host}", daemon=True).start()

    @property
    def is_of_use(self) -> bool:
        """Whether somebody who asks now can have its answer."""
        return not self.found.done() or time.monotonic() < self._kept_until

    def _run(self) -> None:
        try:
            addresses = _ask_system(self._host)
        except Exception as error:
            self.found.set_exception(error)
            return
        now = time.monotonic()
        if now - self._started_at >= LATE:
            self._kept_until = now + LATE_ANSWER_KEPT
        self.found.set_result(addresses)


_lookups: dict[str, _Lookup] = {}


async def resolve(host: str, *, timeout: float) -> tuple[SocketAddress, ...]:
    """The addresses of a host, best first, each with port 0; an address is its own.

    Raises:
        ConnectError: there is none, or nobody says so in time.
    """
    try:
        return _ask_system(host, flags=socket.AI_NUMERICHOST)
    except UnicodeError as error:  # a label that is empty or too long for a name
        raise ConnectError(Step.RESOLVE, f"{host} cannot be a name of a machine") from error
    except OSError:
        pass
    try:
        async with asyncio.timeout(timeout):
            return await asyncio.wrap_future(_lookup(host).found)
    except TimeoutError:
        silent = f"no name server answered within {timeout:g} s to the question for {host}"
        raise _as_it_is(ConnectError(Step.NAME_SERVER, silent), host) from None
    except OSError as error:
        raise _as_it_is(explain_name_error(error, host), host) from error
    except RuntimeError as error:  # the system gives us no more threads
        raise ConnectError(Step.CONNECT, f"{host} cannot be looked up: {error}") from error


def _as_it_is(error: ConnectError, host: str) -> ConnectError:
    """A name server is not to blame when nothing leads out of this machine."""
    if error.step is Step.NAME_SERVER and is_cut_off():
        return cut_off(host)
    return error


def _lookup(host: str) -> _Lookup:
    for known in [name for name, lookup in _lookups.items() if not lookup.is_of_use]:
        del _lookups[known]
    if host not in _lookups:
        _lookups[host] = _Lookup(host)
    return _lookups[host]


def _ask_system(host: str, *, flags: int = 0) -> tuple[SocketAddress, ...]:
    found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=flags)
    addresses: Sequence[SocketAddress] = [
        (str(address[0]), int(address[1]), *address[2:]) for *_, address in found
    ]
    return tuple(dict.fromkeys(addresses))
