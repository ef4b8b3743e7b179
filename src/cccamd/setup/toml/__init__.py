"""cccamd.toml: what CCcam.cfg cannot express (docs/cccamd.toml.md)."""

from cccamd.setup.toml.fleettable import FleetTable
from cccamd.setup.toml.linetables import AccountTable, UpstreamTable
from cccamd.setup.toml.model import (
    FILE_NAME,
    CardEntry,
    DvbapiTable,
    LimitsTable,
    LogTable,
    TomlConfig,
)
from cccamd.setup.toml.mqtttable import MqttTable
from cccamd.setup.toml.networks import AllowedNetworks, is_local
from cccamd.setup.toml.newcamdtable import NewcamdTable
from cccamd.setup.toml.parser import ParsedToml, load, parse
from cccamd.setup.toml.schema import json_schema

__all__ = [
    "FILE_NAME",
    "AccountTable",
    "AllowedNetworks",
    "CardEntry",
    "DvbapiTable",
    "FleetTable",
    "LimitsTable",
    "LogTable",
    "MqttTable",
    "NewcamdTable",
    "ParsedToml",
    "TomlConfig",
    "UpstreamTable",
    "is_local",
    "json_schema",
    "load",
    "parse",
]
