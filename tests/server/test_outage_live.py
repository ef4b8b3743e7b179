"""An outage of fifteen minutes: what everybody says at its beginning, during it, and afterwards.

Real servers, a real client, real pages and a real journal, in a time that flies (`virtual`).
"""

import asyncio
import io
import logging
import re
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from laboratory import HOST, TEST_CARD, connect, new_node_id, request, setup
from pydantic import TypeAdapter
from rich.console import Console
from scripted import mute, right, scripted
from virtual import Clock, live_through

from cccamd.cli.statusview import draw_status
from cccamd.facts import Cause, FreezeReport, Incident, Status, Verdict
from cccamd.ids import Caid, Sid
from cccamd.lab.ports import free_port
from cccamd.net import Client, TaskSet
from cccamd.server import Server
from cccamd.values import ControlWords
from cccamd.watch.journal import Journal, Kind, read_entries, sum_up
from cccamd.watch.journal import journal as journal_module
from cccamd.why import Question, report_lines
from cccamd.wire.cccam import ClientProtocol, Target

PERIOD = 10.0
MINUTE = 60.0
STATUS = TypeAdapter(Status)
FREEZES = TypeAdapter(FreezeReport)


async def keep_watching(client: Client[ClientProtocol]) -> None:
    """Ask as a receiver does: a new ECM each crypto period, with the other table id; again
    every second as long as it is refused."""
    loop = asyncio.get_running_loop()
    next_at = loop.time()
    for number in range(10_000):
        next_at += PERIOD
        ecm = bytes([0x80 + number % 2, *number.to_bytes(4), *bytes(30)])
        while loop.time() < next_at:
            share_id = next(iter(client.cards), 0)
            answer = await client.ask(request(ecm, share_id=share_id))
            if isinstance(answer, ControlWords):
                await asyncio.sleep(next_at - loop.time())
            else:
                await asyncio.sleep(1.0)


@dataclass
class Home:
    """A server with one source, one receiver, pages and a journal."""

    clock: Clock
    server: Server
    pages: int
    journal: Path
    source: str

    async def get(self, path: str) -> str:
        """Read a page, as any program does."""
        with self.clock.usual():
            reader, writer = await asyncio.open_connection(HOST, self.pages)
            writer.write(f"GET {path} HTTP/1.0\r\nHost: {HOST}\r\n\r\n".encode())
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            writer.close()
        assert b" 200 " in head.splitlines()[0], head
        return body.decode()

    async def metric(self, name: str, **labels: str) -> float:
        text = await self.get("/metrics")
        wanted = "".join(f'(?=[^}}]*{key}="{value}")' for key, value in labels.items())
        found = re.search(rf"^{name}(?:\{{{wanted}[^}}]*\}})? (\S+)$", text, re.MULTILINE)
        assert found, name
        return float(found[1])

    async def status(self) -> tuple[Status, str]:
        status = STATUS.validate_json(await self.get("/api/status"))
        console = Console(file=io.StringIO(), width=160)
        console.print(draw_status(status, None, width=160))
        assert isinstance(console.file, io.StringIO)
        return status, console.file.getvalue()

    async def freezes(self) -> FreezeReport:
        return FREEZES.validate_json(await self.get("/api/freezes"))

    def explain(self) -> str:
        question = Question(account="anna", caid=Caid(0x7F00), sid=Sid(1))
        return "\n".join(report_lines(self.server.explain(question), when=str))


@asynccontextmanager
async def far(port: int) -> AsyncIterator[Server]:
    server = Server(setup("F: anna secret", TEST_CARD, port=port))
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def home(clock: Clock, source: int, journal: Path) -> AsyncIterator[Home]:
    port, pages = free_port(), free_port()
    cfg = (
        f"F: anna secret\nC: {HOST} {source} anna secret\nALLOW TELNETINFO : no\n"
        f"ALLOW WEBINFO : yes\nWEBINFO LISTEN PORT : {pages}\n"
    )
    server = Server(
        setup(cfg, "", port=port), journal=Journal(journal, on_trouble=lambda text: None)
    )
    await server.start()
    target = Target(host=HOST, port=port, user=b"anna", password=b"secret")
    client = await connect(target, new_node_id())
    await client.wait_until(lambda: bool(client.cards), timeout=30)
    tasks = TaskSet(on_failure=lambda name, error: None)
    tasks.start("watching", keep_watching(client))
    try:
        clock.fly()
        yield Home(clock, server, pages, journal, f"{HOST}:{source}")
    finally:
        clock.is_usual = True
        await tasks.cancel()
        await client.close()
        await server.stop()
        await asyncio.sleep(0.1)


def _of_sources(status: Status) -> list[Incident]:
    """Without the pauses of a machine that has others to serve."""
    return [one for one in status.incidents if one.cause is not Cause.SERVER_PAUSED]


async def _all_is_well(lab: Home) -> None:
    status, shown = await lab.status()
    assert [one for one in _of_sources(status) if one.ended_at is None] == []
    assert "source" not in shown.partition("Wrong now")[2].partition("\n\n")[0]
    (channel,) = status.channels
    assert channel.margin is not None
    assert channel.margin > 5
    assert await lab.metric("cccamd_channel_margin_seconds", account="anna") > 5
    assert await lab.metric("cccamd_source_up", source=lab.source) == 1


