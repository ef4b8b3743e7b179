"""The grammar that OSCam's files have in common: lines, sections, keys.

Texts hold one letter for each byte (ISO-8859-1): OSCam does not look at bytes, and what it would
send over the wire must stay what it is.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

BUFFER_LENGTH: Final = 16_383
"""Bytes of a line that OSCam reads at once; the rest is the next line to it."""
SHORTEST_LINE: Final = 3
"""Bytes; what is shorter is no line to it."""
_BLANKS: Final = " \t\r\n"
_UTF8_MARK: Final = b"\xef\xbb\xbf"
_UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_REMARKS: Final = ("#", ";", "//")


@dataclass(frozen=True, slots=True)
class Entry:
    """`key = value`, or what stands there instead."""

    key: str
    """In small letters."""
    value: str
    line: int

    @property
    def is_header(self) -> bool:
        """Whether a line without `=` is meant as a header: it has a tab before or something behind
        its brackets, or lacks the last."""
        return self.key.lstrip(_BLANKS).startswith("[")


@dataclass(frozen=True, slots=True)
class Section:
    """A header and the entries below it."""

    name: str
    """As written; empty: there was no header before these entries."""
    line: int
    entries: list[Entry] = field(default_factory=list)
    stray: list[Entry] = field(default_factory=list)
    """Lines without `=`, their whole text as the key: nothing to OSCam."""

    def last(self, key: str) -> Entry | None:
        """The entry that counts of those with a key."""
        return next((each for each in reversed(self.entries) if each.key == key), None)


@dataclass(frozen=True, slots=True)
class ReadFile:
    """The sections of a file."""

    sections: list[Section] = field(default_factory=list)
    bom: bool = False
    """It began with a byte order mark, which was skipped; OSCam stumbles over it."""
    utf16: bool = False
    """It is UTF-16, of which neither OSCam nor we read anything."""


def trim(text: str) -> str:
    """Cut blanks off as OSCam does: tabs at the start stay, unless a space is before them."""
    text = text.rstrip(_BLANKS)
    return text.lstrip(_BLANKS) if text.startswith(" ") else text


def lower(text: str) -> str:
    """Make ASCII letters small, and no others."""
    return "".join(chr(ord(each) + 32) if "A" <= each <= "Z" else each for each in text)


def utf8(text: str) -> str:
    """Show a text of bytes for people: as UTF-8, or else as ISO-8859-1."""
    try:
        return text.encode("iso-8859-1").decode("utf-8")
    except UnicodeError:
        return text


def physical_lines(data: bytes) -> Iterator[tuple[int, str]]:
    """Number the lines as they stand in the file, cut into what OSCam reads at once."""
    text = data.decode("iso-8859-1")
    for number, line in enumerate(text.split("\n"), start=1):
        for start in range(0, len(line) or 1, BUFFER_LENGTH):
            yield number, line[start : start + BUFFER_LENGTH].partition("\0")[0]


def lines_of(data: bytes) -> Iterator[tuple[int, str]]:
    """The lines that are not empty, trimmed, remarks among them."""
    for number, line in physical_lines(data.removeprefix(_UTF8_MARK)):
        text = trim(line)
        if len(text) >= SHORTEST_LINE:
            yield number, text


def is_remark(text: str) -> bool:
    """Whether nobody means this line as a setting; to OSCam only `#` is a sign."""
    return text.lstrip(_BLANKS).startswith(_REMARKS)


def read_sections(data: bytes) -> ReadFile:
    """Read a file of sections; any bytes will do."""
    if data.startswith(_UTF16_MARKS):
        return ReadFile(utf16=True)
    found = ReadFile(bom=data.startswith(_UTF8_MARK))
    section = Section("", 0)
    for number, text in lines_of(data):
        if text.startswith("[") and text.endswith("]"):
            section = Section(text[1:-1], number)
            found.sections.append(section)
            continue
        if section.line == 0 and not found.sections:
            found.sections.append(section)
        key, separator, value = text.partition("=")
        if separator:
            section.entries.append(Entry(lower(trim(key)), trim(value), number))
        elif not is_remark(text):
            section.stray.append(Entry(text, "", number))
    return found
