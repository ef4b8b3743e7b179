"""Greedy, deaf and malicious clients: what do others feel of them?

    .venv/bin/python bench/greedy.py [SECONDS]

A real server, an honest client and the attackers, each in processes of their own, on the
loopback interface. The honest client asks an ECM every 10 ms. For each attack one line: the
honest client's median, p99 and worst answer time in milliseconds, the CPU time of the server
for each second, how much the attackers sent, how many of them were cut. Attackers send as fast
as they can, at most 36,000 ECMs a second each.
"""

import asyncio
import contextlib
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Final

from cccamd.ids import Caid, Ident, ShareId, Sid
from cccamd.net import Client
from cccamd.values import Request
from cccamd.wire.cccam import Caller, ClientProtocol, Identity, Target, make_node_id
from cccamd.wire.cccam.frames import Command

PORT: Final = 15998
ATTACKERS: Final = 8
TOML: Final = '[[card]]\nkind = "test"\ncaid = "7F00"\n'
ASK_INTERVAL: Final = 0.01
RATE: Final = 36_000.0
BATCH: Final = 100
"""Messages that an attacker sends in one write."""


def start_server(folder: Path) -> subprocess.Popen[bytes]:
    """Run `cccamd serve` with a test card."""
    users = "".join(f"F: greedy{number} secret 5 0 1\n" for number in range(ATTACKERS))
    (folder / "CCcam.cfg").write_text(
        f"SERVER LISTEN PORT : {PORT}\nALLOW WEBINFO : no\nALLOW TELNETINFO : no\n"
        f"F: anna secret\n{users}"
    )
    (folder / "cccamd.toml").write_text(TOML)
    command = [sys.executable, "-m", "cccamd", "serve", "-C", str(folder / "CCcam.cfg")]
    with (folder / "log").open("ab") as log:
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


def some_request() -> Request:
    """A distinct ECM of usual length."""
    return Request(Caid(0x7F00), Ident(0), ShareId(0), Sid(1), b"\x80" + os.urandom(100))


async def honest(seconds: float) -> list[float]:
    """Ask an ECM every 10 ms; return the times in milliseconds."""
    client = await log_in("anna")
    await asyncio.sleep(0.7)
    times, until = [], time.perf_counter() + seconds
    while (began := time.perf_counter()) < until:
        await client.ask(some_request())
        times.append(1000 * (time.perf_counter() - began))
        await asyncio.sleep(ASK_INTERVAL)
    await client.close()
    return times


# Attackers: each makes the clear bytes of one batch.

Batch = Callable[[ClientProtocol], None]


def ecms(protocol: ClientProtocol) -> None:
    """Distinct ECMs."""
    for number in range(BATCH):
        protocol._send(number & 0xFF, Command.ECM, _ecm_payload())


def _ecm_payload() -> bytes:
    return bytes.fromhex("7f00 00000000 00000000 0001 65") + b"\x80" + os.urandom(100)


def keepalives(protocol: ClientProtocol) -> None:
    """The smallest messages that there are."""
    for _ in range(4 * BATCH):
        protocol._send(0, Command.KEEPALIVE)


def emms(protocol: ClientProtocol) -> None:
    """EMMs for a card that there is not."""
    payload = bytes.fromhex("7f00 00000000 00000000 65") + b"\x82" + os.urandom(100)
    for _ in range(BATCH):
        protocol._send(0, Command.EMM, payload)


def texts(protocol: ClientProtocol) -> None:
    """Texts that mean nothing."""
    for _ in range(4 * BATCH):
        protocol._send(0, Command.NOK1, b"hello")


def partial(protocol: ClientProtocol) -> None:
    """Frames, sent byte by byte in effect: each write ends within one."""
    ecms(protocol)


