"""What a routing decision costs: run `python bench/routing.py`.

Real time, one process; the best of several rounds, because other programs share the machine.
The router's own clock is simulated, 200 requests per second, and its timers are served too.
"""

import random
import time
from collections.abc import Callable

from cccamd.cards import CardTable, LocalOffer, View, Viewer
from cccamd.ids import Caid, Ident, NodeId, ShareId, Sid
from cccamd.routing import (
    Action,
    Ask,
    ClientId,
    CwCache,
    Router,
    SourceTraits,
    Store,
    Waiter,
)
from cccamd.setup.cccamcfg import FLine
from cccamd.values import ControlWords, Provider, Request, with_checksums

ROUNDS = 10
REQUESTS = 5000
STEP = 0.005
CAID, IDENT = Caid(0x0B00), Ident(0x030B00)


def make_view(sources: int) -> tuple[View, Router]:
    """A server with so many cards, all of which fit, and one client."""
    table = CardTable(NodeId(b"ourselfs"))
    router = Router()
    for _ in range(sources):
        source = table.add_source()
        router.source_ready(source, SourceTraits(), 0.0)
        table.add_local(source, LocalOffer(caid=CAID, reshare=1, providers=(Provider(IDENT),)))
    account = FLine(line=1, user="anna", password="secret")
    return View(table, Viewer(account=account, node_id=NodeId(b"receiver"))), router


def make_requests(view: View, seed: int) -> list[Request]:
    """ECMs of fifty services, each a new one."""
    numbers = random.Random(seed)
    share_id = next(iter(view.announcements()), ShareId(0))
    return [
        Request(CAID, IDENT, share_id, Sid(1 + index % 50), numbers.randbytes(180))
        for index in range(REQUESTS)
    ]


def make_cws() -> list[ControlWords]:
    """Control words with right checksums, all different."""
    numbers = random.Random(0)
    return [ControlWords(with_checksums(numbers.randbytes(16))) for _ in range(REQUESTS)]


class Desk:
    """A router and its cache, with what an exchange does of itself."""

    def __init__(self, router: Router) -> None:
        self.router = router
        self.cache = CwCache()

    def request(self, waiter: Waiter, view: View, request: Request, now: float) -> Ask | None:
        """Look into the cache; return what a source is to be asked."""
        wanted = self.router.wanted(view, request)
        if self.cache.answer(wanted, now, self.router.vouches) is not None:
            return None
        return self.carry_out(self.router.request(waiter, wanted, now), now)

    def carry_out(self, actions: list[Action], now: float) -> Ask | None:
        """Store; return what a source is to be asked."""
        asked = None
        for action in actions:
            if isinstance(action, Store):
                self.cache.put(action, now)
            elif isinstance(action, Ask):
                asked = action
        return asked


def ask_and_answer(sources: int) -> float:
    """Microseconds for request -> Ask -> answered -> Deliver."""
    view, router = make_view(sources)
    desk, cws = Desk(router), make_cws()
    clock = 0.0

    def run(requests: list[Request]) -> None:
        nonlocal clock
        for token, (request, cw) in enumerate(zip(requests, cws, strict=True)):
            waiter = Waiter(ClientId(1), token)
            ask = desk.request(waiter, view, request, clock)
            assert ask is not None
            desk.carry_out(router.answered(ask.ask_id, cw, clock + 0.02), clock + 0.02)
            clock += STEP
            deadline = router.next_deadline()
            if deadline is not None and deadline <= clock:
                router.handle_deadline(clock)

    return best_time(lambda seed: make_requests(view, seed), run)


def cache_hit() -> float:
    """Microseconds for request -> Deliver."""
    view, router = make_view(1)
    desk, first = Desk(router), make_requests(view, 0)[0]
    waiter = Waiter(ClientId(1), 1)
    ask = desk.request(waiter, view, first, 0.0)
    assert ask is not None
    desk.carry_out(router.answered(ask.ask_id, make_cws()[0], 0.02), 0.02)

    def copies(_: int) -> list[Request]:
        return [first._replace(section=bytes(bytearray(first.section))) for _ in range(REQUESTS)]

    def run(requests: list[Request]) -> None:
        for request in requests:
            desk.request(waiter, view, request, 1.0)

    return best_time(copies, run)


def best_time(make: Callable[[int], list[Request]], run: Callable[[list[Request]], None]) -> float:
    """Microseconds per request, in the best round."""
    times = []
    for seed in range(ROUNDS):
        requests = make(seed)
        start = time.perf_counter()
        run(requests)
        times.append((time.perf_counter() - start) / len(requests))
    return 1e6 * min(times)


if __name__ == "__main__":
    print(f"cache hit:                  {cache_hit():6.2f} us  (target: 4)")
    print(f"ask and answer, one card:   {ask_and_answer(1):6.2f} us  (target: 10)")
    print(f"ask and answer, four cards: {ask_and_answer(4):6.2f} us")
