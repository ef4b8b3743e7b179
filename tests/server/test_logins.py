"""Each failure of a login is made for real, and log and explanation name it (docs/failures.md)."""

import asyncio
import logging
import re
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from handshaker import Handshaker
from laboratory import (
    HOST,
    PLAIN_NODE,
    TEST_CARD,
    Laboratory,
    cards_of,
    new_node_id,
    request,
    running,
    setup,
    until,
)

from cccamd.ids import Caid, Ident, NodeId, ShareId
from cccamd.net import ConnectError, lobby
from cccamd.net import dial as dialling
from cccamd.setup.cccamcfg import parse
from cccamd.values import Emm
from cccamd.watch import ClientLoggedOut, ConnectionRefused, Happening, LoginFailed
from cccamd.why import Explanation, Finding, Question
from cccamd.wire.cccam.frames import Command
from cccamd.wire.cccam.messages import serialize_ecm, serialize_emm
from cccamd.wire.link import CloseReason

Act = Callable[[Laboratory], Awaitable[None]]


@pytest.fixture
def log() -> Iterator[list[str]]:
    """The lines of the log."""
    lines: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    logger, collector = logging.getLogger("cccamd"), Collector()
    level = logger.level
    logger.addHandler(collector)
    logger.setLevel(logging.INFO)
    yield lines
    logger.removeHandler(collector)
    logger.setLevel(level)


@asynccontextmanager
async def watched(
    cfg: str = "F: anna secret", toml: str = TEST_CARD
) -> AsyncIterator[tuple[Laboratory, list[Happening]]]:
    async with running(cfg, toml) as lab:
        happenings: list[Happening] = []
        lab.server.observe(happenings.append)
        lab.server.observe(lab.server._watchers.observe)
        yield lab, happenings


def explained(lab: Laboratory, account: str = "anna") -> Explanation:
    return lab.server.explain(Question(account=account))


def the_finding(lab: Laboratory, code: str, account: str = "anna") -> Finding:
    (found,) = [each for each in explained(lab, account).findings if each.code == code]
    return found


# What a client does, and what is said of it.


async def wrong_password(lab: Laboratory) -> None:
    async with Handshaker.calling(lab) as caller:
        await caller.log_in(password="guess").closed()


async def wrong_password_in_use(lab: Laboratory) -> None:
    async with lab.client() as client:
        await cards_of(client)
        await wrong_password(lab)


async def in_use(lab: Laboratory) -> None:
    async with lab.client() as client:
        await cards_of(client)
        async with Handshaker.calling(lab) as caller:
            await caller.log_in().closed()


async def says_nothing(lab: Laboratory) -> None:
    async with Handshaker.calling(lab) as caller:
        await caller.closed()


async def stops_after_the_user_name(lab: Laboratory) -> None:
    async with Handshaker.calling(lab) as caller:
        await caller.prove().name("anna").closed()


async def does_not_say_who_it_is(lab: Laboratory) -> None:
    async with Handshaker.calling(lab) as caller:
        await caller.log_in().closed()


async def hangs_up_before_its_password(lab: Laboratory) -> None:
    async with Handshaker.calling(lab) as caller:
        caller.prove().name("anna")
        await asyncio.sleep(0.05)


async def hangs_up_after_the_login(lab: Laboratory) -> None:
    async with Handshaker.calling(lab) as caller:
        assert await caller.log_in().accepted()


async def says_garbage(lab: Laboratory) -> None:
    async with Handshaker.calling(lab) as caller:
        assert await caller.log_in().accepted()
        await caller.write(b"\0\0\xff\xff").closed()


async def says_too_little_of_itself(lab: Laboratory) -> None:
    async with Handshaker.calling(lab) as caller:
        assert await caller.log_in().accepted()
        await caller.send(Command.CLIENT_DATA, b"short").closed()


async def is_old(lab: Laboratory) -> None:
    async with Handshaker.calling(lab) as caller:
        assert await caller.log_in().accepted()
        await caller.introduce("2.0.8").closed()


async def has_no_version(lab: Laboratory) -> None:
    async with Handshaker.calling(lab) as caller:
        assert await caller.log_in().accepted()
        await caller.introduce("unknown").closed()


