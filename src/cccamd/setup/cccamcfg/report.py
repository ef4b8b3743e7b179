"""The result as JSON, in the form of `docs/config.md` section 8."""

from collections.abc import Callable, Iterable
from typing import Any

from cccamd.cards import Limit
from cccamd.ids import format_caid, format_ident, format_node_id, format_sid
from cccamd.setup.cccamcfg.diagnostics import Diagnostic, Severity
from cccamd.setup.cccamcfg.directives import KNOWN_KEYS, Implemented
from cccamd.setup.cccamcfg.model import (
    CLine,
    Config,
    FLine,
    InfoPort,
    NLine,
)
from cccamd.setup.cccamcfg.parser import ParseResult
from cccamd.setup.hours import TimeFrame
from cccamd.values import Service

_ENCODINGS = {"utf-8": "utf-8", "iso-8859-1": "latin-1"}

_Secret = Callable[[str | None], str | None]


def as_json(result: ParseResult, *, show_secrets: bool) -> dict[str, Any]:
    """Put a result into the lists, dicts and plain values that JSON knows."""
    secret = _shown if show_secrets else _hidden
    config = result.config
    return {
        "encoding": _ENCODINGS[result.encoding] if result.encoding else None,
        "bom": result.bom,
        "server_listen_port": config.server_listen_port,
        "server_listen_port_line": config.server_listen_port_line,
        "telnetinfo": _info_port(config.telnetinfo, secret),
        "webinfo": _info_port(config.webinfo, secret),
        "emm_allowed": config.emm_allowed,
        "settings": {name: _setting(name, config) for name in config.settings_set},
        "f_lines": [_f_line(line, secret) for line in config.f_lines],
        "c_lines": [_c_line(line, secret) for line in config.c_lines],
        "n_lines": [_n_line(line, secret) for line in config.n_lines],
        "unsupported_lines": [
            {"line": line.line, "letter": line.letter} for line in config.unsupported_lines
        ],
        "file_diagnostics": [
            found.code.value for found in result.diagnostics if not found.place.line
        ],
        "warning_lines": _lines(result.diagnostics, Severity.WARNING),
        "error_lines": _lines(result.diagnostics, Severity.ERROR),
        "diagnostics": [_diagnostic(found) for found in result.diagnostics],
    } | _untold(result)


def _untold(result: ParseResult) -> dict[str, Any]:
    found = {severity.value: number for severity, number in result.untold.items() if number}
    return {"untold": found} if found else {}


def _shown(text: str | None) -> str | None:
    return text


def _hidden(_: str | None) -> None:
    return None


def _info_port(port: InfoPort, secret: _Secret) -> dict[str, Any]:
    return {
        "allowed": port.allowed,
        "port": port.port,
        "username": port.username,
        "password": secret(port.password),
    }


def _setting(name: str, config: Config) -> Any:
    directive = KNOWN_KEYS[name]
    assert isinstance(directive, Implemented)
    assert directive.setting is not None
    value = getattr(config.settings, directive.setting)
    match name:
        case "MINIMUM CLIENT VERSION":
            return ".".join(map(str, value))
        case "GLOBAL LIMITS":
            return _limits(value)
        case "IGNORE NODE":
            return [format_node_id(node_id) for node_id in value]
        case _:
            return value


def _f_line(line: FLine, secret: _Secret) -> dict[str, Any]:
    return {
        "line": line.line,
        "user": line.user,
        "password": secret(line.password),
        "dialect": line.dialect.value,
        "uphops": line.uphops,
        "downhops": line.downhops,
        "shareemus": line.shareemus,
        "allowemm": line.allowemm,
        "max_distance": line.max_distance,
        "limits": _limits(line.limits),
        "sids": [_service(service) for service in line.sids],
        "timeframes": [_frame(frame) for frame in line.timeframes],
        "host": line.host,
    }


def _c_line(line: CLine, secret: _Secret) -> dict[str, Any]:
    return {
        "line": line.line,
        "host": line.host,
        "port": line.port,
        "user": line.user,
        "password": secret(line.password),
        "wantemus": line.wantemus,
        "limits": _limits(line.limits),
    }


def _n_line(line: NLine, secret: _Secret) -> dict[str, Any]:
    return {
        "line": line.line,
        "host": line.host,
        "port": line.port,
        "user": line.user,
        "password": secret(line.password),
        "deskey": secret(line.deskey),
        "hops": line.hops,
        "stealth": line.stealth,
    }


def _limits(limits: Iterable[Limit]) -> list[list[str | int]]:
    return [[format_caid(found.caid), format_ident(found.ident), found.number] for found in limits]


def _service(service: Service) -> list[str]:
    return [format_caid(service.caid), format_ident(service.ident), format_sid(service.sid)]


def _frame(frame: TimeFrame) -> list[str]:
    return [f"{minutes // 60:02}:{minutes % 60:02}" for minutes in (frame.begin, frame.end)]


def _lines(diagnostics: Iterable[Diagnostic], severity: Severity) -> list[int]:
    found = {message.place.line for message in diagnostics if message.severity is severity}
    return sorted(line for line in found if line is not None)


def _diagnostic(found: Diagnostic) -> dict[str, Any]:
    return {
        "line": found.place.line,
        "column": found.place.column or 1,
        "severity": found.severity.value,
        "code": found.code.value,
        "text": found.sentence(),
    }
