"""Servers joined by C-lines, over loopback."""

import asyncio
import os
from collections.abc import Generator
from contextlib import suppress

import pytest
from laboratory import (
    PLAIN_NODE,
    TEST_CARD,
    Laboratory,
    ask,
    cards_of,
    expected_cw,
    new_node_id,
    request,
    running,
    setup,
    until,
)
from scripted import mute, right, scripted

from cccamd.ids import format_node_id
from cccamd.lab.ports import free_port
from cccamd.net import in_slices
from cccamd.routing import health
from cccamd.server import linkcards
from cccamd.values import ControlWords, Refusal

NO_CARDS = ""
DEAD_CARD = """
[[card]]
kind = "fixed"
caid = "7F00"
providers = ["00000A"]
services = { "0077" = "010203060405060f010203060405060f" }
"""


def c_line(lab: Laboratory, extra: str = "") -> str:
    return f"C: 127.0.0.1 {lab.port} anna secret {extra}\n"


async def test_a_chain_of_servers_counts_hops_and_answers_right() -> None:
    async with (
        running() as first,
        running(c_line(first) + "F: anna secret", NO_CARDS) as second,
        running(c_line(second) + "F: anna secret", NO_CARDS, node_id=PLAIN_NODE) as third,
        third.client() as client,
    ):
        assert await cards_of(client) == [0x7F00]
        (card,) = client.cards.values()
        assert card.hop == 2
        assert card.reshare == 8
        assert len(card.path) == 3
        assert card.path[-1] == PLAIN_NODE
        ecm = os.urandom(300)
        assert await ask(client, ecm) == expected_cw(ecm)


async def test_cards_of_a_lost_upstream_are_withdrawn_and_come_back() -> None:
    port = free_port()
    cfg = f"C: 127.0.0.1 {port} anna secret\nF: anna secret"
    async with running(cfg, NO_CARDS) as near, near.client() as client:
        async with running(port=port):
            assert await client.wait_until(lambda: len(client.cards) == 1, timeout=10.0)
        assert await client.wait_until(lambda: not client.cards, timeout=10.0)
        assert await ask(client, b"\x80gone") is Refusal.PASSING
        async with running(port=port):
            assert await client.wait_until(lambda: len(client.cards) == 1, timeout=8.0)
            assert await ask(client, b"\x80back") == expected_cw(b"\x80back")


async def test_the_next_card_is_asked_when_the_first_refuses() -> None:
    async with (
        running(toml=DEAD_CARD) as wrong,
        running() as right,
        running(c_line(wrong) + c_line(right) + "F: anna secret", NO_CARDS) as middle,
        middle.client() as client,
    ):
        await cards_of(client, 2)
        for number in range(6):
            ecm = b"\x80" + bytes([number])
            for share_id in client.cards:
                assert await ask(client, ecm, share_id=share_id) == expected_cw(ecm)


async def test_many_clients_of_one_service_are_one_question() -> None:
    async with (
        scripted(right) as far,
        running(
            c_line(far) + "".join(f"F: u{number} secret\n" for number in range(20)), NO_CARDS
        ) as near,
    ):
        contexts = [near.client(f"u{number}") for number in range(20)]
        clients = [await context.__aenter__() for context in contexts]
        for client in clients:
            await cards_of(client)
        answers = await asyncio.gather(*(ask(client, b"\x80same") for client in clients))
        assert answers == [expected_cw(b"\x80same")] * 20
        assert len(far.asked) == 1
        for context in contexts:
            await context.__aexit__(None, None, None)


async def test_a_ring_announces_no_card_to_where_it_came_from() -> None:
    one, other = free_port(), free_port()
    cfg = "C: 127.0.0.1 {} anna secret\nF: anna secret\nF: ben secret"
    async with (
        running(cfg.format(other), port=one) as a,
        running(cfg.format(one), NO_CARDS, port=other) as b,
        b.client("ben") as at_b,
        a.client("ben") as at_a,
    ):
        assert await at_b.wait_until(lambda: len(at_b.cards) == 1, timeout=10.0)
        # What comes later by the same way has everything behind it that would have come back.
        later = TEST_CARD.replace("7F00", "7E00")
        await b.server.reload(setup(cfg.format(one), later, port=other))
        assert await at_a.wait_until(lambda: len(at_a.cards) == 2, timeout=10.0)
        assert await ask(at_b, b"\x80ring") == expected_cw(b"\x80ring")
        assert await ask(at_a, b"\x80ring") == expected_cw(b"\x80ring")
        assert sorted((card.caid, card.hop) for card in at_a.cards.values()) == [
            (0x7E00, 1),
            (0x7F00, 0),
        ]
        assert sorted((card.caid, card.hop) for card in at_b.cards.values()) == [
            (0x7E00, 0),
            (0x7F00, 1),
        ]
        for lab in (a, b):
            link = next(each for each in lab.server.snapshot().sources if each.line)
            assert (link.cards, link.cards_rejected) == (1, 0), "it was not even told"


