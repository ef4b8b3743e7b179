"""What we take from an upstream: loops, ignored nodes, limits of the C-line.

Source: docs/protocol.md section 11; docs/config.md sections 2.1 and 3.2.
"""

from dataclasses import dataclass
from enum import Enum

from cccamd.cards.limits import LimitTable, find_limit, limit_table
from cccamd.ids import Ident, NodeId, format_caid, format_node_id
from cccamd.setup.cccamcfg import Limit
from cccamd.wire.cccam import CardAdded, Provider

CARDS_LIMIT = 5000
"""More cards of one upstream than any public share list has; a bound for memory, no policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePolicy:
    """What may be taken from one upstream."""

    limits: tuple[Limit, ...] = ()
    """Of the C-line; the number is the greatest distance from us."""
    minimum_downhops: int = 0
    ignore_nodes: frozenset[NodeId] = frozenset()
    line: int | None = None
    """Of the C-line, for the sentence of a rejection."""
    cards_limit: int = CARDS_LIMIT


class Rejection(Enum):
    """Why an announced card is not taken."""

    LOOP = "loop"
    IGNORED_NODE = "ignored node"
    LIMITED = "limited"
    TOO_FEW_DOWNHOPS = "too few downhops"
    TOO_MANY_CARDS = "too many cards"


@dataclass(frozen=True, slots=True)
class Rejected:
    """An announced card that is not taken, and a sentence that says why."""

    announcement: CardAdded
    reason: Rejection
    text: str


def examine(
    announcement: CardAdded, policy: SourcePolicy, *, own_node_id: NodeId
) -> tuple[Provider, ...] | Rejected:
    """Decide whether a card is taken: the providers that stay, or why not."""
    if own_node_id in announcement.path:
        return Rejected(announcement, Rejection.LOOP, "it has passed this server already")
    for node_id in announcement.path:
        if node_id in policy.ignore_nodes:
            text = f"it passed node {format_node_id(node_id)}, an IGNORE NODE"
            return Rejected(announcement, Rejection.IGNORED_NODE, text)
    if announcement.reshare < policy.minimum_downhops:
        text = f"reshare {announcement.reshare} is below MINIMUM DOWNHOPS {policy.minimum_downhops}"
        return Rejected(announcement, Rejection.TOO_FEW_DOWNHOPS, text)
    return _within_limits(announcement, policy)


def _within_limits(
    announcement: CardAdded, policy: SourcePolicy
) -> tuple[Provider, ...] | Rejected:
    """Remove the providers that are too far away; the card is out when none is left."""
    providers = announcement.providers or (Provider(Ident(0)),)
    table = limit_table(policy.limits)
    kept = tuple(
        provider for provider in providers if _near_enough(announcement, provider.ident, table)
    )
    if kept:
        return kept
    text = (
        f"distance {announcement.hop + 1} of CAID {format_caid(announcement.caid)}"
        f" is beyond the limits of the C-line{_in_line(policy.line)}"
    )
    return Rejected(announcement, Rejection.LIMITED, text)


def _near_enough(announcement: CardAdded, ident: Ident, table: LimitTable) -> bool:
    limit = find_limit(table, announcement.caid, ident)
    return limit is None or announcement.hop + 1 <= limit.number


def _in_line(line: int | None) -> str:
    return "" if line is None else f" in line {line}"
