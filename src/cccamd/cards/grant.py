"""What an account may have, or a source gives, beyond what the lines of CCcam.cfg can say.

Groups, lists of CAIDs and providers, lists of services: of cccamd.toml, the same for both sides.
An account gets what both let pass.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cccamd.ids import Caid, Ident, Sid

Pair = tuple[Caid, Ident]
"""A provider; ident 0 is a provider of its own here, and does not stand for all."""
_ANY: Final = Ident(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceList:
    """Services by what they have in common; what is empty says nothing. Empty as a whole, it is a
    list of no service."""

    name: str
    caids: frozenset[Caid] = frozenset()
    idents: frozenset[Ident] = frozenset()
    sids: frozenset[Sid] = frozenset()

    def names(self, caid: Caid, ident: Ident, sid: Sid) -> bool:
        """Whether a request is for one of them; one that names no provider may be for any."""
        return self.is_of(caid, ident) and (not self.sids or sid in self.sids)

    def may_name(self, caid: Caid, ident: Ident, sid: Sid) -> bool:
        """The same when a request that leaves its service open may mean any, too."""
        return self.names(caid, ident, sid) or (sid == 0 and self.is_of(caid, ident))

    def has_all_of(self, caid: Caid, ident: Ident) -> bool:
        """Whether it has all services of a card's provider; a card that names none has others."""
        if self.sids or (self.idents and ident not in self.idents):
            return False
        return self.is_of(caid, ident)

    def is_of(self, caid: Caid, ident: Ident) -> bool:
        """Whether a card with this provider may have one of them."""
        if not (self.caids or self.idents or self.sids):
            return False
        fits_ident = not self.idents or ident == _ANY or ident in self.idents
        return fits_ident and (not self.caids or caid in self.caids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What may pass. As it is made without arguments: everything."""

    groups: frozenset[int] | None = None
    """An account sees cards of sources that share one with it; None: of all of them; without any
    number: of none."""
    caids: frozenset[Caid] = frozenset()
    """Empty: all."""
    pairs: frozenset[Pair] = frozenset()
    """Empty: all."""
    wanted: tuple[ServiceList, ...] = ()
    """Only services of these pass; empty: all."""
    denied: tuple[ServiceList, ...] = ()
    """Services of these do not."""

    def meets(self, other: "Grant") -> bool:
        """Whether account and source have a group in common. Who says nothing of groups is in
        all, who has a list without any number in none."""
        ours, theirs = self.groups, other.groups
        if ours is None or theirs is None:
            return ours != frozenset() and theirs != frozenset()
        return not ours.isdisjoint(theirs)

    def misses(self, caid: Caid) -> bool:
        """Whether the list of CAIDs keeps a whole CAID out."""
        return bool(self.caids) and caid not in self.caids

    def lets_provider(self, caid: Caid, ident: Ident) -> bool:
        """Whether the lists of CAIDs and providers let a provider pass."""
        if self.misses(caid):
            return False
        return not self.pairs or (caid, ident) in self.pairs

    def offers(self, caid: Caid, ident: Ident) -> bool:
        """Whether a provider of a card is told: some service of it may pass."""
        if not self.lets_provider(caid, ident):
            return False
        if any(each.has_all_of(caid, ident) for each in self.denied):
            return False
        return not self.wanted or any(each.is_of(caid, ident) for each in self.wanted)

    def lets_service(self, caid: Caid, ident: Ident, sid: Sid) -> bool:
        """Whether the lists of services let a request pass.

        A restriction does not end because a request leaves open what it wants.
        """
        if any(each.may_name(caid, ident, sid) for each in self.denied):
            return False
        return not self.wanted or any(each.names(caid, ident, sid) for each in self.wanted)

    def named(self, caid: Caid) -> tuple[Ident, ...]:
        """The providers of a CAID that the list of them names."""
        return tuple(sorted(ident for of, ident in self.pairs if of == caid))


EVERYTHING: Final = Grant()


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What cccamd.toml says of a source for all accounts."""

    name: str = ""
    """How others name the source; empty: by its line alone."""
    grant: Grant = EVERYTHING
    takes_emms: bool = True
    reshare: int | None = None
    """The most hops that its cards may be passed on from our clients; None: as they come."""

    def may_update(self, emm_to: Iterable[str]) -> bool:
        """Whether an account may send EMMs to it, whose EMMs are for the sources of these names;
        none: for all."""
        names = tuple(emm_to)
        return self.takes_emms and (not names or self.name in names)


OPEN: Final = Access()