async def _it_is_dark(
    lab: Home, minute: float, cause: Cause, verdict: Verdict, began_at: float
) -> None:
    """Everybody says so, and since when, and why."""
    for _ in range(10):  # the machine has others to serve: what it notices may come late
        status, shown = await lab.status()
        if is_wrong := [one for one in _of_sources(status) if one.ended_at is None]:
            break
        await asyncio.sleep(1)
    (incident,) = is_wrong
    assert (incident.cause, incident.subject, incident.times) == (cause, lab.source, 1)
    assert incident.began_at == pytest.approx(began_at, abs=25)
    assert shown.index(f"{lab.source} {incident.text}"[:60]) < shown.index("Receivers")
    assert await lab.metric("cccamd_incidents_open", cause=cause.value) == 1
    if minute < 1:
        return
    assert incident.sufferers == ("anna",)
    frozen_for = minute * MINUTE - 25
    (channel,) = status.channels
    assert channel.margin is not None
    assert channel.margin < -frozen_for
    assert await lab.metric("cccamd_channel_margin_seconds", account="anna") < -frozen_for
    total = await lab.metric("cccamd_frozen_seconds_total", account="anna")
    assert total > frozen_for
    report = await lab.freezes()
    freeze = report.freezes[0]
    assert not freeze.over
    assert freeze.seconds > frozen_for
    assert freeze.verdict is verdict
    outages = [
        one
        for one in read_entries(lab.journal)
        if one.kind is Kind.INCIDENT and one.cause != Cause.SERVER_PAUSED.value
    ]
    assert [(one.subject, one.cause) for one in outages] == [(lab.source, cause.value)]
    said = lab.explain()
    assert lab.source in said


async def _it_is_over(lab: Home, cause: Cause, verdict: Verdict) -> None:
    await _all_is_well(lab)
    status, _ = await lab.status()
    (incident,) = _of_sources(status)
    assert (incident.cause, incident.sufferers) == (cause, ("anna",))
    assert incident.ended_at is not None
    assert incident.ended_at - incident.began_at == pytest.approx(15 * MINUTE, abs=60)
    (freeze,) = (await lab.freezes()).freezes
    assert (freeze.over, freeze.verdict) == (True, verdict)
    assert freeze.seconds == pytest.approx(15 * MINUTE, abs=60)
    total = await lab.metric("cccamd_frozen_seconds_total", account="anna")
    assert total == pytest.approx(freeze.seconds, abs=3)


def _told(caplog: pytest.LogCaptureFixture) -> list[str]:
    told = [each.getMessage() for each in caplog.records if each.name == "cccamd.incident"]
    return [each for each in told if not each.startswith(Cause.SERVER_PAUSED.value)]


def test_a_source_that_is_away_for_fifteen_minutes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(journal_module, "BATCH_INTERVAL", 0.01)
    caplog.set_level(logging.INFO)
    port, path = free_port(), tmp_path / "journal.db"
    times: dict[str, float] = {}

    async def outage(clock: Clock) -> None:
        source = far(port)
        await source.__aenter__()
        async with AsyncExitStack() as later, home(clock, port, path) as lab:
            await asyncio.sleep(2 * MINUTE)
            await _all_is_well(lab)
            with clock.usual():
                await source.__aexit__(None, None, None)
            began_at = time.time()
            done = 0.0
            for minute in (0.2, 1, 5, 12, 15):
                await asyncio.sleep((minute - done) * MINUTE)
                done = minute
                await _it_is_dark(lab, minute, Cause.SOURCE_DOWN, Verdict.SOURCE_AWAY, began_at)
                assert "nothing listens" in lab.explain() or minute < 1
                assert await lab.metric("cccamd_source_up", source=lab.source) == 0
            await later.enter_async_context(far(port))
            await asyncio.sleep(1.5 * MINUTE)
            await _it_is_over(lab, Cause.SOURCE_DOWN, Verdict.SOURCE_AWAY)
        times["began"] = began_at

    live_through(outage, monkeypatch)
    entries = list(read_entries(path))
    (gone,) = [one for one in entries if one.kind is Kind.OUTAGE]
    assert gone.at == pytest.approx(times["began"], abs=2)
    assert gone.until is not None
    assert gone.until - gone.at == pytest.approx(15 * MINUTE, abs=45)
    (source,) = sum_up(one for one in entries if one.kind in (Kind.SOURCE, Kind.OUTAGE))
    assert source.losses == 1
    told = _told(caplog)
    assert len(told) == 2
    assert told[0].startswith(f"source down: {HOST}:{port} is down: ")
    assert re.fullmatch(r".*: over after 1[45] min", told[1])  # a look may be late


def test_a_source_that_says_nothing_for_fifteen_minutes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(journal_module, "BATCH_INTERVAL", 0.01)
    caplog.set_level(logging.INFO)
    port, path = free_port(), tmp_path / "journal.db"

    async def outage(clock: Clock) -> None:
        async with scripted(right, port=port) as source, home(clock, port, path) as lab:
            await asyncio.sleep(2 * MINUTE)
            await _all_is_well(lab)
            source.answer = mute
            began_at, done = time.time(), 0.0
            for minute in (0.8, 1, 5, 12, 15):
                await asyncio.sleep((minute - done) * MINUTE)
                done = minute
                await _it_is_dark(lab, minute, Cause.SOURCE_SILENT, Verdict.SOURCE_SILENT, began_at)
                assert await lab.metric("cccamd_source_up", source=lab.source) == 1
                status, _ = await lab.status()
                since = status.sources[0].silent_since
                assert since == pytest.approx(began_at, abs=25)
            source.answer = right
            await asyncio.sleep(1.5 * MINUTE)
            await _it_is_over(lab, Cause.SOURCE_SILENT, Verdict.SOURCE_SILENT)

    live_through(outage, monkeypatch)
    told = _told(caplog)
    assert len(told) == 2
    assert told[0].startswith(f"source silent: {HOST}:{port} is logged in and answers nothing")
