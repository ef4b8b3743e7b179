"""By which names and addresses the pages are to be had."""

import socket

import pytest
from browsing import get, serving
from scene import Scene

from cccamd.web.hosts import is_meant

OWN = socket.gethostname().lower()


@pytest.mark.parametrize(
    "host",
    [
        None,
        "localhost",
        "LOCALHOST:16001",
        "127.0.0.1:16001",
        "[::1]:80",
        "192.0.2.9",
        "192.0.2.9t",
        OWN,
        f"{OWN.partition('.')[0]}.local:16001",
        "tv.example",
        "TV.example.:8080",
    ],
)
def test_names_and_addresses_of_this_machine_and_listed_ones_mean_us(host: str | None) -> None:
    assert is_meant(host, "192.0.2.9", ["tv.Example"])


@pytest.mark.parametrize(
    "host", ["evil.example", f"{OWN}.evil.example", "192.0.2.8", "", "[", "a:b"]
)
def test_nothing_else_does(host: str) -> None:
    assert not is_meant(host, "192.0.2.9", ["tv.example"])


async def test_a_page_that_is_asked_for_by_another_name_says_which_setting_adds_it() -> None:
    async with serving(Scene().app()) as port:
        answer = await get(port, "/api/status", host="evil.example")
        assert answer.status == "HTTP/1.1 421 Misdirected Request"
        assert "[network] hosts" in answer.text
        assert (await get(port, "/health", host=f"127.0.0.1:{port}")).status == "HTTP/1.1 200 OK"
