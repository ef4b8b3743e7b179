"""What a client is told: the offer of a card, and what leads from one list to another.

Source: docs/protocol.md section 11.
"""

from collections.abc import Mapping

from cccamd.cards.visibility import Verdict
from cccamd.ids import NodeId, ShareId
from cccamd.values import UA_LENGTH, Offer, Provider

NO_UA = bytes(UA_LENGTH)


def announcement(verdict: Verdict, own_node_id: NodeId) -> Offer:
    """Offer a visible card to whom the verdict is about."""
    card = verdict.card
    return Offer(
        share_id=card.own_share_id,
        remote_id=card.remote_id,
        caid=card.caid,
        hop=card.hop,
        reshare=verdict.reshare,
        ua=card.ua if verdict.viewer.emm_allowed else NO_UA,
        providers=_addressed(verdict),
        assigned_sids=card.assigned_sids,
        rejected_sids=card.rejected_sids,
        path=(*card.path, own_node_id),
    )


def _addressed(verdict: Verdict) -> tuple[Provider, ...]:
    """Who may not send EMMs learns no shared addresses either."""
    if verdict.viewer.emm_allowed:
        return verdict.providers
    return tuple(Provider(provider.ident) for provider in verdict.providers)


def difference(old: Mapping[ShareId, Offer], new: Mapping[ShareId, Offer]) -> list[ShareId | Offer]:
    """Say what a client that was told `old` must be told for `new`.

    First the share ids of what is withdrawn, then what is offered. A card whose words changed
    is offered again; the same share id replaces it.
    """
    changes: list[ShareId | Offer] = [share_id for share_id in old if share_id not in new]
    for share_id, offer in new.items():
        told = old.get(share_id)
        # Most are the very same object, and comparing all fields would cost 20 times as much.
        if told is not offer and told != offer:
            changes.append(offer)
    return changes
