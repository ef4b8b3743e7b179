"""One browser for all tests that need one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from cccamd.web import live

if TYPE_CHECKING:
    from playwright.async_api import Browser


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Debian's chromium, without a window."""
    from browserdesk import CHROMIUM, FLAGS, playwright_api

    async with playwright_api.async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield launched
        await launched.close()


@pytest.fixture(autouse=True)
def _often(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits a second for each change, nor longer where many are logged in."""
    if "browser" in request.fixturenames:
        monkeypatch.setattr(live, "INTERVAL", 0.1)
        monkeypatch.setattr(live, "CLIENTS_PER_SECOND", 5000)
