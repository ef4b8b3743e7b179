"""What the limits in a brace group of CCcam.cfg say (docs/config.md section 3.1)."""

from collections.abc import Iterable, Mapping

from cccamd.cards import Limit
from cccamd.ids import Caid, Ident
from cccamd.setup.toml import UpstreamTable


def base_of(entries: Iterable[Limit]) -> int | None:
    """What counts for all that no entry names; None: it has no limit."""
    return next((each.number for each in entries if not each.caid and not each.ident), None)


def agree(limits: Iterable[Limit], table: UpstreamTable) -> bool:
    """Whether a brace group lets all pass that a table lists."""
    known = {(int(each.caid), int(each.ident)): each.number for each in limits}
    pairs = [*table.idents, *((caid, Ident(0)) for caid in table.caids)]
    return all(lets(known, *pair) for pair in pairs)


def lets(table: Mapping[tuple[int, int], int], caid: Caid, ident: Ident) -> bool:
    """Whether a brace group gives a provider at all."""
    for key in ((caid, ident), (caid, 0), (0, ident), (0, 0)):
        if key in table:
            return table[key] > 0
    return True


def strictest(limits: Iterable[Limit]) -> list[Limit]:
    """Of several entries for the same the one that counts."""
    found: dict[tuple[int, int], Limit] = {}
    for each in limits:
        known = found.setdefault((each.caid, each.ident), each)
        if each.number < known.number:
            found[each.caid, each.ident] = each
    return list(found.values())
