"""What each kind of line does to the configuration (`docs/config.md` sections 1.3 and 2)."""

import re
from typing import NoReturn

from cccamd.errors import bare
from cccamd.ids import PORT_LIMIT, USER_LENGTH, is_host
from cccamd.setup.cccamcfg.classify import (
    KEY_WITHOUT_COLON,
    LETTERS_THAT_NEED_A_COLON,
    LINE_LIMIT,
    LineKind,
    Statement,
    note_key,
    note_letter,
    note_odd_blank,
    note_spelling,
)
from cccamd.setup.cccamcfg.diagnostics import (
    Code,
    Diagnostic,
    FileNotes,
    LineNotes,
    LineRefusedError,
    Severity,
    quoted,
)
from cccamd.setup.cccamcfg.directives import (
    B_LINE,
    KNOWN_KEYS,
    Directive,
    Implemented,
    Obsolete,
    Value,
    WithoutEffect,
    begins_a_key,
    is_old_name,
    leading_key,
    nearest_key,
    normal_key,
)
from cccamd.setup.cccamcfg.gathered import Assignment, Assignments, LetterLines, PlainLine
from cccamd.setup.cccamcfg.lexer import Token
from cccamd.setup.cccamcfg.login_fields import check_user, note_credentials
from cccamd.setup.cccamcfg.masking import subject
from cccamd.setup.cccamcfg.model import Codec, RefusedLine

_OTHER_PROTOCOLS = {"L": "camd3", "R": "radegast", "G": "gbox", "X": "gbox"}
_LETTERS_OF_THIS_FILE = frozenset("FCNLRGXB")
_LETTERS_OF_PRIO = frozenset("PIS")

# Looking for similar keys is slow. A file with more unknown keys has other problems.
_SUGGESTION_LIMIT = 50


_PLAIN = r"[!-\"$-;=-z|~\x80-\x9f\xa1-\u200a\u200c-\ufefe\uff00-\U0010ffff]"
_LOGIN = rf"({_PLAIN}{{1,{USER_LENGTH}}})[ \t]+({_PLAIN}{{1,{USER_LENGTH}}})"
_ENDING = r"(?:[ \t]+([!-\"$-~][\t -\"$-~]*))?"
_REMOTE = r"([A-Za-z0-9.-]+)[ \t]+([1-9][0-9]{0,4})[ \t]+"
_PLAIN_LINE = re.compile(
    rf"(?:([Ff])[ \t]*:[ \t]*|([CcNn])[ \t]*:[ \t]*{_REMOTE}){_LOGIN}{_ENDING}[ \t]*"
)
"""Words without braces, `#` and `<`: with those there may be something to say."""
_USER, _PASSWORD = 5, 6
"""Their groups."""
_PLAIN_KEY = re.compile(
    r"([A-Za-z]+(?:[ \t]+[A-Za-z]+)*)[ \t]*([:=])[ \t]*([!-\"$-~]+(?: [!-\"$-~]+)*)[ \t]*"
)
"""A key and a value."""
_PLAIN_TEXT = re.compile(r"[\t -\"$-~]*")
_FIRST_WORD = re.compile(r"[ \t]*([A-Za-z0-9_]{2,})")


def without_login(text: str) -> tuple[str, str, str]:
    """A sound line of plain words with a stand-in for server, user and password; the stand-in; and
    what stands there. Of other lines themselves and nothing."""
    found = _PLAIN_LINE.fullmatch(text)
    if found is None or not text.isascii():
        return text, "", ""
    stand_in, login, start = "User1 Password1", f"{found[_USER]} {found[_PASSWORD]}", _USER
    if found[2]:
        if not is_host(found[3]) or int(found[4]) > PORT_LIMIT:
            return text, "", ""
        stand_in, login, start = f"host1 1 {stand_in}", f"{found[3]} {found[4]} {login}", 3
    form = f"{text[: found.start(start)]}{stand_in}{text[found.end(_PASSWORD) :]}"
    return form, stand_in, login


