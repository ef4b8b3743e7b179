"""A node and a real engine, which is killed, stopped, full, locked and shared with others."""

import asyncio
import logging
import re
import signal
import socket
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cccamd.fleet import engine as engine_module
from cccamd.fleet.actions import (
    NAME_LENGTH,
    Claim,
    Claimed,
    EngineBack,
    EngineEvent,
    EngineLost,
    Extend,
    Extended,
    Fetch,
    Fetched,
    Hearers,
    Publish,
    Pushed,
    Release,
    Take,
    Unheard,
    Unwatch,
    Watch,
    trials,
)
from cccamd.fleet.engine import Engine
from cccamd.fleet.talk import Talk
from cccamd.fleet.troubles import EngineError, explain
from cccamd.net import TaskSet, loop_factory
from cccamd.setup.toml import FleetTable
from certificates import self_signed
from redisengine import RedisServer, engine, needs_redis
from talking import talking

NAME, OTHER, CHANNEL = (bytes([each]) * NAME_LENGTH for each in (1, 2, 3))
MINUTE = 60_000


class Node:
    """Who is connected to an engine."""

    def __init__(self, folder: Path, **words: Any) -> None:
        self.events: list[EngineEvent] = []
        self.told: list[str] = []
        self.failures: list[BaseException] = []
        table = FleetTable(key_file="key", **words)
        hearers = Hearers(
            on_event=self.events.append,
            carried_out=lambda setting, text: self.told.append(text),
            on_failure=lambda name, error: self.failures.append(error),
        )
        self.engine = Engine(table, folder, hearers, trials(bytes(NAME_LENGTH)))

    async def until(self, reached: Callable[[], object]) -> None:
        try:
            async with asyncio.timeout(20.0):
                while not reached():
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise AssertionError(f"it did not happen: {self.events}, {self.told[-1:]}") from None

    async def up(self) -> None:
        await self.until(lambda: self.engine.is_up)

    async def ask(self, action: Any, kind: type) -> Any:
        """Tell it something, and wait for the event."""
        count = len(self.events)
        self.engine.perform([action])
        await self.until(lambda: any(isinstance(each, kind) for each in self.events[count:]))
        return next(each for each in self.events[count:] if isinstance(each, kind))


@asynccontextmanager
async def node(folder: Path, **words: Any) -> AsyncIterator[Node]:
    made = Node(folder, **words)
    tasks = TaskSet(on_failure=lambda name, error: made.failures.append(error))
    tasks.start("engine", made.engine.run())
    try:
        yield made
    finally:
        await tasks.cancel()
    assert made.failures == []


