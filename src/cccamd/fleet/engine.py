"""The connection to an engine: a thin shell around `Talk`, with the socket and the clock.

What a node tells is written at once, and nobody waits for it. An engine that is away, refuses, or
does not answer within `ANSWER_TIMEOUT` is lost; it is tried again after pauses that grow.
"""

import asyncio
import logging
import random
import socket
import ssl
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from cccamd.fleet.actions import (
    EngineAction,
    EngineBack,
    EngineEvent,
    EngineLost,
    Hearers,
    Unwatch,
    Watch,
)
from cccamd.fleet.troubles import EngineError
from cccamd.ids import format_endpoint
from cccamd.net import (
    Backoff,
    CallError,
    ConnectError,
    Turns,
    callable_addresses,
    connect,
    explain_connect_error,
    in_thread,
    trust,
)
from cccamd.setup.files import ConfigFileError
from cccamd.setup.secretfile import password_for
from cccamd.setup.toml import FleetTable

if TYPE_CHECKING:
    from cccamd.fleet.talk import Talk

log = logging.getLogger("cccamd.fleet")

SETTING: Final = "[fleet] host"
MISSING: Final = "hiredis is not installed: pip install 'cccamd[fleet]'"
CONNECT_TIMEOUT: Final = 3.0
"""Seconds for each address, and again for TLS."""
ANSWER_TIMEOUT: Final = 1.5
"""Seconds after which an engine that owes an answer is lost."""
QUIET: Final = 3.0
"""Seconds after which an engine that was asked nothing is asked whether it is there."""
LOOK: Final = 0.5
"""Seconds between two looks at the clock."""
LONGEST_PAUSE: Final = 5.0
"""Seconds between two attempts to reach an engine that is away."""
STEADY: Final = 30.0
"""Seconds that a connection has to last until the next one is not waited for as after a failure."""
SILENCE: Final = 3600.0
"""Seconds in which no more than one line of the log says that the engine is away."""
WAITING_LIMIT: Final = 20_000
UNSENT_LIMIT: Final = 4 << 20
"""Answers that may be missing, and bytes that may wait to be sent; what is new then is dropped."""
PIECE: Final = 2048
"""Bytes that are worked on at once, some twenty messages. What comes beyond waits for its turns,
and nothing more is read meanwhile: an engine that floods holds up nobody's answers."""


