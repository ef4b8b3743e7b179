"""What a client is told: the message for a card, and the messages that lead from list to list.

Source: docs/protocol.md section 11.
"""

from collections.abc import Mapping
from dataclasses import replace

from cccamd.cards.visibility import Verdict
from cccamd.ids import NodeId, ShareId
from cccamd.wire.cccam import PAYLOAD_LIMIT, SIDS_LIMIT, UA_LENGTH, CardAdded, CardRemoved, Provider

NO_UA = bytes(UA_LENGTH)


def announcement(verdict: Verdict, own_node_id: NodeId) -> CardAdded | None:
    """Build the message for a visible card; None when not even its path fits into a frame."""
    card = verdict.card
    message = CardAdded(
        share_id=card.own_share_id,
        remote_id=card.remote_id,
        caid=card.caid,
        hop=card.hop,
        reshare=verdict.reshare,
        ua=card.ua if verdict.viewer.emm_allowed else NO_UA,
        providers=_addressed(verdict),
        assigned_sids=card.assigned_sids[:SIDS_LIMIT],
        rejected_sids=card.rejected_sids[:SIDS_LIMIT],
        path=(*card.path, own_node_id),
    )
    return _fitted(message)


def _addressed(verdict: Verdict) -> tuple[Provider, ...]:
    """Who may not send EMMs learns no shared addresses either."""
    if verdict.viewer.emm_allowed:
        return verdict.providers
    return tuple(Provider(provider.ident) for provider in verdict.providers)


def difference(
    old: Mapping[ShareId, CardAdded], new: Mapping[ShareId, CardAdded]
) -> list[CardRemoved | CardAdded]:
    """Say what a client that was told `old` must be told for `new`: removals come first.

    A card whose words changed is announced again; the same share id replaces it.
    """
    messages: list[CardRemoved | CardAdded] = [
        CardRemoved(share_id) for share_id in old if share_id not in new
    ]
    for share_id, message in new.items():
        told = old.get(share_id)
        # Most are the very same object, and comparing all fields would cost 20 times as much.
        if told is not message and told != message:
            messages.append(message)
    return messages


# 20 bytes up to the UA, the three counts of 0x0F, and the count of the path.
_FIXED_LENGTH = 20 + 3 + 1
_PROVIDER_LENGTH = 7
_SID_LENGTH = 2
_NODE_LENGTH = 8


def _fitted(message: CardAdded) -> CardAdded | None:
    """Leave out what a frame cannot hold, the least harmful first.

    Rejected SIDs are a hint that saves refused requests. An assigned SID is one service, a
    provider all of its services; one of each must stay, because an empty list means "all".
    The path is never cut: it is what stops loops.
    """
    room = PAYLOAD_LIMIT - _FIXED_LENGTH - _NODE_LENGTH * len(message.path)
    assigned, providers = len(message.assigned_sids), len(message.providers)
    wanted = _PROVIDER_LENGTH * providers + _SID_LENGTH * assigned
    if wanted + _SID_LENGTH * len(message.rejected_sids) <= room:
        return message
    rejected = max(0, (room - wanted) // _SID_LENGTH)
    assigned = _kept(assigned, _SID_LENGTH, room - _PROVIDER_LENGTH * providers)
    providers = _kept(providers, _PROVIDER_LENGTH, room - _SID_LENGTH * assigned)
    if _PROVIDER_LENGTH * providers + _SID_LENGTH * assigned > room:
        return None
    return replace(
        message,
        providers=message.providers[:providers],
        assigned_sids=message.assigned_sids[:assigned],
        rejected_sids=message.rejected_sids[:rejected],
    )


def _kept(count: int, length: int, room: int) -> int:
    return min(count, max(1, room // length))
