"""No descriptors left, in a server of its own: a few lines say so, and it recovers by itself."""

import contextlib
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from laboratory import HOST

from cccamd.lab.ports import free_port
from cccamd.net.accepting import CALM
from cccamd.wire.cccam import SEED_LENGTH

CLIENTS, WEB, TELNET = free_port(), free_port(), free_port()
CFG = f"""
SERVER LISTEN PORT : {CLIENTS}
WEBINFO LISTEN PORT : {WEB}
TELNETINFO LISTEN PORT : {TELNET}
F: anna secret
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    (tmp_path / "CCcam.cfg").write_text(CFG)
    (tmp_path / "cccamd.toml").write_text(f'[server]\nbind = ["{HOST}"]\n')
    command = [sys.executable, "-m", "cccamd", "serve", "-C", str(tmp_path / "CCcam.cfg")]
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(
            [*command, "-n", str(tmp_path / "node-id")], stdout=log, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            until_answered(tmp_path / "log")
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0


def until_answered(log: Path) -> None:
    for _ in range(150):
        with contextlib.suppress(OSError):
            page()
            return
        time.sleep(0.1)
    pytest.fail(f"the server does not answer: {log.read_text()}")


def page() -> bytes:
    with urllib.request.urlopen(f"http://{HOST}:{WEB}/health", timeout=5) as answer:
        text: bytes = answer.read()
        return text


def seed(source: str) -> bytes:
    """What a client hears first."""
    with socket.create_connection((HOST, CLIENTS), timeout=5, source_address=(source, 0)) as sock:
        return sock.recv(SEED_LENGTH)


def test_it_goes_on_and_says_so_in_a_few_lines(
    server: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    before = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    open_now = len(list(Path(f"/proc/{server.pid}/fd").iterdir()))
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (open_now + 10, before[1]))
    with contextlib.ExitStack() as held:
        for port in (CLIENTS, WEB, TELNET):
            for _ in range(60):
                held.enter_context(socket.create_connection((HOST, port), timeout=5))
        assert len(seed("127.0.0.2")) == SEED_LENGTH, "a silent one gives way even now"
        time.sleep(1.0)
        assert server.poll() is None
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, before)
    time.sleep(CALM + 0.5)
    assert page()
    assert len(seed(HOST)) == SEED_LENGTH
    with socket.create_connection((HOST, TELNET), timeout=5) as sock:
        assert sock.recv(7) == b"Welcome"
    log = (tmp_path / "log").read_text().splitlines()
    told = "\n".join(log)
    assert f"port {CLIENTS}: no connection can be accepted (Too many open files): " in told
    assert f"port {CLIENTS}: connections are accepted again, after " in told
    assert all(line.startswith("20") for line in log), "each line is one of ours"
    assert len(log) < 40
