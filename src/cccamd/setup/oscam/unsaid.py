"""What CCcam.cfg and cccamd.toml say and OSCam has no word for, besides accounts and sources."""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, Final

from cccamd.setup.cccamcfg import Companions, Config
from cccamd.setup.oscam.report import Lost
from cccamd.setup.toml import TomlConfig

EVERYWHERE: Final = ("0.0.0.0", "::")
_NO_WORD: Final = "OSCam has no equivalent"
_OWN_TABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "network": (),
    "limits": ("ecm_deadline", "logins_per_account"),
    "cache": ("seconds", "check_cw_checksums"),
    "routing": (),
    "log": (),
    "journal": (),
    "penalties": ("attempts", "ban"),
    "tls": (),
    "notify": (),
    "mqtt": (),
    "fleet": (),
}
"""Tables, and those of their keys that the export looks at itself."""
_UNPROTECTED: Final = "OSCam has no such TLS: it logs in without"
_PRIORITIES: Final = "CAID PRIO FILE"
_FOR_DVBAPI: Final = (
    "priorities count for dvbapi clients alone there (oscam.dvbapi), one system after the other"
)


def unsaid(config: Config, toml: TomlConfig, companions: Companions) -> Iterator[Lost]:
    """One for each key that is set, and each table; `companions` are written, as far as read."""
    yield from _settings(config)
    yield from _companions(config, companions)
    for name, known in _OWN_TABLES.items():
        table = getattr(toml, name)
        for each in fields(table):
            if each.name not in known and getattr(table, each.name) != _default(each):
                yield _lost(name, each.name, 0, _NO_WORD)
    yield from _dvbapi(toml)
    for account in toml.accounts:
        line = toml.place(account.heading).line or 0
        if account.paired:
            yield _lost("account", "paired", line, _UNPROTECTED)
        if account.cccversion:
            yield _lost("account", "cccversion", line, "one version is for all clients there")
    for upstream in toml.upstreams:
        if upstream.paired:
            line = toml.place(upstream.heading).line or 0
            yield _lost("upstream", "paired", line, _UNPROTECTED)
    if toml.penalties.attempts and toml.penalties.ban % 60:
        yield _lost("penalties", "ban", 0, "failbantime is in minutes: the next full one is taken")


def _settings(config: Config) -> Iterator[Lost]:
    settings = config.settings
    for key, value, why in (
        ("MINIMUM CLIENT VERSION", settings.minimum_client_version, "nothing looks at it"),
        ("IGNORE NODE", settings.ignore_nodes, "no node is left out"),
        ("LOG WARNINGS", settings.log_warnings, "there is one log"),
        ("ALLOW TELNETINFO", config.telnetinfo.listens, "there is no telnet"),
        ("GLOBAL EMM", settings.global_emm == 1, "global EMMs are blocked or not"),
    ):
        if value and key in config.places:
            place = config.place(key)
            text = f"{_NO_WORD}: {why}"
            yield Lost(file="CCcam.cfg", key=key, line=place.line or 0, why=text)


def _companions(config: Config, companions: Companions) -> Iterator[Lost]:
    prio = companions.prio
    nothing_read = "nothing could be read from it"
    for key, why in (
        ("CHANNELINFO FILE", "" if companions.channels.names else nothing_read),
        ("PROVIDERINFO FILE", "" if companions.providers.names else nothing_read),
        (_PRIORITIES, _FOR_DVBAPI if prio.ignored or prio.orders else nothing_read),
    ):
        if why and (line := config.place(key).line):
            yield Lost(file="CCcam.cfg", key=key, line=line, why=why)


def _dvbapi(toml: TomlConfig) -> Iterator[Lost]:
    table = toml.dvbapi
    if table.socket:
        yield _lost("dvbapi", "socket", 0, "its socket there is another one, of a fixed name")
    if table.port and len(table.listen) > 1 and table.listen != EVERYWHERE:
        yield _lost("dvbapi", "listen", 0, "it is one address or all there: the first is taken")
    if table.port and table.networks:
        yield _lost("dvbapi", "networks", 0, "whoever reaches listen_port may come there")


def _default(of: "Field[Any]") -> object:
    return of.default if of.default_factory is MISSING else of.default_factory()


def _lost(section: str, key: str, line: int, why: str) -> Lost:
    return Lost(file="cccamd.toml", section=section, key=key, line=line, why=why)
