"""What a running server says is wrong, while it is wrong and afterwards."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from laboratory import HOST, TEST_CARD, Laboratory, ask, cards_of, running
from scripted import right, scripted

from cccamd.facts import Cause, Incident
from cccamd.ids import NodeId
from cccamd.lab.ports import free_port
from cccamd.machine import read_resources
from cccamd.net import AcceptPaused, ConnectError
from cccamd.net.fairness import MESSAGES_A_LOOK
from cccamd.routing import NodeHolder
from cccamd.server import loglines, symptoms
from cccamd.watch import SourceUp, incidents, stamps
from cccamd.wire.cccam.frames import Command

NO_CARDS = ""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symptoms, "LOOK_INTERVAL", 0.02)
    monkeypatch.setattr(incidents, "GRACE", 0.1)


async def shown(
    lab: Laboratory, is_it: Callable[[Incident], bool], *, timeout: float = 5.0
) -> Incident:
    """Wait until an incident is shown."""
    async with asyncio.timeout(timeout):
        while not (found := [one for one in lab.server.incidents() if is_it(one)]):
            await asyncio.sleep(0.01)
    return found[0]


async def test_a_source_that_goes_and_comes_back_is_one_incident_with_all_who_suffer() -> None:
    port = free_port()
    cfg = f"F: anna secret\nF: ben secret\nC: {HOST} {port} anna secret\n"
    async with running(port=port) as far, running(cfg, NO_CARDS) as near, near.client() as client:
        assert await cards_of(client) == [0x7F00]
        await ask(client, b"\x80" + bytes(20))
        assert near.server.incidents() == ()
        await far.server.stop()
        down = await shown(near, lambda one: one.sufferers == ("anna",))
        assert (down.cause, down.subject) == (Cause.SOURCE_DOWN, f"{HOST}:{port}")
        assert down.ended_at is None
        assert down.text.startswith("is down: ")
        assert down.change
        assert [one.cause for one in near.server.incidents()] == [Cause.SOURCE_DOWN]
        async with running(port=port):
            over = await shown(near, lambda one: one.ended_at is not None, timeout=15.0)
        assert (over.cause, over.number) == (Cause.SOURCE_DOWN, down.number)
        assert over.sufferers == ("anna",)


DAY = 86_400.0


@pytest.mark.parametrize("days", [20_000, 100, -100])
async def test_nothing_lasts_longer_or_shorter_when_somebody_sets_the_clock(
    monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    """As a minute after each start of a receiver that has no clock of its own while it is off."""
    monkeypatch.setattr(stamps, "FRESH", 0.0)
    real, step = time.time, 0.0
    monkeypatch.setattr(time, "time", lambda: real() + step)
    cfg = f"F: anna secret\nC: {HOST} {free_port()} anna secret\nC: {HOST} PORT anna secret\n"
    async with (
        running() as far,
        running(cfg.replace("PORT", str(far.port))) as near,
        near.client() as client,
    ):
        await cards_of(client)
        await ask(client, b"\x80" + bytes(20))
        down = await shown(near, lambda one: one.cause is Cause.SOURCE_DOWN)
        server = near.server
        server._keeper.log.accepting(AcceptPaused("port 12000", "too many"))
        server._context.double_logins.refused("anna", "192.0.2.1", ["192.0.2.2"], time.time())
        for name in ("anna", "ben"):
            holder = NodeHolder(name, HOST, is_client=True)
            server._context.clones.seen(NodeId(b"of two.."), holder)
        full = replace(read_resources({}), files_open=99, files_allowed=100)
        server._machine.judge(full, time.time())
        server._watchers.observe(SourceUp(at=time.time(), source="a:1"))
        step = days * DAY
        seen = near.server.snapshot()
        (viewer,) = seen.clients
        stood = {
            "server": seen.started_at,
            "files": seen.config.read_at,
            "login": viewer.connected_at,
            "question": viewer.heard_at,
            **{f"{each.name} up": each.up_at for each in seen.sources if each.up_at},
            **{f"{each.name} down": each.down_since for each in seen.sources if not each.up_at},
        }
        assert len(stood) == 7
        (door,), (double,), (clone,) = server._keeper.log.shut, seen.double_logins, seen.clones
        troubles = {each.diagnosis.finding.code: each for each in server._machine.troubles()}
        stood |= {
            "door": door.since,
            "first double login": double.first_at,
            "double login": double.last_at,
            "clone": clone.since,
            "machine": troubles["few-files-left"].since,
            **{f"note {each.text}": each.at for each in server._watchers.notes.recent()},
        }
        assert len(stood) == 13
        (still,) = [one for one in near.server.incidents() if one.number == down.number]
        assert still.ended_at is None
        stood["incident"] = still.began_at
        assert {name: at for name, at in stood.items() if not 0 <= seen.at - (at or 0) < 60} == {}


async def test_a_server_with_no_place_left_is_an_incident_while_somebody_wants_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = "F: anna secret\nF: ben secret"
    async with running(lines, f"{TEST_CARD}\n[limits]\nmax_clients = 1\n") as lab:
        async with lab.client("anna") as client:
            await cards_of(client)
            with pytest.raises(ConnectError):
                async with lab.client("ben"):
                    pass
            found = await shown(lab, lambda one: one.cause is Cause.DOOR_SHUT)
            assert found.subject == "the server"
            assert "as many are logged in as may be" in found.text
            assert "max_clients" in (found.change or "")
        monkeypatch.setattr(loglines, "FULL_TOLD", 0.0)
        assert lab.server._keeper.log.shut == ()


async def test_accounts_that_see_no_card_are_one_incident(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cccamd.why.symptoms.SETTLING", 0.0)
    cfg = "".join(f"F: u{number} secret 0 0 0\n" for number in (1, 2))
    async with running() as far:
        cfg += f"C: {HOST} {far.port} anna secret\n"
        async with running(cfg, NO_CARDS) as near, near.client("u1"), near.client("u2"):
            found = await shown(near, lambda one: one.suffering == 2)
            assert found.cause is Cause.ACCOUNT_WITHOUT_CARDS
            assert found.text == "that see no card: u1 and u2"
            assert found.change == "run: cccamd explain u1"


async def test_who_waits_too_long_for_a_slow_source_suffers_from_it() -> None:
    async with scripted(right) as far:
        cfg = f"F: anna secret\nC: {HOST} {far.port} anna secret\n"
        async with running(cfg, NO_CARDS) as near, near.client() as client:
            await cards_of(client)
            far.pause = 1.6
            await asyncio.gather(*(ask(client, bytes([0x80, n, *bytes(20)])) for n in range(4)))
            # It may be seen while the last of the four is on its way.
            found = await shown(near, lambda one: one.sufferers == ("anna",))
            assert found.cause is Cause.SOURCE_SLOW


async def test_who_asks_more_than_it_may_is_an_incident() -> None:
    toml = TEST_CARD + "[limits]\nclient_messages_per_second = 10\n"
    async with running(toml=toml) as lab, lab.client() as client:
        await cards_of(client)
        for _ in range(200):
            client.protocol._send(0, Command.KEEPALIVE)
        client._connection.flush()
        found = await shown(lab, lambda one: one.cause is Cause.OVERLOAD)
        assert found.subject == "anna"
        assert "read more slowly" in found.text


async def test_an_overloaded_server_says_so_and_who_asks_most() -> None:
    async with running() as lab, lab.client() as client:
        await cards_of(client)
        for _ in range(2 * MESSAGES_A_LOOK):  # who asks little is not looked at
            client.protocol._send(0, Command.KEEPALIVE)
        client._connection.flush()
        await ask(client, b"\x80" + bytes(20))
        lab.server._context.fair.shed += 1
        found = await shown(lab, lambda one: one.cause is Cause.OVERLOAD)
        assert found.subject == "this server"
        assert found.evidence[0].startswith("anna: ")
