"""oscam.srvid, oscam.srvid2, oscam.provid and oscam.dvbapi: the companion files of CCcam.cfg."""

from collections.abc import Iterator
from itertools import product
from typing import Final

from cccamd.ids import (
    CAID_DIGITS,
    IDENT_DIGITS,
    SID_DIGITS,
    bare_hex,
    format_caid,
    format_ident,
    format_sid,
)
from cccamd.setup.oscam.lexer import Entry, lines_of
from cccamd.setup.oscam.report import SectionReport
from cccamd.setup.oscam.rules import REWRITING

_SHORTEST_SERVICE: Final = 6
_SHORTEST_PROVIDER: Final = 11
_DIGITS: Final = (CAID_DIGITS, IDENT_DIGITS, SID_DIGITS)


def read_srvid(data: bytes) -> list[str]:
    """`CAID[@prov],…:SID|provider|name|…` as lines of CCcam.channelinfo."""
    found: dict[str, str] = {}
    for text in _content(data, _SHORTEST_SERVICE):
        numbers, *fields = text.split("|")
        caids, colon, sid = numbers.partition(":")
        if colon and len(fields) > 1:
            _add_channel(found, _systems(caids), sid, fields[1])
    return _channels(found)


def read_srvid2(data: bytes) -> list[str]:
    """`SID:CAID[@prov[@prov]],…|name|…` as lines of CCcam.channelinfo."""
    found: dict[str, str] = {}
    for text in _content(data, _SHORTEST_SERVICE):
        numbers, *fields = text.split("|")
        sid, colon, caids = numbers.partition(":")
        if colon and fields:
            _add_channel(found, _systems(caids), sid, fields[0])
    return _channels(found)


def _content(data: bytes, shortest: int) -> Iterator[str]:
    for _, text in lines_of(data):
        if len(text) >= shortest and not text.startswith("#") and "|" in text:
            yield text


def _systems(text: str) -> Iterator[tuple[int, int]]:
    """CAIDs, each with its providers; 0: any."""
    for part in text.split(","):
        caid_text, *idents = (each.strip() for each in part.split("@"))
        caid = bare_hex(caid_text, CAID_DIGITS)
        for ident_text in idents or ["0"]:
            ident = bare_hex(ident_text, IDENT_DIGITS)
            if caid and ident is not None:
                yield caid, ident


def _add_channel(
    found: dict[str, str], systems: Iterator[tuple[int, int]], sid_text: str, name: str
) -> None:
    sids = [bare_hex(each.strip(), SID_DIGITS) for each in sid_text.split(",")]
    name = _plain(name)
    if not name:
        return
    for (caid, ident), sid in product(systems, sids):
        if sid is not None:
            ident_shown = format_ident(ident) if ident else "0"
            found.setdefault(f"{format_caid(caid)}:{ident_shown}:{format_sid(sid)}", name)


def _plain(name: str) -> str:
    """A name between quotes has none of its own."""
    return name.replace('"', "'").strip()


def _channels(found: dict[str, str]) -> list[str]:
    return [f'{key} "{name}"' for key, name in found.items()]


def read_provid(data: bytes) -> list[str]:
    """`CAID:prov|name|…` or `CAID@prov[@prov]|name|…` as lines of CCcam.providers."""
    found: dict[int, str] = {}
    for text in _content(data, _SHORTEST_PROVIDER):
        numbers, name, *_ = text.split("|")
        name = _plain(name)
        numbers = numbers.replace(":", "@", 1)
        for caid, ident in _systems(numbers) if "@" in numbers else ():
            if name:
                found.setdefault(caid << 16 | ident, name)
    return [f'{key & 0xFFFFFFFF:08X} "{name}"' for key, name in found.items()]


def read_dvbapi(data: bytes, about: SectionReport) -> list[str]:
    """Rules `P:` and `I:` as lines of CCcam.prio; all others are for a decoder."""
    found: list[str] = []
    for number, text in lines_of(data):
        rule = text.partition("#")[0].strip()
        if len(rule) < 3:
            continue
        entry = Entry(rule[:1].upper(), "", number)
        letter, colon, rest = rule.partition(":")
        letter = letter.strip().upper()
        if not colon or letter not in "PIJAXDMSL" or len(letter) != 1:
            about.ignored(Entry("", "", number), "no rule")
        elif letter == "M":
            about.lost(entry, REWRITING)
        elif letter not in "PI":
            about.lost(entry, "it steers a decoder, and there is none here")
        elif (line := _priority(rest.strip())) is None:
            about.lost(entry, "CCcam.prio knows CAID, ident and service only")
        else:
            found.append(f"{letter}: {line}")
    return found


def _priority(text: str) -> str | None:
    """`CAID[:ident[:sid]]`; None: it says more."""
    words = text.split()
    fields = words[0].split(":") if len(words) == 1 else []
    while fields and not fields[-1]:
        fields.pop()
    if not 1 <= len(fields) <= 3:
        return None
    numbers = [bare_hex(each or "0", digits) for each, digits in zip(fields, _DIGITS, strict=False)]
    caid, *others = numbers
    if not caid or None in others:
        return None
    shown = (f"{each or 0:0{digits}X}" for each, digits in zip(others, _DIGITS[1:], strict=False))
    return ":".join([format_caid(caid), *shown])
