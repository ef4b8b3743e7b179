"""A set-top box at the demonstration's server, over TCP: asks for its viewers by dvbapi."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from cccamd.errors import CccamdError
from cccamd.ids import Caid, Sid
from cccamd.lab.demo.client import RETRY_INTERVAL, START_TIMEOUT
from cccamd.lab.demo.receiver import Receiver
from cccamd.lab.demo.server import HOST, DemoServer
from cccamd.lab.demo.settopbox import SetTopBox, ca_pmt_of
from cccamd.net import TaskSet
from cccamd.values import ControlWords
from cccamd.wire.dvbapi import FramingError

ANSWER_TIMEOUT: Final = 8.0
"""Seconds for an ECM: dvbapi has no word for "no"."""
_READ_SIZE: Final = 65_536


class DvbapiLink:
    """One connection for all viewers."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.box = SetTopBox()
        self._reader = reader
        self._writer = writer
        self._news = asyncio.Event()
        self._lost = ""

    def now(self) -> float:
        """The clock of the box."""
        return asyncio.get_running_loop().time()

    def viewer(self, adapter: int, receiver: Receiver) -> "DvbapiViewer":
        """Who watches what a receiver finds, on an adapter of its own."""
        return DvbapiViewer(self, adapter, receiver)

    async def listen(self) -> None:
        """Take in what the server says, until it hangs up."""
        with suppress(OSError):
            while data := await self._reader.read(_READ_SIZE):
                try:
                    self.box.receive_data(data, self.now())
                except FramingError as error:
                    self._lost = f"the server does not speak dvbapi: {error}"
                    break
                self.flush()
                self._news.set()
        self._lost = self._lost or "the connection to the server was lost"
        self._news.set()

    def flush(self) -> None:
        """Send what the box has to say."""
        self._writer.write(self.box.data_to_send())

    async def until(self, ready: Callable[[], bool]) -> bool:
        """Wait for something that the server does; whether it did it in time.

        Raises:
            CccamdError: the connection is gone.
        """
        give_up_at = self.now() + ANSWER_TIMEOUT
        with suppress(TimeoutError):
            async with asyncio.timeout_at(give_up_at):
                while not ready():
                    if self._lost:
                        raise CccamdError(self._lost)
                    self._news.clear()
                    self.flush()
                    await self._news.wait()
                self.flush()
                return True
        self.box.look(self.now())
        return False


class DvbapiViewer:
    """Asks about the ECMs of one service."""

    def __init__(self, link: DvbapiLink, adapter: int, receiver: Receiver) -> None:
        self._link = link
        self._adapter = adapter
        self._receiver = receiver
        self._asked = 0
        """ECMs passed on since the service was listed, but those without an answer."""

    async def ask(self, ecm: bytes, *, caid: Caid, sid: Sid) -> ControlWords | None:
        """Have an ECM decoded; None: no CW came.

        Raises:
            CccamdError: the connection is gone.
        """
        box, adapter = self._link.box, self._adapter
        pmt = self._receiver.pmt
        if pmt is None:
            return None
        wanted = ca_pmt_of(pmt, adapter=adapter)
        tuning = box.tunings.get(adapter)
        if tuning is None or tuning.pmt.contents != wanted.contents:
            box.open(wanted, self._link.now())
            self._asked = 0
        tuning = box.tunings[adapter]
        pids = [source.pid for source in wanted.sources if source.caid == caid]

        def passed_on() -> bool:
            return any(box.section(adapter, pid, ecm) for pid in pids)

        if not await self._link.until(passed_on):
            return None
        number, self._asked = self._asked, self._asked + 1
        if await self._link.until(lambda: len(tuning.answers) > number):
            return tuning.answers[number]
        self._asked -= 1
        return None

    async def send_emm(self, emm: bytes, *, caid: Caid) -> None:
        """Offer an EMM to the filters that are there; the server asks for them late, if at all."""


@asynccontextmanager
async def connect_dvbapi(server: DemoServer) -> AsyncIterator[DvbapiLink]:
    """Connect as soon as the server listens, hang up in the end.

    Raises:
        CccamdError: the server ended, or is not to be reached.
    """
    reader, writer = await _reach(server)
    link = DvbapiLink(reader, writer)
    tasks = TaskSet(on_failure=lambda name, error: None)
    tasks.start("dvbapi", link.listen())
    try:
        # Nothing is said yet: as with tvheadend, the greeting comes with the first service.
        yield link
    finally:
        writer.close()
        await tasks.cancel()
        with suppress(OSError):
            await writer.wait_closed()


async def _reach(server: DemoServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + START_TIMEOUT
    while True:
        try:
            return await asyncio.open_connection(HOST, server.dvbapi_port)
        except OSError as error:
            await asyncio.sleep(RETRY_INTERVAL)
            server.check()
            if loop.time() > give_up_at:
                raise CccamdError(f"cannot reach the dvbapi port of the server: {error}") from None
