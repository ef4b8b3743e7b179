"""From CCcam.cfg and cccamd.toml to a folder of OSCam, and a report of what is not in it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Final

from cccamd.cards import Limit
from cccamd.ids import Caid, Ident, format_caid, format_ident, format_sid
from cccamd.setup.cccamcfg import CLine, Companions, Config, FLine, NLine
from cccamd.setup.oscam.braces import agree, base_of, lets, strictest
from cccamd.setup.oscam.foldertext import (
    Lines,
    channel_lines,
    filters,
    holds,
    label_of,
    letters,
    lists,
    priority_lines,
    provider_lines,
    sections,
    utf8_letters,
)
from cccamd.setup.oscam.openhours import open_hours
from cccamd.setup.oscam.report import Lost
from cccamd.setup.oscam.unsaid import EVERYWHERE, unsaid
from cccamd.setup.toml import CardEntry, TomlConfig, UpstreamTable
from cccamd.values import Service

_USUAL_GROUP: Final = 1
_LAST_GROUP: Final = 64
_LISTS_LIMIT: Final = 64
_MOST: Final = 10
_TOO_MANY_LISTS: Final = "OSCam takes 64 lists of services, and it would need one more"

_USUAL_BANS: Final = (TomlConfig().penalties.attempts, TomlConfig().penalties.ban)
_STILL_SHOWN: Final = (
    "readers have lists of what may pass, and none of what may not: it is not asked for the CAIDs"
    " that are shut, and their cards are shown"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What an export brings."""

    files: Mapping[str, bytes] = field(repr=False)
    lost: tuple[Lost, ...]


def export_folder(
    config: Config, toml: TomlConfig, *, out: str, companions: Companions | None = None
) -> Exported:
    """Translate; `config` has the accounts as cccamd.toml has them, `out` is the folder."""
    return _Export(config, toml, out, companions or Companions()).run()


