"""When a changed setting takes effect in a running server: each setting of both files, by name.

A test goes through all settings that the files know: one that is missing here, or does not do
what this table says, fails it.
"""

from collections.abc import Mapping
from dataclasses import fields
from enum import Enum
from typing import Final

from cccamd.setup.cccamcfg import SETTING_FIELDS, InfoPort
from cccamd.setup.files import Place
from cccamd.setup.setup import Setup
from cccamd.setup.toml import TomlConfig


class Effect(Enum):
    """When a changed setting counts; the value completes "it counts ..."."""

    AT_ONCE = "as soon as the files are read"
    NEXT_TIME = "for connections and logins from then on"
    RESTART = "after a restart"
    NOTHING = "for nothing: EMMs are taken however far they come"


_AT_ONCE: Final = (
    "SERVER LISTEN PORT",
    "GLOBAL LISTEN PORT",
    "GLOBAL LIMITS",
    "MINIMUM DOWNHOPS",
    "IGNORE NODE",
    "ALLOW TELNETINFO",
    "TELNETINFO LISTEN PORT",
    "TELNETINFO USERNAME",
    "TELNETINFO PASSWORD",
    "ALLOW WEBINFO",
    "WEBINFO LISTEN PORT",
    "WEBINFO USERNAME",
    "WEBINFO PASSWORD",
    "SHOW EXTENEDED CLIENT INFO",
    "ALLOW EMM",
    "DISABLE EMM",
    "GLOBAL EMM",
    "DEBUG",
    "SHOW TIMING",
    "LOG WARNINGS",
    "LOG FILE",
    "CAID PRIO FILE",
    "PROVIDERINFO FILE",
    "CHANNELINFO FILE",
    "[network] allow",
    "[network] hosts",
    "[limits] ecm_deadline",
    "[limits] answer_timeout",
    "[limits] upstream_cards_limit",
    "[limits] client_messages_per_second",
    "[limits] client_ecms_per_second",
    "[limits] client_kilobytes_per_second",
    "[limits] account_messages_per_second",
    "[limits] account_ecms_per_second",
    "[limits] account_kilobytes_per_second",
    "[limits] max_unread_kilobytes",
    "[limits] unread_timeout",
    "[server] cccversion",
    "[server] bind",
    "[cache] seconds",
    "[cache] entries",
    "[cache] check_cw_checksums",
    "[routing] hedge",
    "[penalties] attempts",
    "[penalties] ban",
    "[penalties] exempt",
    "[log] format",
    "[log] debug_accounts",
    "[tls] port",
    "[dvbapi] port",
    "[dvbapi] listen",
    "[dvbapi] networks",
    "[dvbapi] socket",
    "[dvbapi] socket_mode",
    "[dvbapi] socket_group",
    "[dvbapi] account",
    "[dvbapi] au",
    "[notify] urls",
    "[notify] after",
    "[notify] quiet",
    "[notify] over",
    "[mqtt] host",
    "[mqtt] port",
    "[mqtt] tls",
    "[mqtt] ca",
    "[mqtt] user",
    "[mqtt] password",
    "[mqtt] password_file",
    "[mqtt] prefix",
    "[mqtt] discovery",
    "[mqtt] name",
    "[mqtt] interval",
    "[mqtt] things",
    "[mqtt] networks",
)
_NEXT_TIME: Final = (
    "MINIMUM CLIENT VERSION",
    "[limits] login_timeout",
    "[limits] max_clients",
    "[limits] max_connections_per_address",
    "[limits] max_pending_logins",
    "[limits] max_pending_per_address",
    "[limits] max_pending_per_network",
    "[limits] queue_limit",
    "[limits] logins_per_account",
)
_RESTART: Final = (
    "[server] workers",
    "[journal] enabled",
    "[journal] days",
    "[journal] megabytes",
    "[fleet] host",
    "[fleet] port",
    "[fleet] socket",
    "[fleet] tls",
    "[fleet] ca",
    "[fleet] user",
    "[fleet] password",
    "[fleet] password_file",
    "[fleet] key_file",
    "[fleet] node",
    "[fleet] networks",
)

EFFECTS: Final[Mapping[str, Effect]] = {
    **dict.fromkeys(_AT_ONCE, Effect.AT_ONCE),
    **dict.fromkeys(_NEXT_TIME, Effect.NEXT_TIME),
    **dict.fromkeys(_RESTART, Effect.RESTART),
    "EXTRA EMM LEVEL": Effect.NOTHING,
}
"""F-, C- and N-lines and the `[[tables]]` are no settings: they all count at once."""

_TABLES: Final = (
    "network",
    "limits",
    "server",
    "cache",
    "routing",
    "log",
    "journal",
    "penalties",
    "tls",
    "dvbapi",
    "notify",
    "mqtt",
    "fleet",
)
_INFO_PORTS: Final = (
    ("LISTEN PORT", "port"),
    ("USERNAME", "username"),
    ("PASSWORD", "password"),
)


def settings_of(setup: Setup) -> dict[str, object]:
    """The value of each setting of both files, by name. Passwords are among them."""
    return {**_of_cccam_cfg(setup), **_of_toml(setup.toml)}


def place_of(name: str, setup: Setup) -> Place:
    """Where a setting stands: its line, or the whole file when it is not set there."""
    if name.startswith("["):
        return Place(setup.toml.file)
    return setup.config.place(name)


def _of_cccam_cfg(setup: Setup) -> dict[str, object]:
    config, settings = setup.config, setup.config.settings
    values: dict[str, object] = {
        name: getattr(settings, field) for name, field in SETTING_FIELDS.items()
    }
    values["SERVER LISTEN PORT"] = config.server_listen_port
    values |= _of_info_port("TELNETINFO", config.telnetinfo)
    values |= _of_info_port("WEBINFO", config.webinfo)
    return values


def _of_info_port(name: str, info: InfoPort) -> dict[str, object]:
    found: dict[str, object] = {f"ALLOW {name}": info.allowed}
    return found | {f"{name} {key}": getattr(info, field) for key, field in _INFO_PORTS}


def _of_toml(toml: TomlConfig) -> dict[str, object]:
    tables = ((name, getattr(toml, name)) for name in _TABLES)
    return {
        f"[{name}] {key.name}": getattr(table, key.name)
        for name, table in tables
        for key in fields(table)
    }
