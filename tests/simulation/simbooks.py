"""The books of one run of a fleet: what was asked, said and answered, and what must hold of it.

They are kept from outside: at the protocols of clients, at the cards, and where a node reads what
cards and other nodes say.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from simdiary import Diary
from simledger import DEADLINE, EPSILON
from simrights import truth

from cccamd.values import ControlWords, Offer, Refusal, Request, with_checksums

if TYPE_CHECKING:
    from simfleetcast import FleetNode

TWICE_IN: Final = 13.5
"""Seconds for which an account may be in at two nodes when all is well with the engine: until a
seat that is not held is claimed, and the look for a sign of life."""
REPEATS: Final = 3
"""ECMs of a service whose CWs show that one repeats."""


class Books(Diary):
    """Everything that is known from outside, and the first thing that was wrong."""

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__(now)
        self.answers = self.refusals = self.failed_logins = 0
        self.offered: dict[tuple[bytes, int, int], list[Any]] = {}
        self.node_of: Callable[[Any], FleetNode | None] = lambda protocol: None
        self.waited: list[tuple[float, float, bool, str]] = []
        """When what is answered was asked for, after how long, whether with a CW, and by whom."""
        self.is_owed: Callable[[FleetNode], bool] = lambda node: True
        """Whether the clients of a node can have CWs now."""
        self.served: dict[tuple[str, bytes], bool] = {}
        """Whether a viewer got the CW of an ECM, by his name."""
        self.helpless: set[tuple[str, bytes]] = set()
        """What a viewer wanted when his node, alone, would have had no card to ask for it."""
        self.asks: dict[bytes, list[tuple[float, str]]] = {}
        """When which card was asked for an ECM."""
        self.hedges: dict[bytes, int] = {}
        """How many of these are asks beside another: it is late, or a source is tried."""
        self.wanted: dict[bytes, float] = {}
        """When an ECM was asked for first, by anybody."""
        self.trouble_at = 0.0
        """When something was wrong with the engine or the ways to it, last."""
        self._said: dict[tuple[str, bytes], list[tuple[str, bytes, bool]]] = {}
        """What a node has read of an ECM, in order: which card, which CW, whether it is its own."""
        self._told: dict[tuple[str, int], dict[bytes, list[bytes]]] = {}
        """By node and service: the CWs that were read of its last ECMs."""
        self._twice: dict[str, float] = {}
        self._asked: dict[tuple[int, int], tuple[float, Any, Request]] = {}
        self._named = 0

    # What the protocols of clients tell (`simledger.Watched`).

    def next_name(self) -> int:
        self._named += 1
        return self._named

    def login_failed(self, protocol: Any) -> None:
        self.failed_logins += 1

    def announced(self, protocol: Any, offer: Offer) -> None:
        self.note("announced", protocol.name, offer.remote_id)

    def requested(self, protocol: Any, token: int, request: Request) -> None:
        self.note("asked", protocol.name, token, tuple(request))
        self._asked[protocol.name, token] = self.now(), protocol, request
        self.wanted.setdefault(request.section, self.now())
        node = self.node_of(protocol)
        if node is not None and not node.has_one_to_ask(request):
            self.helpless.add((protocol.user_name, request.section))

    def answered(self, protocol: Any, token: int, answer: ControlWords | Refusal | None) -> None:
        said = answer.raw if isinstance(answer, ControlWords) else answer
        self.note("answered", protocol.name, token, said)
        found = self._asked.pop((protocol.name, token), None)
        node = self.node_of(protocol)
        if found is None:
            if node is not None:
                self.blame(f"request {token} of client {protocol.name} was answered twice")
            return
        at, _, request = found
        if self.now() > at + DEADLINE + EPSILON:
            self.blame(f"an answer came after {self.now() - at:.2f} s")
        if node is not None and self.is_owed(node):
            who = f"{protocol.user_name} at {node.name}"
            has_cw = isinstance(answer, ControlWords)
            self.waited.append((at, self.now() - at, has_cw, who))
        if isinstance(answer, ControlWords):
            self.answers += 1
            self.served[protocol.user_name, request.section] = True
            if node is not None:
                self._judge(node, request, answer.raw)
        elif answer is not None:
            self.refusals += 1
            self.served.setdefault((protocol.user_name, request.section), False)

    def overdue(self) -> None:
        """Look for requests that should have been answered by now."""
        while self._asked:
            key, (at, protocol, _) = next(iter(self._asked.items()))
            if self.node_of(protocol) is not None:
                if self.now() > at + DEADLINE + EPSILON:
                    self.blame(f"request {key} was not answered within {DEADLINE} s")
                    del self._asked[key]
                return
            del self._asked[key]

    @property
    def waiting(self) -> int:
        """How many requests of those who are there are not answered."""
        return sum(self.node_of(asked[1]) is not None for asked in self._asked.values())

    # What cards say, and nodes.

    def started(self, node: str) -> None:
        """A run of a node begins: it knows nothing of what it was told before."""
        self._said = {key: said for key, said in self._said.items() if key[0] != node}
        self._told = {key: told for key, told in self._told.items() if key[0] != node}

    def card_asked(self, card: str, section: bytes) -> None:
        self.note("card asked", card, section)
        self.asks.setdefault(section, []).append((self.now(), card))

    def hedged(self, node: str, section: bytes) -> None:
        self.note("hedged", node, section)
        self.hedges[section] = self.hedges.get(section, 0) + 1

    def heard(
        self, node: str, card: str, sid: int, section: bytes, raw: bytes, *, own: bool
    ) -> None:
        """A node has read a CW: of a card that it asked, or that another node tells."""
        self.note("read", node, card, raw)
        self._said.setdefault((node, section), []).append((card, raw, own))
        told = self._told.setdefault((node, sid), {})
        told.setdefault(section, []).append(raw)
        while len(told) > REPEATS + 1:
            del told[next(iter(told))]

    def _judge(self, node: "FleetNode", request: Request, raw: bytes) -> None:
        """A CW is given to a client: whether it may be."""
        section, right = request.section, truth(request.section)
        if not any(raw) or raw != with_checksums(raw):
            self.blame(f"{node.name} gave on a CW that is wrong by itself")
        said = self._said.get((node.name, section), [])
        if raw == right:
            if not node.has_card and all(cw != raw for _, cw, _ in said):
                self.blame(f"{node.name} gave on a CW that nobody has told it")
            return
        if all(cw != raw for _, cw, _ in said):
            self.blame(f"{node.name} gave on a CW that nobody has told it")
        elif node.has_card and any(own and cw == right for _, cw, own in said):
            self.blame(f"{node.name} gave on what its own card contradicts")
        sound = [cw for _, cw, _ in said if self._may_be(node.name, request.sid, section, cw)]
        cards = {card for card, cw, _ in said if cw == raw}
        if sound and raw != sound[0] and len(cards) < 2:
            self.blame(f"{node.name} gave on a CW that contradicts the one that it had before")

    def _may_be(self, node: str, sid: int, section: bytes, raw: bytes) -> bool:
        """Whether nothing about a CW by itself shows that it is wrong."""
        told = self._told.get((node, sid), {})
        repeated = any(raw in cws for ecm, cws in told.items() if ecm != section)
        return any(raw) and raw == with_checksums(raw) and not repeated

    def told_to_the_fleet(self, node: str, sid: int, section: bytes, raw: bytes) -> None:
        """A node tells the others a CW."""
        self.note("told", node, raw)
        if not any(raw) or raw != with_checksums(raw):
            self.blame(f"{node} told the others a CW that is wrong by itself")
        told = self._told.get((node, sid), {})
        firsts = ((ecm, cws[0]) for ecm, cws in told.items() if ecm != section)
        repeats = any(cw == raw and cw == truth(ecm) for ecm, cw in firsts)
        cards = {card for card, cw, _ in self._said.get((node, section), []) if cw == raw}
        if repeats and len(cards) < 2:
            self.blame(f"{node} told the others a CW of another period")

    # Accounts.

    def is_in(self, user: str, nodes: list[str]) -> None:
        """At which nodes an account is in now."""
        now = self.now()
        if len(nodes) < 2:
            self._twice.pop(user, None)
            return
        since = max(self._twice.setdefault(user, now), self.trouble_at)
        if now > since + TWICE_IN:
            self.blame(f"{user} is in at {nodes} for {now - since:.1f} s, and the engine is there")

    # Asks.

    def judge_asks(self, since: float, most: int) -> int:
        """Of what was wanted since a time, when all was well, no more was asked, on all nodes and
        of all cards together, but for hedges; how many ECMs were asked."""
        count = 0
        for section, at in self.wanted.items():
            if at < since:
                continue
            asks = [card for when, card in self.asks.get(section, []) if when >= at]
            count += bool(asks)
            allowed = most + self.hedges.get(section, 0)
            if len(asks) > allowed:
                self.blame(f"cards were asked {len(asks)} times for one ECM, not {allowed}: {asks}")
        return count

    def judge_waits(self, since: float, most: float) -> None:
        """Of what was asked for since a time, when all was well, all was got, and soon."""
        for at, seconds, has_cw, who in self.waited:
            if at < since:
                continue
            if not has_cw:
                self.blame(f"{who} got no CW although all is well")
            if seconds > most:
                self.blame(f"{who} waited {seconds:.3f} s for a CW although all is well")
