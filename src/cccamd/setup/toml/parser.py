"""From the file or text of a cccamd.toml to frozen values and a list of problems.

A table with a problem costs itself only: a `[table]` keeps its defaults, which are the strict
ones, a `[[table]]` is left out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from cccamd.cards import ServiceList
from cccamd.localcards import LocalCard
from cccamd.setup.files import (
    ConfigFileError,
    ConfigFileMissingError,
    FileProblem,
    Place,
    read_file,
)
from cccamd.setup.toml.cardtable import read_cards
from cccamd.setup.toml.fleettable import FleetTable
from cccamd.setup.toml.grants import ServicesTable
from cccamd.setup.toml.language import loads
from cccamd.setup.toml.linetables import AccountTable, UpstreamTable
from cccamd.setup.toml.model import (
    FILE_NAME,
    CacheTable,
    DvbapiTable,
    JournalTable,
    LimitsTable,
    LogTable,
    NetworkTable,
    PenaltiesTable,
    RoutingTable,
    ServerTable,
    TlsTable,
    TomlConfig,
)
from cccamd.setup.toml.mqtttable import MqttTable
from cccamd.setup.toml.newcamdtable import NewcamdTable
from cccamd.setup.toml.notifytable import NotifyTable
from cccamd.setup.toml.positions import PARTS_LIMIT, Places, find_long_key, locate
from cccamd.setup.toml.reader import (
    PROBLEMS_LIMIT,
    TABLES_LIMIT,
    TableReader,
    explain_syntax,
    suggest,
)
from cccamd.setup.toml.unread import Unread, unread_of

_TABLES = (
    "network",
    "limits",
    "server",
    "cache",
    "routing",
    "log",
    "journal",
    "tls",
    "penalties",
    "dvbapi",
    "notify",
    "mqtt",
    "fleet",
)
_SUGGESTION_LIMIT = 50
SIZE_LIMIT = 500_000
"""Lines and commas. A file as long as it may be, full of accounts, has half as many; a parser needs
a second and more for the two million numbers that are possible."""
_LISTS = ("account", "upstream", "card", "newcamd")
_NAMED = ("services",)
"""Tables whose tables have names of the operator's own."""
_KNOWN = (*_TABLES, *_LISTS, *_NAMED)

U = TypeVar("U", AccountTable, NewcamdTable, UpstreamTable)


@dataclass(frozen=True, slots=True)
class ParsedToml:
    """What was understood, and what was not."""

    config: TomlConfig = field(default_factory=TomlConfig)
    problems: tuple[FileProblem, ...] = ()
    passing: bool = False
    """Not usable for a reason of the system, which may be gone in a moment."""

    @property
    def usable(self) -> bool:
        """False: nothing of the file was understood, `config` is all defaults."""
        return self.config.unread.whole is None


def parse(
    text: str, *, kinds: Mapping[str, type[LocalCard]], folder: Path, file: str = FILE_NAME
) -> ParsedToml:
    """Read a whole file. Never raises; `folder` is where the cards' own file names start."""
    if (at := find_long_key(text)) is not None:
        words = f"a key has more than {PARTS_LIMIT} parts with dots between them"
        return _useless(Place(file, text.count("\n", 0, at) + 1), words)
    if text.count("\n") + text.count(",") > SIZE_LIMIT:
        words = f"more than {SIZE_LIMIT:,} lines and commas, so it is no configuration"
        return _useless(Place(file), words)
    try:
        data = loads(text)
        positions = locate(text, file)
    except (ValueError, RecursionError) as error:
        line, column, words = explain_syntax(error, text)
        return _useless(Place(file, line, column), words)
    reader = TableReader(data, positions)
    config = _read(reader, kinds=kinds, folder=folder)
    return ParsedToml(config, reader.told())


