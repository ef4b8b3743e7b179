"""Who may see and have what, written down a second time, without a line of the server's code.

An account is one of `KINDS`; a card is what the upstream (or the configuration) says of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cccamd.values import ControlWords, with_checksums

CAID, OTHER_CAID = 0x0B00, 0x0500
DENIED_SID: Final = 7


def truth(ecm: bytes) -> bytes:
    """The one right CW of an ECM: what a local card of kind `test` says, too."""
    return with_checksums(sha256(ecm).digest()[:16])


@dataclass(frozen=True)
class Word:
    """A card as its source describes it, seen from the server."""

    caid: int
    idents: tuple[int, ...]
    hop: int
    reshare: int
    local: bool
    remote_id: int
    origin: bytes
    share_id: int = 1


@dataclass(frozen=True)
class Rights:
    """What an F-line gives."""

    line: str
    hops: int = 5
    denies: Callable[[int, int], bool] = lambda caid, ident: False
    denied_sid: int | None = None
    onward: int = 255
    """How many further hops its limits let cards go."""
    from_midnight: bool = False
    """Whether it is served from midnight to noon only."""

    def kept(self, card: Word) -> tuple[int, ...]:
        """The providers that it may see of a card."""
        if card.hop > self.hops or not (card.local or card.reshare):
            return ()
        return tuple(ident for ident in card.idents if not self.denies(card.caid, ident))

    def reshare(self, card: Word) -> int:
        """The most that it may be announced with."""
        return min(card.reshare if card.local else card.reshare - 1, self.onward)

    def may_have(self, card: Word, caid: int, ident: int, sid: int) -> bool:
        """Whether an answer of the card is for it."""
        if caid != card.caid or (caid == CAID and ident == 2 and sid == self.denied_sid):
            return False
        kept = self.kept(card)
        return bool(kept) if not ident else ident in kept


KINDS: Final = {
    "full": Rights("F: {} pw"),
    "own": Rights("F: {} pw 0", hops=0),
    "near": Rights("F: {} pw 1", hops=1),
    "picky": Rights(
        "F: {} pw 5 0 1 {{ 0B00:000001, 0500:000000:0 }}",
        denies=lambda caid, ident: caid == OTHER_CAID or ident == 1,
    ),
    "shy": Rights(
        "F: {} pw 5 0 1 {{ 0:0:1 }} {{ 0B00:000002:0007 }}", denied_sid=DENIED_SID, onward=0
    ),
    "night": Rights("F: {} pw 5 0 1 {{ }} {{ }} {{ 00:00-12:00 }}", from_midnight=True),
}


PRIORITIES: Final = (
    ("", ()),
    ("I: B00:1:1", ((CAID, 1, 1),)),
    ("I: B00:2\nP: B00:3, B00:1", ((CAID, 2, 0),)),
    ("P: B00:2, B00:3", ()),
    ("I: 500", ((OTHER_CAID, 0, 0),)),
)
"""What CCcam.prio says, and for which CAID, provider and service (0: any) no upstream is asked."""


def control_words(raw: bytes) -> ControlWords:
    return ControlWords(raw)