HOST_LINE = "F: anna secret 5 0 1 {{ }} {{ }} {{ }} {}"
MINIMUM = "MINIMUM CLIENT VERSION : 2.0.9\nF: anna secret"
SHORT = "[limits]\nlogin_timeout = 1\n"
TROUBLES = [
    (wrong_password, "", "", CloseReason.WRONG_PASSWORD, "", "small and capital letters differ"),
    (wrong_password_in_use, "", "", CloseReason.WRONG_PASSWORD, "", "make the password in"),
    (
        in_use,
        "",
        "",
        CloseReason.ALREADY_CONNECTED,
        r"from 127\.0\.0\.1:\d+, which answers; one F-line is one client",
        "give each receiver an F-line of its own",
    ),
    (
        wrong_password,  # a right password does not help, the host is what counts: see below
        HOST_LINE.format("192.0.2.9"),
        "",
        CloseReason.WRONG_PASSWORD,
        "",
        "make the password in",
    ),
    (
        does_not_say_who_it_is,
        HOST_LINE.format("192.0.2.9"),
        "",
        CloseReason.WRONG_ADDRESS,
        r"line \d+: 192\.0\.2\.9",
        "write 127.0.0.1 at the end of line",
    ),
    (
        does_not_say_who_it_is,
        HOST_LINE.format("no.such.invalid"),
        "",
        CloseReason.HOST_UNRESOLVED,
        r"line \d+: no\.such\.invalid; .+",
        "try `getent hosts no.such.invalid`",
    ),
    (
        stops_after_the_user_name,
        "",
        SHORT,
        CloseReason.LOGIN_TIMEOUT,
        "its proof of the password did not come",
        "look at the way between",
    ),
    (
        does_not_say_who_it_is,
        "",
        SHORT,
        CloseReason.LOGIN_TIMEOUT,
        "logged in, but it did not say who it is",
        "look at the way between",
    ),
    (
        hangs_up_before_its_password,
        "",
        "",
        CloseReason.PEER_CLOSED,
        "during the login",
        "it hung up by itself",
    ),
    (
        hangs_up_after_the_login,
        "",
        "",
        CloseReason.PEER_CLOSED,
        "after the login, before the peers knew each other",
        "it hung up by itself",
    ),
    (says_garbage, "", "", CloseReason.GARBAGE, ".+", "another program than a CCcam client"),
    (
        says_too_little_of_itself,
        "",
        "",
        CloseReason.MALFORMED_LOGIN,
        "client data needs at least 62 bytes",
        "another program than a CCcam client",
    ),
    (
        is_old,
        MINIMUM,
        "",
        CloseReason.OLD_VERSION,
        r"2\.0\.8 < 2\.0\.9",
        "announce a newer version",
    ),
    (has_no_version, MINIMUM, "", CloseReason.NO_VERSION, "'unknown'", "announce a newer version"),
]


@pytest.mark.parametrize(
    ("act", "cfg", "toml", "reason", "detail", "change"),
    TROUBLES,
    ids=[f"{act.__name__}: {reason.name}" for act, _, _, reason, _, _ in TROUBLES],
)
async def test_a_login_that_fails_is_called_what_it_is(
    log: list[str],
    act: Act,
    cfg: str,
    toml: str,
    reason: CloseReason,
    detail: str,
    change: str,
) -> None:
    async with watched(cfg or "F: anna secret", TEST_CARD + toml) as (lab, happenings):
        await act(lab)
        await until(lambda: any(isinstance(each, LoginFailed) for each in happenings))
        (failure,) = [each for each in happenings if isinstance(each, LoginFailed)]
        assert (failure.account, failure.user, failure.why) == ("anna", "anna", reason)
        words = re.escape(reason.value) + (rf" \({detail}\)" if detail else "")
        assert re.fullmatch(words, failure.reason)
        assert any(re.fullmatch(rf"anna@127\.0\.0\.1:\d+: no login: {words}", line) for line in log)
        if reason not in {CloseReason.ALREADY_CONNECTED} and act is not wrong_password_in_use:
            found = the_finding(lab, "login-refused")
            assert failure.reason in found.text
            assert change in found.change


async def proves_wrongly(lab: Laboratory) -> None:
    async with Handshaker.calling(lab) as caller:
        await caller.prove(b"x" * 20).closed()


async def stops_after_its_proof(lab: Laboratory) -> None:
    async with Handshaker.calling(lab) as caller:
        await caller.prove().closed()


async def is_nobody(lab: Laboratory) -> None:
    async with Handshaker.calling(lab) as caller:
        await caller.log_in("nobody").closed()


