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
from pathlib import Path

from cccamd.ids import Caid, Ident, NodeId, ShareId, Sid
from cccamd.net import Client, Identity, Target
from cccamd.wire import EcmRequest, make_node_id

PORT = 15998
TOML = '[[card]]\nkind = "test"\ncaid = "7F00"\n'
PLAIN_NODE = "7fffffff00000001"
EXTENDED_NODE = make_node_id(b"load").hex()
IN_FLIGHT = 8
ECM_LENGTH = 150


@contextlib.contextmanager
def server(folder: Path, node_id: str, accounts: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run `cccamd serve`."""
    lines = "".join(f"F: user{number} secret\n" for number in range(accounts))
    (folder / "CCcam.cfg").write_text(
        f"ALLOW WEBINFO : no\nALLOW TELNETINFO : no\nSERVER LISTEN PORT : {PORT}\n{lines}"
    )
    (folder / "cccamd.toml").write_text(TOML)
    (folder / "node-id").write_text(node_id)
    command = [sys.executable, "-m", "cccamd", "serve", "-C", str(folder / "CCcam.cfg")]
    process = subprocess.Popen([*command, "-n", str(folder / "node-id")], stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


async def log_in(number: int) -> Client:
    """Log in, again and again until the server listens."""
    identity = Identity(NodeId(os.urandom(8)), "bench")
    target = Target(host="127.0.0.1", port=PORT, user=f"user{number}".encode(), password=b"secret")
    for _ in range(100):
        with contextlib.suppress(Exception):
            return await Client.connect(target, identity=identity)
        await asyncio.sleep(0.1)
    raise SystemExit("the server does not answer")


async def ask_until(client: Client, end: float, times: list[float]) -> None:
    """Ask one ECM after the other."""
    while (started := time.perf_counter()) < end:
        ecm = b"\x80" + os.urandom(ECM_LENGTH - 1)
        await client.ask(EcmRequest(Caid(0x7F00), Ident(0), ShareId(0), Sid(1), ecm))
        times.append(time.perf_counter() - started)


def processor_seconds(process: subprocess.Popen[bytes]) -> float:
    """User and system time that a process has used."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def load(process: subprocess.Popen[bytes], clients: int, seconds: float) -> None:
    """Ask from all clients at once; print the figures."""
    logins = [await log_in(number) for number in range(clients)]
    in_flight = IN_FLIGHT if logins[0].protocol.extended else 1
    times: list[float] = []
    used, end = processor_seconds(process), time.perf_counter() + seconds
    await asyncio.gather(
        *(ask_until(client, end, times) for client in logins for _ in range(in_flight))
    )
    used = processor_seconds(process) - used
    mode = "extended" if logins[0].protocol.extended else "plain"
    times.sort()
    print(
        f"{mode:9} {clients:4} clients: {len(times) / seconds:8,.0f} answers/s, "
        f"{1e6 * used / len(times):5.0f} us of the server's processor each; "
        f"median {1000 * statistics.median(times):.1f} ms, "
        f"99 % within {1000 * times[int(0.99 * len(times))]:.1f} ms"
    )
    for client in logins:
        await client.close()


def main() -> None:
    """Run both modes."""
    clients = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 5.0
    for node_id in (PLAIN_NODE, EXTENDED_NODE):
        with (
            tempfile.TemporaryDirectory() as name,
            server(Path(name), node_id, clients) as process,
        ):
            asyncio.run(load(process, clients, seconds))


if __name__ == "__main__":
    main()
