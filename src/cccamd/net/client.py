"""A client for programs that wait for one thing at a time: a login, a card, a CW.

The probe and the demonstration use it; upstream links have no use for futures.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Final, Generic, Self, TypeVar, assert_never

from cccamd.errors import CccamdError
from cccamd.ids import ShareId
from cccamd.net.connection import Connected, Connection
from cccamd.net.dial import dial
from cccamd.net.failures import ConnectError, Failure, explain_end
from cccamd.net.tls import TlsCall
from cccamd.values import ControlWords, Emm, Offer, Refusal, Request
from cccamd.wire.link import (
    Answered,
    ClientEvent,
    ClientSide,
    Closed,
    EmmAcknowledged,
    Introduced,
    LoginSucceeded,
    OfferAdded,
    OfferWithdrawn,
    Peer,
    PeerChanged,
    Refused,
    Remark,
    TextReceived,
)

ASK_TIMEOUT: Final = 10.0
"""Seconds; longer than any server takes to say NOK."""
CARDS_TIMEOUT: Final = 3.0
"""Seconds for the first card: servers wait up to about one for a partner text before they announce
any."""
CARDS_QUIET: Final = 0.4
"""Seconds without another card after which the list counts as complete."""


Answer = ControlWords | Refusal | None
"""Of an ECM, or None for an acknowledged EMM."""
P = TypeVar("P", bound=ClientSide)


class ConnectionLost(CccamdError, ConnectionError):
    """The server closed the connection while something was awaited."""


def _ignore(step: str) -> None:
    """Nobody wants to know."""


def _closes(name: str, error: BaseException) -> None:
    """An error of ours is the reason in `Closed`, which whoever waits is told."""


class Client(Generic[P]):
    """One login at one server, to be awaited."""

    def __init__(self, make: Callable[[float], P], passed: Callable[[str], None]) -> None:
        self.server: Peer | None = None
        """Who the server is; None before it has said so."""
        self.cards: dict[ShareId, Offer] = {}
        self.closed: Closed | None = None
        self.protocol: P
        """The protocol object: versions, revision, capabilities."""
        self._make = make
        self._passed = passed
        self._tokens = count(1)
        self._connection: Connection[ClientEvent]
        self._changed = asyncio.Event()
        self._answers: dict[int, asyncio.Future[Answer]] = {}

    @classmethod
    async def connect(
        cls,
        host: str,
        port: int,
        make: Callable[[float], P],
        *,
        passed: Callable[[str], None] = _ignore,
        tls: TlsCall | None = None,
    ) -> Self:
        """Log in with the protocol object that `make` makes, given the time.

        `passed` is told each step that worked. `tls`: the server is paired.

        Raises:
            ConnectError: it failed; says how far it got.
        """
        client = cls(make, passed)
        client._connection = await dial(host, port, client._new_connection, tls=tls)
        passed("TCP connection")
        return await client._introduced()

    @classmethod
    async def resume(
        cls, sock: socket.socket, make: Callable[[float], P], *, received: bytes
    ) -> Self:
        """Log in over a connection that stands; these bytes have come from it already.

        Raises:
            ConnectError: it failed; says how far it got.
        """
        client = cls(make, _ignore)
        loop = asyncio.get_running_loop()
        _, client._connection = await loop.create_connection(client._new_connection, sock=sock)
        client._connection.data_received(received)
        return await client._introduced()

    async def _introduced(self) -> Self:
        try:
            await self._wait_for(lambda: self.server is not None)
        except BaseException:
            self._connection.close()
            raise
        if (failure := self.failure) is not None:
            raise ConnectError(failure.step, failure.text)
        return self

    @property
    def failure(self) -> Failure | None:
        """Why the login has ended, if it has."""
        if self.closed is None:
            return None
        introduced = self.server is not None
        return explain_end(self.closed, introduced=introduced, settled=bool(self.cards))

    async def ask(
        self, request: Request, *, timeout: float = ASK_TIMEOUT
    ) -> ControlWords | Refusal:
        """Send an ECM and wait for its answer.

        Raises:
            TimeoutError: none came.
            ConnectionLost: the connection ended first.
        """
        self._require_connection()
        token = next(self._tokens)
        self.protocol.ask(token, request, self._connection.now())
        answer = await self._await(token, timeout)
        assert answer is not None
        return answer

    async def send_emm(self, emm: Emm, *, timeout: float = ASK_TIMEOUT) -> None:
        """Send an EMM and wait until it is acknowledged. Raises as `ask` does."""
        self._require_connection()
        token = next(self._tokens)
        self.protocol.send_emm(token, emm, self._connection.now())
        await self._await(token, timeout)

    async def wait_until(self, reached: Callable[[], bool], *, timeout: float) -> bool:
        """Wait until a condition on this client holds; whether it does in the end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._wait_for(reached)
        return reached()

    async def learn_cards(self) -> None:
        """Wait for the first card, if there is any, then until no more come."""
        if not await self.wait_until(lambda: bool(self.cards), timeout=CARDS_TIMEOUT):
            return
        known = -1
        while known != len(self.cards):
            known = len(self.cards)
            await asyncio.sleep(CARDS_QUIET)

    async def close(self) -> None:
        """Log out."""
        self._connection.close()

    def _require_connection(self) -> None:
        if self.closed is not None:
            raise ConnectionLost(str(self.closed))

    def _new_connection(self) -> Connection[ClientEvent]:
        self.protocol = self._make(asyncio.get_running_loop().time())
        return Connection(self.protocol, self._handle, on_failure=_closes)

    async def _await(self, token: int, timeout: float) -> Answer:
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._answers[token] = answer
        self._connection.flush()
        try:
            async with asyncio.timeout(timeout):
                return await answer
        finally:
            self._answers.pop(token, None)

    async def _wait_for(self, reached: Callable[[], bool]) -> None:
        while not reached() and self.closed is None:
            self._changed.clear()
            await self._changed.wait()

    def _handle(self, event: ClientEvent | Connected) -> None:
        match event:
            case Answered(token, answer) | Refused(token, answer):
                self._settle(token, answer)
            case EmmAcknowledged(token):
                self._settle(token, None)
            case OfferAdded(offer):
                self.cards[offer.share_id] = offer
            case OfferWithdrawn(share_id):
                self.cards.pop(share_id, None)
            case LoginSucceeded():
                self._passed("login")
            case Introduced(peer):
                self.server = peer
                self._passed("server data")
            case PeerChanged(peer):
                self.server = peer
            case Closed():
                self._end(event)
            case Connected() | TextReceived() | Remark():
                pass
            case _:
                assert_never(event)
        self._changed.set()

    def _settle(self, token: int, answer: Answer) -> None:
        future = self._answers.get(token)
        if future is not None and not future.done():
            future.set_result(answer)

    def _end(self, event: Closed) -> None:
        self.closed = event
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ConnectionLost(str(event)))
