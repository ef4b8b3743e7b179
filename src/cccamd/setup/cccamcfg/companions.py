"""CCcam.prio, CCcam.providers and CCcam.channelinfo (section 4)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from cccamd.errors import bare
from cccamd.ids import CAID_DIGITS, IDENT_DIGITS, SID_DIGITS, Caid, Ident, Sid, bare_hex
from cccamd.setup.cccamcfg.lexer import read_source, replace_odd_blanks
from cccamd.setup.cccamcfg.model import Settings
from cccamd.setup.files import (
    ConfigFileError,
    ConfigFileMissingError,
    FileProblem,
    Place,
    read_file,
)
from cccamd.values import Service

COMMENT_SIGNS = ("#", ";", "//")

_LINE = re.compile(r"([A-Za-z])[ \t]*:(.*)", re.DOTALL)
_COMMENT = re.compile("|".join(map(re.escape, COMMENT_SIGNS)))

_KEY_DIGITS = 8
_DIGITS = (CAID_DIGITS, IDENT_DIGITS, SID_DIGITS)
_ENTRIES_PER_LINE_LIMIT = 256
"""Far above any line that a person writes; commas in all three parts multiply."""
ENTRIES_LIMIT = 250_000
"""Of one file. The longest real ones have some 13,000; what commas multiply would take long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prio:
    """CCcam.prio: which systems to prefer and which to leave alone (section 4.1).

    An entry is `caid[:ident[:sid]]`; ident 0 and sid 0 (or left out) mean all.
    """

    ignored: frozenset[Service] = frozenset()
    """I-lines."""
    orders: tuple[tuple[Service, ...], ...] = ()
    """P-lines, in the file's order."""
    problems: tuple[FileProblem, ...] = ()


def parse_prio(data: bytes, *, file: str = "CCcam.prio") -> Prio:
    """Read any bytes; lines that cannot be used are skipped with a warning."""
    reader = _PrioReader(file, problems=_encoding_problems(data, file))
    for number, text in _content_lines(data):
        if reader.entries >= ENTRIES_LIMIT:
            reader.problems.append(_full(file, number))
            break
        reader.read(number, _COMMENT.split(text, maxsplit=1)[0].rstrip(" \t"))
    return Prio(
        ignored=frozenset(reader.ignored),
        orders=tuple(reader.orders),
        problems=tuple(reader.problems),
    )


@dataclass(slots=True)
class _PrioReader:
    file: str
    problems: list[FileProblem]
    ignored: list[Service] = field(default_factory=list)
    orders: list[tuple[Service, ...]] = field(default_factory=list)
    entries: int = 0
    """That were read so far."""

    def read(self, number: int, text: str) -> None:
        found = _LINE.fullmatch(text)
        letter = found[1].upper() if found else ""
        if found is None or letter not in ("P", "I"):
            self._warn(number, "skipped: only lines that begin with P: or I: are read")
            return
        entries = self._read_entries(number, found[2])
        self.entries += len(entries)
        if not entries:
            self._warn(number, "skipped: write caid, caid:ident or caid:ident:sid in hex digits")
        elif letter == "P":
            self.orders.append(entries)
        else:
            self.ignored += entries

    def _read_entries(self, number: int, text: str) -> tuple[Service, ...]:
        """Read all entries of a line, or none if one is bad."""
        entries: list[Service] = []
        for part in text.split(","):
            entry = _read_entry(part.strip(" \t"))
            if entry is None and entries:
                entry = self._read_further_ident(number, part.strip(" \t"), entries[-1].caid)
            if entry is None:
                return ()
            entries.append(entry)
        return tuple(entries)

    def _read_further_ident(self, number: int, text: str, caid: Caid) -> Service | None:
        """Read the short form `1802:000000,004801`: too long for a CAID, so an ident."""
        ident = bare_hex(text, IDENT_DIGITS)
        if ident is None:
            return None
        words = f"{text} is read as a further ident of the CAID before it"
        place = Place(self.file, number)
        self.problems.append(FileProblem(place=place, text=words, is_warning=True))
        return Service(caid, Ident(ident), Sid(0))

    def _warn(self, number: int, text: str) -> None:
        self.problems.append(_skipped(self.file, number, text))


def _read_entry(text: str) -> Service | None:
    parts = text.split(":")
    caid = bare_hex(parts[0], CAID_DIGITS)
    if caid is None or len(parts) > 3:
        return None
    ident = bare_hex(parts[1], IDENT_DIGITS) if len(parts) > 1 else 0
    sid = bare_hex(parts[2], SID_DIGITS) if len(parts) > 2 else 0
    if ident is None or sid is None:
        return None
    return Service(Caid(caid), Ident(ident), Sid(sid))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderNames:
    """CCcam.providers: names of providers (section 4.2)."""

    names: Mapping[int, str] = field(default_factory=dict)
    """By the file's 32-bit key, which cannot be split into CAID and ident."""
    problems: tuple[FileProblem, ...] = ()

    def name(self, caid: Caid, ident: Ident) -> str | None:
        """Look a provider up. The ident's upper byte overlaps the CAID's lower byte."""
        return self.names.get(caid << 16 | ident)


def parse_providers(data: bytes, *, file: str = "CCcam.providers") -> ProviderNames:
    """Read any bytes; the first entry for a key counts, bad lines are skipped with a warning."""
    names: dict[int, str] = {}
    problems = _encoding_problems(data, file)
    for number, text in _content_lines(data):
        entry = _read_line(text)
        if entry is None:
            problems.append(_skipped(file, number, 'skipped: write eight hex digits and a "name"'))
        else:
            names.setdefault(*entry)
    return ProviderNames(names=names, problems=tuple(problems))


