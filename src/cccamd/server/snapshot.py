"""Makes the `Snapshot` of a running server, on demand and in small steps."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import replace
from heapq import nsmallest
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from cccamd.cards import Card, CardTable, SourceId
from cccamd.facts import (
    AnswerReport,
    CardStatus,
    ChannelMargin,
    ClientStatus,
    ConfigState,
    DescrambledService,
    FreezeReport,
    HistoryReport,
    LastMinute,
    LinkState,
    Note,
    ServiceAnswers,
    ServiceId,
    Snapshot,
    SourceKind,
    SourceStatus,
    Span,
)
from cccamd.ids import Caid, Ident, ShareId, Sid
from cccamd.net import Connection, Penalties
from cccamd.routing import Condition
from cccamd.server.gate import describe_penalty
from cccamd.server.local import LocalCards, LocalSource
from cccamd.server.record import ClientRecord
from cccamd.server.sessioncontext import SessionContext
from cccamd.server.upstreams import Upstreams, UpstreamSource
from cccamd.setup.cccamcfg import ChannelNames
from cccamd.values import Outcome
from cccamd.watch import History
from cccamd.wire.cccam import Identity
from cccamd.wire.link import Peer
from cccamd.workers import Member

if TYPE_CHECKING:
    from cccamd.server.fleetdesk import FleetDesk
    from cccamd.server.fleetnodes import NodeSource

S = TypeVar("S", bound=ServiceId)


class ShownClient(Protocol):
    """What may be shown of a client, whatever it speaks."""

    @property
    def peer(self) -> Peer | None:
        """Who it says it is; None before it has said so."""

    @property
    def record(self) -> ClientRecord:
        """What it did."""

    @property
    def connection(self) -> Connection[Any]:
        """The way to it."""

    @property
    def pending(self) -> int:
        """How many requests are not answered yet."""

    @property
    def told(self) -> Collection[ShareId]:
        """The cards that it may use."""

    @property
    def services(self) -> Collection["ShownService"]:
        """What it wants clear at once, over dvbapi."""


class ShownService(Protocol):
    """One of them."""

    def describe(self) -> DescrambledService:
        """What may be seen of it."""


def take_snapshot(
    *,
    clients: Iterable[ShownClient],
    config_path: str,
    config: ConfigState,
    started_at: float,
    identity: Identity,
    context: SessionContext,
    table: CardTable,
    sources: Generator[None, None, Mapping[SourceId, SourceStatus]],
    penalties: Penalties,
    workers: Sequence[Member],
    names: ChannelNames,
    fleet: "FleetDesk | None" = None,
) -> Generator[None, None, Snapshot]:
    """Look at everything once. `sources` describes them step by step.

    There may be thousands of clients and cards: each is a step (see `cccamd.net.in_slices`).
    """
    sessions = [session for session in clients if session.peer is not None]
    found = yield from sources
    described = yield from describing_clients(sessions, names)
    cards = yield from _cards(table, found, sessions)
    now = asyncio.get_running_loop().time()
    standings = yield from penalties.standing(now)
    at = time.time() + now - asyncio.get_running_loop().time()
    return Snapshot(
        at=time.time(),
        started_at=started_at,
        program=identity.program,
        node_id=identity.node_id,
        config_path=config_path,
        config=config,
        accounts=tuple(account.line.user for account in context.accounts.values()),
        clients=described,
        sources=tuple(found.values()),
        cards=cards,
        ecms_total=context.records.totals.ecms,
        emms_total=context.records.totals.emms,
        logins_failed=context.records.totals.logins_failed,
        connections_refused=context.admission.refused,
        pending_logins=context.admission.pending,
        double_logins=context.double_logins.lately(time.time()),
        clones=context.clones.clones(),
        peak_pending=context.records.totals.peak_pending,
        banned=standings.banned,
        slowed=standings.slowed,
        penalties=tuple(describe_penalty(each, now, at) for each in standings.shown),
        workers=len(workers),
        workers_away=sum(not each.pid for each in workers),
        workers_restarted=sum(max(0, each.starts - 1) for each in workers),
        fleet=None if fleet is None else fleet.describe(),
    )


def describing_clients(
    sessions: Iterable[ShownClient], names: ChannelNames
) -> Generator[None, None, tuple[ClientStatus, ...]]:
    """Say of each client that has said who it is how it does: each is a step."""
    described: list[ClientStatus] = []
    for session in sessions:
        if session.peer is not None:
            described.append(describe_client(session, names))
        yield
    return tuple(described)


def describing_sources(
    table: CardTable,
    upstreams: Upstreams,
    local_cards: LocalCards,
    condition: Callable[[SourceId], Condition],
    fleet: "FleetDesk | None" = None,
) -> Generator[None, None, dict[SourceId, SourceStatus]]:
    """Say of each source how it does: each is a step.

    `condition` tells how it answers; its times are the wall clock's.
    """
    sources: dict[SourceId, SourceStatus] = {}
    for source_id, local in tuple(local_cards.sources()):
        if table.knows(source_id):
            cards = _Cards.of(table, source_id)
            sources[source_id] = _local(local, cards, condition(source_id))
        yield
    for source_id, source in upstreams.sources():
        if table.knows(source_id):
            cards = _Cards.of(table, source_id)
            sources[source_id] = _upstream(source, cards, condition(source_id))
        yield
    for source_id, shared in tuple(fleet.nodes.sources()) if fleet is not None else ():
        if table.knows(source_id):
            cards = _Cards.of(table, source_id)
            sources[source_id] = _of_node(shared, cards, condition(source_id))
        yield
    return sources


def named(channel: S, names: ChannelNames) -> S:
    """Say what CCcam.channelinfo calls a channel."""
    name = names.name(channel.caid, channel.ident, channel.sid)
    return replace(channel, name=name)


def find_channels(names: ChannelNames, words: str, most: int) -> tuple[ServiceId, ...]:
    """At most so many channels with all these words in their name: those called just so first."""
    wanted = words.casefold().split()
    found = (
        (" ".join(name.casefold().split()) != " ".join(wanted), name.casefold(), key, name)
        for key, name in names.names.items()
        if all(word in name.casefold() for word in wanted)
    )
    best = nsmallest(most, found)
    # Where one is called just so, nobody means the others.
    exact = [one for one in best if not one[0]] or best
    return tuple(
        ServiceId(Caid(caid), Ident(ident), Sid(sid), name)
        for _, _, (caid, ident, sid), name in exact
    )


def named_notes(notes: Iterable[Note], names: ChannelNames) -> tuple[Note, ...]:
    """Say what the channels in them are called."""
    return tuple(
        note if note.service is None else replace(note, service=named(note.service, names))
        for note in notes
    )


def named_report(report: FreezeReport, names: ChannelNames) -> Generator[None, None, FreezeReport]:
    """Say what the channels in it are called; each is a step."""
    channels: list[ChannelMargin] = []
    for channel in report.channels:
        channels.append(named(channel, names))
        yield
    return FreezeReport(
        channels=tuple(channels),
        freezes=tuple(named(freeze, names) for freeze in report.freezes),
        receivers=tuple(named(finding, names) for finding in report.receivers),
    )


def named_answers(report: AnswerReport, names: ChannelNames) -> Generator[None, None, AnswerReport]:
    """Say what the channels in it are called; each is a step."""
    services: list[ServiceAnswers] = []
    for service in report.services:
        services.append(named(service, names))
        yield
    return replace(report, services=tuple(services))


def take_history(history: History, span: Span, names: ChannelNames) -> HistoryReport:
    """Read the answer times up to now."""
    now = time.time()
    return HistoryReport(
        at=now,
        span=span,
        step=span.step,
        sources=history.sources(span, now=now),
        channels=tuple(
            replace(channel, service=named(channel.service, names))
            for channel in history.channels(span, now=now)
        ),
    )


def describe_client(session: ShownClient, names: ChannelNames) -> ClientStatus:
    """What may be seen of a client that has said who it is."""
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
        service=None if usage.service is None else named(usage.service, names),
        last_result=usage.last_result,
        last_source=usage.last_source,
        last_seconds=usage.last_seconds,
        uses=usage.shares.uses() if usage.shares is not None else (),
        paired=session.connection.paired.name if session.connection.paired else "",
        descrambling=len(session.services),
        services=tuple(named(each.describe(), names) for each in session.services),
    )


class _Cards(NamedTuple):
    """How many cards a source has."""

    taken: int
    rejected: int
    by_hop: Mapping[int, int]

    @classmethod
    def of(cls, table: CardTable, source: SourceId) -> "_Cards":
        return cls(table.count_of(source), table.rejected_count_of(source), table.hops_of(source))


def _local(source: LocalSource, cards: _Cards, condition: Condition) -> SourceStatus:
    return SourceStatus(
        name=source.name,
        kind=SourceKind.LOCAL,
        line=0,
        state=LinkState.UP,
        up_at=source.up_at,
        program=source.kind,
        cards=cards.taken,
        cards_by_hop=cards.by_hop,
        asked=source.usage.asked,
        answered=source.usage.answered,
        silent_since=condition.silent_since,
        last_minute=_last_minute(condition),
        usual_seconds=condition.usual,
        uses=source.usage.shares.uses(),
    )


def _of_node(source: "NodeSource", cards: _Cards, condition: Condition) -> SourceStatus:
    return SourceStatus(
        name=source.name,
        kind=SourceKind.FLEET,
        line=0,
        state=LinkState.UP,
        up_at=source.up_at,
        cards=cards.taken,
        cards_by_hop=cards.by_hop,
        cards_rejected=cards.rejected,
        asked=source.usage.asked,
        answered=source.usage.answered,
        silent_since=condition.silent_since,
        last_minute=_last_minute(condition),
        usual_seconds=condition.usual,
        uses=source.usage.shares.uses(),
    )


def _upstream(source: UpstreamSource, cards: _Cards, condition: Condition) -> SourceStatus:
    protocol, peer, failure = source.link.protocol, source.peer or Peer(), source.link.failure
    return SourceStatus(
        name=source.name,
        kind=source.upstream.kind,
        line=source.upstream.line.line,
        state=source.link.state,
        up_at=source.up_at,
        next_attempt_at=source.next_attempt_at,
        down_since=source.down_since,
        last_failure=failure.text if failure is not None else "",
        failed_step=failure.step if failure is not None else None,
        address=source.link.peer_address,
        version=peer.version,
        build=peer.build,
        revision=peer.revision,
        extended=peer.extended,
        program=source.program,
        node_id=peer.node_id,
        in_flight=protocol.in_flight if protocol else 0,
        cards=cards.taken,
        cards_by_hop=cards.by_hop,
        cards_rejected=cards.rejected,
        asked=source.usage.asked,
        answered=source.usage.answered,
        silent_since=condition.silent_since,
        last_minute=_last_minute(condition),
        usual_seconds=condition.usual,
        paired=source.upstream.paired,
        tls_port=source.upstream.tls_port,
        uses=source.usage.shares.uses(),
        group=source.upstream.group,
        rank=source.upstream.rank,
    )


def _last_minute(condition: Condition) -> LastMinute:
    count = condition.outcomes
    return LastMinute(
        answered=count[Outcome.ANSWERED],
        slow=condition.slow,
        late=condition.late,
        cannot_decode=count[Outcome.CANNOT_DECODE],
        refused=count[Outcome.REFUSED] + count[Outcome.ASLEEP] + count[Outcome.FAILED],
        no_answer=count[Outcome.NO_ANSWER],
        zero=count[Outcome.ZERO],
        checksum=count[Outcome.CHECKSUM],
        repeated=count[Outcome.REPEATED],
        lost=count[Outcome.LOST] + count[Outcome.WITHDRAWN],
    )


def _cards(
    table: CardTable, sources: Mapping[SourceId, SourceStatus], sessions: list[ShownClient]
) -> Generator[None, None, tuple[CardStatus, ...]]:
    seen_by = yield from _audiences(sessions)
    cards: list[CardStatus] = []
    for share_id in tuple(table.share_ids()):  # some may be gone when it is their turn
        audience = seen_by.get(share_id, ())
        cards += (_card(card, sources, audience) for card in table.ways_to(share_id))
        yield
    return tuple(cards)


def _audiences(
    sessions: list[ShownClient],
) -> Generator[None, None, Mapping[ShareId, tuple[str, ...]]]:
    """By card, the accounts that were told of it; equal audiences are one object."""
    lists: dict[int, Collection[ShareId]] = {}
    alike: dict[int, list[int]] = defaultdict(list)
    for number, session in enumerate(sessions):  # those with the same rights share one list
        lists[id(session.told)] = session.told
        alike[id(session.told)].append(number)
        yield
    groups = list(alike.values())
    told: dict[ShareId, list[int]] = defaultdict(list)
    for group, cards in enumerate(lists.values()):
        for share_id in cards:
            told[share_id].append(group)
            yield
    audiences: dict[tuple[int, ...], tuple[str, ...]] = {}
    found: dict[ShareId, tuple[str, ...]] = {}
    for share_id, members in told.items():
        key = tuple(members)
        if key not in audiences:
            numbers = sorted(number for group in members for number in groups[group])
            accounts = dict.fromkeys(sessions[number].record.user for number in numbers)
            audiences[key] = tuple(accounts)
        found[share_id] = audiences[key]
        yield
    return found


def _card(
    card: Card,
    sources: Mapping[SourceId, SourceStatus],
    seen_by: tuple[str, ...],
) -> CardStatus:
    return CardStatus(
        source=sources[card.source].name if card.source in sources else "",
        share_id=card.share_id,
        own_share_id=card.own_share_id,
        caid=card.caid,
        idents=tuple(provider.ident for provider in card.providers),
        hop=card.hop,
        reshare=card.reshare,
        path=card.path,
        assigned_sids=card.assigned_sids,
        rejected_sids=card.rejected_sids,
        seen_by=seen_by,
    )
