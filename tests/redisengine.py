"""A real engine, redis-server, and somebody who looks into it."""

import asyncio
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cccamd.lab.ports import free_port

HOST = "127.0.0.1"
PROGRAM = shutil.which("redis-server") or shutil.which("valkey-server")
needs_redis = pytest.mark.skipif(
    PROGRAM is None, reason="redis-server is not installed (apt-get install redis-server)"
)
PATIENCE = 20.0


class RedisServer:
    """One engine; it keeps nothing over a restart. `lines`: more of its configuration; `host`:
    where it listens; `before`: the beginning of a command that runs where that is."""

    def __init__(
        self, folder: Path, lines: str = "", *, host: str = HOST, before: Sequence[str] = ()
    ) -> None:
        self.host, self._before = host, before
        self.port = free_port()
        self.socket = folder / "engine.sock"
        self._file = folder / "engine.conf"
        self._process: subprocess.Popen[bytes] | None = None
        self.configure(lines)

    def configure(self, lines: str) -> None:
        """What counts from the next start on."""
        port = "" if "tls-port" in lines else f"port {self.port}\n"
        self._file.write_text(
            f'bind {self.host}\n{port}unixsocket {self.socket}\nsave ""\ndaemonize no\n'
            f"dir {self._file.parent}\n{lines.replace('PORT', str(self.port))}\n"
        )

    async def start(self) -> None:
        assert PROGRAM is not None
        self._process = subprocess.Popen(
            [*self._before, PROGRAM, self._file],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        async with asyncio.timeout(PATIENCE):
            while not self._listens():
                assert self._process.poll() is None, "the engine ended"
                await asyncio.sleep(0.01)

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket)) == 0

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None
            self.socket.unlink(missing_ok=True)

    def say(self, *words: str | bytes) -> str:
        """What it answers to somebody else."""
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(self.socket))
            raw = [word if isinstance(word, bytes) else word.encode() for word in words]
            caller.sendall(b"*%d\r\n" % len(raw))
            caller.sendall(b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in raw))
            caller.settimeout(PATIENCE)
            return caller.recv(65536).decode("latin-1").strip()


@asynccontextmanager
async def engine(
    folder: Path, lines: str = "", *, host: str = HOST, before: Sequence[str] = ()
) -> AsyncIterator[RedisServer]:
    made = RedisServer(folder, lines, host=host, before=before)
    await made.start()
    try:
        yield made
    finally:
        made.kill()