class FileReader:
    """Takes the lines of a file one by one and keeps what they say."""

    def __init__(self, file: str, codec: Codec) -> None:
        self._file = file
        self._codec = codec
        self.assignments = Assignments()
        self.letter_lines = LetterLines(codec)
        self.notes = FileNotes(file)
        self.refused_lines: list[RefusedLine] = []
        """Those whose error is told."""
        self._has_known_lines = False
        self._has_foreign_lines = False
        self._suggestions_left = _SUGGESTION_LIMIT

    @property
    def is_something_else(self) -> bool:
        """Whether the file is no CCcam.cfg at all (E002)."""
        return self._has_foreign_lines and not self._has_known_lines

    def read_plain(self, number: int, text: str, odd_blank: int | None = None) -> bool:
        """Take a line if there is a short way, as for nearly all of a long file: by one match
        instead of a dozen. Else say so. `odd_blank` is a column, as of a `Line`."""
        if len(text) > LINE_LIMIT:
            return False
        notes = LineNotes(number)
        note_odd_blank(odd_blank, notes)
        if (found := _PLAIN_LINE.fullmatch(text)) is not None:
            return self._read_plain_line(found, notes)
        if (found := _PLAIN_KEY.fullmatch(text)) is not None and self._read_plain_key(found, notes):
            return True
        if odd_blank is not None or not _PLAIN_TEXT.fullmatch(text):
            return False
        return self._count_warning(number, text) or self._count_error(text)

    def _count_warning(self, number: int, text: str) -> bool:
        """Take a line that has no effect, if no more warnings are told."""
        if self.notes.has_room(Severity.WARNING):
            return False
        is_one = self._is_letter_in_vain(number, text) or self._is_strange(text)
        if is_one:
            self.notes.count(Severity.WARNING)
        return is_one

    def _count_error(self, text: str) -> bool:
        """Take a line that lacks its colon, if no more errors are told."""
        if self.notes.has_room(Severity.ERROR) or ":" in text or "=" in text:
            return False
        words = text.split()
        first = words[0].upper() if words else ""
        if first in LETTERS_THAT_NEED_A_COLON:
            lacks_colon = len(words) > 2
        else:
            lacks_colon = begins_a_key(first) and leading_key(words) is not None
        if not lacks_colon or (first == KEY_WITHOUT_COLON and len(words) > 1):
            return False
        self._has_known_lines = True
        self.notes.count(Severity.ERROR)
        return True

    def _read_plain_line(self, found: re.Match[str], notes: LineNotes) -> bool:
        """Take an F-, C- or N-line if its words are plain and a line before ended like it."""
        account, upstream, host, port, user, password, ending = found.groups("")
        written = account or upstream
        letter, ending = written.upper(), ending.rstrip(" \t")
        colon = found.string.index(":")
        if colon > 1 or letter != written:
            note_letter(found.string[: colon + 1], letter, notes)
        column = found.start(3 if host else _USER) + 1
        if not (user.isascii() and password.isascii()) and not self._note_letters(found, notes):
            return False
        plain = PlainLine(letter, host, int(port or 0), (user, password), ending, column)
        if not self.letter_lines.take_plain(plain, notes):
            fault = self.letter_lines.fault_of(letter, ending)
            if fault is None or self.notes.has_room(Severity.ERROR):
                return False
            notes.refuse(fault)  # it is only counted: the column would be another
        self._has_known_lines = True
        if notes.found:
            self.notes.take(notes)
        return True

    def _note_letters(self, found: re.Match[str], notes: LineNotes) -> bool:
        """Say what there is to say of user and password that are not ASCII; False: an error."""
        user = Token(found[_USER], found.start(_USER) + 1)
        try:
            check_user(user, self._codec)
        except LineRefusedError as error:
            bare(error)  # what its frames hold may hold it
            return False
        note_credentials(user, Token(found[_PASSWORD], found.start(_PASSWORD) + 1), notes)
        return True

    def _read_plain_key(self, found: re.Match[str], notes: LineNotes) -> bool:
        """Take a setting; False: it is none, or there is an error to be told."""
        name = found[1] if found[1] in KNOWN_KEYS else normal_key(found[1])
        directive = KNOWN_KEYS.get(name)
        if directive is None:
            return False
        if name != found[1] or found[2] == "=" or is_old_name(name, directive):
            note_key(found.string[: found.end(2)], name, notes)
        try:
            self._read_key(name, directive, Token(found[3], found.start(3) + 1), notes, 1)
        except LineRefusedError as error:
            if self.notes.has_room(Severity.ERROR):
                return False
            notes.refuse(bare(error))
        self._has_known_lines = True
        if notes.found:
            self.notes.take(notes)
        return True

    def _is_letter_in_vain(self, number: int, text: str) -> bool:
        """Whether a letter stands there that has no effect."""
        letter = text[:1]
        if text[1:2] != ":":
            return False
        if letter in _LETTERS_OF_THIS_FILE and text[2:].strip(" \t"):
            if letter not in _OTHER_PROTOCOLS:
                return False
            self.letter_lines.note_unsupported(letter, number)
        elif not "A" <= letter <= "Z":
            return False
        if letter in _LETTERS_OF_THIS_FILE:
            self._has_known_lines = True
        else:
            self._has_foreign_lines = True
        return True

    def _is_strange(self, text: str) -> bool:
        """Whether the first word begins nothing known: an unknown key, or nothing at all."""
        first = _FIRST_WORD.match(text)
        if first is None or begins_a_key(first[1].upper()):
            return False
        self._has_foreign_lines = True
        return True

    def read(self, statement: Statement) -> None:
        """Take the next line."""
        notes = LineNotes(statement.line.number)
        note_spelling(statement, notes)
        try:
            self._read_kind(statement, notes)
        except LineRefusedError as error:
            notes.refuse(bare(error))
            if self.notes.has_room(Severity.ERROR):
                self._refuse(statement, self.notes.diagnostic(error.code, notes))
        if notes.found:
            self.notes.take(notes)

    def _refuse(self, statement: Statement, fault: Diagnostic) -> None:
        about = subject(statement)
        self.refused_lines.append(RefusedLine(name=statement.name, subject=about, fault=fault))

    def _read_kind(self, statement: Statement, notes: LineNotes) -> None:
        match statement.kind:
            case LineKind.LETTER:
                self._read_letter(statement, notes)
            case LineKind.KEY:
                self._has_known_lines = True
                directive, value = statement.directive, statement.value
                column = statement.line.first_column
                self._read_key(statement.name, directive, value, notes, column)
            case LineKind.COLON_MISSING:
                self._has_known_lines = True
                _refuse_without_colon(statement)
            case LineKind.UNKNOWN_KEY:
                self._note_unknown_key(statement, notes)
            case LineKind.TOO_LONG:
                text = f"a line of more than {LINE_LIMIT:,} characters; it is ignored"
                notes.add(Code.NOT_UNDERSTOOD, 1, text, "write it as several lines")
            case LineKind.NOT_UNDERSTOOD:
                self._has_foreign_lines = True
                text = "this is neither a letter line nor a setting; it is ignored"
                column = statement.line.first_column
                notes.add(Code.NOT_UNDERSTOOD, column, text, "begin remarks with #")

    def _read_letter(self, statement: Statement, notes: LineNotes) -> None:
        letter, value = statement.name, statement.value
        if letter in _LETTERS_OF_THIS_FILE:
            self._has_known_lines = True
            self._read_known_letter(letter, value, notes)
            return
        self._has_foreign_lines = True
        column = statement.line.first_column
        if letter in _LETTERS_OF_PRIO:
            text = f"{letter}: belongs into CCcam.prio; it is ignored here"
            notes.add(Code.BELONGS_INTO_PRIO, column, text, "move the line")
        else:
            text = f"there are no lines that begin with {letter}:; it is ignored"
            notes.add(Code.UNKNOWN_KEY, column, text, "begin remarks with #")

    def _read_known_letter(self, letter: str, value: Token, notes: LineNotes) -> None:
        if not value.text:
            _note_empty(f"{letter}:", value, notes)
            return
        match letter:
            case "F":
                self.letter_lines.read_account(value, notes)
            case "C":
                self.letter_lines.read_cccam_upstream(value, notes)
            case "N":
                self.letter_lines.read_newcamd_upstream(value, notes)
            case "B":
                _note_b_line(value, notes)
            case _:
                text = f"{letter}: ({_OTHER_PROTOCOLS[letter]}) is not supported; no connection"
                notes.add(Code.NOT_SUPPORTED, value.column, text)
                self.letter_lines.note_unsupported(letter, notes.line)

    def _read_key(
        self, name: str, directive: Directive | None, value: Token, notes: LineNotes, column: int
    ) -> None:
        """Read a setting whose key stands in this column."""
        if not value.text:
            _note_empty(name, value, notes)
            return
        match directive:
            case Implemented():
                self._assign(name, directive, value, notes, column)
            case WithoutEffect():
                if not _asks_for_nothing(value.text, directive):
                    _note_without_effect(directive.name, directive, value, notes)
            case Obsolete():
                text = f"the vendor gave {directive.name} up long ago; the line is ignored"
                notes.add(Code.OBSOLETE, column, text, "take it out")

    def _assign(
        self, name: str, directive: Implemented, written: Token, notes: LineNotes, column: int
    ) -> None:
        try:
            value = directive.read(written, notes)
        except LineRefusedError:
            if directive.damaged is not None:
                self._set(directive, name, directive.damaged, notes, written)
            raise
        before = self.assignments.get(directive.name)
        if before is not None and not directive.repeatable:
            text = f"{directive.name} was set in line {before.line}; this line counts"
            notes.add(Code.SETTING_REPEATED, column, text, "keep one of them")
        self._set(directive, name, value, notes, written)

    def _set(
        self, directive: Implemented, name: str, value: Value, notes: LineNotes, at: Token
    ) -> None:
        self.assignments.set(Assignment(directive, name, value, self._file, notes.line, at.column))

    def _note_unknown_key(self, statement: Statement, notes: LineNotes) -> None:
        self._has_foreign_lines = True
        meant = None
        if self._suggestions_left:
            self._suggestions_left -= 1
            meant = nearest_key(statement.name)
        text = f"unknown key {quoted(statement.name)}; the line is ignored"
        instead = f"perhaps {meant} is meant" if meant else None
        notes.add(Code.UNKNOWN_KEY, statement.line.first_column, text, instead)


def _refuse_without_colon(statement: Statement) -> NoReturn:
    text = f"no ':' behind {statement.name}"
    instead = f"write {statement.name}: and then the value"
    column = statement.value_start + 1
    raise LineRefusedError(Code.COLON_MISSING, column, text, instead)


def _note_empty(name: str, value: Token, notes: LineNotes) -> None:
    text = f"{name} has no value; the line is ignored"
    notes.add(Code.EMPTY, value.column, text, "fill it in or take it out")


def _note_without_effect(name: str, directive: WithoutEffect, at: Token, notes: LineNotes) -> None:
    text = f"{name} has no effect in cccamd: {directive.reason}"
    notes.add(Code.NO_EFFECT, at.column, text)


def _asks_for_nothing(value: str, directive: WithoutEffect) -> bool:
    word = value.lower()
    return (word if word in ("yes", "no") else value) in directive.quiet


def _note_b_line(value: Token, notes: LineNotes) -> None:
    words = value.words()
    if len(words) != 2 or not _asks_for_nothing(words[1].text, B_LINE):
        _note_without_effect("B:", B_LINE, value, notes)
