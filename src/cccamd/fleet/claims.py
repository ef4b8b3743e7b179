"""Which node asks its card for an ECM, and who waits for that: plain decisions.

Theory of operation. What the router wants to ask a card comes here first. All that concerns one
ECM is an *effort*, which goes from stage to stage:

    CLAIMING  our claim is under way. What is to be asked is held, a few milliseconds at most: the
              head start, which is the shorter the better our card. Then it is asked (`FREE`)
    OURS      the claim is ours: what is to be asked is asked at once
    THEIRS    another node has it, and asks a card that we know of and that may serve. What is to be
              asked is held until its CW is pushed, or until the time has passed in which it usually
              comes. Then one `Fetch` makes up for a
              push that was lost, and in the same breath the next *turn* is claimed: of those who
              wait for a node that is gone, one asks, and not all
    FREE      everything is asked at once: the CW is known, the engine is away or slow, who has the
              claim is of no use to us, or three turns brought nothing
    PASSED_ON our cards gave no CW, and we said so: the next turn may be claimed, by us as well

A card of our own that never lets wait is asked at once, and nothing is claimed for it; what it
says is told to the others. Nothing here ever waits for the engine without a time of its own, so an
engine that is away costs nothing, and two that know nothing of each other cost one more ask.

Why it decides as it does: docs/design/fleet.md.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from cccamd.fleet.actions import (
    Claim,
    Claimed,
    EngineAction,
    EngineBack,
    EngineEvent,
    EngineLost,
    Fetch,
    Fetched,
    Publish,
    Pushed,
)
from cccamd.fleet.due import DueQueue
from cccamd.fleet.efforts import Effort, Stage
from cccamd.fleet.listening import Listening
from cccamd.fleet.told import MS_LIMIT, Nothing, Told, decode, encode
from cccamd.routing import AnswerTimes, AskId
from cccamd.routing import Prospect as Prospect
from cccamd.values import CardId, ControlWords, Fingerprint, Service

HEAD_STARTS = (0.005, 0.010, 0.015)
"""Seconds for which an ask is held at most until the engine says who has the claim: for a card of
our own, for one that usually answers within `QUICK`, for any other."""
QUICK = 0.2
FAR_ENGINE = 1.5
"""An engine that is farther away than that gets so many times its usual round trip ..."""
FAR_SHARE, FAR_MOST = 0.25, 0.06
"""... but no more than this share of what the card usually takes, and never more than that."""
LOST_PUSH = 0.02
"""Seconds after the time in which a CW usually comes, until it is fetched."""
LONGEST_WAIT = 1.0
"""Seconds for which another node is waited for at most, however slow it usually is."""
TURNS = 3
"""So many nodes, one after the other, try to get a CW before all do."""
CLAIM_LIFE = 10.0
"""Seconds: a crypto period."""
CW_LIFE = 15.0
"""Seconds for which the engine keeps a CW: as long as a cache does by default."""
EFFORTS_LIMIT = 20_000


class Seals(Protocol):
    """What only nodes of the fleet can do: name entries, and read and write values."""

    unread: int
    """Values that no node can have written under the name that they came with."""

    def name(self, kind: str, *parts: bytes) -> bytes:
        """The name of an entry or a channel."""

    def seal(self, name: bytes, plain: bytes) -> bytes:
        """Make a value of an entry."""

    def unseal(self, name: bytes, value: bytes) -> bytes | None:
        """Read it; None: no node of the fleet has written it, or not under this name."""


class Go(NamedTuple):
    """Ask the card now, if somebody still wants it."""

    ask_id: AskId


class Heard(NamedTuple):
    """Another node tells a CW of a service's ECM. Only after this is done, carry on."""

    service: Service
    told: Told


Decision = EngineAction | Go | Heard


@dataclass(slots=True)
class Counts:
    """What came of it, since the start."""

    claimed: int = 0
    won: int = 0
    lost: int = 0
    unanswered: int = 0
    """Claims that the engine took too long over: the card was asked without."""
    told: int = 0
    """CWs told to the others."""
    heard: int = 0
    """CWs told by others, that were believed."""
    fetched: int = 0
    """Those of them whose push was missed."""
    hedged: int = 0
    """How often the node that had the claim said nothing in time."""


