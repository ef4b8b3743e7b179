"""How many ECMs per second does a server answer, and how fast?

    .venv/bin/python bench/server_load.py [CLIENTS] [SECONDS]

A real server with a test card in a process of its own; the clients are real logins in this
process, over the loopback interface. All ECMs differ, so nothing comes from the cache. The
clients' share of the work runs on another core where there is one; the figure that counts
is the server's own processor time for each answer.
"""

import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cccamd.ids import Caid, Ident, NodeId, ShareId, Sid
from cccamd.net import (
    Client,
)
from cccamd.values import Request
from cccamd.wire.cccam import (
    Caller,
    ClientProtocol,
    Identity,
    Target,
    make_node_id,
)

PORT, WEB_PORT = 15998, 15997
WATCHED = f"WEBINFO LISTEN PORT : {WEB_PORT}\nALLOW TELNETINFO : no\n"
UNWRITTEN = "[journal]\nenabled = false\n"
UNWATCHED = "ALLOW WEBINFO : no\nALLOW TELNETINFO : no\n"
TOML = '[[card]]\nkind = "test"\ncaid = "7F00"\n'
PLAIN_NODE = "7fffffff00000001"
EXTENDED_NODE = make_node_id(b"load").hex()
IN_FLIGHT = 8
ROUNDS = 3
ECM_LENGTH = 150


@contextlib.contextmanager
def server(
    folder: Path, node_id: str, accounts: int, *, watched: bool
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `cccamd serve`, with pages, metrics and journal or without."""
    lines = "".join(f"F: user{number} secret\n" for number in range(accounts))
    (folder / "CCcam.cfg").write_text(
        f"{WATCHED if watched else UNWATCHED}SERVER LISTEN PORT : {PORT}\n{lines}"
    )
    (folder / "cccamd.toml").write_text(TOML if watched else TOML + UNWRITTEN)
    (folder / "node-id").write_text(node_id)
    command = [sys.executable, "-m", "cccamd", "serve", "-C", str(folder / "CCcam.cfg")]
    process = subprocess.Popen([*command, "-n", str(folder / "node-id")], stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


async def log_in(number: int) -> Client[ClientProtocol]:
    """Log in, again and again until the server listens."""
    identity = Identity(NodeId(os.urandom(8)), "bench")
    target = Target(host="127.0.0.1", port=PORT, user=f"user{number}".encode(), password=b"secret")
    for _ in range(100):
        with contextlib.suppress(Exception):
            return await Client.connect("127.0.0.1", PORT, Caller(target, identity))
        await asyncio.sleep(0.1)
    raise SystemExit("the server does not answer")


async def ask_until(client: Client[ClientProtocol], end: float, times: list[float]) -> None:
    """Ask one ECM after the other."""
    while (started := time.perf_counter()) < end:
        ecm = b"\x80" + os.urandom(ECM_LENGTH - 1)
        await client.ask(Request(Caid(0x7F00), Ident(0), ShareId(0), Sid(1), ecm))
        times.append(time.perf_counter() - started)


def processor_seconds(process: subprocess.Popen[bytes]) -> float:
    """User and system time that a process has used."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Run:
    """The figures of one run."""

    extended: bool
    answers_per_second: float
    processor: float
    """Microseconds of the server's processor for each answer."""
    median: float
    slowest: float
    """99 % of the answers were faster. Both are milliseconds."""


async def load(process: subprocess.Popen[bytes], clients: int, seconds: float) -> Run:
    """Ask from all clients at once."""
    logins = [await log_in(number) for number in range(clients)]
    extended = logins[0].protocol.extended
    times: list[float] = []
    used, end = processor_seconds(process), time.perf_counter() + seconds
    work = [
        ask_until(client, end, times)
        for client in logins
        for _ in range(IN_FLIGHT if extended else 1)
    ]
    await asyncio.gather(*work)
    used = processor_seconds(process) - used
    times.sort()
    for client in logins:
        await client.close()
    return Run(
        extended=extended,
        answers_per_second=len(times) / seconds,
        processor=1e6 * used / len(times),
        median=1000 * statistics.median(times),
        slowest=1000 * times[int(0.99 * len(times))],
    )


def run_once(node_id: str, clients: int, seconds: float, *, watched: bool) -> Run:
    """Start a server, put it under load, stop it."""
    with (
        tempfile.TemporaryDirectory() as name,
        server(Path(name), node_id, clients, watched=watched) as process,
    ):
        return asyncio.run(load(process, clients, seconds))


def show(title: str, runs: list[Run]) -> None:
    """Print the medians of several runs."""

    def middle(figure: str) -> float:
        return statistics.median(getattr(run, figure) for run in runs)

    print(
        f"{title:28} {middle('answers_per_second'):8,.0f} answers/s, {middle('processor'):5.1f} us"
        f" of the server's processor each; median {middle('median'):.1f} ms,"
        f" 99 % within {middle('slowest'):.1f} ms"
    )


def main() -> None:
    """Run both modes, watched and not, in turn."""
    clients = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 3.0
    print(f"{clients} clients; medians of {ROUNDS} runs of {seconds:g} s each, in turn")
    for mode, node_id in (("plain", PLAIN_NODE), ("extended", EXTENDED_NODE)):
        runs: dict[bool, list[Run]] = {False: [], True: []}
        for _ in range(ROUNDS):
            for watched in runs:
                runs[watched].append(run_once(node_id, clients, seconds, watched=watched))
        show(f"{mode}, nothing watches", runs[False])
        show(f"{mode}, everything watches", runs[True])


if __name__ == "__main__":
    main()
