"""What a folder of OSCam means, read by a program that shares nothing with the importer.

It knows OSCam's files by their own rules only, and says what is seen from outside: who may log in
and when, which cards each account is shown, which services it gets, where its EMMs go, where OSCam
logs in. `oscam_results` says the same of the files that cccamd makes of the folder.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import product

from oscam_files import Entry, Folder, Place, sections
from oscam_lists import (
    Filter,
    Wishes,
    all_services,
    filter_of,
    groups_of,
    numbers_of,
    pieces,
)
from oscam_words import CARRIED, FOREIGN, QUIET, defaults_of

Link = tuple[str, int, str]
"""Host, port, user."""
PROTOCOLS = ("cccam", "newcamd", "dvbapi")
DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
UNLIMITED = 1000
DEEPEST = 9
"""Of a reshare: deeper ones are as good as that, and an F-line writes no more than 10 as 9."""
FIRST_DAY = datetime(2029, 1, 1)  # a Monday
MOMENTS = [
    FIRST_DAY + timedelta(days=day, hours=hour, minutes=minute)
    for day, hour, minute in product(range(7), range(24), (7, 37))
]


@dataclass
class Probes:
    """What is asked of a folder: each CAID, provider and service that it names, and others."""

    caids: list[int]
    idents: list[int]
    sids: list[int]


@dataclass
class Login:
    """Who may log in, and when there are control words."""

    password: bytes
    enabled: bool
    protocols: frozenset[str]
    host: str
    most: int
    hours: frozenset[datetime]
    expires: date | None


Seen = set[tuple[Link, int, int, int, int, frozenset[int]]]
"""Link, CAID, hop, reshare as received, reshare as shown, providers."""
Served = set[tuple[Link, int, int, int]]
"""Link, CAID, provider, service."""


@dataclass
class Meaning:
    """What is seen from outside."""

    logins: dict[bytes, Login] = field(default_factory=dict)
    seen: dict[bytes, Seen] = field(default_factory=dict)
    served: dict[bytes, Served] = field(default_factory=dict)
    elsewhere: dict[bytes, Served] = field(default_factory=dict)
    """The same by newcamd and dvbapi, as far as these are open."""
    updates: dict[bytes, set[Link]] = field(default_factory=dict)
    links: dict[Link, tuple[object, ...]] = field(default_factory=dict)
    doors: dict[str, object] = field(default_factory=dict)
    must_tell: set[Place] = field(default_factory=set)
    may_tell: set[Place] = field(default_factory=set)
    unsure: set[tuple[bytes, int]] = field(default_factory=set)
    """Accounts and providers of whose cards nothing is said here."""
    one_of: list[set[Place]] = field(default_factory=list)
    """Something is left out: one of these lines is told, and others may be."""
    owners: dict[Place, bytes | Link] = field(default_factory=dict)
    """Whom a line is about; who is not there is about all."""


# Accounts.


def _day(text: str) -> date | None:
    found = re.fullmatch(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})", text)
    if found is None:
        return None
    year, month, day = map(int, found.groups())
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    return date(year, month, 1) + timedelta(days=day - 1)  # as mktime: 30 February is 2 March


def _hours(text: str) -> Callable[[datetime], bool] | None:
    days: dict[str, list[tuple[int, int]]] = {}
    for each in pieces(text, ";"):
        name, at, frames = each.rpartition("@")
        name = name.strip().upper() if at else "ALL"
        if name not in ("ALL", *DAYS):
            return None
        for frame in pieces(frames):
            found = re.fullmatch(r"(\d\d):(\d\d)-(\d\d):(\d\d)", frame)
            if found is None:
                return None
            a, b, c, d = map(int, found.groups())
            days.setdefault(name, []).append((60 * a + b, 60 * c + d))

    def is_open(moment: datetime) -> bool:
        frames = days.get(DAYS[moment.weekday()], days.get("ALL", []))
        minute = 60 * moment.hour + moment.minute
        return not days or any(
            a <= minute < b if a <= b else minute >= a or minute < b for a, b in frames
        )

    return is_open


_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*")


def _login(entry: Entry) -> Login | str:
    """Or the key for which OSCam's account cannot be had."""
    if not entry.text("user"):
        return "user"
    if not entry.text("pwd"):
        return "pwd"
    if entry.number("cccmaxhops", 10) < -1:
        return "cccmaxhops"
    expires = _day(entry.text("expdate")) if entry.text("expdate") else None
    if entry.text("expdate") and expires is None:
        return "expdate"
    hours = _hours(entry.text("allowedtimeframe"))
    if hours is None:
        return "allowedtimeframe"
    spoken = entry.text("allowedprotocols").split(",") if entry.text("allowedprotocols") else []
    protocols = frozenset(each for each in spoken if each in PROTOCOLS)
    if spoken and not protocols:
        return "allowedprotocols"
    host = entry.text("hostname")
    if host and not _HOST.fullmatch(host):
        return "hostname"
    return Login(
        password=entry.text("pwd").encode("latin-1"),
        enabled=entry.number("disabled", 0) == 0,
        protocols=protocols or frozenset(PROTOCOLS),
        host=host.lower(),
        most=entry.number("max_connections", 1) if entry.number("uniq", 0) else UNLIMITED,
        hours=frozenset(filter(hours, MOMENTS)),
        expires=expires,
    )


