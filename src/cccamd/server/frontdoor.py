"""The port that CCcam clients come to."""

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol

from cccamd.net import FirstWords, Guest, HandOver, Listener, ListenError, hand_over, peer_address
from cccamd.server.session import Session
from cccamd.server.sessioncontext import ClientPort, SessionContext
from cccamd.server.taken import with_holder
from cccamd.setup.setup import Setup
from cccamd.wire.cccam import (
    DEFAULT_VERSION,
    SEED_RANDOM_LENGTH,
    Identity,
    ServerProtocol,
    Version,
    make_seed,
)
from cccamd.wire.link import CloseReason
from cccamd.workers import Crew, Member, RemoteConnection, RemoteSide, RemoteTransport

log = logging.getLogger("cccamd.server")

_SETTING: Final = "SERVER LISTEN PORT"


class MakeListener(Protocol):
    """Makes a listener that knows who may connect."""

    def __call__(
        self,
        make_guest: Callable[[], Guest],
        hand_over: HandOver = hand_over,
        first_words: Callable[[], FirstWords] | None = None,
    ) -> Listener: ...


MakeCrew = Callable[[Callable[[RemoteTransport], None]], Crew | None]
"""Makes the workers, given who decides about each who has connected."""


class FrontDoor:
    """Opens the port, moves it, and makes a session of each connection."""

    def __init__(
        self,
        context: SessionContext,
        *,
        identity: Identity,
        setup: Setup,
        make_listener: MakeListener,
        make_crew: MakeCrew,
        carried_out: Callable[[str, str], None],
    ) -> None:
        """`make_crew`: the workers, if there are to be any.

        `carried_out` is told by setting what was in the way; empty: nothing.
        """
        self._context = context
        self._identity = identity
        self._make_listener = make_listener
        self._carried_out = carried_out
        self._port = ClientPort(
            make_protocol=self._make_protocol,
            account_of=lambda user: self._context.accounts.get(user),
        )
        self._remote_port = replace(
            self._port,
            make_protocol=lambda now: RemoteSide(self._version_for),
            make_connection=RemoteConnection,
        )
        self._listener = make_listener(
            lambda: Session(self._context, self._port).connection, hand_over, self._first_words
        )
        words = FirstWords(b"", self._remote_guest)  # the worker makes them
        self._remote = make_listener(self._remote_guest, self._begin, lambda: words)
        self._crew = make_crew(self._decide)
        self._open_at: tuple[tuple[str, ...], int] | None = None
        self._open_to = setup.toml.network

    @property
    def ports(self) -> list[int]:
        """The ports that clients can connect to."""
        return self._listener.ports if self._crew is None else self._crew.ports

    @property
    def addresses(self) -> list[str]:
        """Where it listens."""
        return self._listener.addresses if self._crew is None else self._crew.addresses

    @property
    def workers(self) -> Sequence[Member]:
        """The workers; none: everything is done here."""
        return self._crew.members if self._crew is not None else ()

    def start(self) -> None:
        """Start the workers."""
        if self._crew is not None:
            self._crew.start()

    async def stop(self) -> None:
        """End the workers."""
        if self._crew is not None:
            await self._crew.stop()

    def listener(self, hand_over: HandOver) -> Listener:
        """Another way in to the same sessions."""
        return self._make_listener(lambda: Session(self._context, self._port).connection, hand_over)

    async def apply(self, setup: Setup) -> None:
        """Open the port that is wanted now; one that is not to be had leaves the old one open.

        Raises:
            ListenError: it is not to be had.
        """
        addresses, port = door = setup.toml.server.bind, setup.config.server_listen_port
        if door == self._open_at:
            self._carried_out(_SETTING, "")
            return
        if port:
            try:
                await self._open(addresses, port)
            except ListenError as error:
                told = await with_holder(error, setup.config, setup.toml)
                self._carried_out(_SETTING, str(told))
                raise told from error.__cause__
            log.info("listening for clients on port %d", port)
        else:
            await self.shut()
            log.info("no clients are served: SERVER LISTEN PORT is 0")
        self._carried_out(_SETTING, "")
        self._open_at = door

    async def close_to_strangers(self, setup: Setup) -> None:
        """End the connections of those who may not come any more."""
        if setup.toml.network == self._open_to:
            return
        self._open_to = setup.toml.network
        ended = await self._listener.dismiss_unwelcome(CloseReason.NETWORK_CHANGED)
        if ended:
            log.info("reload: %d connections ended: their network is not allowed any more", ended)

    async def _open(self, addresses: Sequence[str], port: int) -> None:
        if self._crew is not None:
            self._crew.listen(addresses, port)
        else:
            await self._listener.open(addresses, port)

    async def shut(self) -> None:
        """Let nobody in any more."""
        if self._crew is not None:
            self._crew.close()
        await self._listener.close()

    def dismiss(self, reason: CloseReason) -> None:
        """End all connections."""
        self._listener.dismiss(reason)

    def _remote_guest(self) -> Guest:
        return Session(self._context, self._remote_port).connection

    def _decide(self, transport: RemoteTransport) -> None:
        """Somebody has connected to a worker."""
        if not self._remote.keep(transport, peer_address(transport)[0]):
            self._remote.let_in(transport)

    def _begin(self, transport: asyncio.Transport, guest: Guest) -> None:
        """Have a worker let somebody in."""
        assert isinstance(transport, RemoteTransport)
        limits = self._context.limits
        transport.begin(limits.login_timeout, limits.queue_limit)
        hand_over(transport, guest)

    def _first_words(self) -> FirstWords:
        random, now = os.urandom(SEED_RANDOM_LENGTH), asyncio.get_running_loop().time()

        def make_guest() -> Guest:
            protocol = self._make_protocol(now, random)
            protocol.data_to_send()  # the seed, which was sent
            return Session(self._context, self._port, protocol).connection

        return FirstWords(make_seed(random), make_guest)

    def _make_protocol(self, now: float, random: bytes = b"") -> ServerProtocol:
        limits = self._context.limits
        return ServerProtocol(
            node_id=self._identity.node_id,
            program=self._identity.program,
            random=random or os.urandom(SEED_RANDOM_LENGTH),
            now=now,
            login_timeout=limits.login_timeout,
            queue_limit=limits.queue_limit,
            version_for=self._version_for,
        )

    def _version_for(self, user: bytes) -> Version:
        account = self._context.accounts.get(user)
        return account.version if account is not None else DEFAULT_VERSION
