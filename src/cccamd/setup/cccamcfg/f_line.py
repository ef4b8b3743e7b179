"""F: - account of a client, in the vendor's and in the mask dialect (section 3.1)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from cccamd.ids import bare_decimal, bare_hex
from cccamd.setup.cccamcfg.diagnostics import Code, LineNotes, LineRefusedError
from cccamd.setup.cccamcfg.endings import Endings
from cccamd.setup.cccamcfg.groups import (
    Group,
    Shape,
    read_frame,
    read_limit,
    read_service,
    read_shape,
    refuse_surplus_groups,
    warn_many_hops,
)
from cccamd.setup.cccamcfg.lexer import Token
from cccamd.setup.cccamcfg.login_fields import (
    check_user,
    note_credentials,
    note_surplus,
    read_host,
    refuse_placeholders,
    require_words,
)
from cccamd.setup.cccamcfg.model import Codec, Dialect, FLine
from cccamd.setup.cccamcfg.values import note_hash

_FIELDS = ("user", "password")
_SWITCHES = {"yes": True, "no": False}
_MASK_LENGTH = 8
_DIGITS_OF_A_BYTE = 2
_GROUPS = 3
_VALUES = 3
_DEFAULT_UPHOPS = 5
_NO_BLANKS = "user and password cannot have blanks"

_Entry = TypeVar("_Entry")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Numbers:
    """What the plain fields before the groups say."""

    uphops: int
    downhops: int | None = None
    shareemus: bool = True
    allowemm: bool = True
    allowemm_explicit: bool = False


def read_f_line(value: Token, notes: LineNotes, codec: Codec, known: Endings[FLine]) -> FLine:
    """Read what follows `F:`.

    Raises:
        LineRefusedError: the account must not exist, because something about it cannot be read.
    """
    words = value.words(len(_FIELDS))
    require_words(words, _FIELDS, value)
    user, password = words
    ending = value.after(password)
    if (like := known.get(ending.text)) is not None:
        refuse_placeholders(words)
        check_user(user, codec)
        note_credentials(user, password, notes)
        note_hash(value, notes)
        return f_line_like(like, user.text, password.text, notes.line)
    with known.reading(ending):
        line = _read_with_ending(words, value, ending, notes, codec)
    known.keep(ending.text, line, notes)
    return line


def _read_with_ending(
    words: Sequence[Token], value: Token, ending: Token, notes: LineNotes, codec: Codec
) -> FLine:
    user, password = words
    symbols = ending.symbols()
    refuse_placeholders([*words, *symbols])
    if not symbols:  # as in most lines of long files
        check_user(user, codec)
        note_credentials(user, password, notes)
        note_hash(value, notes)
        return FLine(line=notes.line, user=user.text, password=password.text, codec=codec)
    shape = read_shape(symbols, notes)
    host, values = _take_host(shape, notes)
    check_user(user, codec)
    if shape.fault is not None:
        raise shape.fault
    refuse_surplus_groups(shape, allowed=_GROUPS)
    dialect = _find_dialect(shape.groups)
    numbers = _read_numbers(values, dialect, notes)
    note_credentials(user, password, notes)
    note_hash(value, notes)
    _note_left_out(values, shape.groups, notes)
    limits = () if dialect is Dialect.MASK else _entries(shape.groups[:1], read_limit, notes)
    return FLine(
        line=notes.line,
        user=user.text,
        password=password.text,
        codec=codec,
        dialect=dialect,
        uphops=numbers.uphops,
        downhops=numbers.downhops,
        shareemus=numbers.shareemus,
        allowemm=numbers.allowemm,
        allowemm_explicit=numbers.allowemm_explicit,
        limits=limits,
        sids=_entries(shape.groups[1:2], read_service, notes),
        timeframes=_entries(shape.groups[2:], read_frame, notes),
        host=host,
    )


def f_line_like(like: FLine, user: str, password: str, line: int) -> FLine:
    """Another account that may do the same. `replace` would take several times as long."""
    return FLine(
        line=line,
        user=user,
        password=password,
        codec=like.codec,
        dialect=like.dialect,
        uphops=like.uphops,
        downhops=like.downhops,
        shareemus=like.shareemus,
        allowemm=like.allowemm,
        allowemm_explicit=like.allowemm_explicit,
        limits=like.limits,
        sids=like.sids,
        timeframes=like.timeframes,
        host=like.host,
    )


def _entries(
    groups: Sequence[Group], read: Callable[[Token, LineNotes], _Entry], notes: LineNotes
) -> tuple[_Entry, ...]:
    return tuple(read(entry, notes) for group in groups for entry in group.elements)


def _take_host(shape: Shape, notes: LineNotes) -> tuple[str | None, Sequence[Token]]:
    """Read the only host the client may come from; return it and the values that are left."""
    values, candidates = shape.values, shape.tail
    # Without groups nothing but its look tells a host from a value.
    if not shape.groups and values and ("." in values[-1].text or ":" in values[-1].text):
        values, candidates = values[:-1], values[-1:]
    if shape.fault is not None or not candidates:
        return None, values
    if len(shape.groups) < _GROUPS:
        text = "the last word is taken as the only host the client may come from"
        instead = "write all three groups before it, empty ones as { }"
        notes.add(Code.HOST_WITHOUT_GROUPS, candidates[0].column, text, instead)
    note_surplus(candidates[1:], notes)
    return read_host(candidates[0]), values


def _find_dialect(groups: Sequence[Group]) -> Dialect:
    """Tell the dialects apart by the first group (section 3.1.1, rules 2 and 3)."""
    elements = groups[0].elements if groups else []
    mask = [bare_hex(element.text, _DIGITS_OF_A_BYTE) for element in elements]
    if not mask or None in mask:
        return Dialect.VENDOR
    if len(mask) != _MASK_LENGTH or any(mask):
        text = "the mask is not eight zeros; what else it may mean is not known"
        instead = "write { caid:ident:hops } for a limit"
        raise LineRefusedError(Code.BAD_MASK, elements[0].column, text, instead)
    return Dialect.MASK


def _read_numbers(values: Sequence[Token], dialect: Dialect, notes: LineNotes) -> _Numbers:
    if dialect is Dialect.MASK and len(values) < _VALUES:
        return _read_mask_numbers(values, notes)
    if dialect is Dialect.MASK:
        text = "three numbers before the mask: they are UPHOPS SHAREEMUS ALLOWEMM"
        notes.add(Code.MASK_IS_PLACEHOLDER, values[2].column, text, "take the mask out")
    note_surplus(values[_VALUES:], notes)
    uphops = _read_hops("UPHOPS", values[0], notes) if values else _DEFAULT_UPHOPS
    return _Numbers(
        uphops=uphops,
        shareemus=_read_switch("SHAREEMUS", values[1], notes) if len(values) > 1 else True,
        allowemm=_read_switch("ALLOWEMM", values[2], notes) if len(values) > 2 else True,
        allowemm_explicit=len(values) > 2,
    )


def _read_mask_numbers(values: Sequence[Token], notes: LineNotes) -> _Numbers:
    uphops = _read_hops("UPHOPS", values[0], notes) if values else _DEFAULT_UPHOPS
    downhops = _read_hops("DOWNHOPS", values[1], notes) if len(values) > 1 else None
    if downhops is not None and downhops > 1:
        text = (
            "DOWNHOPS above 1 before a mask: read as greatest distance of a card"
            " and as number of levels it may be passed on, whichever is stricter"
        )
        instead = "write UPHOPS SHAREEMUS ALLOWEMM { caid:ident:downhops }"
        notes.add(Code.MASK_DOWNHOPS, values[1].column, text, instead)
    return _Numbers(uphops=uphops, downhops=downhops, shareemus=False)


def _read_hops(name: str, value: Token, notes: LineNotes) -> int:
    hops = bare_decimal(value.text, 0, 255)
    if hops is None:
        text = f"{name} is no number from 0 to 255"
        instead = f"write the number; {_NO_BLANKS}"
        raise LineRefusedError(Code.BAD_NUMBER, value.column, text, instead)
    warn_many_hops(hops, value, notes)
    return hops


def _read_switch(name: str, value: Token, notes: LineNotes) -> bool:
    word = value.text.lower()
    if word in _SWITCHES:
        return _SWITCHES[word]
    number = bare_decimal(word)
    if number is None:
        text = f"{name} is neither 0 nor 1"
        instead = f"write 0 or 1; {_NO_BLANKS}"
        raise LineRefusedError(Code.BAD_NUMBER, value.column, text, instead)
    if number > 1:
        text = f"{name} is neither 0 nor 1: read as 1"
        notes.add(Code.ODD_SWITCH_FIELD, value.column, text, "write 0 or 1")
    return number != 0


def _note_left_out(values: Sequence[Token], groups: Sequence[Group], notes: LineNotes) -> None:
    if groups and not values:
        text = "a group directly behind the password: UPHOPS and the switches take defaults"
        instead = "write UPHOPS SHAREEMUS ALLOWEMM before it"
        notes.add(Code.GROUP_AFTER_PASSWORD, groups[0].opening.column, text, instead)
