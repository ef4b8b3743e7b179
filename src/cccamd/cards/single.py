"""Which one card a client sees whose protocol has room for one: newcamd.

Pure decisions. What one port shows is a CAID and its providers. Several cards of that CAID are one
card to the client: their providers are put together, and routing chooses among them as for
everybody else.

Source: docs/newcamd-protocol.md sections 1 and 7.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from cccamd.ids import Caid, Ident, ShareId, format_caid, format_ident
from cccamd.values import UA_LENGTH, Offer, Provider

PROVIDERS_SHOWN: Final = 32
"""What the oldest clients have room for is less, but what all of today have."""
_ANY: Final = Ident(0)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a port is for."""

    caid: Caid | None = None
    """None: any card that the account sees."""
    idents: tuple[Ident, ...] = ()
    """Empty: all of the card."""

    @property
    def words(self) -> str:
        """For people: `CAID 0500, provider 030B00`."""
        parts = ["any card" if self.caid is None else f"CAID {format_caid(self.caid)}"]
        parts += [f"provider {format_ident(ident)}" for ident in self.idents]
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class OneCard:
    """What is shown."""

    caid: Caid
    ua: bytes = bytes(UA_LENGTH)
    providers: tuple[Provider, ...] = ()
    others: tuple[Caid, ...] = ()
    """What else the account sees that would do, and this port does not show."""


def choose(wish: Wish, offers: Iterable[Offer], *, before: Caid | None = None) -> OneCard | None:
    """Choose what a client is shown; None: no card that it sees will do.

    The nearest card decides on the CAID, and among equals the lowest number; but what a client
    was shown `before` stays as long as it is there, because few ask again.
    """
    fitting = sorted((each for each in offers if _fits(wish, each)), key=_order)
    if not fitting:
        return None
    caids = list(dict.fromkeys(each.caid for each in fitting))
    caid = before if before in caids else caids[0]
    of_caid = [each for each in fitting if each.caid == caid]
    return OneCard(
        caid=Caid(caid),
        ua=next((each.ua for each in of_caid if any(each.ua)), bytes(UA_LENGTH)),
        providers=_together(wish, of_caid),
        others=tuple(each for each in caids if each != caid),
    )


def is_more(now: OneCard, told: OneCard) -> bool:
    """Whether a client that was told one card, and not the other, misses something: providers
    that came."""
    if len(told.providers) >= PROVIDERS_SHOWN:
        return False
    known = {each.ident for each in told.providers}
    return any(each.ident not in known for each in now.providers)


def card_for(ident: Ident, chosen: OneCard, offers: Iterable[Offer]) -> ShareId:
    """The card that an EMM of a provider is for; 0: none."""
    cards = sorted((each for each in offers if each.caid == chosen.caid), key=_order)
    named = [each for each in cards if ident in {one.ident for one in each.providers}]
    return next((each.share_id for each in named or cards), ShareId(0))


def _order(offer: Offer) -> tuple[int, int, int]:
    return offer.hop, offer.caid, offer.share_id


def _fits(wish: Wish, offer: Offer) -> bool:
    if wish.caid is not None and offer.caid != wish.caid:
        return False
    idents = {provider.ident for provider in offer.providers} or {_ANY}
    return not wish.idents or _ANY in idents or not idents.isdisjoint(wish.idents)


def _together(wish: Wish, offers: Collection[Offer]) -> tuple[Provider, ...]:
    """Providers of all, each once, with the first shared address that is known."""
    found: dict[Ident, Provider] = {}
    for provider in (provider for offer in offers for provider in offer.providers):
        known = found.get(provider.ident)
        if known is None or not any(known.sa):
            found[provider.ident] = provider
    if wish.idents:
        found = {ident: found.get(ident, Provider(ident)) for ident in wish.idents}
    return tuple(found.values())[:PROVIDERS_SHOWN]
