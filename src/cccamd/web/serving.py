"""Serves the application on sockets, inside the event loop of the daemon."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from socket import socket
from typing import Final

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from cccamd.web.live import Feed

CONNECTIONS_LIMIT: Final = 128
"""Browsers, readers and scrapers together; more are told to come again (503)."""
SOCKETS_LIMIT: Final = 256
"""Connections at all, those included that say nothing."""
HEAD_TIMEOUT: Final = 10.0
"""Seconds for the head of a request, from the connection or the answer before."""
HEAD_LIMIT: Final = 16 * 1024
"""Bytes of a request's head."""


class WebServer:
    """Answers requests until it is stopped. The sockets are closed at the end."""

    def __init__(self, app: Starlette, sockets: Sequence[socket]) -> None:
        self._sockets = list(sockets)
        self._feed: Feed = app.state.feed
        self._server = _Server(
            uvicorn.Config(
                app,
                http=_Connection,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=CONNECTIONS_LIMIT,
                h11_max_incomplete_event_size=HEAD_LIMIT,
                timeout_graceful_shutdown=1,
            )
        )

    async def run(self) -> None:
        """Serve until `stop`."""
        await self._server.serve(sockets=self._sockets)

    def stop(self) -> None:
        """End live views, finish answers that have begun, and let `run` return."""
        self._feed.close()
        self._server.should_exit = True


class _Connection(H11Protocol):
    """Bounded in number, and in the time that a request's head may take.

    The library waits for a head for ever, and takes as many connections as there are file
    descriptors: then nobody could log in to the card server any more.
    """

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or end it at once."""
        super().connection_made(transport)
        if len(self.connections) > SOCKETS_LIMIT:
            transport.abort()
        else:
            self._watch_head()

    def data_received(self, data: bytes) -> None:
        """Take some bytes of a request."""
        super().data_received(data)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        self._stop_timer()
        super().connection_lost(exc)

    def _watch_head(self) -> None:
        """Run a timer while a head is awaited; more bytes of it win no more time."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_timer()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_TIMEOUT, self.transport.abort)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: they are the daemon's."""
        yield
