"""The server's door: listening sockets, and what happens before a session begins."""

import asyncio
import socket
from collections.abc import Callable, Generator, Sequence
from typing import Final, cast

from cccamd.net.accepting import AcceptEvent, Acceptor, open_sockets
from cccamd.net.admission import Admission, NoEntry
from cccamd.net.connection import peer_address
from cccamd.net.lobby import AtSocket, FirstWords, Guest, HandOver, Lobby, Newcomer, hand_over
from cccamd.net.tasks import in_slices
from cccamd.wire.link import CloseReason

ROOM: Final = 8
"""Connections that are not logged in, and end when the system has nothing left."""


class Listener:
    """Accepts connections and hands each to a new guest, if it is admitted."""

    def __init__(
        self,
        admission: Admission[Guest],
        *,
        make_guest: Callable[[], Guest],
        on_refused: Callable[[str, NoEntry], None],
        on_failure: Callable[[str, BaseException], None],
        on_event: Callable[[AcceptEvent], None] = lambda event: None,
        others_make_room: Callable[[], bool] = lambda: False,
        hand_over: HandOver = hand_over,
        first_words: Callable[[], FirstWords] | None = None,
        on_pushed_out: Callable[[str], None] = lambda address: None,
    ) -> None:
        """`others_make_room` is asked when nobody here is dispensable.

        `hand_over` gives an admitted connection to its guest, perhaps after a handshake.
        `first_words`: what those are told for whom there is no guest yet, because it is crowded;
        `on_pushed_out` gets the address of each of them who made room for somebody newer.
        """
        self.admission = admission
        self._leave = admission.leave  # one method object for all guests
        self._make_guest = make_guest
        self._on_refused = on_refused
        self._on_failure = on_failure
        self._others_make_room = others_make_room
        self._acceptor = Acceptor(
            greet=self._greet,
            on_event=on_event,
            on_failure=on_failure,
            make_room=self._make_room,
            keep=self._keep,
        )
        self._hand_over = hand_over
        self._lobby = first_words and Lobby(
            admission,
            first_words,
            hand_over=hand_over,
            on_pushed_out=on_pushed_out,
            on_failure=on_failure,
        )

    @property
    def is_open(self) -> bool:
        """Whether anything is listened on."""
        return self._acceptor.is_open

    @property
    def ports(self) -> list[int]:
        """The ports that are open; of use where port 0 was asked for."""
        return self._acceptor.ports

    @property
    def addresses(self) -> list[str]:
        """The addresses that are listened on."""
        return self._acceptor.addresses

    async def open(self, addresses: Sequence[str], port: int) -> None:
        """Listen on a port of each address, instead of where we listen now.

        Raises:
            ListenError: one of them is not to be had; what was open before stays open.
        """
        self._acceptor.listen(open_sockets(addresses, port, early=not self.is_open))

    def listen(self, sockets: Sequence[socket.socket]) -> None:
        """Listen on sockets that are open already, and ours from now on."""
        self._acceptor.listen(sockets)

    async def close(self) -> None:
        """Stop listening; guests stay."""
        self._acceptor.close()

    def dismiss(self, reason: CloseReason) -> None:
        """End all connections that came in here."""
        for guest in self.admission.inside:
            guest.close(reason)

    async def dismiss_unwelcome(self, reason: CloseReason) -> int:
        """End the connections that would not be let in any more; say how many."""
        return await in_slices(self._dismissing_unwelcome(reason))

    def _dismissing_unwelcome(self, reason: CloseReason) -> Generator[None, None, int]:
        ended = 0
        for guest in self.admission.inside:
            if not self.admission.is_welcome(guest):
                guest.close(reason)
                ended += 1
            yield
        return ended

    def _keep(self, sock: socket.socket, address: str) -> bool:
        return self.keep(AtSocket(sock), address)

    def keep(self, newcomer: Newcomer, address: str) -> bool:
        """Where it is crowded, decide before there is anything but a socket; whether it is."""
        lobby = self._lobby
        if lobby is None or not lobby.is_crowded:
            return False
        if self._is_admitted(address):
            lobby.enter(newcomer, address)
        else:
            newcomer.close()
        return True

    def _greet(self, address: str) -> asyncio.BaseProtocol | None:
        return _Door(self) if self._is_admitted(address) else None

    def _is_admitted(self, address: str) -> bool:
        refusal = self.admission.refusal(address)
        if refusal is not None:
            self._on_refused(address, refusal)
        return refusal is None

    def _make_room(self) -> bool:
        """Whoever is not logged in gives way, so that others can."""
        for number in range(ROOM):
            guest = self.admission.dispensable()
            if guest is None:
                return number > 0 or self._others_make_room()
            guest.close(CloseReason.TOO_MANY_LOGINS)
            self.admission.leave(guest)  # as it did; a guest that did not is not met again
        return True

    def let_in(self, transport: asyncio.Transport) -> None:
        """Decide about one connection; whatever goes wrong, it does not stay half open."""
        try:
            self._decide(transport)
        except Exception as error:
            transport.abort()
            self._on_failure("the door", error)

    def _decide(self, transport: asyncio.Transport) -> None:
        # It was reset since it was greeted: nobody is there to be refused. (A UNIX socket's is "".)
        if transport.get_extra_info("peername") is None:
            transport.abort()
            return
        address, _ = peer_address(transport)
        # Others of the same turn have come in since it was greeted.
        if not self._is_admitted(address):
            transport.abort()
            return
        guest = self._make_guest()
        guest.when_ended(self._leave, guest)
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
