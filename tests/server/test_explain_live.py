"""Each trouble is made for real, and the explanation names it."""

import asyncio
import os
import time

import pytest
from laboratory import (
    HOST,
    TEST_CARD,
    Laboratory,
    ask,
    cards_of,
    expected_cw,
    request,
    running,
    setup,
)
from scripted import mute, scripted

from cccamd.cli.webreader import WebAddress, read_explanation
from cccamd.ids import Caid, Ident, Sid
from cccamd.lab.ports import free_port
from cccamd.net import ConnectError
from cccamd.values import Refusal
from cccamd.why import Explanation, Finding, Question, Weight


def bad(findings: tuple[Finding, ...]) -> list[str]:
    return [found.code for found in findings if found.weight is Weight.BAD]


def the_card(answer: Explanation) -> Finding:
    """The last word on the only card."""
    (card,) = answer.cards
    return card.findings[-1]


def c_line(lab: Laboratory, extra: str = "") -> str:
    return f"C: {HOST} {lab.port} anna secret {extra}\n"


class Witness:
    """Asks one server."""

    def __init__(self, lab: Laboratory) -> None:
        self.lab = lab
        # Without pages and journal, which the laboratory leaves out, nothing is remembered.
        lab.server.observe(lab.server._watchers.observe)

    @property
    def f_line(self) -> int:
        """Where the F-line stands, the remarks of the laboratory before it included."""
        return self.lab.server._setup.config.f_lines[0].line

    @property
    def c_line(self) -> int:
        return self.lab.server._setup.config.c_lines[0].line

    def ask(
        self, account: str = "anna", *, caid: int | None = None, sid: int | None = None
    ) -> Explanation:
        question = Question(
            account=account,
            caid=None if caid is None else Caid(caid),
            ident=None if sid is None else Ident(0x0A),
            sid=None if sid is None else Sid(sid),
        )
        return self.lab.server.explain(question)


async def until(witness: Witness, *, rejected: int = 0, cards: int = 0) -> None:
    """Wait until the last source has so many cards taken and not taken."""
    async with asyncio.timeout(10.0):
        while True:
            source = witness.lab.server.snapshot().sources[-1]
            if (source.cards, source.cards_rejected) == (cards, rejected):
                return
            await asyncio.sleep(0.02)


async def failed(witness: Witness, times: int) -> None:
    """Wait until the server knows of so many failed logins: the client may hear of it before."""
    async with asyncio.timeout(10.0):
        while witness.lab.server.snapshot().logins_failed < times:
            await asyncio.sleep(0.01)


async def test_a_f_line_with_downhops_0() -> None:
    cfg = "F: anna secret 1 0 {0,0,0,0,0,0,0,0}"
    async with running() as far, running(c_line(far) + cfg, "") as near, near.client():
        witness = Witness(near)
        await until(witness, cards=1)
        answer = witness.ask()
        found = the_card(answer)
        assert f"the F-line in line {witness.f_line} of CCcam.cfg lets" in found.text
        assert "lets anna see cards up to hop 0; this card is at hop 1" in found.text
        assert found.change == f"raise the fourth field (downhops) of line {witness.f_line} to 1"
        assert "was told of 0 cards" in answer.findings[0].text
        await near.server.reload(setup(c_line(far) + cfg.replace("1 0", "1 1"), "", port=near.port))
        assert witness.ask().cards[0].seen


async def test_a_limit_that_excludes_the_caid() -> None:
    async with running("F: anna secret 5 0 1 { 7f00:0 }") as lab, lab.client() as client:
        witness = Witness(lab)
        assert await ask(client, b"\x80", share_id=1) is Refusal.PASSING
        answer = witness.ask(caid=0x7F00, sid=1)
        assert f"{{ 7F00:0:0 }} of the F-line in line {witness.f_line}" in the_card(answer).text
        assert "no card that this account sees fits 7F00:00000A:0001" in answer.ecms[0].why
        assert "its last ECM got no CW" in answer.summary


