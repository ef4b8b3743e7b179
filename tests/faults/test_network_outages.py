"""The router is gone, or the name server, and with it all sources at once: one trouble.

Real servers, bad ways, a real client and real messages to a real HTTP server, in a time that flies.
"""

import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from laboratory import HOST, TEST_CARD, Laboratory, running, setup
from names import Names
from proxy import Proxy, Way
from test_dead_ways import HERE, NEIGHBOUR, WHY_NOT, in_namespaces
from test_outage_live import keep_watching
from virtual import Clock, live_through

from cccamd.facts import Cause, Incident
from cccamd.net import TaskSet
from cccamd.notify import notifier
from cccamd.why import Question
from messagebox import Mailbox, mailbox_of_its_own

MINUTE = 60.0


@dataclass
class House:
    clock: Clock
    lab: Laboratory
    ways: list[Proxy]
    box: Mailbox
    cfg: str
    toml: str

    def cut(self) -> None:
        for way in self.ways:
            way.way = Way(dead=True)

    def mend(self) -> None:
        for way in self.ways:
            way.way = Way()

    def open(self) -> list[Incident]:
        return [one for one in self.of_sources() if one.ended_at is None]

    def of_sources(self) -> list[Incident]:
        """Without the pauses of a machine that has others to serve."""
        return [one for one in self.lab.server.incidents() if one.cause is not Cause.SERVER_PAUSED]

    async def live_on(self, seconds: float) -> None:
        """Let time fly so slowly that threads, which look up names, have their share of it."""
        until = self.clock.now() + seconds
        while self.clock.now() < until:
            await asyncio.sleep(1.0)
            with self.clock.usual():
                await asyncio.sleep(0.005)

    async def published(self) -> list[str]:
        """The incidents that a broker is told of."""
        seen = await self.lab.server._outward._look()
        return [one.subject for one in seen.incidents if one.cause is not Cause.SERVER_PAUSED]

    async def advised(self) -> set[str]:
        """What everybody who is asked says that is to be done about the sources."""
        server, names = self.lab.server, {f"{HOST}:{way.port}" for way in self.ways}
        found = [*server.explain(Question(account="anna")).sources]
        said = {(each.name, one.change) for each in found for one in each.findings if one.change}
        checked = [each for each in await server.check_up() if each.subject in names]
        said |= {(each.subject, each.finding.change) for each in checked}
        assert {name for name, _ in said} == names
        return {change for _, change in said if change}

    def told(self) -> list[str]:
        return [each["title"] for each in self.box.got if "server paused" not in each["title"]]

    async def reload(self, cfg: str = "", toml: str = "") -> None:
        made = setup(cfg or self.cfg, toml or self.toml, port=self.lab.port)
        await self.lab.server.reload(replace(made, node_id=self.lab.server._setup.node_id))


def live(
    act: Callable[[House], Coroutine[None, None, None]],
    patch: pytest.MonkeyPatch,
    *,
    hosts: Sequence[str] = (HOST,) * 2,
) -> None:
    async def in_place(work: Callable[[], Any]) -> Any:
        return work()  # threads do not live in the time that flies

    patch.setattr(notifier, "in_thread", in_place)

    async def test(clock: Clock) -> None:
        async with AsyncExitStack() as stack:
            box = stack.enter_context(mailbox_of_its_own())
            ways = []
            for _ in hosts:
                far = await stack.enter_async_context(running("F: me secret", TEST_CARD))
                ways.append(await stack.enter_async_context(Proxy(far.port).open()))
            lines = "".join(
                f"C: {host} {way.port} me secret\n" for host, way in zip(hosts, ways, strict=True)
            )
            cfg, toml = f"F: anna secret\n{lines}", f'[notify]\nurls = ["{box.url}"]\n'
            lab = await stack.enter_async_context(running(cfg, toml))
            house = House(clock, lab, ways, box, cfg, toml)
            client = await stack.enter_async_context(lab.client())
            await client.wait_until(lambda: bool(client.cards), timeout=10.0)
            tasks = TaskSet(on_failure=lambda name, error: None)
            tasks.start("watching", keep_watching(client))
            clock.fly()
            try:
                await asyncio.sleep(0.5 * MINUTE)
                assert not house.open()
                await act(house)
            finally:
                clock.is_usual = True
                await tasks.cancel()

    live_through(test, patch)


