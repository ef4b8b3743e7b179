"""10,000 connections that say nothing: does the server keep serving the others?

    .venv/bin/python bench/silent_flood.py [CONNECTIONS]

A real server in a process of its own, on the loopback interface. One client is logged in
before the flood and asks an ECM every 50 ms all the time; another one logs in at its
height. Prints the answer times, how long the late login took, and the server's memory.
"""

import asyncio
import contextlib
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cccamd.ids import Caid, Ident, ShareId, Sid
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

PORT = 15999
CFG = (
    f"SERVER LISTEN PORT : {PORT}\nALLOW WEBINFO : no\nALLOW TELNETINFO : no\n"
    "F: anna secret\nF: ben secret\n"
)
TOML = '[[card]]\nkind = "test"\ncaid = "7F00"\n'
ASK_INTERVAL = 0.05


def start_server(folder: Path) -> subprocess.Popen[bytes]:
    """Run `cccamd serve` with a test card."""
    (folder / "CCcam.cfg").write_text(CFG)
    (folder / "cccamd.toml").write_text(TOML)
    command = [sys.executable, "-m", "cccamd", "serve", "-C", str(folder / "CCcam.cfg")]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen([*command, "-n", str(folder / "node-id")], stdout=log)


async def log_in(user: str) -> Client[ClientProtocol]:
    """Log in, again and again until the server listens."""
    identity = Identity(make_node_id(os.urandom(4)), "bench")
    target = Target(host="127.0.0.1", port=PORT, user=user.encode(), password=b"secret")
    for _ in range(100):
        with contextlib.suppress(Exception):
            return await Client.connect("127.0.0.1", PORT, Caller(target, identity))
        await asyncio.sleep(0.1)
    raise SystemExit("the server does not answer")


async def ask_for_ever(client: Client, times: list[float]) -> None:
    """Note how long each answer takes."""
    while True:
        request = Request(Caid(0x7F00), Ident(0), ShareId(0), Sid(1), b"\x80" + os.urandom(100))
        started = time.perf_counter()
        await client.ask(request)
        times.append(1000 * (time.perf_counter() - started))
        await asyncio.sleep(ASK_INTERVAL)


async def connect_silently(count: int) -> list[asyncio.StreamWriter]:
    """Open connections and say nothing on them."""
    writers = []
    for _ in range(count):
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", PORT)
            writers.append(writer)
    return writers


def memory_of(process: subprocess.Popen[bytes]) -> float:
    """Resident memory in MiB."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


async def flood(process: subprocess.Popen[bytes], count: int) -> None:
    """Measure before, during and after."""
    anna = await log_in("anna")
    times: list[float] = []
    asking = asyncio.get_running_loop().create_task(ask_for_ever(anna, times))
    await asyncio.sleep(1.0)
    before, calm = memory_of(process), list(times)
    times.clear()
    started = time.perf_counter()
    writers = await connect_silently(count)
    took = time.perf_counter() - started
    login_started = time.perf_counter()
    ben = await log_in("ben")
    login = 1000 * (time.perf_counter() - login_started)
    print(f"{len(writers):,} silent connections within {took:.1f} s")
    print(f"a new login at the height: {login:.0f} ms")
    print(f"answers before: median {statistics.median(calm):.1f} ms, worst {max(calm):.1f} ms")
    print(f"answers during: median {statistics.median(times):.1f} ms, worst {max(times):.1f} ms")
    print(
        f"memory of the server: {before:.0f} MiB before, {memory_of(process):.0f} MiB at the height"
    )
    asking.cancel()
    await ben.close()
    await anna.close()


def main() -> None:
    """Run it all."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as name:
        process = start_server(Path(name))
        try:
            asyncio.run(flood(process, count))
        finally:
            process.terminate()
            process.wait()
        lines = (Path(name) / "log").read_text().splitlines()
        print(f"lines in the server's log: {len(lines)}; the last ones:")
        print("\n".join(lines[-4:]))


if __name__ == "__main__":
    main()
