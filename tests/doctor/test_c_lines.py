"""C-lines to real servers on the loopback interface, each with a trouble of its own."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cccamd.cards import CardTable, Rejected
from cccamd.doctor import Finding, Verdict, trial
from cccamd.doctor.installation import Installation
from cccamd.doctor.running import RunningSource
from cccamd.doctor.trial import Trial, try_server
from cccamd.doctor.upstreams import MEANINGS, Patient, judge_upstream
from cccamd.facts import SourceKind
from cccamd.localcards import find_kinds
from cccamd.net import (
    Step,
)
from cccamd.server import Server, target_of
from cccamd.setup.cccamcfg import parse
from cccamd.setup.logins import Upstream, upstreams_of
from cccamd.setup.setup import Setup
from cccamd.setup.toml import ParsedToml
from cccamd.setup.toml import parse as parse_toml
from cccamd.wire.cccam import Identity, is_original_seed, make_node_id

HOST = "127.0.0.1"
IDENTITY = Identity(make_node_id(os.urandom(4)), "doctor test")
UPSTREAM_TOML = '[[card]]\nkind = "test"\ncaid = "7F00"\n[server]\nbind = ["127.0.0.1"]\n'


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "STEP_TIMEOUT", 0.3)
    monkeypatch.setattr("cccamd.net.client.CARDS_TIMEOUT", 1.3)
    monkeypatch.setattr("cccamd.net.client.CARDS_QUIET", 0.05)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        return int(sock.getsockname()[1])


def an_installation(port: int, cfg: str = "C: {host} {port} me secret") -> Installation:
    text = cfg.format(host=HOST, port=port)
    return Installation(
        path=Path("CCcam.cfg"), named=True, result=parse(text.encode()), toml=ParsedToml()
    )


def the_upstream(installation: Installation) -> Upstream:
    (only,) = upstreams_of(installation.config, installation.settings)
    return only


async def examine(
    port: int, cfg: str = "C: {host} {port} me secret", *, log_in: bool = True
) -> tuple[Trial, Installation]:
    installation = an_installation(port, cfg)
    target = target_of(the_upstream(installation))
    return await try_server(target, identity=IDENTITY, log_in=log_in), installation


def judged(found: Trial, installation: Installation, **words: object) -> Finding:
    asked = the_upstream(installation)
    fields: dict[str, object] = {"line": asked.line, "trial": found, "policy": asked.policy}
    fields["taken"] = len(found.cards)
    return judge_upstream(Patient(**(fields | words)))  # type: ignore[arg-type]


@asynccontextmanager
async def upstream(f_line: str) -> AsyncIterator[int]:
    """A real server with one test card, and one account."""
    port = free_port()
    config = parse(f"SERVER LISTEN PORT : {port}\n{f_line}".encode()).config
    toml = parse_toml(UPSTREAM_TOML, kinds=find_kinds(), folder=Path()).config
    server = Server(Setup(config=config, toml=toml, node_id=make_node_id(os.urandom(4))))
    await server.start()
    try:
        yield port
    finally:
        await asyncio.sleep(0.02)
        await server.stop()


@asynccontextmanager
async def impostor(first_words: bytes, *, hangs_up: bool) -> AsyncIterator[int]:
    """Something that listens and is no CCcam server."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(first_words)
        if not hangs_up:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(greet, HOST, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.sleep(0.02)  # until both ends have closed


async def test_a_server_that_is_well() -> None:
    async with upstream("F: me secret") as port:
        found, installation = await examine(port)
    assert (found.reached, len(found.cards), found.failed) == (Step.UP, 1, False)
    assert len(found.round_trips) == trial.CONNECTS
    finding = judged(found, installation)
    assert (finding.verdict, finding.evidence) == (Verdict.OK, "login works, 1 card")


@pytest.mark.parametrize("f_line", ["F: me other", "F: somebody secret", "F: ME secret"])
async def test_a_wrong_login(f_line: str) -> None:
    async with upstream(f_line) as port:
        found, installation = await examine(port)
    finding = judged(found, installation)
    assert finding.verdict is Verdict.FAILURE
    assert "login refused" in finding.evidence
    assert "line 1" in finding.advice
    assert finding.more[0].startswith("1. wrong user name or password")
    assert "secret" not in repr(found) + repr(finding)


async def test_an_f_line_that_gives_nothing() -> None:
    async with upstream("F: me secret 5 1 1 { 0:0:0 }") as port:
        found, installation = await examine(port)
    finding = judged(found, installation)
    assert finding.verdict is Verdict.WARNING
    assert "0 cards" in finding.evidence
    assert "downhops 0" in finding.more[0]


async def test_without_a_login_it_stops_after_the_seed() -> None:
    async with upstream("F: me secret") as port:
        found, installation = await examine(port, log_in=False)
    assert (found.reached, found.failed, found.cards) == (Step.LOGIN, False, ())
    finding = judged(found, installation)
    assert finding.verdict is Verdict.OK
    assert "throw out the first" in finding.evidence


@pytest.mark.parametrize(
    ("first_words", "hangs_up", "evidence", "cause"),
    [
        (b"", False, "then says nothing", "hangs or is overloaded"),
        (b"", True, "closes it at once", "our address is banned"),
        (bytes(14), False, "as newcamd servers do", "newcamd"),
        (b"SSH-2.0-x\r\n", False, "11 bytes instead of a seed", "something else"),
        (b"HTTP/1.1 400 Bad Request\r\n", True, "no seed of CCcam", "something else"),
    ],
)
async def test_something_else_listens(
    first_words: bytes, hangs_up: bool, evidence: str, cause: str
) -> None:
    async with impostor(first_words, hangs_up=hangs_up) as port:
        found, installation = await examine(port)
    finding = judged(found, installation)
    assert finding.verdict is Verdict.FAILURE
    assert evidence in finding.evidence
    assert cause in finding.more[0]


async def test_a_stranger_is_not_told_our_user_name() -> None:
    heard = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes(range(16)))
        heard.append(await reader.read())
        writer.close()

    server = await asyncio.start_server(listen, HOST, 0)
    async with server:
        found, _ = await examine(server.sockets[0].getsockname()[1])
        await asyncio.sleep(0.02)
    assert (found.reached, found.failed) == (Step.SEED, True)
    assert set(heard) == {b""}


