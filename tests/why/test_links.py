"""C-lines to real servers on the loopback interface, each with a trouble of its own."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cccamd.cards import CardTable, Rejected
from cccamd.cli import trial
from cccamd.cli.trial import try_server
from cccamd.facts import LinkState
from cccamd.lab.ports import free_port
from cccamd.localcards import find_kinds
from cccamd.net import Step
from cccamd.routing import Priorities
from cccamd.server import Server, target_of
from cccamd.setup.cccamcfg import parse
from cccamd.setup.logins import Upstream, upstreams_of
from cccamd.setup.setup import Setup
from cccamd.setup.toml import TomlConfig
from cccamd.setup.toml import parse as parse_toml
from cccamd.why import Diagnosis, Evidence, Grade, evidence_of_files
from cccamd.why.links import Trial, TriedLink, judge_link
from cccamd.why.meanings import MEANINGS
from cccamd.wire.cccam import Identity, is_original_seed, make_node_id
from fact_factory import a_source
from talking import talking

HOST = "127.0.0.1"
IDENTITY = Identity(make_node_id(os.urandom(4)), "doctor test")
UPSTREAM_TOML = '[[card]]\nkind = "test"\ncaid = "7F00"\n[server]\nbind = ["127.0.0.1"]\n'


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "STEP_TIMEOUT", 0.3)
    monkeypatch.setattr("cccamd.net.client.CARDS_TIMEOUT", 1.3)
    monkeypatch.setattr("cccamd.net.client.CARDS_QUIET", 0.05)


def files(port: int, cfg: str = "C: {host} {port} me secret") -> Evidence:
    text = cfg.format(host=HOST, port=port)
    config = parse(text.encode(), file="CCcam.cfg").config
    return evidence_of_files(config, TomlConfig(), Priorities(), at=0.0, minute=0)


def the_upstream(evidence: Evidence) -> Upstream:
    (only,) = upstreams_of(evidence.config, evidence.toml)
    return only


async def examine(
    port: int, cfg: str = "C: {host} {port} me secret", *, log_in: bool = True
) -> tuple[Trial, Evidence]:
    evidence = files(port, cfg)
    target = target_of(the_upstream(evidence))
    return await try_server(target, identity=IDENTITY, log_in=log_in), evidence


def judged(found: Trial, evidence: Evidence, **words: object) -> Diagnosis:
    fields: dict[str, object] = {"upstream": the_upstream(evidence), "trial": found}
    fields["taken"] = len(found.cards)
    return judge_link(TriedLink(**(fields | words)), evidence)  # type: ignore[arg-type]


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

    async with talking(greet) as port:
        yield port


async def test_a_server_that_is_well() -> None:
    async with upstream("F: me secret") as port:
        found, evidence = await examine(port)
    assert (found.reached, len(found.cards), found.failed) == (Step.UP, 1, False)
    assert found.round_trip is not None
    assert found.round_trip.jitter is not None
    judgement = judged(found, evidence)
    assert (judgement.grade, judgement.finding.text) == (Grade.OK, "login works, 1 card taken")


@pytest.mark.parametrize("f_line", ["F: me other", "F: somebody secret", "F: ME secret"])
async def test_a_wrong_login(f_line: str) -> None:
    async with upstream(f_line) as port:
        found, evidence = await examine(port)
    judgement = judged(found, evidence)
    assert judgement.grade is Grade.FAILURE
    assert "login refused" in judgement.finding.text
    assert "line 1" in judgement.advice
    assert judgement.more[0].startswith("1. wrong user name or password")
    assert "secret" not in repr(found) + repr(judgement)


async def test_an_f_line_that_gives_nothing() -> None:
    async with upstream("F: me secret 5 1 1 { 0:0:0 }") as port:
        found, evidence = await examine(port)
    judgement = judged(found, evidence)
    assert judgement.grade is Grade.WARNING
    assert "announces no cards" in judgement.finding.text
    assert "downhops 0" in judgement.more[0]


async def test_without_a_login_it_stops_after_the_seed() -> None:
    async with upstream("F: me secret") as port:
        found, evidence = await examine(port, log_in=False)
    assert (found.reached, found.failed, found.cards) == (Step.LOGIN, False, ())
    judgement = judged(found, evidence)
    assert judgement.grade is Grade.OK
    assert "throw out the first" in judgement.finding.text


@pytest.mark.parametrize(
    ("first_words", "hangs_up", "words", "cause"),
    [
        (b"", False, "no seed came within the time", "hangs or is overloaded"),
        (b"", True, "before it had sent a byte", "our address is banned"),
        (bytes(range(200, 214)), False, "a newcamd server answers there", "newcamd"),
        (b"SSH-2.0-x\r\n", False, 'an SSH server and says "SSH-2.0-x"', "something else"),
        (b"HTTP/1.1 400 Bad Request\r\n", True, "it is a web server", "something else"),
    ],
)
async def test_something_else_listens(
    first_words: bytes, hangs_up: bool, words: str, cause: str
) -> None:
    async with impostor(first_words, hangs_up=hangs_up) as port:
        found, evidence = await examine(port)
    judgement = judged(found, evidence)
    assert judgement.grade is Grade.FAILURE
    assert words in judgement.finding.text
    assert cause in judgement.more[0]


async def test_a_stranger_is_not_told_our_user_name() -> None:
    begun, heard = [], []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begun.append(reader)
        writer.write(bytes(range(16)))
        heard.append(await reader.read())

    async with talking(listen) as port:
        found, _ = await examine(port)
    assert len(heard) == len(begun) > 0
    assert (found.reached, found.failed) == (Step.SEED, True)
    assert set(heard) == {b""}


def test_a_server_that_answers_only_once() -> None:
    seed = bytes(16)
    assert is_original_seed(seed)
    judgement = judged(Trial(reached=Step.SEED, greeting=seed), files(1))
    assert judgement.grade is Grade.FAILURE
    assert "none when we came again" in judgement.finding.text


async def test_nobody_listens() -> None:
    found, evidence = await examine(free_port())
    judgement = judged(found, evidence)
    assert judgement.grade is Grade.FAILURE
    assert "connection refused" in judgement.finding.text
    assert "does not run" in judgement.more[0]
    assert found.round_trip is None


async def test_a_host_that_cannot_be_a_name() -> None:
    found, _ = await examine(1, f"C: {'x' * 70}.example {{port}} me secret")
    assert (found.reached, found.failed) == (Step.RESOLVE, True)


async def test_our_own_settings_leave_all_cards_out() -> None:
    async with upstream("F: me secret") as port:
        found, evidence = await examine(port, "C: {host} {port} me secret no {{ 0:0:0 }}")
    table = CardTable(make_node_id(os.urandom(4)))
    source = table.add_source(the_upstream(evidence).policy)
    answers = [table.add(source, card) for card in found.cards]
    rejected = tuple(answer for answer in answers if isinstance(answer, Rejected))
    judgement = judged(found, evidence, taken=0, rejected=rejected)
    assert judgement.grade is Grade.WARNING
    assert "our own settings leave out all" in judgement.finding.text
    assert judgement.advice == "Look at the limits in line 1 of CCcam.cfg."


@pytest.mark.parametrize(
    ("state", "cards", "failure", "grade", "words"),
    [
        (LinkState.UP, 3, "", Grade.OK, "our server is logged in, 3 cards"),
        (LinkState.UP, 0, "", Grade.WARNING, "announces no cards"),
        (
            LinkState.WAITING,
            0,
            "the login was refused",
            Grade.FAILURE,
            "waiting: the login was refused",
        ),
    ],
)
async def test_the_running_server_knows_best(
    state: LinkState, cards: int, failure: str, grade: Grade, words: str
) -> None:
    async with upstream("F: me secret") as port:
        found, evidence = await examine(port, log_in=False)
    running = a_source(
        f"{HOST}:{port}",
        line=1,
        state=state,
        last_failure=failure,
        failed_step=Step.LOGIN if failure else None,
        cards_by_hop={1: cards},
    )
    judgement = judged(found, evidence, running=running)
    assert judgement.grade is grade
    assert words in judgement.finding.text


def test_every_step_that_can_fail_has_a_meaning() -> None:
    assert set(Step) - set(MEANINGS) == {Step.UP}
