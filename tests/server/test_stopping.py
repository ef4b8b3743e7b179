"""The end of `cccamd serve`: a real process, real sockets, real signals."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from laboratory import HOST, ask, cards_of, connect, expected_cw, new_node_id, request, running
from scripted import ScriptedServer, scripted

from cccamd.cli.ending import Pool
from cccamd.lab.ports import free_port
from cccamd.net import Client, ConnectError
from cccamd.values import Refusal
from cccamd.wire.cccam import ClientProtocol, Target

CLIENTS = 20


class House:
    """A server in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.process: asyncio.subprocess.Process

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    async def client(self, user: str) -> Client[ClientProtocol]:
        target = Target(host=HOST, port=self.port, user=user.encode(), password=b"secret")
        async with asyncio.timeout(15):
            while True:
                with suppress(ConnectError):
                    client = await connect(target, new_node_id())
                    if await cards_of(client):
                        return client
                    await client.close()
                await asyncio.sleep(0.05)

    async def says(self, text: str) -> None:
        async with asyncio.timeout(10):
            while text not in self.log:
                await asyncio.sleep(0.02)


@asynccontextmanager
async def serving(folder: Path, cfg: str = "", toml: str = "") -> AsyncIterator[House]:
    house = House(folder)
    users = "".join(f"F: u{number} secret\n" for number in range(CLIENTS))
    (folder / "CCcam.cfg").write_text(
        f"SERVER LISTEN PORT : {house.port}\nALLOW WEBINFO : no\nALLOW TELNETINFO : no\n"
        f"{users}{cfg}"
    )
    (folder / "cccamd.toml").write_text(f'[server]\nbind = ["{HOST}"]\n{toml}')
    with (folder / "log").open("wb") as log:
        house.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cccamd", "serve", "-C", str(folder / "CCcam.cfg")),
            *("-n", str(folder / "node-id")),
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONPATH": str(folder)},
        )
    try:
        yield house
    finally:
        with suppress(ProcessLookupError):
            house.process.kill()
        await house.process.wait()


async def all_ask(house: House, upstream: ScriptedServer) -> tuple[list, list]:  # type: ignore[type-arg]
    clients = await asyncio.gather(*(house.client(f"u{number}") for number in range(CLIENTS)))
    loop = asyncio.get_running_loop()
    asking = [
        loop.create_task(ask(client, bytes([0x80, number])))
        for number, client in enumerate(clients)
    ]
    async with asyncio.timeout(10.0):
        while len(upstream.asked) < CLIENTS:
            await asyncio.sleep(0.01)
    return clients, asking


async def test_what_was_asked_is_answered_before_the_end(tmp_path: Path) -> None:
    async with (
        scripted(lambda asked: None) as upstream,
        serving(tmp_path, f"C: {HOST} {upstream.port} us secret\n") as house,
    ):
        clients, asking = await all_ask(house, upstream)
        house.process.send_signal(signal.SIGTERM)
        await house.says(f"stopping, waiting for answers: {CLIENTS}")
        assert await ask(clients[0], b"\x80 asked too late") is Refusal.PASSING
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection(HOST, house.port)
        for token, asked in list(upstream.asked):
            upstream.give(token, expected_cw(asked.section))
        answers = await asyncio.gather(*asking)
        assert answers == [expected_cw(bytes([0x80, number])) for number in range(CLIENTS)]
        assert await asyncio.wait_for(house.process.wait(), 5) == 0


async def test_the_second_signal_ends_at_once(tmp_path: Path) -> None:
    async with (
        scripted(lambda asked: None) as upstream,
        serving(tmp_path, f"C: {HOST} {upstream.port} us secret\n") as house,
    ):
        client = await house.client("u0")
        asking = asyncio.get_running_loop().create_task(
            client.ask(request(b"\x80", share_id=next(iter(client.cards))))
        )
        while not upstream.asked:
            await asyncio.sleep(0.01)
        house.process.send_signal(signal.SIGTERM)
        await house.says("waiting for answers: 1")
        house.process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(house.process.wait(), 1) == 128 + signal.SIGINT
        assert "stopped at once" in house.log
        asking.cancel()


