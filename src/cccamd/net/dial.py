"""Names of machines: open a connection to a server by its name, tell whether one has called us.

Theory of operation. `dial` takes the steps one after the other, each with its own time-out:
the name is resolved; its addresses are raced (RFC 8305: families in turn, the next address
starts when the one before has failed or has had `HEAD_START` seconds; the first connection
wins); then the protocol object takes over, with time-outs of its own. When all addresses fail,
the failure that got furthest is told: that of the address that nearly worked.

While it connects, a socket is asked for the messages of the network (ICMP) that Linux otherwise
folds into a few error numbers: only they tell a machine that is off from a firewall that rejects.
"""

import asyncio
import os
import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final, TypeVar

from cccamd.errors import NumberError, bare
from cccamd.facts import Step
from cccamd.ids import IpAddress, parse_address, unwrap_address
from cccamd.machine import SocketAddress, is_cut_off, is_near, route_to
from cccamd.net.connection import Connection
from cccamd.net.failures import Attempt, ConnectError, Notice, explain_connect_error
from cccamd.net.kernel import was_answered
from cccamd.net.resolve import resolve
from cccamd.net.socketoptions import set_socket_options
from cccamd.net.tasks import TaskSet
from cccamd.net.tls import TlsCall

CONNECT_TIMEOUT: Final = 5.0
"""Seconds for each address."""
HEAD_START: Final = 0.25
"""Seconds that an address has before the next one is tried as well (RFC 8305 section 5)."""
NAME_TIMEOUT: Final = 12.0
"""Seconds for the name: longer than the system waits for a first name server that is dead."""
LOGIN_NAME_TIMEOUT: Final = 1.5
"""Clients wait two seconds for the answer to their login (docs/protocol.md section 13.6)."""

_DEPTH: Final = (
    Step.CUT_OFF,
    Step.ROUTE,
    Step.CONNECT,
    Step.GATEWAY,
    Step.ABSENT,
    Step.UNREACHABLE,
    Step.CONNECT_TIMEOUT,
    Step.FORBIDDEN,
    Step.REFUSED,
)
"""How far an attempt got, the furthest last."""

E = TypeVar("E")


async def locate(host: str) -> frozenset[IpAddress]:
    """Find the addresses of a host that a client must come from, without zones.

    Names are resolved each time (docs/config.md section 3.1), because they change.

    Raises:
        ConnectError: the host has no address, or nobody says so in time.
    """
    with suppress(NumberError):
        return frozenset({parse_address(host)})
    found = await resolve(host, timeout=LOGIN_NAME_TIMEOUT)
    return frozenset(parse_address(each[0]) for each in found)


async def dial(
    host: str, port: int, make: Callable[[], Connection[E]], *, tls: TlsCall | None = None
) -> Connection[E]:
    """Resolve the name, connect, and leave the rest to the connection that `make` makes then.

    `tls`: the server is paired, and has to prove its key first.

    Raises:
        ConnectError: there is no connection; says which step failed.
    """
    if tls is not None:
        tls.expected()
    addresses = await resolve(host, timeout=NAME_TIMEOUT)
    sock = await connect(addresses, host=host, port=port, patience=CONNECT_TIMEOUT)
    if tls is not None:
        return await tls.open(sock, make)
    try:
        _, opened = await asyncio.get_running_loop().create_connection(make, sock=sock)
    except OSError as error:  # it ended before it began
        sock.close()
        raise explain_connect_error(error, host=host, port=port) from error
    except BaseException:
        sock.close()
        raise
    return opened


async def connect(
    addresses: Sequence[SocketAddress], *, host: str, port: int, patience: float
) -> socket.socket:
    """Connect to the first of some addresses of a host that takes the connection.

    `patience` is seconds for each address.

    Raises:
        ConnectError: none does.
    """
    sock = await _Race(host, port, patience).run(_in_turn(addresses))
    with suppress(OSError):  # it has ended already, which whoever reads it will see
        set_socket_options(sock)
    return sock


def _in_turn(addresses: Sequence[SocketAddress]) -> list[SocketAddress]:
    """Let the families alternate, beginning with that which the system prefers."""
    first = [each for each in addresses if len(each) == len(addresses[0])]
    others = [each for each in addresses if len(each) != len(addresses[0])]
    pairs = zip_longest(first, others)
    return [address for pair in pairs for address in pair if address is not None]


class _Race:
    """Attempts to reach one host by several addresses, each with a head start over the next."""

    def __init__(self, host: str, port: int, patience: float) -> None:
        self._host, self._port, self._patience = host, port, patience
        self._failures: list[ConnectError] = []
        self._won: socket.socket | None = None
        self._over = False
        self._news = asyncio.Event()
        self._errors = errors = list[BaseException]()
        self._attempts = TaskSet(on_failure=lambda _, error: errors.append(error))

    async def run(self, addresses: Sequence[SocketAddress]) -> socket.socket:
        """Have the socket of whoever was first; nothing else is under way then.

        Raises:
            ConnectError: all have failed.
        """
        try:
            await self._until_one_won(addresses)
            await self._attempts.cancel()
        except BaseException:
            self._over = True
            if self._won is not None:
                self._won.close()
            await self._attempts.cancel()
            raise
        if self._won is None:
            self._failures.sort(key=lambda failure: _DEPTH.index(failure.step))
            raise self._failures.pop()  # its frames hold this race
        return self._won

    async def _until_one_won(self, addresses: Sequence[SocketAddress]) -> None:
        for number, address in enumerate(addresses, 1):
            self._attempts.start(f"connecting to {address[0]}", self._attempt(address))
            while not await self._settled(number):
                if number < len(addresses):
                    break
            if self._won is not None:
                break

    async def _settled(self, started: int) -> bool:
        """Wait for news; whether there is a winner, or nothing under way any more."""
        with suppress(TimeoutError):
            async with asyncio.timeout(HEAD_START):
                await self._news.wait()
        self._news.clear()
        if self._errors:
            raise self._errors[0]
        return self._won is not None or len(self._failures) == started

    async def _attempt(self, address: SocketAddress) -> None:
        try:
            sock = await _connect_to(address, self._host, self._port, self._patience)
        except ConnectError as error:
            self._failures.append(bare(error))
        else:
            if self._over or self._won is not None:
                sock.close()
            else:
                self._won = sock
        finally:
            self._news.set()


