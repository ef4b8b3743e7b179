"""What can be seen of a running server."""

import asyncio

from laboratory import ask, cards_of, expected_cw, running

from cccamd.facts import EcmResult, LinkState, Revision
from cccamd.setup.cccamcfg import ChannelNames, Companions
from cccamd.values import Refusal
from cccamd.watch import (
    CardsChanged,
    ClientLoggedIn,
    ClientLoggedOut,
    EcmFinished,
    Happening,
    SourceAnswered,
    SourceUp,
)


async def test_a_snapshot_shows_clients_sources_and_cards() -> None:
    async with (
        running() as far,
        running(f"C: 127.0.0.1 {far.port} anna secret\nF: anna secret\nF: ben secret") as near,
        near.client() as client,
    ):
        await cards_of(client, 2)
        assert await ask(client, b"\x80one", sid=7) == expected_cw(b"\x80one")
        assert await ask(client, b"\x81two", caid=0x7E00) is Refusal.CANNOT_DECODE
        snapshot = near.server.snapshot()
    assert snapshot.accounts == ("anna", "ben")
    (anna,) = snapshot.clients
    assert (anna.account, anna.address, anna.revision, anna.cards) == (
        "anna",
        "127.0.0.1",
        Revision.V2,
        2,
    )
    assert (anna.ecms_asked, anna.ecms_answered, anna.last_result) == (2, 1, EcmResult.NOK2)
    local, upstream = snapshot.sources
    assert (local.state, local.cards, local.asked) == (LinkState.UP, 1, 1)
    assert local.usual_seconds is not None
    assert 0 < local.usual_seconds < 1
    assert upstream.usual_seconds is None, "it was not asked"
    assert (upstream.state, upstream.cards_by_hop, upstream.program) == (
        LinkState.UP,
        {1: 1},
        "cccamd v0.1.0",
    )
    assert {card.seen_by for card in snapshot.cards} == {("anna",)}
    assert snapshot.ecms_total == 2


async def test_a_channel_has_its_name_wherever_it_is_shown() -> None:
    names = ChannelNames(names={(0x7F00, 0x0A, 7): "Seven"})
    async with (
        running(companions=Companions(channels=names)) as near,
        near.client() as client,
    ):
        await cards_of(client)
        await ask(client, b"\x80one", sid=7)
        (anna,) = near.server.snapshot().clients
    assert anna.service is not None
    assert anna.service.name == "Seven"


async def test_happenings_tell_the_story() -> None:
    story: list[Happening] = []
    async with (
        running() as far,
        running(f"C: 127.0.0.1 {far.port} anna secret\nF: anna secret", "") as near,
    ):
        near.server.observe(story.append)
        async with near.client() as client:
            await cards_of(client)
            await ask(client, b"\x80one")
            await ask(client, b"\x80one")
        async with asyncio.timeout(10.0):
            while not any(isinstance(each, CardsChanged) for each in story):
                await asyncio.sleep(0.01)
    kinds = [type(happening) for happening in story]
    for kind in (SourceUp, CardsChanged, ClientLoggedIn, SourceAnswered, EcmFinished):
        assert kind in kinds, kind
    assert kinds.index(ClientLoggedIn) < kinds.index(EcmFinished) < kinds.index(ClientLoggedOut)
    first, second = (happening for happening in story if isinstance(happening, EcmFinished))
    assert first.result is EcmResult.CW
    assert (first.cached, second.cached) == (False, True)
    assert first.fingerprint == second.fingerprint
    assert first.source == f"127.0.0.1:{far.port}"
