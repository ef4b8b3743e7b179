"""A client for programs that wait for one thing at a time: a login, a card, a CW.

The probe and the demonstration use it; upstream links have no use for futures.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Self

from cccamd.errors import CccamdError
from cccamd.ids import ShareId
from cccamd.net.connection import Connection
from cccamd.net.dial import Identity, Target, dial
from cccamd.net.failures import ConnectError, Step
from cccamd.wire.cccam import (
    CardAdded,
    CardRemoved,
    ClientProtocol,
    Closed,
    ControlWords,
    EcmAnswered,
    EcmRefused,
    EcmRequest,
    Emm,
    EmmAcknowledged,
    LoginSucceeded,
    Nok,
    PartnerText,
    ServerData,
)

ASK_TIMEOUT: Final = 10.0
"""Seconds; longer than any server takes to say NOK."""


Answer = ControlWords | Nok | None
"""Of an ECM, or None for an acknowledged EMM."""


class ConnectionLost(CccamdError, ConnectionError):
    """The server closed the connection while something was awaited."""


def _ignore(step: str) -> None:
    """Nobody wants to know."""


def _closes(name: str, error: BaseException) -> None:
    """An error of ours is the reason in `Closed`, which whoever waits is told."""


class Client:
    """One login at one server, to be awaited."""

    def __init__(self, passed: Callable[[str], None]) -> None:
        self.server: ServerData | None = None
        self.partner: PartnerText | None = None
        self.cards: dict[ShareId, CardAdded] = {}
        self.closed: Closed | None = None
        self._passed = passed
        self._reached = Step.SEED
        self._connection: Connection[ClientProtocol]
        self._changed = asyncio.Event()
        self._answers: dict[int, asyncio.Future[Answer]] = {}

    @classmethod
    async def connect(
        cls, target: Target, *, identity: Identity, passed: Callable[[str], None] = _ignore
    ) -> Self:
        """Log in; `passed` is told each step that worked.

        Raises:
            ConnectError: it failed; says how far it got.
        """
        client = cls(passed)
        client._connection = await dial(
            target, identity=identity, handle=client._handle, on_failure=_closes
        )
        passed("TCP connection")
        await client._wait_for(lambda: client.server is not None)
        if client.closed is not None:
            raise ConnectError(client._failed_step(), str(client.closed))
        return client

    @property
    def protocol(self) -> ClientProtocol:
        """The protocol object: versions, revision, capabilities."""
        return self._connection.protocol

    async def ask(self, request: EcmRequest, *, timeout: float = ASK_TIMEOUT) -> ControlWords | Nok:
        """Send an ECM and wait for its answer.

        Raises:
            TimeoutError: none came.
            ConnectionLost: the connection ended first.
        """
        self._require_connection()
        answer = await self._await(self.protocol.ask(request, self._connection.now()), timeout)
        assert answer is not None
        return answer

    async def send_emm(self, emm: Emm, *, timeout: float = ASK_TIMEOUT) -> None:
        """Send an EMM and wait until it is acknowledged. Raises as `ask` does."""
        self._require_connection()
        await self._await(self.protocol.send_emm(emm, self._connection.now()), timeout)

    async def wait_until(self, reached: Callable[[], bool], *, timeout: float) -> bool:
        """Wait until a condition on this client holds; whether it does in the end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._wait_for(reached)
        return reached()

    async def close(self) -> None:
        """Log out."""
        self._connection.close()

    def _require_connection(self) -> None:
        if self.closed is not None:
            raise ConnectionLost(str(self.closed))

    async def _await(self, ask_id: int, timeout: float) -> Answer:
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._answers[ask_id] = answer
        self._connection.flush()
        try:
            async with asyncio.timeout(timeout):
                return await answer
        finally:
            self._answers.pop(ask_id, None)

    async def _wait_for(self, reached: Callable[[], bool]) -> None:
        while not reached() and self.closed is None:
            self._changed.clear()
            await self._changed.wait()

    def _failed_step(self) -> Step:
        past_seed = self._reached is Step.SEED and self.protocol.seed_received
        return Step.LOGIN if past_seed else self._reached

    def _handle(self, event: object) -> None:
        match event:
            case EcmAnswered(ask_id, answer) | EcmRefused(ask_id, answer):
                self._settle(ask_id, answer)
            case EmmAcknowledged(ask_id):
                self._settle(ask_id, None)
            case CardAdded():
                self.cards[event.share_id] = event
            case CardRemoved(share_id):
                self.cards.pop(share_id, None)
            case LoginSucceeded():
                self._reached = Step.INTRODUCTION
                self._passed("login")
            case ServerData():
                self.server = event
                self._passed("server data")
            case PartnerText():
                self.partner = event
            case Closed():
                self._end(event)
        self._changed.set()

    def _settle(self, ask_id: int, answer: Answer) -> None:
        future = self._answers.get(ask_id)
        if future is not None and not future.done():
            future.set_result(answer)

    def _end(self, event: Closed) -> None:
        self.closed = event
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ConnectionLost(str(event)))
