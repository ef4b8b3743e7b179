"""Which `caid:ident:number` entry of a brace group counts for a provider.

Source: docs/config.md sections 3.1 (group1) and 3.2.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from cccamd.ids import Caid, Ident


@dataclass(frozen=True, slots=True)
class Limit:
    """`caid:ident[:number]` of a brace group; caid 0 and ident 0 mean all.

    `number` counts hops: downhops in an F-line (0: the client does not get it, 1: for the
    client only), the greatest distance from us in a C-line (0: ignore the card).
    """

    caid: Caid
    ident: Ident
    number: int


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
