"""The three ports of the server, and what happens if two are the same (section 6.2)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations

from cccamd.setup.cccamcfg.assignments import Assignment, Assignments
from cccamd.setup.cccamcfg.diagnostics import Code, Diagnostic
from cccamd.setup.cccamcfg.model import Config, InfoPort

SERVER = "SERVER"
TELNETINFO = "TELNETINFO"
WEBINFO = "WEBINFO"
INFO_PORTS = (TELNETINFO, WEBINFO)

_DEFAULTS = Config()


@dataclass(frozen=True, slots=True)
class _Listener:
    name: str
    port: int
    is_open: bool
    set_by: Assignment | None


@dataclass(frozen=True, slots=True)
class _Clash:
    winner: str
    loser: str
    port: int
    second: Assignment
    """The later one of the lines that set the two."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """What the file says about the ports that are opened."""

    server_port: int
    server_line: int | None
    telnetinfo: InfoPort
    webinfo: InfoPort
    diagnostics: tuple[Diagnostic, ...]


def find_listeners(assignments: Assignments) -> Listeners:
    """Read the ports, switches and logins, and close information ports that clash."""
    server = server_assignment(assignments)
    server_port = _DEFAULTS.server_listen_port
    if server is not None:
        server_port = assignments.number(server.directive.name, server_port)
    telnetinfo = _info_port(TELNETINFO, _DEFAULTS.telnetinfo, assignments)
    webinfo = _info_port(WEBINFO, _DEFAULTS.webinfo, assignments)
    clashes = list(
        _find_clashes(
            _Listener(SERVER, server_port, server_port != 0, server),
            _info_listener(TELNETINFO, telnetinfo, assignments),
            _info_listener(WEBINFO, webinfo, assignments),
        )
    )
    losers = {clash.loser for clash in clashes}
    return Listeners(
        server_port=server_port,
        server_line=server.place.line if server else None,
        telnetinfo=replace(telnetinfo, clashes=TELNETINFO in losers),
        webinfo=replace(webinfo, clashes=WEBINFO in losers),
        diagnostics=tuple(map(_clash_diagnostic, clashes)),
    )


def server_assignment(assignments: Assignments) -> Assignment | None:
    """Find the directive that sets the server port: SERVER wins over GLOBAL."""
    return assignments.get("SERVER LISTEN PORT") or assignments.get("GLOBAL LISTEN PORT")


def _info_port(name: str, default: InfoPort, assignments: Assignments) -> InfoPort:
    return InfoPort(
        allowed=assignments.switch(f"ALLOW {name}", default.allowed),
        port=assignments.number(f"{name} LISTEN PORT", default.port),
        username=assignments.text(f"{name} USERNAME"),
        password=assignments.text(f"{name} PASSWORD"),
    )


def _info_listener(name: str, port: InfoPort, assignments: Assignments) -> _Listener:
    return _Listener(name, port.port, port.listens, assignments.get(f"{name} LISTEN PORT"))


def _find_clashes(*listeners: _Listener) -> Iterator[_Clash]:
    for first, second in combinations(listeners, 2):
        if not (first.is_open and second.is_open and first.port == second.port):
            continue
        # The defaults differ, so at least one of the two was set.
        setters = [listener.set_by for listener in (first, second) if listener.set_by]
        later = max(setters, key=lambda setter: setter.place.order)
        winner, loser = first, second
        if first.name != SERVER and later is first.set_by:
            winner, loser = second, first
        yield _Clash(winner.name, loser.name, first.port, later)


def _clash_diagnostic(clash: _Clash) -> Diagnostic:
    return Diagnostic(
        code=Code.PORT_CLASH,
        text=(
            f"port {clash.port} is already that of another listener:"
            f" {clash.winner} keeps it, {clash.loser} stays closed"
        ),
        place=clash.second.place,
        instead="choose another number",
    )