def _read(reader: TableReader, *, kinds: Mapping[str, type[LocalCard]], folder: Path) -> TomlConfig:
    unknown = [name for name in reader.data if name not in _KNOWN]
    if more := len(unknown[PROBLEMS_LIMIT:]):
        reader.count(more)
    for number, name in enumerate(unknown[:PROBLEMS_LIMIT]):
        # Looking for similar names is slow. A file with more unknown ones has other problems.
        advice = f"; {suggest(name, _KNOWN)}" if number < _SUGGESTION_LIMIT else ""
        text = f"unknown [{name}]{advice}"
        reader.add(reader.positions.key((name,)), text)
    services = _read_services(reader)
    spoilt_accounts: _Spoilt = []
    spoilt_links: _Spoilt = []
    accounts = tuple(_read_list(reader, "account", AccountTable, spoilt_accounts))
    upstreams = tuple(_read_list(reader, "upstream", UpstreamTable, spoilt_links))
    return TomlConfig(
        file=reader.positions.file,
        places=Places(reader.positions.file, reader.headings, reader.positions),
        network=_read_network(reader),
        limits=reader.read_table("limits", LimitsTable),
        server=reader.read_table("server", ServerTable),
        cache=reader.read_table("cache", CacheTable),
        routing=reader.read_table("routing", RoutingTable),
        log=reader.read_table("log", LogTable),
        penalties=reader.read_table("penalties", PenaltiesTable),
        journal=reader.read_table("journal", JournalTable),
        tls=reader.read_table("tls", TlsTable),
        dvbapi=_read_dvbapi(reader),
        notify=reader.read_table("notify", NotifyTable),
        mqtt=reader.read_table("mqtt", MqttTable),
        fleet=reader.read_table("fleet", FleetTable),
        newcamd=tuple(_read_list(reader, "newcamd", NewcamdTable, [])),
        accounts=accounts,
        upstreams=upstreams,
        unread=unread_of(spoilt_accounts, spoilt_links),
        cards=tuple(read_cards(reader, kinds=kinds, folder=folder)),
        services=services,
    )


def _read_services(reader: TableReader) -> Mapping[str, ServiceList]:
    data = reader.data.get("services", {})
    if not isinstance(data, dict) or not all(isinstance(each, dict) for each in data.values()):
        text = "expected tables with names: [services.news], with sids, providers or caids in it"
        reader.add(reader.positions.key(("services",)), text)
        return {}
    found: dict[str, ServiceList] = {}
    for number, (name, table) in enumerate(data.items()):
        path = ("services", name)
        if number == TABLES_LIMIT:
            reader.refuse_more(path, len(data) - number, "tables of [services]")
            break
        read = reader.read(ServicesTable, table, path, label=f"[services.{name}]")
        if read is not None:
            found[name] = read.list_named(name)
    return found


def _read_network(reader: TableReader) -> NetworkTable:
    read = reader.read_table("network", NetworkTable)
    for index, network in enumerate(read.allow):
        if network.prefixlen == 0:
            at = reader.positions.value(("network", "allow", index))
            text = f"[network] allow: {network} lets the whole internet try to log in"
            reader.add(at, text, is_warning=True)
    return read


def _read_dvbapi(reader: TableReader) -> DvbapiTable:
    read = reader.read_table("dvbapi", DvbapiTable)
    if read.enabled:
        reader.headings["[dvbapi]"] = ("dvbapi", "account")
    for index, network in enumerate(read.networks):
        if network.prefixlen == 0:
            at = reader.positions.value(("dvbapi", "networks", index))
            text = f"[dvbapi] networks: {network} lets the whole internet take control words"
            reader.add(at, text, is_warning=True)
    if read.socket and read.socket_mode & 0o002:
        at = reader.positions.value(("dvbapi", "socket_mode"))
        text = "[dvbapi] socket_mode: every program of this machine can take control words"
        reader.add(at, text, is_warning=True)
    return read


_Spoilt = list[tuple[Place, dict[str, Any]]]


def _read_list(reader: TableReader, name: str, model: type[U], spoilt: _Spoilt) -> Iterator[U]:
    """Read the tables `[[name]]`; those with a mistake go to `spoilt`."""
    whole = Place(reader.positions.file)
    for path, data in reader.tables(name):
        read = reader.read(model, data, path, label=f"[[{name}]]")
        if read is None:
            spoilt.append((whole if reader.is_full else reader.positions.key(path), data))
        elif reader.is_new(read.heading, path):
            yield read
    spoilt += ((whole, data) for data in reader.passed_over(name))


_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def load(path: Path, *, kinds: Mapping[str, type[LocalCard]], required: bool) -> ParsedToml:
    """Read a file. `required`: the operator named it, so that a missing one is a problem."""
    try:
        data = read_file(path)
    except ConfigFileMissingError as error:
        if required:
            return _unusable(path, error.reason)
        return ParsedToml(TomlConfig(file=str(path)))
    except ConfigFileError as error:
        return replace(_unusable(path, error.reason), passing=error.passing)
    if data.startswith(_UTF16_MARKS):
        return _unusable(path, "is UTF-16 text; save it as UTF-8")
    try:
        text = data.decode("utf-8-sig")  # a byte order mark of some editors is dropped
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return _unusable(path, "a letter is not UTF-8; save the file as UTF-8", line=line)
    return parse(text, kinds=kinds, folder=path.parent, file=str(path))


def _unusable(path: Path, text: str, *, line: int | None = None) -> ParsedToml:
    return _useless(Place(str(path), line), text)


def _useless(place: Place, text: str) -> ParsedToml:
    problem = FileProblem(place=place, text=text)
    config = TomlConfig(file=place.file, unread=Unread(whole=place))
    return ParsedToml(config, problems=(problem,))
