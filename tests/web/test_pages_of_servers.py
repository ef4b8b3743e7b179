"""The pages of real servers in a real browser, also while the server is away."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
from browserdesk import expect, opened
from realserver import HOST, receiver, running, watching

from cccamd.lab.ports import free_port

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.asyncio(loop_scope="session")
TRIED_AGAIN = 2000
"""Milliseconds between two attempts to reach the server; the browser's clock skips them."""


async def test_a_real_server_from_the_first_client_to_a_lost_link(browser: Browser) -> None:
    web, port, attic = free_port(), free_port(), free_port()
    cfg = f"F: anna pw\nF: bob pw {{ 7F00:0:0, 7F01:0:0 }}\nC: {HOST} {attic} me pw"
    async with AsyncExitStack() as far:
        await far.enter_async_context(running("F: me pw", caid="7F01", port=attic))
        async with (
            running(cfg, caid="7F00", port=port, web_port=web),
            opened(browser, f"http://{HOST}:{web}/") as desk,
        ):
            page = desk.page
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
            await far.aclose()
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
            for one in (page, freezes):
                await one.clock.install()
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
            await one.clock.fast_forward(TRIED_AGAIN)
            await expect(one.locator("#away")).to_have_text(LOST)
            await expect(one.locator("main")).to_have_css("opacity", "0.7")
        await expect(page.locator("#state")).to_have_text("connection lost")
        assert await page.title() == "(?) cccamd"
        await expect(row).to_be_visible()
        shown = await page.locator("main").inner_text()
        await page.clock.fast_forward(5 * TRIED_AGAIN)
        assert await page.locator("main").inner_text() == shown
        assert not [text for text in await page.evaluate("[...ever]") if "no source" in text]

        async with running("F: anna pw\nF: ben pw", caid="7F02", **ports):
            for one in (page, freezes):
                await one.clock.fast_forward(TRIED_AGAIN)
            await expect(page.locator("#state")).to_have_text("live")
            desk.expect_failures(False)
            for one in (page, freezes):
                await expect(one.locator("#away")).to_be_empty()
                await expect(one.locator("main")).to_have_css("opacity", "1")
            await expect(page.locator("#cards")).to_contain_text("7F02")
            await expect(page.locator("#receivers")).to_contain_text("ben")
            desk.expect_failures(True)


LOST = re.compile(r"As of \d\d:\d\d:\d\d: connection lost, trying again\.")
