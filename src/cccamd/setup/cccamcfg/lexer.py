"""From the bytes of a file to its lines and tokens (`docs/config.md` sections 1.1 and 1.2).

The library's own ways to split text are avoided: they also break at bytes that stand in
the comments of old files, and they take other characters than space and tab for blanks.
"""

import re
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from cccamd.setup.cccamcfg.diagnostics import Code
from cccamd.setup.cccamcfg.model import Codec

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_UTF8_MARK = b"\xef\xbb\xbf"

# NUL, VT, FF, CR, no-break space, zero width space and a byte order mark in the middle:
# what web pages and dumps of flash memory leave behind.
_ODD_BLANKS = "\0\v\f\r\u00a0\u200b\ufeff"
_ODD_BLANK = re.compile(f"[{_ODD_BLANKS}]")
_TO_SPACES = str.maketrans(_ODD_BLANKS, " " * len(_ODD_BLANKS))

_WORD = re.compile(r"[^ \t]+")
_SYMBOL = re.compile(r"[{},()]|[^ \t{},()]+")


class Token(NamedTuple):
    """A piece of a line, however long, and the column (1-based) where it begins."""

    text: str
    column: int

    @property
    def end(self) -> int:
        """The index in the line's text that follows the token."""
        return self.column - 1 + len(self.text)

    def after(self, part: "Token") -> "Token":
        """Take what follows a piece of this one, without the blanks before it."""
        return _strip_start(self.text[part.end - self.column + 1 :], part.end + 1)

    def words(self, limit: int | None = None) -> list["Token"]:
        """Split at blanks; take the first `limit` words only, if there is one."""
        return self._split(_WORD, limit)

    def symbols(self) -> list["Token"]:
        """Split at blanks, with braces, round brackets and commas as tokens of their own."""
        return self._split(_SYMBOL)

    def _split(self, pattern: re.Pattern[str], limit: int | None = None) -> list["Token"]:
        text, column = self
        if not text:
            return []
        found = islice(pattern.finditer(text), limit)
        return [Token(match[0], column + match.start()) for match in found]


def _strip_start(text: str, column: int) -> Token:
    stripped = text.lstrip(" \t")
    return Token(stripped, column + len(text) - len(stripped))


class Line(NamedTuple):
    """What is left of a physical line without its comment and the blanks at its end."""

    number: int
    text: str
    """Keeps the blanks at its start, so that columns are those of the file."""
    odd_blank: int | None = None
    """Column of the first character that was turned into a space."""

    @property
    def first_column(self) -> int:
        """Column of the first character that is no blank."""
        return len(self.text) - len(self.text.lstrip(" \t")) + 1

    def rest(self, start: int) -> Token:
        """Take everything from index `start` on, without the blanks around it."""
        return _strip_start(self.text[start:], start + 1)


@dataclass(frozen=True, slots=True)
class DecodedFile:
    """A decoded file: its physical lines as they are, and the notes made on the way."""

    physical_lines: tuple[str, ...] = ()
    codec: Codec | None = None
    """None: the file is UTF-16 and was not read."""
    bom: bool = False
    notes: tuple[Code, ...] = ()


def read_source(data: bytes) -> DecodedFile:
    """Decode any bytes (rules L1 to L6)."""
    if data.startswith(_UTF16_MARKS):
        return DecodedFile(notes=(Code.UTF16,))
    bom = data.startswith(_UTF8_MARK)
    text, codec = _decode(data.removeprefix(_UTF8_MARK))
    found = {
        Code.BYTE_ORDER_MARK: bom,
        Code.CRLF: b"\r\n" in data,
        Code.NOT_UTF8: codec != "utf-8",
    }
    notes = tuple(code for code, seen in found.items() if seen)
    return DecodedFile(_split_lines(text), codec, bom, notes)


def _decode(data: bytes) -> tuple[str, Codec]:
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return data.decode("iso-8859-1"), "iso-8859-1"


def _split_lines(text: str) -> tuple[str, ...]:
    if not text:
        return ()
    line_end = "\n" if "\n" in text else "\r"
    lines = text.removesuffix(line_end).split(line_end)
    if line_end == "\n" and "\r" not in text:
        return tuple(lines)
    return tuple(line.rstrip("\r") for line in lines)


def cut_line(number: int, physical: str) -> Line:
    """Turn odd blanks of one physical line into spaces and cut its comment off (rule L8)."""
    odd = _ODD_BLANK.search(physical)
    if odd is None and "#" not in physical:  # as most lines
        return Line(number, physical.rstrip(" \t"))
    text = physical if odd is None else replace_odd_blanks(physical)
    end = _comment_start(text)
    if odd is not None and odd.start() >= end:
        odd = None
    return Line(number, text[:end].rstrip(" \t"), odd.start() + 1 if odd else None)


def replace_odd_blanks(text: str) -> str:
    """Put a space for each character that only looks like one, or is none at all."""
    return text.translate(_TO_SPACES)


def _comment_start(text: str) -> int:
    """Find the `#` that stands at the start of a token."""
    separator = text.find(":")
    at = text.find("#")
    while at > 0 and text[at - 1] not in " \t}" and at - 1 != separator:
        at = text.find("#", at + 1)
    return len(text) if at < 0 else at