def at(server: RedisServer) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": server.port}


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between attempts, without changing what is decided."""
    monkeypatch.setattr(engine_module.Backoff, "next_delay", lambda self, random: 0.05)


@needs_redis
async def test_what_one_node_tells_the_other_hears(tmp_path: Path) -> None:
    async with (
        engine(tmp_path) as server,
        node(tmp_path, **at(server)) as anna,
        node(tmp_path, socket=str(server.socket)) as ben,
    ):
        await anna.up()
        await ben.up()
        claim = Claim(NAME, b"a", MINUTE)
        assert await anna.ask(claim, Claimed) == Claimed(NAME, won=True)
        assert await ben.ask(claim, Claimed) == Claimed(NAME, won=False, theirs=b"a")
        assert await ben.ask(Fetch(NAME), Fetched) == Fetched(NAME, b"a")
        assert await ben.ask(Fetch(OTHER), Fetched) == Fetched(OTHER, None)
        # Leases: only who has it can keep it or give it up.
        assert (await ben.ask(Extend(NAME, b"b", MINUTE), Extended)).held is False
        assert (await anna.ask(Extend(NAME, b"a", MINUTE), Extended)).held is True
        ben.engine.perform([Release(NAME, b"b")])
        assert (await ben.ask(Claim(NAME, b"b", MINUTE), Claimed)).won is False
        anna.engine.perform([Release(NAME, b"a")])
        await anna.ask(Fetch(OTHER), Fetched)
        assert (await ben.ask(Claim(NAME, b"b", MINUTE), Claimed)).won is True
        assert (await anna.ask(Take(NAME, b"a", b"c", MINUTE), Extended)).held is False
        assert (await anna.ask(Take(NAME, b"b", b"c", MINUTE), Extended)).held is True
        ben.engine.perform([Release(NAME, b"b"), Release(NAME, b"c")])
        assert (await ben.ask(Take(NAME, b"x", b"b", MINUTE), Extended)).held is True
        # Pushes, to who listens.
        ben.engine.perform([Watch(CHANNEL)])
        await ben.ask(Fetch(OTHER), Fetched)
        anna.engine.perform([Publish(OTHER, CHANNEL, b"\r\n\0cw", MINUTE)])
        await ben.until(lambda: Pushed(CHANNEL, OTHER, b"\r\n\0cw") in ben.events)
        assert (await ben.ask(Fetch(OTHER), Fetched)).value == b"\r\n\0cw"
        anna.engine.perform([Publish(OTHER, CHANNEL, b"only told", 0)])
        await ben.until(lambda: Pushed(CHANNEL, OTHER, b"only told") in ben.events)
        ben.engine.perform([Unwatch(CHANNEL)])
        await ben.ask(Fetch(OTHER), Fetched)
        anna.engine.perform([Publish(OTHER, CHANNEL, b"\r\n\0cw", MINUTE)])
        count = len(ben.events)
        anna.engine.perform([Publish(OTHER, CHANNEL, b"x", 0)])
        await anna.ask(Fetch(OTHER), Fetched)
        assert Unheard(CHANNEL) in anna.events
        assert anna.events.count(Unheard(CHANNEL)) == 1, "what was heard, or kept, is none"
        assert await ben.ask(Fetch(OTHER), Fetched) == Fetched(OTHER, b"\r\n\0cw")
        assert not any(isinstance(each, Pushed) for each in ben.events[count:])


@needs_redis
async def test_what_is_no_value_under_a_name_of_ours_is_nobodys(tmp_path: Path) -> None:
    async with engine(tmp_path) as server, node(tmp_path, **at(server)) as anna:
        await anna.up()
        server.say("RPUSH", "cccamd:" + NAME.decode(), "a list")
        claim = Claim(NAME, b"a", MINUTE)
        assert await anna.ask(claim, Claimed) == Claimed(NAME, won=False, theirs=b"")
        assert await anna.ask(Fetch(NAME), Fetched) == Fetched(NAME, b"")
        assert (await anna.ask(Extend(NAME, b"a", MINUTE), Extended)).held is False
        anna.engine.perform([Release(NAME, b"a")])
        assert (await anna.ask(Take(NAME, b"", b"a", MINUTE), Extended)).held is True
        assert await anna.ask(Fetch(NAME), Fetched) == Fetched(NAME, b"a")
        assert anna.told == [""], "it was there all the time"


@pytest.mark.parametrize("make", [asyncio.new_event_loop, loop_factory() or asyncio.new_event_loop])
def test_an_engine_that_hangs_up_while_the_password_is_read(
    make: Callable[[], asyncio.AbstractEventLoop], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None: ...

    async def go() -> None:
        async with talking(hang_up) as port, node(tmp_path, host="127.0.0.1", port=port) as anna:
            await anna.until(lambda: "it ended the connection" in anna.engine.trouble)

    monkeypatch.setattr(engine_module, "password_for", lambda *words: time.sleep(0.05))
    with asyncio.Runner(loop_factory=make) as runner:
        runner.run(go())


@needs_redis
def test_it_goes_on_the_loop_that_serves(tmp_path: Path) -> None:
    """uvloop's transports and errors are not those of asyncio."""

    async def go() -> None:
        self_signed(tmp_path)
        tls = (
            "tls-port PORT\ntls-auth-clients no\n"
            f"tls-cert-file {tmp_path}/cert.pem\ntls-key-file {tmp_path}/key.pem"
        )
        for lines, words in (("", {}), (tls, {"tls": True, "ca": "cert.pem"})):
            async with engine(tmp_path, lines) as server:
                there = at(server) | {"host": "localhost"} | words
                async with node(tmp_path, **there) as anna:
                    await anna.up()
                    assert await anna.ask(Claim(NAME, b"a", MINUTE), Claimed) == Claimed(NAME, True)
                    server.kill()
                    await anna.until(lambda anna=anna: "nothing listens" in anna.engine.trouble)
                if words:
                    continue
                async with node(tmp_path, socket=str(server.socket)) as anna:
                    await anna.until(lambda anna=anna: "cannot be reached" in anna.engine.trouble)
                    await server.start()
                    await anna.up()

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(go())


