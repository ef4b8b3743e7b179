"""Local cards that do not start at first: tried again, told once, served when they can be."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from cccamd.cards import CardTable
from cccamd.ids import Caid, NodeId
from cccamd.localcards import CardConfig, CardOptions, CardUnavailable, find_kinds
from cccamd.net import TaskSet
from cccamd.server import local
from cccamd.server.local import LocalCards
from cccamd.setup.toml import CardEntry
from cccamd.setup.toml.parser import parse

Test = find_kinds()["test"]


class Awaited(Test):  # type: ignore[misc, valid-type]
    free = False
    tries = 0

    async def start(self) -> None:
        Awaited.tries += 1
        if not self.free:
            raise CardUnavailable("its device is in use")


class Sources:
    """Takes what the server's exchange takes of local cards."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def add_source(self, source_id: object, source: Any, traits: object) -> None:
        self.names.append(source.name)

    def forget_source(self, source_id: object) -> None:
        self.names.clear()


def fail(name: str, error: BaseException) -> None:
    raise AssertionError(name) from error


async def test_a_card_that_waits_for_its_file_is_served_when_it_is_free(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(local, "FIRST_RETRY", 0.01)
    monkeypatch.setattr(local, "LAST_RETRY", 0.01)
    monkeypatch.setattr(Awaited, "free", False)
    monkeypatch.setattr(Awaited, "tries", 0)
    caplog.set_level(logging.INFO, "cccamd.card")
    config = CardConfig(name="mine", caid=Caid(0x0B00))
    entry = CardEntry(kind=Awaited, kind_name="awaited", config=config, options=CardOptions())
    tasks, sources, said = TaskSet(on_failure=fail), Sources(), list[str]()
    cards = LocalCards(
        table=CardTable(own_node_id=NodeId(b"\1" * 8)),
        exchange=sources,  # type: ignore[arg-type]
        tasks=tasks,
        on_cards_changed=lambda: None,
        on_failed=said.append,
    )
    await cards.apply([entry])
    async with asyncio.timeout(10.0):
        while Awaited.tries < 3:
            await asyncio.sleep(0.01)
    assert sources.names == []
    assert said == ["card mine: start failed: its device is in use"]
    monkeypatch.setattr(Awaited, "free", True)
    async with asyncio.timeout(10.0):
        while not len(cards):
            await asyncio.sleep(0.01)
    assert sources.names == ["mine"]
    assert said[-1] == ""
    assert caplog.messages == [
        "card mine: start failed: its device is in use",
        "card mine: served now",
    ]
    await tasks.cancel()


def test_two_tables_with_one_key_file_are_told(tmp_path: Path) -> None:
    table = '[[card]]\nkind = "open"\nname = "{}"\ncaid = "FF01"\nkeys = "{}"\n'
    text = table.format("a", "lab.keys") + table.format("b", "./lab.keys")
    parsed = parse(text, kinds=find_kinds(), folder=tmp_path)
    assert [each.config.name for each in parsed.config.cards] == ["a"]
    assert 'belongs to card "a" already' in parsed.problems[0].text
    assert parsed.problems[0].place.line == 6
