"""A real client of the demonstration's server, over TCP on the loopback interface."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from cccamd.errors import CccamdError
from cccamd.ids import USUAL_CONFIG_KEY, Caid, Ident, Sid, format_caid
from cccamd.lab.demo.server import HOST, USER, DemoServer
from cccamd.net import Client, ConnectError, ConnectionLost, Step
from cccamd.values import ControlWords, Emm, Offer, Request
from cccamd.wire.cccam import (
    NODE_ID_RANDOM_LENGTH,
    Caller,
    Identity,
    Target,
    make_node_id,
)
from cccamd.wire.link import ClientSide
from cccamd.wire.newcamd import NewcamdCaller, NewcamdTarget

START_TIMEOUT = 20.0
"""Seconds until the server listens: a slow machine may be busy with other things."""
CARD_TIMEOUT = 10.0
RETRY_INTERVAL = 0.2
ANY_IDENT = Ident(0)


@asynccontextmanager
async def connect(server: DemoServer, *, caid: Caid) -> AsyncIterator["LoopbackClient"]:
    """Log in as soon as the server listens, wait for its card, log out in the end.

    Raises:
        CccamdError: the server ended, or refuses us, or has no card of this CAID.
    """
    client = await _log_in(server)
    try:
        await client.wait_until(lambda: _has_card(client, caid), timeout=CARD_TIMEOUT)
        card = next((card for card in client.cards.values() if card.caid == caid), None)
        if card is None:
            raise CccamdError(f"the server announced no card of CAID {format_caid(caid)}")
        yield LoopbackClient(client, card)
    finally:
        await client.close()


class LoopbackClient:
    """Asks one card."""

    def __init__(self, client: Client[Any], card: Offer) -> None:
        self._client = client
        self._card = card

    async def ask(self, ecm: bytes, *, caid: Caid, sid: Sid) -> ControlWords | None:
        """Have an ECM decoded; None: refused.

        Raises:
            CccamdError: there was no answer.
        """
        request = Request(caid, ANY_IDENT, self._card.share_id, sid, ecm)
        with _failures_explained():
            answer = await self._client.ask(request)
        return answer if isinstance(answer, ControlWords) else None

    async def send_emm(self, emm: bytes, *, caid: Caid) -> None:
        """Pass an EMM on to the card.

        Raises:
            CccamdError: it was not acknowledged.
        """
        with _failures_explained():
            await self._client.send_emm(Emm(caid, ANY_IDENT, self._card.share_id, emm))


def _caller(server: DemoServer) -> tuple[int, Callable[[float], ClientSide]]:
    """The port to log in at, and the protocol object of a login."""
    user, password = USER.encode(), server.password.encode()
    if server.newcamd_port:
        port = server.newcamd_port
        key = USUAL_CONFIG_KEY
        newcamd = NewcamdTarget(host=HOST, port=port, user=user, password=password, config_key=key)
        return port, NewcamdCaller(newcamd, os.urandom)
    target = Target(host=HOST, port=server.port, user=user, password=password)
    node_id = make_node_id(os.urandom(NODE_ID_RANDOM_LENGTH))
    return server.port, Caller(target, Identity(node_id, "cccamd demo"))


async def _log_in(server: DemoServer) -> Client[Any]:
    port, caller = _caller(server)
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + START_TIMEOUT
    while True:
        try:
            return await Client.connect(HOST, port, caller)
        except ConnectError as error:
            # A server that breaks down says why a moment after the connection ended.
            await asyncio.sleep(RETRY_INTERVAL)
            server.check()
            if error.step is not Step.REFUSED or loop.time() > give_up_at:
                raise CccamdError(f"cannot log in to the server: {error}") from None


def _has_card(client: Client[Any], caid: Caid) -> bool:
    return any(card.caid == caid for card in client.cards.values())


@contextmanager
def _failures_explained() -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        raise CccamdError("the server did not answer in time") from None
    except ConnectionLost as error:
        raise CccamdError(f"the connection to the server was lost: {error}") from None
