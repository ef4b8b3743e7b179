"""What CCcam.prio costs each ECM, by its length: run `python bench/priorities.py`.

Real time, one process; the best of several rounds. Four cards fit, and no line names their
provider but the last, which is the worst case for reading line by line.
"""

import time

from cccamd.cards import CardTable, LocalOffer, View, Viewer
from cccamd.ids import Caid, Ident, NodeId, ShareId, Sid
from cccamd.routing import Priorities
from cccamd.setup.cccamcfg import FLine
from cccamd.values import Provider, Request, Service

ROUNDS = 20
CALLS = 200
CAID = Caid(0x0500)


def bench(lines: int) -> tuple[float, float, float]:
    """Milliseconds to index; microseconds for the order of four cards, and to look for I-lines."""
    table = CardTable(NodeId(b"ourselfs"))
    for number in range(4):
        offer = LocalOffer(caid=CAID, hop=1, providers=(Provider(Ident(1 + number)),))
        table.add_local(table.add_source(), offer)
    account = FLine(line=1, user="anna", password="secret")
    view = View(table, Viewer(account=account))
    request = Request(CAID, Ident(0), ShareId(0), Sid(1), b"\x80")
    cards = list(view.candidates(request).cards)
    service = Service(CAID, Ident(0), Sid(1))
    pairs = [
        (Service(CAID, Ident(100 + number), Sid(1)), Service(CAID, Ident(7), Sid(1)))
        for number in range(lines - 1)
    ]
    pairs.append((Service(CAID, Ident(2), Sid(1)), Service(CAID, Ident(1), Sid(1))))
    begin = time.perf_counter()
    priorities = Priorities.of([pair[0] for pair in pairs[:-1]], pairs)
    built = 1e3 * (time.perf_counter() - begin)
    assert priorities.order(cards, service)
    order = ignores = float("inf")
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for _ in range(CALLS):
            priorities.order(cards, service)
        order = min(order, (time.perf_counter() - begin) / CALLS)
        begin = time.perf_counter()
        for _ in range(CALLS):
            for card in cards:
                priorities.ignores(card, service)
        ignores = min(ignores, (time.perf_counter() - begin) / CALLS)
    return built, 1e6 * order, 1e6 * ignores


if __name__ == "__main__":
    for lines in (1, 100, 14_000):
        built, order, ignores = bench(lines)
        print(
            f"{lines:6} lines: index {built:6.1f} ms, order of four cards {order:7.2f} us,"
            f" I-lines {ignores:7.2f} us"
        )