class _Export:
    def __init__(self, config: Config, toml: TomlConfig, out: str, companions: Companions) -> None:
        self._config, self._toml, self._out, self._companions = config, toml, out, companions
        self._lost: list[Lost] = []
        self._lists: dict[str, Lines] = {}
        self._names: dict[frozenset[tuple[str, str]], str] = {}
        self._constants: list[str] = []
        self._tables = {each.user: each for each in reversed(toml.accounts)}
        grants = [line.grant.groups for line in config.f_lines]
        grants += [None if t.groups is None else frozenset(t.groups) for t in toml.upstreams]
        grants += [entry.access.grant.groups for entry in toml.cards]
        self._groups = {number for each in grants if each is not None for number in each}
        free = (each for each in range(1, _LAST_GROUP + 1) if each not in self._groups)
        self._groups.add(next(free, _USUAL_GROUP))
        self._stays: set[str] = set()

    def run(self) -> Exported:
        for name, each in self._toml.services.items():
            self._lists[name.lower()] = lists(
                caid=map(format_caid, sorted(each.caids)),
                provid=map(format_ident, sorted(each.idents)),
                srvid=map(format_sid, sorted(each.sids)),
            )
        users = [self._account(line) for line in self._config.f_lines]
        servers = list(self._readers())
        files = {
            "oscam.conf": sections(self._conf()),
            "oscam.user": sections(("account", lines) for lines in users if lines),
            "oscam.server": sections(("reader", lines) for lines in servers),
        }
        if self._lists:
            files["oscam.services"] = sections(self._lists.items())
        if self._constants:
            files["constant.cw"] = "".join(f"{line}\n" for line in self._constants)
        known = self._companions
        beside = {
            "oscam.srvid2": channel_lines(known.channels.names),
            "oscam.provid": provider_lines(known.providers.names),
            "oscam.dvbapi": priority_lines(known.prio.ignored, known.prio.orders),
        }
        files |= {name: text for name, text in beside.items() if text}
        self._lost += unsaid(self._config, self._toml, known)
        lost = tuple(sorted(self._lost, key=lambda each: (each.file, each.line)))
        encoded = {name: text.encode("iso-8859-1") for name, text in files.items()}
        return Exported(files=encoded, lost=lost)

    def _lose(
        self, line: int, key: str, why: str, *, section: str = "", toml: bool = False
    ) -> None:
        file = "cccamd.toml" if toml else "CCcam.cfg"
        self._lost.append(Lost(file=file, section=section, key=key, line=line, why=why))

    # Settings.

    def _conf(self) -> Iterator[tuple[str, Lines]]:
        config, toml = self._config, self._toml
        limits = toml.limits
        general: Lines = [("clienttimeout", str(round(limits.ecm_deadline * 1000)))]
        if config.settings.log_file:
            general.insert(0, ("logfile", utf8_letters(config.settings.log_file)))
        if not toml.cache.check_cw_checksums:
            general.append(("disablecrccws", "1"))
        if (toml.penalties.attempts, toml.penalties.ban) != _USUAL_BANS and toml.penalties.attempts:
            minutes = -(-int(toml.penalties.ban) // 60)
            general += [("failbantime", str(minutes))]
            general += [("failbancount", str(toml.penalties.attempts))]
        yield "global", general
        if toml.cache.seconds != 15:
            yield "cache", [("max_time", str(round(toml.cache.seconds)))]
        cccam: Lines = [
            ("port", str(config.server_listen_port)),
            ("version", str(toml.server.cccversion)),
            ("reshare", str(_MOST)),
        ]
        if toml.server.bind != EVERYWHERE:
            cccam.append(("serverip", toml.server.bind[0]))
            self._one_of(toml.server.bind, "server", "bind", 0)
        yield "cccam", cccam
        if toml.newcamd:
            yield "newcamd", self._newcamd()
        if toml.dvbapi.enabled and toml.dvbapi.port:
            yield (
                "dvbapi",
                [
                    ("enabled", "1"),
                    ("au", str(int(toml.dvbapi.au))),
                    ("listen_port", str(toml.dvbapi.port)),
                    *([] if toml.dvbapi.listen == EVERYWHERE else _serverip(toml.dvbapi.listen)),
                    ("user", utf8_letters(toml.dvbapi.account or "")),
                ],
            )
        yield "webif", self._webif()

    def _newcamd(self) -> Lines:
        ports = []
        for table in self._toml.newcamd:
            if not table.caid and len(self._toml.newcamd) > 1:
                line = self._toml.place(table.heading).line or 0
                why = "of several ports each has a CAID there: this one is left out"
                self._lose(line, "caid", why, section="newcamd", toml=True)
                continue
            caid = f"@{format_caid(table.caid)}" if table.caid else ""
            idents = ",".join(map(format_ident, table.providers))
            ports.append(f"{table.port}{{{table.key.hex()}}}{caid}{':' if idents else ''}{idents}")
            if table.accounts:
                line = self._toml.place(table.heading).line or 0
                why = "a port is for all accounts there"
                self._lose(line, "accounts", why, section="newcamd", toml=True)
        return [("port", ";".join(ports)), *self._newcamd_doors()]

    def _newcamd_doors(self) -> Lines:
        """Where the ports listen, and who may come: one for all of them."""
        tables = self._toml.newcamd
        binds = {table.bind or self._toml.server.bind for table in tables}
        allowed = {table.allow for table in tables}
        lines: Lines = []
        if len(binds) == 1 and (bind := binds.pop()) != EVERYWHERE:
            lines += _serverip(bind)
            self._one_of(bind, "newcamd", "bind", self._toml.place(tables[0].heading).line or 0)
        if len(allowed) == 1 and (allow := allowed.pop()):
            if all(isinstance(each, IPv4Network) for each in allow):
                lines.append(("allowed", ",".join(f"{each[0]}-{each[-1]}" for each in allow)))
            else:
                allowed.add(allow)
        for table in tables:
            line = self._toml.place(table.heading).line or 0
            if table.bind and binds:
                self._lose(
                    line, "bind", "all ports have one address there", section="newcamd", toml=True
                )
            if table.allow and allowed:
                why = "all ports let the same IPv4 addresses in there"
                self._lose(line, "allow", why, section="newcamd", toml=True)
        return lines

    def _one_of(self, addresses: tuple[str, ...], section: str, key: str, line: int) -> None:
        if len(addresses) > 1:
            why = "it is one address or all there: the first is taken"
            self._lose(line, key, why, section=section, toml=True)

    def _webif(self) -> Lines:
        info = self._config.webinfo
        if not info.listens:
            return [("httpport", "0")]
        lines: Lines = [("httpport", str(info.port))]
        lines += [("httpuser", utf8_letters(info.username))] if info.username else []
        lines += [("httppwd", utf8_letters(info.password))] if info.password else []
        bind = self._toml.server.bind
        lines += [] if bind == EVERYWHERE else _serverip(bind)
        return [*lines, ("httpallowed", _LOCAL_ADDRESSES)]

    # Accounts.

    def _account(self, line: FLine) -> Lines:
        user, password = letters(line.user_bytes()), letters(line.password_bytes())
        in_toml = bool(line.toml_file)
        if not holds(user) or not holds(password):
            why = "OSCam cannot hold a name or password with a blank at an end, or above 63 bytes"
            self._lose(line.line, "F", why, toml=in_toml)
            return []
        lines: Lines = [("user", user), ("pwd", password)]
        limits = line.limits or self._config.settings.global_limits
        hops, rights, shut = self._rights(line, limits)
        # Who gets nothing shares with nobody: hops say nothing to newcamd and dvbapi clients.
        lines += self._group(line.grant.groups) if hops >= 0 else []
        lines.append(("cccmaxhops", str(hops)))
        lines += rights
        if line.allowemm and self._config.emm_allowed:
            lines.append(("au", ",".join(map(label_of, line.emm_to)) or "1"))
        lines += [("hostname", line.host)] if line.host else []
        lines += self._hours(line)
        names = [utf8_letters(each.name.lower()) for each in line.grant.wanted]
        names += [f"!{utf8_letters(each.name.lower())}" for each in line.grant.denied]
        names += [f"!{name}" for name in (*shut, *self._deny(line)) if name]
        lines += [("services", ",".join(names))] if names else []
        lines += [("expdate", line.expires.isoformat())] if line.expires else []
        if None in (*shut, *self._deny(line)):
            self._lose(line.line, "F", f"{_TOO_MANY_LISTS}: it is switched off", toml=in_toml)
            lines.append(("disabled", "1"))
        else:
            lines += [] if line.enabled else [("disabled", "1")]
        lines += [("allowedprotocols", ",".join(line.protocols))] if line.protocols else []
        return lines + self._logins(line)

    def _logins(self, line: FLine) -> Lines:
        table = self._tables.get(line.user)
        most = (table.most_logins if table else None) or self._toml.limits.logins_per_account
        return [] if most >= 1000 else [("uniq", "1"), ("max_connections", str(most))]

    def _hours(self, line: FLine) -> Lines:
        if line.timeframes and line.week:
            days = open_hours(line)
            if not days:
                self._lose(line.line, "F", "its hours and its times never meet: it is switched off")
                return [("disabled", "1")]
            return [("allowedtimeframe", ";".join(f"{day}@{frames}" for day, frames in days))]
        days_said = line.week.days or ((("ALL", line.timeframes),) if line.timeframes else ())
        text = ";".join(f"{day}@{','.join(map(str, frames))}" for day, frames in days_said)
        return [("allowedtimeframe", text)] if text else []

    def _rights(self, line: FLine, limits: Iterable[Limit]) -> tuple[int, Lines, list[str | None]]:
        """Hops, filters, and names of lists that are shut; None: of one there is no room for."""
        entries = strictest(limits)
        if line.downhops is not None and not entries:
            entries = [Limit(Caid(0), Ident(0), line.downhops + 1)]
        base = base_of(entries)
        named = [each for each in entries if each.caid]
        open_ones = [each for each in named if each.number]
        if base == 0 and not open_ones:
            return -1, [], []
        least = self._depth(line, base, entries)
        lines: Lines = [("cccreshare", str(least - 1))] if least <= _MOST else []
        grant = line.grant
        if grant.pairs or grant.caids:
            table = {(int(each.caid), int(each.ident)): each.number for each in entries}
            pairs = [pair for pair in sorted(grant.pairs) if lets(table, *pair)]
            caids = [caid for caid in sorted(grant.caids) if lets(table, caid, Ident(0))]
            if (grant.pairs and not pairs) or (grant.caids and not caids):
                return -1, [], []
            lines += filters(caids, pairs)
        elif base == 0:
            lines += self._filters(line, open_ones)
        return line.max_distance, lines, self._shut(line, named, shut_by_itself=base == 0)

    def _shut(
        self, line: FLine | CLine, named: list[Limit], *, shut_by_itself: bool
    ) -> list[str | None]:
        """The lists of what has to be shut by name; what nothing opens is shut already."""
        whole = {each.caid for each in named if each.number and not each.ident}
        parts = {each.caid for each in named if each.number and each.ident}
        shut = [each for each in named if not each.number]
        if shut_by_itself:
            shut = [each for each in shut if each.ident and each.caid in whole]
        elif any(not each.ident and each.caid in parts for each in shut):
            why = "a CAID of which single providers only are given is shut as a whole"
            self._lose(line.line, _letter(line), why)
        return [
            self._list(caid=[each.caid], idents=[each.ident] if each.ident else []) for each in shut
        ]

    def _depth(self, line: FLine | CLine, base: int | None, entries: list[Limit]) -> int:
        """How far all of it may go or come from: as far as each of them may."""
        named = [each for each in entries if each.caid]
        if any(not each.caid and each.ident for each in entries):
            why = "limits of a provider of all CAIDs have no equivalent"
            self._lose(line.line, _letter(line), why)
        depths = {each.number for each in named if each.number} | ({base} if base else set())
        if base is None and depths:
            depths.add(_MOST + 1)
        if len({min(each, _MOST) for each in depths}) > 1:
            why = "depths of single CAIDs have no equivalent: the least is taken"
            self._lose(line.line, _letter(line), why)
        return min(depths, default=_MOST + 1)

    def _filters(self, line: FLine | CLine, let: list[Limit]) -> Lines:
        whole = [each.caid for each in let if not each.ident]
        pairs = [(each.caid, each.ident) for each in let if each.ident]
        if whole and pairs:
            why = "CAIDs as a whole beside single providers have no equivalent"
            self._lose(line.line, _letter(line), why)
            whole = []
        return filters(whole, pairs)

    def _deny(self, line: FLine) -> list[str | None]:
        """Lists for the second group of the F-line: one for each pair."""
        found: dict[tuple[Caid, Ident], list[Service]] = {}
        for each in line.sids:
            found.setdefault((each.caid, each.ident), []).append(each)
        return [
            self._list(
                caid=[caid] if caid else [],
                idents=[ident] if ident else [],
                sids=[each.sid for each in services],
            )
            for (caid, ident), services in found.items()
        ]

    def _list(
        self, *, caid: list[Caid], idents: list[Ident], sids: Iterable[int] = ()
    ) -> str | None:
        """The name of a list that shuts this; None: OSCam takes no more of them."""
        lines = lists(
            caid=map(format_caid, caid),
            provid=map(format_ident, idents),
            srvid=map(format_sid, sorted(sids)),
        )
        key = frozenset(lines)
        if key in self._names:
            return self._names[key]
        if len(self._lists) >= _LISTS_LIMIT:
            return None
        name = f"deny_{len(self._lists) + 1}"
        self._names[key], self._lists[name] = name, lines
        return name

    def _group(self, groups: frozenset[int] | None) -> Lines:
        numbers = self._groups if groups is None else groups
        return [("group", ",".join(map(str, sorted(numbers))))] if numbers else []

    # Readers.

    def _readers(self) -> Iterator[Lines]:
        tables = {table.key: table for table in self._toml.upstreams}
        labels: set[str] = set()
        for line in self._config.upstream_lines:
            table = tables.get(line.key)
            label = label_of(table.name if table and table.name else line.host)
            while label in labels:
                label += "_"
            labels.add(label)
            password = letters(line.password_bytes())
            if not holds(password):
                self._lose(line.line, "C", "OSCam cannot hold this password")
                continue
            yield self._reader(line, table, label, password)
        for entry in self._toml.cards:
            lines = self._card(entry)
            if lines:
                yield lines

    def _reader(
        self, line: CLine | NLine, table: UpstreamTable | None, label: str, password: str
    ) -> Lines:
        is_newcamd = isinstance(line, NLine)
        lines: Lines = [
            ("label", label),
            ("protocol", "newcamd" if is_newcamd else "cccam"),
            ("device", f"{line.host},{line.port}"),
            ("user", letters(line.user_bytes())),
            ("password", password),
        ]
        groups = table.groups if table else None
        lines += self._group(None if groups is None else frozenset(groups))
        shut = self._source_shut(line) if isinstance(line, CLine) else []
        lines += self._table(table, [name for name in shut if name])
        if None in shut:
            self._lose(line.line, "C", f"{_TOO_MANY_LISTS}: the reader is switched off")
            lines.append(("enable", "0"))
        elif shut:
            self._lose(line.line, "C", _STILL_SHOWN)
        lines += [("blockemm-g", "1")] if self._config.settings.global_emm == 0 else []
        if isinstance(line, NLine):
            lines += [("key", line.deskey), ("connectoninit", "1"), ("ccchop", str(line.hops))]
            return lines
        lines += [("ccckeepalive", "1")] + ([("cccwantemu", "1")] if line.wantemus else [])
        least = table.minimum_downhops if table else None
        least = self._config.settings.minimum_downhops if least is None else least
        lines += [("cccmindown", str(least))] if least else []
        return lines + self._source_limits(line, table)

    def _table(self, table: UpstreamTable | None, shut: list[str]) -> Lines:
        names = [utf8_letters(each.lower()) for each in table.services] if table is not None else []
        names += [f"!{name}" for name in shut]
        services: Lines = [("services", ",".join(names))] if names else []
        if table is None:
            return services
        lines: Lines = [] if table.emm else [("audisabled", "1")]
        lines += [("cccreshare", str(table.reshare))] if table.reshare is not None else []
        lines += [("cccversion", str(table.cccversion))] if table.cccversion else []
        lines += services
        lines += [("fallback", "1")] if table.rank > 1 else []
        return lines + filters(table.caids, table.idents)

    def _source_shut(self, line: CLine) -> list[str | None]:
        """The lists of what it is not asked for."""
        entries = strictest(line.limits)
        named = [each for each in entries if each.caid]
        return self._shut(line, named, shut_by_itself=base_of(entries) == 0)

    def _source_limits(self, line: CLine, table: UpstreamTable | None) -> Lines:
        entries = strictest(line.limits)
        base, let = base_of(entries), [each for each in entries if each.caid and each.number]
        has_lists = table is not None and bool(table.idents or table.caids)
        if base == 0 and table is not None and not agree(entries, table):
            why = "the braces and the lists of its [[upstream]] differ: the lists are taken"
            self._lose(line.line, "C", why)
        if base == 0 and not let:
            return [("cccmaxhops", "-1")]
        least = self._depth(line, base, entries)
        lines: Lines = [("cccmaxhops", str(least - 1))] if least <= _MOST else []
        return lines + (self._filters(line, let) if base == 0 and not has_lists else [])

    def _card(self, entry: CardEntry) -> Lines:
        options, config = entry.options, entry.config
        heading = f'[[card]] name "{config.name}"'
        place = self._toml.place(heading).line or 0
        services = getattr(options, "services", None)
        if entry.kind_name != "fixed" or not services or getattr(options, "cw", None) is not None:
            why = "OSCam has no such card"
            self._lose(place, "kind", why, section="card", toml=True)
            return []
        for ident in config.providers:
            for sid, words in services.items():
                digits = words.raw.hex(" ").upper()
                self._constants.append(
                    f"{format_caid(config.caid)}:{format_ident(ident)}:{format_sid(sid)}"
                    f":0000:0000::{digits}"
                )
        return [
            ("label", label_of(config.name)),
            ("protocol", "constcw"),
            ("device", f"{self._out}/constant.cw"),
            ("caid", format_caid(config.caid)),
            ("cccreshare", str(config.reshare)),
            *self._group(entry.access.grant.groups),
            *filters((), entry.access.grant.pairs),
        ]


_LOCAL_ADDRESSES: Final = (
    "127.0.0.1,10.0.0.0-10.255.255.255,172.16.0.0-172.31.255.255,192.168.0.0-192.168.255.255"
)
"""Who may see the web pages, as here."""


def _letter(line: FLine | CLine) -> str:
    return "F" if isinstance(line, FLine) else "C"


def _serverip(addresses: tuple[str, ...]) -> Lines:
    return [("serverip", addresses[0])]
