"""OSCam's values: numbers, hex lists, groups, hours, dates, devices.

They are read as OSCam reads them, which is seldom an error and often not what was meant: a list
loses the entries that it does not understand, and a number is whatever digits come first. Each
function says what was dropped, for the report.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, NamedTuple

from cccamd.ids import (
    CAID_DIGITS,
    CONFIG_KEY_LENGTH,
    IDENT_DIGITS,
    PORT_LIMIT,
    SID_DIGITS,
    Caid,
    Ident,
    Sid,
    bare_bytes,
    bare_hex,
    is_host,
)
from cccamd.setup.hours import ALL_DAYS, DAYS, TimeFrame

_NUMBER: Final = re.compile(r"[ \t]*([+-]?[0-9]{1,18})")
_FRAME: Final = re.compile(r"([0-9]{1,2}):([0-9]{1,2})-([0-9]{1,2}):([0-9]{1,2})")
_DATE: Final = re.compile(r"([0-9]{1,4})([-/])([0-9]{1,2})\2([0-9]{1,2})")
GROUPS: Final = range(1, 65)
NO_KEY: Final = bytes(CONFIG_KEY_LENGTH).hex()
"""What OSCam takes for a DES key that is none."""
NO_MASK: Final = 0xFFFF
MIDNIGHT: Final = 24 * 60


def number(text: str) -> int:
    """Read a number as strtol does: what digits come first; none: 0."""
    found = _NUMBER.match(text)
    return int(found[1]) if found else 0


def small_number(text: str) -> int:
    """The same in one byte with a sign, as hops and reshare are kept."""
    return (number(text) + 128) % 256 - 128


def parts(text: str, separator: str = ",") -> list[str]:
    """Split a list; blanks around entries do not count, empty ones are none."""
    return [part for each in text.split(separator) if (part := each.strip(" \t"))]


@dataclass(frozen=True, slots=True)
class Groups:
    """A set of group numbers."""

    numbers: frozenset[int] = frozenset()
    dropped: int = 0
    """Entries that say nothing, or not all that they seem to."""


def read_groups(text: str) -> Groups:
    """Read numbers from 1 to 64; of a range `1-3`, which OSCam has not, the first is one."""
    found = parts(text)
    numbers = frozenset(number(each) for each in found)
    dropped = sum(not each.isdigit() or number(each) not in GROUPS for each in found)
    return Groups(numbers & frozenset(GROUPS), dropped)


class CaidEntry(NamedTuple):
    """`CAID[&MASK][:MAP]`."""

    caid: Caid
    mask: int = NO_MASK
    mapped: bool = False


@dataclass(frozen=True, slots=True)
class CaidList:
    """CAIDs that may pass; empty: all."""

    entries: tuple[CaidEntry, ...] = ()
    dropped: int = 0


def read_caids(text: str) -> CaidList:
    """Read a list of CAIDs."""
    entries, dropped = [], 0
    for part in parts(text):
        first, mapped, to = part.partition(":")
        caid_text, masked, mask_text = first.partition("&")
        caid = bare_hex(caid_text.strip(" \t"), CAID_DIGITS)
        mask = bare_hex(mask_text.strip(" \t"), CAID_DIGITS) if masked else NO_MASK
        target = bare_hex(to.strip(" \t"), CAID_DIGITS) if mapped else 0
        if caid is None or mask is None or target is None:
            dropped += 1
        else:
            entries.append(CaidEntry(Caid(caid), mask, bool(mapped and target != caid)))
    return CaidList(tuple(entries), dropped)


@dataclass(frozen=True, slots=True)
class IdentList:
    """Pairs of CAID and ident that may pass; empty: all."""

    pairs: tuple[tuple[Caid, Ident], ...] = ()
    dropped: int = 0


def read_idents(text: str) -> IdentList:
    """Read `CAID:id,id;CAID:id`."""
    pairs, dropped = [], 0
    for part in parts(text, ";"):
        caid_text, colon, listed = part.partition(":")
        caid = bare_hex(caid_text.strip(" \t"), CAID_DIGITS)
        if not colon or not caid:
            dropped += 1
            continue
        for each in parts(listed):
            ident = bare_hex(each, IDENT_DIGITS)
            if ident is None:
                dropped += 1
            else:
                pairs.append((Caid(caid), Ident(ident)))
    return IdentList(tuple(dict.fromkeys(pairs)), dropped)


@dataclass(frozen=True, slots=True)
class HexList:
    """Numbers of a list of the services file."""

    numbers: tuple[int, ...] = ()
    dropped: int = 0


def read_hex_list(text: str, digits: int) -> HexList:
    """Read a list of hex numbers."""
    found = [bare_hex(each, digits) for each in parts(text)]
    kept = dict.fromkeys(each for each in found if each is not None)
    return HexList(tuple(kept), sum(1 for each in found if each is None))


@dataclass(frozen=True, slots=True)
class Hours:
    """Frames by day; a day has its own, or those of ALL."""

    days: dict[str, tuple[TimeFrame, ...]]
    dropped: int = 0

    @property
    def only_all(self) -> bool:
        """Whether every day is like the other."""
        return set(self.days) <= {ALL_DAYS}


def read_hours(text: str) -> Hours:
    """Read `DAY@hh:mm-hh:mm,…;…`; a frame without a day is for ALL."""
    days: dict[str, list[TimeFrame]] = {}
    dropped = 0
    for part in parts(text, ";"):
        day, at, listed = part.partition("@")
        name = day.strip(" \t").upper() if at else ALL_DAYS
        for each in parts(listed if at else part):
            frame = _frame(each)
            if name not in DAYS or frame is None:
                dropped += 1
            else:
                days.setdefault(name, []).append(frame)
    return Hours({day: tuple(days[day]) for day in DAYS if day in days}, dropped)


def _frame(text: str) -> TimeFrame | None:
    found = _FRAME.fullmatch(text)
    if found is None:
        return None
    begin_hour, begin, end_hour, end = (int(each) for each in found.groups())
    frame = TimeFrame(60 * begin_hour + begin, 60 * end_hour + end)
    fits = max(begin, end) < 60 and max(frame.begin, frame.end) <= MIDNIGHT
    return frame if fits else None


def read_date(text: str) -> date | None:
    """Read the last good day, `Y-M-D` or `Y/M/D`; days that a month has not are of the next.

    None: of another shape, which OSCam takes for long ago.
    """
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    year, month, day = int(found[1]), int(found[3]), int(found[4])
    if not 1970 <= year < 9990:
        return None
    month_index = year * 12 + month - 1
    first = date(month_index // 12, month_index % 12 + 1, 1)
    return first + timedelta(days=day - 1)


class Device(NamedTuple):
    """Where a reader of the network is."""

    host: str
    port: int


def read_device(text: str) -> Device | str:
    """Read `host,port[,localport]`; a text: what is wrong."""
    host, *others = (each.strip(" \t") for each in text.split(","))
    if not others:
        if re.fullmatch(r".+:[0-9]+", host):
            return "host:port is a host without a port to OSCam: it wants host,port"
        return "it names no port"
    port = number(others[0])
    if not others[0].isdigit() or not 1 <= port <= PORT_LIMIT:
        return "the port is no number from 1 to 65535"
    if re.fullmatch(r"\[.*\]", host):
        return "an IPv6 address stands without brackets there"
    if not is_host(host):
        return "this is no host: it wants a name or an address, without http://"
    return Device(host, port)


def read_des_key(text: str) -> str | None:
    """28 hex digits without blanks; None: OSCam would take zeros."""
    return text.lower() if bare_bytes(text, CONFIG_KEY_LENGTH) is not None else None


class NewcamdPort(NamedTuple):
    """`PORT[{KEY}][@CAID[:ident,ident]]`."""

    port: int
    key: str | None
    """None: that of the section; empty: no key at all."""
    caid: Caid | None
    idents: tuple[Ident, ...]


def read_newcamd_ports(text: str) -> Iterator[NewcamdPort | str]:
    """Read the ports of a newcamd server; a text for one that says nothing: what is wrong."""
    for part in parts(text, ";"):
        where, at, what = part.partition("@")
        number_text, brace, key_text = where.partition("{")
        port = number(number_text)
        if not 1 <= port <= PORT_LIMIT:
            yield "there is no port from 1 to 65535"
            continue
        key = (read_des_key(key_text.rstrip(" \t}").strip()) or "") if brace else None
        caid_text, _, idents_text = what.partition(":")
        caid = bare_hex(caid_text.strip(" \t"), CAID_DIGITS) if at else None
        idents = [bare_hex(each, IDENT_DIGITS) for each in parts(idents_text)]
        if (at and not caid) or None in idents:
            yield "the CAID or a provider behind the port is no hex number"
            continue
        known = tuple(Ident(each) for each in dict.fromkeys(idents) if each is not None)
        yield NewcamdPort(port, key, Caid(caid) if caid else None, known)


def read_sid(text: str) -> Sid | None:
    """Read the number of a service."""
    sid = bare_hex(text.strip(" \t"), SID_DIGITS)
    return None if sid is None else Sid(sid)
