"""The live view: the overview as server-sent events, and as JSON for polling.

A stream begins with the `whole` view, or with what its reader has missed (`Last-Event-ID`, or
`since` in the address); then a `change` comes whenever something has changed. A `pulse` comes when
there is nothing to say, so that a reader knows within seconds that nobody speaks any more.
"""

import asyncio
import os
import time
import zlib
from collections.abc import AsyncIterator, Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from cccamd.facts import Span
from cccamd.net import in_slices
from cccamd.web.context import WebContext
from cccamd.web.versions import Versions
from cccamd.web.view import Overview, look, times

INTERVAL: Final = 1.0
"""Seconds between two looks at the server, however many people watch."""
CLIENTS_PER_SECOND: Final = 200
"""With more clients than this we look more seldom: a look costs time for each."""
SLOWEST: Final = 10.0
PULSE: Final = 2.0
"""Seconds for which a stream may be silent."""
LONG: Final = 16 * 1024
"""Characters; what is longer is packed in another thread."""
CHARTS: Final = 12
PATH: Final = "/live/events"
"""Where the live view is."""
_SSE: Final = "text/event-stream"
_JSON: Final = "application/json"


class Feed:
    """Looks at the server only when somebody watches, and once for all who do."""

    def __init__(self, context: WebContext) -> None:
        self._context = context
        self._overview = Overview(context)
        self._versions = Versions(os.urandom(4).hex())
        self._next_look = 0.0
        self._looking = asyncio.Lock()
        self._writing = asyncio.Lock()
        self._whole = ("", "")
        self._closed = asyncio.Event()
        self.interval = INTERVAL

    def close(self) -> None:
        """End all live views."""
        self._closed.set()

    @property
    def is_closed(self) -> bool:
        """Whether live views end."""
        return self._closed.is_set()

    async def changes(self, version: str) -> tuple[str, list[tuple[str, str]]]:
        """What leads from a version to the last one: that, and events with their texts."""
        await self._look()
        differences = self._versions.since(version)
        if differences is not None:
            return self._versions.version, [("change", text) for text in differences]
        version, text = await self.whole()
        return version, [("whole", text)]

    async def whole(self) -> tuple[str, str]:
        """The last version, and all of it as JSON."""
        await self._look()
        async with self._writing:
            if self._whole[0] != self._versions.version:
                self._whole = await in_slices(self._versions.whole())
        return self._whole

    async def events(self, version: str = "") -> AsyncIterator[str]:
        """What has changed since `version`, again and again, as server-sent events."""
        while not self._closed.is_set():
            last, found = await self.changes(version)
            if found:
                version = last
                events = (f"event: {name}\ndata: {text}\n" for name, text in found)
                yield "\n".join(events) + f"id: {version}\n\n"
            else:
                yield "event: pulse\ndata: .\n\n"
            await self._pause()

    async def _look(self) -> None:
        async with self._looking:
            now = time.monotonic()
            if now < self._next_look:
                return
            moment = await look(self._context)
            clients = len(moment.snapshot.clients)
            self.interval = min(max(INTERVAL, clients / CLIENTS_PER_SECOND), SLOWEST)
            view = await in_slices(self._overview.draw(moment))
            await in_slices(self._versions.advance(view))
            self._next_look = now + self.interval * 0.9

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(min(self.interval, PULSE)):
                await self._closed.wait()
        except TimeoutError:
            return


def routes(context: WebContext, feed: Feed) -> Sequence[BaseRoute]:
    """The addresses that the overview's script asks."""

    async def stream(request: Request) -> Response:
        if request.method == "HEAD":
            return Response(media_type=_SSE)
        given = request.headers.get("last-event-id") or request.query_params.get("since", "")
        events = feed.events(given)
        if not _takes_gzip(request):
            return StreamingResponse(events, media_type=_SSE)
        headers = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        return StreamingResponse(_packed(events), media_type=_SSE, headers=headers)

    async def view(request: Request) -> Response:
        _, text = await feed.whole()
        return await _answer(request, text)

    async def answer_times(request: Request) -> Response:
        query = request.query_params
        report = context.history(Span.DAY if query.get("span") == "day" else Span.MINUTES)
        series = report.channels if query.get("by") == "channel" else report.sources
        most, since = _number(query.get("most")) or CHARTS, _number(query.get("since"))
        text = await asyncio.to_thread(
            lambda: times(report, series, most=min(int(most), CHARTS), since=since)
        )
        return await _answer(request, text)

    return [
        Route(PATH, stream),
        Route("/live/view.json", view),
        Route("/live/times.json", answer_times),
    ]


def _number(text: str | None) -> float:
    """A plain number; 0 for anything else."""
    return float(text) if text and text.isdecimal() and len(text) <= 12 else 0.0


# What is packed, for those who say that they can unpack it.


def _takes_gzip(request: Request) -> bool:
    for word in request.headers.get("accept-encoding", "").lower().split(","):
        name, _, weight = word.partition(";")
        if name.strip() == "gzip":
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


async def _answer(request: Request, text: str) -> Response:
    if len(text) < LONG or not _takes_gzip(request):
        return Response(text, media_type=_JSON)
    packed = await asyncio.to_thread(lambda: zlib.compress(text.encode(), 6, wbits=31))
    headers = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return Response(packed, media_type=_JSON, headers=headers)


async def _packed(events: AsyncIterator[str]) -> AsyncIterator[bytes]:
    """Each event can be unpacked as soon as it has come; what was said before makes it short."""
    packer = zlib.compressobj(6, wbits=31, memLevel=7)

    def pack(text: str) -> bytes:
        return packer.compress(text.encode()) + packer.flush(zlib.Z_SYNC_FLUSH)

    async for text in events:
        yield pack(text) if len(text) < LONG else await asyncio.to_thread(pack, text)
    yield packer.flush()
