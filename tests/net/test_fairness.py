"""Fair turns between real sockets; the buckets by themselves."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cccamd.net import Connection, FairLimits, FairPlay, Rates
from cccamd.net.fairness import AT_ONCE, LINK_LIMITS
from cccamd.net.quota import BURST, Quota
from cccamd.wire.link import CLOSED_BY_PEER, Closed, CloseReason, State

RATES = Rates(100.0, 10.0, 1000.0)


@given(st.lists(st.tuples(st.floats(0, 2), st.integers(0, 50)), max_size=30))
def test_nobody_gets_more_than_the_rate_and_one_burst(steps: list[tuple[float, int]]) -> None:
    quota, now, took, last = Quota(RATES, 0.0), 0.0, 0, 0
    for passed, ecms in steps:
        now += passed
        if quota.spend(Rates(0, 0, 0), RATES, now):
            continue  # in debt: it has to wait
        took, last = took + ecms, ecms
        quota.spend(Rates(0, ecms, 0), RATES, now)
    assert took - last <= 10.0 * (now + BURST) + 1e-6


def test_the_wait_is_as_long_as_the_debt() -> None:
    quota = Quota(RATES, 0.0)
    wait = quota.spend(Rates(0, 10 * BURST + 5, 0), RATES, 0.0)
    assert wait == 0.5
    assert not quota.is_calm
    assert quota.spend(Rates(0, 0, 0), RATES, 0.5) == 0.0


class Lines:
    """A protocol of one byte for each message; what it answers is `answer`."""

    def __init__(self, answer: bytes = b"") -> None:
        self.state = State.OPEN
        self.events: list[object] = []
        self.out: list[bytes] = []
        self.answer = answer

    def receive_data(self, data: bytes, now: float) -> None:
        self.events += data
        self.out.append(self.answer * len(data))

    def receive_eof(self, now: float, loss: object = CLOSED_BY_PEER) -> None:
        if self.state is not State.CLOSED:
            self.state = State.CLOSED
            self.events = [Closed(CLOSED_BY_PEER.reason)]

    def handle_deadline(self, now: float) -> None: ...

    def next_deadline(self) -> None: ...

    def events_received(self) -> list[object]:
        events, self.events = self.events, []
        return events

    def data_to_send(self) -> bytes:
        out, self.out = b"".join(self.out), []
        return out


class Side:
    """One connection at the server, what it was told, and its peer's socket."""

    def __init__(self, fair: FairPlay, answer: bytes = b"", work: float = 0.0) -> None:
        self.told: list[object] = []
        self.work = work
        self.connection = Connection(
            Lines(answer),  # type: ignore[arg-type]
            self._handle,
            on_failure=lambda name, error: None,
            fair=fair,
        )

    def _handle(self, event: object) -> None:
        self.told.append(event)
        if self.work:
            until = asyncio.get_running_loop().time() + self.work
            while asyncio.get_running_loop().time() < until:
                pass

    @property
    def messages(self) -> list[int]:
        return [event for event in self.told if isinstance(event, int)]

    @property
    def end(self) -> Closed | None:
        last = self.told[-1] if self.told else None
        return last if isinstance(last, Closed) else None