async def _connect_to(
    address: SocketAddress, host: str, port: int, patience: float, *, again: bool = True
) -> socket.socket:
    family = socket.AF_INET if len(address) == 2 else socket.AF_INET6
    target = (address[0], port, *address[2:])
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:  # no IPv6 here, or no descriptor left
        raise explain_connect_error(error, host=host, port=port) from error
    try:
        sock.setblocking(False)
        _listen_for_notices(sock, wanted=True)
        async with asyncio.timeout(patience):
            await asyncio.get_running_loop().sock_connect(sock, target)
        sock.getpeername()  # a notice wakes whoever waits, too
        _listen_for_notices(sock, wanted=False)
    except OSError as error:
        if again and isinstance(error, TimeoutError) and was_answered(sock):
            # Its time is over only because our own loop stood still and did not hear the answer:
            # to say of the other machine that it does not answer would be false.
            sock.close()
            return await _connect_to(address, host, port, patience, again=False)
        attempt, said = _examine(sock, address, error)
        sock.close()
        raise explain_connect_error(said, host=host, port=port, attempt=attempt) from error
    except BaseException:
        sock.close()
        raise
    return sock


# What the system knows of a failed attempt.


_IP_RECVERR: Final = getattr(socket, "IP_RECVERR", 11)
_IPV6_RECVERR: Final = getattr(socket, "IPV6_RECVERR", 25)
_MSG_ERRQUEUE: Final = getattr(socket, "MSG_ERRQUEUE", 0)
"""Linux's; without it there are no notices, and own networks must tell."""
_SOCK_EXTENDED_ERR: Final = struct.Struct("=I4B8x")
"""Error number, origin, type, code; what follows is the address of the sender."""
_FROM_ICMP, _FROM_ICMP6 = 2, 3
_UNREACHABLE, _UNREACHABLE6 = 3, 1
_NOTICES: Final = {
    0: Notice.NO_WAY,
    1: Notice.NO_HOST,
    3: Notice.NO_PORT,
    6: Notice.NO_WAY,
    7: Notice.NO_HOST,
    9: Notice.FORBIDDEN,
    10: Notice.FORBIDDEN,
    13: Notice.FORBIDDEN,
}
"""Codes of ICMP's "destination unreachable" (RFC 792, RFC 1812)."""
_NOTICES6: Final = {
    0: Notice.NO_WAY,
    1: Notice.FORBIDDEN,
    2: Notice.NO_HOST,
    3: Notice.NO_HOST,
    4: Notice.NO_PORT,
    5: Notice.FORBIDDEN,
    6: Notice.FORBIDDEN,
}
"""Codes of ICMPv6's (RFC 4443)."""


def _listen_for_notices(sock: socket.socket, *, wanted: bool) -> None:
    """On a connection that stands, a notice must not count: anybody could forge one."""
    if not _MSG_ERRQUEUE:
        return
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, wanted)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, wanted)


def _examine(
    sock: socket.socket, address: SocketAddress, error: OSError
) -> tuple[Attempt, OSError]:
    """What is known of an attempt, and its error: a notice has its own, which might be missing."""
    said, way = _read_notice(sock), route_to(address)
    attempt = Attempt(
        address=unwrap_address(address[0]),
        way=way,
        cut_off=way is None and is_cut_off(),
        near=is_near(address[0]),
        notice=said.notice if said is not None else None,
        sender=said.sender if said is not None else "",
    )
    return attempt, error if said is None else OSError(said.error, os.strerror(said.error))


@dataclass(frozen=True, slots=True)
class _Said:
    """A notice, who sent it, and the error that the system makes of it."""

    notice: Notice
    sender: str
    error: int


def _read_notice(sock: socket.socket) -> _Said | None:
    if not _MSG_ERRQUEUE:
        return None
    try:
        _, ancillary, _, _ = sock.recvmsg(1, 512, _MSG_ERRQUEUE)
    except OSError:
        return None
    return next(filter(None, (_understand(data) for _, _, data in ancillary)), None)


def _understand(data: bytes) -> _Said | None:
    error, origin, kind, code, _ = _SOCK_EXTENDED_ERR.unpack_from(data)
    sender = data[_SOCK_EXTENDED_ERR.size :]
    if (origin, kind) == (_FROM_ICMP, _UNREACHABLE):
        notice, address = _NOTICES.get(code), socket.inet_ntop(socket.AF_INET, sender[4:8])
    elif (origin, kind) == (_FROM_ICMP6, _UNREACHABLE6):
        notice, address = _NOTICES6.get(code), socket.inet_ntop(socket.AF_INET6, sender[8:24])
    else:
        return None
    return _Said(notice, address, error) if notice is not None else None
