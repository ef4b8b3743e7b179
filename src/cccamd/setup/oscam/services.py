"""oscam.services: named lists of services, and what an account or a reader says with them."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Final

from cccamd.cards import Limit
from cccamd.ids import CAID_DIGITS, IDENT_DIGITS, SID_DIGITS, Caid, Ident, Sid
from cccamd.setup.oscam.lexer import Entry, ReadFile, Section, lower, trim
from cccamd.setup.oscam.plan import ServiceList
from cccamd.setup.oscam.report import IGNORED_TOO, Report, SectionReport
from cccamd.setup.oscam.rules import Rules, counting, tell_of_rest
from cccamd.setup.oscam.values import HexList, parts, read_hex_list
from cccamd.values import Service

FILE: Final = "oscam.services"
SECTIONS_LIMIT: Final = 65
"""Sections that OSCam takes: 64, and one that a mistake lets through."""
NAME_LENGTH: Final = 63
COMBINATIONS_LIMIT: Final = 64
"""Entries of an F-line's second group that a list may become; a longer one stays a list."""
_RULES: Final = Rules(used={"caid", "provid", "ident", "srvid"}, lost={})


def read_services(file: ReadFile | None, report: Report) -> dict[str, ServiceList]:
    """Read the lists, by their names."""
    found: dict[str, ServiceList] = {}
    for number, section in enumerate(file.sections if file is not None else (), start=1):
        if section.line == 0:
            continue
        name = lower(trim(section.name))[:NAME_LENGTH]
        about = report.about(FILE, name)
        if number > SECTIONS_LIMIT:
            about.whole(section.line, f"more than 64 lists; {IGNORED_TOO}")
        elif not name or name in found:
            about.whole(section.line, f"a list of this name is there already; {IGNORED_TOO}")
        else:
            found[name] = _read(name, section, about)
    return found


def _read(name: str, section: Section, about: SectionReport) -> ServiceList:
    tell_of_rest(section, _RULES, about)
    entries = counting(section.entries)
    caids = _numbers(entries.get("caid"), CAID_DIGITS, about)
    last = next((e for e in reversed(section.entries) if e.key in ("provid", "ident")), None)
    idents = _numbers(last, IDENT_DIGITS, about)
    sids = _numbers(entries.get("srvid"), SID_DIGITS, about)
    return ServiceList(
        name=name,
        caids=tuple(map(Caid, caids.numbers)),
        providers=tuple(map(Ident, idents.numbers)),
        sids=tuple(map(Sid, sids.numbers)),
    )


def _numbers(entry: Entry | None, digits: int, about: SectionReport) -> HexList:
    if entry is None:
        return HexList()
    found = read_hex_list(entry.value, digits)
    if found.dropped and not found.numbers:
        about.ignored(entry, "nothing of it can be read, so the list means all of them")
    elif found.dropped:
        about.ignored(entry, "an entry is no hex number")
    return found


@dataclass(slots=True)
class ServiceWish:
    """What `services` of an account or a reader says."""

    names: list[str] = field(default_factory=list)
    """With `!` where it shuts; only lists that exist."""

    @property
    def only_shuts(self) -> bool:
        """Whether it opens nothing: all else passes."""
        return all(name.startswith("!") for name in self.names)


def read_wish(
    entry: Entry | None, known: Mapping[str, ServiceList], about: SectionReport
) -> ServiceWish:
    """Read a list of names; those that no list has are dropped."""
    wish = ServiceWish()
    if entry is None:
        return wish
    missing = False
    for part in parts(entry.value):
        name = lower(part.removeprefix("!"))
        if name in known:
            wish.names.append(f"!{name}" if part.startswith("!") else name)
        else:
            missing = True
    if missing and not wish.names:
        about.ignored(entry, "no list of such a name is there, so nothing is shut")
    elif missing:
        about.ignored(entry, "a list of such a name is not there")
    return wish


def chosen(
    words: Mapping[Sid, str],
    caid: Caid,
    providers: Collection[Ident],
    wish: ServiceWish,
    lists: Mapping[str, ServiceList],
) -> tuple[dict[Sid, str], bool]:
    """The services of a card with fixed CWs that pass, and whether that is all the wish says."""
    passing, is_exact = {}, True
    for sid, digits in words.items():
        verdicts = {_passes(wish, lists, caid, ident, sid) for ident in providers or (Ident(0),)}
        if False not in verdicts:
            passing[sid] = digits
        # A card of any provider gives the service to all of them.
        narrow = Ident(0) in providers and any(
            lists[name.removeprefix("!")].providers for name in wish.names
        )
        is_exact = is_exact and len(verdicts) == 1 and not narrow
    return passing, is_exact


def _passes(
    wish: ServiceWish, lists: Mapping[str, ServiceList], caid: Caid, ident: Ident, sid: Sid
) -> bool:
    hits = {name.startswith("!") for name in wish.names if _on(lists, name, caid, ident, sid)}
    return True not in hits and (wish.only_shuts or False in hits)


def _on(lists: Mapping[str, ServiceList], name: str, caid: Caid, ident: Ident, sid: Sid) -> bool:
    """Whether a service is on a list; an empty list has none, and provider 0 fits any."""
    each = lists[name.removeprefix("!")]
    return (
        bool(each.caids or each.providers or each.sids)
        and (not each.caids or caid in each.caids)
        and (not each.providers or not ident or ident in each.providers)
        and (not each.sids or sid in each.sids)
    )


@dataclass(frozen=True, slots=True)
class Denials:
    """What an F-line can say of lists that only shut."""

    limits: tuple[Limit, ...] = ()
    services: tuple[Service, ...] = ()

    def shuts(self, caid: Caid, ident: Ident) -> bool:
        """Whether the first group shuts a pair."""
        return any(limit.caid == caid and limit.ident in (0, ident) for limit in self.limits)


def as_denials(lists: Iterable[ServiceList]) -> Denials | None:
    """Write lists that shut as groups of an F-line; None: they say more than these can."""
    limits: list[Limit] = []
    services: list[Service] = []
    for each in lists:
        if not (each.caids or each.providers or each.sids):
            continue  # it matches nothing
        if not each.caids or 0 in each.caids or 0 in each.providers or 0 in each.sids:
            return None
        if not each.sids:
            idents = each.providers or (Ident(0),)
            limits += (Limit(caid, ident, 0) for caid, ident in product(each.caids, idents))
        elif not each.providers:
            return None
        else:
            services += (Service(*one) for one in product(each.caids, each.providers, each.sids))
    if len(limits) + len(services) > COMBINATIONS_LIMIT:
        return None
    return Denials(tuple(dict.fromkeys(limits)), tuple(dict.fromkeys(services)))
