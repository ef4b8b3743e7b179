"""CCcam.prio: which systems to prefer and which to leave alone (section 4.1)."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from cccamd.ids import Caid, Ident, Sid
from cccamd.setup.cccamcfg.companion import (
    COMMENT_SIGNS,
    content_lines,
    encoding_problems,
    skipped,
)
from cccamd.setup.cccamcfg.numerals import hexadecimal
from cccamd.setup.files import Problem

_LINE = re.compile(r"([A-Za-z])[ \t]*:(.*)", re.DOTALL)
_COMMENT = re.compile("|".join(map(re.escape, COMMENT_SIGNS)))
_CAIDS_WITHOUT_IDENT = 0x18
"""Upper byte of the CAIDs whose ident is not known before the card answers."""

_ALL_IDENTS = Ident(0)


@dataclass(frozen=True, slots=True)
class PrioEntry:
    """`caid[:ident[:sid]]`; ident 0 means all."""

    caid: Caid
    ident: Ident = _ALL_IDENTS
    sid: Sid | None = None

    def covers(self, caid: int, ident: int) -> bool:
        """Tell whether a system of a P-line is this one."""
        any_ident = self.ident == 0 or self.caid >> 8 == _CAIDS_WITHOUT_IDENT
        return self.caid == caid and (any_ident or self.ident == ident)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prio:
    """A whole file."""

    ignored: frozenset[PrioEntry] = frozenset()
    orders: tuple[tuple[PrioEntry, ...], ...] = ()
    problems: tuple[Problem, ...] = ()

    def ignores(self, caid: Caid, ident: Ident, sid: Sid) -> bool:
        """Tell whether requests and EMM of this system must not go upstream."""
        idents, sids = (_ALL_IDENTS, ident), (None, sid)
        entries = (PrioEntry(caid, one, service) for one in idents for service in sids)
        return any(entry in self.ignored for entry in entries)

    def order(self, systems: Collection[tuple[Caid, Ident]], sid: Sid) -> tuple[PrioEntry, ...]:
        """Find the first P-line all of whose pairs are among the systems of the channel."""
        for entries in self.orders:
            if entries[0].sid in (None, sid) and _all_present(entries, systems):
                return entries
        return ()


def _all_present(entries: Collection[PrioEntry], systems: Collection[tuple[Caid, Ident]]) -> bool:
    return all(any(entry.covers(*system) for system in systems) for entry in entries)


def parse_prio(data: bytes, *, file: str = "CCcam.prio") -> Prio:
    """Read any bytes; lines that cannot be used are skipped with a warning."""
    reader = _PrioReader(file, problems=encoding_problems(data, file))
    for number, text in content_lines(data):
        reader.read(number, _COMMENT.split(text, maxsplit=1)[0].rstrip(" \t"))
    return Prio(
        ignored=frozenset(reader.ignored),
        orders=tuple(reader.orders),
        problems=tuple(reader.problems),
    )


@dataclass(slots=True)
class _PrioReader:
    file: str
    problems: list[Problem]
    ignored: list[PrioEntry] = field(default_factory=list)
    orders: list[tuple[PrioEntry, ...]] = field(default_factory=list)

    def read(self, number: int, text: str) -> None:
        found = _LINE.fullmatch(text)
        letter = found[1].upper() if found else ""
        if found is None or letter not in ("P", "I"):
            self._warn(number, "skipped: only lines that begin with P: or I: are read")
            return
        entries = self._read_entries(number, found[2])
        if not entries:
            self._warn(number, "skipped: write caid, caid:ident or caid:ident:sid in hex digits")
        elif letter == "P":
            self.orders.append(entries)
        else:
            self.ignored += entries

    def _read_entries(self, number: int, text: str) -> tuple[PrioEntry, ...]:
        """Read all entries of a line, or none if one is bad."""
        entries: list[PrioEntry] = []
        for part in text.split(","):
            entry = _read_entry(part.strip(" \t"))
            if entry is None and entries:
                entry = self._read_further_ident(number, part.strip(" \t"), entries[-1].caid)
            if entry is None:
                return ()
            entries.append(entry)
        return tuple(entries)

    def _read_further_ident(self, number: int, text: str, caid: Caid) -> PrioEntry | None:
        """Read the short form `1802:000000,004801`: too long for a CAID, so an ident."""
        ident = hexadecimal(text, max_digits=6)
        if ident is None:
            return None
        self._warn(number, f"{text} is read as a further ident of the CAID before it")
        return PrioEntry(caid, Ident(ident))

    def _warn(self, number: int, text: str) -> None:
        self.problems.append(skipped(self.file, number, text))


def _read_entry(text: str) -> PrioEntry | None:
    parts = text.split(":")
    caid = hexadecimal(parts[0], max_digits=4)
    if caid is None or len(parts) > 3:
        return None
    ident = hexadecimal(parts[1], max_digits=6) if len(parts) > 1 else 0
    sid = hexadecimal(parts[2], max_digits=4) if len(parts) > 2 else None
    if ident is None or (len(parts) > 2 and sid is None):
        return None
    return PrioEntry(Caid(caid), Ident(ident), None if sid is None else Sid(sid))
