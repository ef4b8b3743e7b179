"""C: - connection to another CCcam server (`docs/config.md` section 3.2)."""

from dataclasses import replace

from cccamd.cards import Limit
from cccamd.setup.cccamcfg.diagnostics import Code, LineNotes
from cccamd.setup.cccamcfg.lexer import Token
from cccamd.setup.cccamcfg.limits import Shape, read_limit, read_shape, refuse_surplus_groups
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
)
from cccamd.setup.cccamcfg.values import note_hash

_FIELDS = ("host", "port", "user", "password")
_WANTEMUS = {"yes": True, "1": True, "no": False, "0": False}


def read_c_line(value: Token, notes: LineNotes, codec: Codec) -> CLine:
    """Read what follows `C:`.

    Raises:
        LineRefusedError: the line cannot be used.
    """
    words = value.words(len(_FIELDS))
    require_words(words, _FIELDS, value)
    host, port, user, password = words
    symbols = value.after(password).symbols()
    refuse_placeholders([*words, *symbols])
    line = CLine(
        line=notes.line,
        host=read_host(host),
        port=read_remote_port(port),
        user=user.text,
        password=password.text,
        codec=codec,
    )
    check_user(user, codec)
    shape = read_shape(symbols, notes)
    note_credentials(user, password, notes)
    note_hash(value, notes)
    return replace(line, limits=_read_limits(shape, notes), wantemus=_read_wantemus(shape, notes))


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
