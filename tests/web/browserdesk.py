"""Somebody in front of a real browser. With CCCAMD_SCREENSHOTS set it makes those of the docs."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browsing import serving
from scene import Scene, a_day

from cccamd.setup.cccamcfg import InfoPort

if TYPE_CHECKING:
    from playwright.async_api import Browser, ConsoleMessage, Page, Request, Response

# The one without windows takes half the processor time of the other, which serves as well.
CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
if CHROMIUM is None:
    pytest.skip("Debian's chromium is not installed", allow_module_level=True)
playwright_api = pytest.importorskip("playwright.async_api", reason="playwright is not installed")
axe_api = pytest.importorskip(
    "axe_playwright_python.async_playwright", reason="axe-playwright-python is not installed"
)
expect = playwright_api.expect

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
TOO_SMALL = """[...document.querySelectorAll("a, button, summary, input, select")]
    .map((one) => [one.outerHTML.slice(0, 90), one.getBoundingClientRect()])
    .filter(([, box]) => box.width && (box.height < 23.9 || box.width < 23.9))
    .map(([text, box]) => `${text} ${box.width} x ${box.height}`)"""
"""What a finger does not hit."""
BOB = {"username": "bob", "password": "s3cret"}


@dataclass
class Desk:
    """A page, and whatever the browser complains about while it is open."""

    page: Page
    url: str
    scene: Scene = field(default_factory=Scene)
    complaints: list[str] = field(default_factory=list)
    """Each message on the console, each request that failed, each address outside."""
    _expected: bool = False

    def __post_init__(self) -> None:
        context = self.page.context
        context.on("console", self._hear)
        context.on("weberror", lambda error: self._complain(str(error.error)))
        context.on("request", self._check)
        context.on("requestfailed", self._failed)
        context.on("response", self._answered)

    @contextmanager
    def expecting_failures(self) -> Iterator[None]:
        """The server is taken away: that requests fail is what the test is about."""
        self.expect_failures(True)
        yield
        self.expect_failures(False)

    def expect_failures(self, expected: bool) -> None:
        """Begin or end to take failed requests for granted."""
        self._expected = expected

    def _hear(self, message: ConsoleMessage) -> None:
        if not (self._expected and message.text.startswith("Failed to load resource")):
            self.complaints.append(f"console: {message.text}")

    def _check(self, request: Request) -> None:
        if not request.url.startswith(self.url):
            self.complaints.append(f"asked for {request.url}")

    def _failed(self, request: Request) -> None:
        # What a page had under way when it was left is given up by the browser.
        if request.failure != "net::ERR_ABORTED":
            self._complain(f"failed: {request.url}: {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self._complain(f"{response.status}: {response.url}")

    def _complain(self, text: str) -> None:
        if not self._expected:
            self.complaints.append(text)

    async def picture(self, name: str, *, whole: bool = False) -> None:
        """Take one for the docs."""
        if os.environ.get("CCCAMD_SCREENSHOTS"):
            await self.page.wait_for_timeout(400)
            await self.page.screenshot(path=IMAGES / f"{name}.png", full_page=whole)

    async def axe(self) -> list[str]:
        """What is hard to use for somebody."""
        results = await axe_api.Axe().run(self.page)
        return [
            f"{violation['id']}: {node['html'][:120]}"
            for violation in results.response["violations"]
            for node in violation["nodes"]
        ]


@asynccontextmanager
async def opened(browser: Browser, url: str, **wishes: Any) -> AsyncIterator[Desk]:
    """Sit down in front of an empty page; at the end nothing may have been complained about."""
    context = await browser.new_context(**{"viewport": DESKTOP} | wishes)
    desk = Desk(await context.new_page(), url)
    try:
        yield desk
    finally:
        await context.close()
    assert desk.complaints == []


@asynccontextmanager
async def sitting(
    browser: Browser, *, scene: Scene | None = None, path: str = "", **wishes: Any
) -> AsyncIterator[Desk]:
    """Open a page of a scene; at the end nothing may have been complained about."""
    if scene is None:
        scene = Scene(login=InfoPort(username=BOB["username"], password=BOB["password"]))
        scene.tell(LATELY)
    async with (
        serving(scene.app()) as port,
        opened(browser, f"http://127.0.0.1:{port}/", http_credentials=BOB, **wishes) as desk,
    ):
        desk.scene = scene
        await desk.page.goto(f"{desk.url}{path}")
        if not path:
            await expect(desk.page.locator("#state")).to_have_text("live")
        yield desk
