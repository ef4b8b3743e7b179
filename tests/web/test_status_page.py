"""The overview in a real browser: what is drawn, and that it stays true while things change."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from browserdesk import DESKTOP, PHONE, expect, sitting
from scene import ATTIC, HOME, NEWS, NOW, client, wrong

from cccamd.facts import (
    Cause,
    ConfigProblem,
    ConfigProblemKind,
    ConfigState,
    FleetStatus,
    LinkState,
    NodeState,
    NodeStatus,
)
from fact_factory import a_freeze, an_incident, on_channel

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_only_with_the_login_anything_is_seen(browser: Browser) -> None:
    async with sitting(browser) as desk:
        await expect(desk.page.locator("#receivers")).to_contain_text("livingroom")
        stranger = await browser.new_context()
        assert (await stranger.request.get(desk.url)).status == 401
        await stranger.close()
        assert "s3cret" not in await desk.page.content()


async def test_what_happens_is_seen_without_reloading(browser: Browser) -> None:
    async with sitting(browser) as desk:
        page, scene = desk.page, desk.scene
        await page.evaluate("window.stayed = true")
        glance = page.locator("#glance")

        scene.change(clients=(*scene.snapshot.clients, client("office", 4)))
        await expect(page.locator("#receivers tr[data-row]")).to_have_count(4)
        await expect(page.locator("#receivers")).to_contain_text("192.168.1.34")
        await expect(glance).to_contain_text("4 of 5 accounts")

        local, home, attic = scene.snapshot.sources
        lost = replace(
            home, state=LinkState.WAITING, last_failure="it went silent", cards=0, cards_by_hop={}
        )
        scene.change(sources=(local, lost, attic))
        down = an_incident(HOME, number=9, text="is down: it went silent", began_at=NOW - 9)
        scene.incidents = (down, *wrong())
        row = page.locator("#sources tr", has_text=HOME)
        await expect(row.locator(".chip")).to_have_text("waiting")
        await expect(row).to_contain_text("it went silent")
        await expect(page.locator("#attention")).to_contain_text(f"{HOME} is down: it went silent")
        await expect(page.locator("#network .net-node.off", has_text=HOME)).to_be_visible()

        froze = replace(scene.report.freezes[0], at=NOW, over=False, cause="no card answered")
        scene.report = replace(scene.report, freezes=(froze, *scene.report.freezes))
        await expect(page.locator("#freezes .freeze")).to_have_count(2)
        await expect(page.locator("#freezes")).to_contain_text("is frozen")
        await expect(page.locator("#receivers tr", has_text="livingroom")).to_contain_text("frozen")
        await expect(page.locator("#glance .is-bad", has_text="what happened")).to_be_visible()
        await desk.picture("trouble")
        assert await page.evaluate("window.stayed")


async def test_the_pictures_answer_when_asked(browser: Browser) -> None:
    async with sitting(browser) as desk:
        times = desk.page.locator("#times")
        await expect(times.locator(".chart .limit")).to_have_count(2)
        await times.get_by_role("button", name="per channel").click()
        await times.get_by_role("button", name="24 hours").click()
        chart = times.locator(".chart", has_text=re.compile("Nordlicht"))
        await expect(chart).to_contain_text("answers, longest")
        await chart.locator("svg").hover()
        await expect(chart).to_contain_text("median")

        await desk.page.locator("#network .net-node", has_text="livingroom").focus()
        words = desk.page.locator("#network p")
        await expect(words).to_contain_text("livingroom gets 1 card from feed of our own, 4 cards")
        await desk.page.keyboard.press("Enter")
        await desk.page.locator("#network .net-node", has_text="kids").hover()
        await expect(words).to_contain_text("livingroom gets")


async def test_without_a_stream_it_polls(browser: Browser) -> None:
    async with sitting(browser) as desk:
        with desk.expecting_failures():
            await desk.page.route("**/live/events*", lambda route: route.abort())
            await desk.page.reload()
            await expect(desk.page.locator("#state")).to_have_text("every 3 s")
            await expect(desk.page.locator("#receivers tr[data-row]")).to_have_count(3)
            await expect(desk.page.locator("#away")).to_be_empty()


async def test_what_is_drawn_follows_the_values_after_the_first_drawing(browser: Browser) -> None:
    async with sitting(browser) as desk:
        page, scene = desk.page, desk.scene
        row = page.locator("#receivers tr", has_text="livingroom")
        bar = row.locator(".bar > span")
        full = (await row.locator(".bar").bounding_box() or {})["width"]

        async def drawn() -> float:
            return round((await bar.bounding_box() or {})["width"] / full, 2)

        assert await drawn() == 0.91
        (watched,) = scene.report.channels
        for margin in (2.5, 0.5, 8.0):
            scene.report = replace(scene.report, channels=(replace(watched, margin=margin),))
            await expect(row).to_contain_text(f"{margin} s of 10 s")
            assert await drawn() == pytest.approx(margin / 10, abs=0.02)

        await page.get_by_role("button", name=f"Details of {HOME}").click()
        strip = page.locator("#sources .hops > span")
        local, home, attic = scene.snapshot.sources
        scene.change(sources=(local, replace(home, cards=10, cards_by_hop={1: 9, 3: 1}), attic))
        await expect(page.locator("#sources .hop-words")).to_contain_text("hop 3: 1")
        near, far = [(await strip.nth(i).bounding_box() or {})["width"] for i in (0, 1)]
        assert near / far == pytest.approx(9, rel=0.02)
        assert await strip.nth(1).evaluate("one => getComputedStyle(one).opacity") == "0.44"


async def test_incidents_come_and_go_and_the_configuration_says_what_is_wrong(
    browser: Browser,
) -> None:
    async with sitting(browser) as desk:
        page, scene = desk.page, desk.scene
        wrong = page.locator("#attention")
        await expect(wrong).to_have_text("Nothing is wrong that this server knows of.")
        down = an_incident(ATTIC, sufferers=("kids",), began_at=NOW - 60)
        slow = an_incident(HOME, number=2, cause=Cause.SOURCE_SLOW, text="is slow", suffering=9)
        scene.incidents = (slow, down)
        await expect(wrong.locator("li.bad strong")).to_have_text([HOME, ATTIC])
        await expect(page).to_have_title("(2) cccamd")
        await wrong.locator("li.bad", has_text=ATTIC).get_by_text("Evidence").click()
        scene.incidents = (replace(down, text="is down: no route"), replace(slow, ended_at=NOW))
        item = wrong.locator("li.bad")
        await expect(item).to_have_count(1)
        await expect(item).to_contain_text("is down: no route")
        await expect(item.get_by_text("5 attempts failed")).to_be_visible()
        await expect(wrong).to_contain_text("1 incident that is over")

        problem = ConfigProblem(
            kind=ConfigProblemKind.LEFT_OUT, file="/etc/CCcam.cfg", line=7, text="no port"
        )
        refusal = "line 3 of cccamd.toml: no such key"
        state = ConfigState(taken=False, refusal=refusal, left_out=1, problems=(problem,))
        scene.change(config=state)
        config = page.locator("#config")
        await expect(config.locator(".chip")).to_have_text("refused")
        await expect(config).to_contain_text(refusal)
        await config.get_by_text("1 place in the files").click()
        await expect(config).to_contain_text("/etc/CCcam.cfg:7 left out: no port")
        assert await desk.axe() == []


async def test_an_open_freeze_stays_in_trouble_and_is_never_green(browser: Browser) -> None:
    async with sitting(browser) as desk:
        page, scene = desk.page, desk.scene
        (watched,) = scene.report.channels
        row = page.locator("#receivers tr", has_text="livingroom")
        stands = a_freeze("livingroom", **on_channel(NEWS), number=9, over=False, at=NOW - 5)
        for minutes in (0, 1, 5, 12, 15):
            late = -60.0 * minutes - 0.4
            scene.report = replace(
                scene.report,
                channels=(replace(watched, margin=late, frozen=9),),
                freezes=(replace(stands, seconds=-late, at=NOW - 60 * minutes),),
            )
            await expect(row).to_contain_text(f"{-late:.1f} s late")
            await expect(row.locator(".chip", has_text="frozen")).to_be_visible()
            await expect(row.locator(".bar.bad")).to_be_visible()
            await expect(page.locator("#freezes")).to_contain_text(f"{-late:.1f} s until now")
            assert await row.locator(".is-good, .good").count() == 0
        scene.report = replace(
            scene.report, channels=(watched,), freezes=(replace(stands, over=True),)
        )
        await expect(row).to_contain_text("9.1 s of 10 s")
        await expect(row.locator(".chip")).to_have_count(0)


LOOKS = {
    "status": {"viewport": DESKTOP},
    "status-dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "status-phone": {"viewport": PHONE, "is_mobile": True, "device_scale_factor": 2},
}


@pytest.mark.parametrize("name", LOOKS)
async def test_it_is_fit_for_everybody(browser: Browser, name: str) -> None:
    async with sitting(browser, **LOOKS[name]) as desk:
        desk.scene.incidents = wrong()
        await expect(desk.page.locator("#times .chart")).to_have_count(2)
        await expect(desk.page.locator("#attention .bad")).to_have_count(2)
        assert await desk.axe() == []
        width = await desk.page.evaluate("document.documentElement.scrollWidth")
        assert width <= LOOKS[name]["viewport"]["width"]
        await desk.picture(name, whole=name == "status")


def a_node(name: str, **changes: object) -> NodeStatus:
    fields: dict[str, object] = {"heard_at": NOW - 2.0, "cards": 3, "config": "a" * 32}
    return NodeStatus(name=name, **(fields | changes))  # type: ignore[arg-type]


def a_fleet(**changes: object) -> FleetStatus:
    fields: dict[str, object] = {
        "node": "attic",
        "engine_up": True,
        "engine_since": NOW - 900.0,
        "config": "a" * 32,
        "usual_config": "a" * 32,
        "nodes": (a_node("cellar"), a_node("shed")),
    }
    return FleetStatus(**(fields | changes))  # type: ignore[arg-type]


async def test_the_fleet_shows_who_is_missing_who_is_odd_and_since_when_the_engine_is_away(
    browser: Browser,
) -> None:
    async with sitting(browser) as desk:
        page, scene = desk.page, desk.scene
        block = page.locator("#fleet")
        scene.change(fleet=None)
        await expect(block).to_be_empty()

        scene.change(fleet=a_fleet())
        await expect(block.locator(".chip.good").first).to_have_text("fine")
        await expect(block).to_contain_text("this node is attic, configuration aaaaaaaa")
        await expect(block).to_contain_text("2 other nodes: 2 there")

        barn = a_node("barn", state=NodeState.MISSING, heard_at=NOW - 300.0, cards=0)
        odd = a_node("shed", config="b" * 32, differs=True)
        scene.change(fleet=a_fleet(nodes=(a_node("cellar"), odd), absent=(barn,)))
        await expect(block.locator(".chip.bad").first).to_have_text("look")
        words = "node shed has another configuration: hash bbbbbbbb, the others aaaaaaaa"
        await expect(block).to_contain_text(words)
        missing = block.locator("[data-key=noted] > li").first
        await expect(missing).to_contain_text("barn")
        await expect(missing.locator(".chip")).to_have_text("missing")
        await expect(missing).to_contain_text(re.compile(r"heard of 5 min \d+ s ago, last at"))
        assert not await desk.axe()

        scene.change(
            fleet=a_fleet(engine_up=False, trouble="<b>no</b> route", nodes=(), absent=(barn,))
        )
        await expect(block).to_contain_text(
            re.compile(r"The engine is away for 15 min \d+ s, since")
        )
        await expect(block).to_contain_text(": <b>no</b> route; each node serves on its own")
        scene.change(fleet=None)
        await expect(block).to_be_empty()


async def test_500_nodes_and_names_that_want_to_do_harm_are_text(browser: Browser) -> None:
    """The server takes no such name from another node; the page counts on nothing."""
    async with sitting(browser) as desk:
        page, scene = desk.page, desk.scene
        names = ("<img src=x onerror=alert(1)>", "\u202eevil", "n" * 400, "__proto__", "a&amp;b")
        hostile = tuple(a_node(name, state=NodeState.MISSING) for name in names)
        many = tuple(a_node(f"node{number}") for number in range(500))
        scene.change(fleet=a_fleet(nodes=many, absent=hostile))
        block = page.locator("#fleet")
        noted = block.locator("[data-key=noted] > li")
        await expect(noted).to_have_count(len(names))
        assert sorted(await noted.locator("strong").all_text_contents()) == sorted(names)
        assert await block.locator("img").count() == 0
        assert await noted.locator("bdi").count() == len(names), "no name turns what follows it"
        await block.get_by_text("500 others").click()
        await expect(block.locator("details li")).to_have_count(500)
        for size in (DESKTOP, PHONE):
            await page.set_viewport_size(size)
            wide = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
            assert await page.evaluate(wide), "no name makes the page wider"
        scene.change(fleet=a_fleet(nodes=many[:7]))
        await expect(block.locator("li")).to_have_count(7)
