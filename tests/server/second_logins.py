"""A world of its own, in a network namespace: lines die without a word, and come back.

Run by test_second_logins.py; prints what happened as JSON. Clients are real sockets at 127.0.0.2,
127.0.0.3, ...; what the packet filter drops neither side is told of.
"""

import asyncio
import json
import logging
import subprocess
import sys
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field

from laboratory import HOST, TEST_CARD, Laboratory, new_node_id, running

from cccamd.ids import NodeId
from cccamd.net import TaskSet
from cccamd.wire.cccam import ClientProtocol
from cccamd.wire.link import Closed, OfferAdded

TASKS = TaskSet(on_failure=lambda name, error: print(name, error, file=sys.stderr))
FIRST, SECOND, THIRD = "127.0.0.2", "127.0.0.3", "127.0.0.4"


@dataclass(eq=False)
class Receiver:
    """A client at an address; with `mute` it takes everything in and answers nothing."""

    address: str
    user: str = "anna"
    password: str = "secret"
    node_id: NodeId = field(default_factory=new_node_id)
    mute: bool = False
    closed: Closed | None = None
    cards: int = 0
    seconds: float = 0.0
    _writer: asyncio.StreamWriter | None = None

    async def log_in(self, lab: Laboratory) -> bool:
        """Whether it got in; `seconds` is how long the answer took."""
        began = time.monotonic()
        reader, writer = await asyncio.open_connection(HOST, lab.port, local_addr=(self.address, 0))
        self._writer = writer
        protocol = ClientProtocol(
            user=self.user.encode(),
            password=self.password.encode(),
            node_id=self.node_id,
            program="receiver",
            now=began,
        )
        TASKS.start("receiver", self._run(reader, writer, protocol))
        while self.closed is None and not self.cards:
            await asyncio.sleep(0.005)
        self.seconds = time.monotonic() - began
        return self.closed is None

    async def _run(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, protocol: ClientProtocol
    ) -> None:
        while self.closed is None:
            try:
                data = await reader.read(4096)
            except OSError:
                data = b""
            if data:
                protocol.receive_data(data, time.monotonic())
            else:
                protocol.receive_eof(time.monotonic())
            for event in protocol.events_received():
                self.cards += isinstance(event, OfferAdded)
                if isinstance(event, Closed):
                    self.closed = event
            words = protocol.data_to_send()
            if not (self.mute and self.cards):
                writer.write(words)

    def leave(self) -> None:
        if self._writer is not None:
            self._writer.close()


def drop(address: str) -> None:
    """From now on nothing comes from there, and nothing gets there."""
    chain = "add table ip t; add chain ip t c { type filter hook input priority 0; }"
    rules = (f"add rule ip t c ip {end} {address} drop" for end in ("saddr", "daddr"))
    subprocess.run(["nft", "; ".join((chain, *rules))], check=True)


async def who_lives_stays(lab: Laboratory, *, mute: bool) -> object:
    first, second = Receiver(FIRST, mute=mute), Receiver(SECOND)
    assert await first.log_in(lab)
    got_in = await second.log_in(lab)
    await asyncio.sleep(0.1)
    answer = [got_in, second.seconds, first.closed is None]
    first.leave()
    await asyncio.sleep(0.1)
    return answer


async def who_is_cut_off_is_followed(lab: Laboratory) -> object:
    """Its line dies without a word, and then several come at once, one of them by a guess."""
    first = Receiver(FIRST)
    assert await first.log_in(lab)
    drop(FIRST)
    guess = Receiver(THIRD, password="guess")
    guessed = await guess.log_in(lab)
    await asyncio.sleep(0.1)
    holders = [session.connection.address for session in lab.server._context.seats.of(b"anna")]
    asked = b"anna" in lab.server._context.seats._contests
    crowd = [Receiver(SECOND) for _ in range(12)]
    slowest = 0.0

    async def look() -> None:
        nonlocal slowest
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            slowest = max(slowest, time.monotonic() - before - 0.01)

    looking = TASKS.start("look", look())
    got_in = await asyncio.gather(*(each.log_in(lab) for each in crowd))
    looking.cancel()
    answer = {
        "guessed": guessed,
        "guess took": guess.seconds,
        "guess had somebody asked": asked,
        "holders after the guess": holders,
        "got in": sum(got_in),
        "took": max(each.seconds for each, ok in zip(crowd, got_in, strict=True) if ok),
        "held up": slowest,
        "holders": [
            session.connection.address for session in lab.server._context.seats.of(b"anna")
        ],
        "left over": len(lab.server._exchange._clients) - len(lab.server._context.seats),
    }
    for each in crowd:
        each.leave()
    await asyncio.sleep(0.1)
    return answer


