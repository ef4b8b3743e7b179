"""The client that waits: how far a login got, and what comes of a question."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from peer import CARD, CW, ECM, HOST, SILENCE, Peer, Server, Talk, until

from cccamd.ids import Caid, Ident, ShareId
from cccamd.lab.ports import free_port
from cccamd.net import (
    Client,
    ConnectError,
    ConnectionLost,
    Step,
)
from cccamd.values import Emm, Refusal
from cccamd.wire.cccam import (
    Caller,
    ClientProtocol,
    Identity,
    Target,
    make_node_id,
)
from cccamd.wire.cccam.handshake import make_seed
from cccamd.wire.link import CloseReason


async def connect(
    port: int, passed: list[str] | None = None, *, password: bytes = b"secret"
) -> Client[ClientProtocol]:
    told = [] if passed is None else passed
    target = Target(host=HOST, port=port, user=b"anna", password=password)
    caller = Caller(target, Identity(make_node_id(b"clnt"), "test"))
    return await Client.connect(HOST, port, caller, passed=told.append)


@asynccontextmanager
async def logged_in() -> AsyncIterator[tuple[Client[ClientProtocol], Server]]:
    server = Server()
    async with server.serving() as port:
        client = await connect(port)
        try:
            yield client, server
        finally:
            await client.close()
            await asyncio.sleep(0)


async def test_a_login_passes_its_steps_and_brings_the_cards() -> None:
    server, passed = Server(), list[str]()
    async with server.serving() as port:
        client = await connect(port, passed)
        assert passed == ["TCP connection", "login", "server data"]
        assert client.server is not None
        assert await client.wait_until(lambda: bool(client.cards), timeout=1.0)
        assert client.cards == {CARD.share_id: CARD}
        await client.close()


async def test_questions_are_answered_or_refused() -> None:
    async with logged_in() as (client, _):
        assert await client.ask(ECM) == CW
        assert await client.ask(ECM._replace(section=b"\x80other")) is Refusal.CANNOT_DECODE
        await client.send_emm(Emm(Caid(0x0B00), Ident(0), ShareId(1), b"\x82emm"))


async def test_a_question_may_take_too_long() -> None:
    async with logged_in() as (client, _):
        with pytest.raises(TimeoutError):
            await client.ask(SILENCE, timeout=0.02)
        assert client.closed is None


async def test_whoever_waits_is_told_of_the_end() -> None:
    async with logged_in() as (client, server):
        waiting = asyncio.gather(client.ask(SILENCE), return_exceptions=True)
        await asyncio.sleep(0.02)
        server.open[0].close()
        (lost,) = await waiting
        assert isinstance(lost, ConnectionLost)
        assert str(lost) == CloseReason.PEER_CLOSED.value
        with pytest.raises(ConnectionLost, match="the peer closed the connection"):
            await client.ask(ECM)
        with pytest.raises(ConnectionLost):
            await client.send_emm(Emm(Caid(0x0B00), Ident(0), ShareId(1), b"\x82emm"))


async def test_waiting_for_what_never_comes_ends() -> None:
    async with logged_in() as (client, server):
        assert not await client.wait_until(lambda: False, timeout=0.02)
        server.open[0].close()
        began = asyncio.get_running_loop().time()
        assert not await client.wait_until(lambda: False, timeout=9.0)
        assert asyncio.get_running_loop().time() - began < 8.0


async def test_cards_that_are_withdrawn_are_gone() -> None:
    async with logged_in() as (client, server):
        await until(lambda: bool(client.cards))
        server.withdraw_card()
        await until(lambda: not client.cards)


async def closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that closes at once."""


async def is_no_cccam(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")


async def closes_after_the_seed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(make_seed(bytes(range(40, 52))))
    await reader.read(1000)


@pytest.mark.parametrize(
    ("talk", "step"),
    [
        (closes, Step.HUNG_UP),
        (is_no_cccam, Step.STRANGER),
        (closes_after_the_seed, Step.LOGIN),
    ],
)
async def test_a_failed_login_says_how_far_it_got(talk: Talk, step: Step) -> None:
    async with Peer(talk).serving() as port:
        with pytest.raises(ConnectError) as caught:
            await connect(port)
        assert caught.value.step is step


async def test_a_wrong_password_is_a_failure_of_the_login() -> None:
    async with Server().serving() as port:
        with pytest.raises(ConnectError, match="the server closed the connection after") as caught:
            await connect(port, password=b"guess")
        assert caught.value.step is Step.LOGIN


async def test_a_server_that_closes_after_the_login_did_not_introduce_itself() -> None:
    server = Server(introduces_itself=False)
    async with server.serving() as port:
        passed: list[str] = []
        with pytest.raises(ConnectError) as caught:
            await connect(port, passed)
        assert caught.value.step is Step.INTRODUCTION
        assert passed == ["TCP connection", "login"]


async def test_nobody_there() -> None:
    with pytest.raises(ConnectError) as caught:
        await connect(free_port())
    assert caught.value.step is Step.REFUSED


@pytest.mark.parametrize("host", ["a..b", "x" * 64])
async def test_what_cannot_be_a_name(host: str) -> None:
    target = Target(host=host, port=1, user=b"anna", password=b"secret")
    caller = Caller(target, Identity(make_node_id(b"clnt"), "test"))
    with pytest.raises(ConnectError, match="cannot be a name of a machine") as caught:
        await Client.connect(host, 1, caller)
    assert caught.value.step is Step.RESOLVE


async def test_connecting_does_not_take_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs(*arguments: object, **options: object) -> None:
        await asyncio.sleep(60.0)

    monkeypatch.setattr(sys.modules["cccamd.net.dial"], "CONNECT_TIMEOUT", 0.02)
    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", hangs)
    with pytest.raises(ConnectError) as caught:
        await connect(1)
    assert caught.value.step is Step.CONNECT_TIMEOUT
