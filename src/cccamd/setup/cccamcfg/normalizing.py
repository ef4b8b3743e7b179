"""An old CCcam.cfg in today's form: the same meaning, comments and order (`cccamd convert`).

Each line is written anew by itself, and only when it then says the same: what is not understood,
has no effect or is in error stays as it is.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from cccamd.cards import Limit
from cccamd.ids import Caid, Ident
from cccamd.setup.cccamcfg.classify import LineKind, Statement, classify
from cccamd.setup.cccamcfg.directives import Implemented
from cccamd.setup.cccamcfg.lexer import cut_line, read_source
from cccamd.setup.cccamcfg.model import Codec, Config, FLine
from cccamd.setup.cccamcfg.parser import parse
from cccamd.setup.cccamcfg.reader import without_login
from cccamd.setup.cccamcfg.writing import write_c_line, write_f_line, write_n_line

_SWITCHES = {"on": "yes", "true": "yes", "1": "yes", "off": "no", "false": "no", "0": "no"}


def normalize(data: bytes) -> bytes | None:
    """Write a file anew; None: it is none (E001, E002)."""
    whole = parse(data)
    source = read_source(data)
    if whole.refused or source.codec is None:
        return None
    lines = _Lines(source.codec, bool(whole.config.settings.global_limits))
    written = (lines.write(physical) for physical in source.physical_lines)
    return "".join(f"{line}\n" for line in written).encode(source.codec)


_KEPT: Final = 1000
"""Lines that are remembered, of at most so many characters."""


class _Lines:
    """Writes the lines of one file anew. In a long file most are alike, or differ in their logins
    only, and then become the same."""

    def __init__(self, codec: Codec, has_global_limits: bool) -> None:
        self._codec = codec
        self._has_global_limits = has_global_limits
        self._known: dict[str, str] = {}

    def write(self, physical: str) -> str:
        """Write one line."""
        form, stand_in, login = without_login(physical)
        known = self._known.get(form)
        if known is not None:
            return known.replace(stand_in, login, 1) if stand_in else known
        if len(form) <= _KEPT and len(self._known) < _KEPT:
            self._known[form] = self._write(form)
        return self._write(physical)

    def _write(self, physical: str) -> str:
        return _line(1, physical, self._codec, self._has_global_limits)


def _line(number: int, physical: str, codec: str, has_global_limits: bool) -> str:
    physical = physical.rstrip(" \t")
    line = cut_line(number, physical)
    if not line.text.strip(" \t"):
        return physical
    statement = classify(line)
    rest = physical[len(line.text) :]
    before = _meaning(line.text, codec)
    for text in _forms(statement, before, has_global_limits):
        written = text + (f" {rest}" if rest.startswith("#") else rest)
        if written != physical and _same(before, _meaning(written, codec)):
            return written
    return physical


def _meaning(text: str, codec: str) -> Config:
    return parse(f"{text}\n".encode(codec)).config


def _forms(statement: Statement, config: Config, has_global_limits: bool) -> Iterator[str]:
    """What a line may become, the best first."""
    if statement.kind is LineKind.LETTER:
        for account in config.f_lines:
            yield _f_line(account, has_global_limits)
        yield from map(write_c_line, config.c_lines)
        yield from map(write_n_line, config.n_lines)
    directive, value = statement.directive, statement.value.text
    if isinstance(directive, Implemented) and value:
        if isinstance(_value_of(config, directive), bool):
            yield f"{directive.name} : {_SWITCHES.get(value.lower(), value.lower())}"
        yield f"{directive.name} : {value}"


def _value_of(config: Config, directive: Implemented) -> object:
    if directive.name == "ALLOW TELNETINFO":
        return config.telnetinfo.allowed
    if directive.name == "ALLOW WEBINFO":
        return config.webinfo.allowed
    return getattr(config.settings, directive.setting) if directive.setting else None


def _f_line(account: FLine, has_global_limits: bool) -> str:
    """The mask dialect becomes the vendor's; where limits for all are, it has no other form."""
    if account.downhops is None:
        return write_f_line(account)
    if has_global_limits:
        return ""
    limits = (Limit(Caid(0), Ident(0), account.downhops + 1),)
    return write_f_line(account, limits=limits)


def _same(before: Config, after: Config) -> bool:
    """Whether a line says what it said: to clients and servers, not by what it is called."""
    return _said(before) == _said(after)


def _said(config: Config) -> tuple[object, ...]:
    accounts = [
        (
            line.user_bytes(),
            line.password_bytes(),
            line.max_distance,
            line.limits if line.downhops is None else _of_mask(line),
            line.sids,
            line.timeframes,
            line.host,
            line.allowemm,
        )
        for line in config.f_lines
    ]
    links = [replace(line, wantemus=line.wantemus) for line in config.c_lines]
    servers = [replace(line, stealth=0) for line in config.n_lines]
    return (
        accounts,
        links,
        servers,
        config.settings,
        config.server_listen_port,
        config.telnetinfo,
        config.webinfo,
        config.unsupported_lines,
        len(config.refused_lines),
    )


def _of_mask(line: FLine) -> tuple[Limit, ...]:
    return (Limit(Caid(0), Ident(0), (line.downhops or 0) + 1),)
