"""`/doctor`, `/journal` with its files, one freeze, and what those see who get no page."""

import asyncio
import csv
import hashlib
import io
import json
import re
import time
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from browsing import Reply, exchange, get, serving
from scene import ATTIC, HOME, NEWS, Scene

from cccamd.facts import Verdict
from cccamd.setup.cccamcfg import InfoPort
from cccamd.watch.journal import Database, Entry, Kind
from cccamd.web import serving as web_serving
from cccamd.why import Check, Diagnosis, Finding, Grade, Weight
from fact_factory import a_freeze, on_channel

BROWSER = "Accept: text/html,application/xhtml+xml,*/*;q=0.8"
HOSTILE = '<b onclick="x">&'


async def page_of(scene: Scene, path: str, *headers: str) -> Reply:
    async with serving(scene.app()) as port:
        return await get(port, path, *headers)


async def file_of(scene: Scene, path: str) -> Reply:
    """Take a file as a program does that knows no chunks."""
    async with serving(scene.app()) as port:
        return await exchange(port, f"GET {path} HTTP/1.0\r\n\r\n")


# The doctor.


def a_diagnosis(grade: Grade, text: str, change: str = "") -> Diagnosis:
    finding = Finding(code="code", weight=Weight.NOTE, text=text, change=change)
    return Diagnosis(check=Check.UPSTREAM, grade=grade, finding=finding, subject=HOSTILE)


async def test_the_doctor_says_the_worst_first_and_what_to_do() -> None:
    scene = Scene()
    scene.found = (
        a_diagnosis(Grade.OK, "all is well here"),
        a_diagnosis(Grade.WARNING, "it is slow", "ask its owner"),
        a_diagnosis(Grade.FAILURE, "it is down"),
    )
    text = (await page_of(scene, "/doctor")).text
    assert text.index("it is down") < text.index("it is slow") < text.index("all is well here")
    assert "Ask its owner." in text
    assert HOSTILE not in text