def _read_line(text: str) -> tuple[int, str] | None:
    found = _split_name(text)
    if found is None or len(found[0]) != _KEY_DIGITS:
        return None
    key = bare_hex(found[0], _KEY_DIGITS)
    return None if key is None else (key, found[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelNames:
    """CCcam.channelinfo: names of channels, for display only (section 4.3)."""

    names: Mapping[tuple[int, int, int], str] = field(default_factory=dict)
    """By CAID, ident and sid."""
    problems: tuple[FileProblem, ...] = ()

    def name(self, caid: Caid, ident: Ident, sid: Sid) -> str | None:
        """Look a channel up, first with its ident, then with ident 0."""
        return self.names.get((caid, ident, sid)) or self.names.get((caid, 0, sid))


def parse_channelinfo(data: bytes, *, file: str = "CCcam.channelinfo") -> ChannelNames:
    """Read any bytes; the first entry for a channel counts, bad lines are skipped."""
    names: dict[tuple[int, int, int], str] = {}
    entries = 0
    problems = _encoding_problems(data, file)
    for number, text in _content_lines(data):
        if entries >= ENTRIES_LIMIT:
            problems.append(_full(file, number))
            break
        found = _split_name(text)
        keys = _read_keys(found[0]) if found else []
        if found is None or not keys:
            problems.append(_skipped(file, number, 'skipped: write caid:ident:sid and a "name"'))
            continue
        entries += len(keys)
        for key in keys:
            names.setdefault(key, found[1])
    return ChannelNames(names=names, problems=tuple(problems))


def _read_keys(text: str) -> list[tuple[int, int, int]]:
    """Read `caid:ident:sid`; commas inside a part make several entries."""
    parts = [part.split(",") for part in text.split(":")]
    count = 1
    for part in parts:
        count *= len(part)
    if len(parts) != len(_DIGITS) or count > _ENTRIES_PER_LINE_LIMIT:
        return []
    numbers = [
        [bare_hex(one, digits) for one in part] for part, digits in zip(parts, _DIGITS, strict=True)
    ]
    keys: list[tuple[int, int, int]] = []
    for caid, ident, sid in product(*numbers):
        if caid is None or ident is None or sid is None:
            return []
        keys.append((caid, ident, sid))
    return keys


# What the three share.


def _content_lines(data: bytes) -> Iterator[tuple[int, str]]:
    """Go through the lines that are neither empty nor comments, without blanks at the ends.

    A UTF-16 file has none.
    """
    for number, physical in enumerate(read_source(data).physical_lines, start=1):
        text = replace_odd_blanks(physical).strip(" \t")
        if text and not text.startswith(COMMENT_SIGNS):
            yield number, text


def _encoding_problems(data: bytes, file: str) -> list[FileProblem]:
    """Say why a UTF-16 file has no lines."""
    if read_source(data).codec is not None:
        return []
    return [_skipped(file, 1, "the file is UTF-16 text and was not read; save it as UTF-8")]


def _skipped(file: str, line: int, text: str) -> FileProblem:
    """Say that a line was skipped."""
    return FileProblem(place=Place(file, line), text=text, is_warning=True, is_skipped=True)


def _full(file: str, line: int) -> FileProblem:
    """Say from where on a file is not read."""
    text = f"more than {ENTRIES_LIMIT:,} entries; the file is not read from here on"
    return _skipped(file, line, text)


def _split_name(text: str) -> tuple[str, str] | None:
    """Split `key "name" remark` into key and name, or None if there is no quoted name."""
    key, opening, others = text.partition('"')
    name, closing, _ = others.rpartition('"')
    name = name.strip('" \t')
    return (key.strip(" \t"), name) if opening and closing and name else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Companions:
    """The three files that a CCcam.cfg names; one that is not there says nothing."""

    prio: Prio = field(default_factory=Prio)
    channels: ChannelNames = field(default_factory=ChannelNames)
    providers: ProviderNames = field(default_factory=ProviderNames)
    unread: Mapping[str, ConfigFileError] = field(default_factory=dict)
    """What could not be read and why, by the key of CCcam.cfg that names it."""

    @property
    def problems(self) -> tuple[FileProblem, ...]:
        """What was skipped or guessed in all of them, and which could not be read.

        One that is not there is none: that is no fault.
        """
        unreadable = (
            FileProblem(place=Place(error.name), text=f"{error.reason}; it is not used")
            for error in self.unread.values()
            if not isinstance(error, ConfigFileMissingError)
        )
        return (
            *unreadable,
            *self.prio.problems,
            *self.channels.problems,
            *self.providers.problems,
        )


def load_companions(settings: Settings) -> Companions:
    """Read the companion files from the disk."""
    unread: dict[str, ConfigFileError] = {}

    def read(key: str, name: str | None) -> bytes:
        try:
            return read_file(Path(name)) if name else b""
        except ConfigFileError as error:
            unread[key] = bare(error)
            return b""

    prio, channels, providers = (
        settings.caid_prio_file or "",
        settings.channelinfo_file or "",
        settings.providerinfo_file or "",
    )
    return Companions(
        prio=parse_prio(read("CAID PRIO FILE", prio), file=prio),
        channels=parse_channelinfo(read("CHANNELINFO FILE", channels), file=channels),
        providers=parse_providers(read("PROVIDERINFO FILE", providers), file=providers),
        unread=unread,
    )
