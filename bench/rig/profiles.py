"""Who asks what and when: one function a profile, each gives rows of the table."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from cccamd.lab.ports import free_port
from cccamd.wire.cccam import Capabilities
from rig import drive
from rig.clients import (
    NO_TEXT,
    PLAIN,
    Asker,
    Broadcast,
    NewcamdReceiver,
    Receiver,
    Verdict,
    in_circles,
)
from rig.echo import REQUEST_LENGTH
from rig.serving import MANY, TEST_CARD, Served, cccamd, echo

CLIENTS: Final = 100
CHANNELS: Final = 40
PERIOD: Final = 10.0
"""Seconds from one ECM of a receiver to the next."""
FASTEST: Final = {
    "distinct": 60_000,
    "known": 100_000,
    "newcamd distinct": 20_000,
    "newcamd known": 40_000,
    "echo": 150_000,
}
"""Requests a second that are got ready; who is faster ends the run earlier."""
KNOWN_CHANNELS, KNOWN_ECMS = 10, 150
"""Together fewer than the cache has places for by default (2,000)."""
STORM: Final = 2000
HOP_ASKERS, HOP_PERIOD = 20, 0.2
LOGINS, LOGIN_ROUNDS = 200, 3
BURST, CALMLY = 1000.0, 100.0
"""Logins a second: the processor is measured in a burst, which is over before the server would send
cards of its own accord; times are measured when nobody has to wait for others."""
CALM: Final = 1.0
"""Seconds between a login and the start of the clock."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    seconds: float | None = None
    source: Path | None = None
    workers: int = 0

    def served(self, **words: Any) -> AbstractContextManager[Served]:
        """The server that is measured; `words` are those of `cccamd`."""
        return cccamd(source=self.source, workers=self.workers, **words)

    def length(self, default: float) -> float:
        """How long a profile runs."""
        return default if self.seconds is None else self.seconds


@dataclass(slots=True)
class Row:
    """One line of the table; seconds and bytes."""

    name: str
    count: int
    took: float
    times: Sequence[float]
    processor: float | None = None
    """Of the server, for all of them together."""
    core: float | None = None
    """Of that, what was not its workers'."""
    memory: int | None = None
    client_memory: float | None = None
    """What each login took."""
    pause: float | None = None
    """The longest that the server's loop was away, as it says itself."""
    verdict: Verdict = field(default_factory=Verdict)
    note: str = ""

    @property
    def microseconds(self) -> float | None:
        """The server's processor for each."""
        if self.processor is None or not self.count:
            return None
        return 1e6 * self.processor / self.count

    def percentile(self, share: float) -> float | None:
        """So many of all took less, in seconds."""
        if not self.times:
            return None
        times = sorted(self.times)
        return times[min(len(times) - 1, int(share * len(times)))]


def all_times(askers: Sequence[Asker]) -> list[float]:
    """Those of all of them."""
    return [time for each in askers for time in each.times]


def judged(askers: Sequence[Asker]) -> Verdict:
    """What all answers were."""
    verdict = Verdict()
    for each in askers:
        verdict += each.judge()
    return verdict


def longest_pause(server: Served, before: float | None) -> float | None:
    """The longest pause of its loop that the server noted; 0: none since there were `before`."""
    if before is None:
        return None
    if pauses(server) == before:
        return 0.0
    return server.metric("cccamd_loop_longest_pause_seconds")


def pauses(server: Served) -> float | None:
    """How often its loop was away for over 50 ms since it started."""
    return server.metric("cccamd_loop_pauses_total")


def _row(
    name: str, server: Served, askers: Sequence[Asker], run: Callable[[], float], **more: float
) -> Row:
    """Run it between two looks at the server's processor."""
    paused = pauses(server)
    before, core = server.processor(), server.core()
    took = run()
    used, core = server.processor() - before, server.core() - core
    times, memory = all_times(askers), server.memory()
    return Row(
        name,
        len(times),
        took,
        times,
        processor=used,
        core=core,
        memory=memory,
        client_memory=more.get("client_memory"),
        pause=longest_pause(server, paused),
        verdict=judged(askers),
        note=f"{1e6 * core / len(times):.1f} us of each in the core" if server.workers else "",
    )


def _close(askers: Sequence[Asker]) -> None:
    for each in askers:
        each.close()


# As fast as it goes.


def yardstick(options: Options) -> Iterator[Row]:
    """The echo server, on uvloop where that is installed."""
    seconds = options.length(5.0)
    with echo() as server:
        askers = [Asker(number) for number in range(CLIENTS)]
        drive.connect(askers, server.port)
        for each in askers:
            each.prepare_bytes(REQUEST_LENGTH, int(FASTEST["echo"] * seconds / CLIENTS))
        yield _row("echo", server, askers, lambda: drive.ask_in_turn(askers, seconds))
        _close(askers)


