"""N-lines: the card of a newcamd server, fetched, passed on, lost and told of."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from laboratory import HOST, TEST_CARD, Laboratory, ask, cards_of, expected_cw, running, setup
from typer.testing import CliRunner

from cccamd.cli import command_line
from cccamd.facts import LinkState, SourceKind, SourceStatus, Step
from cccamd.ids import USUAL_CONFIG_KEY
from cccamd.lab.ports import free_port
from cccamd.values import Emm, Refusal

KEY = USUAL_CONFIG_KEY.hex()


@asynccontextmanager
async def far_server(
    port: int, *, cfg: str = "F: house secret", toml: str = TEST_CARD
) -> AsyncIterator[Laboratory]:
    """A server with a newcamd port."""
    async with running(cfg, f"{toml}\n[[newcamd]]\nport = {port}\n") as lab:
        yield lab


def n_line(port: int, *, key: str = KEY, user: str = "house", more: str = "") -> str:
    return f"F: anna secret\nN: {HOST} {port} {user} secret {key} {more}\n"


async def settled(lab: Laboratory) -> SourceStatus:
    """The one source, once its first attempt has come to something."""
    async with asyncio.timeout(10.0):
        while True:
            (source,) = lab.server.snapshot().sources
            if source.cards or source.last_failure:
                return source
            await asyncio.sleep(0.01)


async def test_a_card_comes_by_newcamd_and_goes_on_by_cccam() -> None:
    """CCcam client → here → newcamd server → card."""
    port = free_port()
    async with far_server(port):  # noqa: SIM117
        async with running(n_line(port, more="2"), "") as home:
            source = await settled(home)
            assert (source.kind, source.state, source.line) == (
                SourceKind.NEWCAMD,
                LinkState.UP,
                3,
            )
            async with home.client() as client:
                assert await cards_of(client) == [0x7F00]
                (card,) = client.cards.values()
                assert card.hop == 2
                assert [each.ident for each in card.providers] == [0x0A]
                asked = [ask(client, b"\x80\x70\x02%02d" % number) for number in range(40)]
                answers = await asyncio.gather(*asked)
                assert answers == [
                    expected_cw(b"\x80\x70\x02%02d" % number) for number in range(40)
                ]
                emm = Emm(card.caid, card.providers[0].ident, card.share_id, b"\x82\x70\x02ab")
                await client.send_emm(emm)
                assert await ask(client, b"\x80\x70\x09no section") is Refusal.PASSING
                assert await ask(client, b"\x80\x70\x01!") == expected_cw(b"\x80\x70\x01!")
            explained = home.server.snapshot()
            assert explained.sources[0].program == "newcamd"


async def test_a_server_that_goes_takes_its_card_along_and_brings_it_back() -> None:
    port = free_port()
    async with running(n_line(port), "") as home, home.client() as client:
        async with far_server(port):
            assert await cards_of(client) == [0x7F00]
        assert await client.wait_until(lambda: not client.cards, timeout=10.0)
        async with far_server(port):
            assert await cards_of(client) == [0x7F00]


@pytest.mark.parametrize(
    ("words", "step", "text"),
    [
        ({"key": "00" * 14}, Step.DES_KEY, "as newcamd servers do when the DES key is not theirs"),
        ({"user": "nobody"}, Step.DENIED, "the server refused the login"),
    ],
)
async def test_why_a_line_does_not_work_is_said(
    words: dict[str, str], step: Step, text: str
) -> None:
    port = free_port()
    async with far_server(port) as far:
        async with running(n_line(port, **words), "") as home:
            source = await settled(home)
            assert source.failed_step is step
            assert text in source.last_failure
        async with running(n_line(far.port), "") as home:
            source = await settled(home)
            assert source.failed_step is Step.CCCAM


async def test_a_reload_adds_changes_and_takes_away_lines() -> None:
    port = free_port()
    async with far_server(port), running("F: anna secret", "") as home:

        async def reload(cfg: str) -> None:
            made = setup(cfg, "", port=home.port)
            await home.server.reload(replace(made, node_id=home.server._setup.node_id))

        async with home.client() as client:
            await reload(n_line(port))
            assert await cards_of(client) == [0x7F00]
            await reload(n_line(port, key="00" * 14))
            assert await client.wait_until(lambda: not client.cards, timeout=10.0)
            assert (await settled(home)).failed_step is Step.DES_KEY
            await reload(n_line(port, more="3"))
            assert await cards_of(client) == [0x7F00]
            assert [card.hop for card in client.cards.values()] == [3]
            await reload("F: anna secret")
            assert await client.wait_until(lambda: not client.cards, timeout=10.0)
            assert home.server.snapshot().sources == ()


async def test_two_servers_that_fetch_from_each_other_ask_each_other_once() -> None:
    """newcamd names no nodes: a circle is not seen, and must do no harm."""
    here, there = free_port(), free_port()
    lines = "F: house secret\nF: anna secret\nN: {} {} house secret {}\n"
    async with (
        far_server(here, cfg=lines.format(HOST, there, KEY)),
        far_server(there, cfg=lines.format(HOST, here, KEY), toml="") as other,
    ):
        async with other.client() as client:
            assert await cards_of(client, 1) == [0x7F00]
            ecm = b"\x80\x70\x03one"
            assert await ask(client, ecm) == expected_cw(ecm)
        asked = [source.asked for source in other.server.snapshot().sources]
        assert sum(asked) <= 2


async def test_probe_and_doctor_speak_newcamd(tmp_path: Path) -> None:
    port = free_port()
    async with far_server(port):

        async def cccamd(command: str, *words: str) -> Any:
            made = command_line([command])
            result = await asyncio.to_thread(CliRunner().invoke, made, [command, *words, "--json"])
            return result.exit_code, json.loads(result.stdout)

        asked = ("--ecm", "80 70 01 02", "--caid", "7F00")
        status, report = await cccamd(
            "probe", HOST, str(port), "house", "secret", "--newcamd", *asked
        )
        assert (status, report["complete"]) == (0, True)
        assert report["cards"][0]["providers"] == ["00000A"]
        wrong = ("probe", HOST, str(port), "house", "secret", "--newcamd", "--key", "00" * 14)
        status, report = await cccamd(*wrong)
        assert (status, report["reached"]) == (1, Step.DES_KEY.value)
        status, report = await cccamd("probe", HOST, str(port), "house", "secret")
        assert (status, report["reached"]) == (1, Step.NEWCAMD.value)
        cfg = tmp_path / "CCcam.cfg"
        pages = "ALLOW WEBINFO : no\nALLOW TELNETINFO : no\n"
        cfg.write_text(f"SERVER LISTEN PORT : {free_port()}\n{pages}" + n_line(port))
        status, report = await cccamd("doctor", "-C", str(cfg), "-n", str(tmp_path / "node-id"))
        (found,) = [one for one in report["findings"] if one["check"] == "N-line"][:1]
        assert "login works, 1 card taken" in found["evidence"]
        cfg.write_text(cfg.read_text().replace(KEY, "00" * 14))
        status, report = await cccamd("doctor", "-C", str(cfg), "-n", str(tmp_path / "node-id"))
        (found,) = [one for one in report["findings"] if one["check"] == "N-line"]
        assert "the DES key is not theirs" in found["evidence"]
        assert "14 bytes of the DES key" in json.dumps(found)
