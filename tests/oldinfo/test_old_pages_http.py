"""The old pages through a real web server (docs/webinfo.md H1 to H6)."""

from base64 import b64encode
from collections.abc import AsyncIterator

import pytest
from browsing import exchange, get, serving
from contexts import a_context, provider_name
from fastapi import FastAPI
from readers import Php, Ts2, Vix

from cccamd.facts import Snapshot
from cccamd.oldinfo.oldpages import old_page_routes
from cccamd.oldinfo.oldtables import Look
from cccamd.setup.cccamcfg import InfoPort
from cccamd.web.app import create_app
from fact_factory import a_household

NAMES = ("clients", "activeclients", "servers", "shares", "providers", "entitlements")
PATHS = ("/", *(f"/{name}" for name in NAMES))
PASSED = "HTTP/1.1 200 OK"


async def household() -> Snapshot:
    """What there is to see."""
    return a_household()


def an_app(login: InfoPort | None = None) -> FastAPI:
    context = a_context(a_household, login=login)
    look = Look(provider_name=provider_name)
    routes = old_page_routes(snapshot=household, look=lambda: look)
    return create_app(context, routes=routes)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with serving(an_app()) as port:
        yield port


@pytest.fixture
async def locked_port() -> AsyncIterator[int]:
    async with serving(an_app(InfoPort(username="me", password="geh:eim"))) as port:
        yield port


def basic(text: str) -> str:
    return "Authorization: Basic " + b64encode(text.encode()).decode()


async def test_get_and_head_in_both_versions(port: int) -> None:
    for path in PATHS:
        page = await get(port, path)
        assert page.status == PASSED
        assert "transfer-encoding" not in page.headers
        assert "content-encoding" not in page.headers
        assert int(page.headers["content-length"]) == len(page.body)
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert b"\r" not in page.body
        head = await get(port, path, method="HEAD")
        assert (head.status, head.body) == (PASSED, b"")
        for request in (
            f"GET {path} HTTP/1.0\r\n\r\n",
            f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n",
        ):
            old = await exchange(port, request)
            assert old.status.endswith(" 200 OK")
            assert len(old.body) == len(page.body)


async def test_an_unknown_page_is_not_there(port: int) -> None:
    assert (await get(port, "/oscamapi.html")).status == "HTTP/1.1 404 Not Found"


async def test_a_needless_login_and_a_host_with_a_stray_t_are_ignored(port: int) -> None:
    request = (
        f"GET /clients HTTP/1.1\r\nHost: 127.0.0.1t\r\n{basic(':')}\r\nConnection: Close\r\n\r\n"
    )
    assert (await exchange(port, request)).status == PASSED


async def test_the_login_is_asked_for(locked_port: int) -> None:
    for path in PATHS:
        for method in ("GET", "HEAD"):
            page = await get(locked_port, path, method=method)
            assert page.status == "HTTP/1.1 401 Unauthorized"
            assert page.headers["www-authenticate"].startswith('Basic realm="')
        wrong = await get(locked_port, path, basic("me:falsch"))
        assert wrong.status == "HTTP/1.1 401 Unauthorized"
        assert (await get(locked_port, path, basic("me:geh:eim"))).status == PASSED


async def test_readers_over_http(port: int) -> None:
    home, clients, servers, shares = [
        (await get(port, path)).text for path in ("/", "/clients", "/servers", "/shares")
    ]
    assert Ts2.heading(home) == "Welcome to CCcam cccamd-0.1.0 server"
    assert Ts2.home(home) == Vix.home(home)
    assert Php.heading(home) == "Welcome to CCcam cccamd-0.1.0 server"
    assert Php.home(home)["Active clients"] == "1"
    assert Vix.version(shares) == "cccamd-0.1.0"
    assert Ts2.clients(clients)[0].keys() == {"living", "bedroom"}
    assert sum(Ts2.shares(shares, Ts2.servers(servers)).values()) == 3