@needs_redis
async def test_an_engine_that_is_killed_stopped_and_comes_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "QUIET", 0.1)
    monkeypatch.setattr(engine_module, "LOOK", 0.05)
    caplog.set_level(logging.INFO, "cccamd.fleet")
    async with engine(tmp_path) as server, node(tmp_path, **at(server)) as anna:
        await anna.up()
        anna.engine.perform([Watch(CHANNEL)])
        server.kill()
        await anna.until(lambda: "nothing listens" in anna.engine.trouble)
        assert [type(each) for each in anna.events] == [EngineBack, EngineLost]
        anna.engine.perform([Claim(NAME, b"a", MINUTE), Watch(OTHER), Unwatch(OTHER)])
        await server.start()
        await anna.up()
        assert anna.told[-1] == ""
        # What is watched is watched again; what was told while it was away was dropped.
        assert (await anna.ask(Fetch(NAME), Fetched)).value is None
        anna.engine.perform([Publish(NAME, CHANNEL, b"cw", MINUTE)])
        await anna.until(lambda: Pushed(CHANNEL, NAME, b"cw") in anna.events)
        # It hangs: noticed though nobody wants anything of it.
        server.signal(signal.SIGSTOP)
        await anna.until(lambda: not anna.engine.is_up)
        assert "no answer" in anna.engine.trouble
        server.signal(signal.SIGCONT)
        await anna.up()
    assert len(caplog.messages) == 1
    assert "serves as without a fleet" in caplog.text


@needs_redis
async def test_what_a_lagging_engine_is_not_told_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "WAITING_LIMIT", 5)
    monkeypatch.setattr(engine_module, "ANSWER_TIMEOUT", 60.0)
    async with engine(tmp_path) as server, node(tmp_path, **at(server)) as anna:
        anna.engine.perform([Claim(NAME, b"a", MINUTE)])
        await anna.up()
        assert anna.engine.dropped == 0, "it was away: that is no lagging"
        server.signal(signal.SIGSTOP)
        for _ in range(8):
            anna.engine.perform([Claim(NAME, b"a", MINUTE)])
        assert anna.engine.dropped == 3
        server.signal(signal.SIGCONT)
        await anna.until(lambda: len(anna.events) == 1 + 5)
        assert (await anna.ask(Fetch(NAME), Fetched)).value == b"a"


