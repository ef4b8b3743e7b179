"""A link: one login kept alive at a server that comes and goes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest
from peer import CW, ECM, EMM, HOST, PLAIN_NODE, SILENCE, Peer, Server, listens, until

from cccamd.facts import LinkState
from cccamd.lab.ports import free_port
from cccamd.net import (
    Backoff,
    Connected,
    Failure,
    FairPlay,
    Link,
    LinkWaiting,
    Rates,
    Step,
)
from cccamd.net import link as link_module
from cccamd.net.fairness import LINK_LIMITS
from cccamd.wire.cccam import (
    Caller,
    Command,
    Identity,
    ServerProtocol,
    Target,
    make_node_id,
)
from cccamd.wire.cccam import server as server_module
from cccamd.wire.cccam.protocol import Rule
from cccamd.wire.link import (
    Answered,
    Closed,
    CloseReason,
    EmmAcknowledged,
    Introduced,
    OfferAdded,
    Refused,
)

PAUSE = 0.02


class Watched:
    """A link, and what it told."""

    def __init__(
        self,
        port: int,
        react: Callable[[object], None] = lambda event: None,
        fair: FairPlay | None = None,
    ) -> None:
        self.told: list[object] = []
        self.failures: list[tuple[str, BaseException]] = []
        self.backoff = Backoff(first=PAUSE, most=4 * PAUSE)
        self._react = react
        target = Target(host=HOST, port=port, user=b"anna", password=b"secret")
        self.link = Link(
            HOST,
            port,
            Caller(target, Identity(make_node_id(b"clnt"), "test")),
            handle=self._handle,
            on_failure=lambda name, error: self.failures.append((name, error)),
            backoff=self.backoff,
            fair=fair,
        )

    @property
    def waits(self) -> list[LinkWaiting]:
        return [event for event in self.told if isinstance(event, LinkWaiting)]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.link.run())  # noqa: TID251
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def _handle(self, event: object) -> None:
        self.told.append(event)
        self._react(event)


async def test_a_refused_connection_is_told_with_the_pause_and_tried_again() -> None:
    watched = Watched(free_port())
    async with watched.running():
        await until(lambda: len(watched.waits) == 3)
        assert watched.link.state is LinkState.WAITING
        assert not watched.link.is_up
        with pytest.raises(ConnectionError, match="is not connected"):
            watched.link.ask(7, ECM)
        assert not watched.link.forget(1)
    assert {type(event) for event in watched.told} == {LinkWaiting}
    for number, waiting in enumerate(watched.waits):
        assert waiting.failure.step is Step.REFUSED
        assert waiting.failure == watched.link.failure
        assert PAUSE * 2**number / 2 <= waiting.delay <= PAUSE * 2**number
    assert not watched.failures


async def test_a_login_that_ends_is_told_and_comes_back() -> None:
    server = Server()
    async with server.serving() as port:
        watched = Watched(port)
        async with watched.running():
            await until(lambda: OfferAdded in map(type, watched.told))
            assert watched.link.peer_address == HOST
            server.open[0].close()
            await until(lambda: bool(watched.waits))
            assert watched.told[-2:] == [
                Closed(CloseReason.PEER_CLOSED),
                LinkWaiting(
                    Failure(Step.CLOSED, CloseReason.PEER_CLOSED.value), watched.waits[0].delay
                ),
            ]
            assert watched.link.protocol is None
            assert watched.link.failure == watched.waits[0].failure
            await until(lambda: watched.link.is_up)
            kinds = [type(event) for event in watched.told]
            assert kinds.count(Connected) == kinds.count(Introduced) == 2
        await until(lambda: not server.open)
    assert watched.told[-1] == Closed(CloseReason.LOCAL), "whoever stops the link ends the login"


async def test_who_is_thrown_out_before_anything_came_is_told_so() -> None:
    for has_card, step in ((False, Step.THROWN_OUT), (True, Step.CLOSED)):
        server = Server(has_card=has_card, node_id=PLAIN_NODE)
        async with server.serving() as port:
            watched = Watched(port)
            async with watched.running():
                await until(lambda watched=watched: watched.link.is_up)
                awaited = OfferAdded if has_card else Introduced
                await until(
                    lambda watched=watched, awaited=awaited: awaited in map(type, watched.told)
                )
                server.open[0].close()
                await until(lambda watched=watched: bool(watched.waits))
                assert watched.waits[0].failure.step is step


async def test_states_follow_each_other() -> None:
    states: list[LinkState] = []
    server = Server()
    async with server.serving() as port:
        watched = Watched(port, lambda event: states.append(watched.link.state))
        async with watched.running():
            await asyncio.sleep(0)
            assert watched.link.state is LinkState.CONNECTING
            await until(lambda: watched.link.is_up)
            server.open[0].close()
            await until(lambda: bool(watched.waits))
    order = list(dict.fromkeys(states))
    assert order == [LinkState.LOGGING_IN, LinkState.UP, LinkState.WAITING]


async def test_questions_go_out_at_once_while_it_is_up() -> None:
    server = Server()
    async with server.serving() as port:
        watched = Watched(port)
        async with watched.running():
            await until(lambda: watched.link.is_up)
            watched.link.ask(7, ECM)
            await until(lambda: Answered(7, CW) in watched.told)
            server.open[0].close()
            await until(lambda: bool(watched.waits))
            with pytest.raises(ConnectionError):
                watched.link.ask(7, ECM)


async def test_answers_that_were_asked_for_are_free_and_others_are_not() -> None:
    fair = FairPlay(replace(LINK_LIMITS, client=Rates(20.0, float("inf"), float("inf"))))
    server = Server()
    async with server.serving() as port:
        watched = Watched(port, fair=fair)
        async with watched.running():
            await until(lambda: watched.link.is_up)
            for token in range(400):
                watched.link.ask(token, ECM if token % 2 else ECM._replace(section=b"\x80other"))
            await until(lambda: sum(map(is_answer, watched.told)) == 400)
            assert fair.held_back == 0
            (connection,) = server.open
            for _ in range(400):
                server._protocols[connection].send_keepalive()
            connection.flush()
            await until(lambda: fair.held_back > 0)


def is_answer(event: object) -> bool:
    return isinstance(event, Answered | Refused)


async def test_emms_go_out_at_once_and_questions_that_wait_can_be_dropped() -> None:
    """In plain mode one question is out at a time: the others wait."""
    server = Server(node_id=PLAIN_NODE)
    async with server.serving() as port:
        watched = Watched(port)
        async with watched.running():
            await until(lambda: watched.link.is_up)
            watched.link.send_emm(6, EMM)
            await until(lambda: EmmAcknowledged(6) in watched.told)
            watched.link.ask(7, SILENCE)
            watched.link.ask(8, ECM)
            assert watched.link.forget(8)
            assert not watched.link.forget(8)
            assert not watched.link.forget(7), "it is out"
            assert not watched.link.forget(9)
            with pytest.raises(ValueError, match="ECM"):
                watched.link.ask(10, ECM._replace(section=bytes(2000)))


async def test_the_pause_grows_until_a_login_has_lasted(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    async with server.serving() as port:
        watched = Watched(port)
        watched.backoff.failures = 2
        async with watched.running():
            await until(lambda: watched.link.is_up)
            server.open[0].close()
            await until(lambda: bool(watched.waits))
            assert watched.backoff.failures == 3, "a short login is a failure like any other"
            monkeypatch.setattr(link_module, "WELL_AFTER", 0.05)
            await until(lambda: watched.link.is_up)
            await asyncio.sleep(0.06)
            server.open[0].close()
            await until(lambda: len(watched.waits) == 2)
            assert watched.backoff.failures == 1


async def test_a_handler_that_fails_when_told_of_the_pause_does_not_stop_the_link() -> None:
    def fail(event: object) -> None:
        if isinstance(event, LinkWaiting):
            raise ZeroDivisionError

    port = free_port()
    watched = Watched(port, fail)
    async with watched.running():
        await until(lambda: len(watched.waits) == 2)
    name, error = watched.failures[0]
    assert name == f"the link to {HOST}:{port}"
    assert isinstance(error, ZeroDivisionError)


async def test_a_server_that_says_nothing_is_a_login_and_not_up() -> None:
    async with Peer(listens).serving() as port:
        watched = Watched(port)
        async with watched.running():
            await until(lambda: bool(watched.told))
            assert watched.told == [Connected(HOST)]
            assert watched.link.state is LinkState.LOGGING_IN
            with pytest.raises(ConnectionError):
                watched.link.ask(7, ECM)


async def test_a_login_that_is_ending_is_asked_nothing() -> None:
    server = Server()
    async with server.serving() as port:
        watched = Watched(port)
        async with watched.running():
            await until(lambda: watched.link.is_up)
            assert watched.link._connection is not None
            watched.link._connection.close()
            with pytest.raises(ConnectionError):
                watched.link.ask(7, ECM)


async def test_the_greatest_hurry_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "LEAST_PAUSE", 0.1)
    monkeypatch.setattr(link_module, "HURRIED_PART", 3000.0)
    watched = Watched(free_port())
    watched.backoff.first = watched.backoff.most = 600.0
    async with watched.running():
        started = asyncio.get_running_loop().time()
        while len(watched.waits) < 4:
            watched.link.hurry()
            await asyncio.sleep(0.005)
        assert asyncio.get_running_loop().time() - started >= 3 * 0.1
    assert watched.backoff.failures == 4, "the delays go on growing"


async def test_the_next_attempt_is_said_to_come_when_it_comes_also_in_a_hurry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link_module, "LEAST_PAUSE", 0.3)
    monkeypatch.setattr(link_module, "HURRIED_PART", 3000.0)
    left: list[float | None] = []
    watched = Watched(free_port(), lambda event: left.append(watched.link.next_attempt_in))
    watched.backoff.first = watched.backoff.most = 600.0
    assert watched.link.next_attempt_in is None, "it was not begun yet"
    async with watched.running():
        await until(lambda: bool(watched.waits))
        (long,) = left
        assert long is not None
        assert 299.0 < long <= 600.0
        watched.link.hurry()
        soon = watched.link.next_attempt_in
        assert soon is not None
        assert 0.0 <= soon <= 0.3
        await until(lambda: len(watched.waits) == 2)
        watched.link.rest(Failure(Step.PAUSED, "by hand"))
        assert watched.link.next_attempt_in is None


async def test_emms_that_are_never_acknowledged_cost_no_answer_and_no_login(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ignored = Rule[ServerProtocol](lambda server, payload, flag: None)
    monkeypatch.setitem(server_module._RULES, Command.EMM, ignored)
    server = Server(node_id=PLAIN_NODE)
    async with server.serving() as port:
        watched = Watched(port)
        async with watched.running():
            await until(lambda: watched.link.is_up)
            for number in range(22):
                watched.link.send_emm(1000 + number, EMM)
                watched.link.ask(number, ECM)
                await until(lambda number=number: Answered(number, CW) in watched.told)
            assert watched.link.is_up
            assert not watched.waits
