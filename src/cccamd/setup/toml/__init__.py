"""cccamd.toml: what CCcam.cfg cannot express (docs/cccamd.toml.md)."""

from cccamd.setup.toml.loader import load
from cccamd.setup.toml.model import (
    AccountTable,
    CacheTable,
    CardEntry,
    JournalTable,
    Limits,
    LogTable,
    NetworkTable,
    RoutingTable,
    ServerTable,
    TomlConfig,
    UpstreamTable,
)
from cccamd.setup.toml.networks import LOCAL_NETWORKS, AllowedNetworks
from cccamd.setup.toml.parser import FILE_NAME, ParsedToml, parse
from cccamd.setup.toml.problems import TomlProblem

__all__ = [
    "FILE_NAME",
    "LOCAL_NETWORKS",
    "AccountTable",
    "AllowedNetworks",
    "CacheTable",
    "CardEntry",
    "JournalTable",
    "Limits",
    "LogTable",
    "NetworkTable",
    "ParsedToml",
    "RoutingTable",
    "ServerTable",
    "TomlConfig",
    "TomlProblem",
    "UpstreamTable",
    "load",
    "parse",
]