STRANGERS = [
    (says_nothing, CloseReason.LOGIN_TIMEOUT, "0 of 20 bytes of its answer to the seed came"),
    (stops_after_its_proof, CloseReason.LOGIN_TIMEOUT, "its user name did not come"),
    (proves_wrongly, CloseReason.NOT_CCCAM, "its answer to the seed is wrong"),
    (is_nobody, CloseReason.UNKNOWN_USER, "'nobody'"),
]


@pytest.mark.parametrize(("act", "reason", "detail"), STRANGERS)
async def test_strangers_are_named_by_their_address(
    log: list[str], act: Act, reason: CloseReason, detail: str
) -> None:
    async with watched(toml=TEST_CARD + SHORT) as (lab, _):
        await act(lab)
        await until(lambda: any("no login" in line for line in log))
        line = next(line for line in log if "no login" in line)
        assert re.fullmatch(rf"127\.0\.0\.1:\d+: no login: {reason.value} \({detail}\)", line)
        assert reason.value in the_finding(lab, "stranger", "nobody").text


@pytest.mark.parametrize("crowd", [64, 0], ids=["as a session", "where it is crowded"])
async def test_newer_logins_need_its_place(
    log: list[str], crowd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lobby, "CROWD", crowd)
    toml = TEST_CARD + "[limits]\nmax_pending_logins = 1\n"
    async with (
        watched(toml=toml) as (lab, happenings),
        Handshaker.calling(lab) as first,
        Handshaker.calling(lab),
    ):
        await first.closed()
        shown = lab.server.snapshot()
        assert (shown.connections_refused, shown.logins_failed) == (1, 0), "silent"
        told = [each for each in happenings if isinstance(each, ConnectionRefused)]
        assert [(each.address, each.reason) for each in told] == [
            (HOST, CloseReason.TOO_MANY_LOGINS.value)
        ]
    assert any(f"no login: {CloseReason.TOO_MANY_LOGINS.value}" in line for line in log)


async def test_a_stop_and_a_login(log: list[str]) -> None:
    async with watched() as (lab, _), Handshaker.calling(lab) as caller:
        caller.prove().name("anna")
        await until(lambda: lab.server._context.admission.connections)
        await lab.server.stop()
        await caller.closed()
    assert any(f"no login: {CloseReason.SHUTDOWN.value}" in line for line in log)


@pytest.mark.parametrize("version", ["2.3.0 ", "2.1.4-2971", "2.0.9", "v2.2", "2.0.11\x7f"])
async def test_versions_with_something_behind_them_are_versions(version: str) -> None:
    async with watched(MINIMUM) as (lab, _), Handshaker.calling(lab) as caller:
        assert await caller.log_in().accepted()
        caller.introduce(version)
        await until(lambda: lab.server.snapshot().clients)


# Accounts that do not exist, or not any more.


async def test_an_f_line_in_error_is_no_unknown_user(log: list[str]) -> None:
    cfg = "F: anna secret\nF: ben secret x"
    async with watched() as (lab, _):
        made = setup("F: anna secret", TEST_CARD, port=lab.port)
        faulty = parse(f"SERVER LISTEN PORT : {lab.port}\n{cfg}\n".encode(), file="/etc/CCcam.cfg")
        config = replace(
            faulty.config, webinfo=made.config.webinfo, telnetinfo=made.config.telnetinfo
        )
        await lab.server.reload(replace(made, config=config))
        async with Handshaker.calling(lab) as caller:
            await caller.log_in("ben").closed()
        await until(lambda: any("no login" in line for line in log))
        line = next(line for line in log if "no login" in line)
        assert "the F-line of this user is in error" in line
        assert "'ben': line 3 of /etc/CCcam.cfg: UPHOPS is no number from 0 to 255" in line
        findings = explained(lab, "ben").findings
        assert [each.code for each in findings] == ["f-line-refused", "stranger"]


async def test_a_misspelt_account_is_told_which_is_meant() -> None:
    async with watched("F: livingroom secret") as (lab, _):
        with pytest.raises(ConnectError):
            async with lab.client("livingrom"):
                pass
        found = the_finding(lab, "no-account", "livingrom")
        assert "did you mean livingroom?" in found.text
        assert found.change.startswith("if livingroom is meant, write that name")
        assert "no F-line has this user name ('livingrom')" in (
            the_finding(lab, "stranger", "livingrom").text
        )


