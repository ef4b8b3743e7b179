"""What lines mean together: ports that clash, contradictions, what is seldom meant (section 6)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations

from cccamd.setup.cccamcfg.diagnostics import Code, Diagnostic, Hint
from cccamd.setup.cccamcfg.gathered import Assignment, Assignments
from cccamd.setup.cccamcfg.model import Config, Dialect, InfoPort
from cccamd.setup.files import Place

_SERVER = "SERVER"
_TELNETINFO = "TELNETINFO"
_WEBINFO = "WEBINFO"
_INFO_PORTS = (_TELNETINFO, _WEBINFO)

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
    server = _server_assignment(assignments)
    server_port = _DEFAULTS.server_listen_port
    if server is not None:
        server_port = assignments.number(server.directive.name, server_port)
    telnetinfo = _info_port(_TELNETINFO, _DEFAULTS.telnetinfo, assignments)
    webinfo = _info_port(_WEBINFO, _DEFAULTS.webinfo, assignments)
    clashes = list(
        _find_clashes(
            _Listener(_SERVER, server_port, server_port != 0, server),
            _info_listener(_TELNETINFO, telnetinfo, assignments),
            _info_listener(_WEBINFO, webinfo, assignments),
        )
    )
    losers = {clash.loser for clash in clashes}
    return Listeners(
        server_port=server_port,
        server_line=server.place.line if server else None,
        telnetinfo=replace(telnetinfo, clashes=_TELNETINFO in losers),
        webinfo=replace(webinfo, clashes=_WEBINFO in losers),
        diagnostics=tuple(map(_clash_diagnostic, clashes)),
    )


def _server_assignment(assignments: Assignments) -> Assignment | None:
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
        if first.name != _SERVER and later is first.set_by:
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


def cross_check(assignments: Assignments) -> Iterator[Diagnostic]:
    """Compare the values that count."""
    yield from _check_server_port(assignments)
    yield from _check_emm(assignments)
    for name in _INFO_PORTS:
        yield from _check_login(name, assignments)


def _check_server_port(assignments: Assignments) -> Iterator[Diagnostic]:
    server = assignments.get("SERVER LISTEN PORT")
    second = assignments.get("GLOBAL LISTEN PORT")
    if server and second:
        text = f"SERVER LISTEN PORT in line {server.place.line} counts; this line has no effect"
        yield _warning(Code.TWO_SERVER_PORTS, second, text, "take one of the two out")


def _check_emm(assignments: Assignments) -> Iterator[Diagnostic]:
    allow, disable = assignments.get("ALLOW EMM"), assignments.get("DISABLE EMM")
    if allow and disable and allow.value == disable.value:
        later = max(allow, disable, key=lambda found: found.place.order)
        text = "ALLOW EMM and DISABLE EMM contradict each other: EMM are blocked"
        yield _warning(Code.EMM_CONTRADICTION, later, text, "use one of the two")


def _check_login(name: str, assignments: Assignments) -> Iterator[Diagnostic]:
    username = assignments.get(f"{name} USERNAME")
    password = assignments.get(f"{name} PASSWORD")
    alone = username or password
    if alone is None or (username and password):
        return
    missing = "PASSWORD" if username else "USERNAME"
    text = f"there is no {name} {missing}: nobody can log in to this port"
    yield _warning(Code.HALF_A_LOGIN, alone, text, f"add {name} {missing}")


def _warning(code: Code, at: Assignment, text: str, instead: str) -> Diagnostic:
    return Diagnostic(code=code, text=text, place=at.place, instead=instead)


_PRIVILEGED_PORTS = range(1, 1024)


def find_hints(config: Config, assignments: Assignments) -> Iterator[Hint]:
    """Look for what is allowed but seldom meant."""
    yield from _hint_ports(config, assignments)
    yield from _hint_emm(config, assignments)
    for found in assignments.all():
        if found.written_as in found.directive.spellings:
            text = f"the vendor spells this key {found.directive.name}; both are read"
            yield Hint(text, found.place)
    masks = [account.line for account in config.f_lines if account.dialect is Dialect.MASK]
    if masks:
        text = f"{len(masks)} account(s) with a mask of eight zeros: it limits nothing"
        yield Hint(text, Place(config.file, masks[0]))


def _hint_ports(config: Config, assignments: Assignments) -> Iterator[Hint]:
    server = _server_assignment(assignments)
    if config.f_lines and config.server_listen_port == Config().server_listen_port:
        text = f"port {config.server_listen_port} is the one that strangers try first"
        yield Hint(text, Place(config.file, config.server_listen_port_line))
    for name, port in zip(_INFO_PORTS, (config.telnetinfo, config.webinfo), strict=True):
        if port.listens and not port.is_protected:
            text = f"{name} (port {port.port}) is open without user name and password"
            yield Hint(text, Place(config.file))
    setters = [server, *(assignments.get(f"{name} LISTEN PORT") for name in _INFO_PORTS)]
    for found in filter(None, setters):
        if found.value in _PRIVILEGED_PORTS:
            yield Hint("a port below 1024 needs special rights to open", found.place)


def _hint_emm(config: Config, assignments: Assignments) -> Iterator[Hint]:
    allow, disable = assignments.get("ALLOW EMM"), assignments.get("DISABLE EMM")
    if allow and disable and allow.value != disable.value:
        later = max(allow.place, disable.place, key=lambda place: place.order)
        yield Hint("ALLOW EMM and DISABLE EMM say the same: one of them is enough", later)
    if not config.settings.disable_emm:
        return
    for account in config.f_lines:
        if account.allowemm and account.allowemm_explicit:
            text = "DISABLE EMM blocks the EMM of this client, though its ALLOWEMM is 1"
            yield Hint(text, Place(config.file, account.line))
