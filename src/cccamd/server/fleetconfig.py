"""Whether the nodes of a fleet have the same accounts: a text that is the same where they are."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from enum import Enum
from typing import Final

from cccamd.setup.logins import Accounts

_PLACES: Final = frozenset({"line", "toml_file", "allowemm_explicit"})
"""Where something stands, and not what it says."""


def accounts_text(accounts: Accounts, name: Callable[[bytes], bytes]) -> str:
    """Stands for all that accounts are and may; `name` is a keyed hash, as passwords are in it."""
    told = [_plain(account) for _, account in sorted(accounts.items())]
    return name(repr(told).encode()).hex()


def _plain(value: object) -> object:
    """The same for equal values in any process."""
    if is_dataclass(value) and not isinstance(value, type):
        named = ((each.name, getattr(value, each.name)) for each in fields(value))
        return [_plain(one) for key, one in named if key not in _PLACES or is_dataclass(one)]
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, frozenset | set):
        return sorted(map(repr, map(_plain, value)))
    if isinstance(value, Mapping):
        return sorted((repr(_plain(key)), repr(_plain(one))) for key, one in value.items())
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if isinstance(value, date):
        return value.isoformat()
    return value


def usual_one(texts: Iterable[str]) -> str:
    """The text that most nodes have; empty: of two nobody knows which is odd."""
    counted = Counter(texts).most_common(2)
    if not counted or (len(counted) == 2 and counted[0][1] == counted[1][1]):
        return ""
    return counted[0][0]