# The journal.


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A journal of two days."""
    now = time.time()
    path = tmp_path / "journal.db"
    database = Database(path)
    channel: dict[str, Any] = {"caid": NEWS.caid, "ident": NEWS.ident, "sid": NEWS.sid}
    watched = {"account": "anna", **channel}
    refusal = {"account": "=evil()", "address": "10.0.0.2", "text": HOSTILE}
    database.write(
        [
            Entry(at=now - 100_000, kind=Kind.LOGIN, account="old", address="10.0.0.1"),
            Entry(at=now - 900, until=now - 300, kind=Kind.VISIT, asked=9, **watched),
            Entry(at=now - 200, until=now - 190, kind=Kind.FREEZE, number=7, **watched),
            Entry(at=now - 100, kind=Kind.REFUSED, **refusal),
        ]
    )
    database.close()
    return path


async def test_the_journal_is_read_the_newest_first_and_chosen_from(written: Path) -> None:
    scene = Scene()
    scene.journal = written
    day = (await page_of(scene, "/journal")).text
    assert day.index("not let in") < day.index("FREEZE 7") < day.index("Nordlicht News HD")
    assert "logged in from 10.0.0.1" not in day
    assert HOSTILE not in day
    assert 'href="/freezes/7"' in day
    all_of_old = (await page_of(scene, "/journal?span=all&account=old")).text
    assert "logged in from 10.0.0.1" in all_of_old
    assert "FREEZE" not in all_of_old
    by_words = (await page_of(scene, "/journal?words=NORDLICHT&kind=freezes")).text
    assert "FREEZE 7" in by_words
    assert "not let in" not in by_words
    assert "Nothing was written down" in (await page_of(scene, "/journal?words=nobody")).text


async def test_the_files_of_the_journal_hold_what_was_chosen(written: Path) -> None:
    scene = Scene()
    scene.journal = written
    table = await file_of(scene, "/journal.csv?span=all")
    assert table.headers["content-disposition"] == 'attachment; filename="cccamd-journal.csv"'
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["account"] for row in rows] == ["old", "anna", "anna", "'=evil()"]
    assert rows[2]["channel"] == "Nordlicht News HD"
    data = await file_of(scene, "/journal.json?span=day&kind=trouble")
    assert [row["kind"] for row in json.loads(data.text)] == ["freeze", "refused"]
    assert json.loads((await file_of(scene, "/journal.json?words=nobody")).text) == []


async def test_a_long_journal_comes_whole_though_others_ask_meanwhile(tmp_path: Path) -> None:
    scene = Scene()
    scene.journal = tmp_path / "journal.db"
    database = Database(scene.journal)
    at = time.time() - 5000
    names = [f"box{number}" for number in range(1000)]
    database.write(
        Entry(at=at + number, kind=Kind.LOGIN, account=name) for number, name in enumerate(names)
    )
    database.close()
    async with serving(scene.app()) as port:
        request = "GET /journal.json HTTP/1.0\r\n\r\n"
        files = await asyncio.gather(*(exchange(port, request) for _ in range(5)))
    for file in files:
        assert [row["account"] for row in json.loads(file.text)] == names


async def test_a_journal_that_is_not_there_is_said_in_words(tmp_path: Path) -> None:
    scene = Scene()
    assert "no journal is written" in (await page_of(scene, "/journal")).text
    scene.journal = tmp_path / "none.db"
    assert "there is no such file" in (await page_of(scene, "/journal")).text
    assert (await page_of(scene, "/journal.csv")).status == "HTTP/1.1 404 Not Found"


# One freeze.


async def test_a_freeze_says_whose_fault_it_was() -> None:
    scene = Scene()
    froze = a_freeze(
        "kids",
        **on_channel(NEWS),
        number=12,
        verdict=Verdict.SOURCE_LATE,
        cause=f"{HOME} answered after 13.2 s {HOSTILE}",
        evidence=("asked at +0.0 s", "answered at +13.2 s"),
        change="ask the owner",
    )
    scene.report = replace(scene.report, freezes=(froze,))
    page = await page_of(scene, "/freezes/12")
    for words in ("a source answered late", "13.2 s", "ask the owner", "answered at +13.2 s"):
        assert words in page.text
    assert HOSTILE not in page.text
    assert 'href="/freezes/12"' in (await page_of(scene, "/freezes")).text
    assert (await page_of(scene, "/freezes/13", BROWSER)).status == "HTTP/1.1 404 Not Found"


# Those who get no page.


async def refused(number: int, path: str, *headers: str) -> Reply:
    """What somebody sees who is refused so."""
    scene = Scene()
    match number:
        case 401:
            scene.login = InfoPort(username="a", password="b")
        case 403:
            scene.admitted = "10."
        case 500:
            scene.snapshot = None  # type: ignore[assignment]
            return await page_of(scene_that_fails(), path, *headers)
    async with serving(scene.app()) as port:
        return await get(port, path, *headers, method="POST" if number == 405 else "GET")


def scene_that_fails() -> Scene:
    scene = Scene()

    async def fail() -> None:
        raise RuntimeError("a secret thing")

    scene.look = fail  # type: ignore[assignment, method-assign]
    return scene


PAGES = {401: "/", 403: "/freezes", 404: "/no/such", 405: "/", 500: "/explain"}


@pytest.mark.parametrize("number", PAGES)
async def test_people_who_are_refused_get_a_page_that_needs_no_other_file(number: int) -> None:
    answer = await refused(number, PAGES[number], BROWSER)
    assert answer.status.split()[1] == str(number)
    assert answer.headers["content-type"].startswith("text/html")
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert f"style-src 'sha256-{digest}'" in policy
    assert "script" not in answer.text
    assert "unsafe" not in policy
    assert "static" not in answer.text
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("number", PAGES)
async def test_programs_that_are_refused_get_what_they_can_read(number: int) -> None:
    plain = await refused(number, PAGES[number], "Accept: */*")
    assert plain.headers["content-type"].startswith("text/plain")
    if number != 500:
        data = await refused(number, f"/api/{'nothing' if number == 404 else 'status'}", BROWSER)
        assert data.status.split()[1] == str(number)
        assert json.loads(data.text).keys() == {"error"}


async def test_one_too_many_gets_a_page_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_serving, "CONNECTIONS_LIMIT", 0)
    answer = await page_of(Scene(), "/", BROWSER)
    assert answer.status == "HTTP/1.1 503 Service Unavailable"
    assert "Too many ask at once" in answer.text
    assert answer.headers["retry-after"] == "5"


async def test_what_has_one_cause_and_one_remedy_is_said_once() -> None:
    text = (await page_of(Scene(), "/explain?account=kids")).text
    assert text.count("Write the first number of the F-line") == 1
    assert "2 cards" in text


async def test_a_channel_is_found_by_its_name() -> None:
    scene = Scene()
    exact = await page_of(scene, "/explain?account=kids&channel=nordlicht+news+HD")
    assert (scene.asked[-1].sid, scene.asked[-1].account) == (NEWS.sid, "kids")
    assert "0B00:030B00:1D80" in exact.text
    several = (await page_of(scene, "/explain?account=kids&channel=hd")).text
    assert "Which channel?" in several
    assert "Sport Eins HD" in several
    assert "sid=1D8A" in several
    unknown = await page_of(scene, "/explain?channel=no+such+thing")
    assert "no channel in CCcam.channelinfo is called so" in unknown.text
    assert ATTIC not in unknown.text
