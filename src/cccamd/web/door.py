"""The sockets of the pages, and nothing more until somebody comes to them.

What serves the pages is large: 20 MiB and half a second of the processor. A server whose pages
nobody opens, on a receiver with little memory, does without. The first visitor, who has to be one
for whom the pages are, waits meanwhile; another thread loads, and answers wait for it 50 ms at
most, once.
"""

import asyncio
from collections.abc import Callable, Sequence
from socket import socket
from typing import TYPE_CHECKING

from cccamd.net import AcceptEvent, Acceptor
from cccamd.web.context import WebContext

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from cccamd.web.serving import WebServer


class WebDoor:
    """Answers requests until it is stopped. The sockets are closed at the end."""

    def __init__(
        self,
        context: WebContext,
        sockets: Sequence[socket],
        *,
        routes: "Callable[[], Sequence[BaseRoute]]",
        on_failure: Callable[[str, BaseException], None],
        on_event: Callable[[AcceptEvent], None],
    ) -> None:
        """`routes`: makes those of further pages, behind the same door."""
        self._context = context
        self._sockets = list(sockets)
        self._routes = routes
        self._on_failure = on_failure
        self._on_event = on_event
        self._woken = asyncio.Event()
        """Somebody came, or it is to end."""
        self._visitors: list[tuple[socket, str]] = []
        """Who has come, and has no answer yet; with the address."""
        self._stopped = False
        self._server: WebServer | None = None

    async def run(self) -> None:
        """Serve until `stop`."""
        try:
            await self._first_visitor()
            if self._stopped:
                return
            make_server = await asyncio.to_thread(self._load)
            if self._stopped:
                return
            self._server = make_server()
        finally:
            if self._server is None:
                for sock in (*self._sockets, *(visitor for visitor, _ in self._visitors)):
                    sock.close()
        await self._server.run()

    def stop(self) -> None:
        """Finish answers that have begun, and let `run` return."""
        self._stopped = True
        self._woken.set()
        if self._server is not None:
            self._server.stop()

    @property
    def is_loaded(self) -> bool:
        """Whether somebody has come for whom the pages are."""
        return self._server is not None

    def make_room(self) -> bool:
        """When the system has nothing left, who asks nothing gives way; say whether one did."""
        return self._server is not None and self._server.make_room()

    async def _first_visitor(self) -> None:
        acceptor = Acceptor(
            greet=lambda address: None,
            keep=self._receive,
            on_event=self._on_event,
            on_failure=self._on_failure,
        )
        acceptor.listen(self._sockets)
        try:
            await self._woken.wait()
        finally:
            acceptor.let_go()

    def _receive(self, sock: socket, address: str) -> bool:
        """Keep a visitor; for anybody else nothing is loaded."""
        if not self._context.admits(address):
            return False
        self._visitors.append((sock, address))
        self._woken.set()
        return True

    def _load(self) -> "Callable[[], WebServer]":
        """Build the application, in a thread of its own; what is returned makes its server."""
        from cccamd.web.app import create_app  # 20 MiB, as told above
        from cccamd.web.serving import WebServer

        app = create_app(self._context, routes=self._routes())
        return lambda: WebServer(
            app,
            self._sockets,
            on_failure=self._on_failure,
            on_event=self._on_event,
            admits=self._context.admits,
            visitors=self._visitors,
        )