@asynccontextmanager
async def peer_of(side: Side, *, buffer: int = 0) -> AsyncIterator[socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    ours.close(), theirs.close()
    with socket.create_server(("127.0.0.1", 0)) as door, socket.socket() as peer:
        if buffer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        peer.connect(door.getsockname())
        accepted, _ = door.accept()
        peer.setblocking(False)
        accepted.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(lambda: side.connection, accepted)
        try:
            yield peer
        finally:
            side.connection.close()
            await asyncio.sleep(0)


async def until(reached: object, seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not reached():  # type: ignore[operator]
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("linger", [(0, 0), (1, 0)], ids=["in order", "with a reset"])
async def test_of_many_who_leave_at_once_each_has_its_turn(linger: tuple[int, int]) -> None:
    fair = FairPlay()
    sides = [Side(fair, work=0.001) for _ in range(20)]
    async with AsyncExitStack() as stack, asyncio.timeout(10.0):
        for peer in [await stack.enter_async_context(peer_of(side)) for side in sides]:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", *linger))
            peer.close()
        ended = [0]
        while ended[-1] < len(sides):
            await asyncio.sleep(0)
            ended.append(sum(side.end is not None for side in sides))
        assert {after - before for before, after in pairwise(ended)} == {0, 1}
        await until(lambda: all(side.connection.intake is None for side in sides))


async def test_a_flood_is_worked_on_in_order_and_others_have_their_turn_meanwhile() -> None:
    fair = FairPlay()
    greedy, honest = Side(fair, work=20e-6), Side(fair)
    flood = bytes(number % 251 for number in range(20_000))
    async with peer_of(greedy) as flooding, peer_of(honest) as asking:
        flooding.send(flood)
        await until(lambda: greedy.messages)
        asking.send(b"x")
        await until(lambda: honest.messages)
        seen = len(greedy.messages)
        assert seen < len(flood), "the other one waited for all of it"
        await until(lambda: len(greedy.messages) == len(flood))
        assert bytes(greedy.messages) == flood


async def test_the_backlog_goes_with_its_connection() -> None:
    fair = FairPlay()
    greedy = Side(fair, work=20e-6)
    async with peer_of(greedy) as flooding:
        flooding.send(bytes(100_000))
        await until(lambda: greedy.messages)
        flooding.close()
        await until(lambda: greedy.end)
        assert len(greedy.messages) < 50_000
        assert not len(fair.rounds) or await _empties(fair)


async def _empties(fair: FairPlay) -> bool:
    await asyncio.sleep(0.01)
    return not len(fair.rounds)


async def test_who_asks_too_much_is_read_more_slowly_and_cut_in_the_end() -> None:
    limits = FairLimits(client=Rates(1000.0, 1e9, 1e9), patience=0.3)
    fair = FairPlay(limits)
    greedy = Side(fair)
    async with peer_of(greedy) as flooding:
        loop = asyncio.get_running_loop()
        began = loop.time()
        sending = loop.create_task(_send_for_ever(flooding))
        await until(lambda: greedy.end)
        took = loop.time() - began
        sending.cancel()
        assert greedy.end is not None
        assert greedy.end.reason is CloseReason.ASKS_TOO_MUCH
        assert len(greedy.messages) <= 1000 * (took + BURST) + 600
        assert fair.held_back


async def _send_for_ever(sock: socket.socket) -> None:
    while True:
        try:
            await asyncio.get_running_loop().sock_sendall(sock, bytes(10_000))
        except OSError:
            return


async def test_an_account_is_one_client_however_many_connections_it_has() -> None:
    fair = FairPlay(FairLimits(account=Rates(500.0, 1e9, 1e9)))
    sides = [Side(fair) for _ in range(4)]
    for side in sides:
        assert side.connection.intake is not None
        side.connection.intake.look()  # nobody knows yet whose it is
        side.connection.intake.belongs_to(b"anna")
    now = asyncio.get_running_loop().time()
    quota = fair.account(b"anna", now)
    quota.spend(Rates(0, 0, 0), fair.limits.account, now)
    async with peer_of(sides[0]) as one, peer_of(sides[1]) as two:
        one.send(bytes(4000))
        two.send(bytes(4000))
        await asyncio.sleep(0.2)
        took = sum(len(side.messages) for side in sides)
        assert 1000 <= took <= 1000 + 100 + 2 * 512


async def test_who_does_not_read_is_asked_no_more_and_cut() -> None:
    fair = FairPlay(FairLimits(unread=20_000, unread_timeout=0.2))
    deaf = Side(fair, answer=bytes(50))
    async with peer_of(deaf, buffer=4096) as peer:
        sending = asyncio.get_running_loop().create_task(_send_for_ever(peer))
        await until(lambda: deaf.end)
        sending.cancel()
        assert deaf.end is not None
        assert deaf.end.reason is CloseReason.NOT_READING
        assert len(deaf.messages) < 20_000


async def test_who_reads_late_is_served_on() -> None:
    fair = FairPlay(FairLimits(unread=20_000, unread_timeout=5.0))
    slow = Side(fair, answer=bytes(50))
    async with peer_of(slow, buffer=4096) as peer:
        loop = asyncio.get_running_loop()
        sending = loop.create_task(loop.sock_sendall(peer, bytes(20_000)))
        await asyncio.sleep(0.2)
        assert len(slow.messages) < 20_000
        got = 0
        while got < 20_000 * 50:
            got += len(await loop.sock_recv(peer, 65536))
        await sending
        assert len(slow.messages) == 20_000
        assert slow.end is None


LARGEST_BUFFER = 1 << 30
"""More than any kernel gives: it takes its own limit."""


async def test_who_asks_slowly_and_reads_nothing_is_cut_once_its_machine_is_full() -> None:
    fair = FairPlay(FairLimits(unread=1 << 30, unread_timeout=0.5))
    deaf = Side(fair, answer=bytes(200_000))
    async with peer_of(deaf, buffer=LARGEST_BUFFER) as peer:
        connection, loop = deaf.connection, asyncio.get_running_loop()
        async with asyncio.timeout(10):
            while not connection.is_full():
                peer.send(b"?")
                await asyncio.sleep(0.002)
        lines = connection.protocol
        assert isinstance(lines, Lines)
        lines.answer, full_at = bytes(20), loop.time()
        async with asyncio.timeout(10):
            while not deaf.end:
                with suppress(OSError):
                    peer.send(b"?")
                await asyncio.sleep(0.002)
        assert deaf.end.reason is CloseReason.NOT_READING
        assert deaf.end.detail.endswith("none of it for 0.2 s")
        assert loop.time() - full_at < 3, "32 messages of 2 ms, and 0.2 s"


async def test_who_reads_slowly_with_its_machine_full_is_served_on() -> None:
    fair = FairPlay(FairLimits(unread=1 << 30))
    slow = Side(fair, answer=bytes(50))
    async with peer_of(slow, buffer=4096) as peer:
        loop = asyncio.get_running_loop()
        sending = loop.create_task(loop.sock_sendall(peer, bytes(4000)))
        await until(slow.connection.is_full)
        peer.send(b"?" * 32)
        await until(lambda: slow.connection.intake and slow.connection.intake.waits)
        got = 0
        while got < 4032 * 50:
            await asyncio.sleep(0.002)
            got += len(await loop.sock_recv(peer, 2048))
        await sending
        assert slow.end is None


async def test_a_link_whose_machine_is_full_is_heard_on() -> None:
    """It may have a long list to send before it reads: both would wait for each other."""
    link = Side(FairPlay.links(), answer=bytes(50))
    async with peer_of(link, buffer=4096) as peer:
        intake = link.connection.intake
        assert intake is not None
        for _ in range(300):
            peer.send(b"!")
            await asyncio.sleep(0.001)
            assert not intake.waits
        assert link.connection.is_full()
        assert len(link.messages) == 300


async def test_overload_sheds_what_is_new_and_ends() -> None:
    fair = FairPlay()
    rounds = fair.rounds
    before, new = Side(fair), Side(fair)
    async with peer_of(before) as one, peer_of(new) as two:
        one.send(bytes(3000))
        rounds._judge(10.0)
        two.send(bytes(3000))
        assert rounds.overloaded
        intake = new.connection.intake
        assert intake is not None
        new.connection.data_received(bytes(2000))
        assert intake.shed()
        assert fair.shed == 1
        await until(lambda: len(new.messages) >= 5000)
        assert not rounds.overloaded
        assert not intake.shed()


@pytest.mark.parametrize(("goes_on", "patience"), [(True, "0.2 s"), (False, "0.5 s")])
async def test_who_goes_on_asking_and_reads_nothing_is_cut_sooner(
    goes_on: bool, patience: str
) -> None:
    fair = FairPlay(FairLimits(unread=20_000, unread_timeout=0.5))
    deaf = Side(fair, answer=bytes(500))
    async with peer_of(deaf, buffer=4096) as peer:
        peer.send(bytes(AT_ONCE))
        await until(lambda: deaf.messages)
        intake = deaf.connection.intake
        assert intake is not None
        assert intake.waits, "what it asks is not read any more"
        if goes_on:
            peer.send(bytes(AT_ONCE))
        await until(lambda: deaf.end)
        assert deaf.end is not None
        assert deaf.end.reason is CloseReason.NOT_READING
        assert deaf.end.detail.endswith(f"none of it for {patience}")
        assert len(deaf.messages) == AT_ONCE


# Links.


@pytest.mark.parametrize("messages", [LINK_LIMITS.client.messages, 7_000.0])
async def test_a_link_that_floods_lets_others_have_their_turn_and_is_heard_to_the_end(
    messages: float,
) -> None:
    """Also when it is held back for a while, for more than the rate and a burst."""
    rates = Rates(messages, LINK_LIMITS.client.ecms, LINK_LIMITS.client.size)
    fair = FairPlay(replace(LINK_LIMITS, client=rates))
    greedy, other = Side(fair, work=20e-6), Side(fair)
    flood = bytes(number % 251 for number in range(20_000))
    async with peer_of(greedy) as flooding, peer_of(other) as answering:
        flooding.send(flood)
        flooding.close()
        await until(lambda: greedy.messages)
        answering.send(b"x")
        await until(lambda: other.messages)
        assert len(greedy.messages) < len(flood), "the other one waited for all of it"
        await until(lambda: greedy.end)
        assert bytes(greedy.messages) == flood


async def test_a_link_that_goes_on_flooding_is_read_more_slowly_and_cut() -> None:
    rates = Rates(1000.0, LINK_LIMITS.client.ecms, LINK_LIMITS.client.size)
    fair = FairPlay(replace(LINK_LIMITS, client=rates, patience=0.3))
    greedy = Side(fair)
    async with peer_of(greedy) as flooding:
        sending = asyncio.get_running_loop().create_task(_send_for_ever(flooding))
        await until(lambda: greedy.end)
        sending.cancel()
        assert greedy.end is not None
        assert greedy.end.reason is CloseReason.SAYS_TOO_MUCH
