"""cccamd.toml: what CCcam.cfg cannot express (docs/cccamd.toml.md)."""

from cccamd.setup.toml.loader import load
from cccamd.setup.toml.model import (
    FILE_NAME,
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
from cccamd.setup.toml.parser import ParsedToml, parse

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
    "UpstreamTable",
    "load",
    "parse",
]
