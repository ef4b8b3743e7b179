"""Serves the application on sockets, inside the event loop of the daemon."""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from socket import socket
from typing import Final

import h11
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from cccamd.net import (
    AcceptEvent,
    Acceptor,
    Admission,
    AdmissionLimits,
    origin_of,
    peer_address,
    untaken,
)
from cccamd.web.live import PATH as LIVE_PATH
from cccamd.web.live import Feed
from cccamd.web.manage import LOG_PATH
from cccamd.web.refusals import refusal

CONNECTIONS_LIMIT: Final = 128
"""Requests of browsers, readers and scrapers that are answered at the same time, live views among
them; more are told to come again (503)."""
PER_SOURCE_LIMIT: Final = 64
"""Of them, those of one address."""
VIEWS_LIMIT: Final = 96
"""Of them, those that are live views: they last, and pages must still be had."""
VIEWS_PER_SOURCE_LIMIT: Final = 32
IDLE_LIMIT: Final = 128
"""Connections that ask nothing at the moment; one more pushes out one of the address that has most,
first one that has not said a word."""
PATIENCE: Final = 10.0
"""Seconds for the head of a request, from the connection or the answer before; and in which who has
an answer waiting must take `READ_LEAST` of it."""
READ_LEAST: Final = 16 * 1024
"""Bytes: slower than any line that pages are read on."""
HEAD_LIMIT: Final = 16 * 1024
"""Bytes of a request's head."""
TICK: Final = 1.0
"""Seconds between two looks at the clock for the date of answers."""
_CONNECTION: Final = "cccamd.connection"


