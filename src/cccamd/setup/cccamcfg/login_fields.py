"""The fields that F-, C- and N-lines share: words, host, port, user and password."""

import re
from collections.abc import Iterable, Sequence

from cccamd.ids import PORT_LIMIT, USER_LENGTH, bare_decimal, is_host
from cccamd.setup.cccamcfg.diagnostics import Code, LineNotes, LineRefusedError
from cccamd.setup.cccamcfg.lexer import Token
from cccamd.setup.cccamcfg.model import Codec

_PLAIN = re.compile(r"[ -z|~]+")
"""ASCII without braces."""


def require_words(words: Sequence[Token], names: Sequence[str], value: Token) -> None:
    """Check that the line has its fields, and that no group stands in the last two's place.

    Raises:
        LineRefusedError: a field is missing.
    """
    if len(words) < len(names):
        column = words[-1].end + 1 if words else value.column
        raise _missing(names[len(words)], column, names)
    fields = words[: len(names)]
    for word, name in zip(fields[-2:], names[-2:], strict=True):
        if word.text.startswith("{"):
            raise _missing(name, word.column, names)


def _missing(name: str, column: int, names: Sequence[str]) -> LineRefusedError:
    instead = f"write {' '.join(name.upper() for name in names)}"
    return LineRefusedError(Code.FIELD_MISSING, column, f"the {name} is missing", instead)


def refuse_placeholders(tokens: Iterable[Token]) -> None:
    """Look for `<user>` and the like.

    Raises:
        LineRefusedError: a token stands in angle brackets.
    """
    for token in tokens:
        if token.text[0] == "<" and token.text[-1] == ">":
            text = "a word in angle brackets: this template was never filled in"
            raise LineRefusedError(
                Code.PLACEHOLDER, token.column, text, "write your own value without < and >"
            )


def read_host(token: Token) -> str:
    """Read a host name or an address.

    Raises:
        LineRefusedError: it can be neither.
    """
    if is_host(token.text):
        return token.text
    text = "this is no host: only letters, digits, '.', '-' and '_', or an IPv6 address"
    instead = "write the name or address alone, without http:// and port"
    raise LineRefusedError(Code.BAD_HOST, token.column, text, instead)


def read_remote_port(token: Token) -> int:
    """Read the port of somebody else's server.

    Raises:
        LineRefusedError: it is not 1 to 65535.
    """
    port = bare_decimal(token.text, 1, PORT_LIMIT)
    if port is None:
        text = "the port is no number from 1 to 65535"
        raise LineRefusedError(Code.BAD_PORT, token.column, text, "write HOST PORT USER PASSWORD")
    return port


def check_user(user: Token, codec: Codec) -> None:
    """Check that the user name fits into its field on the wire.

    Raises:
        LineRefusedError: it is too long.
    """
    text = user.text
    length = len(text) if text.isascii() else len(text.encode(codec))
    if length > USER_LENGTH:
        text = f"the user name has {length} bytes, but the protocol has room for {USER_LENGTH}"
        raise LineRefusedError(Code.LONG_USER, user.column, text, "choose a shorter name")


def note_credentials(user: Token, password: Token, notes: LineNotes) -> None:
    """Warn of braces and of letters whose bytes depend on the file's encoding."""
    if _PLAIN.fullmatch(user.text) and _PLAIN.fullmatch(password.text):  # as nearly all are
        return
    for name, token in (("user", user), ("password", password)):
        if "{" in token.text or "}" in token.text:
            text = f"a brace inside the {name}: is a blank missing?"
            notes.add(Code.BRACE_IN_CREDENTIALS, token.column, text)
        if not token.text.isascii():
            text = f"the {name} is not plain ASCII: its bytes depend on the file's encoding"
            notes.add(Code.NON_ASCII_CREDENTIALS, token.column, text, "use ASCII letters")


def note_surplus(tokens: Sequence[Token], notes: LineNotes) -> None:
    """Warn of fields that the line has no room for."""
    if tokens:
        text = "a field too many is ignored"
        notes.add(Code.SURPLUS_FIELD, tokens[0].column, text, "take it out")
