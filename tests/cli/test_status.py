"""`cccamd status`, against a real web server on a real port."""

import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from socket import create_server

import pytest
import typer
from browsing import serving
from contexts import CHANNEL_NAME, a_context
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from rich.console import Console
from typer.testing import CliRunner, Result

from cccamd.cli import statusview
from cccamd.cli import terminal as parts
from cccamd.cli.status import status
from cccamd.cli.webreader import NoAnswer, address_of_url
from cccamd.facts import (
    EcmResult,
    FleetStatus,
    FreezeReport,
    LinkState,
    NodeState,
    Snapshot,
    Span,
    Status,
    Tone,
)
from cccamd.ids import Caid, Ident, Sid
from cccamd.setup.cccamcfg import InfoPort
from cccamd.watch import History, SourceAnswered
from cccamd.web.app import create_app
from cccamd.wording import span
from fact_factory import (
    NOW,
    OFFLINE,
    UPSTREAM,
    a_client,
    a_household,
    a_margin,
    a_note,
    a_penalty,
    a_snapshot,
    a_source,
    an_incident,
)
from talking import talking

app = typer.Typer()
app.command()(status)

LOGIN = InfoPort(username="me", password="s3cret-word")
INCIDENTS = (an_incident(text="is down: cable"), an_incident("b:1", number=2, ended_at=NOW))
NOTES = (a_note(OFFLINE, tone=Tone.BAD, text="is down: no route", service=None, times=3),)
FREEZES = FreezeReport(channels=(a_margin(),))


def cccamd_status(*words: str) -> Result:
    return CliRunner().invoke(app, [*words])


async def run(*words: str) -> Result:
    """Run the command in a thread, while the server runs here."""
    return await asyncio.to_thread(cccamd_status, *words)


@asynccontextmanager
async def server(
    tmp_path: Path, snapshot: Callable[[], Snapshot] = a_household, login: InfoPort | None = None
) -> AsyncIterator[Path]:
    """Serve a snapshot, and give the CCcam.cfg of that server."""
    context = a_context(snapshot, login=login, notes=NOTES, freezes=FREEZES, incidents=INCIDENTS)
    async with serving(create_app(context)) as port:
        config = tmp_path / "CCcam.cfg"
        config.write_text(f"WEBINFO LISTEN PORT : {port}\n")
        yield config


async def test_everything_is_shown(tmp_path: Path) -> None:
    async with server(tmp_path) as config:
        result = await run("-C", str(config))
    assert result.exit_code == 0
    text = result.output
    assert "2 receivers on (1 active), 2 of 3 sources up, 3 cards, 360 ECMs" in text
    assert "not on: kitchen" in text
    assert "the engine lags: 2 messages to it not sent" in text
    assert "3 other nodes: 2 there, 1 missing" in text
    assert "node shed has another configuration: hash fedcba98, the others 01234567" in text
    assert re.search("barn: missing, last heard of at .* \\(5 min ago\\), configuration 0123", text)
    assert "cellar: 3 cards, heard of 2 s ago, configuration 01234567\n" in text
    living = next(line for line in text.splitlines() if " living " in line)
    for cell in ("192.168.1.20", "2.3.0 v1", CHANNEL_NAME, "123 ms", "4.2 s", UPSTREAM, "180 97 %"):
        assert cell in living
    assert "NOK2" in next(line for line in text.splitlines() if " bedroom " in line)
    table = text.partition("Sources")[2].splitlines()
    offline = next(line for line in table if f" {OFFLINE} " in line)
    assert "waiting" in offline
    assert "next try in 42 s" in offline
    assert f"{OFFLINE}: connection refused" in text
    assert "2 (1+1)" in text
    assert f"{OFFLINE} is down: no route (3 times)" in text
    wrong = f"(5 min)  {OFFLINE} is down: cable; 1 account in trouble for it: bedroom"
    assert wrong in text.partition("Receivers")[0]
    assert "ask its owner whether the server runs" in text
    assert "b:1" not in text.partition("Receivers")[0]


