"""Live through a real outage, minute by minute, and write docs/outage.md and its pictures.

Usage: python scripts/outage.py [--minutes N] [--out FOLDER]

Two servers run as their users run them; two receivers ask for a new ECM every ten seconds; one
browser has the status page open all the time. After two minutes the source is stopped, after
fifteen more it is there again. What page, status, metrics, journal, log and `explain` say is
taken at minute 0, 1, 5, 12 and after it, as it is.
"""

import argparse
import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playwright.async_api import Page, ViewportSize, async_playwright

from cccamd.ids import Caid, Ident, NodeId, ShareId, Sid
from cccamd.net import Client, ConnectError, ConnectionLost, TaskSet
from cccamd.values import ControlWords, Request
from cccamd.wire.cccam import Caller, ClientProtocol, Identity, Target

HOST: Final = "127.0.0.1"
SOURCE_PORT, PORT, PAGES = 13000, 13001, 17001
PERIOD: Final = 10.0
MINUTE: Final = 60.0
ACCOUNTS: Final = ("livingroom", "bedroom")
CARD: Final = '[[card]]\nkind = "test"\ncaid = "7F00"\nproviders = ["00000A"]\n'
CHANNELS: Final = '7F00:00000A:0001 "Our Channel"\n7F00:00000A:0002 "Our Other Channel"\n'
SHOWN_METRICS: Final = (
    "cccamd_channel_margin_seconds",
    "cccamd_frozen_seconds_total",
    'cccamd_incidents_open{cause="source down"}',
    'cccamd_incident_sufferers{cause="source down"}',
    "cccamd_source_up",
)
WARM: Final = 2 * MINUTE
VIEW: Final[ViewportSize] = {"width": 1280, "height": 900}


def write_files(folder: Path) -> None:
    """The configuration of both servers."""
    far, near = folder / "far", folder / "near"
    far.mkdir()
    near.mkdir()
    local = f'[server]\nbind = ["{HOST}"]\n'
    (far / "CCcam.cfg").write_text(
        f"SERVER LISTEN PORT : {SOURCE_PORT}\nF: home secret\nALLOW WEBINFO : no\n"
        "ALLOW TELNETINFO : no\n"
    )
    (far / "cccamd.toml").write_text(CARD + local)
    accounts = "".join(f"F: {account} secret\n" for account in ACCOUNTS)
    (near / "channels").write_text(CHANNELS)
    (near / "CCcam.cfg").write_text(
        f"SERVER LISTEN PORT : {PORT}\n{accounts}C: {HOST} {SOURCE_PORT} home secret\n"
        f"WEBINFO LISTEN PORT : {PAGES}\nALLOW TELNETINFO : no\n"
        f"CHANNELINFO FILE : {near / 'channels'}\n"
    )
    (near / "cccamd.toml").write_text(local)


@contextmanager
def serving(folder: Path) -> Iterator[None]:
    """Run a server, until it is stopped."""
    command = [sys.executable, "-m", "cccamd", "serve", "-C", "CCcam.cfg", "-n", "node-id"]
    with (folder / "log").open("a") as log:
        process = subprocess.Popen(command, cwd=folder, stderr=log, stdout=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait()


async def _until_there(port: int) -> None:
    for _ in range(100):
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            await asyncio.sleep(0.3)
        else:
            writer.close()
            return
    raise SystemExit(f"nothing listens on port {port}")


async def keep_watching(account: str, sid: int) -> None:
    """Ask as a receiver does: each ECM until it is answered, the next one ten seconds later."""
    target = Target(host=HOST, port=PORT, user=account.encode(), password=b"secret")
    node_id = NodeId(bytes([0x11, sid, 2, 3, 4, 5, 6, 7]))
    number = 0
    while True:
        try:
            client = await Client.connect(HOST, PORT, Caller(target, Identity(node_id, "")))
            while True:
                number += 1
                await _one_period(client, sid, number)
        except (ConnectError, ConnectionLost, TimeoutError, OSError):
            await asyncio.sleep(2.0)


async def _one_period(client: Client[ClientProtocol], sid: int, number: int) -> None:
    ends_at = time.monotonic() + PERIOD
    section = bytes([0x80 + number % 2, sid, *number.to_bytes(4), *bytes(30)])
    while time.monotonic() < ends_at:
        share_id = next(iter(client.cards), ShareId(0))
        request = Request(Caid(0x7F00), Ident(0x0A), share_id, Sid(sid), section)
        answer = await client.ask(request)
        left = max(0.0, ends_at - time.monotonic())
        await asyncio.sleep(left if isinstance(answer, ControlWords) else min(1.0, left))


@dataclass(frozen=True, slots=True)
class Taken:
    """What everybody said at one moment."""

    heading: str
    picture: str
    texts: Mapping[str, str]


async def take(heading: str, picture: str, folder: Path, page: Page, out: Path) -> Taken:
    """Ask everybody, as it stands now."""
    await page.screenshot(path=out / "images" / f"{picture}.png")
    return Taken(heading, picture, await asyncio.to_thread(_ask_all, folder))


def _ask_all(folder: Path) -> dict[str, str]:
    with urllib.request.urlopen(f"http://{HOST}:{PAGES}/metrics") as answer:
        metrics = answer.read().decode().splitlines()
    log = (folder / "log").read_text().splitlines()
    about = ("explain", "livingroom", "-C", "CCcam.cfg", "--caid", "7F00", "--sid", "0001")
    return {
        "cccamd status": _first(_run(folder, "status", "-C", "CCcam.cfg"), 22),
        "/metrics": "\n".join(line for line in metrics if line.startswith(SHOWN_METRICS)),
        "cccamd explain livingroom --caid 7F00 --sid 0001": _first(_run(folder, *about), 24),
        "cccamd journal": _last(_run(folder, "journal", "--file", "journal.db"), 8),
        "the log": _last("\n".join(log), 6),
    }


def _run(folder: Path, *words: str) -> str:
    command = [sys.executable, "-m", "cccamd", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).rstrip()


def _first(text: str, lines: int) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()[:lines])


