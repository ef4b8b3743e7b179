"""No descriptors and no memory left, made so for a server that runs."""

import asyncio
import contextlib
import resource
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from house import House, until
from laboratory import HOST, ask, connect, expected_cw

from cccamd.net import ConnectError
from cccamd.values import ControlWords
from cccamd.watch.journal import Kind
from cccamd.wire.cccam import Target

pytestmark = pytest.mark.processes
BACK_WITHIN = 15.0
"""Seconds until a login and a page are as before when there is enough again."""


@contextmanager
def limited(house: House, what: int, most: int) -> Iterator[None]:
    """Let the server have no more of something for a while."""
    before = resource.prlimit(house.pid, what)
    resource.prlimit(house.pid, what, (most, before[1]))
    try:
        yield
    finally:
        resource.prlimit(house.pid, what, before)


def size(house: House) -> int:
    """Bytes of its address space."""
    pages = Path(f"/proc/{house.pid}/statm").read_text().split()[0]
    return int(pages) * resource.getpagesize()


def is_well(house: House) -> bool:
    return house.is_watched() and bool(house.api("status"))


def is_served(house: House) -> bool:
    with contextlib.suppress(OSError, ValueError):
        return is_well(house)
    return False


class Viewer(threading.Thread):
    """A receiver that is logged in and asks an ECM every tenth of a second."""

    def __init__(self, house: House) -> None:
        super().__init__()
        self.house = house
        self.right = self.wrong = 0
        self.lost = self.lies = 0
        self.stopped = threading.Event()

    def run(self) -> None:
        asyncio.run(self._watch())

    async def _watch(self) -> None:
        house, number = self.house, 0
        target = Target(host=HOST, port=house.port, user=b"viewer", password=b"secret")
        while not self.stopped.is_set():
            with contextlib.suppress(ConnectError, ConnectionError, TimeoutError, OSError):
                client = await connect(target)
                try:
                    while not self.stopped.is_set() and client.closed is None:
                        number += 1
                        ecm = b"\x80%d" % number
                        answer = await ask(client, ecm)
                        self.right += answer == expected_cw(ecm)
                        self.wrong += answer != expected_cw(ecm)
                        is_lie = isinstance(answer, ControlWords) and answer != expected_cw(ecm)
                        self.lies += is_lie
                        await asyncio.sleep(0.1)
                finally:
                    await client.close()
            if not self.stopped.is_set():
                self.lost += 1
                await asyncio.sleep(0.2)


@contextmanager
def watching(house: House) -> Iterator[Viewer]:
    viewer = Viewer(house)
    viewer.start()
    try:
        until(lambda: viewer.right > 3)
        yield viewer
    finally:
        viewer.stopped.set()
        viewer.join()


def knock(house: House, held: contextlib.ExitStack, times: int) -> None:
    """Open connections, and say nothing."""
    for _ in range(times):
        for port in (house.port, house.page):
            with contextlib.suppress(OSError):
                held.enter_context(socket.create_connection((HOST, port), timeout=2))


def test_no_descriptors_are_left_and_who_is_inside_notices_nothing(tmp_path: Path) -> None:
    house = House(tmp_path, more="F: viewer secret\n")
    with house.serving():
        until(lambda: is_well(house))
        with watching(house) as viewer:
            open_now = len(list(Path(f"/proc/{house.pid}/fd").iterdir()))
            with (
                limited(house, resource.RLIMIT_NOFILE, open_now + 6),
                contextlib.ExitStack() as held,
            ):
                knock(house, held, 60)
                house.write("F: anna secret\nF: viewer secret\nF: ben secret\n")
                seen = viewer.right
                until(lambda: viewer.right > seen + 50)
            assert until(lambda: is_well(house), within=60) < BACK_WITHIN
            until(lambda: "accounts: 3" in house.said(), within=90)
        assert (viewer.wrong, viewer.lost) == (0, 0)
    said = house.said()
    assert "no connection can be accepted (Too many open files)" in said
    assert "Traceback" not in said
    assert len(said.splitlines()) < 150
    assert house.entries(Kind.LOGIN)


def test_without_memory_it_goes_on_or_ends_and_is_never_there_without_serving(
    tmp_path: Path,
) -> None:
    """Interpreter and loop may not survive it: then the process ends, and whoever watches it
    (its unit) starts it anew."""
    house = House(tmp_path, more="F: viewer secret\n")
    process = house.start()
    try:
        until(lambda: is_well(house))
        with watching(house) as viewer:
            before = house.entries(Kind.LOGIN)
            with contextlib.suppress(ProcessLookupError), contextlib.ExitStack() as held:
                held.enter_context(limited(house, resource.RLIMIT_AS, size(house) + (1 << 20)))
                knock(house, held, 100)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(5)
            began = time.monotonic()
            while not (process.poll() is None and is_served(house)):
                assert time.monotonic() - began < 2 * BACK_WITHIN, "it is there, and does not serve"
                if process.poll() is not None:
                    process = house.start()
                time.sleep(0.2)
            assert viewer.lies == 0
        process.terminate()
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
    assert house.entries(Kind.LOGIN)[: len(before)] == before
    with contextlib.closing(sqlite3.connect(tmp_path / "journal.db")) as journal:
        assert journal.execute("PRAGMA integrity_check").fetchone() == ("ok",)
