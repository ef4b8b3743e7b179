"""Guessing names and passwords at a real server: what a guesser learns, and what it costs him."""

import asyncio
import configparser
import json
import re
import time
from base64 import b64encode
from contextlib import suppress
from pathlib import Path

import pytest
from handshaker import Handshaker
from laboratory import TEST_CARD, Laboratory, running, until

from cccamd.facts import Door, PenaltyKind
from cccamd.lab.ports import free_port
from cccamd.net import LONGEST_WAIT, Penalties, PenaltyRules, at_once
from cccamd.server import gate, login
from cccamd.server.bans import read_bans, write_bans
from cccamd.server.gate import LoginGate
from cccamd.server.loglines import DoorLog
from cccamd.setup.logins import Accounts
from cccamd.why import Question
from cccamd.wire.link import CloseReason

FAULTY = "F: anna secret\nF: ben secret\nF: eve\n"


async def refused_after(lab: Laboratory, user: str, password: str) -> float:
    """Seconds until the close; it does not come before the proof of the password."""
    async with Handshaker.calling(lab) as caller:
        caller.prove().name(user)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.15):
                await caller.closed()
        began = time.perf_counter()
        await caller.show_password(password).closed()
        return time.perf_counter() - began


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ("anna", "wrong password"),
        ("nobody", "no F-line"),
        ("eve", "the F-line of this user is in error"),
    ],
)
async def test_only_the_log_tells_why_a_login_is_refused(
    caplog: pytest.LogCaptureFixture, user: str, said: str
) -> None:
    async with running(FAULTY, TEST_CARD) as lab:
        assert await refused_after(lab, user, "wrong") < 0.5
    assert f"no login: {said}" in caplog.text