def distinct(options: Options) -> Iterator[Row]:
    """100 clients, every ECM another, a card of the server's own."""
    with options.served(accounts=CLIENTS) as server:
        receivers = [Receiver(number) for number in range(CLIENTS)]
        _let_in(receivers, server)
        yield _distinct("distinct", options, server, receivers)


def known(options: Options) -> Iterator[Row]:
    """100 clients ask what the cache knows."""
    with options.served(accounts=CLIENTS + 1) as server:
        receivers = [Receiver(number) for number in range(CLIENTS + 1)]
        _let_in(receivers, server)
        yield _known("known", options, server, receivers)


def newcamd(options: Options) -> Iterator[Row]:
    """The same two over newcamd."""
    port = free_port()
    toml = f"{TEST_CARD}[[newcamd]]\nport = {port}\n"
    with options.served(accounts=CLIENTS + 1, toml=toml) as server:
        for name, run in (("newcamd distinct", _distinct), ("newcamd known", _known)):
            receivers = [NewcamdReceiver(number) for number in range(CLIENTS + 1)]
            _let_in(receivers, replace(server, port=port))
            yield run(name, options, server, receivers)
            time.sleep(CALM)


def _distinct(name: str, options: Options, server: Served, receivers: Sequence[Receiver]) -> Row:
    seconds = options.length(5.0)
    count = int(FASTEST[name] * seconds / CLIENTS)
    for each in receivers:
        sid = 1 + each.number % CHANNELS
        each.prepare(Broadcast(each.number).distinct(sid, count))
    row = _row(name, server, receivers, lambda: drive.ask_in_turn(receivers, seconds))
    _close(receivers)
    return row


def _known(name: str, options: Options, server: Served, receivers: Sequence[Receiver]) -> Row:
    seconds = options.length(5.0)
    count = int(FASTEST[name] * seconds / CLIENTS)
    ecms = [
        list(Broadcast(channel).distinct(channel, KNOWN_ECMS))
        for channel in range(1, KNOWN_CHANNELS + 1)
    ]
    *others, first = receivers
    for each in others:
        start = each.number * KNOWN_ECMS // CLIENTS
        each.prepare(in_circles(ecms[each.number % KNOWN_CHANNELS], start, count))
    first.prepare(ecm for channel in ecms for ecm in channel)
    drive.ask_in_turn([first], 60.0)
    row = _row(name, server, others, lambda: drive.ask_in_turn(others, seconds))
    _close(receivers)
    return row


def _let_in(receivers: list[Receiver], server: Served, rate: float = 1000.0) -> None:
    inside = drive.log_in(receivers, server.port, rate=rate)
    if len(inside) < len(receivers):
        raise SystemExit(f"{len(receivers) - len(inside)} of {len(receivers)} were not let in")
    time.sleep(CALM)
    drive.settle(receivers)


# As receivers ask.


def zap(options: Options, clients: int) -> Iterator[Row]:
    """Each asks an ECM of its own every ten seconds, spread evenly."""
    seconds = max(options.length(40.0), PERIOD)
    with options.served(accounts=clients, toml=TEST_CARD + MANY) as server:
        time.sleep(CALM)
        paused = pauses(server)
        empty, before = server.memory(), server.processor()
        receivers = [Receiver(number) for number in range(clients)]
        began = time.perf_counter()
        inside = drive.log_in(receivers, server.port)
        took, used = time.perf_counter() - began, server.processor() - before
        time.sleep(CALM)
        drive.settle(inside)
        per_client = (server.memory() - empty) / len(inside)
        tries = sum(each.login.tries for each in receivers)
        times = [each.login.carded - each.login.started for each in inside if each.login.carded]
        yield Row(
            f"{clients:,} log in",
            len(inside),
            took,
            times,
            processor=used,
            memory=server.memory(),
            client_memory=per_client,
            pause=longest_pause(server, paused),
            verdict=Verdict(right=len(inside), unanswered=clients - len(inside)),
            note=f"empty server {empty / 2**20:.0f} MiB; {tries - clients} tries more than needed",
        )
        for each in inside:
            sid = 1 + each.number % 1000
            each.prepare(Broadcast(each.number).distinct(sid, int(seconds / PERIOD)))
        yield _row(
            f"zap {clients:,}",
            server,
            inside,
            lambda: drive.ask_in_time(inside, PERIOD, PERIOD),
            client_memory=per_client,
        )
        _close(inside)


