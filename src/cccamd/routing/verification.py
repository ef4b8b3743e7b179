"""Which control words are wrong, as far as that shows: looks at each, remembers the last ones."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from cccamd.cards import Card
from cccamd.values import ControlWords, Fingerprint, Outcome, Service

SERVICES_LIMIT = 2000
"""A bound for memory: the oldest service is forgotten."""
ECMS_LIMIT = 2000
"""The same for ECMs."""
CWS_LIMIT = 8
"""CWs of a service that are remembered: more than one, as a client may name any service with any
ECM, some services have two rows of ECMs, and sources may disagree."""


@dataclass(slots=True)
class _History:
    """What a service was told lately."""

    told: dict[bytes, Fingerprint | None]
    """Its last CWs, the newest last, and for which ECM each was told; None: for several."""
    constant: bytes | None = None
    """The CW that it has in every period, if so: then repeating is right."""


class Verification:
    """Looks at each CW, and remembers the last right ones of each service.

    A repeated CW may be believed for want of a better one: then it stands under a *doubt*,
    which ends when an independent card says the same, or something else.
    """

    def __init__(self, *, check_checksums: bool) -> None:
        self.check_checksums = check_checksums
        """May be changed at any time."""
        self._services: OrderedDict[Service, _History] = OrderedDict()
        self._ecms: OrderedDict[Fingerprint, tuple[bytes, Card]] = OrderedDict()
        """What was taken for right, and who said so first."""
        self._doubts: dict[Fingerprint, Card] = {}
        """Who alone said what was believed; of ECMs that are remembered."""
        self._disputes: dict[Fingerprint, tuple[bytes, Card]] = {}
        """What another said than who was first, and who; of ECMs that are remembered."""

    def flaw(
        self,
        service: Service,
        fingerprint: Fingerprint,
        cw: ControlWords,
        others: Iterable[Service] = (),
    ) -> Outcome | None:
        """What is wrong with an answer, if it shows; `others` are services that it is for, too."""
        if cw.is_zero:
            return Outcome.ZERO
        if self.check_checksums and not cw.checksums_valid:
            return Outcome.CHECKSUM
        if self._repeats(service, fingerprint, cw.raw):
            return Outcome.REPEATED
        for other in others:
            if self._repeats(other, fingerprint, cw.raw):
                return Outcome.REPEATED
        return None

    def _repeats(self, service: Service, fingerprint: Fingerprint, raw: bytes) -> bool:
        history = self._services.get(service)
        if history is None or raw == history.constant:
            return False
        return history.told.get(raw, fingerprint) != fingerprint

    def contradicts(self, fingerprint: Fingerprint, cw: ControlWords, card: Card) -> bool:
        """Whether another source has said something else of this ECM, which nobody doubts."""
        known = self._ecms.get(fingerprint)
        if known is None or known[0] == cw.raw or fingerprint in self._doubts:
            return False
        return known[1].source != card.source

    def accept(
        self,
        service: Service,
        fingerprint: Fingerprint,
        cw: ControlWords,
        card: Card,
        *,
        others: Iterable[Service] = (),
        doubtful: bool = False,
    ) -> bool:
        """Remember what was taken for right; `doubtful`: although it repeats, and alone.

        Return whether it corrects what was believed of this ECM before.
        """
        raw = cw.raw
        known = self._ecms.get(fingerprint)
        corrects = confirmed = False
        if known is None:
            self._remember(fingerprint, raw, card)
            if doubtful:
                self._doubts[fingerprint] = card
        elif fingerprint in self._doubts and not doubtful:
            corrects = known[0] != raw
            confirmed = not corrects and are_independent(card, self._doubts[fingerprint])
            if corrects or confirmed:
                del self._doubts[fingerprint]
                self._ecms[fingerprint] = raw, card
        for each in (service, *others) if others else (service,):
            self._tell(each, fingerprint, raw, doubtful=doubtful)
            if confirmed and each in self._services:
                self._services[each].constant = raw
        return corrects

    def vouches(self, service: Service, fingerprint: Fingerprint, cw: ControlWords) -> bool:
        """Whether what is kept of an ECM may be told for one more service.

        Not if it repeats there: then whoever named another service for it hid that, and it is to
        be asked anew, under a doubt.
        """
        if self._repeats(service, fingerprint, cw.raw):
            return False
        self._tell(service, fingerprint, cw.raw)
        return True

    def disproved(self, fingerprint: Fingerprint, cw: ControlWords, card: Card) -> Card | None:
        """Whose CW is shown to be wrong by what a card says; perhaps its own. Ask before `accept`.

        A card of our own knows best. Of two others that say different things nobody knows who is
        right, until a third one that is independent says the same as one of them.
        """
        known = self._ecms.get(fingerprint)
        if known is None or fingerprint in self._doubts:
            return None
        raw, first = known
        dispute = self._disputes.get(fingerprint)
        if raw == cw.raw:
            if dispute is None or not are_independent(card, first):
                return None
            del self._disputes[fingerprint]
            return dispute[1]
        if first.source == card.source:
            return None
        if first.local is not card.local:
            if first.local:
                return card
        elif dispute is None:
            self._disputes[fingerprint] = cw.raw, card
            return None
        elif dispute[0] != cw.raw or not are_independent(card, dispute[1]):
            return None
        self._disputes.pop(fingerprint, None)
        self._doubts[fingerprint] = first
        return first

    def is_open(self, fingerprint: Fingerprint, cw: ControlWords) -> bool:
        """Whether a CW settles something: what is remembered is doubted, or is another one."""
        known = self._ecms.get(fingerprint)
        return known is not None and (known[0] != cw.raw or fingerprint in self._doubts)

    def doubts(self, fingerprint: Fingerprint) -> bool:
        """Whether what is remembered of an ECM stands under a doubt."""
        return fingerprint in self._doubts

    def doubt(self, fingerprint: Fingerprint, card: Card) -> None:
        """What a card has said of an ECM is to be confirmed, or to be corrected."""
        if fingerprint in self._ecms:
            self._doubts.setdefault(fingerprint, card)

    def takes_back(self, fingerprint: Fingerprint, card: Card) -> None:
        """The source of a card says that what it has said of an ECM is to be corrected."""
        known = self._ecms.get(fingerprint)
        if known is not None and known[1].source == card.source:
            self._doubts.setdefault(fingerprint, known[1])

    def _remember(self, fingerprint: Fingerprint, raw: bytes, card: Card) -> None:
        if len(self._ecms) >= ECMS_LIMIT:
            oldest = self._ecms.popitem(last=False)[0]
            self._doubts.pop(oldest, None)
            self._disputes.pop(oldest, None)
        self._ecms[fingerprint] = raw, card

    def _tell(
        self, service: Service, fingerprint: Fingerprint, raw: bytes, *, doubtful: bool = False
    ) -> None:
        if not service[2]:
            # Without a service nothing says which ECM follows which.
            return
        history = self._services.get(service)
        if history is None:
            if len(self._services) >= SERVICES_LIMIT:
                self._services.popitem(last=False)
            self._services[service] = _History({raw: fingerprint})
            return
        told = history.told
        if raw not in told:
            told[raw] = fingerprint
            if raw != history.constant:
                history.constant = None
            if len(told) > CWS_LIMIT:
                del told[next(iter(told))]
        elif told[raw] != fingerprint:
            del told[raw]  # to be the newest
            told[raw] = None
            if not doubtful:
                history.constant = raw


def are_independent(one: Card, other: Card) -> bool:
    """Whether two that say the same know it each by itself: neither the same source, nor the
    same card by two ways."""
    return one.source != other.source and one.id != other.id
