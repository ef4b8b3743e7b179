"""C: and N: - connections to other servers (`docs/config.md` sections 3.2 and 3.3)."""

from collections.abc import Sequence

from cccamd.cards import Limit
from cccamd.ids import CONFIG_KEY_LENGTH, bare_bytes, bare_decimal, bare_hex
from cccamd.setup.cccamcfg.diagnostics import Code, LineNotes, LineRefusedError
from cccamd.setup.cccamcfg.endings import Endings
from cccamd.setup.cccamcfg.groups import (
    MANY_HOPS,
    Shape,
    read_limit,
    read_shape,
    refuse_surplus_groups,
)
from cccamd.setup.cccamcfg.lexer import Token
from cccamd.setup.cccamcfg.login_fields import (
    check_user,
    note_credentials,
    note_surplus,
    read_host,
    read_remote_port,
    refuse_placeholders,
    require_words,
)
from cccamd.setup.cccamcfg.model import (
    CLine,
    Codec,
    NLine,
)
from cccamd.setup.cccamcfg.values import note_hash

_FIELDS = ("host", "port", "user", "password")
_DEFAULT_HOPS = 1
_WANTEMUS = {"yes": True, "1": True, "no": False, "0": False}


def read_c_line(value: Token, notes: LineNotes, codec: Codec, known: Endings[CLine]) -> CLine:
    """Read what follows `C:`.

    Raises:
        LineRefusedError: the line cannot be used.
    """
    words = value.words(len(_FIELDS))
    require_words(words, _FIELDS, value)
    host, port, user, password = words
    ending = value.after(password)
    like = known.get(ending.text)
    with known.reading(ending):
        symbols = ending.symbols() if like is None else []
        refuse_placeholders([*words, *symbols])
        remote = read_host(host), read_remote_port(port)
        check_user(user, codec)
        shape = read_shape(symbols, notes)
        note_credentials(user, password, notes)
        note_hash(value, notes)
        line = CLine(
            line=notes.line,
            host=remote[0],
            port=remote[1],
            user=user.text,
            password=password.text,
            codec=codec,
            limits=_read_limits(shape, notes) if like is None else like.limits,
            wantemus=_read_wantemus(shape, notes) if like is None else like.wantemus,
        )
    if like is None:
        known.keep(ending.text, line, notes)
    return line


def c_line_like(like: CLine, line: int, host: str, port: int, login: tuple[str, str]) -> CLine:
    """Another connection of which the same is wanted."""
    user, password = login
    return CLine(
        line=line,
        host=host,
        port=port,
        user=user,
        password=password,
        codec=like.codec,
        limits=like.limits,
        wantemus=like.wantemus,
    )


def _read_limits(shape: Shape, notes: LineNotes) -> tuple[Limit, ...]:
    if shape.fault is not None:
        raise shape.fault
    refuse_surplus_groups(shape, allowed=1)
    return tuple(read_limit(entry, notes) for group in shape.groups for entry in group.elements)


def _read_wantemus(shape: Shape, notes: LineNotes) -> bool:
    note_surplus([*shape.values[1:], *shape.tail], notes)
    if not shape.values:
        _note_left_out(shape, notes)
        return False
    word = shape.values[0]
    if word.text.lower() not in _WANTEMUS:
        text = "WANTEMUS is neither yes nor no: read as no"
        instead = "write yes or no; a remark begins with #"
        notes.add(Code.ODD_SWITCH_FIELD, word.column, text, instead)
    return _WANTEMUS.get(word.text.lower(), False)


def _note_left_out(shape: Shape, notes: LineNotes) -> None:
    if shape.groups:
        text = "a group directly behind the password: WANTEMUS is read as no"
        column = shape.groups[0].opening.column
        notes.add(Code.WANTEMUS_LEFT_OUT, column, text, "write no before the group")


def read_n_line(value: Token, notes: LineNotes, codec: Codec, known: Endings[NLine]) -> NLine:
    """Read what follows `N:`.

    Raises:
        LineRefusedError: the line cannot be used.
    """
    words = value.words()
    require_words(words, _FIELDS, value)
    host, port, user, password, *others = words
    ending = value.after(password)
    with known.reading(ending):
        refuse_placeholders(words)
        remote = read_host(host), read_remote_port(port)
        check_user(user, codec)
        deskey, options = _take_key(others, password)
        note_credentials(user, password, notes)
        note_hash(value, notes)
        note_surplus(options[2:], notes)
        line = NLine(
            line=notes.line,
            host=remote[0],
            port=remote[1],
            user=user.text,
            password=password.text,
            codec=codec,
            deskey=deskey,
            hops=_read_hops(options[0], notes) if options else _DEFAULT_HOPS,
            stealth=_read_stealth(options[1], notes) if len(options) > 1 else 0,
        )
    known.keep(ending.text, line, notes)
    return line


def n_line_like(like: NLine, line: int, host: str, port: int, login: tuple[str, str]) -> NLine:
    """Another connection with the same key."""
    user, password = login
    return NLine(
        line=line,
        host=host,
        port=port,
        user=user,
        password=password,
        codec=like.codec,
        deskey=like.deskey,
        hops=like.hops,
        stealth=like.stealth,
    )


def _take_key(words: Sequence[Token], password: Token) -> tuple[str, Sequence[Token]]:
    """Read the key; return it and the words behind it."""
    if words and bare_bytes(words[0].text, CONFIG_KEY_LENGTH) is not None:
        return words[0].text.lower(), words[1:]
    key = words[:CONFIG_KEY_LENGTH]
    if len(key) < CONFIG_KEY_LENGTH:
        text = f"the DES key is incomplete: {len(key)} of {CONFIG_KEY_LENGTH} bytes"
        raise _bad_key(words[-1].end + 1 if words else password.end + 1, text)
    for byte in key:
        if bare_hex(byte.text, 2) is None:
            raise _bad_key(byte.column, "the DES key has a byte that is not one or two hex digits")
    return "".join(byte.text.lower().zfill(2) for byte in key), words[CONFIG_KEY_LENGTH:]


def _bad_key(column: int, text: str) -> LineRefusedError:
    return LineRefusedError(Code.BAD_DES_KEY, column, text, "write 14 bytes as 28 hex digits")


def _read_hops(word: Token, notes: LineNotes) -> int:
    hops = bare_decimal(word.text)
    if hops is None:
        text = "HOPS behind the key is no number"
        raise LineRefusedError(Code.BAD_NUMBER, word.column, text, "write 1, or leave it out")
    if hops > MANY_HOPS:
        text = f"HOPS above {MANY_HOPS} is read as {_DEFAULT_HOPS}"
        notes.add(Code.NEWCAMD_HOPS, word.column, text, f"write {_DEFAULT_HOPS}")
        return _DEFAULT_HOPS
    return hops


def _read_stealth(word: Token, notes: LineNotes) -> int:
    stealth = bare_decimal(word.text, 0, 4)
    if stealth is None:
        text = "STEALTH behind HOPS is no number from 0 to 4"
        raise LineRefusedError(Code.BAD_NUMBER, word.column, text, "write 0, or leave it out")
    if stealth:
        text = "STEALTH has no effect: cccamd states what it is"
        notes.add(Code.NO_EFFECT, word.column, text, "write 0, or leave it out")
    return stealth