class Claims:
    """Decides for one node. Every method takes the time (seconds, monotonic), and most return
    what to do, in order. Each ask that was given to `ask` must be reported as `ended`, once."""

    def __init__(
        self, node: str, seals: Seals, *, may_serve: Callable[[str, Service], bool]
    ) -> None:
        """`may_serve`: whether a node has told of a card that may serve a service."""
        self.node = node
        self._may_serve = may_serve
        self.counts = Counts()
        self.round_trips = AnswerTimes()
        self.is_up = False
        """Whether the engine is there."""
        self._seals = seals
        self._back_at = 0.0
        self._efforts: OrderedDict[Fingerprint, Effort] = OrderedDict()
        self._asks: dict[AskId, Effort] = {}
        self._claims: dict[bytes, Effort] = {}
        self._fetches: dict[bytes, Effort] = {}
        self._listening = Listening(seals.name)
        self._distrusted: dict[str, float] = {}
        self._due: DueQueue[Effort] = DueQueue()

    # What the router wants.

    def ask(
        self, ask_id: AskId, prospect: Prospect, now: float, *, orders_of: str | None = None
    ) -> list[Decision]:
        """Something is to be asked. `Go` now or later, unless `forget` takes it back.

        `orders_of`: the node whose card it is; None: it is ours.
        """
        if not self.is_up:
            return [Go(ask_id)]
        decisions: list[Decision] = [*self._listening.want(prospect.service, now)]
        if prospect.immediate:
            return [*decisions, Go(ask_id)]
        effort = self._effort(prospect.fingerprint, prospect.service, now)
        self._asks[ask_id] = effort
        if effort.turn < 0 or effort.stage is Stage.PASSED_ON:
            effort.held[ask_id] = None
            effort.whose = orders_of or self.node
            effort.usual, effort.patience = prospect.usual, self._patience(prospect, now)
            return decisions + self._claim(effort, now, fetch=self._may_have_missed(effort, now))
        if effort.stage in (Stage.CLAIMING, Stage.THEIRS):
            effort.held[ask_id] = None
            return decisions
        effort.out.add(ask_id)
        return [*decisions, Go(ask_id)]

    def adopt(
        self, fingerprint: Fingerprint, service: Service, meant: Collection[AskId], now: float
    ) -> list[Decision]:
        """A node that has the claim to an ECM wants our card to be asked: its claim is ours.

        What is held for that very card, and so `meant`, goes now. All else waits for its answer:
        one ask is enough, and it may be an order, of the very node that asks us.
        """
        effort = self._effort(fingerprint, service, now)
        if not effort.is_known:
            # Those who wait have waited since that claim, and the order was on its way, too.
            effort.claimed_at = now - 2 * (self.round_trips.usual(now) or 0.0)
        effort.turn, effort.stage = max(effort.turn, 0), Stage.OURS
        others = [ask_id for ask_id in effort.held if ask_id not in meant]
        for ask_id in others:
            del effort.held[ask_id]
        decisions = self._let_go(effort)
        if others:
            effort.held = dict.fromkeys(others)
            self._due.set(effort, now + self._expected(effort, now) + LOST_PUSH)
        return decisions

    def forget(self, ask_id: AskId) -> bool:
        """Nobody wants it any more; whether it was still held, so that it never went out."""
        effort = self._asks.get(ask_id)
        return effort is not None and ask_id in effort.held

    def ended(self, ask_id: AskId, now: float) -> None:
        """What was asked has ended, in whatever way. What its CW was is `answered` after that."""
        effort = self._asks.pop(ask_id, None)
        if effort is None:
            return
        effort.held.pop(ask_id, None)
        effort.out.discard(ask_id)
        self._see_to_the_end(effort, now)

    def answered(
        self,
        fingerprint: Fingerprint,
        service: Service,
        card: CardId,
        cw: ControlWords,
        now: float,
        *,
        corrects: bool = False,
    ) -> list[Decision]:
        """A card of ours gave a CW, which was taken for right and given to our clients."""
        ms = 0
        if effort := self._efforts.get(fingerprint):
            if effort.turn >= 0 and not effort.is_known:
                ms = min(MS_LIMIT, max(1, round(1000 * (now - effort.claimed_at))))
            self._finish(effort, now)
        if not self.is_up:
            return []
        self.counts.told += 1
        told = Told(self.node, fingerprint, card, cw, corrects, ms)
        name = self._seals.name("cw", fingerprint)
        value = self._seals.seal(name, encode(told))
        return [Publish(name, self._listening.channel(service), value, int(1000 * CW_LIFE))]

    def distrust(self, node: str, until: float) -> None:
        """Believe nothing that a node tells, until then."""
        self._distrusted[node] = until

    def trusts(self, node: str, now: float) -> bool:
        """Whether a node is believed."""
        until = self._distrusted.get(node)
        if until is not None and now >= until:
            del self._distrusted[node]
            until = None
        return until is None

    @property
    def watched(self) -> int:
        """For how many services it is listened."""
        return len(self._listening)

    # What the engine tells.

    def handle(self, event: EngineEvent, now: float) -> list[Decision]:
        """Go on with what the engine tells; what is not about an ECM is left alone."""
        match event:
            case Claimed():
                return self._claimed(event, now)
            case Fetched(name, value):
                effort = self._fetches.pop(name, None)
                if effort is None or value is None:
                    return []
                return self._read(effort.service, name, value, now, fetched=True)
            case Pushed(channel, name, value):
                service = self._listening.service_of(channel)
                return self._read(service, name, value, now) if service is not None else []
            case EngineBack():
                self.is_up, self._back_at = True, now
            case EngineLost():
                return self._lost()
        return []

    def _claimed(self, claimed: Claimed, now: float) -> list[Decision]:
        name, won, theirs = claimed
        effort = self._claims.pop(name, None)
        if effort is None:
            return []
        self.round_trips.add(now - effort.claimed_at, now)
        self.counts.won += won
        self.counts.lost += not won
        if effort.is_known or name != self._claim_name(effort):
            return []
        if won:
            effort.stage = Stage.OURS
            decisions = self._let_go(effort)
            self._see_to_the_end(effort, now)
            return decisions
        if effort.stage is Stage.CLAIMING:
            effort.stage = Stage.THEIRS
            if effort.passed >= effort.turn:
                return self._passed_on(effort, effort.passed, now)
            if not self._is_of_use(name, theirs, effort.service):
                return self._free(effort)
            self._due.set(effort, now + self._expected(effort, now) + LOST_PUSH)
        return []

    def _is_of_use(self, name: bytes, claim: bytes | None, service: Service) -> bool:
        """Whether to wait for the node that a claim names, whose card is asked: its CW is for
        nobody here if it has not told us of a card that may serve, as in the seconds after a
        start."""
        plain = self._seals.unseal(name, claim) if claim is not None else None
        if plain is None:
            return False
        whose = plain.decode("utf-8", "replace")
        return whose == self.node or self._may_serve(whose, service)

    def _read(
        self, service: Service, name: bytes, value: bytes, now: float, *, fetched: bool = False
    ) -> list[Decision]:
        plain = self._seals.unseal(name, value)
        message = decode(plain) if plain is not None else None
        if message is None or self._seals.name("cw", message.fingerprint) != name:
            return []
        if message.node == self.node:
            return []
        effort = self._efforts.get(message.fingerprint)
        if not self.trusts(message.node, now):
            return self._free(effort) if effort and effort.stage is Stage.THEIRS else []
        if isinstance(message, Nothing):
            return self._passed_on(effort, message.turn, now) if effort else []
        self.counts.heard += 1
        self.counts.fetched += fetched
        if message.ms:
            self._listening.took(service, message.ms / 1000, now)
        if effort is not None:
            self._finish(effort, now)
        return [Heard(service, message)]

    def _passed_on(self, effort: Effort, turn: int, now: float) -> list[Decision]:
        """The node that had the claim got no CW: one of those who wait takes its turn."""
        effort.passed = max(effort.passed, turn)
        if effort.stage is not Stage.THEIRS or turn < effort.turn:
            return []
        effort.turn = turn
        return self._claim(effort, now)

    def _lost(self) -> list[Decision]:
        """The engine is away: everything goes on as without a fleet."""
        self.is_up = False
        self._claims.clear()
        self._fetches.clear()
        decisions: list[Decision] = []
        for effort in self._efforts.values():
            decisions += self._free(effort)
        return decisions

    # What is due.

    def next_deadline(self) -> float | None:
        """When to call `handle_deadline`; None: not before something else happens."""
        return self._due.next_at()

    def handle_deadline(self, now: float) -> list[Decision]:
        """Do what is due by now."""
        decisions: list[Decision] = []
        while (effort := self._due.pop(now)) is not None:
            decisions += self._do_due(effort, now)
        return decisions

    def _do_due(self, effort: Effort, now: float) -> list[Decision]:
        match effort.stage:
            case Stage.CLAIMING:
                self.counts.unanswered += 1
                return self._free(effort)
            case Stage.THEIRS:
                self.counts.hedged += 1
                return self._claim(effort, now, fetch=True)
            case Stage.OURS if effort.held:
                return self._let_go(effort)
            case Stage.OURS:
                return [] if effort.out else self._pass_on(effort)
            case _:
                return self._let_go(effort)

    # Steps.

    def _effort(self, fingerprint: Fingerprint, service: Service, now: float) -> Effort:
        efforts = self._efforts
        while efforts:
            oldest = next(iter(efforts.values()))
            if len(efforts) < EFFORTS_LIMIT and now < oldest.began_at + CLAIM_LIFE:
                break
            if oldest.held:  # they have a time of their own, which comes soon
                efforts.move_to_end(oldest.fingerprint)
                oldest.began_at = now
                break
            del efforts[oldest.fingerprint]
            for ask_id in oldest.out:
                self._asks.pop(ask_id, None)
        effort = efforts.get(fingerprint)
        if effort is None:
            effort = efforts[fingerprint] = Effort(fingerprint, service, now)
        return effort

    def _claim(self, effort: Effort, now: float, *, fetch: bool = False) -> list[Decision]:
        """Try to get the next turn, and see whether a CW is there already."""
        decisions: list[Decision] = []
        if fetch:
            cw_name = self._seals.name("cw", effort.fingerprint)
            self._fetches[cw_name] = effort
            decisions.append(Fetch(cw_name))
        effort.turn += 1
        if effort.turn >= TURNS:
            return decisions + self._free(effort)
        effort.stage, effort.claimed_at = Stage.CLAIMING, now
        name = self._claim_name(effort)
        self._claims[name] = effort
        self._due.set(effort, now + effort.patience)
        self.counts.claimed += 1
        value = self._seals.seal(name, effort.whose.encode())
        return [*decisions, Claim(name, value, int(1000 * CLAIM_LIFE))]

    def _claim_name(self, effort: Effort) -> bytes:
        return self._seals.name("claim", effort.fingerprint, bytes((effort.turn,)))

    def _pass_on(self, effort: Effort) -> list[Decision]:
        effort.stage = Stage.PASSED_ON
        nothing = Nothing(self.node, effort.fingerprint, effort.turn)
        name = self._seals.name("cw", effort.fingerprint)
        value = self._seals.seal(name, encode(nothing))
        return [Publish(name, self._listening.channel(effort.service), value, 0)]

    def _see_to_the_end(self, effort: Effort, now: float) -> None:
        """Pass the claim on when nothing is left to be asked, unless more comes right now; what
        waited for our card is asked before that."""
        if not effort.out and effort.stage is Stage.OURS and not effort.is_known:
            self._due.set(effort, now)

    def _finish(self, effort: Effort, now: float) -> None:
        """The CW is known. Who may not have it is served by what is held, at once after that."""
        effort.stage, effort.is_known, effort.due_at = Stage.FREE, True, None
        if effort.held:
            self._due.set(effort, now)

    def _free(self, effort: Effort) -> list[Decision]:
        effort.stage, effort.due_at = Stage.FREE, None
        return self._let_go(effort)

    def _let_go(self, effort: Effort) -> list[Decision]:
        effort.due_at = None
        effort.out |= effort.held.keys()
        decisions: list[Decision] = [Go(ask_id) for ask_id in effort.held]
        effort.held.clear()
        return decisions

    # How long is waited.

    def _patience(self, prospect: Prospect, now: float) -> float:
        """For how long the engine may say who has the claim."""
        head_start = HEAD_STARTS[0 if prospect.local else 1 if prospect.usual <= QUICK else 2]
        round_trip = self.round_trips.usual(now)
        if round_trip is None:
            return head_start
        most = min(FAR_MOST, FAR_SHARE * prospect.usual)
        return max(head_start, min(FAR_ENGINE * round_trip, most))

    def _expected(self, effort: Effort, now: float) -> float:
        """Within which time a CW of another node usually comes."""
        usual = self._listening.usual(effort.service, effort.usual, now)
        return min(LONGEST_WAIT, usual)

    def _may_have_missed(self, effort: Effort, now: float) -> bool:
        """Whether a CW may have been pushed before anybody listened here."""
        since = self._listening.since(effort.service)
        return since is None or now < max(since, self._back_at) + CW_LIFE
