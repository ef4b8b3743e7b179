"""Read CCcam.cfg and its companion files, and say what is wrong with them."""

from cccamd.setup.cccamcfg.companions import (
    ChannelNames,
    Companions,
    PrioEntry,
    load_companions,
    parse_channelinfo,
    parse_prio,
    parse_providers,
)
from cccamd.setup.cccamcfg.diagnostics import Code, Diagnostic, Hint, Severity
from cccamd.setup.cccamcfg.masking import MaskedLine, masked_lines
from cccamd.setup.cccamcfg.model import (
    CLine,
    Config,
    Dialect,
    FLine,
    InfoPort,
    Limit,
    NLine,
    RefusedLine,
    Service,
    Settings,
    TimeFrame,
)
from cccamd.setup.cccamcfg.parser import (
    SEARCHED_PATHS,
    LoadedConfig,
    ParseResult,
    load_config,
    parse,
)
from cccamd.setup.cccamcfg.report import as_json
from cccamd.setup.files import (
    ConfigFileError,
    ConfigFileMissingError,
    read_file,
    read_stream,
)

__all__ = [
    "SEARCHED_PATHS",
    "CLine",
    "ChannelNames",
    "Code",
    "Companions",
    "Config",
    "ConfigFileError",
    "ConfigFileMissingError",
    "Diagnostic",
    "Dialect",
    "FLine",
    "Hint",
    "InfoPort",
    "Limit",
    "LoadedConfig",
    "MaskedLine",
    "NLine",
    "ParseResult",
    "PrioEntry",
    "RefusedLine",
    "Service",
    "Settings",
    "Severity",
    "TimeFrame",
    "as_json",
    "load_companions",
    "load_config",
    "masked_lines",
    "parse",
    "parse_channelinfo",
    "parse_prio",
    "parse_providers",
    "read_file",
    "read_stream",
]
