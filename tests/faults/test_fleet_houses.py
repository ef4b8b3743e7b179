"""Two nodes as people run them, as processes from files: with TLS, a user, a reload and a kill."""

import asyncio
import os
import signal
from contextlib import ExitStack
from pathlib import Path

import pytest
from fleethouses import a_house, cards_of_others, fleet_of, guarded_engine, run, states
from house import House, until
from laboratory import HOST, ask, cards_of, connect, expected_cw, new_node_id

from cccamd.net import Client, ConnectError
from cccamd.wire.cccam import ClientProtocol, Target
from redisengine import needs_redis

pytest.importorskip("hiredis")
pytestmark = needs_redis
GONE_WITHIN = 30.0
"""Seconds: a node is missing after 16 s of silence, and this machine may be busy."""


async def anna_at(house: House) -> Client[ClientProtocol]:
    target = Target(host=HOST, port=house.port, user=b"anna", password=b"secret")
    return await connect(target, new_node_id())


async def reached(happens: object, within: float = 60.0) -> None:
    await asyncio.to_thread(until, happens, within=within)  # type: ignore[arg-type]


async def test_two_processes_by_tls_are_one_server_for_one_f_line(tmp_path: Path) -> None:
    async with guarded_engine(tmp_path) as server:
        assert "NOAUTH" in server.say("PING"), "who is nobody may do nothing"
        north = a_house("north", tmp_path, server)
        south = a_house("south", tmp_path, server, card="")
        with ExitStack() as running:
            for house in (north, south):
                running.enter_context(house.serving())
            await reached(lambda: cards_of_others(south) == 1)
            await reached(lambda: states(north) == {"south": "there"})
            assert fleet_of(south)["engine_up"]
            assert fleet_of(south)["usual_config"] == fleet_of(north)["config"] != ""

            anna = await anna_at(south)
            assert await cards_of(anna) == [0x7F00]
            ecm = b"\x80" + os.urandom(16)
            assert await ask(anna, ecm) == expected_cw(ecm), "by north's card"
            with pytest.raises(ConnectError):
                await anna_at(north)
            assert "connected already (at node south of the fleet" in north.said()

            explained = await asyncio.to_thread(run, south, "explain", "anna")
            assert "north: test" in explained
            told = await asyncio.to_thread(run, south, "status")
            assert "Fleet (this node is south) 1 other node: 1 there" in told

            await anna.close()
            await reached(lambda: not south.api("status")["clients"])
            anna = await anna_at(north)
            await anna.close()


@pytest.mark.processes
async def test_settings_of_the_fleet_that_are_changed_wait_for_a_restart(tmp_path: Path) -> None:
    async with guarded_engine(tmp_path) as server:
        north = a_house("north", tmp_path, server)
        south = a_house("south", tmp_path, server)
        with ExitStack() as running:
            running.enter_context(south.serving())
            with north.serving():
                await reached(lambda: states(south) == {"north": "there"})
                anna = await anna_at(north)
                await cards_of(anna, 2)
                before = north.toml.read_text()
                north.toml.write_text(before.replace('node = "north"', 'node = "attic"'))
                await reached(lambda: "restart needed" in north.is_wrong())
                assert states(south) == {"north": "there"}, "it is called as before"
                ecm = b"\x80" + os.urandom(16)
                assert await ask(anna, ecm) == expected_cw(ecm), "and serves as before"
                north.toml.write_text(before)
                await reached(lambda: "restart needed" not in north.is_wrong())
                north.toml.write_text(before.replace('node = "north"', 'node = "attic"'))
                await anna.close()
            await reached(lambda: states(south) == {"north": "stopped"})
            with north.serving():
                await reached(lambda: states(south).get("attic") == "there")
                assert states(south) == {"north": "stopped", "attic": "there"}


@pytest.mark.processes
async def test_a_node_without_its_engine_is_put_right_by_its_files_and_a_restart(
    tmp_path: Path,
) -> None:
    """First a wrong password, and then none of the certificates."""
    async with guarded_engine(tmp_path) as server:
        north = a_house("north", tmp_path, server)
        right = north.toml.read_text()
        (tmp_path / "wrong").write_text("anything\n")
        (tmp_path / "wrong").chmod(0o600)
        for wrong, words in (
            (right.replace(f"{tmp_path}/password", f"{tmp_path}/wrong"), "refuses the login"),
            (right.replace(f'ca = "{tmp_path}/cert.pem"\n', ""), "certificate is not accepted"),
        ):
            assert wrong != right
            north.toml.write_text(wrong)
            with north.serving():
                await reached(lambda words=words: words in fleet_of(north)["trouble"])
                await reached(north.is_wrong)
                anna = await anna_at(north)
                await cards_of(anna)
                ecm = b"\x80" + os.urandom(16)
                assert await ask(anna, ecm) == expected_cw(ecm), "it serves as one that is alone"
                await anna.close()
                assert "A-LONG-PASSWORD" not in north.said() + str(north.api("status"))
        north.toml.write_text(right)
        with north.serving():
            await reached(lambda: fleet_of(north)["engine_up"])


@pytest.mark.processes
async def test_a_node_that_is_killed_is_missing_and_back_when_it_is_started(
    tmp_path: Path,
) -> None:
    async with guarded_engine(tmp_path) as server:
        north = a_house("north", tmp_path, server)
        south = a_house("south", tmp_path, server)
        with ExitStack() as running:
            running.enter_context(south.serving())
            process = north.start()
            try:
                await reached(lambda: states(south) == {"north": "there"})
                process.send_signal(signal.SIGKILL)
                process.wait()
                await reached(lambda: states(south) == {"north": "missing"}, GONE_WITHIN)
                await reached(lambda: "node missing" in south.is_wrong())
                told = await asyncio.to_thread(run, south, "status")
                assert "1 other node: 1 missing" in told
                assert "north: missing, last heard of at" in told
            finally:
                process.kill()
                process.wait()
            with north.serving():
                await reached(lambda: states(south) == {"north": "there"})
                await reached(lambda: "node missing" not in south.is_wrong())
