"""Somebody who has never seen the pages manages a real server from them, with a real receiver."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browserdesk import PHONE, TOO_SMALL, Desk, expect, opened
from managed import HOST, LOGIN, Managed, managed

from cccamd.net import Client, ConnectError
from cccamd.server import reload as reload_module
from cccamd.web import manage
from cccamd.wire.cccam import DEFAULT_VERSION, Caller, Identity, Target, make_node_id

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reload_module, "SETTLE_INTERVAL", 0.01)
    monkeypatch.setattr(manage, "PULSE", 0.05)


async def log_in(line: str) -> Client:
    """What a receiver does with a C-line."""
    found = re.fullmatch(r"C: (\S+) (\d+) (\S+) (\S+)", line)
    assert found
    host, port, user, password = found[1], int(found[2]), found[3].encode(), found[4].encode()
    target = Target(host=host, port=port, user=user, password=password, version=DEFAULT_VERSION)
    caller = Caller(target, Identity(make_node_id(os.urandom(4)), "a receiver"))
    return await Client.connect(host, port, caller)


async def press(desk: Desk, word: str) -> None:
    await desk.page.get_by_role("button", name=word, exact=True).click()


async def check(desk: Desk) -> None:
    """It can be used by everybody, and with a finger."""
    assert await desk.axe() == []
    assert await desk.page.evaluate(TOO_SMALL) == []
    wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert not await desk.page.evaluate(wide)


async def test_an_account_from_its_first_line_to_its_last(browser: Browser, tmp_path: Path) -> None:
    async with (
        managed(tmp_path, journal=True) as house,
        opened(browser, f"http://{HOST}:{house.web}/", http_credentials=LOGIN) as desk,
    ):
        page = desk.page
        await page.clock.install()
        await page.goto(desk.url)
        await expect(page.locator("#state")).to_have_text("live")
        await expect(page.locator("#facts")).to_contain_text("node")  # nothing moves any more
        await page.get_by_role("link", name="Manage").click()
        await expect(page).to_have_url(f"{desk.url}manage")
        await check(desk)
        await desk.picture("manage")
        await page.get_by_label("Name").fill("bedroom")
        await press(desk, "Add")
        await expect(page.locator("main")).to_contain_text("bedroom is added.")
        await expect(page.locator("#state")).to_contain_text("not logged in")
        await expect(page.get_by_role("img", name="QR code of the C-line")).to_be_visible()
        await check(desk)
        await desk.picture("manage-added")
        line = await page.get_by_label("What to enter in cccam", exact=True).inner_text()
        client = await log_in(line.strip())
        try:
            await page.clock.fast_forward(2000)
            await expect(page.locator("#state .chip")).to_have_text("logged in")
            await page.get_by_role("link", name="Account bedroom").click()
            await expect(page.locator("#state")).to_contain_text("a receiver")
            await check(desk)
            await desk.picture("manage-account")
            await press(desk, "Switch off …")
            await expect(page.locator("main")).to_contain_text("Switch the account bedroom off?")
            await check(desk)
            await press(desk, "Switch it off")
            await expect(page.locator("main")).to_contain_text("bedroom is switched off.")
            await client.wait_until(lambda: client.closed is not None, timeout=10.0)
        finally:
            await client.close()
        with pytest.raises(ConnectError):
            await log_in(line.strip())
        await page.get_by_role("link", name="Account bedroom").click()
        await press(desk, "Remove …")
        await press(desk, "Remove it")
        await expect(page.locator("main")).to_contain_text("bedroom is removed.")
        await page.get_by_role("link", name="What was done").click()
        async with asyncio.timeout(30.0):
            while "removed" not in await page.locator("main").inner_text():
                await page.reload()  # the journal is written once a second
        for what in ("added", "switched off", "removed"):
            done = f"account bedroom {what}: done by bob from 127.0.0.1 (pages)"
            await expect(page.locator(".entries")).to_contain_text(done)


async def visit(house: Managed, desk: Desk) -> None:
    """Each page, and one of each kind of thing that is done on it."""
    page = desk.page
    await page.goto(f"{desk.url}manage/server")
    await check(desk)
    await desk.picture("manage-server")
    await press(desk, f"Pause …: {HOST}:9")
    await press(desk, "Pause it")
    await expect(page.locator("main")).to_contain_text(f"paused: {HOST}:9")
    await page.get_by_role("link", name="Back").click()
    await expect(page.locator("#view, main")).to_contain_text("paused")
    await press(desk, f"Resume: {HOST}:9")
    await page.goto(f"{desk.url}manage/account?name=anna")
    await press(desk, "Log everything for 15 min")
    await page.goto(f"{desk.url}manage/log")
    await check(desk)
    assert house.focus.accounts == {"anna"}


@pytest.mark.parametrize("has_scripts", [True, False])
async def test_links_and_log_on_a_phone_in_the_dark(
    browser: Browser, tmp_path: Path, has_scripts: bool
) -> None:
    """Without JavaScript as well."""
    wishes = {"viewport": PHONE, "color_scheme": "dark", "http_credentials": LOGIN}
    async with managed(tmp_path, f"F: anna pw\nC: {HOST} 9 me pw\n") as house:
        url = f"http://{HOST}:{house.web}/"
        if not has_scripts:
            async with opened(browser, url, java_script_enabled=False, **wishes) as desk:
                await desk.page.goto(f"{url}manage")
                await desk.page.get_by_label("Name").fill("kids")
                await press(desk, "Add")
                await expect(desk.page.locator("main")).to_contain_text("kids is added.")
                await expect(desk.page.locator("main")).to_contain_text("C: 127.0.0.1")
            return
        async with opened(browser, url, **wishes) as desk:
            await visit(house, desk)
            log = desk.page.locator("#log")
            await expect(desk.page.locator("#following")).to_contain_text("as they are written")
            await house.do("kick", "nobody")
            await house.do("undebug", "anna")
            await expect(log).to_contain_text("does not log everything of anna any more")


async def test_a_page_of_another_site_can_do_nothing(browser: Browser, tmp_path: Path) -> None:
    """Although the browser knows the login, and the form holds a token that would be right."""
    async with managed(tmp_path) as house, managed(tmp_path_of(tmp_path)) as other:
        target = f"http://{HOST}:{house.web}/manage/do"
        token = await house.token()
        context = await browser.new_context(http_credentials=LOGIN, bypass_csp=True)
        try:
            page = await context.new_page()
            await page.goto(f"http://{HOST}:{house.web}/manage")
            await page.goto(f"http://{HOST}:{other.web}/manage")
            form = page.locator("form[action='/manage/do']").first
            await form.evaluate(
                "(form, [to, token]) => { form.action = to; form.elements.token.value = token; }",
                [target, token],
            )
            await page.get_by_label("Name").fill("mallory")
            async with page.expect_response(target) as told:
                await page.get_by_role("button", name="Add").click()
            assert (await told.value).status == 403
        finally:
            await context.close()
        assert "mallory" not in house.cfg.read_text() + other.cfg.read_text()


def tmp_path_of(folder: Path) -> Path:
    """Another server's folder."""
    other = folder / "other"
    other.mkdir()
    return other
