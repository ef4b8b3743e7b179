"""Filters of CAIDs and idents that accounts and readers have, as brace groups of CCcam.cfg.

Source: docs/config.md section 3.1; ident 0 is one ident to OSCam, and all of them in a group.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

from cccamd.cards import Limit
from cccamd.ids import Caid, Ident
from cccamd.setup.oscam.lexer import Entry
from cccamd.setup.oscam.plan import NOTHING, Pair
from cccamd.setup.oscam.report import SectionReport
from cccamd.setup.oscam.rules import REWRITING
from cccamd.setup.oscam.values import NO_MASK, CaidEntry, read_caids, read_idents

MASKED_LIMIT: Final = 256
"""CAIDs that masks may stand for: those of one system."""
MOST_HOPS: Final = 10
"""More than that no card has, and no limit needs."""


def up_to(hops: int) -> tuple[Limit, ...]:
    """A group that lets everything pass with a number of hops."""
    return (Limit(Caid(0), Ident(0), hops),)


@dataclass(frozen=True, slots=True)
class Filters:
    """What may pass."""

    caids: tuple[Caid, ...] | None = None
    """None: all."""
    idents: tuple[Pair, ...] | None = None
    """None: all."""

    @property
    def open(self) -> bool:
        """Whether all may pass."""
        return self.caids is None and self.idents is None

    @property
    def shut(self) -> bool:
        """Whether there is a list, and nothing in it: nothing may pass."""
        return not self.open and not (self.caids if self.idents is None else self.pairs)

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """CAID and ident of what may pass when there are idents: both lists together."""
        caids = self.caids
        return tuple(pair for pair in self.idents or () if caids is None or pair[0] in caids)

    @property
    def needs_idents(self) -> bool:
        """Whether a group would say more than these."""
        return any(not ident for _, ident in self.pairs)

    def limits(self, number: int) -> tuple[Limit, ...]:
        """A group that lets these pass with a number of hops, and shuts the rest."""
        number = min(number, MOST_HOPS)
        if self.idents is not None:
            let = tuple(Limit(caid, ident, number) for caid, ident in self.pairs)
        else:
            let = tuple(Limit(caid, Ident(0), number) for caid in self.caids or () if caid)
        return NOTHING + let


def read_filters(entries: Mapping[str, Entry], about: SectionReport) -> Filters:
    """Read `caid` and `ident`."""
    return Filters(_caids(entries.get("caid"), about), _idents(entries.get("ident"), about))


def _caids(entry: Entry | None, about: SectionReport) -> tuple[Caid, ...] | None:
    found = read_caids(entry.value if entry is not None else "")
    if entry is None:
        return None
    if any(each.mapped for each in found.entries):
        about.lost(entry, REWRITING)
    elif found.dropped:
        _tell_dropped(entry, bool(found.entries), about)
    if not found.entries:
        return None
    if any(each.caid & ~each.mask for each in found.entries):
        about.ignored(entry, "no CAID is left as this one under its mask, so nothing fits it")
    kept, masked = found.entries, (each for each in found.entries if each.mask != NO_MASK)
    stood_for = (caid for each in masked for caid in _fitting(each))
    if len(list(islice(stood_for, MASKED_LIMIT + 1))) > MASKED_LIMIT:
        about.lost(entry, "masks that let more than 256 CAIDs pass are left out: write each CAID")
        kept = tuple(each for each in found.entries if each.mask == NO_MASK)
    return tuple(dict.fromkeys(caid for each in kept for caid in _fitting(each)))


def _fitting(entry: CaidEntry) -> Iterator[Caid]:
    """The CAIDs that are this one as far as the mask goes."""
    if entry.mask == NO_MASK:
        yield entry.caid
        return
    if entry.caid & ~entry.mask:
        return  # of no CAID this is what is left
    free = [1 << bit for bit in range(16) if not entry.mask >> bit & 1]
    for number in range(1 << len(free)):
        caid = entry.caid | sum(bit for place, bit in enumerate(free) if number >> place & 1)
        if caid:
            yield Caid(caid)


def _idents(entry: Entry | None, about: SectionReport) -> tuple[Pair, ...] | None:
    found = read_idents(entry.value if entry is not None else "")
    if entry is not None and found.dropped:
        _tell_dropped(entry, bool(found.pairs), about)
    return found.pairs or None


def _tell_dropped(entry: Entry, something_left: bool, about: SectionReport) -> None:
    what = "an entry cannot be read" if something_left else "nothing of it can be read: all pass"
    about.ignored(entry, what)
