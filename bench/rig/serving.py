"""The processes that are measured: `cccamd serve` with all defaults on, and the echo server."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cccamd.lab.ports import free_port

HOST: Final = "127.0.0.1"
START_PATIENCE: Final = 60.0
"""Seconds until a server listens: it starts its workers first, and the machine may be busy."""
ECHO: Final = Path(__file__).with_name("echo.py")
BOUND: Final = f'[server]\nbind = ["{HOST}"]\n'
TEST_CARD: Final = '[[card]]\nkind = "test"\ncaid = "7F00"\n'
MANY: Final = "[limits]\nmax_clients = 20000\n"
"""By default 2,000 clients are let in: the only default that a bench with more changes."""


@dataclass(frozen=True, slots=True)
class Served:
    """A server in a process of its own."""

    process: subprocess.Popen[bytes]
    port: int
    pages: int = 0
    log: Path = Path(os.devnull)
    workers: int = 0

    def processor(self) -> float:
        """Seconds of processor that it and its workers have used, by all threads that live."""
        return sum(map(_used_by, (self.process.pid, *self._children())))

    def core(self) -> float:
        """The same without the workers."""
        return _used_by(self.process.pid)

    def _children(self) -> list[int]:
        if not self.workers:
            return []
        threads = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [int(pid) for thread in threads for pid in thread.read_text().split()]

    def memory(self) -> int:
        """Bytes of resident memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def metric(self, name: str) -> float | None:
        """One number of its `/metrics`; None if there is no such number."""
        if not self.pages:
            return None
        with urllib.request.urlopen(f"http://{HOST}:{self.pages}/metrics", timeout=60) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(name + " "):
                    return float(line.split()[1])
        return None


def _used_by(pid: int) -> float:
    with contextlib.suppress(OSError, ValueError):
        tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def cccamd(
    *,
    accounts: int = 0,
    toml: str = TEST_CARD,
    upstream: int = 0,
    source: Path | None = None,
    workers: int = 0,
) -> Iterator[Served]:
    """Run `cccamd serve` with user0, user1, ...; `upstream` is the port of a C-line.

    `source` is the `src` folder of another state of the project to run instead of this one.
    """
    port, pages = free_port(), free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = "".join(f"F: user{number} secret\n" for number in range(accounts))
        cline = f"C: {HOST} {upstream} user0 secret\n" if upstream else ""
        (folder / "CCcam.cfg").write_text(
            f"SERVER LISTEN PORT : {port}\nWEBINFO LISTEN PORT : {pages}\n"
            f"TELNETINFO LISTEN PORT : {free_port()}\n{lines}{cline}"
        )
        (folder / "cccamd.toml").write_text(BOUND + toml)
        command = [sys.executable, "-m", "cccamd", "serve", "-C", "CCcam.cfg", "-n", "node-id"]
        command += ["--workers", str(workers)] if workers else []
        environment = dict(os.environ, **({"PYTHONPATH": str(source)} if source else {}))
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        with _running(process, folder / "log"):
            for each in (port, pages):
                _await_port(each)
            server = Served(process, port, pages, folder / "log", workers)
            server.metric("")  # the first page loads what all others need
            yield server


@contextlib.contextmanager
def echo() -> Iterator[Served]:
    """Run the echo server."""
    port = free_port()
    process = subprocess.Popen([sys.executable, str(ECHO), str(port)])
    with _running(process, None):
        _await_port(port)
        yield Served(process, port)


@contextlib.contextmanager
def _running(process: subprocess.Popen[bytes], log: Path | None) -> Iterator[None]:
    try:
        yield
    finally:
        died = process.poll()
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if died is not None:
            said = log.read_text(errors="replace")[-2000:] if log else ""
            print(f"the server ended by itself with status {died}\n{said}", file=sys.stderr)


def _await_port(port: int) -> None:
    until = time.monotonic() + START_PATIENCE
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), 1):
            return
        time.sleep(0.05)
    raise SystemExit(f"nothing listens at port {port}")