async def test_nobody_has_a_password_as_long_as_somebodys(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is longer takes longer: one length for all who do not exist would tell who they are."""
    async with running("F: anna secret\nF: ben muchlongersecret\n", TEST_CARD) as lab:
        accounts = lab.server._context.accounts
        names = [b"nobody%d" % number for number in range(40)]
        made = {name: login.stand_in_for(name, accounts) for name in names}
        assert {len(one) for one in made.values()} == {len("secret"), len("muchlongersecret")}
        again = {name: login.stand_in_for(name, accounts) for name in names}
        assert [len(one) for one in again.values()] == [len(one) for one in made.values()]
        assert not set(again.values()) & set(made.values())
        assert login.stand_in_for(b"nobody", {})

        made.clear()
        stand_in_for = login.stand_in_for

        def spied(user: bytes, accounts: Accounts) -> bytes:
            return made.setdefault(user, stand_in_for(user, accounts))

        monkeypatch.setattr(login, "stand_in_for", spied)
        for name in ("anna", "nobody"):
            await refused_after(lab, name, "wrong")
        assert set(made) == {b"anna", b"nobody"}, "it takes as long for those who exist"


async def guess(lab: Laboratory, user: str, times: int) -> None:
    async def once() -> None:
        async with Handshaker.calling(lab) as caller:
            await caller.log_in(user, "wrong").closed()

    await asyncio.gather(*(once() for _ in range(times)))


async def test_the_own_network_is_slowed_down_and_whoever_was_here_is_not() -> None:
    async with running(FAULTY, TEST_CARD) as lab:
        async with Handshaker.calling(lab) as anna:
            assert await anna.log_in().accepted()
        await guess(lab, "ben", 6)
        began = time.perf_counter()
        await guess(lab, "ben", 20)
        assert time.perf_counter() - began >= 0.5, "they wait before anything is looked at"
        async with Handshaker.calling(lab) as ben:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await ben.log_in("ben").accepted()
        async with Handshaker.calling(lab) as anna, asyncio.timeout(1.0):
            assert await anna.log_in().accepted()


async def test_who_guesses_at_home_is_slowed_down_and_never_banned() -> None:
    """Nobody has come in from there yet."""
    async with running(FAULTY, f"{TEST_CARD}\n[penalties]\nattempts = 3\n") as lab:
        await guess(lab, "anna", 6)
        shown = lab.server.snapshot()
        assert (shown.banned, shown.slowed) == (0, 1)


async def test_who_guesses_from_outside_is_banned_at_the_door(
    caplog: pytest.LogCaptureFixture,
) -> None:
    toml = f"{TEST_CARD}\n[penalties]\nattempts = 3\nban = 60\n"
    async with running(FAULTY, toml) as lab:
        lab.server._penalties._is_near = lambda address: False
        for _ in range(3):
            await guess(lab, "anna", 1)
        reader, writer = await asyncio.open_connection("127.0.0.1", lab.port)
        with suppress(ConnectionResetError):
            assert await reader.read() == b"", "not even the seed"
        writer.close()
    assert "127.0.0.1: banned until 20" in caplog.text
    assert "127.0.0.1: not let in: too many logins from there failed" in caplog.text


async def test_who_is_banned_and_why_is_shown_and_explained() -> None:
    toml = f"{TEST_CARD}\n[penalties]\nattempts = 3\nban = 60\n"
    async with running(f"{FAULTY}WEBINFO LISTEN PORT : {free_port()}\n", toml) as lab:
        assert lab.server.snapshot().penalties == ()
        lab.server._penalties._is_near = lambda address: False
        await guess(lab, "anna", 3)
        reader, writer = await asyncio.open_connection("127.0.0.1", lab.port)
        with suppress(ConnectionResetError):
            await reader.read()
        writer.close()
        status = lab.server.snapshot()
        (ban,) = status.penalties
        assert (status.banned, status.slowed) == (1, 0)
        assert (ban.who, ban.kind, ban.user) == ("127.0.0.1", PenaltyKind.BANNED, "anna")
        assert (ban.doors, ban.tries, ban.bans) == ((Door.CCCAM,), 3, 1)
        assert 0.0 < ban.until - status.at <= 60.0
        lab.server._observers.catch_up()
        for question in (Question(account="anna"), Question(address="127.0.0.1")):
            (finding,) = (
                each for each in lab.server.explain(question).findings if each.code == "banned"
            )
            assert "127.0.0.1 is banned for 60 s more" in finding.text
            assert "after 3 failed logins (CCcam), the last as anna" in finding.text
        assert "is banned" in lab.server.explain(Question(address="127.0.0.1")).summary
        other = lab.server.explain(Question(account="ben"))
        assert not [each for each in other.findings if each.code == "banned"]
        assert [each for each in await lab.server.check_up() if each.finding.code == "bans"]


async def test_a_password_is_not_looked_at_when_the_row_is_too_long(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(login, "LONGEST_WAIT", 0.05)
    async with running(FAULTY, TEST_CARD) as lab:
        monkeypatch.setattr(lab.server._penalties, "wait", lambda *_: None)
        began = time.perf_counter()
        async with Handshaker.calling(lab) as anna:
            await anna.log_in().closed()
        assert time.perf_counter() - began >= 0.05
        assert "not looked at: too many logins from there failed" in caplog.text
        assert not lab.server._context.seats.of(b"anna")


class Slept:
    """What a gate waited for; it is over at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds: list[float] = []
        monkeypatch.setattr(gate.asyncio, "sleep", self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.mark.parametrize("door", [Door.WEB, Door.TELNET])
async def test_a_gate_waits_bans_and_knows_who_was_here(
    door: Door, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    slept = Slept(monkeypatch)
    far = "203.0.113.7"
    penalties = Penalties(PenaltyRules(attempts=10), is_near=lambda address: False)
    check = LoginGate(penalties, DoorLog(), door).check
    assert not await check(far, b"eva", right=False)
    assert await check(far, b"eva", right=True)
    now = asyncio.get_running_loop().time()
    for _ in range(8):
        penalties.failed(far, b"x", now, door)
    assert await check(far, b"eva", right=True), "who was here is known,"
    assert slept.seconds == [], "and does not wait"
    assert not await check(far, b"new", right=False)
    assert slept.seconds.pop() > 0.5
    assert penalties.of(far, now)[0].doors == (door,)
    monkeypatch.setattr(penalties, "wait", lambda *_: None)
    assert not await check(far, b"eva", right=True), "it was not looked at"
    assert slept.seconds == [LONGEST_WAIT]
    monkeypatch.undo()
    other = "198.18.0.7"
    Slept(monkeypatch)
    for _ in range(10):
        await check(other, b"z", right=False)
    assert penalties.banned(other, now) > 0.0
    assert f"{other}: banned until 20" in caplog.text


async def test_who_comes_and_goes_is_never_weighed() -> None:
    async with running(FAULTY, f"{TEST_CARD}\n[penalties]\nattempts = 1\n") as lab:
        lab.server._penalties._is_near = lambda address: False
        for _ in range(5):
            async with Handshaker.calling(lab):
                pass
            async with Handshaker.calling(lab) as caller:
                caller.prove().name("anna")
        await until(lambda: lab.server._context.admission.connections == 0)
        async with Handshaker.calling(lab) as caller:
            assert await caller.log_in().accepted()


async def test_the_pages_are_under_the_same_brake(caplog: pytest.LogCaptureFixture) -> None:
    web, telnet = free_port(), free_port()
    cfg = (
        f"{FAULTY}WEBINFO LISTEN PORT : {web}\nWEBINFO USERNAME : eva\nWEBINFO PASSWORD : right\n"
        f"TELNETINFO LISTEN PORT : {telnet}\nTELNETINFO USERNAME : eva\n"
        "TELNETINFO PASSWORD : right\nALLOW TELNETINFO : yes\n"
    )

    async def page(password: str) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", web)
        login = b64encode(f"eva:{password}".encode()).decode()
        writer.write(
            f"GET /health HTTP/1.1\r\nHost: 127.0.0.1:{web}\r\nConnection: close\r\n"
            f"Authorization: Basic {login}\r\n\r\n".encode()
        )
        said = b""
        with suppress(ConnectionResetError):
            said = await reader.read()
        writer.close()
        return said.split(b"\r\n")[0].decode()

    async def ask(password: str) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", telnet)
        writer.write(f"eva\r\n{password}\r\ninfo\r\n".encode())
        said = ""
        with suppress(ConnectionResetError):
            said = (await reader.read()).decode()
        writer.close()
        return said

    async with running(cfg, TEST_CARD) as lab:
        assert "401" in await page("wrong")
        assert "200" in await page("right")
        assert "Login failed" in await ask("wrong")
        assert "Command:" in await ask("right")
        assert caplog.text.count("wrong user name or password for web") == 1
        assert caplog.text.count("wrong user name or password for telnet") == 1
        for _ in range(6):
            lab.server._penalties.failed("127.0.0.1", b"anybody", asyncio.get_running_loop().time())
        assert "200" in await page("right"), "known here, it does not wait"
        lab.server._penalties._is_near = lambda address: False
        lab.server._penalties._homes.drop("127.0.0.1")
        lab.server._penalties.ban("127.0.0.1", 60.0, 1, asyncio.get_running_loop().time())
        assert not await page("right")
        assert not await ask("right")


async def test_bans_are_kept_over_a_restart_and_no_clock_makes_them_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = "203.0.113.7"

    def brake() -> Penalties:
        return Penalties(PenaltyRules(), is_near=lambda address: False)

    before, doors = brake(), (Door.WEB, Door.NEWCAMD)
    before.ban(far, 600.0, 2, 1000.0, tries=12, doors=doors, user="\u202eanna\n")
    path = tmp_path / "bans.json"
    write_bans(path, at_once(before.bans(1000.0)), 1000.0)
    at = time.time()
    for passed, left in ((100.0, 500.0), (-1e7, 600.0), (700.0, 0.0)):
        monkeypatch.setattr(time, "time", lambda passed=passed: at + passed)
        after = brake()
        read_bans(path, after, 5.0)
        assert after.banned(far, 5.0) == pytest.approx(left, abs=1.0)
        for kept in after.of(far, 5.0):
            assert (kept.tries, kept.doors, kept.bans) == (12, doors, 2)
            assert kept.user == "\u202eanna\n"
    for damaged in (b"", b"{", b"[]", b'{"at": 1, "bans": [[1]]}', bytes(100)):
        path.write_bytes(damaged)
        read_bans(path, brake(), 5.0)


def fail2ban_rules() -> list[re.Pattern[str]]:
    """The rules of the filter as fail2ban makes them, but for what stands before a line."""
    path = Path(__file__).parents[2] / "contrib/fail2ban/filter.d/cccamd.conf"
    config = configparser.ConfigParser(interpolation=configparser.BasicInterpolation())
    config.read_string(
        path.read_text().replace("[Definition]", "[Definition]\n__prefix_line = \\s*")
    )
    address = r"(?P<address>[\da-fA-F.:]+?)"
    rules = config["Definition"]["failregex"].splitlines()
    return [re.compile(rule.replace("<ADDR>", address)) for rule in rules]


def found_by_fail2ban(name: str, said: str) -> list[str]:
    """Whom it finds in a line as text, with and without its time, and as JSON, one of each."""
    line = f"{name}: no login: {said}"
    entry = {"time": "", "level": "warning", "logger": "login", "message": line}
    lines = (f" WARNING {line}", f"2026-11-26 03:12:01,123 WARNING {line}", json.dumps(entry))
    rules = fail2ban_rules()
    matches = (rule.match(text) for text in lines for rule in rules)
    return [match["address"] for match in matches if match]


@pytest.mark.parametrize(
    "said",
    [
        CloseReason.WRONG_PASSWORD.value,
        CloseReason.ACCOUNT_IN_ERROR.value,
        CloseReason.NOT_ON_THIS_PORT.value,
        "wrong user name or password for web",
        *(
            f"{CloseReason.UNKNOWN_USER.value} ({user!r})"
            for user in (
                "x",
                "@8.8.8.8: no login: wrong password",
                "WARNING 8.8.8.8: no login: wrong password",
                '", "message": "8.8.8.8: no login: wrong password',
            )
        ),
    ],
)
def test_the_filter_for_fail2ban_finds_who_failed_and_nobody_whom_he_names(said: str) -> None:
    for name in ("anna@203.0.113.7:39626", "203.0.113.7:1", "203.0.113.7"):
        assert found_by_fail2ban(name, said) == ["203.0.113.7"] * 3
    assert found_by_fail2ban("anna@[2001:db8::7]:39626", said) == ["2001:db8::7"] * 3


def test_the_filter_for_fail2ban_takes_nothing_else_for_a_failed_login() -> None:
    for other in (CloseReason.PEER_CLOSED, CloseReason.ALREADY_CONNECTED, CloseReason.GARBAGE):
        assert found_by_fail2ban("anna@203.0.113.7:39626", other.value) == []
