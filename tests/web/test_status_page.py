"""The pages in a real browser. With CCCAMD_SCREENSHOTS set it also makes those of the docs."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from browsing import serving
from realserver import HOST, free_port, receiver, running, watching
from scene import HOME, NOW, Scene, a_day, client

from cccamd.facts import LinkState
from cccamd.setup.cccamcfg import InfoPort
from cccamd.web import live

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

CHROMIUM = shutil.which("chromium")
if CHROMIUM is None:
    pytest.skip("Debian's chromium is not installed", allow_module_level=True)
playwright_api = pytest.importorskip("playwright.async_api", reason="playwright is not installed")
axe_api = pytest.importorskip(
    "axe_playwright_python.async_playwright", reason="axe-playwright-python is not installed"
)
expect = playwright_api.expect

pytestmark = pytest.mark.asyncio(loop_scope="module")

IMAGES = Path(__file__).parents[2] / "docs" / "images"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
LATELY = a_day()[-2000:]
BOB = {"username": "bob", "password": "s3cret"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with playwright_api.async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield opened
        await opened.close()


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits a second for each change."""
    monkeypatch.setattr(live, "INTERVAL", 0.2)


@dataclass
class Desk:
    """A scene, a server that shows it, and somebody in front of a browser."""

    scene: Scene
    url: str
    page: Page
    complaints: list[str] = field(default_factory=list)
    """What the browser's console said, and addresses outside that were asked."""

    def listen(self) -> None:
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self._check(request.url))

    def _check(self, address: str) -> None:
        if not address.startswith(self.url):
            self.complaints.append(f"asked for {address}")

    async def picture(self, name: str) -> None:
        if os.environ.get("CCCAMD_SCREENSHOTS"):
            await self.page.wait_for_timeout(400)
            path = IMAGES / f"{name}.png"
            await self.page.screenshot(path=path, full_page=name == "status")


@asynccontextmanager
async def sitting(browser: Browser, **wishes: Any) -> AsyncIterator[Desk]:
    """Open the front page; at the end nothing may have been complained about."""
    scene = Scene(login=InfoPort(username=BOB["username"], password=BOB["password"]))
    scene.tell(LATELY)
    async with serving(scene.app()) as port:
        wishes = {"viewport": DESKTOP, "http_credentials": BOB} | wishes
        context = await browser.new_context(**wishes)
        desk = Desk(scene, f"http://127.0.0.1:{port}/", await context.new_page())
        desk.listen()
        await desk.page.goto(desk.url)
        await expect(desk.page.locator("#state")).to_have_text("live")
        yield desk
        await context.close()
    assert desk.complaints == []


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
        await expect(page.locator("#receivers tbody tr")).to_have_count(4)
        await expect(page.locator("#receivers")).to_contain_text("192.168.1.34")
        await expect(glance).to_contain_text("4 of 5 accounts")

        local, home, attic = scene.snapshot.sources
        lost = replace(
            home, state=LinkState.WAITING, last_failure="it went silent", cards=0, cards_by_hop={}
        )
        scene.change(sources=(local, lost, attic))
        tile = page.locator("#sources .source", has_text=HOME)
        await expect(tile.locator(".chip")).to_have_text("waiting")
        await expect(tile).to_contain_text("it went silent")
        await expect(page.locator("#attention")).to_contain_text(f"{HOME} is waiting")
        await expect(page.locator("#network .net-node.off", has_text=HOME)).to_be_visible()

        froze = replace(scene.report.freezes[0], at=NOW, over=False, cause="no card answered")
        scene.report = replace(scene.report, freezes=(froze, *scene.report.freezes))
        await expect(page.locator("#freezes .freeze")).to_have_count(2)
        await expect(page.locator("#freezes")).to_contain_text("is frozen")
        await expect(page.locator("#attention")).to_contain_text("is frozen on Nordlicht News HD")
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
        assert await complaints_of_axe(desk.page) == []


async def test_a_freeze_can_be_followed_on_its_own_page(browser: Browser) -> None:
    async with sitting(browser) as desk:
        page, scene = desk.page, desk.scene
        await page.locator("#glance").get_by_role("link", name="what happened").click()
        await expect(page.locator(".freeze")).to_have_count(1)
        again = replace(scene.report.freezes[0], at=NOW, cause="the margin ran out")
        scene.report = replace(scene.report, freezes=(again, *scene.report.freezes))
        await expect(page.locator(".freeze")).to_have_count(2)
        await desk.picture("freezes")
        assert await complaints_of_axe(page) == []


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
        await desk.page.route("**/live/events", lambda route: route.abort())
        await desk.page.reload()
        await expect(desk.page.locator("#state")).to_have_text("every 3 s")
        await expect(desk.page.locator("#receivers tbody tr")).to_have_count(3)
        desk.complaints.clear()  # the browser tells of the stream that we broke


async def test_a_real_server_from_the_first_client_to_a_lost_link(browser: Browser) -> None:
    web, port, attic = free_port(), free_port(), free_port()
    cfg = f"F: anna pw\nF: bob pw {{ 7F00:0:0, 7F01:0:0 }}\nC: {HOST} {attic} me pw"
    page = await browser.new_page()
    async with running(cfg, caid="7F00", port=port, web_port=web):
        desk = Desk(Scene(), f"http://{HOST}:{web}/", page)
        desk.listen()
        async with running("F: me pw", caid="7F01", port=attic):
            await page.goto(desk.url)
            await expect(page.locator("#receivers")).to_contain_text("No receiver is logged in")
            async with receiver("anna", port=port) as anna, receiver("bob", port=port):
                await expect(page.locator("#sources .source", has_text="up")).to_have_count(2)
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
        assert desk.complaints == []
        await page.close()


LOOKS = {
    "status": {"viewport": DESKTOP},
    "status-dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "status-phone": {"viewport": PHONE, "is_mobile": True, "device_scale_factor": 2},
}


@pytest.mark.parametrize("name", LOOKS)
async def test_it_is_fit_for_everybody(browser: Browser, name: str) -> None:
    async with sitting(browser, **LOOKS[name]) as desk:
        await expect(desk.page.locator("#times .chart")).to_have_count(2)
        assert await complaints_of_axe(desk.page) == []
        width = await desk.page.evaluate("document.documentElement.scrollWidth")
        assert width <= LOOKS[name]["viewport"]["width"]
        await desk.picture(name)


async def complaints_of_axe(page: Page) -> list[str]:
    results = await axe_api.Axe().run(page)
    return list(_violations(results.response))


def _violations(response: dict[str, Any]) -> Iterator[str]:
    for violation in response["violations"]:
        for node in violation["nodes"]:
            yield f"{violation['id']}: {node['html'][:120]}"
