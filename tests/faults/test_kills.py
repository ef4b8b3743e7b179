"""kill -9 at any moment, while clients log in and ask, files are read again and all is written."""

import asyncio
import random
import signal
import sqlite3
import time
from pathlib import Path

import pytest
from house import House, until

from cccamd.watch.journal import Kind

pytestmark = pytest.mark.processes
KILLS = 5
BACK_WITHIN = 120.0
"""Seconds: the start of the program is nearly all of it, and this machine may be busy."""


async def live(house: House, until_at: float) -> None:
    """Clients come and go, ask, and files are written anew, until the server is gone."""
    number = 0
    while time.monotonic() < until_at:
        number += 1
        house.write(f"F: anna secret\nF: n{number} secret\n")
        await house.watch(number)


def test_a_kill_at_any_moment_loses_and_tears_nothing(tmp_path: Path) -> None:
    house, moments = House(tmp_path), random.Random(9)
    node_id = ""
    logins = 0
    for _ in range(KILLS):
        process = house.start()
        assert until(house.is_watched, within=BACK_WITHIN) < BACK_WITHIN
        began = time.monotonic()
        process.send_signal(signal.SIGHUP)
        wait = moments.uniform(0.0, 0.7)
        asyncio.run(live(house, began + wait))
        process.kill()
        process.wait()
        written = (tmp_path / "node-id").read_text()
        assert node_id in ("", written)
        node_id = written
        with sqlite3.connect(tmp_path / "journal.db") as journal:
            assert journal.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        journal.close()
        there = len(house.entries(Kind.LOGIN))
        assert there >= logins, "what was written stays"
        logins = there
    with house.serving():
        until(house.is_watched)
        until(lambda: len(house.entries(Kind.LOGIN)) > logins)
    assert len(house.entries(Kind.START)) >= KILLS
    assert "Traceback" not in house.said()


def test_a_kill_in_the_midst_of_the_first_start_leaves_nothing_half(tmp_path: Path) -> None:
    house, moments = House(tmp_path), random.Random(9)
    for _ in range(2):
        process = house.start()
        time.sleep(moments.uniform(0.25, 0.7))
        process.kill()
        process.wait()
    with house.serving():
        until(house.is_watched)
    assert len((tmp_path / "node-id").read_text().strip()) == 16
    assert house.said().count("was replaced") == 0, "no half node id was found"
    assert "Traceback" not in house.said()
