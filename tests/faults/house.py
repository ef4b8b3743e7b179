"""`cccamd serve` as people run it: a process, its files, and clients that come back."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from laboratory import HOST, TEST_CARD, ask, connect, expected_cw

from cccamd.errors import CccamdError
from cccamd.ids import Sid
from cccamd.lab.ports import free_port
from cccamd.net import ConnectError
from cccamd.watch.journal import Entry, Kind, read_entries
from cccamd.wire.cccam import Target


class House:
    """A server's files, and what it says of itself."""

    def __init__(self, folder: Path, *, state: Path | None = None, more: str = "") -> None:
        """`state`: the folder that it writes to, as it sees it itself."""
        self.state = state or folder
        self.cfg, self.toml = folder / "CCcam.cfg", folder / "cccamd.toml"
        self.out = folder / "out"
        self.port, self.page = free_port(), free_port()
        self.pid = 0
        self.host = HOST
        """Where others reach it."""
        self.toml.write_text(f'[server]\nbind = ["{HOST}"]\n{TEST_CARD}')
        self.write("F: anna secret\n" + more)

    def write(self, lines: str) -> None:
        new = self.cfg.with_suffix(".new")
        new.write_text(
            f"SERVER LISTEN PORT : {self.port}\nWEBINFO LISTEN PORT : {self.page}\n"
            f"ALLOW TELNETINFO : no\nLOG FILE : {self.state / 'log'}\n{lines}"
        )
        new.replace(self.cfg)

    def start(
        self, before: Sequence[str] = (), script: Sequence[str] = ("-m", "cccamd")
    ) -> subprocess.Popen[bytes]:
        """Start it, perhaps by another program, which has to become it."""
        node_id = str(self.state / "node-id")
        with self.out.open("ab") as out:
            process = subprocess.Popen(
                [*before, sys.executable, *script, "serve", "-C", str(self.cfg), "-n", node_id],
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        self.pid = process.pid
        return process

    @contextmanager
    def serving(
        self, before: Sequence[str] = (), script: Sequence[str] = ("-m", "cccamd")
    ) -> Iterator[subprocess.Popen[bytes]]:
        process = self.start(before, script)
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0, self.said()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def said(self) -> str:
        """Everything that it has said, without what a fault kept from being written."""
        return self.out.read_text(errors="replace")

    def api(self, name: str) -> Any:
        with urllib.request.urlopen(
            f"http://{self.host}:{self.page}/api/{name}", timeout=5
        ) as answer:
            return json.load(answer)

    def is_wrong(self) -> list[str]:
        """What is wrong now: the causes of the incidents that go on."""
        found = self.api("incidents")["incidents"]
        return [each["cause"] for each in found if each["ended_at"] is None]

    def seen(self, path: Path) -> Path:
        """A file of the server, where it has another view of the file system."""
        return Path(f"/proc/{self.pid}/root{path}")

    def entries(self, kind: Kind) -> list[Entry]:
        return [each for each in read_entries(self.state / "journal.db") if each.kind is kind]

    # Clients.

    async def watch(self, number: int = 0) -> None:
        """Log in as a receiver does, and see a picture."""
        target = Target(host=self.host, port=self.port, user=b"anna", password=b"secret")
        client = await connect(target)
        try:
            await client.wait_until(lambda: bool(client.cards), timeout=2.0)
            ecm = b"\x80" + number.to_bytes(2) + os.urandom(8)
            if await ask(client, ecm, sid=Sid(1 + number % 100)) != expected_cw(ecm):
                raise ConnectionError("no CW")
        finally:
            await client.close()
            await asyncio.sleep(0)

    def is_watched(self) -> bool:
        try:
            asyncio.run(self.watch())
        except (ConnectError, ConnectionError, TimeoutError):
            return False
        return True


def until(reached: Callable[[], object], *, within: float = 120.0) -> float:
    """Wait until something holds; how many seconds that took."""
    began = time.monotonic()
    while True:
        try:
            if reached():
                return time.monotonic() - began
        except (OSError, ValueError, KeyError, CccamdError):
            pass
        assert time.monotonic() - began < within, "it did not come about in time"
        time.sleep(0.05)