WICKED = """
import asyncio, threading
from cccamd.localcards import LocalCard

async def interrupt():
    raise KeyboardInterrupt

def quit():
    raise SystemExit(3)

async def stay():
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass

class Wicked(LocalCard):
    async def start(self):
        loop = asyncio.get_running_loop()
        self.tasks = [loop.create_task(interrupt()), loop.create_task(stay(), name="stays")]
        loop.call_later(0.1, quit)
        for _ in range(64):
            loop.run_in_executor(None, threading.Event().wait)

    async def decode(self, ecm, *, ident, sid):
        raise KeyboardInterrupt
"""


async def test_a_plug_in_neither_ends_nor_holds_the_server(tmp_path: Path) -> None:
    info = tmp_path / "wicked_cards-1.dist-info"
    info.mkdir()
    (tmp_path / "wicked_cards.py").write_text(WICKED)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: wicked_cards\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[cccamd.cards]\nwicked = wicked_cards:Wicked\n")
    toml = '[[card]]\nkind = "wicked"\ncaid = "7F00"\nproviders = ["00000A"]\n'
    async with serving(tmp_path, toml=toml) as house:
        client = await house.client("u0")
        await house.says("foreign code raised SystemExit")
        assert "foreign code raised KeyboardInterrupt" in house.log
        assert isinstance(await ask(client, b"\x80"), Refusal)
        assert isinstance(await ask(client, b"\x81"), Refusal)
        house.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(house.process.wait(), 8) == 0
        assert "stopped without waiting for what does not end: stays" in house.log
        assert "Traceback" not in house.log


async def test_nobody_looks_at_the_cards_of_a_server_that_has_stopped() -> None:
    """A task that begins after the end is nobody's, and is torn out of its loop."""
    async with running() as lab:
        lab.server._card_news.changed()
    timer = lab.server._card_news._timer
    assert timer is not None
    assert timer.cancelled()
    lab.server._card_news.changed()
    assert lab.server._card_news._timer is timer


BROKEN = """
import asyncio, sys, threading
from cccamd.cli.ending import run_to_the_end

threading.Thread(target=threading.Event().wait).start()  # as of a plug-in, or of a pool

async def main():
    if "loop" in sys.argv:
        asyncio.get_running_loop()._run_once = lambda: 1 / 0
        await asyncio.sleep(9)
    raise MemoryError

run_to_the_end(main(), asyncio.new_event_loop)
"""


@pytest.mark.parametrize("what", ["loop", "task"])
def test_a_server_that_is_broken_ends_instead_of_being_there_without_serving(what: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BROKEN, what], capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert b"the server has failed, and ends" in done.stderr


HELD = """
import asyncio, sys, threading
from cccamd.cli.ending import run_to_the_end
from cccamd.net import loop_factory

async def main():
    if "pool" in sys.argv:
        asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)
    else:
        threading.Thread(target=threading.Event().wait).start()
    return 7

found = loop_factory() if "uvloop" in sys.argv else None
run_to_the_end(main(), found or asyncio.new_event_loop)
"""


@pytest.mark.parametrize("words", ["uvloop pool", "asyncio pool", "asyncio own"])
def test_a_thread_that_does_not_end_holds_up_no_stop(words: str) -> None:
    """Such as one that reads from a network drive that is gone."""
    done = subprocess.run(
        [sys.executable, "-c", HELD, *words.split()], capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (
        7,
        b"stopped without waiting for a thread that does not end\n",
    )


def test_work_is_done_though_the_system_gives_no_more_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool = Pool()
    pool.submit(int).result(5.0)

    def none_left(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none_left)
        first = pool.submit(time.sleep, 0.1)
        others = [pool.submit(pow, 2, number) for number in range(3)]
    first.result(5.0)
    assert [each.result(5.0) for each in others] == [1, 2, 4]
    pool.shutdown()
