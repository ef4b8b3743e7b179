"""The port that CCcam clients come to."""

import logging
import os
from collections.abc import Callable
from typing import Final, Protocol

from cccamd.net import Guest, HandOver, Listener, ListenError, hand_over
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
)
from cccamd.wire.link import CloseReason

log = logging.getLogger("cccamd.server")

_SETTING: Final = "SERVER LISTEN PORT"


class MakeListener(Protocol):
    """Makes a listener that knows who may connect."""

    def __call__(
        self, make_guest: Callable[[], Guest], hand_over: HandOver = hand_over
    ) -> Listener: ...


class FrontDoor:
    """Opens the port, moves it, and makes a session of each connection."""

    def __init__(
        self,
        context: SessionContext,
        *,
        identity: Identity,
        setup: Setup,
        make_listener: MakeListener,
        carried_out: Callable[[str, str], None],
    ) -> None:
        """`carried_out` is told by setting what was in the way; empty: nothing."""
        self._context = context
        self._identity = identity
        self._make_listener = make_listener
        self._carried_out = carried_out
        self._port = ClientPort(
            make_protocol=self._make_protocol,
            account_of=lambda user: self._context.accounts.get(user),
        )
        self._listener = self.listener(hand_over)
        self._open_at: tuple[tuple[str, ...], int] | None = None
        self._open_to = setup.toml.network

    @property
    def ports(self) -> list[int]:
        """The ports that clients can connect to."""
        return self._listener.ports

    @property
    def addresses(self) -> list[str]:
        """Where it listens."""
        return self._listener.addresses

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
                await self._listener.open(addresses, port)
            except ListenError as error:
                told = await with_holder(error, setup.config, setup.toml)
                self._carried_out(_SETTING, str(told))
                raise told from error.__cause__
            log.info("listening for clients on port %d", port)
        else:
            await self._listener.close()
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

    async def shut(self) -> None:
        """Let nobody in any more."""
        await self._listener.close()

    def dismiss(self, reason: CloseReason) -> None:
        """End all connections."""
        self._listener.dismiss(reason)

    def _make_protocol(self, now: float) -> ServerProtocol:
        limits = self._context.limits
        return ServerProtocol(
            node_id=self._identity.node_id,
            program=self._identity.program,
            random=os.urandom(SEED_RANDOM_LENGTH),
            now=now,
            login_timeout=limits.login_timeout,
            queue_limit=limits.queue_limit,
            version_for=self._version_for,
        )

    def _version_for(self, user: bytes) -> Version:
        account = self._context.accounts.get(user)
        return account.version if account is not None else DEFAULT_VERSION
