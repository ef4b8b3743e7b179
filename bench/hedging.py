"""What asking a second card costs and saves when a source stalls: `python bench/hedging.py`.

The clock is simulated: answer times are drawn at random (log-normal), stalls too. What is real
are the decisions of the router. One ECM every 0.2 s, 50 services, each ECM wanted once.
"Not hedged" means no budget for a second question; a source that is stalled is left all the same.
"""

import random
import sys
from dataclasses import dataclass, field
from heapq import heappop, heappush

from cccamd.cards import CardTable, SourceId, View, Viewer
from cccamd.ids import Caid, Ident, NodeId, ShareId, Sid
from cccamd.routing import (
    Action,
    Ask,
    ClientId,
    Deliver,
    Refuse,
    Router,
    RouterSettings,
    SourceTraits,
    Waiter,
)
from cccamd.setup.cccamcfg import FLine
from cccamd.values import ControlWords, Offer, Provider, Request, with_checksums

CAID, IDENT = Caid(0x0B00), Ident(0x030B00)
REQUESTS = 50_000
STEP = 0.2
STALL = 3.0


@dataclass
class Source:
    """A source whose answers take about `median` seconds, and sometimes much longer."""

    median: float
    stalled_share: float = 0.0

    def answer_time(self, numbers: random.Random) -> float:
        stall = STALL if numbers.random() < self.stalled_share else 0.0
        return stall + self.median * numbers.lognormvariate(0.0, 0.3)


@dataclass
class Run:
    """One simulation."""

    sources: list[Source]
    settings: RouterSettings
    numbers: random.Random = field(default_factory=lambda: random.Random(1))
    times: list[float] = field(default_factory=list)
    asked: int = 0
    refused: int = 0
    events: list[tuple[float, int, Ask | int, ControlWords | None]] = field(default_factory=list)
    count: int = 0

    def __post_init__(self) -> None:
        table = CardTable(NodeId(b"ourselfs"))
        self.router = Router(self.settings)
        self.by_id: dict[SourceId, Source] = {}
        for number, source in enumerate(self.sources, start=1):
            source_id = table.add_source()
            self.by_id[source_id] = source
            self.router.source_ready(source_id, SourceTraits(), 0.0)
            table.add(source_id, announced(number))
        account = FLine(line=1, user="anna", password="secret")
        self.view = View(table, Viewer(account=account, node_id=NodeId(b"receiver")))

    def push(self, at: float, what: Ask | int, cw: ControlWords | None = None) -> None:
        self.count += 1
        heappush(self.events, (at, self.count, what, cw))

    def perform(self, actions: list[Action], now: float) -> None:
        for action in actions:
            if isinstance(action, Ask):
                self.asked += 1
                cw = ControlWords(with_checksums(action.request.section[-16:]))
                self.push(now + self.by_id[action.source].answer_time(self.numbers), action, cw)
            elif isinstance(action, Deliver):
                self.times.append(now - action.trace.asked_at)
            elif isinstance(action, Refuse):
                self.refused += 1

    def go(self) -> None:
        share_id = next(iter(self.view.announcements()), ShareId(0))
        for number in range(REQUESTS):
            self.push(number * STEP, number)
        while self.events:
            due = self.router.next_deadline()
            if due is not None and due < self.events[0][0]:
                self.perform(self.router.handle_deadline(due), due)
                continue
            now, _, what, cw = heappop(self.events)
            if isinstance(what, Ask):
                assert cw is not None
                self.perform(self.router.answered(what.ask_id, cw, now), now)
            else:
                sid, ecm = Sid(1 + what % 50), self.numbers.randbytes(64)
                request = Request(CAID, IDENT, share_id, sid, ecm)
                wanted = self.router.wanted(self.view, request)  # each but once: none is known
                self.perform(self.router.request(Waiter(ClientId(1), what), wanted, now), now)

    @property
    def extra(self) -> float:
        """Requests beyond one per ECM, as a share."""
        return self.asked / REQUESTS - 1

    def percentile(self, share: float) -> float:
        return sorted(self.times)[int(share * (len(self.times) - 1))]


def announced(number: int) -> Offer:
    return Offer(
        share_id=ShareId(number),
        remote_id=number,
        caid=CAID,
        hop=0,
        reshare=2,
        providers=(Provider(IDENT),),
        path=(NodeId(b"upstream"[:7] + bytes([48 + number])),),
    )


def report(title: str, sources: list[Source], *, hedge_share: float) -> Run:
    run = Run(sources, RouterSettings(hedge_share=hedge_share))
    run.go()
    print(
        f"{title:52} 50 %: {1000 * run.percentile(0.5):5.0f} ms   "
        f"99 %: {1000 * run.percentile(0.99):5.0f} ms   "
        f"99.9 %: {1000 * run.percentile(0.999):5.0f} ms   "
        f"extra requests: {100 * run.extra:4.1f} %   refused: {run.refused}"
    )
    return run


def main() -> int:
    report("one source that stalls 3 s in 3 %", [Source(0.1, 0.03)], hedge_share=0.1)
    failed = False
    for median in (0.1, 0.25):
        healthy = report(f"one healthy source ({median} s)", [Source(median)], hedge_share=0.1)
        limit = 2 * healthy.percentile(0.99)
        for stalled_share in (0.01, 0.03, 0.1, 0.3):
            for hedge_share in (0.0, 0.1):
                sources = [Source(0.1, stalled_share), Source(median)]
                kind = "hedged" if hedge_share else "not hedged"
                title = f"the same behind one that stalls in {stalled_share:.0%}, {kind}"
                run = report(title, sources, hedge_share=hedge_share)
                late = run.percentile(0.999) >= limit
                failed |= bool(hedge_share) and (late or run.extra >= 0.1)
    print("FAILED" if failed else "passed", end="")
    print(": hedged, 99.9 % below twice the healthy source's 99 %, extra requests below 10 %")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