async def test_a_service_that_is_denied() -> None:
    cfg = "F: anna secret 5 0 1 { } { 7f00:00000a:0007 }"
    async with running(cfg) as lab, lab.client() as client:
        witness = Witness(lab)
        await cards_of(client)
        assert await ask(client, b"\x80", sid=7) is Refusal.CANNOT_DECODE
        assert (
            "second braces { 7F00:00000A:0007 }" in the_card(witness.ask(caid=0x7F00, sid=7)).text
        )
        assert witness.ask(caid=0x7F00, sid=8).cards[0].usable


async def test_reshare_0_upstream() -> None:
    limited = "F: anna secret 5 0 1 { 0:0:1 }"
    async with (
        running(limited) as far,
        running(c_line(far) + "F: anna secret", "") as near,
        near.client() as client,
    ):
        witness = Witness(near)
        await until(witness, cards=1)
        assert not client.cards
        found = the_card(witness.ask())
        assert found.code == "not-reshared"
        assert found.setting is not None
        assert found.setting.line == witness.c_line


async def test_a_loop() -> None:
    one, other = free_port(), free_port()
    async with (
        running(f"C: {HOST} {other} anna secret\nF: anna secret", port=one) as a,
        running(f"C: {HOST} {one} anna secret\nF: anna secret", "", port=other) as b,
    ):
        witness = Witness(b)
        await until(witness, cards=1)
        async with asyncio.timeout(10.0):
            while "anna" not in [client.account for client in b.server.snapshot().clients]:
                await asyncio.sleep(0.02)
        found = the_card(witness.ask())
        assert found.code == "loop"
        assert "it came to us through anna itself" in found.text
        assert a.server.snapshot().cards


async def test_hours_that_are_over() -> None:
    local = time.localtime()
    hour = (local.tm_hour + 12) % 24
    cfg = f"F: anna secret 5 0 1 {{ }} {{ }} {{ {hour:02}:00-{hour:02}:30 }}"
    async with running(cfg) as lab, lab.client() as client:
        witness = Witness(lab)
        await cards_of(client)
        assert await ask(client, b"\x80") is Refusal.PASSING
        answer = witness.ask()
        assert bad(answer.findings) == ["hours-closed"]
        assert f"{hour:02}:00-{hour:02}:30 only" in answer.summary


async def test_a_card_that_was_removed() -> None:
    async with (
        running() as far,
        running(c_line(far) + "F: anna secret", "") as near,
        near.client() as client,
    ):
        witness = Witness(near)
        await cards_of(client)
        await asyncio.sleep(0.15)
        await far.server.reload(setup("F: anna secret", "", port=far.port))
        await cards_of(client, 0)
        await asyncio.sleep(0.15)
        answer = witness.ask(caid=0x7F00)
        assert answer.summary == "there are no cards of this CAID at all now: see the sources"
        (source,) = answer.sources
        assert bad(source.findings) == ["announces-nothing", "cards-removed"]
        assert "its list went from 1 card to 0" in source.findings[-1].text


async def test_a_source_that_refuses_us() -> None:
    async with (
        running("F: anna other") as far,
        running(c_line(far) + "F: anna secret", "") as near,
        near.client(),
    ):
        witness = Witness(near)
        async with asyncio.timeout(10.0):
            while not near.server.snapshot().sources[0].last_failure:
                await asyncio.sleep(0.02)
        (source,) = witness.ask().sources
        assert bad(source.findings) == ["down"]
        assert "closed the connection after user name and password" in source.findings[0].text
        assert (
            f"compare user name and password in line {witness.c_line}" in source.findings[0].change
        )


async def test_limits_of_a_c_line() -> None:
    async with (
        running() as far,
        running(c_line(far, "no { 7f00:00000a:0 }") + "F: anna secret", "") as near,
    ):
        witness = Witness(near)
        await until(witness, rejected=1)
        answer = witness.ask()
        assert the_card(answer).change == (
            f"put 7F00:00000A:1 into the braces of line {witness.c_line}"
        )
        assert "1 not taken from its source" in answer.summary
        assert bad(answer.sources[0].findings) == ["all-rejected"]


