"""Advice for people about a file that works (`docs/config.md` sections 6.2, 6.3 and 6.5)."""

from collections.abc import Iterator

from cccamd.setup.cccamcfg.assignments import Assignments
from cccamd.setup.cccamcfg.diagnostics import Hint
from cccamd.setup.cccamcfg.listeners import INFO_PORTS, server_assignment
from cccamd.setup.cccamcfg.model import Config, Dialect
from cccamd.setup.files import Place

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
    server = server_assignment(assignments)
    if config.f_lines and config.server_listen_port == Config().server_listen_port:
        text = f"port {config.server_listen_port} is the one that strangers try first"
        yield Hint(text, Place(config.file, config.server_listen_port_line))
    for name, port in zip(INFO_PORTS, (config.telnetinfo, config.webinfo), strict=True):
        if port.listens and not port.is_protected:
            text = f"{name} (port {port.port}) is open without user name and password"
            yield Hint(text, Place(config.file))
    setters = [server, *(assignments.get(f"{name} LISTEN PORT") for name in INFO_PORTS)]
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
