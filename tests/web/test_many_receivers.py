"""Pages with five hundred receivers, in a real browser."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from browserdesk import DESKTOP, PHONE, TOO_SMALL, expect, sitting
from scene import ATTIC, HOME, NEWS, a_full_house

from cccamd.why import Check, Diagnosis, Finding, Grade, Weight
from fact_factory import a_freeze, on_channel

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.asyncio(loop_scope="session")


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