async def test_a_silent_name_server_is_given_up_in_time(
    log: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others are served meanwhile, and the client hears within the two seconds it waits."""
    monkeypatch.setattr(dialling, "LOGIN_NAME_TIMEOUT", 0.2)
    done = threading.Event()

    def ask_system(host: str, *, flags: int = 0) -> object:
        if flags:
            return known(host, flags=flags)
        done.wait(5.0)
        return ()

    resolver = sys.modules["cccamd.net.resolve"]
    known = resolver._ask_system
    monkeypatch.setattr(resolver, "_ask_system", ask_system)
    cfg = HOST_LINE.format("box.example") + "\nF: ben secret"
    async with watched(cfg) as (lab, _), Handshaker.calling(lab) as caller:
        caller.log_in()
        async with lab.client("ben") as ben:
            await cards_of(ben)
        await caller.closed()
        await until(lambda: any("no login" in line for line in log))
    done.set()
    line = next(line for line in log if "no login" in line)
    assert re.search(r"does not resolve \(line \d: box\.example; .*name server", line)


async def test_an_account_that_changes_while_it_logs_in(monkeypatch: pytest.MonkeyPatch) -> None:
    async with watched(HOST_LINE.format("localhost")) as (lab, happenings):
        asked, go_on = asyncio.Event(), asyncio.Event()

        async def slowly(host: str) -> frozenset[object]:
            asked.set()
            await go_on.wait()
            return await dialling.locate(host)

        monkeypatch.setattr("cccamd.server.login.locate", slowly)
        async with Handshaker.calling(lab) as caller:
            caller.log_in()
            await asked.wait()
            cfg = HOST_LINE.format("localhost").replace("secret", "other")
            await lab.server.reload(setup(cfg, TEST_CARD, port=lab.port))
            go_on.set()
            await caller.closed()
        await until(lambda: happenings)
        assert isinstance(happenings[-1], LoginFailed)
        assert happenings[-1].why is CloseReason.CONFIG_CHANGED


# Who is there, and who else wants in.


async def test_explain_tells_of_those_who_were_refused_beside_the_one_that_is_there() -> None:
    async with watched() as (lab, _), lab.client() as client:
        await cards_of(client)
        for _ in range(3):
            async with Handshaker.calling(lab) as caller:
                await caller.log_in().closed()
        await wrong_password(lab)
        await until(lambda: len(explained(lab).findings) >= 3)
        findings = [each for each in explained(lab).findings if each.code == "other-refused"]
        guess, double = findings
        assert "127.0.0.1 was not let in: wrong password" in guess.text
        assert re.search(
            r"another login as anna: 0 s ago 127\.0\.0\.1 was not let in, 3 times within \d s:"
            r" this user is connected already \(from 127\.0\.0\.1:\d+",
            double.text,
        )
        assert 'logins = 2 below [[account]] user = "anna"' in double.change
        (state,) = lab.server.snapshot().double_logins
        assert (state.account, state.address, state.times) == ("anna", "127.0.0.1", 3)
        assert state.holders == ("127.0.0.1",)
        await lab.server._lookout.look()
        assert "double login" in [each.cause.value for each in lab.server.incidents()]


async def test_what_a_receiver_tried_before_it_got_in_is_told_no_more() -> None:
    async with watched() as (lab, _):
        await wrong_password(lab)
        async with lab.client() as client:
            await cards_of(client)
            codes = [each.code for each in explained(lab).findings]
            assert "logged-in" in codes
            assert "other-refused" not in codes


async def test_connections_that_were_turned_away_are_told_to_who_waits_for_an_account() -> None:
    async with watched() as (lab, happenings):
        lab.server._context.admission._admits = lambda address: False
        with pytest.raises(ConnectError):
            async with lab.client():
                pass
        assert any(isinstance(each, ConnectionRefused) for each in happenings)
        assert "its network is not allowed" in the_finding(lab, "turned-away").text


@pytest.mark.parametrize(("quiet", "gets_in"), [(0.1, True), (60.0, False)])
async def test_whoever_was_silent_for_long_has_to_say_something(
    quiet: float, gets_in: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its machine acknowledges, and the program hangs: or a tunnel answers for both."""
    monkeypatch.setattr("cccamd.server.session.QUIET", quiet)
    monkeypatch.setattr("cccamd.server.seats.PATIENCE", 0.3)
    async with watched() as (lab, happenings), Handshaker.calling(lab) as silent:
        assert await silent.log_in().accepted()
        silent.introduce()
        await asyncio.sleep(0.2)
        async with Handshaker.calling(lab) as second:
            assert await second.log_in().accepted() is gets_in
        left = [each.why for each in happenings if isinstance(each, ClientLoggedOut)]
        assert (CloseReason.TAKEN_OVER in left) is gets_in


LOGINS = TEST_CARD + '[[account]]\nuser = "anna"\nlogins = 2\n'


async def test_an_account_for_two_lets_two_in_and_shows_both() -> None:
    async with watched(toml=LOGINS) as (lab, happenings), lab.client() as one, lab.client() as two:
        await cards_of(one)
        await cards_of(two)
        async with Handshaker.calling(lab) as third:
            await third.log_in().closed()
        await until(lambda: any(isinstance(each, LoginFailed) for each in happenings))
        (failure,) = [each for each in happenings if isinstance(each, LoginFailed)]
        assert re.search(
            r"\(from 127\.0\.0\.1:\d+ and 127\.0\.0\.1:\d+, which answer; logins = 2\)",
            failure.reason,
        )
        snapshot = lab.server.snapshot()
        assert [client.account for client in snapshot.clients] == ["anna", "anna"]
        assert [card.seen_by for card in snapshot.cards] == [("anna",)]
        codes = [each.code for each in explained(lab).findings]
        assert codes.count("logged-in") == 2
        # A reload that takes the second place away sends away who came last.
        await lab.server.reload(setup("F: anna secret", TEST_CARD, port=lab.port))
        assert await two.wait_until(lambda: two.closed is not None, timeout=10.0)
        assert one.closed is None
        left = [each for each in happenings if isinstance(each, ClientLoggedOut)]
        assert [each.why for each in left] == [CloseReason.CONFIG_CHANGED]


async def test_one_of_two_leaves_and_its_place_is_free() -> None:
    async with watched(toml=LOGINS) as (lab, _), lab.client() as one:
        await cards_of(one)
        for _ in range(2):
            async with lab.client() as two:
                await cards_of(two)
        assert one.closed is None


@pytest.mark.parametrize("same_account", [False, True])
async def test_copied_node_ids_are_named_as_long_as_they_are_there(
    log: list[str], same_account: bool
) -> None:
    node_id = new_node_id()
    other = "anna" if same_account else "ben"
    async with watched("F: anna secret\nF: ben secret", LOGINS) as (lab, _):
        async with lab.client("anna", node_id=node_id) as one:
            await cards_of(one)
            assert lab.server.snapshot().clones == ()
            async with lab.client(other, node_id=node_id):
                await until(lambda: lab.server.snapshot().clones)
                (clone,) = lab.server.snapshot().clones
                assert clone.accounts == (("anna",) if same_account else ("anna", "ben"))
                assert clone.addresses == ("127.0.0.1",)
                assert node_id.hex() in the_finding(lab, "clone").text
                await lab.server._lookout.look()
                incidents = lab.server.incidents()
                assert ("clone", node_id.hex()) in [(x.cause.value, x.subject) for x in incidents]
            await until(lambda: not lab.server.snapshot().clones)
        assert any(node_id.hex() in line and "was copied from the other" in line for line in log)


@pytest.mark.parametrize("node_id", ["0000000054fe1386", "0000000000000000"])
async def test_tvheadends_own_node_ids_are_no_alarm(node_id: str) -> None:
    shared = NodeId(bytes.fromhex(node_id))
    async with (
        watched("F: anna secret\nF: ben secret") as (lab, _),
        lab.client("anna", node_id=shared) as one,
        lab.client("ben", node_id=shared) as two,
    ):
        await cards_of(one)
        await cards_of(two)
        assert lab.server.snapshot().clones == ()


# Before the client has said who it is.


@pytest.mark.parametrize("server_node", [None, PLAIN_NODE], ids=["extended", "plain"])
async def test_what_comes_before_the_client_data_is_answered(server_node: NodeId | None) -> None:
    emm = Emm(Caid(0x7F00), Ident(0x0A), ShareId(1), b"\x82emm")
    async with running(node_id=server_node) as lab, Handshaker.calling(lab) as caller:
        assert await caller.log_in().accepted()
        caller.send(Command.ECM, serialize_ecm(request(b"\x80early")))
        assert await caller.frame() == (Command.NOK1, b"")
        caller.send(Command.EMM, serialize_emm(emm))
        assert await caller.frame() == (Command.EMM, b"")
        caller.introduce()
        assert await caller.frame() == (Command.CLIENT_DATA, b"")
