"""Filters of CAIDs and idents that accounts and readers have, as brace groups of CCcam.cfg.

Source: docs/config.md section 3.1; ident 0 is one ident to OSCam, and all of them in a group.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cccamd.cards import Limit
from cccamd.ids import Caid, Ident
from cccamd.setup.oscam.lexer import Entry
from cccamd.setup.oscam.plan import NOTHING, Pair
from cccamd.setup.oscam.report import SectionReport
from cccamd.setup.oscam.rules import REWRITING
from cccamd.setup.oscam.values import NO_MASK, read_caids, read_idents

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
    elif any(each.mask != NO_MASK for each in found.entries):
        about.lost(entry, "a CAID with a mask is left out: write each CAID")
    elif found.dropped:
        _tell_dropped(entry, bool(found.entries), about)
    if not found.entries:
        return None
    return tuple(dict.fromkeys(each.caid for each in found.entries if each.mask == NO_MASK))


def _idents(entry: Entry | None, about: SectionReport) -> tuple[Pair, ...] | None:
    found = read_idents(entry.value if entry is not None else "")
    if entry is not None and found.dropped:
        _tell_dropped(entry, bool(found.pairs), about)
    return found.pairs or None


def _tell_dropped(entry: Entry, something_left: bool, about: SectionReport) -> None:
    what = "an entry cannot be read" if something_left else "nothing of it can be read: all pass"
    about.ignored(entry, what)