async def test_a_request_that_came_in_a_circle_is_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A server between us and the card asks us for what we ask it."""
    between = new_node_id()
    async with (
        scripted(right) as far,
        running(c_line(far) + "F: anna secret", NO_CARDS, node_id=between) as relay,
        running(c_line(relay) + "F: anna secret\nF: relay secret", NO_CARDS) as near,
        near.client() as client,
        near.client("relay", node_id=between) as circle,
    ):
        await cards_of(client)
        far.answer = mute
        waiting = asyncio.gather(ask(client, b"\x80void"))
        await until(lambda: far.asked)
        assert await ask(circle, b"\x80other") is Refusal.PASSING
        assert "circle" not in caplog.text
        assert await ask(circle, b"\x80void") is Refusal.PASSING
        waiting.cancel()
    told = [record for record in caplog.records if "circle" in record.message]
    assert [record.levelname for record in told] == ["WARNING"]
    assert format_node_id(between) in told[0].message


async def test_limits_of_a_c_line() -> None:
    async with (
        running() as far,
        running(c_line(far, "no { 7f00:00000a:0 }") + "F: anna secret", NO_CARDS) as near,
        near.client() as client,
    ):
        await until(lambda: near.server.snapshot().sources[0].cards_rejected == 1)
        assert await ask(client, b"\x80after") is Refusal.PASSING
        assert not client.cards


async def test_a_silent_upstream_costs_a_refusal_not_the_server() -> None:
    """It logs us in and offers a card, and then never answers an ECM."""
    toml = TEST_CARD + "[limits]\necm_deadline = 0.5\n"
    async with (
        scripted(right) as far,
        running(c_line(far) + "F: anna secret", toml.replace("7F00", "7E00")) as near,
        near.client() as client,
    ):
        await cards_of(client, 2)
        far.answer = mute
        started = asyncio.get_running_loop().time()
        assert await ask(client, b"\x80void") is Refusal.PASSING
        assert asyncio.get_running_loop().time() - started < 1.5
        local = next(card for card in client.cards.values() if card.caid == 0x7E00)
        answer = await client.ask(request(b"\x80", caid=0x7E00, share_id=local.share_id))
        assert isinstance(answer, ControlWords)


async def test_a_reload_keeps_links_whose_line_did_not_change() -> None:
    async with (
        running() as far,
        running(c_line(far) + "F: anna secret", NO_CARDS) as near,
        near.client() as client,
    ):
        await cards_of(client)
        session = far.server._context.seats.of(b"anna")[0]
        cfg = "# moved\n" + c_line(far) + "F: anna secret"
        await near.server.reload(setup(cfg, NO_CARDS, port=near.port))
        assert await ask(client, b"\x80still") == expected_cw(b"\x80still")
        assert far.server._context.seats.of(b"anna")[0] is session
        assert len(client.cards) == 1
        await near.server.reload(setup("F: anna secret", NO_CARDS, port=near.port))
        assert await client.wait_until(lambda: not client.cards, timeout=10.0)
        assert not far.server._context.seats


async def test_lines_and_cards_that_come_and_go_leave_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(health, "LEFT_KEPT", 0.0)
    accounts = "".join(f"F: u{number} secret\n" for number in range(6))
    async with running(accounts) as far:
        lines = f"C: 127.0.0.1 {far.port} u{{}} secret\nF: anna secret"
        card = '[[card]]\nkind = "test"\nname = "c{}"\ncaid = "7E0{}"\n'
        async with running(lines.format(0), card.format(0, 0)) as near, near.client() as client:
            for number in range(1, 7):
                assert 0x7E00 + number - 1 in await cards_of(client, 2)
                for share_id, seen in client.cards.items():
                    await ask(client, b"\x80now", caid=seen.caid, share_id=share_id)
                cfg, toml = lines.format(number), card.format(number, number)
                await near.server.reload(setup(cfg, toml, port=near.port))
                await until(
                    lambda number=number: (
                        0x7E00 + number in {seen.caid for seen in client.cards.values()}
                    )
                )
            known = near.server._context.exchange.router._chooser.health
            # A card and a link that serve, and what left with the last reload.
            assert len(known) <= 4
            assert len(known.lost_sources) <= 2


async def test_a_standby_line_takes_over_without_a_client_noticing() -> None:
    """The same card by two ways; the line of rank 1 goes down while the client watches."""
    first_port, second_port = free_port(), free_port()
    upstream = (
        '[[upstream]]\nhost = "127.0.0.1"\nport = {}\nuser = "anna"\ngroup = "g"\nrank = {}\n'
    )
    toml = upstream.format(first_port, 1) + upstream.format(second_port, 2)
    cfg = "".join(f"C: 127.0.0.1 {port} anna secret\n" for port in (first_port, second_port))
    far_cfg = "F: anna secret\nF: ben secret"
    async with running(far_cfg) as far:
        second_way = f"C: 127.0.0.1 {far.port} ben secret\nF: anna secret"
        async with (
            running(c_line(far) + "F: anna secret", NO_CARDS, port=first_port) as first,
            running(second_way, NO_CARDS, port=second_port) as second,
            running(cfg + "F: anna secret", toml) as near,
            near.client() as client,
        ):
            await cards_of(client)
            (remote,) = (card for card in client.cards.values() if card.hop)
            asked = [0, 0]
            for number in range(40):
                if number == 20:
                    asked = [len(lab.server.snapshot().clients) for lab in (first, second)]
                    await first.server.stop()
                ecm = b"\x80" + bytes([number])
                assert await ask(client, ecm, share_id=remote.share_id) == expected_cw(ecm)
                assert remote.share_id in client.cards
                await asyncio.sleep(0.02)
            assert asked == [1, 1]
            by_second = next(s for s in second.server.snapshot().sources if s.line)
            # One more is a hedge: on a machine that is busy the first way may have been late.
            assert 20 <= by_second.answered <= 22


async def test_who_asks_does_not_wait_for_an_upstream_that_floods() -> None:
    flood = 20_000
    async with (
        running() as far,
        running(f"{c_line(far)}F: anna secret") as near,
        near.client() as client,
    ):
        await cards_of(client, 2)
        (session,) = far.server._context.seats.of(b"anna")
        (link,) = near.server._upstreams.links()
        connection = link._connection
        assert connection is not None
        before = connection.heard_messages
        for _ in range(flood):
            session._protocol.send_keepalive()
        session.connection.flush()
        assert await ask(client, b"\x80meanwhile") == expected_cw(b"\x80meanwhile")
        assert connection.heard_messages - before < flood


MANY_CARDS = "".join(
    f'[[card]]\nkind = "test"\ncaid = "{0x7F00 + number:04X}"\n' for number in range(12)
)


async def test_a_long_list_is_dropped_in_slices_and_comes_back_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(linkcards, "DROPPED_AT_ONCE", 3)
    port = free_port()
    cfg = f"C: 127.0.0.1 {port} anna secret\nF: anna secret"
    async with running(cfg, NO_CARDS) as near, near.client() as client:
        for _ in range(2):
            async with running(toml=MANY_CARDS, port=port):
                assert await client.wait_until(lambda: len(client.cards) == 12, timeout=10.0)
                assert await ask(client, b"\x80there") == expected_cw(b"\x80there")
            assert await client.wait_until(lambda: not client.cards, timeout=10.0)
            assert await ask(client, b"\x80gone") is not expected_cw(b"\x80gone")


async def test_a_link_that_is_back_is_not_asked_before_its_old_cards_are_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What it says of its new ones meanwhile waits: under the same numbers it means others."""
    monkeypatch.setattr(linkcards, "DROPPED_AT_ONCE", 3)
    may_go_on = asyncio.Event()

    async def held(steps: Generator[None, None, None]) -> None:
        with suppress(TimeoutError):  # else a test that fails would never end
            await asyncio.wait_for(may_go_on.wait(), 20.0)
        await in_slices(steps)

    monkeypatch.setattr(linkcards, "in_slices", held)
    port = free_port()
    cfg = f"C: 127.0.0.1 {port} anna secret\nF: anna secret"
    async with running(cfg, NO_CARDS) as near, near.client() as client:
        async with running(toml=MANY_CARDS, port=port):
            assert await client.wait_until(lambda: len(client.cards) == 12, timeout=10.0)
        assert await client.wait_until(lambda: len(client.cards) == 9, timeout=10.0)
        async with running(toml=MANY_CARDS, port=port) as far:
            ((_, source),) = near.server._upstreams.sources()
            await until(lambda: len(source._cards._waiting) == 12)
            last = next(reversed(client.cards.values()))
            refused = await ask(client, b"\x80old", caid=last.caid, share_id=last.share_id)
            assert isinstance(refused, Refusal)
            assert far.server.snapshot().ecms_total == 0
            may_go_on.set()
            assert await client.wait_until(lambda: len(client.cards) == 12, timeout=10.0)
            assert await ask(client, b"\x80back") == expected_cw(b"\x80back")
