"""Accounts in a CCcam.cfg: their lines are added, taken out and switched, the rest is not touched.

Bytes in, bytes out: encoding, line ends, comments and whatever else stands in the file stay as
they are, to the byte. A line that is switched off is a comment that begins with `SWITCHED_OFF`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from cccamd.errors import CccamdError
from cccamd.setup.cccamcfg.classify import LineKind, classify
from cccamd.setup.cccamcfg.lexer import cut_line, read_source
from cccamd.setup.cccamcfg.model import Codec, FLine
from cccamd.setup.cccamcfg.parser import ParseResult, parse

SWITCHED_OFF: Final = "#switched off by cccamd# "
_MARK: Final = b"\xef\xbb\xbf"
_NO_START: Final = ("#", "{", "<")


class EditError(CccamdError):
    """The file cannot be changed in this way; the text says why."""


@dataclass(frozen=True, slots=True)
class AccountLine:
    """A line that is about an account."""

    number: int
    """From 1 on, as everywhere."""
    is_on: bool


@dataclass(frozen=True, slots=True)
class AccountFound:
    """What a file says of one account."""

    lines: tuple[AccountLine, ...]
    account: FLine | None
    """As it counts now, or would if it were switched on; None: no line is without error."""

    @property
    def is_on(self) -> bool:
        """Whether one of its lines counts."""
        return any(line.is_on for line in self.lines)


class _Text:
    """The lines of a file as bytes, with the ends that they have."""

    def __init__(self, data: bytes) -> None:
        source = read_source(data)
        if source.codec is None:
            raise EditError("the file is UTF-16 text; save it as plain text first")
        self.codec: Codec = source.codec
        self._mark = _MARK if data.startswith(_MARK) else b""
        body = data.removeprefix(_MARK)
        separator = b"\n" if b"\n" in body else b"\r" if b"\r" in body else b"\n"
        first = body.partition(separator)[0]
        self.end = b"\r\n" if separator == b"\n" and first.endswith(b"\r") else separator
        self.lines = [line + separator for line in body.split(separator)]
        self.lines[-1] = self.lines[-1].removesuffix(separator)
        if not self.lines[-1]:
            self.lines.pop()
        self._separator = separator

    def text(self, index: int) -> str:
        """A line as the lexer sees it."""
        line = self.lines[index].removesuffix(self._separator)
        if self._separator == b"\n":
            line = line.rstrip(b"\r")
        return line.decode(self.codec)

    def insert(self, index: int, line: bytes) -> None:
        """Put a line there. Behind a last line without an end it gets none, either."""
        last = self.lines[index - 1] if index else b""
        if not last or last.endswith(self._separator):
            self.lines.insert(index, line + self.end)
        else:
            self.lines[index - 1] += self.end
            self.lines.insert(index, line)

    def remove(self, index: int) -> None:
        """Take a line out: the contrary of `insert`."""
        line = self.lines.pop(index)
        if index and index == len(self.lines) and not line.endswith(self._separator):
            self.lines[-1] = self.lines[-1].removesuffix(self.end)

    def data(self) -> bytes:
        return self._mark + b"".join(self.lines)


def find_account(data: bytes, user: str) -> AccountFound:
    """Look at what stands there of an account.

    Raises:
        EditError: the file cannot be read.
    """
    text = _Text(data)
    lines = tuple(_lines_of(text, user))
    account = _account_in(parse(data), user)
    if account is None and lines:
        on = _switched(text, [line for line in lines if not line.is_on], _switch_on)
        account = _account_in(parse(on), user)
    return AccountFound(lines, account)


def list_accounts(data: bytes) -> dict[str, AccountLine]:
    """Each account that a line is about, with the line that counts; else the first.

    Raises:
        EditError: the file cannot be read.
    """
    text = _Text(data)
    found: dict[str, AccountLine] = {}
    for index, name in enumerate(_names(text)):
        if name is None:
            continue
        line = AccountLine(index + 1, not text.text(index).startswith(SWITCHED_OFF))
        if name not in found or (line.is_on and not found[name].is_on):
            found[name] = line
    return found


def add_account(data: bytes, user: str, password: str, rest: str = "") -> bytes:
    """Add an F-line behind the last one, or at the end; `rest`: what follows the password.

    Raises:
        EditError: there is such an account, or the line would not be what is meant.
    """
    text = _Text(data)
    if data and parse(data).refused:
        raise EditError("this file is no CCcam.cfg")
    if there := list(_lines_of(text, user)):
        state = "" if there[0].is_on else ", switched off"
        raise EditError(f"there is an account {user} already, in line {there[0].number}{state}")
    written = " ".join(word for word in (f"F: {user} {password}", rest) if word)
    _check_words(text.codec, written, {"name": user, "password": password})
    line = written.encode(text.codec)
    accounts = [n for n, name in enumerate(_names(text)) if name is not None]
    index = accounts[-1] + 1 if accounts else len(text.lines)
    text.insert(index, line)
    new = text.data()
    result = parse(new)
    account = _account_in(result, user)
    if account is None or account.password != password:
        refused = result.config.refused_lines
        fault = next((each.fault for each in refused if each.fault.place.line == index + 1), None)
        why = fault.text if fault else "a #, a blank or a brace may be the reason"
        raise EditError(f"the line would not be read as it is meant: {why}")
    return new


def _check_words(codec: Codec, written: str, words: Mapping[str, str]) -> None:
    """What no F-line can hold, or would hold as other bytes than those that programs send."""
    if not written.isprintable():
        raise EditError("a name or password has printable characters only")
    if codec != "utf-8" and not written.isascii():
        raise EditError(
            "the file is ISO-8859-1, and programs send such letters as UTF-8: use others, or save"
            " the file as UTF-8"
        )
    for what, word in words.items():
        if " " in word:
            raise EditError(f"a {what} has no blanks in it")
        if word.startswith(_NO_START):
            raise EditError(f"a {what} does not begin with {word[0]}")


def remove_account(data: bytes, user: str) -> bytes:
    """Take out all lines of an account, also those that are switched off or in error.

    Raises:
        EditError: there is none.
    """
    text = _Text(data)
    for line in reversed(_some(text, user)):
        text.remove(line.number - 1)
    return text.data()


def disable_account(data: bytes, user: str) -> bytes:
    """Switch off all lines of an account.

    Raises:
        EditError: there is none that is on.
    """
    text = _Text(data)
    lines = [line for line in _some(text, user) if line.is_on]
    if not lines:
        raise EditError(f"the account {user} is switched off already")
    return _switched(text, lines, _switch_off)


def enable_account(data: bytes, user: str) -> bytes:
    """Switch on the lines of an account.

    Raises:
        EditError: there is none that is off.
    """
    text = _Text(data)
    lines = [line for line in _some(text, user) if not line.is_on]
    if not lines:
        raise EditError(f"the account {user} is not switched off")
    return _switched(text, lines, _switch_on)


def _some(text: _Text, user: str) -> list[AccountLine]:
    lines = list(_lines_of(text, user))
    if not lines:
        raise EditError(f"there is no account {user}")
    return lines


def _switched(text: _Text, lines: list[AccountLine], switch: Callable[[bytes], bytes]) -> bytes:
    for line in lines:
        text.lines[line.number - 1] = switch(text.lines[line.number - 1])
    return text.data()


def _switch_off(line: bytes) -> bytes:
    return SWITCHED_OFF.encode() + line


def _switch_on(line: bytes) -> bytes:
    return line.removeprefix(SWITCHED_OFF.encode())


def _lines_of(text: _Text, user: str) -> Iterator[AccountLine]:
    for index, name in enumerate(_names(text)):
        if name == user:
            is_on = not text.text(index).startswith(SWITCHED_OFF)
            yield AccountLine(index + 1, is_on)


def _names(text: _Text) -> Iterator[str | None]:
    """Whose line each is; None: it is no F-line, or names nobody."""
    for index in range(len(text.lines)):
        yield _user_of(text.text(index).removeprefix(SWITCHED_OFF))


def _user_of(physical: str) -> str | None:
    line = cut_line(1, physical)
    if not line.text:
        return None
    statement = classify(line)
    if statement.kind is not LineKind.LETTER or statement.name != "F":
        return None
    words = statement.value.words(1)
    return words[0].text if words else None


def _account_in(result: ParseResult, user: str) -> FLine | None:
    return next((each for each in result.config.f_lines if each.user == user), None)
