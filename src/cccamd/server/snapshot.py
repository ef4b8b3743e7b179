"""Makes the `Snapshot` of a running server, on demand."""

import time
from collections import Counter, defaultdict
from collections.abc import Mapping

from cccamd.cards import Card, CardTable, SourceId
from cccamd.facts import CardStatus, ClientStatus, Snapshot, SourceKind, SourceStatus
from cccamd.ids import ShareId
from cccamd.server.local import LocalCards, LocalSource
from cccamd.server.session import Session, SessionContext
from cccamd.server.upstreams import Upstreams, UpstreamSource
from cccamd.wire.cccam import Identity
from cccamd.wire.link import Peer


def take_snapshot(
    *,
    config_path: str,
    started_at: float,
    identity: Identity,
    context: SessionContext,
    table: CardTable,
    upstreams: Upstreams,
    local_cards: LocalCards,
) -> Snapshot:
    """Look at everything once."""
    sessions = [session for session in context.sessions.values() if session.peer is not None]
    sources = [
        *(_local(source_id, source, table) for source_id, source in local_cards.sources()),
        *(_upstream(source_id, source, table) for source_id, source in upstreams.sources()),
    ]
    names = {source_id: source.name for source_id, source in local_cards.sources()}
    names |= {source_id: source.name for source_id, source in upstreams.sources()}
    return Snapshot(
        at=time.time(),
        started_at=started_at,
        program=identity.program,
        node_id=identity.node_id,
        config_path=config_path,
        accounts=tuple(account.line.user for account in context.accounts.values()),
        clients=tuple(_client(session) for session in sessions),
        sources=tuple(sources),
        cards=_cards(table, names, sessions),
        ecms_total=context.records.totals.ecms,
        emms_total=context.records.totals.emms,
        logins_failed=context.records.totals.logins_failed,
        connections_refused=context.admission.refused,
        pending_logins=context.admission.pending,
        peak_pending=context.records.totals.peak_pending,
    )


def _client(session: Session) -> ClientStatus:
    peer, record, usage = session.peer, session.record, session.record.usage
    assert peer is not None
    assert record.line is not None
    return ClientStatus(
        account=record.user,
        line=record.line.line,
        address=session.connection.address,
        port=session.connection.port,
        version=peer.version,
        build=peer.build,
        revision=peer.revision,
        extended=peer.extended,
        program=record.program,
        node_id=peer.node_id,
        connected_at=usage.connected_at,
        heard_at=usage.heard_at,
        ecms_asked=usage.ecms_asked,
        ecms_answered=usage.ecms_answered,
        emms_sent=usage.emms_sent,
        emms_passed=usage.emms_passed,
        pending=session.pending,
        cards=len(session.told),
        service=usage.service,
        last_result=usage.last_result,
        last_source=usage.last_source,
        last_seconds=usage.last_seconds,
        uses=usage.shares.uses(),
    )


def _local(source_id: SourceId, source: LocalSource, table: CardTable) -> SourceStatus:
    return SourceStatus(
        name=source.name,
        kind=SourceKind.LOCAL,
        line=0,
        state="up",
        up_at=source.up_at,
        next_attempt_at=None,
        last_failure="",
        address="",
        version="",
        build="",
        revision="",
        extended=False,
        program=source.kind,
        node_id=None,
        in_flight=0,
        cards_by_hop=_by_hop(table.cards_of(source_id)),
        cards_rejected=0,
        asked=source.usage.asked,
        answered=source.usage.answered,
        usual_seconds=source.usage.usual_seconds,
        uses=source.usage.shares.uses(),
        group="",
        rank=0,
    )


def _upstream(source_id: SourceId, source: UpstreamSource, table: CardTable) -> SourceStatus:
    protocol, peer = source.link.protocol, source.peer or Peer()
    return SourceStatus(
        name=source.name,
        kind=SourceKind.CCCAM,
        line=source.upstream.line.line,
        state=source.link.state.value,
        up_at=source.up_at,
        next_attempt_at=source.next_attempt_at,
        last_failure=source.link.last_failure,
        address=source.link.peer_address,
        version=peer.version,
        build=peer.build,
        revision=peer.revision,
        extended=peer.extended,
        program=source.program,
        node_id=peer.node_id,
        in_flight=protocol.in_flight if protocol else 0,
        cards_by_hop=_by_hop(table.cards_of(source_id)),
        cards_rejected=len(table.rejected_of(source_id)),
        asked=source.usage.asked,
        answered=source.usage.answered,
        usual_seconds=source.usage.usual_seconds,
        uses=source.usage.shares.uses(),
        group=source.upstream.group,
        rank=source.upstream.rank,
    )


def _by_hop(cards: tuple[Card, ...]) -> tuple[tuple[int, int], ...]:
    return tuple(sorted(Counter(card.hop for card in cards).items()))


def _cards(
    table: CardTable, names: Mapping[SourceId, str], sessions: list[Session]
) -> tuple[CardStatus, ...]:
    viewers: dict[ShareId, list[str]] = defaultdict(list)
    for session in sessions:
        for share_id in session.told:
            viewers[share_id].append(session.record.user)
    return tuple(
        CardStatus(
            source=names.get(card.source, ""),
            share_id=card.share_id,
            own_share_id=card.own_share_id,
            caid=card.caid,
            idents=tuple(provider.ident for provider in card.providers),
            hop=card.hop,
            reshare=card.reshare,
            path=card.path,
            assigned_sids=card.assigned_sids,
            rejected_sids=card.rejected_sids,
            seen_by=tuple(viewers[card.own_share_id]),
        )
        for card in table.cards()
    )
