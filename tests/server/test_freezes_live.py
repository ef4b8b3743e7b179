"""Freezes of a real server over real sockets: whose fault each was, while it lasts and after."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from laboratory import (
    HOST,
    Laboratory,
    ask,
    cards_of,
    running,
)
from scripted import ScriptedServer, right, scripted

from cccamd.facts import Freeze, FreezeReport, Verdict
from cccamd.net import Client, ConnectionLost, TaskSet, at_once
from cccamd.server import watching
from cccamd.values import ControlWords, Refusal
from cccamd.watch import freezes, watches
from cccamd.wire.cccam import ClientProtocol

PERIOD = 0.25
DEADLINE = "[limits]\necm_deadline = 0.5\n"
ZERO = ControlWords(bytes(16))
WRONG = ControlWords(bytes([1] * 16))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watches, "SHORTEST", 0.05)
    monkeypatch.setattr(freezes, "PERIOD_KNOWN_BY", 0.1)
    monkeypatch.setattr(watching, "TICK", 0.05)
    monkeypatch.setattr(watching, "FREEZE_TICKS", 1)
    monkeypatch.setattr(watching, "WAY_TICKS", 2)


def ecm(turn: int) -> bytes:
    return bytes([0x80 + turn % 2]) + turn.to_bytes(4)


class Evening:
    """A receiver that asks for a new ECM each period, whatever becomes of the last one."""

    def __init__(self, near: Laboratory, client: Client[ClientProtocol]) -> None:
        self.near = near
        self._client = client
        self._tasks = TaskSet(on_failure=lambda name, error: pytest.fail(f"{name}: {error}"))
        self._turn = 0
        self._next = asyncio.get_running_loop().time()

    def report(self) -> FreezeReport:
        return at_once(self.near.server._watchers.reporting())

    async def watch(self, until: Callable[[FreezeReport], object]) -> Any:
        """Go on asking until something is so; give what it is."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(20):
            while not (found := until(self.report())):
                if loop.time() >= self._next:
                    self._next += PERIOD
                    self._tasks.start("an ECM", self._ask(ecm(self._turn)))
                    self._turn += 1
                await asyncio.sleep(0.01)
        return found

    async def _ask(self, section: bytes) -> None:
        with suppress(ConnectionLost):
            await ask(self._client, section)

    async def wait(self, until: Callable[[FreezeReport], object]) -> Any:
        """Ask nothing any more until something is so."""
        async with asyncio.timeout(20):
            while not (found := until(self.report())):
                await asyncio.sleep(0.01)
        return found

    async def leave(self) -> None:
        """Log out, and wait until the server knows."""
        await self._client.close()
        await self.wait(lambda report: not report.channels)

    async def repeat(self, until: Callable[[FreezeReport], object]) -> Any:
        """Ask for the last ECM again and again."""
        async with asyncio.timeout(20):
            while not (found := until(self.report())):
                await ask(self._client, ecm(self._turn - 1))
                await asyncio.sleep(0.1)
        return found

    async def begin(self) -> None:
        """Watch until the period is known."""
        await self.watch(lambda report: any(len(one.margins) >= 4 for one in report.channels))
        (channel,) = self.report().channels
        assert channel.period == pytest.approx(PERIOD, abs=0.08)


@asynccontextmanager
async def an_evening(
    far: Laboratory | ScriptedServer, toml: str = DEADLINE
) -> AsyncIterator[Evening]:
    cfg = f"C: {HOST} {far.port} anna secret\nF: anna secret"
    async with running(cfg, toml) as near, near.client() as client:
        near.server.observe(near.server._watchers.observe)
        await cards_of(client)
        evening = Evening(near, client)
        await evening.begin()
        yield evening


def open_freeze(report: FreezeReport) -> Freeze | None:
    return next((one for one in report.freezes if not one.over), None)


def past_freeze(report: FreezeReport) -> Freeze | None:
    return next((one for one in report.freezes if one.over), None)


@pytest.mark.parametrize(
    ("answer", "verdict", "words"),
    [
        (None, Verdict.SOURCE_SILENT, "did not answer in time"),
        (Refusal.CANNOT_DECODE, Verdict.NOT_DECODED, "cannot decode"),
        (ZERO, Verdict.WRONG_CW, "gave an all-zero CW"),
        (WRONG, Verdict.WRONG_CW, "gave a CW with wrong checksum bytes"),
    ],
)
async def test_what_a_source_does_is_told_while_it_does_it_and_afterwards(
    answer: ControlWords | Refusal | None, verdict: Verdict, words: str
) -> None:
    async with scripted(right) as far, an_evening(far) as evening:
        far.answer = lambda request: answer
        freeze = await evening.watch(open_freeze)
        assert freeze.verdict is verdict
        assert f"{HOST}:{far.port} " in freeze.cause
        assert words in freeze.cause
        assert freeze.source == f"{HOST}:{far.port}"
        (before,) = evening.report().channels
        assert before.frozen == freeze.number
        assert before.margin < 0
        await evening.watch(lambda report: report.freezes[0].seconds > 0.5)
        (later,) = evening.report().channels
        assert later.margin < -0.5
        far.answer = right
        await evening.leave()
        over = past_freeze(evening.report())
        assert over is not None
        assert (over.number, over.verdict, over.over) == (freeze.number, verdict, True)
        assert over.seconds > 0.5
        assert await evening.near.server._watchers.freeze(freeze.number) == over


async def test_a_source_that_stalls_is_late() -> None:
    toml = "[limits]\necm_deadline = 2\n"
    async with scripted(right) as far, an_evening(far, toml) as evening:
        far.pause = 1.7 * PERIOD
        freeze = await evening.watch(past_freeze)
        assert freeze.verdict is Verdict.SOURCE_LATE
        assert freeze.source == f"{HOST}:{far.port}"
        assert "after its ECM was asked for" in freeze.cause
        assert f"{HOST}:{far.port} took 0.4" in freeze.cause
        assert any(f"{HOST}:{far.port} gave the CW after 0.4" in line for line in freeze.around)
        assert any("round trip" in line for line in freeze.evidence)


async def test_a_source_that_is_lost_was_not_there() -> None:
    async with running() as far, an_evening(far) as evening:
        await far.server.stop()
        freeze = await evening.watch(open_freeze)
        assert freeze.verdict is Verdict.SOURCE_AWAY, freeze.cause
