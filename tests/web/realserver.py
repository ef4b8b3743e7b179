"""Real servers for the browser to look at, with a test card each."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cccamd.ids import Caid, Ident, ShareId, Sid
from cccamd.localcards import find_kinds
from cccamd.net import Client
from cccamd.server import Server
from cccamd.setup.cccamcfg import parse
from cccamd.setup.setup import Setup
from cccamd.setup.toml import parse as parse_toml
from cccamd.values import Request
from cccamd.wire.cccam import (
    DEFAULT_VERSION,
    Caller,
    Identity,
    Target,
    make_node_id,
)

HOST = "127.0.0.1"
CARD = '[[card]]\nkind = "test"\ncaid = "{caid}"\nproviders = ["00000A"]\n'


@asynccontextmanager
async def running(cfg: str, *, caid: str, port: int, web_port: int = 0) -> AsyncIterator[Server]:
    """Run a server; web port 0: it has no pages."""
    ports = f"SERVER LISTEN PORT : {port}\nWEBINFO LISTEN PORT : {web_port}\n"
    config = parse(f"{cfg}\n{ports}ALLOW TELNETINFO : no\n".encode()).config
    text = CARD.format(caid=caid) + f'[server]\nbind = ["{HOST}"]\n'
    toml = parse_toml(text, kinds=find_kinds(), folder=Path()).config
    server = Server(Setup(config=config, toml=toml, node_id=make_node_id(os.urandom(4))))
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def receiver(user: str, *, port: int) -> AsyncIterator[Client]:
    """Log in as a receiver does."""
    target = Target(
        host=HOST, port=port, user=user.encode(), password=b"pw", version=DEFAULT_VERSION
    )
    identity = Identity(make_node_id(os.urandom(4)), "a receiver")
    client = await Client.connect(HOST, port, Caller(target, identity))
    try:
        yield client
    finally:
        await client.close()


def watching(caid: int, sid: int) -> Request:
    """What a receiver asks on a channel."""
    return Request(Caid(caid), Ident(0x0A), ShareId(0), Sid(sid), os.urandom(40))
