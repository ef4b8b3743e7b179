"""The value types of directives, one small function for each (`docs/config.md` section 1.4).

Each takes the value as a token, adds warnings to `notes`, and raises `LineRefusedError`
if the value cannot be used.
"""

import re
from typing import NoReturn

from cccamd.cards import Limit
from cccamd.ids import PORT_LIMIT, Caid, Ident, NodeId, bare_decimal, bare_node_id
from cccamd.setup.cccamcfg.diagnostics import Code, LineNotes, LineRefusedError, quoted
from cccamd.setup.cccamcfg.groups import read_limit, read_shape, refuse_surplus_groups
from cccamd.setup.cccamcfg.lexer import Token

_SWITCH_WORDS = {"yes": True, "1": True, "no": False, "0": False}
_LOOSE_SWITCH_WORDS = {"on": True, "true": True, "off": False, "false": False}
_PATH_SWITCHED_OFF = frozenset({"no", "0", "off", "none"})
_VERSION = re.compile(r"[0-9]{1,9}\.[0-9]{1,9}\.[0-9]{1,9}")

NOTHING_FOR_ANYBODY = (Limit(Caid(0), Ident(0), 0),)
"""What a damaged GLOBAL LIMITS counts as: a limit that cannot be read must not vanish."""


def read_switch(value: Token, notes: LineNotes) -> bool:
    """Read yes, no, 1 or 0."""
    word = value.text.lower()
    if word in _LOOSE_SWITCH_WORDS:
        meant = "yes" if _LOOSE_SWITCH_WORDS[word] else "no"
        text = f"{quoted(value.text)} is taken as {meant}; other programs do not know it"
        notes.add(Code.SWITCH_WORD, value.column, text, f"write {meant}")
        return _LOOSE_SWITCH_WORDS[word]
    if word not in _SWITCH_WORDS:
        _refuse(value, "a switch", "write yes or no")
    return _SWITCH_WORDS[word]


def read_port(value: Token, _: LineNotes) -> int:
    """Read a port; 0 closes it."""
    port = bare_decimal(value.text, 0, PORT_LIMIT)
    if port is None:
        _refuse(value, "a port", "write a number from 0 (closed) to 65535")
    return port


def read_number(value: Token, _: LineNotes) -> int:
    """Read decimal digits."""
    number = bare_decimal(value.text)
    if number is None:
        _refuse(value, "a number", "write decimal digits only")
    return number


def read_emm_level(value: Token, _: LineNotes) -> int:
    """Read how many global EMM are wanted."""
    level = bare_decimal(value.text, 0, 2)
    if level is None:
        _refuse(value, "an amount of global EMM", "write 0 (none), 1 (a few) or 2 (all)")
    return level


def read_text(value: Token, notes: LineNotes) -> str:
    """Take the rest of the line as it is."""
    note_hash(value, notes)
    return value.text


def note_hash(value: Token, notes: LineNotes) -> None:
    """Warn of a `#` that does not begin a comment."""
    hash_at = value.text.find("#")
    if hash_at >= 0:
        text = "this # belongs to the word before it; other programs begin a comment there"
        column = value.column + hash_at
        notes.add(Code.HASH_IN_TOKEN, column, text, "put a blank before # or avoid it")


def read_path(value: Token, notes: LineNotes) -> str | None:
    """Read a path; None if a switch word says that the file is not wanted."""
    if value.text.lower() in _PATH_SWITCHED_OFF:
        text = f"{quoted(value.text)} is taken as 'no file', not as a file name"
        notes.add(Code.SWITCH_FOR_PATH, value.column, text, "leave the line out")
        return None
    return read_text(value, notes)


def read_version(value: Token, _: LineNotes) -> tuple[int, int, int]:
    """Read a program version such as 2.0.11."""
    if _VERSION.fullmatch(value.text) is None:
        _refuse(value, "a version", "write three numbers with points, for instance 2.3.0")
    major, minor, patch = (int(part) for part in value.text.split("."))
    return major, minor, patch


def read_node_id(value: Token, _: LineNotes) -> NodeId:
    """Read 16 hex digits."""
    node_id = bare_node_id(value.text)
    if node_id is None:
        _refuse(value, "a node id", "write 16 hex digits")
    return node_id


def read_limits(value: Token, notes: LineNotes) -> tuple[Limit, ...]:
    """Read one brace group of limits."""
    shape = read_shape(value.symbols(), notes)
    if shape.fault is not None:
        raise shape.fault
    refuse_surplus_groups(shape, allowed=1)
    if shape.values or not shape.groups:
        text = "limits stand in braces, with nothing before them"
        instead = "write { caid:ident:hops, ... }"
        raise LineRefusedError(Code.BAD_LIMIT, value.column, text, instead)
    if shape.tail:
        text = "a word behind the group is ignored"
        notes.add(Code.SURPLUS_FIELD, shape.tail[0].column, text, "take it out")
    return tuple(read_limit(entry, notes) for entry in shape.groups[0].elements)


def _refuse(value: Token, expected: str, instead: str) -> NoReturn:
    text = f"{quoted(value.text)} is not {expected}; the setting stays as it was"
    raise LineRefusedError(Code.BAD_VALUE, value.column, text, instead)