# Readers.


def _device(text: str) -> tuple[str, int] | None:
    host, comma, rest = text.partition(",")
    port = rest.partition(",")[0].strip()
    if not comma or not port.isdigit() or not 0 < int(port) < 65536:
        return None
    host = host.strip()
    return (host.lower(), int(port)) if _HOST.fullmatch(host) else None


KINDS = {"cccam": "C", "cccam_ext": "C", "cccam_mcs": "C", "newcamd": "N", "newcamd525": "N"}
KINDS["newcamd524"] = "N"


def _link(entry: Entry) -> Link | str:
    """Where a reader logs in; or the key for which it does not."""
    if not entry.text("label"):
        return "label"
    if entry.text("protocol") not in KINDS:
        return "protocol"
    if entry.number("enable", 1) == 0:
        return "enable"
    where = _device(entry.text("device"))
    if where is None:
        return "device"
    is_newcamd = KINDS[entry.text("protocol")] == "N"
    if is_newcamd and not re.fullmatch(r"[0-9a-fA-F]{28}", entry.text("key") or "0" * 28):
        return "key"
    return *where, entry.text("user")


def _blocks_all(entry: Entry) -> bool:
    kinds = ("u", "s", "g", "unknown")
    blocked = all(entry.number(f"blockemm-{kind}", 0) for kind in kinds)
    return blocked or bool(entry.number("audisabled", 0))


@dataclass
class Reader:
    """One that logs in somewhere."""

    entry: Entry
    link: Link
    filter: Filter
    wishes: Wishes

    def brings(self, caid: int, ident: int, hop: int, reshare: int) -> bool:
        if KINDS[self.entry.text("protocol")] == "C":
            if hop > self.entry.number("cccmaxhops", 10):
                return False
            if reshare < self.entry.number("cccmindown", 0):
                return False
        return self.filter.passes(caid, ident)


