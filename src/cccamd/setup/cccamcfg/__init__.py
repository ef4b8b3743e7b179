"""Read CCcam.cfg and its companion files, and say what is wrong with them."""

from cccamd.setup.cccamcfg.companions import (
    ChannelNames,
    Companions,
    load_companions,
    parse_channelinfo,
    parse_prio,
    parse_providers,
)
from cccamd.setup.cccamcfg.diagnostics import Code, Diagnostic, Hint, Severity
from cccamd.setup.cccamcfg.directives import SETTING_FIELDS
from cccamd.setup.cccamcfg.editing import (
    EditError,
    add_account,
    disable_account,
    enable_account,
    find_account,
    list_accounts,
    remove_account,
)
from cccamd.setup.cccamcfg.masking import MaskedLine, masked_lines
from cccamd.setup.cccamcfg.model import (
    CLine,
    Config,
    Dialect,
    FLine,
    InfoPort,
    NLine,
    RefusedLine,
    Settings,
)
from cccamd.setup.cccamcfg.normalizing import normalize
from cccamd.setup.cccamcfg.parser import (
    SEARCHED_PATHS,
    LoadedConfig,
    ParseResult,
    load_config,
    parse,
)
from cccamd.setup.cccamcfg.report import as_json
from cccamd.setup.cccamcfg.writing import groups_of, limit_text

__all__ = [
    "SEARCHED_PATHS",
    "SETTING_FIELDS",
    "CLine",
    "ChannelNames",
    "Code",
    "Companions",
    "Config",
    "Diagnostic",
    "Dialect",
    "EditError",
    "FLine",
    "Hint",
    "InfoPort",
    "LoadedConfig",
    "MaskedLine",
    "NLine",
    "ParseResult",
    "RefusedLine",
    "Settings",
    "Severity",
    "add_account",
    "as_json",
    "disable_account",
    "enable_account",
    "find_account",
    "groups_of",
    "limit_text",
    "list_accounts",
    "load_companions",
    "load_config",
    "masked_lines",
    "normalize",
    "parse",
    "parse_channelinfo",
    "parse_prio",
    "parse_providers",
    "remove_account",
]
