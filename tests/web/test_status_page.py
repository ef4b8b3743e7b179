"""The pages in a real browser: what is drawn, and that it stays true while things change."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browserdesk import DESKTOP, PHONE, expect, opened, sitting
from realserver import HOST, receiver, running, watching
from scene import ATTIC, HOME, NEWS, NOW, Scene, client, source, wrong

from cccamd.facts import (
    Cause,
    ConfigProblem,
    ConfigProblemKind,
    ConfigState,
    LinkState,
    PenaltyKind,
    Verdict,
)
from cccamd.watch.journal import Database, Entry, Kind
from cccamd.why import Check, Diagnosis, Finding, Grade, Weight
from fact_factory import a_freeze, a_penalty, an_incident, on_channel
from ports import free_port

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


async def test_trouble_is_one_click_from_its_explanation(browser: Browser) -> None:
    async with sitting(browser) as desk:
        for words in ("NOK1: why?", "0 cards: why?"):
            await desk.page.locator("#receivers").get_by_role("link", name=words).click()
            await expect(desk.page).to_have_url(re.compile(r"/explain\?account=kids"))
            await expect(desk.page.locator("main")).to_contain_text("What to change")
            await expect(desk.page.locator("select")).to_have_value("kids")
            await desk.picture("explain")
            await desk.page.go_back()
        await desk.page.go_forward()
        assert await desk.axe() == []


async def test_a_freeze_can_be_followed_on_its_own_page(browser: Browser) -> None:
    async with sitting(browser) as desk:
        page, scene = desk.page, desk.scene
        await page.locator("#glance").get_by_role("link", name="what happened").click()
        await expect(page.locator(".freeze")).to_have_count(1)
        again = replace(scene.report.freezes[0], at=NOW, cause="the margin ran out")
        scene.report = replace(scene.report, freezes=(again, *scene.report.freezes))
        await expect(page.locator(".freeze")).to_have_count(2)
        await desk.picture("freezes")
        assert await desk.axe() == []


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


async def test_a_real_server_from_the_first_client_to_a_lost_link(browser: Browser) -> None:
    web, port, attic = free_port(), free_port(), free_port()
    cfg = f"F: anna pw\nF: bob pw {{ 7F00:0:0, 7F01:0:0 }}\nC: {HOST} {attic} me pw"
    async with (
        running(cfg, caid="7F00", port=port, web_port=web),
        opened(browser, f"http://{HOST}:{web}/") as desk,
    ):
        page = desk.page
        async with running("F: me pw", caid="7F01", port=attic):
            await page.goto(desk.url)
            await expect(page.locator("#receivers")).to_contain_text("No receiver is logged in")
            async with receiver("anna", port=port) as anna, receiver("bob", port=port):
                await expect(page.locator("#sources tr[data-row]", has_text="up")).to_have_count(2)
                await anna.ask(watching(0x7F00, 0x1234))
                row = page.locator("#receivers tr", has_text="anna")
                await expect(row).to_contain_text("7F00:00000A:1234")
                await expect(row).to_contain_text(re.compile(r"[\d.]+ ms"))
                await page.get_by_role("link", name="0 cards: why?").click()
                await expect(page.locator("main")).to_contain_text("What to change")
                await expect(page.locator("main")).to_contain_text("7F00")
                await page.go_back()
        await expect(page.locator("#attention")).to_contain_text(f"{HOST}:{attic} is")
        await expect(page.locator("#lately")).to_contain_text("anna has left")


async def test_a_stopped_server_leaves_the_last_good_state_and_a_new_one_goes_on(
    browser: Browser,
) -> None:
    web, port = free_port(), free_port()
    ports = {"port": port, "web_port": web}
    async with opened(browser, f"http://{HOST}:{web}/") as desk:
        page, freezes = desk.page, await desk.page.context.new_page()
        ever = "window.ever = new Set(); new MutationObserver(() => ever.add(document.querySelector"
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(AsyncExitStack())
            await server.enter_async_context(running("F: anna pw", caid="7F00", **ports))
            await stack.enter_async_context(receiver("anna", port=port))
            await page.goto(desk.url)
            await freezes.goto(f"{desk.url}freezes")
            row = page.locator("#receivers tr", has_text="anna")
            await expect(row).to_be_visible()
            await page.evaluate(
                f"{ever}('#sources').innerText)).observe(document.body,"
                " {subtree: true, childList: true, characterData: true})"
            )
            desk.expect_failures(True)
            await server.aclose()
        for one in (page, freezes):
            await expect(one.locator("#away")).to_have_text(LOST)
            await expect(one.locator("main")).to_have_css("opacity", "0.7")
        await expect(page.locator("#state")).to_have_text("connection lost")
        assert await page.title() == "(?) cccamd"
        await expect(row).to_be_visible()
        shown = await page.locator("main").inner_text()
        await page.wait_for_timeout(1200)
        assert await page.locator("main").inner_text() == shown
        assert not [text for text in await page.evaluate("[...ever]") if "no source" in text]

        async with running("F: anna pw\nF: ben pw", caid="7F02", **ports):
            await expect(page.locator("#state")).to_have_text("live")
            desk.expect_failures(False)
            for one in (page, freezes):
                await expect(one.locator("#away")).to_be_empty()
                await expect(one.locator("main")).to_have_css("opacity", "1")
            await expect(page.locator("#cards")).to_contain_text("7F02")
            await expect(page.locator("#receivers")).to_contain_text("ben")
            desk.expect_failures(True)


LOST = re.compile(r"As of \d\d:\d\d:\d\d: connection lost, trying again\.")


def a_full_house() -> Scene:
    """Five hundred receivers; one is frozen, one sees no card."""
    scene = Scene()
    boxes = [client(f"box{number:03}", number % 50, port=number) for number in range(500)]
    boxes[77] = replace(boxes[77], cards=0)
    stands = a_freeze("box123", **on_channel(NEWS), number=3, over=False, seconds=900.0)
    scene.report = replace(scene.report, freezes=(stands, *scene.report.freezes))
    scene.change(clients=tuple(boxes), accounts=tuple(box.account for box in boxes))
    scene.change(
        sources=(*(source(f"up{n}.example:1") for n in range(30)), *scene.snapshot.sources)
    )
    return scene


@pytest.mark.parametrize("name", ["desk", "phone", "small"])
async def test_five_hundred_receivers_have_room_with_trouble_first(
    browser: Browser, name: str
) -> None:
    sizes = {"desk": DESKTOP, "phone": PHONE, "small": {"width": 320, "height": 640}}
    wishes = {"viewport": sizes[name], "is_mobile": name != "desk"}
    async with sitting(browser, scene=a_full_house(), **wishes) as desk:
        page = desk.page
        names = page.locator("#receivers tr[data-row] strong")
        await expect(names.nth(0)).to_have_text("box077")
        await expect(names.nth(1)).to_have_text("box123")
        for trouble in ("box077, 0 cards", "box123, frozen", f"{ATTIC}, waiting"):
            await expect(page.get_by_role("button", name=trouble, exact=True)).to_have_count(1)
        size = "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
        width, height = await page.evaluate(size)
        assert width <= sizes[name]["width"]
        assert height < (4500 if name == "desk" else 7000)
        assert await desk.axe() == []
        assert await page.evaluate(TOO_SMALL) == []


TOO_SMALL = """[...document.querySelectorAll("a, button, summary, input, select")]
    .map((one) => [one.outerHTML.slice(0, 90), one.getBoundingClientRect()])
    .filter(([, box]) => box.width && (box.height < 23.9 || box.width < 23.9))
    .map(([text, box]) => `${text} ${box.width} x ${box.height}`)"""


async def test_a_list_is_searched_filtered_sorted_and_opened_by_keyboard(browser: Browser) -> None:
    async with sitting(browser, scene=a_full_house()) as desk:
        page, scene = desk.page, desk.scene
        rows = page.locator("#receivers tr[data-row]")
        await page.get_by_role("button", name="In trouble 2").click()
        await expect(rows).to_have_count(2)
        await page.get_by_role("button", name="All 500").click()
        search = page.get_by_role("searchbox", name="Search receivers")
        await search.fill("box12")
        await expect(rows).to_have_count(10)
        await page.get_by_role("columnheader", name="Asked").get_by_role("button").click()
        first = await rows.first.locator("strong").inner_text()
        await rows.first.locator("button").focus()
        await page.keyboard.press("Enter")
        detail = page.locator("#receivers tr.detail")
        await expect(detail).to_contain_text("1,218 ECMs")
        scene.change(
            clients=tuple(
                replace(one, ecms_asked=1300) if one.account == first else one
                for one in scene.snapshot.clients
            )
        )
        await expect(detail).to_contain_text("1,300 ECMs, 82 NOKs")
        await expect(rows.first.locator("button")).to_be_focused()
        await expect(search).to_have_value("box12")
        await page.keyboard.press("Space")
        await expect(detail).to_have_count(0)
        await search.fill("nobody at all")
        await expect(page.locator("#receivers tbody")).to_have_text("No receiver fits.")


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


async def test_who_is_banned_is_told_and_one_click_from_its_explanation(browser: Browser) -> None:
    async with sitting(browser) as desk:
        page, scene = desk.page, desk.scene
        box = page.locator("#penalties")
        await expect(box).to_be_hidden()
        waits = a_penalty("anna", kind=PenaltyKind.NAME_SLOWED, user="anna", bans=0)
        scene.change(penalties=(a_penalty(), waits), banned=1204, slowed=1)
        await expect(box).to_contain_text("1,204 banned, 1 waiting")
        await box.locator("summary").click()
        await expect(box).to_contain_text("10 failed logins (CCcam, web pages), the last as anna")
        await expect(box).to_contain_text("and 1,203 more")
        await page.set_viewport_size(PHONE)
        width = await page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"]
        await box.get_by_role("link", name="203.0.113.7").click()
        await expect(page.locator("h2")).to_contain_text("203.0.113.7")
        assert scene.asked[-1].address == "203.0.113.7"
        scene.change(penalties=(), banned=0, slowed=0)
        await page.go_back()
        await expect(page.locator("#penalties")).to_be_hidden()


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


async def test_a_freeze_of_the_journal_and_the_doctor_are_one_click_away(
    browser: Browser, tmp_path: Path
) -> None:
    scene = Scene(journal=tmp_path / "journal.db", incidents=wrong())
    visit = {"account": "livingroom", "caid": NEWS.caid, "ident": NEWS.ident, "sid": NEWS.sid}
    database = Database(tmp_path / "journal.db")
    database.write(
        [
            Entry(at=NOW - 9000, kind=Kind.LOGIN, account="livingroom", address="192.168.1.31"),
            Entry(
                at=NOW - 8900,
                until=NOW,
                kind=Kind.VISIT,
                source=HOME,
                asked=890,
                answered=889,
                median=0.12,
                worst=13.2,
                **visit,
            ),
            Entry(
                at=NOW - 1510,
                until=NOW - 1506.8,
                kind=Kind.FREEZE,
                number=4,
                text=scene.report.freezes[0].cause,
                **visit,
            ),
            Entry(at=NOW - 800, until=NOW - 700, kind=Kind.OUTAGE, subject=ATTIC, text="reset"),
            Entry(at=NOW - 90, kind=Kind.REFUSED, account="office", text="wrong password"),
        ]
    )
    database.close()
    finding = Finding(
        code="refused",
        weight=Weight.BAD,
        text="connection refused: nothing listens on port 12000 there",
        change="ask its owner whether the server runs",
    )
    fine = Finding(code="in-use", weight=Weight.GOOD, text="the files are in use as they were read")
    scene.found = (
        Diagnosis(check=Check.CONFIGURATION, grade=Grade.OK, finding=fine),
        Diagnosis(check=Check.UPSTREAM, grade=Grade.FAILURE, finding=finding, subject=ATTIC),
    )
    async with sitting(browser, scene=scene) as desk:
        page = desk.page
        await page.get_by_role("link", name="Doctor").click()
        await expect(page.locator(".verdict.bad")).to_contain_text("Ask its owner")
        await desk.picture("doctor")
        await page.get_by_role("link", name="Journal").click()
        await expect(page.locator(".entries li")).to_have_count(5)
        await desk.picture("journal")
        async with page.expect_download() as taken:
            await page.get_by_role("link", name="CSV").click()
        assert (await taken.value).suggested_filename == "cccamd-journal.csv"
        await page.get_by_role("link", name="Whose fault?").click()
        await expect(page.locator("h2").first).to_have_text("Whose fault: a source answered late")
        await desk.picture("freeze")
        (froze,) = scene.report.freezes
        scene.report = replace(scene.report, freezes=(replace(froze, verdict=Verdict.NETWORK),))
        await expect(page.locator("h2").first).to_contain_text("the way to the receiver")


@pytest.mark.parametrize(
    "path", ["doctor", "journal", "freezes", "freezes/6", "explain?channel=hd"]
)
async def test_the_other_pages_are_fit_for_everybody(browser: Browser, path: str) -> None:
    scene = a_full_house()
    froze = a_freeze(
        "kids", **on_channel(NEWS), number=6, evidence=("asked at +0 s",), change="wait"
    )
    scene.report = replace(scene.report, freezes=(froze, *scene.report.freezes))
    finding = Finding(code="c", weight=Weight.BAD, text="it is so", change="mend it")
    scene.found = tuple(
        Diagnosis(check=Check.UPSTREAM, grade=grade, finding=finding, subject=HOME)
        for grade in Grade
    )
    wishes = {"viewport": {"width": 320, "height": 640}, "is_mobile": True}
    async with sitting(browser, scene=scene, path=path, **wishes) as desk:
        await expect(desk.page.locator("h1")).to_be_visible()
        assert await desk.axe() == []
        assert await desk.page.evaluate("document.documentElement.scrollWidth") <= 320
        assert await desk.page.evaluate(TOO_SMALL) == []
        current = desk.page.locator(".pages [aria-current]")
        await expect(current).to_have_count(0 if "/" in path else 1)


async def test_who_is_refused_sees_a_page_like_the_others(browser: Browser) -> None:
    scene = Scene(admitted="10.")
    async with sitting(browser, scene=scene, path="no/such/page", color_scheme="dark") as desk:
        await expect(desk.page.locator("h1")).to_have_text("This network is not allowed")
        await expect(desk.page.locator("body")).to_have_css("background-color", "rgb(14, 18, 23)")
        assert await desk.axe() == []
        scene.admitted = "127."
        await desk.page.reload()
        await expect(desk.page.locator("h1")).to_have_text("There is no such page")
        assert (
            len(desk.complaints) == 4
        )  # the browser says twice that it was refused, and nothing else
        desk.complaints.clear()


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