class OscamFolder:
    """One folder; `meaning` says what it means."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.conf: dict[str, Entry] = {}
        for entry in sections(folder, "oscam.conf"):
            known = self.conf.setdefault(entry.name, entry)
            known.values |= entry.values
        self.accounts = [e for e in sections(folder, "oscam.user") if e.name == "account"]
        self.readers = [e for e in sections(folder, "oscam.server") if e.name == "reader"]
        self.lists = all_services(folder)
        self.reshare = self._conf("cccam").number("reshare", 10)
        self.probes = self._probes()

    def _conf(self, name: str) -> Entry:
        return self.conf.get(name, Entry("oscam.conf", name, 0))

    def _probes(self) -> Probes:
        """What the folder names, and one of each that it does not."""
        filters = [filter_of(each) for each in (*self.accounts, *self.readers)]
        lists = list(self.lists.values())
        caids = {of for each in filters for of, _ in each.caids} | {0xFF77}
        caids |= {caid for each in filters for caid, _ in each.pairs}
        caids |= {caid for each in lists for caid in each.caids}
        idents = {ident for each in filters for _, ident in each.pairs} | {0, 0x777}
        idents |= {ident for each in lists for ident in each.idents}
        sids = {sid for each in lists for sid in each.sids} | {0x7777}
        return Probes(sorted(caids - {0})[:8], sorted(idents)[:6], sorted(sids)[:5])

    def meaning(self) -> Meaning:
        """All that is seen from outside, and what has to be told of the move."""
        found = Meaning()
        readers = list(self._links(found))
        for entry in self.accounts:
            self._account(entry, readers, found)
        self._doors(found)
        entries = (*self.conf.values(), *self.accounts, *self.readers)
        for entry in entries:
            found.may_tell |= {(entry.file, line) for line in entry.rests}
            self._tell(entry, found)
        for file, name in (("oscam.user", "account"), ("oscam.server", "reader")):
            unknown = (each for each in sections(self.folder, file) if each.name != name)
            found.one_of.extend(each.places for each in unknown)
        return found

    def _links(self, found: Meaning) -> Iterator[Reader]:
        for entry in self.readers:
            link = _link(entry)
            if isinstance(link, str):
                found.one_of.append(entry.places)
                continue
            if link in found.links:
                found.one_of.append(entry.places)
                continue
            found.owners |= dict.fromkeys(entry.places, link)
            kind = KINDS[entry.text("protocol")]
            key = (entry.text("key") or "0" * 28).lower() if kind == "N" else ""
            hops = entry.number("ccchop", 0) if kind == "N" else 0
            password = entry.text("password").encode("latin-1")
            found.links[link] = (kind, password, key, hops)
            wishes = Wishes(entry.text("services"), self.lists)
            self._odd_lists(entry, filter_of(entry), wishes, found)
            yield Reader(entry, link, filter_of(entry), wishes)

    def _odd_lists(self, entry: Entry, lists: Filter, wishes: Wishes, found: Meaning) -> None:
        found.must_tell |= {entry.place(key) for key in lists.spoilt}
        if wishes.lost:
            found.must_tell.add(entry.place("services"))

    def _account(self, entry: Entry, readers: list[Reader], found: Meaning) -> None:
        login = _login(entry)
        name = entry.text("user").encode("latin-1")[:20]
        if isinstance(login, str) or name in found.logins:
            found.one_of.append(entry.places)
            return
        found.owners |= dict.fromkeys(entry.places, name)
        found.logins[name] = login
        lists, wishes = filter_of(entry), Wishes(entry.text("services"), self.lists)
        self._odd_lists(entry, lists, wishes, found)
        mine = [each for each in readers if groups_of(entry) & groups_of(each.entry)]
        depth = entry.number("cccreshare", -1)
        depth = self.reshare if depth < 0 else depth
        most = entry.number("cccmaxhops", 10)

        def shown(reader: Reader, caid: int, ident: int, hop: int, reshare: int) -> int | None:
            """With which reshare a card is shown."""
            given = reader.entry.number("cccreshare", -1)
            given = self.reshare if given < 0 else given
            remote = KINDS[reader.entry.text("protocol")] == "C"
            distance = hop + 1 if remote else reader.entry.number("ccchop", 0)
            byte = min(given, depth, reshare - 1 if remote else DEEPEST)
            passes = lists.passes(caid, ident) and reader.brings(caid, ident, hop, reshare)
            offered = wishes.offer(caid, ident)  # a reader's services are no matter of the offer
            spoken = "cccam" in login.protocols
            fits = passes and offered and byte >= 0 and distance <= most
            return byte if fits and spoken else None

        is_elsewhere = bool(login.protocols & self._other_doors(entry))

        def served_elsewhere(reader: Reader, caid: int, ident: int) -> bool:
            """Reshare and hops are about CCcam's cards: other clients know nothing of them."""
            passes = lists.passes(caid, ident) and reader.brings(caid, ident, *OFFERS[0])
            return is_elsewhere and passes and wishes.offer(caid, ident)

        for reader, caid, ident in product(mine, self.probes.caids, self.probes.idents):
            if not ident and wishes.is_of_providers:
                found.unsure.add((name, ident))
                continue  # OSCam's own words leave open what becomes of a card without a provider
            for hop, reshare in OFFERS:
                byte = shown(reader, caid, ident, hop, reshare)
                if byte is not None:
                    card = (reader.link, caid, hop, reshare, byte, frozenset({ident}))
                    found.seen.setdefault(name, set()).add(card)
            by_cccam = shown(reader, caid, ident, *OFFERS[0]) is not None
            for gets, where in (
                (by_cccam, found.served),
                (served_elsewhere(reader, caid, ident), found.elsewhere),
            ):
                for sid in self.probes.sids if ident and gets else ():
                    both = (wishes, reader.wishes)
                    if all(each.pass_(caid, ident, sid) for each in both):
                        where.setdefault(name, set()).add((reader.link, caid, ident, sid))
        found.updates[name] = {
            each.link
            for each in mine
            if self._may_update(entry, each.entry) and not _blocks_all(each.entry)
        }

    def _other_doors(self, account: Entry) -> set[str]:
        found = {"newcamd"} if dict(_newcamd_ports(self._conf("newcamd"))) else set()
        dvbapi = self._conf("dvbapi")
        is_receivers = dvbapi.text("user") == account.text("user")
        return found | ({"dvbapi"} if is_receivers and dvbapi.number("listen_port", 0) else set())

    def _may_update(self, account: Entry, reader: Entry) -> bool:
        wanted = pieces(account.text("au"))
        return "1" in wanted or reader.text("label").replace(" ", "_") in wanted

    def _doors(self, found: Meaning) -> None:
        cccam, newcamd, web = map(self._conf, ("cccam", "newcamd", "webif"))
        ports = pieces(cccam.text("port"))
        found.doors["cccam"] = int(ports[0]) if ports and ports[0].isdigit() else 0
        web_port = web.text("httpport").lstrip("+")
        has_conf = "oscam.conf" in self.folder
        found.doors["web"] = int(web_port) if web_port else (0 if has_conf else 8888)
        found.doors["web login"] = (web.text("httpuser"), web.text("httppwd"))
        found.doors["newcamd"] = dict(_newcamd_ports(newcamd))
        dvbapi = self._conf("dvbapi")
        found.doors["dvbapi"] = dvbapi.number("listen_port", 0) if dvbapi.text("user") else 0
        found.doors["cache"] = self._conf("cache").number("max_time", 15)

    def _tell(self, entry: Entry, found: Meaning) -> None:
        quiet_all = any(entry.places & places for places in found.one_of)
        section = entry.name
        if section in FOREIGN:
            if any(entry.text(key).strip("0") for key in ("port", "device")):
                found.one_of.append(entry.places)
            found.may_tell |= entry.places
            return
        for key, (value, line) in entry.values.items():
            place = (entry.file, line)
            default = defaults_of(section, key)
            if quiet_all or (section, key) in CARRIED:
                found.may_tell.add(place)
            elif section not in QUIET:
                found.one_of.append(entry.places)
                return
            elif not value or value == default:
                continue
            elif key.startswith((";", "//")):
                found.may_tell.add(place)  # OSCam takes it for a key, its writer for a remark
            elif not any(re.fullmatch(each, key) for each in QUIET[section]):
                found.must_tell.add(place)  # it has no equivalent, or OSCam does not know it


def _newcamd_ports(entry: Entry) -> Iterator[tuple[int, tuple[str, int | None, frozenset[int]]]]:
    usual = entry.text("key")
    usual = usual.lower() if re.fullmatch(r"[0-9a-fA-F]{28}", usual) else "0" * 28
    for each in pieces(entry.text("port"), ";"):
        found = re.fullmatch(r"(\d+)(?:\{([0-9a-fA-F]{28})\})?(?:@([0-9a-fA-F]+)(?::(.*))?)?", each)
        if found is None or (found[3] is None and len(pieces(entry.text("port"), ";")) > 1):
            continue
        caid = int(found[3], 16) if found[3] else None
        idents = frozenset(numbers_of(found[4] or "", 6))
        if entry.number("mgclient", 0):
            caid, idents = None, frozenset()
        yield int(found[1]), ((found[2] or usual).lower(), caid, idents)


OFFERS = ((0, 7), (0, 1), (0, 2), (1, 3), (2, 7), (3, 2))
"""Hop and reshare of the cards that each server is taken to have."""