def test_a_router_that_is_gone_for_fifteen_minutes_is_one_trouble(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def act(house: House) -> None:
        house.cut()
        done, numbers = 0.0, set()
        for minute in (1.0, 1.5, 5.0, 15.0):
            await asyncio.sleep((minute - done) * MINUTE)
            done = minute
            (incident,) = house.of_sources()
            assert (incident.cause, incident.ended_at) == (Cause.SOURCES_AWAY, None)
            assert all(str(way.port) in incident.text for way in house.ways)
            assert incident.sufferers == ("anna",)
            numbers.add(incident.number)
            assert await house.published() == ["several sources"]
            assert await house.advised() == {incident.change}
            assert house.told() == ["sources away: several sources"] * (minute > 1)
        house.mend()
        await asyncio.sleep(1.5 * MINUTE)
        (incident,) = house.of_sources()
        assert numbers == {incident.number}
        assert incident.ended_at is not None
        assert await house.published() == []
        await asyncio.sleep(4 * MINUTE)
        told, over = house.told(), "Over: sources away: several sources"
        assert told == ["sources away: several sources", over]
        assert "It lasted 1" in house.box.got[-1]["message"]

    live(act, monkeypatch, hosts=(HOST,) * 3)
    told = [each.getMessage() for each in caplog.records if each.name == "cccamd.incident"]
    told = [each for each in told if not each.startswith("server paused")]
    assert sum(" over after " in each for each in told) == 1


def test_a_name_server_that_is_gone_is_one_trouble_with_links_that_fall_one_by_one(
    monkeypatch: pytest.MonkeyPatch, names: Names
) -> None:
    names.known = frozenset({"a.example", "b.example", "c.example"})

    async def act(house: House) -> None:
        names.address = None
        for way in house.ways:
            way.reset()
            await house.live_on(1.2 * MINUTE)
        (incident,) = house.open()
        assert (incident.cause, incident.subject) == (Cause.SOURCES_AWAY, "several sources")
        assert "no name server" in incident.text
        assert all(name in incident.text for name in names.known)
        assert "/etc/resolv.conf" in incident.change
        # The first was told alone, when the others still stood.
        told = house.told()
        assert [each.partition(":")[0] for each in told] == ["source down", "sources away"]
        names.address = HOST
        await asyncio.sleep(6 * MINUTE)
        assert house.open() == []
        assert house.told()[2:] == ["Over: sources away: several sources"]

    live(act, monkeypatch, hosts=sorted(names.known))


def test_a_reload_in_the_midst_of_it_ends_nothing_and_tells_who_was_added(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def act(house: House) -> None:
        await house.reload(toml="[limits]\n")  # nobody is told
        house.cut()
        await asyncio.sleep(3 * MINUTE)
        (before,) = house.open()
        assert house.told() == []
        await house.reload(house.cfg.replace("me secret", "me secret no"))
        for _ in range(30):
            await asyncio.sleep(2.0)
            (now,) = house.open()
            assert (now.number, now.times) == (before.number, 1)
            assert now.cause is Cause.SOURCES_AWAY
        assert house.told() == ["sources away: several sources"]

    live(act, monkeypatch)


def test_a_router_that_flaps_is_one_message_and_one_when_it_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def act(house: House) -> None:
        for _ in range(6):
            house.cut()
            await asyncio.sleep(90.0)
            house.mend()
            await asyncio.sleep(60.0)
        assert [one.cause for one in house.of_sources()] == [Cause.SOURCES_AWAY]
        await asyncio.sleep(6 * MINUTE)
        over = "Over: sources away: several sources"
        assert house.told() == ["sources away: several sources", over]

    live(act, monkeypatch)


def test_what_was_told_to_a_service_that_the_same_router_leads_to_comes_as_soon_as_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def act(house: House) -> None:
        house.cut()
        house.box.answer = "503 No"
        await asyncio.sleep(15 * MINUTE)
        assert house.told() == []
        house.mend()
        house.box.answer = "200 OK"
        for _ in range(90):
            if house.told():
                break
            await asyncio.sleep(1.0)
        assert house.told() == ["sources away: several sources"]

    live(act, monkeypatch)


SCENE = f"""{NEIGHBOUR}
for number in 1 2 3; do in_box ip address add 10.99.0.$number/32 dev lo; done
in_box nft add table inet wall
in_box nft add chain inet wall in '{{ type filter hook input priority 0; }}'
ip route add default via 192.168.7.9
"$1" "$2" "$3" $box
"""


@pytest.mark.processes
@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
def test_a_real_router_that_goes_and_comes_back(tmp_path: Path) -> None:
    words = [sys.executable, str(HERE / "routergone.py"), str(tmp_path)]
    told = in_namespaces(SCENE, words)
    ((cause, text, _),) = told["during"]
    assert cause == "sources away"
    assert all(f"10.99.0.{number}" in text for number in (1, 2, 3))
    assert told["messages"] == ["sources away: several sources"]
    ((cause, text, state),) = told["after"]
    assert (cause, state) == ("sources away", "over")
    assert "10.99.0.1" in text
    assert "Traceback" not in told["said"]
