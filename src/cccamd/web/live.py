"""The live view: the overview's parts as server-sent events, and as JSON for polling."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from cccamd.facts import Span
from cccamd.web.context import WebContext
from cccamd.web.view import look, overview, times

INTERVAL: Final = 1.0
"""Seconds between two looks at the server, however many people watch."""
CLIENTS_PER_SECOND: Final = 200
"""With more clients than this we look more seldom: a look costs time for each."""
SLOWEST: Final = 10.0


class Feed:
    """Looks at the server only when somebody watches, and once for all who do."""

    def __init__(self, context: WebContext) -> None:
        self._context = context
        self._parts: dict[str, str] = {}
        self._next_look = 0.0
        self._looking = asyncio.Lock()
        self._closed = asyncio.Event()
        self.interval = INTERVAL

    def close(self) -> None:
        """End all live views."""
        self._closed.set()

    async def parts(self) -> dict[str, str]:
        """The parts of the overview, each as JSON text; at most `interval` old."""
        async with self._looking:
            now = time.monotonic()
            if now >= self._next_look:
                moment = look(self._context)
                clients = len(moment.snapshot.clients)
                self.interval = min(max(INTERVAL, clients / CLIENTS_PER_SECOND), SLOWEST)
                # Thousands of cards take a while to draw, which no ECM should wait for.
                self._parts = await run_in_threadpool(overview, moment, self._context)
                self._next_look = now + self.interval * 0.9
        return self._parts

    async def events(self) -> AsyncIterator[str]:
        """The parts that have changed, again and again, as server-sent events."""
        told: dict[str, str] = {}
        while not self._closed.is_set():
            parts = await self.parts()
            yield "".join(
                f"event: {name}\ndata: {text}\n\n"
                for name, text in parts.items()
                if told.get(name) != text
            )
            told = parts
            await self._pause()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self.interval):
                await self._closed.wait()
        except TimeoutError:
            return


def routes(context: WebContext, feed: Feed) -> Sequence[BaseRoute]:
    """The addresses that the overview's script asks."""

    async def stream(request: Request) -> Response:
        media_type = "text/event-stream"
        if request.method == "HEAD":
            return Response(media_type=media_type)
        return StreamingResponse(feed.events(), media_type=media_type)

    async def view(_: Request) -> Response:
        body = ",".join(f'"{name}":{text}' for name, text in (await feed.parts()).items())
        return Response(f"{{{body}}}", media_type="application/json")

    async def answer_times(request: Request) -> Response:
        query = request.query_params
        report = context.history(Span.DAY if query.get("span") == "day" else Span.MINUTES)
        by_channel = query.get("by") == "channel"
        text = await run_in_threadpool(
            times, report, report.channels if by_channel else report.sources
        )
        return Response(text, media_type="application/json")

    return [
        Route("/live/events", stream),
        Route("/live/view.json", view),
        Route("/live/times.json", answer_times),
    ]