async def test_an_engine_that_is_away_is_told_once_with_since_when_and_what_it_means(
    tmp_path: Path,
) -> None:
    house = a_household()
    assert house.fleet is not None
    hidden = tuple(replace(each, state=NodeState.UNSEEN) for each in house.fleet.nodes)
    many = tuple(replace(hidden[0], name=f"node{number}") for number in range(500))
    away = replace(
        house.fleet,
        engine_up=False,
        trouble="no route",
        engine_since=house.at - 900.0,
        nodes=(*hidden, *many),
    )
    async with server(tmp_path, lambda: replace(house, fleet=away)) as config:
        result = await run("-C", str(config))
    text = " ".join(result.output.split())
    words = "the engine is away since [0-9:]{8} \\(15 min\\): no route; each node serves on its own"
    assert re.search(words, text)
    assert "503 other nodes: 502 out of sight, 1 missing" in text
    assert text.count("out of sight, last heard of") == 19
    assert "and 483 more nodes; cccamd status --json has all" in text
    assert result.output.count("\n") < 100


async def test_an_engine_that_is_slow_is_named(tmp_path: Path) -> None:
    house = a_snapshot(fleet=FleetStatus(node="attic", engine_up=True, round_trip=0.5))
    async with server(tmp_path, lambda: house) as config:
        result = await run("-C", str(config))
    assert "the engine takes 500 ms to answer" in " ".join(result.output.split())


async def test_json_is_what_the_server_says(tmp_path: Path) -> None:
    async with server(tmp_path) as config:
        result = await run("-C", str(config), "--json")
    assert TypeAdapter(Status).validate_json(result.output).server.accounts[0] == "living"
    assert json.loads(result.output)["clients"][0]["account"] == "living"


async def test_an_empty_server_is_shown(tmp_path: Path) -> None:
    async with server(tmp_path, a_snapshot) as config:
        result = await run("-C", str(config))
    assert "nobody is logged in" in result.output
    assert "none: no C-line, no N-line, no local card" in result.output


async def test_who_is_banned_is_named_a_few_of_thousands(tmp_path: Path) -> None:
    banned = tuple(a_penalty(f"203.0.113.{number}") for number in range(100))
    async with server(
        tmp_path, lambda: a_snapshot(penalties=banned, banned=10_000, slowed=3)
    ) as config:
        text = (await run("-C", str(config))).output
    assert text.count(" is banned for ") == statusview.PENALTIES_SHOWN
    assert "and 9,995 more; 10,000 banned in all" in " ".join(text.split())


async def test_the_login_comes_from_the_configuration(tmp_path: Path) -> None:
    async with server(tmp_path, login=LOGIN) as config:
        refused = await run("-C", str(config))
        lines = f"WEBINFO USERNAME : {LOGIN.username}\nWEBINFO PASSWORD : {LOGIN.password}\n"
        config.write_text(config.read_text() + lines)
        let_in = await run("-C", str(config))
    assert refused.exit_code == 1
    assert "refuses the login" in refused.stderr
    assert let_in.exit_code == 0
    assert "s3cret" not in let_in.output


async def test_the_login_may_stand_in_the_url(tmp_path: Path) -> None:
    async with server(tmp_path, login=LOGIN) as config:
        port = config.read_text().split()[-1]
        let_in = await run("--url", f"http://me:s3cret%2Dword@127.0.0.1:{port}/")
        refused = await run("--url", f"http://me:s3cret-wrong@127.0.0.1:{port}")
    assert let_in.exit_code == 0
    assert refused.exit_code == 1
    assert "s3cret" not in refused.stderr


# When there is nothing to show.


def unused_port() -> int:
    with create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


@pytest.mark.parametrize(
    ("lines", "code", "words"),
    [
        ("WEBINFO LISTEN PORT : {port}", 1, "no server answers at http://127.0.0.1:{port}"),
        ("ALLOW WEBINFO : no", 1, 'switched off, and they are what this command reads; set "ALLOW'),
        ("WEBINFO USERNAME : me", 1, "only one of WEBINFO USERNAME and WEBINFO PASSWORD is set"),
        ("SERVER LISTEN PORT : {port}\nWEBINFO LISTEN PORT : {port}", 1, "that of another"),
    ],
)
def test_clear_words_instead(tmp_path: Path, lines: str, code: int, words: str) -> None:
    port = unused_port()
    config = tmp_path / "CCcam.cfg"
    config.write_text(lines.format(port=port))
    result = cccamd_status("-C", str(config))
    assert result.exit_code == code
    assert words.format(port=port) in result.stderr
    assert "Traceback" not in result.stderr


