"""What kind of line this is (`docs/config.md` section 1.3), before any value is read."""

import re
from enum import Enum, auto
from typing import NamedTuple

from cccamd.setup.cccamcfg.diagnostics import Code, LineNotes
from cccamd.setup.cccamcfg.directives import (
    KNOWN_KEYS,
    WORDS_OF_A_KEY,
    Directive,
    begins_a_key,
    is_old_name,
    leading_key,
    normal_key,
)
from cccamd.setup.cccamcfg.lexer import Line, Token

_LETTER_LINE = re.compile(r"[ \t]*([A-Za-z])([ \t]*):")
_FIRST_WORD = re.compile(r"[ \t]*([^ \t]+)")
_SEPARATOR = re.compile("[:=]")
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_ \t]+")
LETTERS_THAT_NEED_A_COLON = frozenset("FCN")
KEY_WITHOUT_COLON = "POSTINIT"
"""Releases 1.7.0 to 2.0.1 documented it with a blank only."""


LINE_LIMIT = 256 * 1024
"""Characters. An F-line with ten thousand limits is shorter; what is longer is no line of text, and
taking it apart would cost a second and a hundred times its memory."""


class LineKind(Enum):
    """The kinds of lines that are not empty."""

    LETTER = auto()
    KEY = auto()
    COLON_MISSING = auto()
    UNKNOWN_KEY = auto()
    NOT_UNDERSTOOD = auto()
    TOO_LONG = auto()


class Statement(NamedTuple):
    """A line, its kind, and where its value begins."""

    kind: LineKind
    line: Line
    name: str = ""
    """The letter, or the normal form of the key; both in large letters."""
    value_start: int = 0
    """Index in the line's text."""

    @property
    def value(self) -> Token:
        """What follows the separator, without the blanks around it."""
        return self.line.rest(self.value_start)

    @property
    def directive(self) -> Directive | None:
        """The directive of a key line."""
        return KNOWN_KEYS.get(self.name) if self.kind is LineKind.KEY else None


def classify(line: Line) -> Statement:
    """Find the kind of a line by the first rule that fits."""
    if len(line.text) > LINE_LIMIT:
        return Statement(LineKind.TOO_LONG, line)
    return (
        _letter_line(line)
        or _known_key_line(line)
        or _colon_missing(line)
        or _unknown_key_line(line)
        or Statement(LineKind.NOT_UNDERSTOOD, line)
    )


def _letter_line(line: Line) -> Statement | None:
    found = _LETTER_LINE.match(line.text)
    return Statement(LineKind.LETTER, line, found[1].upper(), found.end()) if found else None


def _known_key_line(line: Line) -> Statement | None:
    separator = _separator(line.text)
    if separator is not None:
        name = normal_key(line.text[:separator])
        if name in KNOWN_KEYS:
            return Statement(LineKind.KEY, line, name, separator + 1)
    if ":" not in line.text:
        first, *others = line.rest(0).words(2)
        if others and normal_key(first.text) == KEY_WITHOUT_COLON:
            return Statement(LineKind.KEY, line, KEY_WITHOUT_COLON, first.end)
    return None


def _separator(text: str) -> int | None:
    """Find the first `:` or `=`."""
    found = _SEPARATOR.search(text)
    return found.start() if found else None


def _colon_missing(line: Line) -> Statement | None:
    found = _FIRST_WORD.match(line.text)
    letter = found[1].upper() if found else ""
    if letter not in LETTERS_THAT_NEED_A_COLON and not begins_a_key(letter):
        return None  # soon done with most lines
    words = line.rest(0).words(WORDS_OF_A_KEY)
    if letter in LETTERS_THAT_NEED_A_COLON and len(words) > 2:
        return Statement(LineKind.COLON_MISSING, line, letter, words[0].end)
    # The colons inside a brace group separate nothing: GLOBAL LIMITS { 0:0:1 }
    key = (
        None
        if _separator(line.text.partition("{")[0]) is not None
        else leading_key([word.text for word in words])
    )
    if key is None:
        return None
    return Statement(LineKind.COLON_MISSING, line, key, words[key.count(" ")].end)


def _unknown_key_line(line: Line) -> Statement | None:
    separator = _separator(line.text)
    if separator is None or line.text[separator] == "=":
        return None
    name = line.text[:separator]
    if not name.strip(" \t") or not _PLAIN_KEY.fullmatch(name):
        return None
    return Statement(LineKind.UNKNOWN_KEY, line, normal_key(name), separator + 1)


def note_spelling(statement: Statement, notes: LineNotes) -> None:
    """Add the warnings about how letter, key and separator are written."""
    line = statement.line
    note_odd_blank(line.odd_blank, notes)
    written = line.text[: statement.value_start]
    if statement.kind is LineKind.LETTER:
        note_letter(written, statement.name, notes)
    if statement.kind is LineKind.KEY:
        note_key(written, statement.name, notes)


def note_odd_blank(column: int | None, notes: LineNotes) -> None:
    """Add the warning about a blank that is none, if there is one."""
    if column is not None:
        text = "a character that looks like a blank, or is none at all, is read as a blank"
        notes.add(Code.ODD_BLANK, column, text, "retype the blanks of this line")


def note_letter(written: str, letter: str, notes: LineNotes) -> None:
    """Add the warnings about how a letter is written; its colon is the last character."""
    if written[-2] in " \t":
        text = "a blank before the colon: other programs skip such lines"
        notes.add(Code.BLANK_BEFORE_COLON, len(written) - 1, text, f"write {letter}:")
    if letter not in written:
        text = "a small letter: other programs skip such lines"
        notes.add(Code.NOT_UPPER_CASE, _first_column(written), text, f"write {letter}:")


def note_key(written: str, name: str, notes: LineNotes) -> None:
    """Add the warnings about how a known key is written; its separator is the last character."""
    if written != written.upper():
        text = "the key is not in large letters: other programs do not find it"
        notes.add(Code.NOT_UPPER_CASE, _first_column(written), text, f"write {name}")
    if written.endswith("="):
        text = "'=' is read as ':'; other programs skip such lines"
        notes.add(Code.EQUALS_SIGN, len(written), text, f"write {name} :")
    directive = KNOWN_KEYS[name]
    if is_old_name(name, directive):
        text = f"old name of {directive.name}"
        notes.add(Code.OLD_NAME, _first_column(written), text, f"write {directive.name}")


def _first_column(written: str) -> int:
    return len(written) - len(written.lstrip(" \t")) + 1
