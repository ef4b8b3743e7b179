"""A protocol that nobody in cards, routing or the server has heard of, at a door and on a link.

`toy.py` is all that was written for it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
from laboratory import HOST, Laboratory, ask, cards_of, expected_cw, new_node_id, running, setup
from toy import ToyClient, ToyServer

from cccamd.net import Client, ConnectError, Listener
from cccamd.server.session import Session
from cccamd.server.sessioncontext import ClientPort
from cccamd.server.upstreams import UpstreamSource
from cccamd.values import Emm, Refusal
from cccamd.wire.link import CloseReason

ECM = b"\x80by toy"


@asynccontextmanager
async def toy_port(lab: Laboratory) -> AsyncIterator[int]:
    """A port of a running server on which toy is spoken."""
    context = lab.server._context
    port = ClientPort(make_protocol=ToyServer, account_of=context.accounts.get)
    listener = Listener(
        context.admission,
        make_guest=lambda: Session(context, port).connection,
        on_refused=lambda address, refusal: None,
        on_failure=context.on_failure,
    )
    await listener.open([HOST], 0)
    try:
        yield listener.ports[0]
    finally:
        await listener.close()


def caller(user: bytes = b"anna", password: bytes = b"secret") -> partial[ToyClient]:
    return partial(ToyClient, user=user, password=password, node_id=new_node_id())


async def test_an_ecm_comes_in_by_toy_and_goes_out_by_cccam() -> None:
    async with running() as upper:
        cfg = f"C: {HOST} {upper.port} anna secret\nF: anna secret\nF: ben other"
        async with running(cfg, toml="") as lower, toy_port(lower) as port:
            client = await Client.connect(HOST, port, caller())
            assert await cards_of(client) == [0x7F00]
            assert await ask(client, ECM) == expected_cw(ECM)
            assert await ask(client, b"\x80x", caid=0x7E00) is Refusal.CANNOT_DECODE
            (seen,) = lower.server.snapshot().clients
            assert (seen.account, seen.program, seen.ecms_answered) == ("anna", "toy", 1)
            # One F-line is one client, by whatever protocol.
            with pytest.raises(ConnectError):
                async with lower.client():
                    pass
            assert (await client.wait_until(lambda: False, timeout=0.01)) is False
            await upper.server.stop()
            assert await client.wait_until(lambda: not client.cards, timeout=10.0)
            await client.close()


async def test_an_ecm_comes_in_by_cccam_and_goes_out_by_toy() -> None:
    async with running() as upper, toy_port(upper) as port:
        cfg = f"C: {HOST} {port} anna secret\nF: ben other"
        async with running("F: ben other", toml="") as lower:
            server = lower.server
            (upstream,) = setup(cfg, "", port=0).upstreams
            source = UpstreamSource(
                upstream,
                identity=server._identity,
                table=server._table,
                exchange=server._exchange,
                tasks=server._tasks,
                clones=server._clones,
                observers=server._observers,
                on_cards_changed=server._card_news.changed,
                on_failure=server._failures.report,
                make=caller(),
            )
            async with lower.client("ben", "other") as client:
                assert await cards_of(client) == [0x7F00]
                (card,) = client.cards.values()
                assert (card.hop, len(card.path)) == (1, 2)
                assert await ask(client, ECM) == expected_cw(ECM)
                await client.send_emm(Emm(card.caid, card.providers[0].ident, card.share_id, ECM))
                session = upper.server._context.seats.of(b"anna")[0]
                session.connection.close(CloseReason.SHUTDOWN)
                assert await client.wait_until(lambda: not client.cards, timeout=10.0)
                assert await cards_of(client) == [0x7F00], "it has come back by itself"
            await source.stop()


async def test_a_wrong_login_by_toy_is_refused_and_told(caplog: pytest.LogCaptureFixture) -> None:
    async with running() as lab, toy_port(lab) as port:
        for user, password in ((b"anna", b"guess"), (b"nobody", b"secret")):
            with pytest.raises(ConnectError):
                await Client.connect(HOST, port, caller(user, password))
        assert lab.server._context.admission.connections == 0
    told = " ".join(caplog.messages)
    assert CloseReason.WRONG_PASSWORD.value in told
    assert CloseReason.UNKNOWN_USER.value in told
