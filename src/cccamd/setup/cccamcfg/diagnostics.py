"""What can be wrong with a CCcam.cfg: codes, messages that name the place, quoted pieces of it.

No text in here or in any caller quotes a password, a key or the value of a directive that
cccamd does not use: messages name the field and the line.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from cccamd.setup.files import Place

_QUOTE_LIMIT = 40
TOLD_LIMIT = 2000
"""Messages about one file, of each severity; nobody reads more."""

# What cannot be a password that slipped into the wrong place. Outside of braces: small
# numbers, switches and signs; inside, what limits, services and time frames are made of.
_HARMLESS_FIELD = re.compile(r"[0-9]{1,3}|yes|no|[{},()]", re.IGNORECASE)
_HARMLESS_ENTRY = re.compile(
    r"[0-9a-f]{1,4}|[0-9a-f]{1,5}:[0-9a-f]{1,7}(?::[0-9a-f]{0,4})?"
    r"|[0-9]{1,2}:[0-9]{2}-[0-9]{1,2}:[0-9]{2}",
    re.IGNORECASE,
)


def printable(text: str) -> str:
    """Replace what a terminal could take for a command; the length stays."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else "?" for char in text)


def quoted(text: str) -> str:
    """Show a piece of the file that is known to hold no secret."""
    shown = text if len(text) <= _QUOTE_LIMIT else f"{text[: _QUOTE_LIMIT - 1]}…"
    return f"'{printable(shown)}'"


def quoted_entry(text: str) -> str:
    """Show an entry of a brace group, unless it might be a password in the wrong place."""
    return quoted(text) if is_harmless_entry(text) else "this entry"


def is_harmless_field(word: str) -> bool:
    """Tell whether a word of a letter line may be shown wherever it stands."""
    return _HARMLESS_FIELD.fullmatch(word) is not None


def is_harmless_entry(word: str) -> bool:
    """Tell whether a word inside braces may be shown."""
    return _HARMLESS_ENTRY.fullmatch(word) is not None


class Severity(StrEnum):
    """How much a message matters (`docs/config.md` section 6.5)."""

    NOTE = "N"
    WARNING = "W"
    ERROR = "E"


class Code(StrEnum):
    """The diagnostics of `docs/config.md` section 7."""

    BYTE_ORDER_MARK = "N001"
    CRLF = "N002"
    NOT_UTF8 = "N003"
    NOT_UNDERSTOOD = "W100"
    UNKNOWN_KEY = "W101"
    ODD_BLANK = "W102"
    BLANK_BEFORE_COLON = "W103"
    NOT_UPPER_CASE = "W104"
    EQUALS_SIGN = "W105"
    OLD_NAME = "W106"
    EMPTY = "W107"
    SWITCH_WORD = "W108"
    SWITCH_FOR_PATH = "W109"
    HASH_IN_TOKEN = "W110"
    BRACE_IN_CREDENTIALS = "W111"
    NON_ASCII_CREDENTIALS = "W112"
    HOST_WITHOUT_GROUPS = "W120"
    LIMIT_WITHOUT_IDENT = "W121"
    SURPLUS_FIELD = "W122"
    MANY_HOPS = "W123"
    ODD_SWITCH_FIELD = "W124"
    COMMA = "W125"
    EMPTY_FRAME = "W126"
    ROUND_BRACKETS = "W127"
    MASK_DOWNHOPS = "W130"
    MASK_IS_PLACEHOLDER = "W132"
    GROUP_AFTER_PASSWORD = "W133"
    USER_REPEATED = "W140"
    UPSTREAM_REPEATED = "W141"
    SETTING_REPEATED = "W142"
    WANTEMUS_LEFT_OUT = "W150"
    NEWCAMD_HOPS = "W155"
    NO_EFFECT = "W160"
    NOT_SUPPORTED = "W161"
    BELONGS_INTO_PRIO = "W162"
    OBSOLETE = "W163"
    EMM_CONTRADICTION = "W170"
    TWO_SERVER_PORTS = "W171"
    HALF_A_LOGIN = "W173"
    UTF16 = "E001"
    NOT_A_CONFIG = "E002"
    BAD_VALUE = "E201"
    COLON_MISSING = "E202"
    PORT_CLASH = "E205"
    FIELD_MISSING = "E301"
    BAD_PORT = "E302"
    BAD_HOST = "E303"
    BAD_DES_KEY = "E304"
    BAD_NUMBER = "E311"
    BAD_LIMIT = "E312"
    BAD_MASK = "E313"
    WRONG_GROUP = "E314"
    BAD_SERVICE = "E315"
    BAD_FRAME = "E316"
    TOO_MANY_GROUPS = "E317"
    BRACES = "E318"
    LONG_USER = "E321"
    PLACEHOLDER = "E330"
    UNREAD_TABLE = "E340"

    @property
    def severity(self) -> Severity:
        """The severity that the first letter stands for."""
        return _SEVERITIES[self]

    @property
    def leaves_out(self) -> bool:
        """Whether what it is about is not used at all."""
        return self.severity is Severity.ERROR or self in _LEAVING_OUT


