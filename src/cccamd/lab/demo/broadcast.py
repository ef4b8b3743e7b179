"""One broadcast, all the way: scramble, send, receive, have ECMs decoded, descramble."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import BinaryIO, Protocol

from cccamd.ids import Caid, Sid
from cccamd.lab.demo.comparison import Comparison
from cccamd.lab.demo.receiver import Receiver
from cccamd.lab.demo.scrambler import Scrambler
from cccamd.lab.demo.tuner import EcmFound, EmmFound, Found
from cccamd.net import TaskSet
from cccamd.values import ControlWords

TICK_INTERVAL = 0.05
"""Seconds between two chunks of a broadcast with a duration."""
HURRIED_CHUNK = 65_536


class CardClient(Protocol):
    """A client of the server that has the card."""

    async def ask(self, ecm: bytes, *, caid: Caid, sid: Sid) -> ControlWords | None:
        """Have an ECM decoded; None: refused."""

    async def send_emm(self, emm: bytes, *, caid: Caid) -> None:
        """Pass an EMM on to the card."""


class Broadcast:
    """Keeps the books of one run; the caller owns client and files."""

    def __init__(
        self,
        scrambler: Scrambler,
        receiver: Receiver,
        client: CardClient,
        *,
        scrambled_file: BinaryIO,
        clear_file: BinaryIO,
    ) -> None:
        self._client = client
        self._scrambled_file = scrambled_file
        self._clear_file = clear_file
        self._tasks = TaskSet(on_failure=self._note_failure)
        self._asking: set[asyncio.Task[None]] = set()
        self.scrambler = scrambler
        self.receiver = receiver
        self.comparison = Comparison()
        self.answer_times: list[float] = []
        """Seconds from sending an ECM to its CW, in the order of the answers."""
        self.refused = 0
        """ECMs that brought no CW."""
        self.failures: list[str] = []
        """What went wrong on the way to the card."""

    async def run(
        self,
        stream: bytes,
        *,
        duration: float | None,
        at: Callable[[float], Awaitable[None]],
    ) -> None:
        """Send a clear stream through in `duration` seconds.

        Like on air, nobody waits for a late CW then; without a duration the stream goes as
        fast as the answers come. `at` is awaited before each chunk, and at the end, with the
        part of the stream that is done, 0 to 1.
        """
        try:
            await self._send(stream, duration=duration, at=at)
            await self._all_answered()
        finally:
            await self._tasks.cancel()
        self.receiver.finish()
        self._collect()
        await at(1.0)

    async def _send(
        self,
        stream: bytes,
        *,
        duration: float | None,
        at: Callable[[float], Awaitable[None]],
    ) -> None:
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        step = max(1, int(len(stream) * TICK_INTERVAL / duration)) if duration else HURRIED_CHUNK
        for position in range(0, len(stream), step):
            done = position / len(stream)
            await at(done)
            self._transmit(stream[position : position + step])
            if duration:
                await asyncio.sleep(began_at + duration * done - loop.time())
            else:
                await self._all_answered()

    async def _all_answered(self) -> None:
        if self._asking:
            await asyncio.wait(self._asking)

    def _transmit(self, chunk: bytes) -> None:
        multiplex = self.scrambler.feed(chunk)
        self._scrambled_file.write(multiplex.scrambled)
        self.comparison.sent(multiplex)
        for message in self.receiver.feed(multiplex.scrambled):
            self._start(message)
        self._collect()

    def _collect(self) -> None:
        packets = self.receiver.take()
        self._clear_file.write(packets)
        self.comparison.received(packets)

    def _start(self, message: Found) -> None:
        work = self._ask(message) if isinstance(message, EcmFound) else self._pass_on(message)
        task = self._tasks.start(type(message).__name__, work)
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    def _note_failure(self, _name: str, error: BaseException) -> None:
        self.failures.append(str(error))

    async def _ask(self, found: EcmFound) -> None:
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        control_words = None
        try:
            control_words = await self._client.ask(found.ecm, caid=found.caid, sid=found.sid)
        finally:
            if control_words is None:
                self.refused += 1
            else:
                self.answer_times.append(loop.time() - asked_at)
            self.receiver.answer(found.number, control_words)
            self._collect()

    async def _pass_on(self, found: EmmFound) -> None:
        await self._client.send_emm(found.emm, caid=found.caid)
