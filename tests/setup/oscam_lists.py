"""What OSCam lets pass: CAIDs, providers, groups and lists of services; for `oscam_meaning`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from oscam_files import Entry, Folder, sections


def hex_of(text: str, digits: int) -> int | None:
    return int(text, 16) if re.fullmatch(f"[0-9a-fA-F]{{1,{digits}}}", text) else None


def pieces(text: str, separator: str = ",") -> list[str]:
    return [each.strip() for each in text.split(separator) if each.strip()]


@dataclass
class Filter:
    """CAIDs with masks, and providers of CAIDs; nothing: all."""

    caids: list[tuple[int, int]]
    pairs: set[tuple[int, int]]
    spoilt: set[str]

    def passes(self, caid: int, ident: int) -> bool:
        fits = not self.caids or any(caid & mask == of & mask for of, mask in self.caids)
        return fits and (not self.pairs or (caid, ident) in self.pairs)


_CAID = re.compile(r"([0-9a-fA-F]{1,4})(?:&([0-9a-fA-F]{1,4}))?(:[0-9a-fA-F]{1,4})?")


def filter_of(entry: Entry) -> Filter:
    found = Filter([], set(), set())
    for each in pieces(entry.text("caid")):
        shape = re.fullmatch(
            r"([0-9a-fA-F]{1,4})(?:&([0-9a-fA-F]{1,4}))?(:[0-9a-fA-F]{1,4})?", each
        )
        if shape is None or shape[3]:
            found.spoilt.add("caid")
        if shape is not None:
            found.caids.append((int(shape[1], 16), int(shape[2] or "FFFF", 16)))
    for each in pieces(entry.text("ident"), ";"):
        caid_text, _, idents = each.partition(":")
        caid = hex_of(caid_text.strip(), 4)
        for ident_text in pieces(idents):
            ident = hex_of(ident_text, 6)
            if caid is None or ident is None:
                found.spoilt.add("ident")
            else:
                found.pairs.add((caid, ident))
    return found


@dataclass
class Services:
    """A list of oscam.services."""

    caids: set[int]
    idents: set[int]
    sids: set[int]

    def has(self, caid: int, ident: int, sid: int) -> bool:
        if not (self.caids or self.idents or self.sids):
            return False
        fits_caid = not self.caids or caid in self.caids
        fits_ident = not self.idents or ident == 0 or ident in self.idents
        return fits_caid and fits_ident and (not self.sids or sid in self.sids)


def numbers_of(text: str, digits: int) -> set[int]:
    return {each for piece in pieces(text) if (each := hex_of(piece, digits)) is not None}


def all_services(folder: Folder) -> dict[str, Services]:
    return {
        entry.name: Services(
            numbers_of(entry.text("caid"), 4),
            numbers_of(entry.text("provid") or entry.text("ident"), 6),
            numbers_of(entry.text("srvid"), 4),
        )
        for entry in reversed(sections(folder, "oscam.services"))
    }


def groups_of(entry: Entry) -> set[int]:
    numbers = (int(each) for each in pieces(entry.text("group")) if each.isdigit())
    return {each for each in numbers if 1 <= each <= 64}


class Wishes:
    """`services = a,!b` of an account or reader."""

    def __init__(self, text: str, lists: Mapping[str, Services]) -> None:
        names = [each.lower() for each in pieces(text)]
        self.lost = [each for each in names if each.removeprefix("!").strip() not in lists]
        known = [each for each in names if each not in self.lost]
        self.denied = [lists[each[1:].strip()] for each in known if each.startswith("!")]
        self.wanted = [lists[each] for each in known if not each.startswith("!")]

    def pass_(self, caid: int, ident: int, sid: int) -> bool:
        if any(each.has(caid, ident, sid) for each in self.denied):
            return False
        return not self.wanted or any(each.has(caid, ident, sid) for each in self.wanted)

    @property
    def is_of_providers(self) -> bool:
        """Whether a list names providers."""
        return any(each.idents for each in (*self.denied, *self.wanted))

    def offer(self, caid: int, ident: int) -> bool:
        """Whether a card is offered: a denial of single services does not count."""
        if any(not each.sids and each.has(caid, ident, 0) for each in self.denied):
            return False
        open_ = [Services(each.caids, each.idents, set()) for each in self.wanted]
        every = [each for each, of in zip(open_, self.wanted, strict=True) if of.sids]
        fits = any(each.has(caid, ident, 0) for each in open_)
        # A list of services alone is for any card.
        return not self.wanted or fits or any(not (each.caids or each.idents) for each in every)
