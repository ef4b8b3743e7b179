"""The telnet information service's sockets: lines in, text out, close.

Readers end their lines with CR, LF or both, and may have closed their own side already.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, Protocol

from cccamd.net import (
    AcceptEvent,
    Acceptor,
    Admission,
    AdmissionLimits,
    TaskSet,
    open_sockets,
    peer_address,
)

CONNECTIONS_LIMIT: Final = 16
"""Connections at once; a reader needs its own for less than a second. One more pushes out one
of the address that has most, first one that has not said a word."""
INPUT_LIMIT: Final = 1024
"""Bytes that one connection may send: three lines at most."""
TALK_TIMEOUT: Final = 15.0
"""Seconds for all lines of one connection; a person may be typing them."""
SEND_TIMEOUT: Final = 15.0
"""Seconds to take the answer."""
LINGER: Final = 1.0
"""Seconds to wait for the peer's end: closing with its bytes unread would tear our answer."""

_LINE_END: Final = re.compile(rb"\r\n|\r\0|\r|\n")


class Dialogue(Protocol):
    """What is said on one connection."""

    greeting: bytes
    finished: bool

    async def hear(self, line: bytes) -> bytes:
        """Take one line without its end, and return what to say to it."""

    def hear_end(self) -> bytes:
        """Take the end of all lines, and return what to say to that."""


class InfoListener:
    """Listens, and holds one dialogue with each who comes."""

    def __init__(
        self,
        *,
        make_dialogue: Callable[[str], Dialogue],
        on_failure: Callable[[str, BaseException], None],
        on_event: Callable[[AcceptEvent], None] = lambda event: None,
        admits: Callable[[str], bool] = lambda address: True,
        talk_timeout: float = TALK_TIMEOUT,
    ) -> None:
        """`admits`: who hears a byte, by the address."""
        self._admits = admits
        self._make_dialogue = make_dialogue
        self._talk_timeout = talk_timeout
        self._tasks = TaskSet(on_failure=on_failure)
        limits = AdmissionLimits(connections=1, pending_logins=CONNECTIONS_LIMIT)
        self._places: Admission[asyncio.WriteTransport] = Admission(
            limits, admits=lambda address: True
        )
        self._acceptor = Acceptor(
            greet=self._greet,
            on_event=on_event,
            on_failure=on_failure,
            make_room=self.make_room,
        )

    @property
    def ports(self) -> list[int]:
        """The ports that are open; of use where port 0 was asked for."""
        return self._acceptor.ports

    async def open(self, addresses: Sequence[str], port: int) -> None:
        """Listen on a port of each address.

        Raises:
            ListenError: one of them is not to be had; the others are closed again.
        """
        self._acceptor.listen(open_sockets(addresses, port))

    async def close(self) -> None:
        """Stop listening and end all connections."""
        self._acceptor.close()
        await self._tasks.cancel()

    def make_room(self) -> bool:
        """When the system has nothing left, one gives way; say whether there was one."""
        crowded_out = self._places.dispensable()
        if crowded_out is not None:
            self._end(crowded_out)
        return crowded_out is not None

    def _end(self, transport: asyncio.WriteTransport) -> None:
        self._places.leave(transport)
        transport.abort()

    def _greet(self, address: str) -> asyncio.BaseProtocol | None:
        if not self._admits(address):
            return None
        reader = asyncio.StreamReader(limit=INPUT_LIMIT)
        return asyncio.StreamReaderProtocol(reader, self._accept)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address, _ = peer_address(writer.transport)
        crowded_out = self._places.enter(writer.transport, address)
        if crowded_out is not None:
            self._end(crowded_out)
        self._tasks.start(f"telnet info for {address}", self._serve(address, reader, writer))

    async def _serve(
        self, address: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            with contextlib.suppress(OSError, TimeoutError):
                answer = await self._talk(self._make_dialogue(address), reader, writer)
                await _send_and_end(answer, reader, writer)
        finally:
            self._places.leave(writer.transport)
            writer.transport.abort()

    async def _talk(
        self, dialogue: Dialogue, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bytes:
        """Talk until there is a last answer, and return that."""
        said = dialogue.greeting
        lines = _lines(reader)
        async with asyncio.timeout(self._talk_timeout):
            while not dialogue.finished:
                _check_presence(writer)
                writer.write(said)
                line = await anext(lines, None)
                self._places.heard(writer.transport)
                said = dialogue.hear_end() if line is None else await dialogue.hear(line)
        return said


def _check_presence(writer: asyncio.StreamWriter) -> None:
    """Nothing can be said to who has left; uvloop does not take it lightly as asyncio does.

    Raises:
        ConnectionResetError: it has.
    """
    if writer.transport.is_closing():
        raise ConnectionResetError


async def _send_and_end(
    answer: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    _check_presence(writer)
    writer.transport.set_write_buffer_limits(high=0)  # so that draining means: all is sent
    async with asyncio.timeout(SEND_TIMEOUT):
        writer.write(answer)
        await writer.drain()
        _check_presence(writer)
        if writer.can_write_eof():
            writer.write_eof()
    async with asyncio.timeout(LINGER):
        while await reader.read(INPUT_LIMIT):
            pass


async def _lines(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The lines as they come in; a last one without an end counts, too."""
    cutter = LineCutter()
    total = 0
    while total < INPUT_LIMIT and (data := await reader.read(INPUT_LIMIT - total)):
        total += len(data)
        for line in cutter.cut(data):
            yield line
    if cutter.rest:
        yield cutter.rest


class LineCutter:
    """Cuts bytes into lines, however they arrive. A CR alone is an end, at once."""

    def __init__(self) -> None:
        self.rest = b""
        """The line that has no end yet."""
        self._after_cr = False

    def cut(self, data: bytes) -> list[bytes]:
        """Take some bytes in, and return the lines that are complete."""
        if self._after_cr and data.startswith((b"\n", b"\0")):
            data = data[1:]
        self._after_cr = data.endswith(b"\r")
        *lines, self.rest = _LINE_END.split(self.rest + data)
        return lines
