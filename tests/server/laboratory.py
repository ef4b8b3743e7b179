"""Real servers and real clients on the loopback interface, in this process."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from cccamd.ids import Caid, Ident, NodeId, ShareId, Sid
from cccamd.lab.ports import free_port
from cccamd.localcards import LocalCard, find_kinds
from cccamd.net import Client
from cccamd.server import Membership, Server
from cccamd.setup.cccamcfg import Companions, parse
from cccamd.setup.merging import merge
from cccamd.setup.setup import Setup
from cccamd.setup.toml import parse as parse_toml
from cccamd.values import ControlWords, Request, with_checksums
from cccamd.wire.cccam import (
    DEFAULT_VERSION,
    Caller,
    ClientProtocol,
    Identity,
    Target,
    Version,
    make_node_id,
)

HOST = "127.0.0.1"
TEST_CARD = """
[[card]]
kind = "test"
caid = "7F00"
providers = ["00000A"]
"""
KINDS: Mapping[str, type[LocalCard]] = find_kinds()
"""Looked for once: that reads what every installed package says of itself."""
NO_PAGES = "ALLOW WEBINFO : no\nALLOW TELNETINFO : no\n"
"""For tests that are not about pages: many servers at once would want the same ports."""
PLAIN_NODE = NodeId(bytes.fromhex("7fffffff00000001"))
"""Not the shape that offers extended mode: clients stay plain."""


def new_node_id() -> NodeId:
    return make_node_id(os.urandom(4))


def setup(
    cfg: str,
    toml: str,
    *,
    port: int,
    folder: Path = Path(),
    node_id: NodeId | None = None,
) -> Setup:
    pages = "" if "WEBINFO" in cfg else NO_PAGES
    parsed = parse(f"SERVER LISTEN PORT : {port}\n{cfg}\n{pages}".encode())
    assert not parsed.refused
    found = parse_toml(f'{toml}\n[server]\nbind = ["{HOST}"]\n', kinds=KINDS, folder=folder)
    assert not found.problems, [str(problem) for problem in found.problems]
    config = merge(parsed.config, found.config)
    return Setup(config=config, toml=found.config, node_id=node_id or new_node_id())


class Laboratory:
    """One running server."""

    def __init__(self, server: Server, port: int) -> None:
        self.server = server
        self.port = port

    @asynccontextmanager
    async def client(
        self,
        user: str = "anna",
        password: str = "secret",
        *,
        version: Version = DEFAULT_VERSION,
        node_id: NodeId | None = None,
    ) -> AsyncIterator[Client[ClientProtocol]]:
        target = Target(
            host=HOST,
            port=self.port,
            user=user.encode(),
            password=password.encode(),
            version=version,
        )
        client = await connect(target, node_id or new_node_id())
        try:
            yield client
        finally:
            await client.close()
            await asyncio.sleep(0.01)


async def connect(target: Target, node_id: NodeId = PLAIN_NODE) -> Client[ClientProtocol]:
    return await Client.connect(
        target.host, target.port, Caller(target, Identity(node_id, "test client"))
    )


@asynccontextmanager
async def running(
    cfg: str = "F: anna secret",
    toml: str = TEST_CARD,
    *,
    node_id: NodeId | None = None,
    port: int | None = None,
    folder: Path = Path(),
    companions: Companions | None = None,
    fleet: Membership | None = None,
) -> AsyncIterator[Laboratory]:
    port = port or free_port()
    made = setup(cfg, toml, port=port, folder=folder, node_id=node_id)
    server = Server(replace(made, companions=companions or Companions()), fleet=fleet)
    await server.start()
    try:
        yield Laboratory(server, port)
    finally:
        await server.stop()


def expected_cw(ecm: bytes) -> ControlWords:
    """What a card of kind `test` answers."""
    return ControlWords(with_checksums(hashlib.sha256(ecm).digest()[:16]))


def request(ecm: bytes, *, sid: int = 1, caid: int = 0x7F00, share_id: int = 0) -> Request:
    return Request(Caid(caid), Ident(0x0A), ShareId(share_id), Sid(sid), ecm)


async def until(reached: Callable[[], object], *, seconds: float = 10.0) -> None:
    """Wait until something holds.

    Raises:
        TimeoutError: it does not.
    """
    async with asyncio.timeout(seconds):
        while not reached():
            await asyncio.sleep(0.005)


async def cards_of(client: Client[ClientProtocol], count: int = 1) -> list[int]:
    """Wait for so many cards; return their CAIDs."""
    came = await client.wait_until(lambda: len(client.cards) == count, timeout=10.0)
    assert came, f"{count} cards were expected, and {len(client.cards)} are there"
    return [card.caid for card in client.cards.values()]


async def ask(client: Client[ClientProtocol], ecm: bytes, **words: int) -> ControlWords | object:
    share_id = words.pop("share_id", next(iter(client.cards), 0))
    return await client.ask(request(ecm, share_id=share_id, **words))