@needs_redis
async def test_what_is_wrong_with_an_engine_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "password"
    secret.write_text("right\n")
    guide = Path(__file__).parents[2] / "docs" / "fleet.md"
    rule = next(line for line in guide.read_text().splitlines() if "user cccamd on" in line)
    rule = rule.strip().replace("A-LONG-PASSWORD", "right").replace("user cccamd", "user tv")
    async with engine(tmp_path, f"user default off\n{rule}") as server:
        async with node(tmp_path, **at(server), user="tv", password_file="password") as anna:
            await anna.up()
            anna.engine.perform([Watch(CHANNEL), Unwatch(CHANNEL), Release(NAME, b"a")])
            anna.engine.perform([Claim(NAME, b"a", MINUTE), Publish(OTHER, CHANNEL, b"x", MINUTE)])
            assert (await anna.ask(Extend(NAME, b"a", MINUTE), Extended)).held is True
            anna.engine.perform([Release(NAME, b"a")])
            assert (await anna.ask(Fetch(NAME), Fetched)).value is None
            assert not any(isinstance(each, EngineLost) for each in anna.events)
        told = {
            "wants a login": {},
            "refuses the login": {"user": "tv", "password": "guessed"},
            "no such file": {"user": "tv", "password_file": "none"},
        }
        for words, more in told.items():
            async with node(tmp_path, **at(server), **more) as anna:
                await anna.until(lambda words=words: words in anna.engine.trouble)
                assert "guessed" not in anna.engine.trouble
        server.kill()
        server.configure("user default off\nuser tv on >right ~other* &* +@all")
        await server.start()
        async with node(tmp_path, **at(server), user="tv", password="right") as anna:
            await anna.until(lambda: "may not do all" in anna.engine.trouble)
        for lines, words in {
            "maxmemory 1": "memory is used up",
            "replicaof 127.0.0.1 1": "replica",
            "maxclients 1": "as many clients",
        }.items():
            server.kill()
            server.configure(lines)
            await server.start()
            async with (
                node(tmp_path, socket=str(server.socket)) as first,
                node(tmp_path, **at(server)) as anna,
            ):
                await anna.until(
                    lambda words=words: words in anna.engine.trouble + first.engine.trouble
                )
        server.kill()
        server.configure("")
        await server.start()
        async with node(tmp_path, **at(server)) as anna:
            await anna.up()
            server.say("CONFIG", "SET", "maxmemory", "1")
            anna.engine.perform([Claim(OTHER, b"a", MINUTE)])
            await anna.until(lambda: "memory is used up" in anna.engine.trouble)
            server.say("CONFIG", "SET", "maxmemory", "0")
            await anna.up()


@needs_redis
async def test_whatever_is_forbidden_is_said_at_once_and_by_its_name(tmp_path: Path) -> None:
    guide = Path(__file__).parents[2] / "docs" / "fleet.md"
    rule = next(line for line in guide.read_text().splitlines() if "user cccamd on" in line)
    allowed = [word[1:] for word in rule.split() if word.startswith("+")]
    allowed.remove("hello")  # who gives a name and a password with it always may
    async with engine(tmp_path, rule.strip()) as server:
        for command in allowed:
            server.say("ACL", "SETUSER", "cccamd", f"-{command}")
            words = {**at(server), "user": "cccamd", "password": "A-LONG-PASSWORD"}
            async with node(tmp_path, **words) as anna:
                await anna.until(lambda anna=anna: anna.engine.trouble)
                named = re.search(r"does \((.*)\)", anna.engine.trouble)
                assert named is not None
                assert command.upper() in named[1], anna.engine.trouble
                assert anna.events == [], "it has never been there"
                server.say("ACL", "SETUSER", "cccamd", f"+{command}")
                await anna.up()
                assert anna.events == [EngineBack()], "what is only tried is no event"
        for lines, word in (("~other*", "resetkeys"), ("&other:*", "resetchannels")):
            server.say("ACL", "SETUSER", "cccamd", word, lines)
            async with node(tmp_path, **words) as anna:
                await anna.until(lambda anna=anna: "may not do all" in anna.engine.trouble)
                assert anna.events == []
            server.say("ACL", "SETUSER", "cccamd", "~cccamd*", "&cccamd:*")


