"""The whole demonstration with a real server process, as `make demo` runs it, but fast."""

import asyncio
import io
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cccamd.errors import CccamdError
from cccamd.ids import Caid
from cccamd.lab.demo import Options, run
from cccamd.lab.demo import server as demo_server
from cccamd.lab.demo.server import run_server
from cccamd.lab.demo.subscription import Subscription

pytest.importorskip("av", reason="the demonstration's extra is not installed")


def options(output: Path, *, renewal: bool = False, period: float = 1.25) -> Options:
    return Options(output=output, seconds=10, period=period, fast=True, renewal=renewal)


def quiet() -> Console:
    return Console(file=io.StringIO(), width=120)


async def test_a_scrambled_stream_comes_back_bit_for_bit_and_plays(tmp_path: Path) -> None:
    console = quiet()
    report = await run(options(tmp_path / "new" / "folder"), console)
    report.show(console)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert report.is_good, shown
    assert "identical to the clear stream, bit for bit" in shown
    assert "8 answered, 0 refused" in shown
    assert "250 of 250 pictures" in shown
    clear, scrambled = report.clear_path.read_bytes(), report.scrambled_path.read_bytes()
    assert len(clear) == len(scrambled) > 500_000
    assert clear != scrambled


async def test_dark_before_the_emm_clear_after_it_dark_when_the_key_expired(
    tmp_path: Path,
) -> None:
    console = quiet()
    report = await run(options(tmp_path, renewal=True), console)
    report.show(console)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert report.is_good, shown
    assert "dark - clear - dark" in shown


async def test_services_over_dvbapi_come_back_bit_for_bit(tmp_path: Path) -> None:
    console = quiet()
    wanted = replace(options(tmp_path), dvbapi=True, services=2)
    report = await run(wanted, console)
    report.show(console)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert report.is_good, shown
    assert shown.count("identical") == 2
    assert shown.count("8 answered, 0 refused") == 2
    assert shown.count("250 of 250") == 2
    files = {path.name for path in tmp_path.iterdir()}
    assert files == {"clear.ts", "clear-2.ts", "scrambled.ts", "scrambled-2.ts"}


async def test_newcamd_brings_the_same_picture(tmp_path: Path) -> None:
    console = quiet()
    report = await run(replace(options(tmp_path), newcamd=True), console)
    report.show(console)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert report.is_good, shown
    assert "identical" in shown


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"newcamd": True, "dvbapi": True}, "take one"),
        ({"renewal": True, "dvbapi": True}, "the story with an EMM is for CCcam"),
        ({"services": 2}, "more are for --dvbapi"),
    ],
)
async def test_options_that_do_not_fit_together(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(CccamdError, match=words):
        await run(replace(options(tmp_path), **changes), quiet())


async def test_too_few_periods_for_the_story(tmp_path: Path) -> None:
    with pytest.raises(CccamdError, match="8 crypto periods"):
        await run(options(tmp_path, renewal=True, period=5), quiet())


async def test_a_server_that_cannot_start_is_stopped_and_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = tmp_path / "failing"
    failing.write_text("#!/bin/sh\necho no luck today\nexit 3\n")
    failing.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(failing))
    card = Subscription(Caid(0x7F00), expires=datetime.now(UTC).replace(microsecond=0)).make_card(
        paid=True
    )
    async with run_server(tmp_path, card) as server:
        await server.process.wait()
        with pytest.raises(CccamdError, match="the server has ended:\nno luck today"):
            server.check()


async def test_a_server_that_does_not_stop_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stubborn = tmp_path / "stubborn"
    stubborn.write_text("#!/bin/sh\ntrap '' TERM\necho ready\nwhile :; do sleep 0.05; done\n")
    stubborn.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(stubborn))
    monkeypatch.setattr(demo_server, "STOP_TIMEOUT", 0.2)
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    card = Subscription(Caid(0x7F00), expires=expires).make_card(paid=True)
    async with run_server(tmp_path, card) as server:
        while not server.log.read_text():
            await asyncio.sleep(0.01)
    assert server.process.returncode == -9
    assert (tmp_path / "card.json").stat().st_mode & 0o777 == 0o600