async def test_why_somebody_cannot_connect() -> None:
    async with running() as lab:
        witness = Witness(lab)
        with pytest.raises(ConnectError):
            async with lab.client(password="wrong"):
                pass
        await failed(witness, 1)
        answer = witness.ask()
        assert "wrong password for this user name" in answer.findings[0].text
        assert "password in the receiver's C-line" in answer.findings[0].change
        with pytest.raises(ConnectError):
            async with lab.client("Anna"):
                pass
        await failed(witness, 2)
        assert "did you mean anna?" in witness.ask("Anna").summary
        assert "no F-line has this user name" in witness.ask("Anna").findings[1].text


async def test_the_story_of_an_ecm_names_who_was_asked_and_why() -> None:
    async with (
        running() as far,
        running(c_line(far) + "F: anna secret", TEST_CARD) as near,
        near.client() as client,
    ):
        await cards_of(client, 2)
        witness = Witness(near)
        ecm = os.urandom(50)
        assert await ask(client, ecm) == expected_cw(ecm)
        assert await ask(client, ecm) == expected_cw(ecm)
        cached, story = witness.ask(caid=0x7F00, sid=1).ecms
        assert story.answered
        assert story.source == "test1"
        assert [card.source for card in story.considered] == ["test1", f"{HOST}:{far.port}"]
        assert story.why == (f"test1 was asked before {HOST}:{far.port}: it is a card of our own")
        assert [step.text for step in story.steps] == ["is asked", "gave the CW"]
        assert "the CW was known already" in cached.why


async def test_the_story_of_a_refusal() -> None:
    toml = "[limits]\necm_deadline = 0.5\n"
    async with (
        scripted(mute) as far,
        running(c_line(far) + "F: anna secret", toml) as near,
        near.client() as client,
    ):
        await cards_of(client)
        witness = Witness(near)
        share_id = next(iter(client.cards))
        assert await client.ask(request(b"\x80", share_id=share_id)) is Refusal.PASSING
        (story,) = witness.ask().ecms
        assert not story.answered
        assert story.why.startswith("no card answered in time")
        name = f"{HOST}:{far.port}"
        late, silent = f"{name} is later than usual", f"{name} was asked and has not answered"
        assert late in story.why or silent in story.why


async def test_the_story_of_a_card_that_had_to_help() -> None:
    dead = TEST_CARD.replace('"test"', '"fixed"') + (
        'name = "dead"\nservices = { "0077" = "010203060405060f010203060405060f" }\n'
    )
    async with (
        running() as far,
        running(c_line(far) + "F: anna secret", dead) as near,
        near.client() as client,
    ):
        await cards_of(client, 2)
        witness = Witness(near)
        assert await ask(client, b"\x80help") == expected_cw(b"\x80help")
        (story,) = witness.ask().ecms
        assert story.source == f"{HOST}:{far.port}"
        assert story.why == (f"dead cannot decode the service; then {HOST}:{far.port} gave the CW")


async def test_the_command_is_answered_by_the_running_server() -> None:
    port = free_port()
    cfg = f"ALLOW WEBINFO : yes\nWEBINFO LISTEN PORT : {port}\nF: anna secret"
    async with running(cfg) as lab, lab.client() as client:
        await cards_of(client)
        assert await ask(client, b"\x80web") == expected_cw(b"\x80web")
        question = Question(account="anna", caid=Caid(0x7F00), ident=Ident(0x0A), sid=Sid(1))
        address = WebAddress(url=f"http://{HOST}:{port}")
        answer = await asyncio.to_thread(read_explanation, address, question)
        assert answer.live
        assert answer.cards == lab.server.explain(question).cards
        assert "anna can use 1 of 1 card; its last ECM was answered by test1" in answer.summary
