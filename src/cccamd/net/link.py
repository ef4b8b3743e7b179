"""One upstream: log in, stay logged in, come back after trouble."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from cccamd.facts import LinkState
from cccamd.net.backoff import Backoff
from cccamd.net.connection import Connected, Connection
from cccamd.net.dial import Identity, Target, dial
from cccamd.net.failures import ConnectError
from cccamd.wire.cccam import (
    ChallengeReceived,
    ClientProtocol,
    Closed,
    Command,
    EcmRequest,
    Emm,
    ServerData,
    State,
    Version,
)

WELL_AFTER: Final = 30.0
"""Seconds of a login after which the next failure counts as the first again."""
CHECK_FREE_VERSION: Final = Version(2, 0, 11)
"""Original servers do not test clients that announce it (docs/protocol.md section 5, 0x0E)."""


@dataclass(frozen=True, slots=True)
class LinkWaiting:
    """An attempt failed or a login ended; the next attempt comes after `delay` seconds."""

    reason: str
    delay: float


class Link:
    """Keeps one login at one server alive, for ever; names are resolved at each attempt.

    `handle` gets all protocol events, `Closed` at each end, and `LinkWaiting` before each
    pause.
    """

    def __init__(
        self,
        target: Target,
        *,
        identity: Identity,
        handle: Callable[[object], None],
        on_failure: Callable[[str, BaseException], None],
        backoff: Backoff | None = None,
    ) -> None:
        self.target = target
        self.state = LinkState.WAITING
        self.last_failure = ""
        self.peer_address = ""
        """The address that the host's name led to."""
        self._identity = identity
        self._handle = handle
        self._on_failure = on_failure
        self._backoff = backoff or Backoff()
        self._connection: Connection[ClientProtocol] | None = None
        self._ended = asyncio.Event()
        self._closed: Closed | None = None
        self._checked = False

    def __repr__(self) -> str:
        return f"<Link {self.target.address} {self.state.value}>"

    @property
    def protocol(self) -> ClientProtocol | None:
        """The protocol object of the present login, if there is one."""
        return self._connection.protocol if self._connection is not None else None

    @property
    def is_up(self) -> bool:
        """Whether ECMs can be asked now."""
        return self.state is LinkState.UP

    def ask(self, request: EcmRequest) -> int:
        """Send an ECM; its answer comes as an event with the id returned.

        Raises:
            LocalProtocolError, ValueError: as `ClientProtocol.ask`.
        """
        connection = self._require_connection()
        ask_id = connection.protocol.ask(request, connection.now())
        connection.flush()
        return ask_id

    def send_emm(self, emm: Emm) -> int:
        """Send an EMM; `EmmAcknowledged` comes as an event with the id returned."""
        connection = self._require_connection()
        ask_id = connection.protocol.send_emm(emm, connection.now())
        connection.flush()
        return ask_id

    def forget(self, ask_id: int) -> bool:
        """Drop a question that still waits for its turn; whether there was one."""
        return self._connection is not None and self._connection.protocol.forget(ask_id)

    async def run(self) -> None:
        """Connect, stay, wait, again; until cancelled."""
        try:
            while True:
                started = asyncio.get_running_loop().time()
                reason = await self._attempt()
                if asyncio.get_running_loop().time() - started > WELL_AFTER:
                    self._backoff.reset()
                delay = self._backoff.next_delay(random.random)
                self.state, self.last_failure = LinkState.WAITING, reason
                self._tell_of_waiting(LinkWaiting(reason, delay))
                await asyncio.sleep(delay)
        finally:
            if self._connection is not None:
                self._connection.close()

    def _tell_of_waiting(self, waiting: LinkWaiting) -> None:
        try:
            self._handle(waiting)
        except Exception as error:
            self._on_failure(f"the link to {self.target.address}", error)

    async def _attempt(self) -> str:
        """Connect and stay until the end; return why it ended."""
        self.state = LinkState.CONNECTING
        self._ended.clear()
        try:
            self._connection = await dial(
                self._announcing(),
                identity=self._identity,
                handle=self._on_event,
                on_failure=self._on_failure,
            )
        except ConnectError as error:
            return str(error)
        await self._ended.wait()
        self._connection = None
        return str(self._closed)

    def _announcing(self) -> Target:
        return replace(self.target, version=CHECK_FREE_VERSION) if self._checked else self.target

    def _on_event(self, event: object) -> None:
        match event:
            case Connected(address):
                self.peer_address = address
                self.state = LinkState.LOGGING_IN
            case ServerData():
                self.state = LinkState.UP
            case ChallengeReceived(Command.CLIENT_CHECK_0E):
                self._checked = True
            case Closed():
                self.state = LinkState.WAITING
                self._closed = event
                self._ended.set()
        self._handle(event)

    def _require_connection(self) -> Connection[ClientProtocol]:
        if self._connection is None or self._connection.protocol.state is not State.OPEN:
            raise ConnectionError(f"{self.target.address} is not connected")
        return self._connection
