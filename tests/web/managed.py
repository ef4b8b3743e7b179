"""A real server with its files, that can be managed from its pages: as `cccamd serve` builds it."""

import os
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from re import search
from typing import Any
from urllib.parse import urlencode

from browsing import Reply, exchange

from cccamd.lab.ports import free_port
from cccamd.net import TaskSet
from cccamd.server import AccountFocus, Clerk, Desk, Reloader, Server, hands_of
from cccamd.setup.setup import Setup, load_setup
from cccamd.watch import OperatorActed
from cccamd.watch.happenings import Happening
from cccamd.watch.journal import Journal
from cccamd.wire.cccam import make_node_id

HOST = "127.0.0.1"
LOGIN = {"username": "bob", "password": "s3cret"}
BASIC = "Authorization: Basic " + b64encode(b"bob:s3cret").decode()
FORM = "Content-Type: application/x-www-form-urlencoded"
WITH_LOGIN = "WEBINFO USERNAME : bob\nWEBINFO PASSWORD : s3cret\n"
CARD = '[[card]]\nkind = "test"\ncaid = "7F00"\nproviders = ["00000A"]\n'


@dataclass
class Managed:
    """What is known of it."""

    server: Server
    cfg: Path
    port: int
    web: int
    focus: AccountFocus
    happenings: list[Happening] = field(default_factory=list)
    read: Callable[[], Setup] = lambda: Setup(config=None)  # type: ignore[arg-type]

    @property
    def done(self) -> list[str]:
        """What the journal gets to know of what was done."""
        return [each.what for each in self.happenings if isinstance(each, OperatorActed)]

    async def get(self, path: str, *headers: str, login: str = BASIC) -> Reply:
        """Look at a page."""
        lines = [f"GET {path} HTTP/1.1", f"Host: {HOST}:{self.web}", login, "Connection: close"]
        return await exchange(self.web, "\r\n".join([*lines, *headers, "", ""]))

    async def token(self) -> str:
        """What a form of a page holds."""
        found = search(r'name="token" value="([^"]+)"', (await self.get("/manage")).text)
        assert found
        return found[1]

    async def send(self, body: str, *headers: str, origin: str | None = "") -> Reply:
        """Send a body as it stands; `origin`: None leaves it out, empty is our own."""
        lines = [
            "POST /manage/do HTTP/1.1",
            f"Host: {HOST}:{self.web}",
            BASIC,
            "Connection: close",
            f"Content-Length: {len(body.encode())}",
        ]
        if origin is not None:
            lines.append(f"Origin: {origin or f'http://{HOST}:{self.web}'}")
        given = headers if any("Content-Type" in each for each in headers) else (*headers, FORM)
        return await exchange(self.web, "\r\n".join([*lines, *given, "", body]))

    async def do(self, act: str, name: str = "", **fields: str) -> Reply:
        """Press a button."""
        words = {"act": act, "token": await self.token(), **fields}
        return await self.send(urlencode(words | {"name": name} if name else words))


@asynccontextmanager
async def managed(
    folder: Path,
    lines: str = "F: anna pw\n",
    *,
    login: str = WITH_LOGIN,
    toml: str = CARD,
    journal: bool = False,
) -> AsyncIterator[Managed]:
    """Run it."""
    port, web, cfg = free_port(), free_port(), folder / "CCcam.cfg"
    ports = f"SERVER LISTEN PORT : {port}\nWEBINFO LISTEN PORT : {web}\nALLOW TELNETINFO : no\n"
    cfg.write_text(f"{ports}{login}{lines}")
    (folder / "cccamd.toml").write_text(f'[server]\nbind = ["{HOST}"]\n{toml}')
    setup = replace(load_setup(cfg, None), node_id=make_node_id(os.urandom(4)))
    async with building(setup, folder, cfg, port, web, journal=journal) as house:
        yield house


@asynccontextmanager
async def building(
    setup: Setup, folder: Path, cfg: Path, port: int, web: int, *, journal: bool
) -> AsyncIterator[Managed]:
    """What `cccamd serve` puts together."""
    import asyncio

    kept: Any = Journal(folder / "journal.db", on_trouble=print) if journal else None
    server, focus, failures = Server(setup, journal=kept), AccountFocus(), list[object]()
    tasks = TaskSet(on_failure=lambda name, error: failures.append((name, error)))
    now = [setup]
    reloader = Reloader(server, setup, asked=asyncio.Event(), prepare=lambda read: now.append(read))
    desk = Desk(server.acts, reload=reloader.reload_now, focus=focus)
    clerk = Clerk(acts=server.acts, setup=lambda: now[-1], reload=reloader.reload_now, tasks=tasks)
    house = Managed(server, cfg, port, web, focus, read=lambda: now[-1])
    server.observe(house.happenings.append)
    server.entrust(hands_of(desk, clerk))
    await server.start()
    desk.open()
    tasks.start("reload", reloader.run())
    try:
        yield house
    finally:
        desk.close()
        await tasks.cancel()
        await server.stop()
    assert failures == []