@needs_redis
async def test_what_holds_an_engine_up_is_said_and_over_when_it_is_over(tmp_path: Path) -> None:
    async with engine(tmp_path, "busy-reply-threshold 50") as server:
        # A script of somebody that never ends.
        server.say("CONFIG", "SET", "lua-time-limit", "50")
        with socket.socket(socket.AF_UNIX) as somebody:
            somebody.connect(str(server.socket))
            somebody.sendall(b"EVAL 'while true do end' 0\r\n")
            async with node(tmp_path, **at(server)) as anna:
                await anna.until(lambda: "a script of somebody" in anna.engine.trouble)
                server.say("SCRIPT", "KILL")
                await anna.up()
        # A disk that takes nothing, for an engine that was told to save.
        server.kill()
        gone = tmp_path / "gone"
        gone.mkdir()
        server.configure(f"dir {gone}\nsave 3600 1")
        await server.start()
        gone.rmdir()
        server.say("BGSAVE")
        async with asyncio.timeout(20.0):
            while "bgsave_status:err" not in server.say("INFO", "persistence"):
                await asyncio.sleep(0.01)
        async with node(tmp_path, **at(server)) as anna:
            await anna.until(lambda: "cannot save" in anna.engine.trouble)
            server.say("CONFIG", "SET", "save", "")
            await anna.up()
        # It has much to read when it starts.
        server.kill()
        server.configure("")
        await server.start()
        for number in range(200):
            server.say("SET", f"kept{number}", "x" * 100)
        server.say("SAVE")
        server.kill()
        server.configure("key-load-delay 4000\nloading-process-events-interval-bytes 1024")
        await server.start()
        async with node(tmp_path, **at(server)) as anna:
            await anna.until(lambda: "still starting" in anna.engine.trouble)
            await anna.up()
        server.kill()
        server.configure("cluster-enabled yes")
        (tmp_path / "dump.rdb").unlink(missing_ok=True)
        await server.start()
        async with node(tmp_path, **at(server)) as anna:
            await anna.until(lambda: "node of a cluster" in anna.engine.trouble)


@needs_redis
async def test_tls_holds_the_engine_to_its_name(tmp_path: Path) -> None:
    self_signed(tmp_path)
    lines = (
        "port 0\ntls-port PORT\ntls-auth-clients no\n"
        f"tls-cert-file {tmp_path}/cert.pem\ntls-key-file {tmp_path}/key.pem"
    )
    async with engine(tmp_path, lines) as server:
        words = {"port": server.port, "tls": True}
        async with node(tmp_path, host="localhost", ca="cert.pem", **words) as anna:
            await anna.up()
        async with node(tmp_path, host="127.0.0.1", ca="cert.pem", **words) as anna:
            await anna.until(lambda: "certificate is not accepted" in anna.engine.trouble)
        async with node(tmp_path, host="localhost", **words) as anna:
            await anna.until(lambda: "certificate is not accepted" in anna.engine.trouble)
        async with node(tmp_path, host="localhost", ca="none", **words) as anna:
            await anna.until(lambda: "cannot be read" in anna.engine.trouble)
        async with node(tmp_path, host="localhost", port=server.port) as anna:
            await anna.until(lambda: anna.engine.trouble)


@needs_redis
async def test_a_certificate_that_runs_out_or_changes_is_said_and_the_right_one_taken(
    tmp_path: Path,
) -> None:
    known, new = tmp_path / "known", tmp_path / "new"
    for folder in (known, new):
        folder.mkdir()
        self_signed(folder)
    lines = (
        "port 0\ntls-port PORT\ntls-auth-clients no\n"
        f"tls-cert-file {new}/cert.pem\ntls-key-file {new}/key.pem"
    )
    async with engine(tmp_path, lines) as server:
        there = {"host": "localhost", "port": server.port, "tls": True, "ca": "ca.pem"}

        async def begin_anew(trusted: Path, *, days: float = 2.0) -> None:
            """As somebody does who renews it."""
            self_signed(new, days=days)
            (tmp_path / "ca.pem").write_bytes((trusted / "cert.pem").read_bytes())
            server.kill()
            await server.start()

        await begin_anew(new)
        async with node(tmp_path, **there) as anna:
            await anna.up()
            await begin_anew(new, days=-1.0)
            await anna.until(lambda: "certificate has expired" in anna.engine.trouble)
            await begin_anew(known)
            await anna.until(lambda: "self-signed certificate" in anna.engine.trouble)
            assert not anna.engine.is_up
            await begin_anew(new)  # both files are read again at each attempt
            await anna.up()


