"""Which of a service's ECMs are asked: in what order, and when another is tried.

Source: docs/dvbapi-protocol.md section 12. Theory of operation. Each stream of ECMs is a
*candidate* with a prospect: what the cards that this client sees may make of it. One candidate is
*chosen* and stays so, whatever passes: a timeout, a lost peer, a card that is busy. It is *spent*
when two different ECMs of it could not be decoded; then the best that is not spent is chosen. When
all are, none is: it starts over, and never falls silent. A candidate whose prospect changes is as
new.

Where a card serves none of them, but one may come, the first is chosen all the same: the client
needs a filter within 1.5 seconds. Where none can ever come, nothing is chosen, and a client with
another descrambler may try that one.
"""

from collections.abc import Callable, Collection, Hashable, Iterable
from enum import IntEnum
from typing import Final, NamedTuple

from cccamd.ids import Caid, Ident, Sid
from cccamd.softcam.programme import EcmStream
from cccamd.wire.dvbapi import NO_PID

ENOUGH: Final = 2
"""Different ECMs that could not be decoded: one may have been damaged."""
CHAINS_LIMIT: Final = 32
_CHAINED: Final = 0x06
"""The CA system (high byte of the CAID) with several streams of ECMs on one PID."""


class Chance(IntEnum):
    """Whether a card for something may be had."""

    NEVER = 0
    """Not as the configuration is."""
    MAY_COME = 1
    """A source that is not there now may bring it."""
    SERVED = 2
    """A card that is there serves it."""


class Prospect(NamedTuple):
    """What the cards may make of a CAID and provider."""

    chance: Chance
    local: bool = False
    """One of the cards is our own."""
    hop: int = 0
    """How far the nearest is away."""
    cards: Hashable = None
    """Which cards they are: as long as this is equal, nothing has changed."""
    constant: bool = False
    """They give the same CW for whatever ECM: none is needed."""


NO_PROSPECT: Final = Prospect(Chance.NEVER)
Prospects = Callable[[Caid, Ident, Sid], Prospect]


class Candidate:
    """One stream of ECMs and how it went."""

    __slots__ = ("_failed", "ecm", "position", "prospect", "working")

    def __init__(self, ecm: EcmStream, position: int, prospect: Prospect) -> None:
        self.ecm = ecm
        self.position = position
        """Where it stands in the client's list."""
        self.prospect = prospect
        self.working = False
        """Its last ECM that was answered was answered with a CW."""
        self._failed: tuple[bytes, ...] = ()

    @property
    def is_spent(self) -> bool:
        """Whether it is another's turn."""
        return len(self._failed) >= ENOUGH

    @property
    def has_failed(self) -> bool:
        """Whether its last ECM could not be decoded."""
        return bool(self._failed)

    def succeeded(self) -> None:
        """A CW came."""
        self.working, self._failed = True, ()

    def failed(self, section: bytes) -> None:
        """No card can decode this ECM."""
        self.working = False
        if section not in self._failed:
            self._failed = (*self._failed, section)[-ENOUGH:]

    def forgive(self) -> None:
        """Start over."""
        self._failed = ()


class Choice:
    """The candidates of one set of streams, and which of them is chosen."""

    def __init__(self, sid: Sid, prospects: Prospects) -> None:
        self.chosen: Candidate | None = None
        self._sid = sid
        self._prospects = prospects
        self._candidates: dict[EcmStream, Candidate] = {}
        self._last_worked: EcmStream | None = None

    @property
    def candidates(self) -> Collection[Candidate]:
        """All of them."""
        return self._candidates.values()

    def offer(self, ecms: Iterable[EcmStream], last_worked: EcmStream | None = None) -> None:
        """Take what the client's list says now; what stays in it keeps what is known of it.

        The chosen one stays if it can; call `settle` for another.
        """
        self._last_worked = last_worked or self._last_worked
        known, self._candidates = self._candidates, {}
        for position, ecm in enumerate(ecms):
            chains = [old for old in known.values() if old.ecm._replace(chain=None) == ecm]
            for old in chains or (Candidate(ecm, position, self._look(ecm)),):
                old.position = position
                self._candidates[old.ecm] = old
        if self.chosen is not None and self.chosen.ecm not in self._candidates:
            self.chosen = None

    def look_again(self) -> None:
        """The cards have changed: what is new to a candidate makes it a new one."""
        for candidate in self._candidates.values():
            prospect = self._look(candidate.ecm)
            if prospect != candidate.prospect:
                candidate.prospect = prospect
                candidate.forgive()

    def settle(self) -> Candidate | None:
        """Choose, if nothing is chosen or something better is there that is not in use yet.

        What is in use and works stays; so does what failed for now, as long as a card serves it.
        """
        best = self._best()
        now = self.chosen
        if best is None or best is now:
            return now
        if now is None or now.is_spent or not (now.working or self._stands(now, best)):
            self.chosen = best
        return self.chosen

    def move_on(self) -> Candidate | None:
        """The chosen one is no good for now: choose the best that is not spent."""
        self.chosen = self._best() or self.chosen
        return self.chosen

    def unserved(self) -> bool:
        """Whether no card serves the chosen one, and one serves another."""
        if self.chosen is None or self.chosen.prospect.chance is Chance.SERVED:
            return False
        return any(each.prospect.chance is Chance.SERVED for each in self._candidates.values())

    def heard(self, pid: int, chain: int) -> Candidate | None:
        """An ECM came on a PID, and this is its byte 4. Return whose it is; None: nobody's now.

        Streams that share a PID become candidates of their own when they are first heard.
        """
        now = self.chosen
        if now is None or now.ecm.pid != pid:
            return None
        if now.ecm.caid >> 8 != _CHAINED or now.ecm.chain == chain:
            return now
        ecm = now.ecm._replace(chain=chain)
        if now.ecm.chain is None:
            del self._candidates[now.ecm]
            now.ecm = ecm
            self._candidates[ecm] = now
            return now
        if ecm not in self._candidates and len(self._candidates) < CHAINS_LIMIT:
            self._candidates[ecm] = Candidate(ecm, now.position, self._look(ecm))
        return None

    def _stands(self, now: Candidate, best: Candidate) -> bool:
        """Whether the chosen one, which has not worked yet, is as good as the best."""
        return self._rank(now) <= self._rank(best)

    def _best(self) -> Candidate | None:
        found = self._candidates.values()
        chance = max((each.prospect.chance for each in found), default=Chance.NEVER)
        if chance is Chance.NEVER:
            return None
        usable = [each for each in found if each.prospect.chance is chance]
        if all(each.is_spent for each in usable):
            for each in usable:
                each.forgive()
        return min((each for each in usable if not each.is_spent), key=self._rank)

    def _rank(self, candidate: Candidate) -> tuple[int, int, bool, int, bool, int]:
        ecm, prospect = candidate.ecm, candidate.prospect
        worked = self._last_worked is not None and ecm[:3] == self._last_worked[:3]
        # A provider that is served, then what worked last, then a CAID without a provider.
        tier = 0 if ecm.ident and prospect.chance is Chance.SERVED else 1 if worked else 2
        return (
            -prospect.chance,
            tier,
            not prospect.local,
            prospect.hop,
            not worked,
            candidate.position,
        )

    def _look(self, ecm: EcmStream) -> Prospect:
        found = self._prospects(ecm.caid, ecm.ident, self._sid)
        if ecm.pid == NO_PID and not found.constant:
            return NO_PROSPECT  # there will be no ECM to ask with
        return found
