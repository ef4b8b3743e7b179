"""Whether a card that a client sees may serve one request of it.

Source: docs/protocol.md sections 7 and 11; docs/config.md section 3.1.
"""

from typing import NamedTuple

from cccamd.cards.grant import EVERYTHING
from cccamd.cards.intake import find_limit
from cccamd.cards.visibility import Reason, Verdict, Viewer
from cccamd.ids import Caid, Ident, NodeId, Sid, format_ident, format_service, format_sid


class Wanted(NamedTuple):
    """What of a request decides which cards fit it."""

    caid: Caid
    ident: Ident
    sid: Sid
    nodes: frozenset[NodeId] | None = None
    """When set, the request may pass no other nodes than these."""


def fit(verdict: Verdict, request: Wanted) -> Reason:
    """Say why a visible card of the request's CAID cannot serve it; `VISIBLE`: it can."""
    if request.nodes is not None and not request.nodes.issuperset(verdict.card.path):
        return Reason.OTHER_WAY
    ident = _fit_ident(verdict, request)
    if ident is not Reason.VISIBLE:
        return ident
    source = verdict.card.access.grant
    if source is not EVERYTHING and not source.lets_service(*request[:3]):
        return Reason.SERVICE_NOT_GIVEN
    return _fit_sid(verdict, request)


def denies_service(viewer: Viewer, request: Wanted) -> bool:
    """Whether the second group of the F-line, or a list of services, keeps the service from the
    client.

    A request that leaves the provider or the service open is denied if it could mean one
    that is: a restriction must not end because a client does not say what it wants.
    """
    grant = viewer.account.grant
    if grant is not EVERYTHING and not grant.lets_service(*request[:3]):
        return True
    return any(
        service.caid in (0, request.caid)
        and (request.ident == 0 or service.ident in (0, request.ident))
        and request.sid in (0, service.sid)
        for service in viewer.account.sids
    )


def _fit_ident(verdict: Verdict, request: Wanted) -> Reason:
    idents = {provider.ident for provider in verdict.providers}
    if request.ident == 0:
        hidden = len(verdict.providers) < len(verdict.card.providers)
        return Reason.IDENT_LIMITED if hidden else Reason.VISIBLE
    if request.ident in idents:
        return Reason.VISIBLE
    if 0 not in idents:
        return Reason.IDENT_MISSING
    limit = find_limit(verdict.viewer.limits, request.caid, request.ident)
    let = all(
        grant.lets_provider(request.caid, request.ident)
        for grant in (verdict.viewer.account.grant, verdict.card.access.grant)
    )
    return Reason.VISIBLE if let and (limit is None or limit.number) else Reason.IDENT_LIMITED


def _fit_sid(verdict: Verdict, request: Wanted) -> Reason:
    card = verdict.card
    if request.sid == 0 and (card.assigned_sids or card.rejected_sids):
        return Reason.SERVICE_UNKNOWN
    if card.assigned_sids and request.sid not in card.assigned_sids:
        return Reason.SERVICE_NOT_ASSIGNED
    if request.sid in card.rejected_sids:
        return Reason.SERVICE_REJECTED
    return Reason.VISIBLE


def fit_sentence(verdict: Verdict, request: Wanted, reason: Reason) -> str:
    """Say why a card is left out, for the owner of a receiver."""
    line = verdict.viewer.account.place_words
    match reason:
        case Reason.OTHER_WAY:
            return (
                "it takes another way than the card asked for, and the client is a server"
                " that our own requests may reach: this one could come back to us"
            )
        case Reason.IDENT_MISSING:
            return f"it has no provider {format_ident(request.ident)}"
        case Reason.IDENT_LIMITED:
            return f"{line} keeps provider {format_ident(request.ident)} of it from this client"
        case Reason.SERVICE_DENIED:
            return f"{line} keeps {format_service(*request[:3])} from this client"
        case Reason.SERVICE_NOT_GIVEN:
            service = format_service(*request[:3])
            return f"the services of its source in cccamd.toml leave {service} out"
        case Reason.SERVICE_NOT_ASSIGNED:
            return f"service {format_sid(request.sid)} is not among those assigned to it"
        case Reason.SERVICE_REJECTED:
            return f"it rejects service {format_sid(request.sid)}"
        case Reason.SERVICE_UNKNOWN:
            return "the request names no service, and it serves only some"
        case _:
            return verdict.text