def _last(text: str, lines: int) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()[-lines:])


async def live_through(folder: Path, page: Page, minutes: float, out: Path) -> list[Taken]:
    """The outage itself."""
    near = folder / "near"
    tasks = TaskSet(on_failure=lambda name, error: print(name, error, file=sys.stderr))
    found: list[Taken] = []
    with ExitStack() as running:
        source = running.enter_context(ExitStack())
        source.enter_context(serving(folder / "far"))
        running.enter_context(serving(near))
        await _until_there(PAGES)
        for sid, account in enumerate(ACCOUNTS, 1):
            tasks.start(account, keep_watching(account, sid))
        await page.goto(f"http://{HOST}:{PAGES}/")
        await asyncio.sleep(WARM)
        found.append(await take("Before", "outage-before", near, page, out))
        source.close()
        began_at = time.monotonic()
        scale = minutes / 15
        for minute in (0.1, 1, 5, 12):
            await asyncio.sleep(began_at + minute * scale * MINUTE - time.monotonic())
            name = f"{minute:.0f}"
            found.append(await take(f"Minute {name}", f"outage-{name}", near, page, out))
        await asyncio.sleep(began_at + minutes * MINUTE - time.monotonic())
        running.enter_context(serving(folder / "far"))
        await asyncio.sleep(1.5 * MINUTE)
        found.append(await take("A minute after it", "outage-after", near, page, out))
        sources = _run(near, "journal", "--sources", "--file", "journal.db")
        found[-1] = Taken(
            found[-1].heading,
            found[-1].picture,
            {**found[-1].texts, "cccamd journal --sources": sources},
        )
        await tasks.cancel()
    return found


def document(taken: list[Taken], minutes: float) -> Iterator[str]:
    """What was taken, as a page of the manual."""
    yield "# An outage, minute by minute\n"
    yield (
        f"Made by `make outage`: a real run, nothing of it written by hand. A household with one"
        f" source\nand two receivers; the source's program is stopped, and started again after"
        f" {minutes:g} minutes. Texts\nare cut to their first or last lines.\n"
        "The same with a fake clock is a test: `tests/server/test_outage_live.py`.\n"
    )
    for each in taken:
        yield f"## {each.heading}\n"
        yield f"![the status page](images/{each.picture}.png)\n"
        for name, text in each.texts.items():
            yield f"{name}:\n\n```\n{text}\n```\n"


async def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description="live through a real outage")
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs")
    arguments = parser.parse_args()
    (arguments.out / "images").mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="cccamd-outage-"))
    write_files(folder)
    try:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            page = await browser.new_page(viewport=VIEW)
            taken = await live_through(folder, page, arguments.minutes, arguments.out)
            await browser.close()
    finally:
        shutil.rmtree(folder)
    text = "\n".join(document(taken, arguments.minutes))
    (arguments.out / "outage.md").write_text(text.replace(str(folder), "/etc/cccamd"))


if __name__ == "__main__":
    asyncio.run(main())
