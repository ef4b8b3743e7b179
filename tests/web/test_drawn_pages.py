"""The pages beside the overview, which the server draws, in a real browser."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browserdesk import PHONE, expect, sitting
from scene import ATTIC, HOME, NEWS, NOW, Scene, wrong

from cccamd.facts import (
    PenaltyKind,
    Verdict,
)
from cccamd.watch.journal import Database, Entry, Kind
from cccamd.why import Check, Diagnosis, Finding, Grade, Weight
from fact_factory import a_penalty

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def redrawn(page: Page) -> None:
    """Skip the two seconds after which a page asks for itself again."""
    await page.wait_for_load_state()
    await page.clock.fast_forward(2000)


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
        await page.clock.install()
        await page.locator("#glance").get_by_role("link", name="what happened").click()
        await expect(page.locator(".freeze")).to_have_count(1)
        again = replace(scene.report.freezes[0], at=NOW, cause="the margin ran out")
        scene.report = replace(scene.report, freezes=(again, *scene.report.freezes))
        await redrawn(page)
        await expect(page.locator(".freeze")).to_have_count(2)
        await desk.picture("freezes")
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
        await page.clock.install()
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
        await redrawn(page)
        await expect(page.locator("h2").first).to_contain_text("the way to the receiver")


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
