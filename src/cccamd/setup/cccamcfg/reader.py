"""What each kind of line does to the configuration (`docs/config.md` sections 1.3 and 2)."""

import re
from typing import NoReturn

from cccamd.ids import USER_LENGTH
from cccamd.setup.cccamcfg.classify import LINE_LIMIT, LineKind, Statement, note_spelling
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
    Implemented,
    Obsolete,
    Value,
    WithoutEffect,
    nearest_key,
)
from cccamd.setup.cccamcfg.gathered import Assignment, Assignments, LetterLines, PlainLine
from cccamd.setup.cccamcfg.lexer import Token
from cccamd.setup.cccamcfg.masking import subject
from cccamd.setup.cccamcfg.model import Codec, RefusedLine
from cccamd.setup.files import Place

_OTHER_PROTOCOLS = {"L": "camd3", "R": "radegast", "G": "gbox", "X": "gbox"}
_LETTERS_OF_THIS_FILE = frozenset("FCNLRGXB")
_LETTERS_OF_PRIO = frozenset("PIS")

# Looking for similar keys is slow. A file with more unknown keys has other problems.
_SUGGESTION_LIMIT = 50


_PLAIN = r"[!-\"$-;=-z|~]"
_LOGIN = rf"({_PLAIN}{{1,{USER_LENGTH}}}) ({_PLAIN}{{1,{USER_LENGTH}}})"
_ENDING = r"(?: ([!-\"$-~][ !-\"$-~]*))?"
_PLAIN_LINE = re.compile(
    rf"(?:(F): |([CN]): ([A-Za-z0-9.-]+) ([1-9][0-9]{{0,4}}) ){_LOGIN}{_ENDING}"
)
"""Words of ASCII without braces, `#` and `<`: with those there may be something to say."""
_PLAIN_COLUMN = 4
"""Where their first word begins."""


class FileReader:
    """Takes the lines of a file one by one and keeps what they say."""

    def __init__(self, file: str, codec: Codec) -> None:
        self._file = file
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

    def read_plain(self, number: int, text: str) -> bool:
        """Take a physical line if its words are plain and a line before ended like it, as nearly
        all of a long file are and do: by one match instead of a dozen. Else say so."""
        found = _PLAIN_LINE.fullmatch(text)
        if found is None:
            return False
        notes = LineNotes(number)
        account, upstream, host, port, user, password, ending = found.groups("")
        letter = account or upstream
        plain = PlainLine(letter, host, int(port or 0), (user, password), ending, _PLAIN_COLUMN)
        if not self.letter_lines.take_plain(plain, notes):
            fault = self.letter_lines.fault_of(letter, ending)
            if fault is None or self.notes.has_room(Severity.ERROR):
                return False
            notes.refuse(fault)  # it is only counted: the column would be another
        self._has_known_lines = True
        if notes.found:
            self.notes.take(notes)
        return True

    def read(self, statement: Statement) -> None:
        """Take the next line."""
        notes = LineNotes(statement.line.number)
        note_spelling(statement, notes)
        try:
            self._read_kind(statement, notes)
        except LineRefusedError as error:
            notes.refuse(error)
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
                self._read_key(statement, notes)
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

    def _read_key(self, statement: Statement, notes: LineNotes) -> None:
        directive, value = statement.directive, statement.value
        if not value.text:
            _note_empty(statement.name, value, notes)
            return
        match directive:
            case Implemented():
                self._assign(directive, statement, value, notes)
            case WithoutEffect():
                if not _asks_for_nothing(value.text, directive):
                    _note_without_effect(directive.name, directive, value, notes)
            case Obsolete():
                text = f"the vendor gave {directive.name} up long ago; the line is ignored"
                notes.add(Code.OBSOLETE, statement.line.first_column, text, "take it out")

    def _assign(
        self, directive: Implemented, statement: Statement, written: Token, notes: LineNotes
    ) -> None:
        place = Place(self._file, statement.line.number, written.column)
        try:
            value = directive.read(written, notes)
        except LineRefusedError:
            if directive.damaged is not None:
                self._set(directive, statement, directive.damaged, place)
            raise
        before = self.assignments.get(directive.name)
        if before is not None and not directive.repeatable:
            text = f"{directive.name} was set in line {before.place.line}; this line counts"
            column = statement.line.first_column
            notes.add(Code.SETTING_REPEATED, column, text, "keep one of them")
        self._set(directive, statement, value, place)

    def _set(
        self, directive: Implemented, statement: Statement, value: Value, place: Place
    ) -> None:
        self.assignments.set(Assignment(directive, statement.name, value, place))

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
