"""Which EMMs go to which card, and which go nowhere.

Source: docs/protocol.md section 10; docs/config.md sections 2.2 and 6.3.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from enum import Enum
from hashlib import blake2b

from cccamd.cards import Card
from cccamd.routing.actions import ClientId

REPEAT_INTERVAL = 60.0
"""Seconds in which the same EMM is passed to the same card once: all clients hear the carousel."""
REMEMBERED_LIMIT = 10_000
"""EMMs whose repetition is noticed."""
BURST = 50
RATE = 5.0
"""EMMs per second and client, after a burst: above what any broadcast carries for one card."""
FEW_RATE = 0.1
"""Global EMMs per second and card with GLOBAL EMM : 1."""


class EmmVerdict(Enum):
    """What becomes of an EMM; the value is for people."""

    PASSED = "passed to the card"
    NOT_ALLOWED = "this account may not send EMMs"
    OTHER_SOURCE = "its source takes no EMMs, or none of this account (cccamd.toml)"
    NO_CARD = "it names no card that this client sees"
    REPEATED = "the card got the same EMM a moment ago"
    TOO_MANY = "this client sends more EMMs than any broadcast carries"
    GLOBAL = "global EMMs are not passed on as often; GLOBAL EMM of CCcam.cfg says how"


@dataclass(slots=True)
class Bucket:
    """Lets `burst` things through at once, and `rate` per second after that."""

    rate: float
    burst: float
    _level: float = field(init=False)
    _at: float = 0.0

    def __post_init__(self) -> None:
        self._level = self.burst

    def take(self, now: float) -> bool:
        """Whether one more may pass now."""
        self._level = min(self.burst, self._level + self.rate * max(0.0, now - self._at))
        self._at = now
        if self._level < 1:
            return False
        self._level -= 1
        return True


class EmmGate:
    """Decides about EMMs; remembers what went through."""

    def __init__(self, *, global_emms: int = 2) -> None:
        self.global_emms = global_emms
        """GLOBAL EMM: 0 none, 1 a few, 2 all."""
        self._passed: OrderedDict[tuple[int, bytes], float] = OrderedDict()
        self._clients: dict[ClientId, Bucket] = {}
        self._globals: dict[int, Bucket] = {}

    def decide(
        self,
        client: ClientId,
        card: Card | None,
        emm: bytes,
        *,
        allowed: bool,
        now: float,
        emm_to: tuple[str, ...] = (),
    ) -> EmmVerdict:
        """Decide about one EMM of a client for the card that it names.

        `emm_to`: the names of the sources that its EMMs are for; empty: all.
        """
        if not allowed:
            return EmmVerdict.NOT_ALLOWED
        if card is None:
            return EmmVerdict.NO_CARD
        if not card.access.may_update(emm_to):
            return EmmVerdict.OTHER_SOURCE
        if not self._clients.setdefault(client, Bucket(RATE, BURST)).take(now):
            return EmmVerdict.TOO_MANY
        return self._decide_for_card(card, emm, now)

    def decide_for_node(self, card: Card, emm: bytes, *, now: float) -> EmmVerdict:
        """Decide about one of a client of another node of the fleet, who may send it."""
        if not card.access.may_update(()):
            return EmmVerdict.OTHER_SOURCE
        return self._decide_for_card(card, emm, now)

    def _decide_for_card(self, card: Card, emm: bytes, now: float) -> EmmVerdict:
        if self._is_repeated(card, emm, now):
            return EmmVerdict.REPEATED
        if is_global(card, emm) and not self._admits_global(card, now):
            return EmmVerdict.GLOBAL
        return EmmVerdict.PASSED

    def forget(self, client: ClientId) -> None:
        """A client has left."""
        self._clients.pop(client, None)

    def _is_repeated(self, card: Card, emm: bytes, now: float) -> bool:
        key = (card.own_share_id, blake2b(emm, digest_size=16).digest())
        last = self._passed.get(key)
        if last is not None and now - last < REPEAT_INTERVAL:
            return True
        self._passed[key] = now
        self._passed.move_to_end(key)
        while len(self._passed) > REMEMBERED_LIMIT:
            self._passed.popitem(last=False)
        return False

    def _admits_global(self, card: Card, now: float) -> bool:
        if card.local or self.global_emms >= 2:
            return True
        if self.global_emms == 0:
            return False
        bucket = self._globals.setdefault(card.own_share_id, Bucket(FEW_RATE, 1))
        return bucket.take(now)


def is_global(card: Card, emm: bytes) -> bool:
    """Whether an EMM is for all cards: it holds neither this card's UA nor one of its SAs.

    Every system lays its EMMs out in its own way, but all of them write the address they
    are for, so this needs to know none of them.
    """
    addresses = [card.ua[-4:], *(provider.sa for provider in card.providers)]
    return not any(any(address) and address in emm for address in addresses)