def hops(options: Options) -> Iterator[Row]:
    """What a server in the middle adds: the same to a card's server, and by one more."""
    seconds = options.length(15.0)
    count = max(1, int(seconds / HOP_PERIOD))
    with (
        options.served(accounts=HOP_ASKERS + 1) as far,
        options.served(accounts=HOP_ASKERS, toml="", upstream=far.port) as near,
    ):
        straight = [
            Receiver(1000 + number, user=f"user{1 + number}") for number in range(HOP_ASKERS)
        ]
        around = [Receiver(number) for number in range(HOP_ASKERS)]
        _let_in(around, near)
        _let_in(straight, far)
        for each in (*straight, *around):
            sid = 1 + each.number % CHANNELS
            each.prepare(Broadcast(each.number).distinct(sid, count))
        mixed = [each for pair in zip(straight, around, strict=True) for each in pair]
        paused, before = pauses(near), near.processor()
        took = drive.ask_in_time(mixed, HOP_PERIOD, HOP_PERIOD)
        used = near.processor() - before
        first, second = all_times(straight), all_times(around)
        added = 1e6 * (statistics.median(second) - statistics.median(first))
        yield Row("one hop", len(first), took, first, verdict=judged(straight))
        yield Row(
            "two hops",
            len(second),
            took,
            second,
            processor=used,
            memory=near.memory(),
            pause=longest_pause(near, paused),
            verdict=judged(around),
            note=f"the second hop adds {added:.0f} us to the median",
        )
        _close(mixed)


# Logins.


def login(options: Options) -> Iterator[Row]:
    """Until the server's data came, and until the first card, by what the client says."""
    with options.served(accounts=LOGINS) as server:
        yield _logins("login: data", server, rate=BURST, want_card=False)
        yield _logins("card: with text", server, offer=PLAIN)
        yield _logins("card: then asks", server, then_say=b"keepalive")
        yield _logins("card: says nothing", server)


def _logins(
    name: str,
    server: Served,
    *,
    rate: float = CALMLY,
    offer: Capabilities = NO_TEXT,
    want_card: bool = True,
    then_say: bytes | None = None,
) -> Row:
    used, took, times, paused = 0.0, 0.0, [], pauses(server)
    for _ in range(LOGIN_ROUNDS):
        receivers = [Receiver(number, offer) for number in range(LOGINS)]
        before, began = server.processor(), time.perf_counter()
        inside = drive.log_in(
            receivers, server.port, rate=rate, want_card=want_card, then_say=then_say
        )
        took += time.perf_counter() - began
        used += server.processor() - before
        for each in inside:
            reached = each.login.carded if want_card else each.login.introduced
            times.append((reached or 0.0) - each.login.started)
        _close(receivers)
        time.sleep(CALM)
    lost = LOGINS * LOGIN_ROUNDS - len(times)
    return Row(
        name,
        len(times),
        took,
        times,
        processor=used,
        memory=server.memory(),
        pause=longest_pause(server, paused),
        verdict=Verdict(right=len(times), unanswered=lost),
    )


def storm(options: Options) -> Iterator[Row]:
    """2,000 log in at once, then all ask at once: the power came back."""
    with options.served(accounts=STORM, toml=TEST_CARD + MANY) as server:
        time.sleep(CALM)
        receivers = [Receiver(number) for number in range(STORM)]
        paused = pauses(server)
        before, began = server.processor(), time.perf_counter()
        inside = drive.log_in(receivers, server.port, rate=1e6)
        took, used = time.perf_counter() - began, server.processor() - before
        tries = sum(each.login.tries for each in receivers)
        times = [each.login.carded - each.login.started for each in inside if each.login.carded]
        yield Row(
            "storm: log in",
            len(inside),
            took,
            times,
            processor=used,
            memory=server.memory(),
            pause=longest_pause(server, paused),
            verdict=Verdict(right=len(inside), unanswered=STORM - len(inside)),
            note=f"{tries - STORM} tries more than needed",
        )
        time.sleep(CALM)
        drive.settle(inside)
        for each in inside:
            each.prepare(Broadcast(each.number).distinct(1 + each.number % 1000, 1))
        yield _row("storm: ask", server, inside, lambda: drive.ask_in_time(inside, 1.0, 0.0))
        _close(inside)


PROFILES: Final[dict[str, Callable[[Options], Iterator[Row]]]] = {
    "distinct": distinct,
    "known": known,
    "newcamd": newcamd,
    "login": login,
    "hops": hops,
    "storm": storm,
    "zap1000": lambda options: zap(options, 1000),
    "zap5000": lambda options: zap(options, 5000),
    "zap10000": lambda options: zap(options, 10_000),
}
