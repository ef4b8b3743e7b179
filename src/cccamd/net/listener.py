"""The server's door: listening sockets, and what happens before a session begins."""

import asyncio
import errno
import socket
from collections.abc import Callable, Hashable, Sequence
from typing import Final, Protocol, cast

from cccamd.errors import CccamdError
from cccamd.net.admission import Admission, NoEntry
from cccamd.net.connection import peer_address
from cccamd.net.failures import explain_listen_error
from cccamd.wire.link import CloseReason

BACKLOG: Final = 1024
"""Connections that the kernel keeps for us while we are busy."""
LOOKS_AT_ONCE: Final = 50
"""Addresses that are looked at before others have their turn: some 20 µs each."""

FAMILY_MISSING = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})
"""A machine without IPv6 is a machine that listens on IPv4."""


class Guest(Hashable, Protocol):
    """What the listener needs of a session: a protocol for asyncio, and a way to end it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""

    def when_ended(self, act: Callable[[], object]) -> None:
        """Call `act` once when it has ended, whatever failed in between."""

    def close(self, reason: CloseReason = ..., detail: str = ...) -> None:
        """End it."""


def hand_over(transport: asyncio.Transport, guest: Guest) -> None:
    """Leave an admitted connection to its guest, as it is."""
    transport.set_protocol(cast(asyncio.Protocol, guest))
    guest.connection_made(transport)


HandOver = Callable[[asyncio.Transport, Guest], None]
"""Gives an admitted connection to its guest."""


class ListenError(CccamdError):
    """A port cannot be listened on."""

    def __init__(self, address: str, port: int, reason: str) -> None:
        super().__init__(address, port, reason)
        self.address = address
        self.port = port
        self.reason = reason

    def __str__(self) -> str:
        return f"cannot listen on {self.address} port {self.port}: {self.reason}"


class Listener:
    """Accepts connections and hands each to a new guest, if it is admitted."""

    def __init__(
        self,
        admission: Admission[Guest],
        *,
        make_guest: Callable[[], Guest],
        on_refused: Callable[[str, NoEntry], None],
        on_failure: Callable[[str, BaseException], None],
        hand_over: HandOver = hand_over,
    ) -> None:
        """`hand_over` gives an admitted connection to its guest, perhaps after a handshake."""
        self.admission = admission
        self._make_guest = make_guest
        self._on_refused = on_refused
        self._on_failure = on_failure
        self._hand_over = hand_over
        self._servers: list[asyncio.Server] = []

    @property
    def ports(self) -> list[int]:
        """The ports that are open; of use where port 0 was asked for."""
        return [sock.getsockname()[1] for server in self._servers for sock in server.sockets]

    async def open(self, addresses: Sequence[str], port: int) -> None:
        """Listen on a port of each address, instead of where we listen now.

        Raises:
            ListenError: one of them is not to be had; what was open before stays open.
        """
        before, self._servers = self._servers, await self._listen(addresses, port)
        for server in before:
            server.close()

    async def _listen(self, addresses: Sequence[str], port: int) -> list[asyncio.Server]:
        loop = asyncio.get_running_loop()
        servers: list[asyncio.Server] = []
        # Not asyncio's own: it takes a socket that the system does not give for no trouble at
        # all, and a server that listens nowhere would run on.
        sockets = open_sockets(addresses, port)
        try:
            servers += [
                await loop.create_server(lambda: _Door(self), sock=sock, backlog=BACKLOG)
                for sock in sockets
            ]
        except OSError as error:
            for server in servers:
                server.close()
            for sock in sockets:
                sock.close()
            raise ListenError(addresses[0], port, explain_listen_error(error)) from error
        return servers

    async def close(self) -> None:
        """Stop listening; guests stay."""
        for server in self._servers:
            server.close()
        self._servers.clear()

    def dismiss(self, reason: CloseReason) -> None:
        """End all connections that came in here."""
        for guest in self.admission.inside:
            guest.close(reason)

    async def dismiss_unwelcome(self, reason: CloseReason) -> int:
        """End the connections that would not be let in any more; say how many."""
        ended = 0
        for number, guest in enumerate(self.admission.inside, 1):
            if not self.admission.is_welcome(guest):
                guest.close(reason)
                ended += 1
            if not number % LOOKS_AT_ONCE:
                await asyncio.sleep(0)
        return ended

    def let_in(self, transport: asyncio.Transport) -> None:
        """Decide about one connection; whatever goes wrong, it does not stay half open."""
        try:
            self._decide(transport)
        except Exception as error:
            transport.abort()
            self._on_failure("the door", error)

    def _decide(self, transport: asyncio.Transport) -> None:
        address, _ = peer_address(transport)
        refusal = self.admission.refusal(address)
        if refusal is not None:
            transport.abort()
            self._on_refused(address, refusal)
            return
        guest = self._make_guest()
        guest.when_ended(lambda: self.admission.leave(guest))
        crowded_out = self.admission.enter(guest, address)
        if crowded_out is not None:
            crowded_out.close(CloseReason.TOO_MANY_LOGINS)
        self._hand_over(transport, guest)


class _Door(asyncio.Protocol):
    """Stands in for the guest until it is admitted."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._listener.let_in(cast(asyncio.Transport, transport))


def open_sockets(addresses: Sequence[str], port: int) -> list[socket.socket]:
    """Listen on a port of each address, for a server that brings its own protocol.

    Raises:
        ListenError: one of them is not to be had; the others are closed again.
    """
    sockets: list[socket.socket] = []
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            sockets.append(socket.create_server((address, port), family=family, backlog=BACKLOG))
        except OSError as error:
            if sockets and error.errno in FAMILY_MISSING:
                continue
            for opened in sockets:
                opened.close()
            raise ListenError(address, port, explain_listen_error(error)) from error
    return sockets
