"""A source that says nothing, gives wrong CWs, takes cards back or learns; over real sockets."""

import asyncio
import time
from collections.abc import Callable

import pytest
from laboratory import HOST, Laboratory, ask, cards_of, expected_cw, running
from scripted import ScriptedServer, mute, right, scripted

from cccamd.facts import SourceStatus
from cccamd.ids import Caid
from cccamd.routing import condition
from cccamd.values import ControlWords, Emm, Refusal, Request
from cccamd.why import Question


def c_line(server: ScriptedServer) -> str:
    return f"C: {HOST} {server.port} anna secret\nF: anna secret"


def status(lab: Laboratory) -> SourceStatus:
    (source,) = lab.server.snapshot().sources
    return source


async def until(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10.0):
        while not is_true():
            await asyncio.sleep(0.01)


def watch(lab: Laboratory) -> None:
    """Without pages and journal, which the laboratory leaves out, nothing is remembered."""
    lab.server.observe(lab.server._watchers.observe)


def explained(lab: Laboratory) -> str:
    question = Question(account="anna", source=None, caid=Caid(0x7F00), ident=None, sid=None)
    return str(lab.server.explain(question))


async def test_a_source_that_falls_silent_is_shown_explained_and_back_at_its_first_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(condition, "SILENT_AFTER", 0.3)
    monkeypatch.setattr(condition, "GIVEN_UP_AFTER", 0.4)
    monkeypatch.setattr(condition, "PROBE_INTERVAL", 60.0)
    async with (
        scripted(right) as far,
        running(c_line(far), "[limits]\necm_deadline = 2.0\n") as near,
        near.client() as client,
    ):
        await cards_of(client)
        assert await ask(client, b"\x80well") == expected_cw(b"\x80well")
        far.answer = mute
        waiting = asyncio.gather(*(ask(client, b"\x80%d" % n, sid=n) for n in (2, 3)))
        await until(lambda: status(near).silent_since is not None)
        since = status(near).silent_since
        assert since is not None
        assert 0.0 < time.time() - since < 5.0
        assert "is logged in and answers nothing that it is asked, for " in explained(near)
        await until(lambda: len(far.asked) == 3)
        await waiting
        begin = time.perf_counter()
        assert await ask(client, b"\x80early", sid=4) is Refusal.PASSING
        assert time.perf_counter() - begin < 1.5, "nobody waits for what does not come"
        token, request = far.asked[-1]
        far.give(token, right(request))
        await until(lambda: status(near).silent_since is None)
        far.answer = right
        assert await ask(client, b"\x80back", sid=4) == expected_cw(b"\x80back")


async def test_all_zero_cws_are_called_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "cccamd.client")
    async with (
        scripted(lambda request: ControlWords(bytes(16))) as far,
        running(c_line(far), "") as near,
        near.client() as client,
    ):
        await cards_of(client)
        for sid in range(1, 4):
            assert await ask(client, b"\x80%d" % sid, sid=sid) is Refusal.CANNOT_DECODE
        assert status(near).last_minute.zero == 3
        assert status(near).answered == 0
        name = f"{HOST}:{far.port}"
        assert f"{name} gave an all-zero CW" in caplog.text
        text = explained(near)
        assert "gives CWs that open nothing: 3 all-zero CWs within a minute" in text
        assert "refused" not in text


@pytest.mark.parametrize("thankful", [True, False])
async def test_the_first_cw_comes_as_soon_as_the_card_has_learnt(*, thankful: bool) -> None:
    """It was a minute: the pause had grown meanwhile, and nothing ended it."""
    entitled = asyncio.Event()

    def card(request: Request) -> ControlWords | Refusal:
        return right(request) if entitled.is_set() else Refusal.CANNOT_DECODE

    async with (
        scripted(card, thankful=thankful) as far,
        running(c_line(far), "") as near,
        near.client() as client,
    ):
        await cards_of(client)
        assert await ask(client, b"\x80dark") is Refusal.CANNOT_DECODE
        assert await ask(client, b"\x80dark too") is Refusal.CANNOT_DECODE
        (share_id,) = client.cards
        card_offer = client.cards[share_id]
        await client.send_emm(
            Emm(card_offer.caid, card_offer.providers[0].ident, share_id, b"\x82" + bytes(30))
        )
        await until(lambda: len(far.emms) == 1)
        await asyncio.sleep(0.2)
        entitled.set()
        begin = time.perf_counter()
        number = 0
        while await ask(client, b"\x80light%d" % number) is Refusal.CANNOT_DECODE:
            number += 1
            await asyncio.sleep(0.1)
        assert time.perf_counter() - begin < 5.0
        assert len(far.asked) <= 4, "and it was not flooded"


async def test_a_card_that_is_taken_back_is_not_waited_for() -> None:
    async with scripted(mute) as far, running(c_line(far), "") as near, near.client() as client:
        await cards_of(client)
        watch(near)
        begin = time.perf_counter()
        waiting = asyncio.gather(ask(client, b"\x80gone"))
        await until(lambda: len(far.asked) == 1)
        far.withdraw(1)
        assert await waiting == [Refusal.PASSING]
        assert time.perf_counter() - begin < 4.0
        assert "took its card back before it answered" in explained(near)


async def test_a_card_list_that_is_renewed_costs_nobody_an_answer() -> None:
    async with scripted(mute) as far, running(c_line(far), "") as near, near.client() as client:
        await cards_of(client)
        waiting = asyncio.gather(ask(client, b"\x80stays"))
        await until(lambda: len(far.asked) == 1)
        far.withdraw(1)
        far.offer(1)
        await asyncio.sleep(0.5)
        token, request = far.asked[0]
        far.give(token, right(request))
        assert await waiting == [expected_cw(b"\x80stays")]


async def test_the_other_card_is_asked_when_one_is_taken_back() -> None:
    async with (
        scripted(mute) as one,
        scripted(right) as other,
        running(c_line(one) + f"\nC: {HOST} {other.port} anna secret", "") as near,
        near.client() as client,
    ):
        await cards_of(client, 2)
        waiting = asyncio.gather(ask(client, b"\x80moves"))
        await until(lambda: bool(one.asked or other.asked))
        if one.asked:
            one.withdraw(1)
        assert await asyncio.wait_for(waiting, 1.0) == [expected_cw(b"\x80moves")]