_SEVERITIES = {code: Severity(code.value[0]) for code in Code}
_LEAVING_OUT = frozenset(
    {
        Code.NOT_UNDERSTOOD,
        Code.UNKNOWN_KEY,
        Code.EMPTY,
        Code.USER_REPEATED,
        Code.UPSTREAM_REPEATED,
        Code.NOT_SUPPORTED,
        Code.BELONGS_INTO_PRIO,
    }
)
"""The warnings whose line is not used, although somebody will miss it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One message about one place of the file."""

    code: Code
    text: str
    place: Place
    instead: str | None = None
    """What to write or do instead, where one thing suggests itself."""

    @property
    def severity(self) -> Severity:
        """The severity of its code."""
        return self.code.severity

    def sentence(self) -> str:
        """Text and suggestion in one piece."""
        return self.text if self.instead is None else f"{self.text}; {self.instead}"


@dataclass(frozen=True, slots=True)
class Hint:
    """Advice that is no fault; for people only."""

    text: str
    place: Place


class LineRefusedError(Exception):
    """An error makes one line, or the value on it, unusable.

    It never leaves this package: the parser turns it into a `Diagnostic`.
    """

    def __init__(self, code: Code, column: int, text: str, instead: str | None = None) -> None:
        super().__init__(code, column, text, instead)
        self.code = code
        self.column = column
        self.text = text
        self.instead = instead


class LineNotes:
    """Collects what there is to say about one line, each code once."""

    __slots__ = ("found", "line")

    def __init__(self, line: int) -> None:
        self.line = line
        self.found: dict[Code, tuple[int, str, str | None]] = {}
        """Column, text and what to write instead, in the order they were found."""

    def add(self, code: Code, column: int, text: str, instead: str | None = None) -> None:
        """Add a message unless its code was there already."""
        self.found.setdefault(code, (column, text, instead))

    def refuse(self, error: LineRefusedError) -> None:
        """Add the error that ended the reading of the line."""
        self.add(error.code, error.column, error.text, error.instead)


class FileNotes:
    """Collects the messages about all lines of a file: so many of each severity, the others are
    counted. A file of 4 MB may be wrong in each of 300,000 lines."""

    def __init__(self, file: str) -> None:
        self._file = file
        self.told: list[Diagnostic] = []
        self._left = dict.fromkeys(Severity, TOLD_LIMIT)
        self.untold = dict.fromkeys(Severity, 0)

    def has_room(self, severity: Severity) -> bool:
        """Whether one more is told."""
        return self._left[severity] > 0

    def count(self, severity: Severity) -> None:
        """Count a message of which none is told any more."""
        self.untold[severity] += 1

    def take(self, notes: LineNotes) -> None:
        """Take what there is to say about one more line; beside an error no warning counts."""
        if len(notes.found) == 1:
            (code,) = notes.found
            if not self._left[code.severity]:  # as in most lines of a long file that is wrong
                self.untold[code.severity] += 1
                return
        severities = [code.severity for code in notes.found]
        refused = Severity.ERROR in severities
        for code, severity in zip(notes.found, severities, strict=True):
            if refused and severity is not Severity.ERROR:
                continue
            if self._left[severity]:
                self._left[severity] -= 1
                self.told.append(self.diagnostic(code, notes))
            else:
                self.untold[severity] += 1

    def diagnostic(self, code: Code, notes: LineNotes) -> Diagnostic:
        """Make a message of one that was found."""
        column, text, instead = notes.found[code]
        place = Place(self._file, notes.line, column)
        return Diagnostic(code=code, text=text, place=place, instead=instead)
