"""Who knocks, comes and goes as often as he likes fills no log."""

import asyncio
from pathlib import Path

import pytest
from laboratory import TEST_CARD, cards_of, running

from cccamd.net import NoEntry
from cccamd.server import set_up_logging
from cccamd.server.loglines import LOGINS, STRANGERS, DoorLog
from cccamd.setup.cccamcfg import Settings
from cccamd.setup.toml import LogTable


def _lines(caplog: pytest.LogCaptureFixture, addresses: list[str]) -> int:
    log = DoorLog()
    for address in addresses:
        log.refused(address, NoEntry.FULL)
    log.refused("192.168.1.7", NoEntry.FULL)
    assert "192.168.1.7: not let in" in caplog.text, "strangers take no line of the own networks"
    return len(caplog.records)


async def test_a_network_full_of_addresses_is_one_caller(caplog: pytest.LogCaptureFixture) -> None:
    assert _lines(caplog, [f"2001:db8::{number:x}" for number in range(3000)]) == 5 + 1


async def test_the_whole_internet_is_some_hundred_lines(caplog: pytest.LogCaptureFixture) -> None:
    whole = [f"203.0.{number >> 8}.{number & 255}" for number in range(10_000)]
    assert _lines(caplog, whole) <= STRANGERS + 5 + 1


async def test_an_account_that_comes_and_goes_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "log"
    set_up_logging(Settings(log_file=str(path)), debug=False, table=LogTable())
    times = LOGINS + 8
    async with running("F: anna pw\nF: bert pw", TEST_CARD) as lab:
        for user, often in (("anna", times), ("bert", 1)):
            for _ in range(often):
                async with lab.client(user, "pw") as client:
                    await cards_of(client, 1)
                while lab.server.snapshot().clients:
                    await asyncio.sleep(0)
    text = path.read_text(encoding="utf-8")
    assert text.count(": logged in; ") == LOGINS + 1
    assert text.count(": logged out: ") == LOGINS + 1
    assert "bert@" in text
