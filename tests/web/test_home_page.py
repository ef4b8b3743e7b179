"""The front page as old tools read it: readers made from docs/webinfo.md sections 3 to 5."""

import asyncio
import re
from base64 import b64encode
from dataclasses import replace
from itertools import product

import pytest
from browsing import exchange, get, serving
from scene import Scene, client

from cccamd.setup.cccamcfg import InfoPort

WORDS_OF_OTHERS = "Welcome server Current time NodeID: | card <BR><BR>"


@pytest.fixture(scope="module")
def home() -> str:
    """The page of a server whose names are as unhelpful as can be."""
    return asyncio.run(_home())


async def _home() -> str:
    scene = Scene()
    hostile = client("hostile", 1, program=WORDS_OF_OTHERS, version="</BODY></HTML>")
    scene.change(clients=(replace(hostile, account=WORDS_OF_OTHERS),))
    async with serving(scene.app()) as port:
        return (await get(port, "/")).text


def test_the_heading_is_the_only_one_and_stands_alone(home: str) -> None:
    assert re.findall("<h2", home, re.IGNORECASE) == ["<H2"]
    (line,) = re.findall(r"<H2>(.*?)</H2>", home)
    assert re.fullmatch(r"Welcome to CCcam \S+ server ?", line)


def test_a_reader_that_cuts_the_version_finds_it(home: str) -> None:
    begin = home.index("Welcome to CCcam") + 17
    assert home[begin : home.index(" ", begin)].startswith("cccamd")


def test_a_reader_that_takes_first_occurrences_is_not_led_astray(home: str) -> None:
    before = home[: home.index("<H2>")]
    for word in ("Welcome", "server", "Current", "card", "|"):
        assert word not in before
    title = home[home.index("Welcome") :]
    assert title.startswith("Welcome to CCcam cccamd")
    assert title[: title.index("server")].count("\n") == 0


def test_readers_of_the_block_get_its_eight_lines(home: str) -> None:
    assert home.index("<BR><BR>") + 8 == home.index("Current")
    block = home[home.index("<BR><BR>") + 8 : home.index("<BR></BODY>")]
    labels = [line.split(" ")[0].rstrip(":") for line in block.split("<BR>")]
    assert labels == [
        "Current",
        "NodeID",
        "Uptime",
        "Connected",
        "Active",
        "Total",
        "Total",
        "Peak",
    ]
    assert "<" not in block.replace("<BR>", "")


def test_the_reader_that_strips_all_tags_gets_its_words(home: str) -> None:
    after = re.split("<h2>", home, flags=re.IGNORECASE)[-1]
    lines = re.sub(r"<(?!BR|/?H2)[^>]*>", "", after, flags=re.IGNORECASE).split("<BR>")
    found = {line.partition(":")[0].strip(): line for line in lines if ":" in line}
    assert re.fullmatch(r"NodeID: [0-9a-f]{16}", found["NodeID"])
    assert re.fullmatch(r"Uptime: \d\dd \d\d:\d\d:\d\d", found["Uptime"])
    assert found["Connected clients"].split(":")[1].strip() == "1"
    (time_line,) = (line for line in lines if line.startswith("Current time "))
    assert re.fullmatch(r"\d\d:\d\d:\d\d", time_line.split(" ")[2])


def test_the_document_ends_as_it_must(home: str) -> None:
    assert home.endswith("<BR></BODY></HTML>")
    assert home.count("</BODY>") == 1
    assert "\r" not in home


async def test_status_html_is_the_same_page() -> None:
    async with serving(Scene().app()) as port:
        assert (await get(port, "/status.html")).body == (await get(port, "/")).body


RAW = "Host: 127.0.0.1t\r\nConnection: Close\r\n"
PAGES = ("/", "/status.html", "/explain", "/freezes", "/static/cccamd.css", "/live/view.json")


async def test_raw_readers_get_plain_bodies_and_the_end() -> None:
    async with serving(Scene().app()) as port:
        for path, version in product(PAGES, ("1.0", "1.1")):
            answer = await exchange(port, f"GET {path} HTTP/{version}\r\n{RAW}\r\n")
            assert answer.status.endswith(" 200 OK")
            assert answer.headers["content-length"] == str(len(answer.body))
            assert not {"transfer-encoding", "content-encoding"} & answer.headers.keys()


async def test_head_is_answered_like_get() -> None:
    async with serving(Scene().app()) as port:
        for path in (*PAGES, "/live/events"):
            answer = await get(port, path, method="HEAD")
            assert answer.status.endswith(" 200 OK")
            assert answer.body == b""


def basic(text: str, codec: str = "utf-8") -> str:
    return f"Authorization: Basic {b64encode(text.encode(codec)).decode()}"


async def test_without_a_login_whatever_is_sent_is_ignored() -> None:
    async with serving(Scene().app()) as port:
        for header in (basic(":"), basic("old:login"), "Authorization: Basic ???"):
            assert (await get(port, "/", header)).status.endswith(" 200 OK")


async def test_a_login_is_asked_for_in_the_standard_words() -> None:
    scene = Scene(login=InfoPort(username="anna", password="naïve:pass"))
    async with serving(scene.app()) as port:
        for path in (*PAGES, "/live/events", "/no/such/page"):
            answer = await get(port, path)
            assert answer.status == "HTTP/1.1 401 Unauthorized"
            assert re.fullmatch('Basic realm="[^"]+"', answer.headers["www-authenticate"])
        for header in (basic("anna:naïve:pass"), basic("anna:naïve:pass", "latin1")):
            assert (await get(port, "/", header)).status.endswith(" 200 OK")
        for header in (basic("anna:wrong"), basic(":"), basic("anna"), "Authorization: Digest x"):
            assert (await get(port, "/", header)).status.endswith(" 401 Unauthorized")


async def test_half_a_login_lets_nobody_in() -> None:
    scene = Scene()
    halves = InfoPort(username="anna"), InfoPort(password="p"), InfoPort(username="", password=None)
    tries = basic("anna:"), basic(":p"), basic(":"), basic("anna:None"), basic("None:p")
    async with serving(scene.app()) as port:
        for scene.login, header in product(halves, tries):
            assert (await get(port, "/", header)).status.endswith(" 401 Unauthorized")


async def test_other_networks_see_nothing() -> None:
    scene = Scene(admitted="192.168.")
    async with serving(scene.app()) as port:
        for path in (*PAGES, "/live/events"):
            answer = await get(port, path)
            assert answer.status == "HTTP/1.1 403 Forbidden"
            assert b"household" not in answer.body


async def test_nothing_can_be_changed() -> None:
    async with serving(Scene().app()) as port:
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            answer = await get(port, "/", "Content-Length: 0", method=method)
            assert answer.status == "HTTP/1.1 405 Method Not Allowed"
            assert answer.headers["allow"] == "GET, HEAD"


async def test_every_answer_forbids_foreign_code() -> None:
    async with serving(Scene().app()) as port:
        for path in (*PAGES, "/no/such/page"):
            headers = (await get(port, path)).headers
            assert "default-src 'none'" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"


async def test_a_page_that_fails_says_so_and_no_more() -> None:
    scene = Scene()
    app = scene.app()
    scene.snapshot = None  # type: ignore[assignment]
    async with serving(app) as port:
        answer = await get(port, "/")
    assert answer.status == "HTTP/1.1 500 Internal Server Error"
    assert answer.body == b"internal error\n"
    (told,) = scene.failures
    assert told.startswith("page /: AttributeError")
