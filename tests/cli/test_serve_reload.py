"""`cccamd serve` while its files change, are half written, vanish and come back. A real process."""

import json
import os
import platform
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from test_doctor_command import free_port

SECRET = "verysecret"


class House:
    """A server's files, and what it says of itself."""

    def __init__(self, folder: Path) -> None:
        self.cfg, self.toml = folder / "CCcam.cfg", folder / "cccamd.toml"
        self.node_id, self.log = folder / "node-id", folder / "log"
        self.port, self.page = free_port(), free_port()
        self.toml.write_text('[server]\nbind = ["127.0.0.1"]\n')
        self.write(f"F: anna {SECRET}\n")

    def text(self, lines: str) -> str:
        return (
            f"SERVER LISTEN PORT : {self.port}\nWEBINFO LISTEN PORT : {self.page}\n"
            f"ALLOW TELNETINFO : no\nLOG FILE : {self.log}\n{lines}"
        )

    def write(self, lines: str) -> None:
        self.cfg.write_text(self.text(lines))

    @contextmanager
    def serving(self) -> Iterator[subprocess.Popen[bytes]]:
        with subprocess.Popen(
            [sys.executable, "-m", "cccamd", "serve", "-C", self.cfg, "-n", self.node_id],
            stdout=subprocess.DEVNULL,
        ) as process:
            try:
                yield process
            finally:
                process.send_signal(signal.SIGTERM)
                assert process.wait(30) == 0

    def status(self) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self.page}/api/status"
        with urllib.request.urlopen(url, timeout=20) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def accounts(self) -> list[str]:
        names: list[str] = self.status()["server"]["accounts"]
        return names

    def config(self) -> dict[str, Any]:
        found: dict[str, Any] = self.status()["config"]
        return found


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            if condition():
                return
        except (urllib.error.URLError, ConnectionError):
            pass
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_it_serves_though_whoever_started_it_has_closed_the_standard_streams(house: House) -> None:
    """As old init scripts do. Files of its own must not get their numbers: others print to them."""
    serve = [
        sys.executable,
        "-m",
        "cccamd",
        "serve",
        "-C",
        str(house.cfg),
        "-n",
        str(house.node_id),
    ]
    with subprocess.Popen(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *serve]) as process:
        try:
            until(house.accounts)
            held = [Path(f"/proc/{process.pid}/fd/{number}").readlink() for number in range(3)]
            assert held == [Path(os.devnull)] * 3
            assert "listening for clients" in house.log.read_text()
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0


def test_files_that_change_vanish_and_come_back(house: House) -> None:
    with house.serving() as process:
        until(house.accounts)

        def hang_up() -> None:
            process.send_signal(signal.SIGHUP)

        # Half of it, then the rest: the half is never in use.
        half = house.text(f"F: anna {SECRET}\nF: bob {SECRET}\n").encode()
        with house.cfg.open("wb", buffering=0) as file:
            file.write(half[:-10])
            hang_up()
            for byte in range(10):
                time.sleep(0.1)
                file.write(half[len(half) - 10 + byte :][:1])
                assert house.accounts() == ["anna"]
        until(lambda: house.accounts() == ["anna", "bob"])
        assert house.config()["changes"] == ["accounts: added bob"]

        # It cannot be taken: kept, told, and in the state until it can.
        refused = {
            "there is no such file any more": house.cfg.unlink,
            "no line of this file belongs into a CCcam.cfg": lambda: house.cfg.write_text("[x]\n"),
            "this is a pipe, not a file": lambda: (house.cfg.unlink(), os.mkfifo(house.cfg)),
        }
        for words, act in refused.items():
            act()
            hang_up()
            until(lambda words=words: words in house.config()["refusal"])
            assert house.config()["taken"] is False
            assert house.accounts() == ["anna", "bob"]
        house.cfg.unlink()
        house.write(f"F: anna {SECRET}\nF: carl\n")
        hang_up()
        until(lambda: house.config()["taken"])
        assert house.accounts() == ["anna"]
        assert house.config()["refusal"] == ""
        assert [one["line"] for one in house.config()["problems"]] == [6]

        # What is gone of the files that may be missing is not in use any more, and told.
        prio = house.cfg.with_name("my.prio")
        prio.write_text("P: 7F00\n")
        house.write(f"CAID PRIO FILE : {prio}\nF: anna {SECRET}\nF: carl\n")
        until(lambda: [one["line"] for one in house.config()["problems"]] == [7])
        prio.unlink()
        until(lambda: f"{prio}: there is no such file; no priorities" in house.log.read_text())

        # The same for cccamd.toml.
        house.toml.write_text("[server\n")
        hang_up()
        until(lambda: "cccamd.toml:1" in house.config()["refusal"])
        house.toml.unlink()
        hang_up()
        until(lambda: "there is no such file" in house.config()["refusal"])
    log = house.log.read_text()
    assert log.count("the old configuration is kept") == 5
    assert "reload: accounts: removed bob" in log
    assert SECRET not in log
    assert "Traceback" not in log


def heaps_of_threads(pid: int) -> int:
    """glibc keeps 64 MiB of addresses for each, of which it has taken a part."""
    found = re.findall(
        r"^(\w+)-(\w+) rw-p .*\n\2-(\w+) ---p ", Path(f"/proc/{pid}/maps").read_text(), re.MULTILINE
    )
    return sum(int(end, 16) - int(begin, 16) == 64 << 20 for begin, _, end in found)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library's memory")
def test_all_threads_share_one_heap(house: House) -> None:
    with house.serving() as process:
        until(lambda: socket.create_connection(("127.0.0.1", house.port)).close() or True)
        threads = Path(f"/proc/{process.pid}/task")
        until(lambda: len(list(threads.iterdir())) >= 3)  # the journal's, and one loads the pages
        assert heaps_of_threads(process.pid) == 0


def test_a_hang_up_while_the_server_loads_ends_nothing(house: House) -> None:
    with house.serving() as process:
        for _ in range(12):
            time.sleep(0.06)
            if process.poll() is None and handles_hang_up(process.pid):
                process.send_signal(signal.SIGHUP)
        until(house.accounts)
        assert process.poll() is None


def handles_hang_up(pid: int) -> bool:
    """The interpreter itself takes some milliseconds, in which nothing can be done."""
    (line,) = [
        line
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("SigCgt:")
    ]
    return bool(int(line.split()[1], 16) & 1 << (signal.SIGHUP - 1))
