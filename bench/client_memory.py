"""What a client that is logged in takes of the server's memory, and where.

    .venv/bin/python bench/client_memory.py [CLIENTS] [--where]

A whole server in this process, and receivers in another one, each with an address, an account and
a node id of its own; all have the card, and ask nothing yet. Printed is what each adds to the
resident memory, and what more after it has asked an ECM. `--where` traces it instead, and prints
the lines of the source that made what stayed (what libraries in C allocate by themselves is not
seen).
"""

import argparse
import asyncio
import gc
import os
import sys
import tracemalloc
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from rig import drive
from rig.clients import Broadcast, Receiver
from rig.inside import server_inside

from cccamd.machine import raise_file_limit
from cccamd.net import loop_factory

FIRST: Final = 600
"""Clients that come before it is measured: they fill what all share."""
CALM: Final = 2.0
"""Seconds for what is done afterwards."""
SHOWN: Final = 60


def resident() -> int:
    """Bytes of this process."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def be_receivers(port: int) -> None:
    """The other process: do what each line says with clients `first` to `last`."""
    raise_file_limit()
    kept: dict[int, Receiver] = {}
    for line in sys.stdin:
        what, first, last = line.split()
        numbers = range(int(first), int(last))
        if what == "log-in":
            kept |= {number: Receiver(number) for number in numbers}
            done = len(drive.log_in([kept[number] for number in numbers], port))
            drive.settle(list(kept.values()))
        else:
            askers = [kept[number] for number in numbers]
            for each in askers:
                each.prepare(Broadcast(each.number).distinct(1 + each.number % 40, 1))
            drive.ask_in_time(askers, 1.0, 1.0)
            done = sum(each.judge().right for each in askers)
        print(done, flush=True)


Act = Callable[[str, int, int], Awaitable[None]]


async def measured(clients: int, act: Act) -> None:
    """Print what one client takes."""
    print(f"{clients:,} clients, KiB each:")
    for what in ("log-in", "ask"):
        await act(what, 0, FIRST)
        before = resident()
        await act(what, FIRST, FIRST + clients)
        print(f"{what:8} {(resident() - before) / clients / 1024:6.1f}")


async def traced(clients: int, act: Act) -> None:
    """Print which lines made what a client takes."""
    await act("log-in", 0, FIRST)
    gc.collect()
    tracemalloc.start()
    await act("log-in", FIRST, FIRST + clients)
    gc.collect()
    lines = tracemalloc.take_snapshot().statistics("lineno")
    tracemalloc.stop()
    files: Counter[str] = Counter()
    for number, each in enumerate(lines):
        frame = each.traceback[0]
        name = "/".join(Path(frame.filename).parts[-3:])
        files[name] += each.size
        if number < SHOWN:
            size, count = each.size / clients, each.count / clients
            print(f"{size:8.1f} bytes in {count:5.2f} portions  {name}:{frame.lineno}")
    print()
    for name, total in files.most_common(SHOWN // 2):
        print(f"{total / clients:8.1f} bytes  {name}")
    print(f"{files.total() / clients:8.1f} bytes in all")


async def main(clients: int, where: bool) -> None:
    """Start both, and measure."""
    raise_file_limit()
    async with server_inside(FIRST + clients) as (_, port):
        others = await asyncio.create_subprocess_exec(
            *(sys.executable, __file__, "--receivers", str(port)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert others.stdin is not None
        assert others.stdout is not None
        say, hear = others.stdin, others.stdout

        async def act(what: str, first: int, last: int) -> None:
            say.write(f"{what} {first} {last}\n".encode())
            done = int(await hear.readline())
            if done != last - first:
                raise SystemExit(f"{what}: {done} of {last - first}")
            await asyncio.sleep(CALM)

        await (traced if where else measured)(clients, act)
        say.close()
        await others.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="memory of a client")
    parser.add_argument("clients", nargs="?", type=int, default=2000)
    parser.add_argument("--where", action="store_true", help="the lines that made it")
    parser.add_argument("--receivers", type=int, help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.receivers:
        be_receivers(words.receivers)
    else:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(main(words.clients, words.where))
