"""What we take from an upstream: loops, ignored nodes, limits; and which limit counts.

Source: docs/protocol.md section 11; docs/config.md sections 2.1, 3.1 (group1) and 3.2.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import assert_never

from cccamd.cards.card import Card
from cccamd.cards.grant import OPEN, Access, Grant
from cccamd.ids import Caid, Ident, NodeId, format_caid, format_node_id
from cccamd.values import Offer, Provider


@dataclass(frozen=True, slots=True)
class Limit:
    """`caid:ident[:number]` of a brace group; caid 0 and ident 0 mean all.

    `number` counts hops: downhops in an F-line (0: the client does not get it, 1: for the
    client only), the greatest distance from us in a C-line (0: ignore the card).
    """

    caid: Caid
    ident: Ident
    number: int


LimitTable = Mapping[tuple[int, int], Limit]
"""Limits by what they name; 0 stands for all."""


@lru_cache(maxsize=4096)
def limit_table(limits: tuple[Limit, ...]) -> LimitTable:
    """Index a brace group; of two entries for the same pair the stricter one counts.

    Those who have the same limits share the table: nobody changes it.
    """
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
    access: Access = OPEN
    """Of cccamd.toml."""


class Rejection(Enum):
    """Why an announced card is not taken."""

    LOOP = "loop"
    IGNORED_NODE = "ignored node"
    LIMITED = "limited"
    TOO_FEW_DOWNHOPS = "too few downhops"
    TOO_MANY_CARDS = "too many cards"
    NOT_LISTED = "not listed"


@dataclass(frozen=True, slots=True)
class Rejected:
    """An announced card that is not taken."""

    offer: Offer
    reason: Rejection
    policy: SourcePolicy
    instead_of: Card | None = field(default=None, compare=False)
    """The card that stood under its name until now, and is not there any more."""

    @property
    def text(self) -> str:
        """A sentence for whoever wonders where the card is."""
        return _sentence(self.offer, self.reason, self.policy)


def examine(
    offer: Offer, policy: SourcePolicy, *, own_node_id: NodeId
) -> tuple[Provider, ...] | Rejected:
    """Decide whether a card is taken: the providers that stay, or why not."""
    if own_node_id in offer.path:
        return Rejected(offer, Rejection.LOOP, policy)
    if not policy.ignore_nodes.isdisjoint(offer.path):
        return Rejected(offer, Rejection.IGNORED_NODE, policy)
    if offer.reshare < policy.minimum_downhops:
        return Rejected(offer, Rejection.TOO_FEW_DOWNHOPS, policy)
    return _within_limits(offer, policy)


def _within_limits(offer: Offer, policy: SourcePolicy) -> tuple[Provider, ...] | Rejected:
    """Remove the providers that are too far away; the card is out when none is left."""
    providers = offer.providers or (Provider(Ident(0)),)
    table = limit_table(policy.limits)
    near = tuple(provider for provider in providers if _near_enough(offer, provider.ident, table))
    if not near:
        return Rejected(offer, Rejection.LIMITED, policy)
    grant = policy.access.grant
    listed = tuple(each for each in near if grant.lets_provider(offer.caid, each.ident))
    return listed or Rejected(offer, Rejection.NOT_LISTED, policy)


def listed_providers(
    caid: Caid, providers: tuple[Provider, ...], grant: Grant
) -> tuple[Provider, ...] | None:
    """The providers of a card of ours that the lists of its source leave; None: it is not shown.

    A card that names no provider has any: then it has those of the list.
    """
    own = providers or (Provider(Ident(0)),)
    kept = tuple(each for each in own if grant.lets_provider(caid, each.ident))
    if len(kept) == len(own):
        return providers
    if not kept and all(each.ident == 0 for each in own) and not grant.misses(caid):
        kept = tuple(map(Provider, grant.named(caid)))
    return kept or None


def _near_enough(offer: Offer, ident: Ident, table: LimitTable) -> bool:
    limit = find_limit(table, offer.caid, ident)
    return limit is None or offer.hop + 1 <= limit.number


def _sentence(offer: Offer, reason: Rejection, policy: SourcePolicy) -> str:
    match reason:
        case Rejection.LOOP:
            return "it has passed this server already"
        case Rejection.IGNORED_NODE:
            node_id = next(node_id for node_id in offer.path if node_id in policy.ignore_nodes)
            return f"it passed node {format_node_id(node_id)}, an IGNORE NODE"
        case Rejection.TOO_FEW_DOWNHOPS:
            return f"reshare {offer.reshare} is below MINIMUM DOWNHOPS {policy.minimum_downhops}"
        case Rejection.LIMITED:
            line = "" if policy.line is None else f" in line {policy.line}"
            distance = f"distance {offer.hop + 1} of CAID {format_caid(offer.caid)}"
            return f"{distance} is beyond the limits of the C-line{line}"
        case Rejection.NOT_LISTED:
            name = f" {policy.access.name}" if policy.access.name else ""
            caid = format_caid(offer.caid)
            return f"its [[upstream]]{name} lists neither CAID {caid} nor a provider of it"
        case Rejection.TOO_MANY_CARDS:
            return f"the source has announced {policy.cards_limit} cards already"
        case _:
            assert_never(reason)
