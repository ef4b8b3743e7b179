"""What can be done from the pages, and who cannot: foreign pages, broken forms, full disks."""

import asyncio
import json
import logging
import re
import time
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

import pytest
import pytest_asyncio
from browsing import Reply, exchange
from managed import BASIC, HOST, LOGIN, Managed, managed
from realserver import receiver

from cccamd.acting import Kick
from cccamd.server import reload as reload_module
from cccamd.server.logs import AccountFocus
from cccamd.server.logtail import LogTail
from cccamd.setup import accounts as accounts_module
from cccamd.setup.accountacts import AccountAct, AccountChange
from cccamd.setup.cccamcfg import InfoPort, parse
from cccamd.web import doing, forms, manage
from cccamd.web.pace import KEYS_LIMIT, Pace
from cccamd.web.tokens import LIFETIME, Tokens

ADD = {"act": "add", "name": "eve"}
BROWSER = "Accept: text/html"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits half a second for files to settle, nor for the next thing that may be done."""
    monkeypatch.setattr(reload_module, "SETTLE_INTERVAL", 0.01)
    monkeypatch.setattr(doing, "BURST", 1000)
    monkeypatch.setattr(doing, "ALL_BURST", 1000)
    monkeypatch.setattr(manage, "PULSE", 0.05)


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[Managed]:
    async with managed(tmp_path) as found:
        yield found


def users(house: Managed) -> list[str]:
    """As the file has them."""
    return [line.user for line in parse(house.cfg.read_bytes()).config.f_lines]


def number(reply: Reply) -> int:
    return int(reply.status.split()[1])


async def refused(house: Managed, reply: Reply, status: int, words: str) -> None:
    """It was refused, for this reason, and nothing has come of it."""
    assert (number(reply), words in reply.text) == (status, True), reply
    assert users(house) == ["anna"]
    assert house.done == []


# Without a login.


async def test_without_a_login_nothing_is_there(tmp_path: Path) -> None:
    async with managed(tmp_path, login="") as house:
        for path in ("", "/account?name=anna", "/server", "/log", "/log.txt", "/log/events", "/do"):
            answer = await house.get(f"/manage{path}", login="X: y")
            assert (number(answer), "set WEBINFO USERNAME" in answer.text) == (403, True), path
        token = Tokens(b"x").make(InfoPort(), time.monotonic())
        await refused(house, await house.send(urlencode(ADD | {"token": token})), 403, "WEBINFO")
        for path in ("/", "/doctor", "/journal"):
            page = (await house.get(path, BROWSER, login="X: y")).text
            assert "/manage" not in page
            assert "DATA-MANAGED" not in page


def test_half_a_login_is_none() -> None:
    for username, password in ((None, None), ("bob", None), (None, "x"), ("bob", ""), ("", "x")):
        assert not InfoPort(username=username, password=password).is_complete
    assert InfoPort(username="bob", password="x").is_complete


async def test_whoever_has_no_login_is_asked_for_it(house: Managed) -> None:
    for path in ("/manage", "/manage/do", "/manage/log/events"):
        assert number(await house.get(path, login="X: y")) == 401
    lines = ["POST /manage/do HTTP/1.1", f"Host: {HOST}", "Connection: close", "Content-Length: 0"]
    assert number(await exchange(house.web, "\r\n".join([*lines, "", ""]))) == 401


# Forms that are none of ours.


async def test_a_form_has_to_come_from_a_page_of_ours(house: Managed) -> None:
    body = urlencode(ADD | {"token": await house.token()})
    here = f"http://{HOST}:{house.web}"
    for origin in ("http://evil.example", "null", f"http://{HOST}:1", f"http://{HOST}", "http://["):
        await refused(house, await house.send(body, origin=origin), 403, "another site")
    for site in ("cross-site", "same-site", "none"):
        answer = await house.send(body, f"Sec-Fetch-Site: {site}")
        await refused(house, answer, 403, "another site")
    answer = await house.send(body, "Sec-Fetch-Site: same-origin", origin="http://evil.example")
    await refused(house, answer, 403, "another site")
    await refused(house, await house.send(body, origin=None), 403, "which page sends it")
    assert number(await house.send(body, "Sec-Fetch-Site: same-origin", origin=here)) == 200
    assert users(house) == ["anna", "eve"]


async def test_a_form_has_to_hold_the_token_of_this_server_and_login(house: Managed) -> None:
    now = time.monotonic()
    login = house.read().config.webinfo
    right = await house.token()
    other = Tokens(b"another server").make(login, now)
    for token in ("", "x", right[:-1], right + "0", right.upper(), other, "é", 100 * "1"):
        answer = await house.send(urlencode(ADD | {"token": token}))
        await refused(house, answer, 403, "too old, or was drawn before the server started anew")
    await refused(house, await house.send(urlencode(ADD)), 403, "too old")


def test_a_token_is_of_one_login_and_grows_old() -> None:
    tokens, login = Tokens(b"key"), InfoPort(username="bob", password="x")
    token = tokens.make(login, 1000.0)
    assert tokens.holds(token, login, 1000.0 + LIFETIME)
    assert not tokens.holds(token, login, 1001.0 + LIFETIME)
    assert not tokens.holds(token, login, 999.0)
    for name, password in (("bob", "y"), ("bo", "bx"), ("bobx", "")):
        assert not tokens.holds(token, InfoPort(username=name, password=password), 1000.0)


BROKEN: Final[tuple[tuple[str, tuple[str, ...], int, str], ...]] = (
    ("{t}&act=add&name=eve&name=mallory", (), 400, "a field comes twice"),
    ("{t}&act=add&name=eve&color=red", (), 400, "nothing to do with color"),
    ("{t}&act=remove&name=anna&sure=yes&rights=1", (), 400, "nothing to do with rights"),
    ("{t}&act=format&name=eve", (), 400, "no such thing"),
    ("{t}&act=add", (), 400, "a name is missing"),
    ("{t}&act=add&name=+", (), 400, "a name is missing"),
    ("{t}&act=kick&name=" + 256 * "x", (), 400, "longer than 255"),
    ("{t}&act=add&name=eve&rights=" + 1025 * "1", (), 400, "longer than 1024"),
    ("{t}&act=add&name=eve%ff", (), 400, "names and values"),
    ("{t}&act=add&name=e\u00e9", (), 400, "names and values"),
    ("act", (), 400, "names and values"),
    ("&".join(f"f{i}=" for i in range(9)), (), 400, "names and values"),
    ("{t}&act=add&name=eve&rights=" + 9000 * "1", (), 413, "8192 bytes at most"),
    ("{t}&act=add&name=eve", ("Content-Type: text/plain",), 415, "sent as application"),
    ("{t}&act=add&name=eve", ("Content-Type: multipart/form-data; boundary=x",), 415, "sent"),
    ('{"act": "add"}', ("Content-Type: application/json",), 415, "sent as application"),
    ("{t}&act=add&name=eve", ("Content-Encoding: gzip",), 415, "not packed"),
)


async def test_what_is_no_form_of_ours_is_refused(house: Managed) -> None:
    token = await house.token()
    for body, headers, status, words in BROKEN:
        filled = body.replace("{t}", f"token={token}")
        await refused(house, await house.send(filled, *headers), status, words)


HOSTILE: Final = (
    ("name", "eve pw\nF: mallory"),
    ("name", "eve\rF: mallory"),
    ("name", "\u202eeve"),
    ("name", "eve\u2028"),
    ("password", "pw\nF: mallory pw"),
    ("password", "pw\0"),
    ("rights", "1\nF: mallory pw"),
    ("rights", "1\x85F: mallory pw"),
    ("name", "#eve"),
    ("name", "ev e"),
    ("name", "{"),
    ("password", "p w"),
    ("password", "#pw"),
    ("password", "{"),
    ("name", 21 * "e"),
    ("name", "anna"),
)


async def test_nothing_gets_into_the_file_but_one_account(house: Managed) -> None:
    before = house.cfg.read_bytes()
    for field, text in HOSTILE:
        answer = await house.do(**(ADD | {field: text}))
        assert number(answer) in (400, 409), (field, text)
        assert house.cfg.read_bytes() == before, (field, text)
    assert "pw" not in "".join(house.done)


async def test_a_name_that_looks_like_markup_is_a_name(house: Managed) -> None:
    for name in ('"eve"', "'eve'", "&eve;", "{{eve}}", "\u00e9ve"):
        answer = await house.do("add", name)
        if number(answer) == 409:  # CCcam.cfg has no such names
            assert name not in users(house)
            continue
        assert name in users(house)
        page = (await house.get("/manage/account?" + urlencode({"name": name}), BROWSER)).text
        assert name in unescape(page)
    assert "<b>eve" not in (await house.get("/manage/account?name=%3Cb%3Eeve", BROWSER)).text


async def test_looking_does_nothing(house: Managed) -> None:
    for query in ("act=remove&name=anna&sure=yes", ""):
        answer = await house.get(f"/manage/do?{query}&token={await house.token()}")
        await refused(house, answer, 405, "Nothing was done")
        assert answer.headers["allow"] == "POST"
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
        head = [f"{method} /manage/do HTTP/1.1", f"Host: {HOST}", BASIC, "Connection: close"]
        assert number(await exchange(house.web, "\r\n".join([*head, "", ""]))) == 405


async def test_a_body_that_does_not_come_is_not_waited_for(
    house: Managed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forms, "BODY_TIMEOUT", 0.05)
    head = [
        "POST /manage/do HTTP/1.1",
        *(f"Host: {HOST}:{house.web}", BASIC, f"Origin: http://{HOST}:{house.web}"),
        *("Content-Type: application/x-www-form-urlencoded", "Content-Length: 100"),
    ]
    answer = await exchange(house.web, "\r\n".join([*head, "", "act="]))
    await refused(house, answer, 408, "has not come")


async def test_too_often_is_said_with_the_time_to_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doing, "BURST", 2)
    async with managed(tmp_path) as house:
        for _ in range(2):
            assert number(await house.do("kick", "nobody")) == 200
        for _ in range(3):
            answer = await house.do("kick", "nobody")
            assert number(answer) == 429
            assert 1 <= int(answer.headers["retry-after"]) <= doing.INTERVAL
        # A foreign page uses nothing of it up.
        body = urlencode({"act": "kick", "name": "nobody", "token": "x"})
        assert number(await house.send(body)) == 403


def test_a_pace_is_kept_for_each_and_forgets_the_longest_unused() -> None:
    pace = Pace(burst=3, interval=2.0)
    assert [pace.wait("a", 10.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert pace.wait("a", 10.0) == 2.0
    assert pace.wait("b", 10.0) == 0.0
    assert pace.wait("a", 11.0) == 1.0
    assert pace.wait("a", 12.0) == 0.0
    for each in range(KEYS_LIMIT):
        pace.wait(str(each), 12.0)
    assert pace.wait("a", 12.0) == 0.0


# What is done, and what goes wrong with it.


async def test_an_account_is_added_shown_switched_and_removed(house: Managed) -> None:
    before = house.cfg.read_bytes()
    added = await house.do("add", "eve", rights="1 0 0")
    assert number(added) == 200
    assert "no-store" in added.headers["cache-control"]
    (password,) = re.findall(r"F: eve (\S+) 1 0 0\n", house.cfg.read_text())
    assert f"C: {HOST} {house.port} eve {password}" in added.text
    assert "data:image/svg+xml" in added.text
    for path in ("/manage", "/manage/account?name=eve", "/manage/server", "/manage/log"):
        assert password not in (await house.get(path, BROWSER)).text
    for act in ("disable", "remove"):
        asked = await house.do(act, "eve")
        assert "Are you sure?" in asked.text
        assert "eve" in users(house)
    assert "eve is switched off" in (await house.do("disable", "eve", sure="yes")).text
    assert "switched off" in (await house.get("/manage/account?name=eve")).text
    assert "no account eve is in use" in (await house.do("show", "eve")).text
    assert "eve is switched on" in (await house.do("enable", "eve")).text
    assert password in (await house.do("show", "eve")).text
    assert "eve is removed" in (await house.do("remove", "eve", sure="yes")).text
    assert house.cfg.read_bytes() == before
    assert house.done == [
        *("account eve added", "what to enter for eve shown", "account eve switched off"),
        *("account eve switched on", "what to enter for eve shown", "account eve removed"),
    ]
    assert number(await house.get("/manage/account?name=eve")) == 404


async def test_who_did_it_is_written_down(house: Managed, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "cccamd")
    await house.do("add", "eve", password="hidden9")
    await house.do("add", "eve", password="hidden9")
    await house.do("reload")
    for _ in range(7):
        await house.send(urlencode(ADD), origin="http://evil.example")
    for what in ("account eve added", "account eve not added: .* already", "files read again"):
        assert re.search(f"{what}.*: done by bob from 127.0.0.1 \\(pages\\)", caplog.text), what
    told = "a form from 127.0.0.1 was not taken: a page of another site sends it"
    assert caplog.text.count(told) == 5
    assert "hidden9" not in caplog.text + "".join(house.done)


async def test_receivers_are_sent_away_and_kept_out(house: Managed) -> None:
    async with receiver("anna", port=house.port) as client:
        page = await house.get("/manage/account?name=anna", BROWSER)
        assert "logged in" in page.text
        assert "sent away: anna" in (await house.do("kick", "anna")).text
        await client.wait_until(lambda: client.closed is not None, timeout=10.0)
    assert "nobody is connected" in (await house.do("kick", "anna")).text
    async with receiver("anna", port=house.port) as client:
        await house.do("disable", "anna", sure="yes")
        await client.wait_until(lambda: client.closed is not None, timeout=10.0)


async def test_links_bans_and_logging(tmp_path: Path) -> None:
    async with managed(tmp_path, f"F: anna pw\nC: {HOST} 9 me pw\n") as house:
        link = f"{HOST}:9"
        assert "Are you sure?" in (await house.do("pause", link)).text
        assert f"paused: {link}" in (await house.do("pause", link, sure="yes")).text
        page = (await house.get("/manage/server", BROWSER)).text
        assert "paused" in page
        assert 'value="resume"' in page
        assert f"resumed: {link}" in (await house.do("resume", link)).text
        assert f"restarted: {link}" in (await house.do("restart", link)).text
        assert "there is no link" in (await house.do("restart", "elsewhere")).text
        assert "no login from" in (await house.do("unban", "192.0.2.7")).text
        assert "logged for 15 min" in (await house.do("debug", "anna")).text
        assert "anna" in house.focus.accounts
        await house.do("undebug", "anna")
        assert "anna" not in house.focus.accounts
        assert "nothing changed" in (await house.do("reload")).text


async def test_two_at_once_are_both_done(house: Managed) -> None:
    """Also while files are being read: none is lost, and each is answered."""
    adding = [house.do("add", f"u{each}") for each in range(4)]
    answers = await asyncio.gather(house.do("reload"), *adding)
    assert [number(each) for each in answers] == [200] * 5
    assert sorted(users(house)) == ["anna", "u0", "u1", "u2", "u3"]
    page = (await house.get("/manage", BROWSER)).text
    assert page.count("not logged in") == 5


async def test_what_was_begun_is_finished_for_who_has_gone(house: Managed) -> None:
    """Requests are cancelled when the pages close, as they do when their login changes."""
    hands = house.server._hands
    assert hands is not None
    change = AccountChange(act=AccountAct.ADD, name="eve", password="x")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await hands.change(change, "somebody")
    async with asyncio.timeout(10.0):
        while "eve" not in {line.user for line in house.read().config.f_lines}:
            await asyncio.sleep(0.01)
    assert house.done == ["account eve added"]


async def test_a_file_that_is_gone_or_cannot_be_written_is_said(
    house: Managed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(accounts_module, "replace_file", full)
        answer = await house.do("add", "eve")
        assert number(answer) == 409
        assert "cannot be written: No space left on device" in answer.text
    with monkeypatch.context() as patch:
        patch.setattr(accounts_module.os, "access", lambda *_: False)
        page = (await house.get("/manage", BROWSER)).text
        assert "Accounts cannot be changed from here" in page
        assert "cccamd install" in page
    house.cfg.unlink()
    answer = await house.do("remove", "anna", sure="yes")
    assert number(answer) == 409
    assert "there is no such file" in answer.text
    assert "there is no such file" in (await house.get("/manage", BROWSER)).text


async def test_a_file_that_the_server_does_not_take_is_said_with_the_reason(
    house: Managed,
) -> None:
    toml = house.cfg.with_name("cccamd.toml")
    toml.write_text("[server\n")
    answer = await house.do("add", "eve")
    assert "eve is added in the file, but not taken:" in answer.text
    assert "cccamd.toml:1" in answer.text
    assert users(house) == ["anna", "eve"]
    assert "not in use" in (await house.get("/manage/account?name=eve", BROWSER)).text


async def test_what_stands_in_cccamd_toml_is_left_to_its_owner(tmp_path: Path) -> None:
    toml = '[[account]]\nuser = "lone"\npassword = "x"\n[[account]]\nuser = "anna"\nlogins = 2\n'
    async with managed(tmp_path, toml=toml) as house:
        page = (await house.get("/manage/account?name=lone", BROWSER)).text
        assert "changed by hand" in page
        assert 'value="remove"' not in page
        answer = await house.do("remove", "lone", sure="yes")
        assert "which only you change" in answer.text
        answer = await house.do("remove", "anna", sure="yes")
        assert "still has a table about anna" in answer.text


async def test_five_hundred_accounts_are_found_by_their_names(tmp_path: Path) -> None:
    lines = "".join(f"F: user{each:03} pw\n" for each in range(500))
    async with managed(tmp_path, lines) as house:
        page = (await house.get("/manage", BROWSER)).text
        assert page.count("<bdi>user") == 200
        assert "and 300 more" in page
        page = (await house.get("/manage?words=R499", BROWSER)).text
        assert re.findall("<bdi>(.*?)</bdi>", page) == ["user499"]


# The log.


async def test_the_log_is_shown_chosen_saved_and_followed(house: Managed) -> None:
    log = logging.getLogger("cccamd.test")
    log.warning("first of anna", extra={"account": "anna"})
    log.warning("first <b> of ben", extra={"account": "ben"})
    page = (await house.get("/manage/log?account=anna", BROWSER)).text
    assert "first of anna" in page
    assert "of ben" not in page
    assert "first &lt;b&gt; of ben" in (await house.get("/manage/log?words=OF+BEN", BROWSER)).text
    saved = await house.get("/manage/log.txt?words=first")
    assert [line[-13:] for line in saved.text.splitlines()] == ["first of anna", "st <b> of ben"]
    reader, writer = await asyncio.open_connection(HOST, house.web)
    words = quote("of")
    path = f"/manage/log/events?account=anna&words={words}"
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n{BASIC}\r\n\r\n".encode())
    async with asyncio.timeout(10.0):
        await reader.readuntil(b"first of anna")
        log.warning("second of anna", extra={"account": "anna"})
        log.warning("second of ben", extra={"account": "ben"})
        log.warning("and nothing", extra={"account": "anna"})
        log.warning("third of anna", extra={"account": "anna"})
        came = await reader.readuntil(b"third of anna")
    writer.close()
    assert b"second of anna" in came
    assert b"of ben" not in came
    assert b"nothing" not in came


async def test_who_reads_slowly_misses_lines_and_is_told_so() -> None:
    focus, log = AccountFocus(), logging.getLogger("cccamd.slow")
    tail = LogTail(focus)
    log.addHandler(tail)
    try:
        log.warning("before")
        lines = tail.follow("", since=0, pulse=0.01)
        assert (first := await anext(lines)) is not None
        assert first.text.endswith("before")
        for each in range(2000):
            log.warning("line %d", each)
        await asyncio.sleep(0)  # they are handed on in the loop
        missing = await anext(lines)
        assert missing is not None
        assert (missing.number, "some lines are missing" in missing.text) == (0, True)
        await lines.aclose()
        assert not tail._readers
        behind = tail.follow("", since=10**6, pulse=0.01)
        assert await anext(behind) is not None  # a number of before a restart
        await behind.aclose()
    finally:
        log.removeHandler(tail)


async def test_the_log_ends_with_the_right_to_look(
    house: Managed, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = await asyncio.open_connection(HOST, house.web)
    writer.write(f"GET /manage/log/events HTTP/1.1\r\nHost: {HOST}\r\n{BASIC}\r\n\r\n".encode())
    async with asyncio.timeout(10.0):
        await reader.readuntil(b"pulse")
        house.server._hands = None
        logging.getLogger("cccamd.test").warning("to be seen by nobody")
        rest = await reader.read(100_000)
        while not rest.endswith(b"0\r\n\r\n"):
            rest += await reader.read(100_000)
    writer.close()
    assert b"nobody" not in rest
    assert number(await house.get("/manage")) == 403


async def test_nothing_of_it_is_below_the_api(house: Managed) -> None:
    described = json.loads((await house.get("/api/openapi.json")).text)
    methods = {method for path in described["paths"].values() for method in path}
    assert methods == {"get"}
    assert Kick("anna").verb == "kick"
    assert LOGIN["password"] not in json.dumps(described)
