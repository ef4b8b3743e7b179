"""The one table of all keys of CCcam.cfg (`docs/config.md` section 2).

There are three kinds of keys. Implemented ones have a value type and a place in the model,
where their defaults stand. Those without effect have a reason, and quiet values that ask for
nothing. Obsolete ones are only recognised.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from cccamd.cards import Limit
from cccamd.ids import NodeId
from cccamd.setup.cccamcfg.diagnostics import LineNotes
from cccamd.setup.cccamcfg.lexer import Token
from cccamd.setup.cccamcfg.values import (
    NOTHING_FOR_ANYBODY,
    read_emm_level,
    read_limits,
    read_node_id,
    read_number,
    read_path,
    read_port,
    read_switch,
    read_text,
    read_version,
)

Value = bool | int | str | tuple[int, int, int] | tuple[Limit, ...] | NodeId | None


@dataclass(frozen=True, slots=True)
class Implemented:
    """A key that has an effect."""

    name: str
    """As the vendor spells it."""
    read: Callable[[Token, LineNotes], Value]
    setting: str | None = None
    """The field of `Settings` it goes to; None: a listener's port, switch or login."""
    old_names: tuple[str, ...] = ()
    """Names of earlier releases (W106)."""
    spellings: tuple[str, ...] = ()
    """Other spellings of the same name."""
    repeatable: bool = False
    secret: bool = False
    damaged: Value = None
    """The value in effect after one that cannot be read; None: the setting stays as it was."""


@dataclass(frozen=True, slots=True)
class WithoutEffect:
    """A key that is known, not checked, and has no effect here (W160)."""

    name: str
    reason: str
    quiet: tuple[str, ...] = ()
    """Values that ask for nothing: no warning then."""
    spellings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Obsolete:
    """A key that the vendor gave up long ago (W163)."""

    name: str


Directive = Implemented | WithoutEffect | Obsolete

_READER = "cards are reached over the network, not through a reader of this box"
_CARD_SECRET = "it is a secret of the card and belongs to the reader's software"
_BY_DEVICE = "it names a card reader of this box, and there is none"
_SCREEN = "there is no screen here"
_DECODER = "there is no decoder here"
_KEY_FILES = "there is no emulation here, and no key files"

DIRECTIVES: tuple[Directive, ...] = (
    # 2.1 Network server, client and information ports
    Implemented("SERVER LISTEN PORT", read_port),
    Implemented("GLOBAL LISTEN PORT", read_port),
    Implemented("MINIMUM CLIENT VERSION", read_version, "minimum_client_version"),
    Implemented("GLOBAL LIMITS", read_limits, "global_limits", damaged=NOTHING_FOR_ANYBODY),
    Implemented("MINIMUM DOWNHOPS", read_number, "minimum_downhops"),
    Implemented("IGNORE NODE", read_node_id, "ignore_nodes", repeatable=True),
    Implemented("ALLOW TELNETINFO", read_switch),
    Implemented("TELNETINFO LISTEN PORT", read_port, old_names=("INFO LISTEN PORT",)),
    Implemented("TELNETINFO USERNAME", read_text),
    Implemented("TELNETINFO PASSWORD", read_text, secret=True),
    Implemented("ALLOW WEBINFO", read_switch),
    Implemented("WEBINFO LISTEN PORT", read_port, old_names=("HTML INFO LISTEN PORT",)),
    Implemented("WEBINFO USERNAME", read_text),
    Implemented("WEBINFO PASSWORD", read_text, secret=True),
    Implemented(
        "SHOW EXTENEDED CLIENT INFO",  # the vendor's misspelling is the real key
        read_switch,
        "show_extended_client_info",
        spellings=("SHOW EXTENDED CLIENT INFO",),
    ),
    Obsolete("CARD INFO PORT"),
    Obsolete("ONLINE CLIENTS PORT"),
    Obsolete("ONLINE CONNECTIONS PORT"),
    Obsolete("ONLINE SHARES PORT"),
    Obsolete("ONLINE PROVIDERS PORT"),
    Obsolete("ONLINE ACTIVE CLIENTS PORT"),
    # 2.2 EMM
    Implemented("ALLOW EMM", read_switch, "allow_emm"),
    Implemented("DISABLE EMM", read_switch, "disable_emm"),
    Implemented("GLOBAL EMM", read_emm_level, "global_emm"),
    Implemented("EXTRA EMM LEVEL", read_switch, "extra_emm_level"),
    WithoutEffect("EMM THREADS", "there is no demultiplexer here", quiet=("1",)),
    # 2.3 Logging and names
    Implemented("DEBUG", read_switch, "debug"),
    Implemented("SHOW TIMING", read_switch, "show_timing"),
    Implemented("LOG WARNINGS", read_path, "log_warnings"),
    Implemented("LOG FILE", read_path, "log_file"),
    Implemented("CAID PRIO FILE", read_path, "caid_prio_file"),
    Implemented("PROVIDERINFO FILE", read_path, "providerinfo_file"),
    Implemented("CHANNELINFO FILE", read_path, "channelinfo_file"),
    Obsolete("CAID IGNORE FILE"),
    # 2.4 Receiver hardware, on-screen display, decoder, key files
    WithoutEffect("SERIAL READER", _READER),
    WithoutEffect("PHOENIX READER PATH", _READER),
    WithoutEffect("SMARTCARD WRITE DELAY", _READER),
    WithoutEffect("SMARTCARD CLOCK FREQUENCY", _READER),
    WithoutEffect("SCIDEVICES", _READER, quiet=("0",)),
    WithoutEffect("POSTINIT", f"{_READER}; raw commands to a card are unsafe, too"),
    WithoutEffect("BOXKEY", _CARD_SECRET),
    WithoutEffect("PIN", _CARD_SECRET, spellings=("PINCODE",)),
    WithoutEffect("CAMKEY", _CARD_SECRET),
    WithoutEffect("CAMDATA", _CARD_SECRET),
    WithoutEffect("BEEF ID", _CARD_SECRET),
    WithoutEffect("TRY ALL CHIDS", "it is a setting of a card reader"),
    WithoutEffect("LOADBALANCE", f"{_BY_DEVICE}; cccamd balances between upstreams itself"),
    WithoutEffect("SMARTCARD SID ASSIGN", _BY_DEVICE),
    WithoutEffect("SMARTCARD SID REJECT", _BY_DEVICE),
    WithoutEffect("SID LIMIT", _BY_DEVICE),
    WithoutEffect("ZAP OSD TIME", _SCREEN, quiet=("0",)),
    WithoutEffect("OSD USERNAME", _SCREEN, quiet=("root",)),
    WithoutEffect("OSD PASSWORD", _SCREEN, quiet=("dreambox",)),
    WithoutEffect("OSD PORT", _SCREEN, quiet=("80",)),
    WithoutEffect("MINI OSD", _SCREEN, quiet=("no", "0")),
    WithoutEffect("DVB API", _DECODER, quiet=("-1",)),
    WithoutEffect("SECA HANDLER", "it is the decoder's choice", quiet=("0", "1")),
    WithoutEffect("NEWCAMD CONF", "write N-lines instead", quiet=("no", "0")),
    WithoutEffect("NEWCAMD STEALTH", "cccamd states what it is", quiet=("0", "no")),
    WithoutEffect("SOFTKEY FILE", _KEY_FILES),
    WithoutEffect("AUTOROLL FILE", _KEY_FILES),
    WithoutEffect("STATIC CW FILE", _KEY_FILES),
)

