"""A server in which the k-th call to the system fails, for every k: run with `shim.c` loaded.

With `start`: servers of which nothing is there yet, each started, used and stopped; then once more
without a fault. With `serve`: one server lives through all of them, and another one is its
upstream. In each round a client logs in, asks ECMs of a local card and of the upstream, the
configuration is read again, the journal and the log are written; one call of all this fails. What
came of each round is printed as JSON.

Nothing of the harness itself is spared: its client fails as well, and comes back. Time flies where
nothing happens (`virtual`), but the threads of the server live in the usual time.
"""

import asyncio
import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib import metadata
from itertools import count
from pathlib import Path
from typing import Any

import virtual
from laboratory import HOST, TEST_CARD, connect, expected_cw, new_node_id, request, setup
from virtual import Clock, VirtualLoop

from cccamd.cli.deeds import serve
from cccamd.lab.ports import free_port
from cccamd.localcards import registry
from cccamd.net import Client, ConnectError
from cccamd.server import AccountFocus, Server
from cccamd.setup.files import ConfigFileError
from cccamd.setup.nodeid import load_or_make
from cccamd.setup.setup import Setup, load_setup
from cccamd.values import ControlWords
from cccamd.watch.journal import journal as journal_module
from cccamd.wire.cccam import ClientProtocol, Target

shim = ctypes.CDLL(None)
shim.fault_arm.argtypes = [ctypes.c_long, ctypes.c_int]
shim.fault_failed.restype = ctypes.c_char_p

NEVER = -1
ENOUGH = 3
"""Rounds in which nothing failed any more: they do not all have the same number of calls."""
PATIENCE = 90.0
"""Virtual seconds for everything to be as before."""
LOCAL, FAR = 0x7F01, 0x7F00


LOOKS = serve.LogLooks(debug=False, as_data=False)


