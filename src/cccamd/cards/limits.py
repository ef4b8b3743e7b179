"""Which `caid:ident:number` entry of a brace group counts for a provider.

Source: docs/config.md sections 3.1 (group1) and 3.2.
"""

from collections.abc import Iterable

from cccamd.ids import Caid, Ident
from cccamd.setup.cccamcfg import Limit

LimitTable = dict[tuple[int, int], Limit]
"""Limits by what they name; 0 stands for all."""


def limit_table(limits: Iterable[Limit]) -> LimitTable:
    """Index a brace group; of two entries for the same pair the stricter one counts."""
    strictest_last = sorted(limits, key=lambda limit: -limit.number)
    return {(limit.caid, limit.ident): limit for limit in strictest_last}


def find_limit(table: LimitTable, caid: Caid, ident: Ident) -> Limit | None:
    """Find the most specific entry: caid and ident, then caid, then ident, then `0:0`.

    None: no entry speaks of this provider, so it is not limited.
    """
    for key in ((caid, ident), (caid, 0), (0, ident), (0, 0)):
        if limit := table.get(key):
            return limit
    return None