def test_a_server_that_answers_only_once() -> None:
    seed = bytes(16)
    assert is_original_seed(seed)
    found = judged(Trial(reached=Step.SEED, greeting=seed), an_installation(1))
    assert found.verdict is Verdict.FAILURE
    assert "none when we came again" in found.evidence


async def test_nobody_listens() -> None:
    found, installation = await examine(free_port())
    finding = judged(found, installation)
    assert finding.verdict is Verdict.FAILURE
    assert "connection refused" in finding.evidence
    assert "does not run" in finding.more[0]
    assert found.round_trips == ()


async def test_a_host_that_cannot_be_a_name() -> None:
    found, _ = await examine(1, f"C: {'x' * 70}.example {{port}} me secret")
    assert (found.reached, found.failed) == (Step.RESOLVE, True)


async def test_our_own_settings_leave_all_cards_out() -> None:
    async with upstream("F: me secret") as port:
        found, installation = await examine(port, "C: {host} {port} me secret no {{ 0:0:0 }}")
    table = CardTable(make_node_id(os.urandom(4)))
    source = table.add_source(the_upstream(installation).policy)
    answers = [table.add(source, card) for card in found.cards]
    rejected = tuple(answer for answer in answers if isinstance(answer, Rejected))
    finding = judged(found, installation, taken=0, rejected=rejected)
    assert finding.verdict is Verdict.WARNING
    assert "our own settings leave out all" in finding.evidence
    assert finding.advice == "Look at the limits in line 1 of CCcam.cfg."


@pytest.mark.parametrize(
    ("state", "cards", "failure", "verdict", "words"),
    [
        ("up", 3, "", Verdict.OK, "our server is logged in, 3 cards"),
        ("up", 0, "", Verdict.WARNING, "offers 0 cards"),
        ("waiting", 0, "the login was refused", Verdict.FAILURE, "waiting: the login was refused"),
    ],
)
async def test_the_running_server_knows_best(
    state: str, cards: int, failure: str, verdict: Verdict, words: str
) -> None:
    async with upstream("F: me secret") as port:
        found, installation = await examine(port, log_in=False)
    running = RunningSource(
        name=f"{HOST}:{port}",
        kind=SourceKind.CCCAM,
        line=1,
        state=state,
        last_failure=failure,
        node_id=None,
        cards=cards,
        cards_rejected=0,
        asked=0,
        answered=0,
        usual_seconds=None,
    )
    finding = judged(found, installation, running=running)
    assert finding.verdict is verdict
    assert words in finding.evidence


def test_every_step_that_can_fail_has_a_meaning() -> None:
    assert set(Step) - set(MEANINGS) == {Step.UP}
