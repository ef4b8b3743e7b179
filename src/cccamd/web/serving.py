"""Serves the application on sockets, inside the event loop of the daemon."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from socket import socket
from typing import Final

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from cccamd.web.live import Feed
from cccamd.web.refusals import refusal

CONNECTIONS_LIMIT: Final = 128
"""Browsers, readers and scrapers together; more are told to come again (503)."""
SOCKETS_LIMIT: Final = 256
"""Connections at all, those included that say nothing."""
HEAD_TIMEOUT: Final = 10.0
"""Seconds for the head of a request, from the connection or the answer before."""
HEAD_LIMIT: Final = 16 * 1024
"""Bytes of a request's head."""
_CONNECTION: Final = "cccamd.connection"


class WebServer:
    """Answers requests until it is stopped. The sockets are closed at the end."""

    def __init__(self, app: FastAPI, sockets: Sequence[socket]) -> None:
        self._sockets = list(sockets)
        self._feed: Feed = app.state.feed
        self._server = uvicorn.Server(
            uvicorn.Config(
                _Clocked(app, lambda: len(self._server.server_state.connections)),
                http=_Connection,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                h11_max_incomplete_event_size=HEAD_LIMIT,
                timeout_graceful_shutdown=1,
            )
        )

    async def run(self) -> None:
        """Serve until `stop`.

        The parts of `uvicorn.Server.serve`, but for its signal handlers: signals are the daemon's.
        """
        server, config = self._server, self._server.config
        config.load()
        server.lifespan = config.lifespan_class(config)
        await server.startup(self._sockets)
        await server.main_loop()
        await server.shutdown(self._sockets)

    def stop(self) -> None:
        """End live views, finish answers that have begun, and let `run` return."""
        self._feed.close()
        self._server.should_exit = True


class _Connection(asyncio.Protocol):
    """Bounded in number, and in the time that a request's head may take; uvicorn does the rest.

    It waits for a head for ever, and takes as many connections as there are file descriptors:
    then nobody could log in to the card server any more.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, object],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        # What is in the state is in the scope of each request: so `_Clocked` finds us.
        self._http = H11Protocol(config, server_state, {**app_state, _CONNECTION: self}, _loop)
        self._others = server_state.connections
        self._loop = _loop or asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._head_timer: asyncio.TimerHandle | None = None
        self._answering = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or end it at once."""
        if len(self._others) >= SOCKETS_LIMIT:
            transport.abort()
            return
        self._transport = transport
        self._http.connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Take some bytes of a request."""
        if self._transport is not None:
            self._http.data_received(data)

    def eof_received(self) -> None:
        """The peer sends no more."""
        if self._transport is not None:
            self._http.eof_received()

    def pause_writing(self) -> None:
        """The peer is slow to read."""
        self._http.pause_writing()

    def resume_writing(self) -> None:
        """The peer has caught up."""
        self._http.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        self._stop_timer()
        if self._transport is not None:
            self._http.connection_lost(exc)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """A request has come; its answer may take as long as it takes."""
        self._answering += 1
        self._stop_timer()
        try:
            yield
        finally:
            self._answering -= 1
            # A pipelined request may have come before the end of the one before.
            if not self._answering:
                self._await_head()

    def _await_head(self) -> None:
        """End the connection unless a whole head comes in time; bytes of it win no more time."""
        if self._transport is not None and not self._transport.is_closing():
            self._head_timer = self._loop.call_later(HEAD_TIMEOUT, self._transport.abort)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class _Clocked:
    """Tells a connection when a request has come, and when it is answered; bounds how many."""

    def __init__(self, app: ASGIApp, count: Callable[[], int]) -> None:
        self._app = app
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection: _Connection = scope["state"][_CONNECTION]
        with connection.answering():
            if self._count() >= CONNECTIONS_LIMIT:
                busy = refusal(scope, 503, headers={"Retry-After": "5", "Connection": "close"})
                await busy(scope, receive, send)
                return
            await self._app(scope, receive, send)
