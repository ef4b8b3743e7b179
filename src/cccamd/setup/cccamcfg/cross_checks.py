"""Warnings about lines that do not go together (`docs/config.md` sections 6.2 to 6.4)."""

from collections.abc import Iterator

from cccamd.setup.cccamcfg.assignments import Assignment, Assignments
from cccamd.setup.cccamcfg.diagnostics import Code, Diagnostic
from cccamd.setup.cccamcfg.listeners import INFO_PORTS


def cross_check(assignments: Assignments) -> Iterator[Diagnostic]:
    """Compare the values that count."""
    yield from _check_server_port(assignments)
    yield from _check_emm(assignments)
    for name in INFO_PORTS:
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