class _Wire(asyncio.Protocol):
    """One connection."""

    def __init__(self, talk: "Talk", on_event: Callable[[EngineEvent], None]) -> None:
        self.ended = asyncio.Event()
        self.why = ""
        self.spoken_at = 0.0
        self.transport: asyncio.Transport | None = None
        self.talk = talk
        self._on_event = on_event
        self._turns = Turns()
        """Pieces that wait."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is no subclass of asyncio's, and does the same.
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if not self._turns and len(data) <= PIECE:
            self._read(data)
            return
        is_first = not self._turns
        for start in range(0, len(data), PIECE):
            self._turns.add(self._read_next, data[start : start + PIECE])
        if is_first and self.transport is not None and not self.transport.is_closing():
            self.transport.pause_reading()

    def _read_next(self, data: bytes) -> None:
        self._read(data)
        if not self._turns and self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    def _read(self, data: bytes) -> None:
        if self.ended.is_set():
            return
        try:
            events = self.talk.read(data)
        except EngineError as error:
            self.end(str(error))
            return
        for event in events:
            self._on_event(event)

    def connection_lost(self, exc: Exception | None) -> None:
        self.end("it ended the connection")

    @property
    def unsent(self) -> int:
        """Bytes that the system has not taken yet."""
        return self.transport.get_write_buffer_size() if self.transport is not None else 0

    def end(self, why: str) -> None:
        """Have nothing to do with it any more."""
        if not self.ended.is_set():
            self.why = why
            self.ended.set()
        if self.transport is not None:
            self.transport.abort()


@dataclass(slots=True, eq=False)
class Engine:
    """Goes by one table, until cancelled. Everything is to be called in the loop."""

    table: FleetTable
    folder: Path
    """Where names of files start."""
    hearers: Hearers
    trials: tuple[EngineAction, ...]
    """What it has to allow."""
    trouble: str = ""
    """Why it is not there; empty: it is, or was not looked for yet."""
    is_up: bool = False
    """Between `EngineBack` and `EngineLost`."""
    dropped: int = 0
    """Actions that it was not told, since it lags behind."""
    _wire: _Wire | None = None
    _watched: dict[bytes, None] = field(default_factory=dict)
    _logged_at: float | None = None

    def perform(self, actions: Iterable[EngineAction]) -> None:
        """Tell the engine these in order; what it is not there for is dropped."""
        told = tuple(actions)
        for action in told:
            match action:
                case Watch(channel):
                    self._watched[channel] = None
                case Unwatch(channel):
                    self._watched.pop(channel, None)
        wire = self._wire
        if not self.is_up or not told or wire is None or wire.ended.is_set():
            return
        if wire.talk.waiting + len(told) > WAITING_LIMIT or wire.unsent > UNSENT_LIMIT:
            self.dropped += len(told)
            # A channel that is not watched now is watched when the engine is back.
            return
        self._send(wire, wire.talk.write(told, self._now()))

    async def run(self) -> None:
        """Be connected, until cancelled."""
        backoff = Backoff(most=LONGEST_PAUSE)
        try:
            while True:
                began = self._now()
                await self._serve_once()
                if self._now() - began >= STEADY:
                    backoff.reset()
                await asyncio.sleep(backoff.next_delay(random.random))
        finally:
            self.is_up = False

    async def _serve_once(self) -> None:
        try:
            await self._serve()
        except (EngineError, CallError, ConfigFileError) as error:
            self._lose(str(error))
        except Exception as error:
            self._lose("an error of ours; the log has it")
            self.hearers.on_failure("the connection to the fleet's engine", error)

    async def _serve(self) -> None:
        """Connect, and stay.

        Raises:
            EngineError: it is lost; says why.
        """
        wire = await self._connect()
        try:
            said, file = self.table.password, self.table.password_file
            password = await in_thread(partial(password_for, said, file, self.folder))
            watched = tuple(self._watched)
            login = wire.talk.login(self.table.user, password, watched, self.trials, self._now())
            self._wire = wire
            self._send(wire, login)
            await self._attend(wire)
            raise EngineError(wire.why)
        finally:
            self._wire = None
            wire.end("")

    async def _attend(self, wire: _Wire) -> None:
        talk = wire.talk
        while not wire.ended.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await wire.ended.wait()
            now = self._now()
            waits_since = talk.waits_since
            if waits_since is not None and now - waits_since > ANSWER_TIMEOUT:
                wire.end(f"it gave no answer within {ANSWER_TIMEOUT:g} s")
            elif waits_since is None and now - wire.spoken_at > QUIET:
                self._send(wire, talk.ping(now))

    def _send(self, wire: _Wire, data: bytes) -> None:
        wire.spoken_at = self._now()
        assert wire.transport is not None
        if not wire.transport.is_closing():  # uvloop's raise then, and are told of it only later
            wire.transport.write(data)

    def _heard(self, event: EngineEvent) -> None:
        if isinstance(event, EngineBack):
            self.is_up, self.trouble = True, ""
            self._say("")
        try:
            self.hearers.on_event(event)
        except Exception as error:
            self.hearers.on_failure("what the fleet's engine told", error)

    def _lose(self, why: str) -> None:
        was_up, self.is_up, self.trouble = self.is_up, False, why
        self._say(f"[fleet] the engine {self.shown}: {why}")
        if was_up:
            self._heard(EngineLost())

    def _say(self, text: str) -> None:
        self.hearers.carried_out(SETTING, text)
        now = self._now()
        if text and (self._logged_at is None or now - self._logged_at >= SILENCE):
            self._logged_at = now
            log.warning("%s; this node serves as without a fleet", text)

    @property
    def shown(self) -> str:
        """Where it is, for people."""
        table = self.table
        return table.socket or format_endpoint(table.host or "", table.port)

    # Getting there.

    async def _connect(self) -> _Wire:
        try:
            from cccamd.fleet.talk import Talk  # with hiredis: only for those who want it
        except ImportError:
            raise EngineError(MISSING) from None
        loop = asyncio.get_running_loop()
        make = partial(_Wire, Talk(), self._heard)
        if self.table.socket is not None:
            try:
                _, wire = await loop.create_unix_connection(
                    make, str(self.folder / self.table.socket)
                )
            except OSError as error:
                raise EngineError(f"it cannot be reached: {error.strerror or error}") from None
            return wire
        context = await in_thread(self._context)
        host = self.table.host
        assert host is not None
        sock = await self._dial(host)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                _, wire = await loop.create_connection(
                    make, sock=sock, ssl=context, server_hostname=host if context else None
                )
        except TimeoutError:
            sock.close()
            raise EngineError("it speaks no TLS there, or does not answer") from None
        except ssl.SSLCertVerificationError as error:
            sock.close()
            raise EngineError(f"its certificate is not accepted: {error.verify_message}") from None
        except OSError as error:
            sock.close()
            if context is not None:
                raise EngineError("TLS failed: does it speak TLS there?") from None
            raise EngineError(
                str(explain_connect_error(error, host=host, port=self.table.port))
            ) from None
        except BaseException:
            sock.close()
            raise
        return wire

    async def _dial(self, host: str) -> socket.socket:
        addresses = await callable_addresses(host, self.table.allowed.admits)
        port = self.table.port
        try:
            return await connect(addresses, host=host, port=port, patience=CONNECT_TIMEOUT)
        except ConnectError as error:
            raise EngineError(str(error)) from None

    def _context(self) -> ssl.SSLContext | None:
        if not self.table.tls:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trust(context, self.table.ca_path(self.folder))
        return context

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
