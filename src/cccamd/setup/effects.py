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


def _keys(table: str, names: str) -> list[str]:
    """Settings of a table of cccamd.toml."""
    return [f"[{table}] {name}" for name in names.split()]


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
    *_keys("network", "allow hosts"),
    *_keys(
        "limits",
        "ecm_deadline answer_timeout upstream_cards_limit client_messages_per_second "
        "client_ecms_per_second client_kilobytes_per_second account_messages_per_second "
        "account_ecms_per_second account_kilobytes_per_second max_unread_kilobytes "
        "unread_timeout",
    ),
    *_keys("server", "cccversion bind"),
    *_keys("cache", "seconds entries check_cw_checksums"),
    *_keys("routing", "hedge"),
    *_keys("penalties", "attempts ban exempt"),
    *_keys("log", "format debug_accounts"),
    *_keys("tls", "port"),
    *_keys("dvbapi", "port listen networks socket socket_mode socket_group account au"),
    *_keys("notify", "urls after quiet over"),
    *_keys(
        "mqtt",
        "host port tls ca user password password_file prefix discovery name interval things "
        "networks",
    ),
)
_NEXT_TIME: Final = (
    "MINIMUM CLIENT VERSION",
    *_keys(
        "limits",
        "login_timeout max_clients max_connections_per_address max_pending_logins "
        "max_pending_per_address max_pending_per_network queue_limit logins_per_account",
    ),
)
_RESTART: Final = (
    *_keys("server", "workers"),
    *_keys("journal", "enabled days megabytes"),
    *_keys("fleet", "host port socket tls ca user password password_file key_file node networks"),
)

EFFECTS: Final[Mapping[str, Effect]] = {
    **dict.fromkeys(_AT_ONCE, Effect.AT_ONCE),
    **dict.fromkeys(_NEXT_TIME, Effect.NEXT_TIME),
    **dict.fromkeys(_RESTART, Effect.RESTART),
    "EXTRA EMM LEVEL": Effect.NOTHING,
}
"""F-, C- and N-lines and the `[[tables]]` are no settings: they all count at once."""

_TABLES: Final = (
    *("network", "limits", "server", "cache", "routing", "log", "journal"),
    *("penalties", "tls", "dvbapi", "notify", "mqtt", "fleet"),
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