async def test_what_is_no_engine_is_said(tmp_path: Path) -> None:
    old = b"-ERR unknown command `HELLO`, with args beginning with: `3`, \r\n"
    locked = b"-DENIED Redis is running in protected mode because no password is set.\r\n"
    answers = [
        old,
        locked,
        b"SSH-2.0-x\r\n",
        b"+OK\r\n" * 50,
        b"$99999999\r\n" + bytes(2 << 20),
        b"",
    ]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(answers[0])
        await reader.read()

    async with talking(answer) as port:
        for words in (
            "speaks no RESP3",
            "protected mode",
            "RESP: is",
            "out of turn",
            "without an end",
            "no answer",
        ):
            async with node(tmp_path, host="127.0.0.1", port=port) as anna:
                await anna.until(lambda words=words: words in anna.engine.trouble)
            answers.pop(0)
    async with node(tmp_path, host="192.0.2.1") as anna:
        await anna.until(lambda: "not in a local network" in anna.engine.trouble)


def test_what_nobody_asked_is_no_answer() -> None:
    with pytest.raises(EngineError, match="nobody asked"):
        Talk().read(b"+OK\r\n")
    with pytest.raises(EngineError, match="as many clients as it takes"):
        Talk().read(b"-ERR max number of clients reached\r\n")


@given(st.lists(st.binary(max_size=60), max_size=6))
def test_whatever_is_answered_is_an_event_or_the_end(pieces: list[bytes]) -> None:
    talk = Talk()
    talk.login("a", "b", [CHANNEL], trials(NAME), 0.0)
    with suppress(EngineError):  # anything else is an error of ours
        for piece in pieces:
            talk.read(piece)


ANY_ANSWER = st.sampled_from(
    [
        *(b"_\r\n", b"+OK\r\n", b":1\r\n", b":-7\r\n", b"#t\r\n", b",inf\r\n", b"$-1\r\n"),
        *(b"$3\r\nabc\r\n", b"$0\r\n\r\n", b"*0\r\n", b"*-1\r\n", b"%1\r\n+a\r\n+b\r\n"),
        *(b"*2\r\n:1\r\n*1\r\n+x\r\n", b"-OOM no room\r\n", b"-MOVED 1 x\r\n", b"-\r\n"),
        *(b">0\r\n", b">1\r\n+smessage\r\n", b">3\r\n+smessage\r\n:1\r\n:2\r\n"),
        *(b">3\r\n+ssubscribe\r\n+x\r\n:1\r\n", b">2\r\n+invalidate\r\n_\r\n"),
        b">3\r\n$8\r\nsmessage\r\n$1\r\nc\r\n$5\r\nshort\r\n",
    ]
)
EVERYTHING = (
    *(Claim(NAME, b"a", MINUTE), Fetch(NAME), Publish(NAME, CHANNEL, b"a", MINUTE)),
    *(Publish(NAME, CHANNEL, b"a", 0), Extend(NAME, b"a", MINUTE), Release(NAME, b"a")),
    *(Take(NAME, b"a", b"b", MINUTE), Watch(CHANNEL), Unwatch(CHANNEL)),
)