B_LINE = WithoutEffect("B", _BY_DEVICE, quiet=("00", "0"))
"""The letter line B: has no effect for the same reason; quiet with exactly one device."""


def _known_keys() -> dict[str, Directive]:
    keys: dict[str, Directive] = {}
    for directive in DIRECTIVES:
        old_names = directive.old_names if isinstance(directive, Implemented) else ()
        spellings = () if isinstance(directive, Obsolete) else directive.spellings
        keys |= dict.fromkeys((directive.name, *old_names, *spellings), directive)
    return keys


KNOWN_KEYS = _known_keys()
SETTING_FIELDS = {
    directive.name: directive.setting
    for directive in DIRECTIVES
    if isinstance(directive, Implemented) and directive.setting is not None
}
"""The field of `Settings` of each key that goes there, by the vendor's name."""
_LONGEST_KEY = max(map(len, KNOWN_KEYS))
_WORDS = re.compile(r"[^ \t]+")
_FIRST_WORDS = frozenset(key.split()[0] for key in KNOWN_KEYS)
WORDS_OF_A_KEY = max(key.count(" ") for key in KNOWN_KEYS) + 1
"""As many as the longest has."""


def normal_key(text: str) -> str:
    """Collapse blanks and make the letters large. Text with other letters than ASCII stays."""
    collapsed = " ".join(_WORDS.findall(text))
    return collapsed.upper() if text.isascii() else collapsed


def is_old_name(name: str, directive: Directive) -> bool:
    """Whether a key is the name that a setting had in earlier releases."""
    return isinstance(directive, Implemented) and name in directive.old_names


def begins_a_key(word: str) -> bool:
    """Whether a word in large letters is the first of any known key."""
    return word in _FIRST_WORDS


def leading_key(words: Sequence[str]) -> str | None:
    """Find the longest known key that a line of these words begins with."""
    names = [normal_key(word) for word in words[:WORDS_OF_A_KEY]]
    for count in range(len(names), 0, -1):
        key = " ".join(names[:count])
        if key in KNOWN_KEYS:
            return key
    return None


def nearest_key(key: str) -> str | None:
    """Find the known key that was probably meant. Slow: not for thousands of lines."""
    if len(key) > 2 * _LONGEST_KEY:
        return None
    return next(iter(get_close_matches(key, KNOWN_KEYS, n=1, cutoff=0.75)), None)