async def attack(user: str, batch: Batch, seconds: float, *, reads: bool) -> tuple[int, bool]:
    """Send batches for so long; return the bytes that went out, and whether we were cut."""
    os.nice(10)  # on few cores it should not be the attacker's own work that others feel
    client = await log_in(user)
    await asyncio.sleep(0.5)
    transport = client._connection._transport
    assert transport is not None
    if not reads:
        transport.pause_reading()
    else:
        client._connection.protocol.receive_data = lambda data, now: None  # type: ignore[method-assign]
    sock = os.dup(transport.get_extra_info("socket").fileno())
    os.set_blocking(sock, False)
    sent, until = 0, time.perf_counter() + seconds
    due = time.perf_counter()
    try:
        while time.perf_counter() < until:
            batch(client.protocol)
            data = client.protocol.data_to_send()
            while data and time.perf_counter() < until:
                step = 7 if batch is partial else len(data)
                try:
                    done = os.write(sock, data[:step])
                except BlockingIOError:
                    await asyncio.sleep(0.002)
                    continue
                sent += done
                data = data[done:]
            due = max(due + BATCH / RATE, time.perf_counter() - 0.1)
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
    except OSError:
        return sent, True
    finally:
        os.close(sock)
    return sent, client.closed is not None


def in_process(pipe: Pipe, work: Callable[..., object], *words: object, **named: object) -> None:
    """Run a coroutine function, and send what it returns."""
    pipe.send(asyncio.run(work(*words, **named)))  # type: ignore[arg-type]


def start(work: Callable[..., object], *words: object, **named: object) -> Pipe:
    """Run it in a process of its own; the pipe brings the result."""
    ours, theirs = multiprocessing.Pipe()
    multiprocessing.Process(
        target=in_process, args=(theirs, work, *words), kwargs=named, daemon=True
    ).start()
    return ours


ATTACKS: Final[tuple[tuple[str, tuple[tuple[Batch, bool, int], ...]], ...]] = (
    ("nobody else", ()),
    ("one greedy", ((ecms, True, 1),)),
    ("six deaf", ((ecms, False, 6),)),
    ("one greedy, six deaf", ((ecms, True, 1), (ecms, False, 6))),
    ("keepalives", ((keepalives, True, 1),)),
    ("EMMs", ((emms, True, 1),)),
    ("texts", ((texts, True, 1),)),
    ("partial frames", ((partial, True, 1),)),
)


def measure(name: str, attackers: tuple[tuple[Batch, bool, int], ...], seconds: float) -> None:
    """One attack against a new server."""
    with tempfile.TemporaryDirectory() as folder:
        server = start_server(Path(folder))
        try:
            asyncio.run(_ready())
            used = _processor(server.pid)
            pipes, number = [], 0
            for batch, reads, count in attackers:
                for _ in range(count):
                    user = f"greedy{number}"
                    pipes.append(start(attack, user, batch, seconds + 1, reads=reads))
                    number += 1
            times = sorted(start(honest, seconds).recv())
            used = (_processor(server.pid) - used) / seconds
            results = [pipe.recv() for pipe in pipes]
        finally:
            server.terminate()
            server.wait()
    sent, cut = sum(bytes_ for bytes_, _ in results), sum(was for _, was in results)
    p99 = times[int(len(times) * 0.99)]
    print(
        f"{name:22} {statistics.median(times):8.2f} {p99:8.2f} {times[-1]:8.2f}"
        f" {100 * used:6.0f} % {sent / 1e6:8.1f} {cut:4}/{len(results)}",
        flush=True,
    )


def _processor(pid: int) -> float:
    """Seconds of CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _ready() -> None:
    await (await log_in("anna")).close()


def main() -> None:
    """Run all attacks."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    heads = ("median", "p99", "worst", "CPU", "MB sent")
    print(f"{'honest client, ms':22} {' '.join(f'{head:>8}' for head in heads)}  cut")
    for name, attackers in ATTACKS:
        measure(name, attackers, seconds)


if __name__ == "__main__":
    main()