@given(st.lists(ANY_ANSWER, max_size=20))
def test_answers_of_any_type_are_an_event_or_the_end(answers: list[bytes]) -> None:
    """Whatever was asked: what is not understood gives nothing to anybody."""
    talk = Talk()
    talk.write(EVERYTHING, 0.0)
    told: list[EngineEvent] = []
    with suppress(EngineError):
        for answer in answers:
            told += talk.read(answer)
    for event in told:
        if isinstance(event, Extended):
            assert event.held in (True, False)
        elif isinstance(event, Fetched | Claimed):
            value = event.value if isinstance(event, Fetched) else event.theirs
            assert value is None or isinstance(value, bytes)
        else:
            assert isinstance(event, Unheard)


@pytest.mark.parametrize("kind", [b"*", b"%", b"~", b">", b"|"])
@pytest.mark.parametrize("before", [b"", b"$3\r\nabc\r\n*3\r\n"])
@pytest.mark.parametrize("piece", [1, 8, 100])
def test_a_long_list_is_not_made_room_for(kind: bytes, before: bytes, piece: int) -> None:
    """14 bytes of an engine took 8 GB and 15 s."""
    talk = Talk()
    talk.login(None, None, (), (), 0.0)
    said = before + kind + b"1000000000\r\n"
    most = _peak(lambda: [talk.read(said[at : at + piece]) for at in range(0, len(said), piece)])
    assert most < 1 << 20


def test_a_list_without_an_end_is_not_collected() -> None:
    talk = Talk()
    talk.login(None, None, (), (), 0.0)
    assert _peak(lambda: [talk.read(b"*99999\r\n" + b":1\r\n" * 60_000) for _ in range(50)]) < 1e7


def _peak(read: Callable[[], object]) -> int:
    """The most memory that it takes until the talk is ended."""
    tracemalloc.start()
    try:
        with pytest.raises(EngineError, match=r"without an end|nobody asked"):
            read()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_lists_and_values_of_usual_size_are_read() -> None:
    talk = Talk()
    talk.login(None, None, (), trials(NAME)[:1], 0.0)
    value = b"\r\n*99999\r\n" + bytes(9) + b"123456\r\n"
    said = b"*2\r\n:1\r\n:2\r\n" + b"+OK\r\n+PONG\r\n"
    talk.write([Fetch(NAME)], 0.0)
    events = talk.read(said + b"$%d\r\n%b\r\n" % (len(value), value))
    assert events == [EngineBack(), Fetched(NAME, value)]


def test_words_of_an_engine_are_shown_only_as_far_as_they_can_be() -> None:
    assert explain("ERR \x1b[2Jwhat") == "it refuses: ERR  [2Jwhat"
    assert len(explain("ERR " + "x" * 5000)) < 150


def test_the_password_is_in_no_word_of_ours() -> None:
    assert "right" not in repr(FleetTable(host="x", key_file="k", user="a", password="right"))


async def test_a_flood_of_the_engine_is_worked_on_in_turns_with_others() -> None:
    """In the order in which it came, and nothing more is read until it is done."""
    told: list[EngineEvent] = []
    wire = engine_module._Wire(Talk(), told.append)
    theirs, ours = socket.socketpair()
    with theirs:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_unix_connection(lambda: wire, sock=ours)
        names = [number.to_bytes(NAME_LENGTH) for number in range(2000)]
        head = b">3\r\n$8\r\nsmessage\r\n$7\r\ncccamd:\r\n$%d\r\n" % NAME_LENGTH
        said = b"".join(head + name + b"\r\n" for name in names)
        wire.data_received(said[: engine_module.PIECE])
        begun = len(told)
        assert begun, "a little is worked on at once"
        wire.data_received(said[engine_module.PIECE :])
        assert len(told) == begun
        assert not transport.is_reading()
        await asyncio.sleep(0)
        assert begun < len(told) < len(names)
        async with asyncio.timeout(10.0):
            while not transport.is_reading():
                await asyncio.sleep(0)
        assert [event.name for event in told if isinstance(event, Pushed)] == names
        transport.close()