async def who_gives_up_finds_the_place_free(lab: Laboratory) -> object:
    """A client that waits less than we look: its next attempt gets in at once."""
    first = Receiver("127.0.0.5")
    assert await first.log_in(lab)
    drop("127.0.0.5")
    hasty = Receiver(SECOND)
    attempt = asyncio.gather(hasty.log_in(lab))
    await asyncio.sleep(0.5)
    hasty.leave()
    await attempt
    await asyncio.sleep(1.3)
    again = Receiver(SECOND)
    got_in = await again.log_in(lab)
    again.leave()
    await asyncio.sleep(0.1)
    return [got_in, again.seconds]


async def who_was_started_anew_is_in_at_once(lab: Laboratory) -> object:
    """Its machine lost power: what is sent to the old connection is answered with a reset."""
    first, again = Receiver("127.0.0.6"), Receiver("127.0.0.6")
    assert await first.log_in(lab)
    drop("127.0.0.6")
    first.leave()  # it knows nothing of the connection any more, and we are not told
    await asyncio.sleep(0.05)
    subprocess.run(["nft", "flush table ip t"], check=True)
    got_in = await again.log_in(lab)
    again.leave()
    return [got_in, again.seconds]


async def who_comes_back_is_no_clone_of_itself(lab: Laboratory) -> object:
    """An account for two: the second place is free, and the first is still held by a dead line."""
    first = Receiver("127.0.0.7", user="ben")
    assert await first.log_in(lab)
    drop("127.0.0.7")
    again = Receiver("127.0.0.8", user="ben", node_id=first.node_id)
    got_in = await again.log_in(lab)
    answer: list[object] = [got_in, again.seconds, []]
    for pause in (0.3, 1.6):
        await asyncio.sleep(pause)
        answer.append([each.connection.address for each in lab.server._context.seats.of(b"ben")])
    answer[2] = [clone.accounts for clone in lab.server.snapshot().clones]
    again.leave()
    return answer


async def who_calls_from_elsewhere_throws_nobody_out(lab: Laboratory) -> object:
    """The password is right and the first line is dead, but its F-line names another host."""
    first = Receiver("127.0.0.9", user="carl")
    assert await first.log_in(lab)
    drop("127.0.0.9")
    answer: list[object] = []
    for _ in range(2):
        second = Receiver("127.0.0.10", user="carl")
        answer += [await second.log_in(lab), second.seconds]
        await asyncio.sleep(0.9)
    held_by = [each.connection.address for each in lab.server._context.seats.of(b"carl")]
    return [*answer, held_by]


async def keep(results: dict[str, object], name: str, what: Awaitable[object]) -> None:
    results[name] = await what


async def main() -> None:
    logger, lines = logging.getLogger("cccamd"), []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    results: dict[str, object] = {}
    toml = TEST_CARD + "[limits]\nlogin_timeout = 1\n[[account]]\nuser = 'ben'\nlogins = 2\n"
    cfg = "F: anna secret\nF: ben secret\nF: carl secret 5 0 1 { } { } { } 127.0.0.9"
    async with running(cfg, toml) as lab:
        strangers = TASKS.start(
            "strangers", keep(results, "elsewhere", who_calls_from_elsewhere_throws_nobody_out(lab))
        )
        twins = TASKS.start(
            "twins", keep(results, "came back", who_comes_back_is_no_clone_of_itself(lab))
        )
        results["lives"] = await who_lives_stays(lab, mute=False)
        await asyncio.sleep(0.5)
        results["lives and answers nothing"] = await who_lives_stays(lab, mute=True)
        results["refused"] = [
            [each.account, each.address, list(each.holders), each.times]
            for each in lab.server.snapshot().double_logins
        ]
        results["cut off"] = await who_is_cut_off_is_followed(lab)
        results["started anew"] = await who_was_started_anew_is_in_at_once(lab)
        await asyncio.sleep(0.1)
        results["gave up"] = await who_gives_up_finds_the_place_free(lab)
        await asyncio.gather(twins, strangers)
    results["log"] = lines
    json.dump(results, sys.stdout)


asyncio.run(main())