class WebServer:
    """Answers requests until it is stopped. The sockets are closed at the end."""

    def __init__(
        self,
        app: FastAPI,
        sockets: Sequence[socket],
        *,
        on_failure: Callable[[str, BaseException], None],
        on_event: Callable[[AcceptEvent], None] = lambda event: None,
        admits: Callable[[str], bool] = lambda address: True,
        visitors: Sequence[tuple[socket, str]] = (),
    ) -> None:
        """`admits`: who hears a byte, by the address. `visitors`: who was accepted before."""
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # below: what strangers send
        self._sockets = list(sockets)
        self._visitors = visitors
        self._admits = admits
        self._feed: Feed = app.state.feed
        limits = AdmissionLimits(connections=CONNECTIONS_LIMIT, pending_logins=IDLE_LIMIT)
        self._idle: Admission[_Connection] = Admission(limits, admits=lambda address: True)
        self._acceptor = Acceptor(
            greet=self._greet,
            on_event=on_event,
            on_failure=on_failure,
            make_room=self.make_room,
        )
        self._stopping = asyncio.Event()
        self._server = uvicorn.Server(
            uvicorn.Config(
                _Clocked(app),
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
        await server.startup([])
        self._acceptor.listen(self._sockets)
        try:
            for sock, address in self._visitors:
                self._acceptor.receive(sock, address)
            await self._tick()
        finally:
            self._acceptor.close()
        await server.shutdown([])

    async def _tick(self) -> None:
        """Keep the date of the answers right until `stop`: uvicorn's own loop would wake the
        server ten times a second to see whether it is to end."""
        while not await self._server.on_tick(0):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), TICK)

    def stop(self) -> None:
        """End live views, finish answers that have begun, and let `run` return."""
        self._feed.close()
        self._server.should_exit = True
        self._stopping.set()

    def _greet(self, address: str) -> asyncio.BaseProtocol | None:
        if not self._admits(address):
            return None
        server, config = self._server, self._server.config
        return _Connection(config, server.server_state, server.lifespan.state, self._idle)

    def make_room(self) -> bool:
        """When the system has nothing left, who asks nothing gives way; say whether one did."""
        crowded_out = self._idle.dispensable()
        if crowded_out is not None:
            crowded_out.end()
        return crowded_out is not None


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
        idle: Admission["_Connection"],
    ) -> None:
        # What is in the state is in the scope of each request: so `_Clocked` finds us.
        self._http = H11Protocol(config, server_state, {**app_state, _CONNECTION: self})
        self._idle = idle
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._answering = 0
        self._is_paused = False
        self._is_lost = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection; another may have to go for it."""
        crowded_out = self._idle.enter(self, peer_address(transport)[0])
        if crowded_out is not None:
            crowded_out.end()
        self._transport = transport
        self._http.connection_made(transport)
        self._await()

    def data_received(self, data: bytes) -> None:
        """Take some bytes of a request."""
        if self._transport is None:
            return
        self._idle.heard(self)
        try:
            self._http.data_received(data)
        except h11.LocalProtocolError:
            self.end()  # they are no HTTP, and it cannot be told so in the middle of an answer
        if self.is_gone:
            self.forget_answer()

    @property
    def is_gone(self) -> bool:
        """Whether nobody takes an answer any more: it has left, or it has broken the rules."""
        transport = self._transport
        broken = self._http.conn.their_state is h11.ERROR
        return broken or transport is None or transport.is_closing()

    def forget_answer(self) -> None:
        """Tell uvicorn's request that is being answered what it would learn in a moment."""
        cycle = self._http.cycle
        if cycle is not None:
            cycle.disconnected = True
            cycle.message_event.set()

    def end(self) -> None:
        """End it now: its place is needed."""
        self._idle.leave(self)
        if self._transport is not None:
            self._transport.abort()

    def eof_received(self) -> None:
        """The peer sends no more."""
        if self._transport is not None:
            self._http.eof_received()

    def pause_writing(self) -> None:
        """The peer is slow to read; what else is to be written for it waits."""
        self._is_paused = True
        self._http.pause_writing()
        self._await()

    def resume_writing(self) -> None:
        """The peer has caught up."""
        self._is_paused = False
        if self._answering:
            self._stop_timer()
        self._http.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        self._idle.leave(self)
        self._stop_timer()
        if self._transport is not None:
            self._http.connection_lost(exc)
        self._is_lost = True
        self._let_go()

    def _let_go(self) -> None:
        """Open the circles once nobody works here any more, so that all is freed now: what has
        lived as long as a live view would not be looked for within hours."""
        if self._is_lost and not self._answering:
            self._http.app_state = {}
            self._http.scope = None  # type: ignore[assignment]
            self._http.cycle = None  # type: ignore[assignment]
            # asyncio's own transport holds itself by a bound method; others have no such thing.
            getattr(self._transport, "__dict__", {}).pop("_read_ready_cb", None)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """A request has come; its answer may take as long as it takes."""
        self._answering += 1
        self._idle.logged_in(self)
        if not self._is_paused:
            self._stop_timer()
        try:
            yield
        finally:
            self._answering -= 1
            # A pipelined request may have come before the end of the one before.
            if not self._answering:
                self._idle.waits_again(self)
                self._await()
                self._let_go()

    def _await(self) -> None:
        """End the connection unless a whole head comes in time, or enough of an answer is taken;
        bytes of a head win no more time."""
        self._stop_timer()
        if self._transport is not None and not self._is_lost:  # a closing one has to be read, too
            waiting = untaken(self._transport)
            self._timer = self._loop.call_later(PATIENCE, self._judge, self._transport, waiting)

    def _judge(self, transport: asyncio.Transport, waited: int) -> None:
        if waited - untaken(transport) >= READ_LEAST:
            self._await()
        else:
            transport.abort()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Clocked:
    """Tells a connection when a request has come, and when it is answered; bounds how many."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._requests = _Places(CONNECTIONS_LIMIT, PER_SOURCE_LIMIT)
        self._views = _Places(VIEWS_LIMIT, VIEWS_PER_SOURCE_LIMIT)
        self._turnstile = _Turnstile()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection: _Connection = scope["state"][_CONNECTION]
        source = origin_of((scope.get("client") or ("",))[0]).source

        way: list[tuple[_Connection, Send]] = [(connection, send)]
        """Taken away at the end: what answers hold each other in circles, and this with them."""

        async def send_on(message: Message) -> None:
            for peer, send_there in tuple(way):
                if peer.is_gone:
                    peer.forget_answer()
                else:
                    await send_there(message)

        with connection.answering(), ExitStack() as taken:
            taken.callback(way.clear)
            taken.callback(scope["state"].pop, _CONNECTION)
            wanted = [self._requests, self._views] if _is_view(scope) else [self._requests]
            if not all(places.take(source, taken) for places in wanted):
                busy = refusal(scope, 503, headers={"Retry-After": "5", "Connection": "close"})
                await busy(scope, receive, send_on)
                return
            await self._turnstile.passed(source)
            await self._app(scope, receive, send_on)


def _is_view(scope: Scope) -> bool:
    return scope["path"] in (LIVE_PATH, LOG_PATH)


class _Turnstile:
    """Lets one request begin in each turn of the event loop, of one source after the other: a page
    takes some milliseconds, and sixty of somebody who does not even read them must not hold up an
    ECM, nor anybody else's page."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._is_shut = False

    async def passed(self, source: str) -> None:
        """Wait for the turn."""
        loop = asyncio.get_running_loop()
        if self._is_shut:
            turn = loop.create_future()
            self._waiting.setdefault(source, deque()).append(turn)
            await turn
        else:
            self._is_shut = True
            loop.call_soon(self._open, loop)

    def _open(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting:
            source = next(iter(self._waiting))
            of_source = self._waiting.pop(source)
            turn = of_source.popleft()
            if of_source:
                self._waiting[source] = of_source  # behind all others
            if not turn.done():  # else it was given up meanwhile
                turn.set_result(None)
                loop.call_soon(self._open, loop)
                return
        self._is_shut = False


class _Places:
    """So many at the same time, and so many of one source."""

    def __init__(self, most: int, most_per_source: int) -> None:
        self._most = most
        self._most_per_source = most_per_source
        self._taken: Counter[str] = Counter()

    def take(self, source: str, taken: ExitStack) -> bool:
        """Take a place, which `taken` gives back; say whether there was one."""
        if self._taken.total() >= self._most or self._taken[source] >= self._most_per_source:
            return False
        self._taken[source] += 1
        taken.callback(self._give_back, source)
        return True

    def _give_back(self, source: str) -> None:
        self._taken[source] -= 1
        if not self._taken[source]:
            del self._taken[source]
