"""What cards exist and who sees them: pure values and decisions, no sockets, no clock.

`CardTable` holds the cards; a `View` per client says what that client is told and which cards
may serve its requests. Source: docs/protocol.md section 11; docs/config.md section 3.
"""

from cccamd.cards.card import Card, LocalOffer, SourceId
from cccamd.cards.grant import EVERYTHING, OPEN, Access, Grant, ServiceList
from cccamd.cards.intake import Limit, Rejected, Rejection, SourcePolicy, find_limit
from cccamd.cards.services import Wanted, denies_service
from cccamd.cards.sight import NOTHING, Candidates, Change, announcement, difference
from cccamd.cards.single import PROVIDERS_SHOWN, OneCard, Wish, card_for, choose, is_more
from cccamd.cards.table import Added, CardTable, Kept
from cccamd.cards.view import Exclusion, View
from cccamd.cards.visibility import Reason, Rights, Verdict, Viewer, groups_words, judge

__all__ = [
    "EVERYTHING",
    "NOTHING",
    "OPEN",
    "PROVIDERS_SHOWN",
    "Access",
    "Added",
    "Candidates",
    "Card",
    "CardTable",
    "Change",
    "Exclusion",
    "Grant",
    "Kept",
    "Limit",
    "LocalOffer",
    "OneCard",
    "Reason",
    "Rejected",
    "Rejection",
    "Rights",
    "ServiceList",
    "SourceId",
    "SourcePolicy",
    "Verdict",
    "View",
    "Viewer",
    "Wanted",
    "Wish",
    "announcement",
    "card_for",
    "choose",
    "denies_service",
    "difference",
    "find_limit",
    "groups_words",
    "is_more",
    "judge",
]