def test_a_configuration_that_cannot_be_read(tmp_path: Path) -> None:
    assert "there is no such file" in cccamd_status("-C", str(tmp_path / "none.cfg")).stderr
    result = cccamd_status("-C", str(tmp_path))
    assert result.exit_code == 2
    assert "this is a directory" in result.stderr


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.0 404 Not Found\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n<HTML>",
        b'HTTP/1.0 200 OK\r\n\r\n{"server": 1}',
        b"SSH-2.0-OpenSSH_9\r\n",
    ],
)
async def test_something_else_answers(answer: bytes) -> None:
    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)

    async with talking(reply) as port:
        result = await run("--url", f"127.0.0.1:{port}")
    assert result.exit_code == 1
    assert "something answers at" in result.stderr


@pytest.mark.parametrize("url", ["", "ftp://x", "http://", "http://x:99999999", "http://[::1"])
def test_a_bad_url_is_named(url: str) -> None:
    with pytest.raises(NoAnswer, match="--url wants"):
        address_of_url(url)


def test_urls() -> None:
    assert address_of_url("box:16001").url == "http://box:16001"
    assert address_of_url("http://a%40b:c%3A@[::1]:16001/x").url == "http://[::1]:16001"
    assert address_of_url("http://a%40b:c%3A@[::1]:16001/x").password == "c:"


# Live.


async def test_watching_goes_on_while_the_server_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown_once, server_gone = threading.Event(), threading.Event()
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 2:
            raise KeyboardInterrupt
        shown_once.set()
        assert server_gone.wait(5)

    monkeypatch.setattr("cccamd.cli.deeds.status.time.sleep", nap)
    async with asyncio.TaskGroup() as tasks:
        async with server(tmp_path) as config:
            running = tasks.create_task(run("-C", str(config), "--watch", "--interval", "7"))
            await asyncio.to_thread(shown_once.wait, 5)
        server_gone.set()
    result = running.result()
    assert "no server answers" in result.output
    assert naps == [7.0, 7.0]
    assert result.exit_code == 0


# Drawing.


def drawn(snapshot: Snapshot, width: int) -> str:
    shown = Status(
        server=snapshot,
        clients=snapshot.clients,
        sources=snapshot.sources,
        systems=(),
        notes=(),
        channels=(),
    )
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(statusview.draw_status(shown, None, width=width))
    return capture.get()


@pytest.mark.parametrize("width", [80, 100, 120, 160])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    text = drawn(a_household(), width)
    assert max(map(len, text.splitlines())) <= width
    living = next(line for line in text.splitlines() if " living " in line)
    assert "123 ms" in living
    assert ("192.168.1.20" in living) is (width >= 100)


@given(st.text(max_size=20), st.text(max_size=20))
def test_names_cannot_steer_the_terminal(account: str, failure: str) -> None:
    down = a_source(
        failure, up_at=None, state=LinkState.WAITING, last_failure=f"\x1b]0;{failure}\x07"
    )
    client = replace(a_client(f"\x1b[2J{account}"), program="\x1b[1m")
    penalty = a_penalty(f"\x1b[2J{account}", user=f"\x1b]0;{failure}\x07")
    shown = a_snapshot(clients=(client,), sources=(down,), penalties=(penalty,), banned=1)
    text = drawn(shown, 160)
    assert all(char.isprintable() or char == "\n" for char in text)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-1, "0 s"), (99, "99 s"), (100, "1 min"), (3700, "1 h 1 min"), (180_000, "2 d 2 h")],
)
def test_spans(seconds: float, shown: str) -> None:
    assert span(seconds) == shown


def test_the_picture_of_answer_times() -> None:
    history = History()
    for ago, seconds in ((590, 0.05), (300, 0.4), (5, 3.0)):
        history.observe(
            SourceAnswered(
                at=NOW - ago,
                source=UPSTREAM,
                caid=Caid(1),
                ident=Ident(0),
                sid=Sid(0),
                result=EcmResult.CW,
                seconds=seconds,
            )
        )
    (series,) = history.sources(Span.MINUTES, now=NOW)
    line = parts.sparkline(series.points, now=NOW, seconds=600)
    assert len(line.plain) == parts.SPARKS
    assert line.plain.split() == ["▁", "▄", "█"]
    assert [span.style for span in line.spans] == ["green", "green", "red"]
