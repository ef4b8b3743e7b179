"""Serves the application on sockets, inside the event loop of the daemon."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from socket import socket
from typing import Final

import uvicorn
from starlette.applications import Starlette

from cccamd.web.live import Feed

CONNECTIONS_LIMIT: Final = 128
"""Browsers, readers and scrapers together; more are told to come again (503)."""
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
                http="h11",
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


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: they are the daemon's."""
        yield
