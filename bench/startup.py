"""How long commands take from the shell's point of view, and what a server takes that does nothing.

Beside the time on the clock stands that of the processor, which other work on the machine changes
less.

    .venv/bin/python bench/startup.py [RUNS]

Whole processes, again and again. `probe` asks a port where nobody listens, so that no server's time
counts. `serve` is timed until it listens, and its memory is that of a server that nobody has come
to yet; then somebody looks at its pages.
"""

import os
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.request import urlopen

COMMANDS: Final = {
    "(python alone)": ["-c", "pass"],
    "--version": ["-m", "cccamd", "--version"],
    "--help": ["-m", "cccamd", "--help"],
    "probe": ["-m", "cccamd", "probe", "127.0.0.1", "1", "user", "password"],
    "check": ["-m", "cccamd", "check", "/dev/null"],
    "status": ["-m", "cccamd", "status", "--url", "http://127.0.0.1:1"],
    "serve --help": ["-m", "cccamd", "serve", "--help"],
}
# What pip has compiled stays compiled, whatever a developer's shell says.
ENVIRONMENT: Final = {
    key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"
}
PORT, WEB_PORT = 15981, 15982
CARD: Final = '[[card]]\nkind = "test"\ncaid = "7F00"\n'
CALM: Final = 2.0
"""Seconds until a server that has started has done all that it does at first."""


@dataclass(frozen=True, slots=True)
class Run:
    """One process from its start to its end, in milliseconds."""

    clock: float
    processor: float


def run(arguments: list[str]) -> Run:
    """Run one process to its end."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *arguments], capture_output=True, check=False, env=ENVIRONMENT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(1000 * (time.perf_counter() - started), 1000 * used)


@contextmanager
def serving(toml: str) -> Iterator[tuple[int, float]]:
    """A server with pages, journal and metrics as they are by default: its process, and the
    seconds until it listened."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "cccamd.toml").write_text(toml)
        (folder / "CCcam.cfg").write_text(
            f"SERVER LISTEN PORT : {PORT}\nWEBINFO LISTEN PORT : {WEB_PORT}\n"
            "ALLOW TELNETINFO : no\nF: anna secret\n"
        )
        files = ["-C", str(folder / "CCcam.cfg"), "-n", str(folder / "node-id")]
        started = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-m", "cccamd", "serve", *files],
            stdout=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
        ) as server:
            assert server.stdout is not None
            if not any("listening for clients" in line for line in server.stdout):
                raise SystemExit("the server has not started: is one of its ports taken?")
            try:
                yield server.pid, time.perf_counter() - started
            finally:
                server.send_signal(signal.SIGTERM)
                server.communicate()


def memory(pid: int) -> float:
    """What is resident of a process, in MiB."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def show_servers(runs: int) -> None:
    """Print how soon a server listens, and its memory: without a card, and with one."""
    for name, toml in {"serve": "", "serve, a card": CARD}.items():
        times, empty, looked_at = [], [], []
        for _ in range(runs):
            with serving(toml) as (pid, seconds):
                times.append(1000 * seconds)
                time.sleep(CALM)
                empty.append(memory(pid))
                with urlopen(f"http://127.0.0.1:{WEB_PORT}/", timeout=30) as page:
                    page.read()
                looked_at.append(memory(pid))
        print(
            f"{name:16} min {min(times):4.0f} ms, median {statistics.median(times):4.0f} ms; "
            f"{statistics.median(empty):.0f} MiB, "
            f"{statistics.median(looked_at):.0f} MiB once its pages were looked at"
        )


def main() -> None:
    """Print the shortest and the usual time of each."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    for name, arguments in COMMANDS.items():
        run(arguments)  # the first run compiles and fills the file cache
        done = [run(arguments) for _ in range(runs)]
        clock, used = [each.clock for each in done], [each.processor for each in done]
        print(
            f"{name:16} min {min(clock):4.0f} ms, median {statistics.median(clock):4.0f} ms; "
            f"processor {statistics.median(used):4.0f} ms"
        )
    show_servers(max(1, runs // 3))


if __name__ == "__main__":
    main()
