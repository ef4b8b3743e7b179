"""A line of the file as it may be shown: secrets covered, places kept.

What is covered depends on the kind of the line. Where a line cannot be read, its password
may stand anywhere, so all that could be one is covered.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from cccamd.ids import CONFIG_KEY_LENGTH, PORT_LIMIT, bare_decimal
from cccamd.setup.cccamcfg.classify import LineKind, Statement, classify
from cccamd.setup.cccamcfg.diagnostics import is_harmless_entry, is_harmless_field, printable
from cccamd.setup.cccamcfg.directives import Implemented
from cccamd.setup.cccamcfg.lexer import Line, Token, cut_line, read_source

MASK = "********"
"""Always as long as this: the length of a secret is nobody's business."""

_DIGITS_OF_A_BYTE = 2

_FIRST_WORD_OR_RULER = re.compile(r"[ \t]*(?:[-=*_~+.]+$|[A-Za-z0-9_-]*)")


@dataclass(frozen=True, slots=True)
class MaskedLine:
    """The text to show, without comment, and which pieces of the file it covers."""

    text: str
    covered: tuple[Token, ...] = ()

    def column(self, original: int) -> int:
        """Find the column in `text`, or just behind it, for a column of the file."""
        shift = 0
        for secret in self.covered:
            if original < secret.column:
                break
            if original < secret.column + len(secret.text):
                return secret.column + shift
            shift += len(MASK) - len(secret.text)
        return min(original + shift, len(self.text) + 1)


def mask(line: Line) -> MaskedLine:
    """Cover the secrets of a line whose comment has been cut off."""
    covered = tuple(secret for secret in _secrets(classify(line)) if secret.text)
    pieces: list[str] = []
    at = 0
    for secret in covered:
        pieces += (line.text[at : secret.column - 1], MASK)
        at = secret.end
    pieces.append(line.text[at:])
    return MaskedLine(printable("".join(pieces).replace("\t", " ")), covered)


def _secrets(statement: Statement) -> list[Token]:
    value, directive = statement.value, statement.directive
    match statement.kind:
        case LineKind.LETTER:
            return _secrets_of_letter_line(statement.name, value)
        case LineKind.KEY if isinstance(directive, Implemented) and not directive.secret:
            return []
        case LineKind.COLON_MISSING if len(statement.name) == 1:
            first = value.words(1)[0]
            return [value if "@" in first.text else value.after(first)]
        case LineKind.NOT_UNDERSTOOD:
            return [_after_first_word(statement.line)]
        case _:
            return [value]


def _after_first_word(line: Line) -> Token:
    found = _FIRST_WORD_OR_RULER.match(line.text)
    return line.rest(found.end() if found else 0)


def _secrets_of_letter_line(letter: str, value: Token) -> list[Token]:
    words = value.words()
    match letter:
        case "F" if words:
            return [*words[1:2], *_doubtful(value, words[1:2])]
        case "C" if words:
            return [*_secrets_of_upstream(words), *_doubtful(value, words[3:4])]
        case "N" if words:
            return [*_secrets_of_upstream(words), *_key_and_options(value, words[4:])]
        case _:
            return [value]


def _secrets_of_upstream(words: list[Token]) -> list[Token]:
    """List what to cover of HOST PORT USER PASSWORD: more than the last if one is missing."""
    fields = words[:4]
    if "@" in fields[0].text:
        return fields
    if len(fields) < 2 or bare_decimal(fields[1].text, 0, PORT_LIMIT) is None:
        return fields[1:]
    return fields[3:] if len(fields) == 4 else fields[2:]


def _key_and_options(value: Token, words: list[Token]) -> list[Token]:
    """List the DES key in one piece, and then what is behind it: it may belong to the key."""
    if not words:
        return []
    length = CONFIG_KEY_LENGTH if len(words[0].text) <= _DIGITS_OF_A_BYTE else 1
    key, options = words[:length], words[length:]
    text = value.text[key[0].column - value.column : key[-1].end - value.column + 1]
    return [Token(text, key[0].column), *options]


def _doubtful(value: Token, password: Iterable[Token]) -> list[Token]:
    """List what stands behind the password and might be one, too."""
    found: list[Token] = []
    inside = False
    for symbol in (symbol for last in password for symbol in value.after(last).symbols()):
        inside = symbol.text == "{" or (inside and symbol.text != "}")
        if not is_harmless_field(symbol.text) and not (inside and is_harmless_entry(symbol.text)):
            found.append(symbol)
    return found


def subject(statement: Statement) -> str:
    """Name whom a letter line is about by its first word, covered if that may be a secret."""
    words = statement.value.words(1)
    if len(statement.name) != 1 or not words:
        return ""
    covered = {secret.column for secret in _secrets(statement)}
    return MASK if words[0].column in covered else printable(words[0].text)


def masked_lines(data: bytes, numbers: Collection[int]) -> dict[int, MaskedLine]:
    """Cover the secrets in the wanted lines of a file; empty lines are left out."""
    if not numbers:
        return {}
    lines = read_source(data).physical_lines
    wanted = (cut_line(number, lines[number - 1]) for number in numbers if 0 < number <= len(lines))
    return {line.number: mask(line) for line in wanted if line.text}
