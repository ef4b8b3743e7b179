"""What a routing decision costs: run `python bench/routing.py`.

Real time, one process; the best of several rounds, because other programs share the machine.
The router's own clock is simulated, 200 requests per second, and its timers are served too.
"""

import random
import time
from collections.abc import Callable

from cccamd.cards import CardTable, LocalCard, View, Viewer
from cccamd.ids import Caid, Ident, NodeId, ShareId, Sid
from cccamd.routing import Ask, Router, SourceTraits
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
        table.add_local(source, LocalCard(caid=CAID, reshare=1, providers=(Provider(IDENT),)))
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


def ask_and_answer(sources: int) -> float:
    """Microseconds for request -> Ask -> answered -> Deliver."""
    view, router = make_view(sources)
    cws = make_cws()
    clock = 0.0

    def run(requests: list[Request]) -> None:
        nonlocal clock
        for waiter, (request, cw) in enumerate(zip(requests, cws, strict=True)):
            (ask,) = router.request(waiter, view, request, clock)
            assert isinstance(ask, Ask)
            router.answered(ask.ask_id, cw, clock + 0.02)
            clock += STEP
            deadline = router.next_deadline()
            if deadline is not None and deadline <= clock:
                router.handle_deadline(clock)

    return best_time(lambda seed: make_requests(view, seed), run)


def cache_hit() -> float:
    """Microseconds for request -> Deliver."""
    view, router = make_view(1)
    first = make_requests(view, 0)[0]
    (ask,) = router.request("first", view, first, 0.0)
    assert isinstance(ask, Ask)
    router.answered(ask.ask_id, make_cws()[0], 0.02)

    def copies(_: int) -> list[Request]:
        return [first._replace(section=bytes(bytearray(first.section))) for _ in range(REQUESTS)]

    def run(requests: list[Request]) -> None:
        for request in requests:
            router.request(0, view, request, 1.0)

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
