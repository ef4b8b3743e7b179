"""`[[newcamd]]`: who logs in there, which card it is shown and what it may ask; reloads."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from laboratory import HOST, TEST_CARD, Laboratory, expected_cw, running, setup

from cccamd.facts import Door
from cccamd.ids import USUAL_CONFIG_KEY, Caid, Ident, ShareId, Sid
from cccamd.lab.ports import free_port
from cccamd.net import Client, ConnectError, Step, open_sockets
from cccamd.values import Emm, Refusal, Request
from cccamd.why import Question
from cccamd.wire.newcamd import (
    NewcamdCaller,
    NewcamdClient,
    NewcamdTarget,
)

CARDS = """
[[card]]
kind = "test"
name = "near"
caid = "0B00"
providers = ["000001", "000002"]
[[card]]
kind = "test"
name = "other"
caid = "0500"
providers = ["030B00"]
"""


def table(port: int, more: str = "") -> str:
    return f"[[newcamd]]\nport = {port}\n{more}\n"


@asynccontextmanager
async def logged_in(
    port: int, user: str = "anna", password: str = "secret", key: bytes = USUAL_CONFIG_KEY
) -> AsyncIterator[Client[NewcamdClient]]:
    target = NewcamdTarget(
        host=HOST,
        port=port,
        user=user.encode(),
        password=password.encode(),
        config_key=key,
        step_timeout=10.0,
    )
    client = await Client.connect(HOST, port, NewcamdCaller(target, os.urandom))
    try:
        yield client
    finally:
        await client.close()
        await asyncio.sleep(0.01)


async def failed(port: int, **words: object) -> Step:
    with pytest.raises(ConnectError) as raised:
        async with logged_in(port, **words):  # type: ignore[arg-type]
            pass
    return raised.value.step


def an_ecm(caid: int, ident: int = 0, text: bytes = b"a") -> Request:
    section = b"\x80\x70" + bytes([len(text)]) + text
    return Request(Caid(caid), Ident(ident), ShareId(0), Sid(7), section)


def shown(client: Client[NewcamdClient]) -> tuple[int, list[int]]:
    (card,) = client.cards.values()
    return card.caid, [provider.ident for provider in card.providers]


async def test_each_port_shows_its_card_and_serves_nothing_else() -> None:
    any_card, viaccess, absent = free_port(), free_port(), free_port()
    toml = (
        CARDS
        + table(any_card)
        + table(viaccess, 'caid = "0500"\nproviders = ["030B00"]')
        + table(absent, 'caid = "1810"')
    )
    async with running("F: anna secret", toml):
        async with logged_in(any_card) as client:
            assert shown(client) == (0x0500, [0x030B00]), "as near as the other, and the lower"
            ecm = an_ecm(0x0500, 0x030B00)
            assert await client.ask(ecm) == expected_cw(ecm.section)
            assert await client.ask(an_ecm(0x0B00, 1)) is Refusal.CANNOT_DECODE
        async with logged_in(viaccess) as client:
            assert shown(client) == (0x0500, [0x030B00])
            assert await client.ask(an_ecm(0x0500, 0x030C00)) is Refusal.CANNOT_DECODE
            emm = Emm(Caid(0x0500), Ident(0x030B00), ShareId(1), b"\x82\x70\x01e")
            assert client.protocol.card is not None
            if client.protocol.card.may_update:
                await client.send_emm(emm)
        async with logged_in(absent) as client:
            assert shown(client) == (0x1810, [0])
            assert await client.ask(an_ecm(0x1810)) is not None


async def test_who_may_not_log_in_is_refused_alike_and_the_log_says_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    port = free_port()
    cfg = "F: anna secret\nF: ben secret\n"
    async with running(cfg, TEST_CARD + table(port, 'accounts = ["anna"]')) as lab:
        assert await failed(port, user="ben") is Step.DENIED
        assert await failed(port, user="nobody") is Step.DENIED
        assert await failed(port, password="wrong") is Step.DENIED
        score = lab.server._penalties._score("127.0.0.1")
        assert score is not None
        assert score.doors == (Door.NEWCAMD,)
        assert await failed(port, key=bytes(14)) is Step.DES_KEY
        async with logged_in(port):
            (client,) = lab.server.snapshot().clients
            assert (client.account, client.program) == ("anna", "cccamd, newcamd")
    told = " ".join(record.getMessage() for record in caplog.records)
    for words in (
        "other accounts log in on this port",
        "no F-line has this user name",
        "wrong password",
        "its DES key is not that of this port",
    ):
        assert words in told, words


async def test_a_port_may_be_for_some_addresses_only(caplog: pytest.LogCaptureFixture) -> None:
    here, elsewhere = free_port(), free_port()
    tables = table(here, f'bind = ["{HOST}"]\nallow = ["127.0.0.0/8"]')
    tables += table(elsewhere, 'allow = ["192.0.2.0/24"]')
    async with running("F: anna secret", TEST_CARD + tables):
        assert await failed(elsewhere) is Step.DENIED
        async with logged_in(here) as client:
            assert shown(client) == (0x7F00, [0x0A])
    told = " ".join(record.getMessage() for record in caplog.records)
    assert "cccamd.toml lets other addresses log in on this port" in told


async def test_a_minimum_version_is_none_of_its_business() -> None:
    port = free_port()
    cfg = "F: anna secret\nMINIMUM CLIENT VERSION : 2.3.0\n"
    async with running(cfg, TEST_CARD + table(port)), logged_in(port) as client:
        assert shown(client) == (0x7F00, [0x0A])


async def test_an_account_is_one_client_on_all_ports() -> None:
    port = free_port()
    async with running("F: anna secret", TEST_CARD + table(port)) as lab, lab.client() as first:
        assert await failed(port) is Step.DENIED
        assert first.closed is None
        await first.close()
        async with asyncio.timeout(10.0):
            while lab.server.snapshot().clients:
                await asyncio.sleep(0.01)
        async with logged_in(port):
            pass


async def test_a_reload_opens_changes_and_closes_ports() -> None:
    first, second = free_port(), free_port()

    async def reload(lab: Laboratory, toml: str, cfg: str = "F: anna secret") -> None:
        made = setup(cfg, TEST_CARD + toml, port=lab.port)
        await lab.server.reload(replace(made, node_id=lab.server._setup.node_id))

    async with running("F: anna secret", TEST_CARD + table(first)) as lab:
        async with logged_in(first) as stays:
            await reload(lab, table(first) + table(second))
            assert sorted(lab.server.newcamd_ports) == sorted((first, second))
            assert stays.closed is None
            await reload(lab, table(first, f'key = "{"22" * 14}"') + table(second))
            assert await stays.wait_until(lambda: stays.closed is not None, timeout=10.0)
        assert await failed(first) is Step.DES_KEY
        async with logged_in(first, key=b"\x22" * 14) as client:
            await reload(lab, table(first, f'key = "{"22" * 14}"\naccounts = ["ben"]'))
            assert await client.wait_until(lambda: client.closed is not None, timeout=10.0)
        assert lab.server.newcamd_ports == [first]
        await reload(lab, "")
        assert lab.server.newcamd_ports == []
        assert await failed(first, key=b"\x22" * 14) is Step.REFUSED


async def test_a_port_that_is_taken_is_told_and_the_others_open() -> None:
    taken, other = free_port(), free_port()
    toml = TEST_CARD + table(taken) + table(other)
    with open_sockets([HOST], taken)[0]:
        async with running("F: anna secret", toml) as lab:
            assert lab.server.newcamd_ports == [other]
            problems = [each.text for each in lab.server.snapshot().config.problems]
            assert any(f"port {taken}" in text for text in problems)


async def test_explain_says_which_card_a_port_shows_and_why() -> None:
    port = free_port()
    async with running("F: anna secret", CARDS + table(port)) as lab:
        explained = lab.server.explain(Question(account="anna"))
    texts = [found.text for found in explained.findings]
    assert any(
        f"newcamd port {port} shows it CAID 0500 with provider 030B00" in text and "0B00" in text
        for text in texts
    ), texts