class World:
    """The files of a server, and what is done with it."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder, self.clock = folder, clock
        self.port, self.upper_port = free_port(), free_port()
        self.cfg, self.toml = folder / "CCcam.cfg", folder / "cccamd.toml"
        self.journal, self.log = folder / "journal.db", folder / "log"
        self.prio = folder / "CCcam.prio"
        self.prio.write_text("I: 0500\n")
        self.files = 1000
        self.logins = 0
        self.found: dict[str, object] = {}
        local = TEST_CARD.replace("7F00", "7F01")
        self.toml.write_text(f'{local}\n[server]\nbind = ["{HOST}"]\n')
        self.write("zero")

    def write(self, account: str) -> None:
        new = self.cfg.with_suffix(".new")
        new.write_text(
            f"SERVER LISTEN PORT : {self.port}\nLOG FILE : {self.log}\nALLOW WEBINFO : no\n"
            f"ALLOW TELNETINFO : no\nCAID PRIO FILE : {self.prio}\n"
            f"F: anna secret\nF: {account} secret\nC: {HOST} {self.upper_port} me secret\n"
        )
        new.replace(self.cfg)

    async def begin(
        self, read: Setup, focus: AccountFocus, troubles: Mapping[str, str]
    ) -> asyncio.Task[int]:
        """Run it as the command does; return when it serves, or has ended."""
        made: list[Server] = []

        def make(*args: Any, **words: Any) -> Server:
            made.append(Server(*args, **words))
            return made[0]

        serve.Server = make  # type: ignore[assignment, misc]
        runner = serve.Runner(
            focus=focus,
            log_troubles=troubles,
            folder=self.folder,
            socket=self.folder / "cccamd.sock",
            looks=LOOKS,
        )
        running = asyncio.get_running_loop().create_task(runner.run(read))
        with self.clock.usual():
            await self.until(lambda: running.done() or bool(made and made[0].ports), 10.0)
        self.server = made[0]
        return running

    async def until(self, reached: Callable[[], bool], seconds: float) -> None:
        until = self.clock.now() + seconds
        while not reached() and self.clock.now() < until:
            await asyncio.sleep(0.02)

    # What a client does.

    async def live(self, caids: Sequence[int] = (FAR, LOCAL)) -> None:
        """Log in, ask a card of each of these CAIDs."""
        target = Target(host=HOST, port=self.port, user=b"anna", password=b"secret")
        client = await connect(target)
        self.logins += 1
        try:
            await client.wait_until(lambda: len(client.cards) == len(caids), timeout=3.0)
            for caid in caids:
                await self.ask(client, caid)
        finally:
            await client.close()
            await asyncio.sleep(0.01)

    async def ask(self, client: Client[ClientProtocol], caid: int) -> None:
        ecm = b"\x80" + os.urandom(8)
        share = next((n for n, card in client.cards.items() if card.caid == caid), None)
        if share is None:
            raise ConnectionError("no such card")
        answer = await client.ask(request(ecm, caid=caid, share_id=share))
        if answer != expected_cw(ecm):
            raise ConnectionError("WRONG" if isinstance(answer, ControlWords) else str(answer))

    async def serves(self, caids: Sequence[int] = (FAR, LOCAL)) -> str:
        """Until it is served as ever; empty, or what is missing."""
        until, why = self.clock.now() + PATIENCE, ""
        while self.clock.now() < until:
            try:
                await self.live(caids)
            except (ConnectError, ConnectionError, TimeoutError) as error:
                why = str(error) or type(error).__name__
                if why == "WRONG":
                    return why
                await asyncio.sleep(1.0)
            else:
                return ""
        return why

    # One server that lives through everything.

    async def rounds(self) -> None:
        upper = Server(setup("F: me secret", TEST_CARD, port=self.upper_port))
        await upper.start()
        read = load_setup(self.cfg, self.toml)
        focus = AccountFocus()
        serve._start_log(read, focus, LOOKS)
        running = await self.begin(replace(read, node_id=new_node_id()), focus, {})
        self.clock.fly()
        for number in range(2):  # modules are loaded, and pages of the journal made
            await self.round(NEVER, f"before{number}")
        self.files = files_open()
        unharmed = 0
        for k in count(1):
            await self.round(k, f"n{k}")
            failed = shim.fault_failed().decode()
            print(json.dumps({"k": k, "failed": failed, **self.found}), flush=True)
            unharmed = 0 if failed else unharmed + 1
            if unharmed == ENOUGH:
                break
        self.clock.is_usual = True
        os.kill(os.getpid(), signal.SIGTERM)
        await running
        await upper.stop()
        print(json.dumps({"logins": self.logins}), flush=True)

    async def round(self, k: int, account: str) -> None:
        self.write(account)
        read = self.log.stat().st_size
        shim.fault_arm(k, 0)
        os.kill(os.getpid(), signal.SIGHUP)
        with suppress(ConnectError, ConnectionError, TimeoutError, OSError):
            await asyncio.wait_for(self.live(), 5.0)
        await self.until(lambda: self.has(account), 3.0)
        await self.until(self.is_written, 1.0)
        shim.fault_disarm()
        # And now it has to come back by itself.
        began = self.clock.now()
        await self.until(lambda: self.has(account), PATIENCE)
        with self.clock.usual():  # a thread reads the files
            await self.until(lambda: self.has(account), 5.0)
        self.found = {
            "accounts": self.has(account),
            "prio": bool(self.server._setup.companions.prio.ignored),
            "served": await self.serves(),
            "back_after": round(self.clock.now() - began, 1),
        }
        with self.clock.usual():
            await self.until(lambda: self.is_written() and files_open() <= self.files, 5.0)
        said = self.log.read_bytes()[read:].decode()
        self.found |= {
            "written": self.is_written(),
            "files": files_open() - self.files,
            "told": [line[24:] for line in said.splitlines() if " INFO " not in line],
        }

    def has(self, account: str) -> bool:
        return account.encode() in self.server._context.accounts

    def is_written(self) -> bool:
        journal = self.server._journal
        assert journal is not None
        state = journal.state()
        return not state.waiting and not state.trouble and not state.dropped


def files_open() -> int:
    return len(os.listdir("/proc/self/fd"))


# Servers that start.


async def start(world: World, k: int) -> None:
    """Start a server of which nothing is there yet, and start it again."""
    shim.fault_arm(k, 0)
    for attempt in ("first", "second"):
        found = {"k": k, "attempt": attempt, **await once(world)}
        shim.fault_disarm()
        found["failed"] = shim.fault_failed().decode() if attempt == "first" else ""
        found["node_id"] = (world.folder / "node-id").read_text() if attempt == "second" else ""
        print(json.dumps(found), flush=True)


async def once(world: World) -> dict[str, object]:
    """Start it as the command does, let it serve a client, and stop it."""
    try:
        read = load_setup(world.cfg, world.toml)
    except ConfigFileError as error:
        return {"refused": str(error)}
    if read.refused:
        return {"refused": read.refusal}
    focus = AccountFocus()
    troubles = serve._start_log(read, focus, LOOKS)
    own = load_or_make(world.folder / "node-id")
    running = await world.begin(replace(read, node_id=own.node_id), focus, troubles)
    served = "" if running.done() else await world.serves([LOCAL])
    shim.fault_disarm()
    if not running.done():
        os.kill(os.getpid(), signal.SIGTERM)
    return {"status": await running, "served": served, "trouble": own.trouble or ""}


def starts(folder: Path, clock: Clock) -> None:
    clock.fly()
    unharmed = 0
    for k in count(1):
        (folder / str(k)).mkdir()
        with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock)) as runner:
            runner.run(start(World(folder / str(k), clock), k))
        unharmed = 0 if shim.fault_failed() else unharmed + 1
        if unharmed == ENOUGH:
            return


def one_package() -> Callable[..., object]:
    """As if there were one package only: each is opened, and here are seventy."""
    look = metadata.entry_points
    known = {group: look(group=group) for group in (registry.GROUP, "pydantic")}

    def find(*, group: str) -> object:
        os.close(os.open(__file__, os.O_RDONLY))
        return known[group]

    return find


def main() -> None:
    folder, what = Path(sys.argv[1]), sys.argv[2]
    virtual.STEP = 0.05  # type: ignore[misc]  # threads have to have their time
    journal_module.BATCH_INTERVAL = 0.0  # type: ignore[misc]
    journal_module.RETRY_INTERVAL = 0.02  # type: ignore[misc]
    metadata.entry_points = one_package()  # type: ignore[assignment]
    clock = Clock()
    time.time, time.monotonic = clock.wall, clock.now
    if what == "start":
        starts(folder, clock)
    else:
        with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock)) as runner:
            runner.run(World(folder, clock).rounds())


if __name__ == "__main__":
    main()
