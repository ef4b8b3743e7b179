"""Evidence from files alone: accounts, limits, and the local cards that are configured."""

from collections.abc import Mapping

from cccamd.cards import CardTable, LocalCard, SourceId
from cccamd.facts import LinkState, SourceKind, SourceStatus
from cccamd.ids import NO_NODE_ID, format_endpoint
from cccamd.routing import Priorities
from cccamd.setup.cccamcfg import CLine, Config
from cccamd.setup.toml import CardEntry, TomlConfig
from cccamd.why.evidence import Evidence
from cccamd.wire.cccam import Provider


def evidence_of_files(
    config: Config,
    toml: TomlConfig,
    priorities: Priorities,
    *,
    at: float,
    minute: int,
) -> Evidence:
    """Put into a card table what a server would put there by itself. Nothing is started."""
    table = CardTable(NO_NODE_ID)
    sources: dict[SourceId, SourceStatus] = {}
    for entry in toml.cards:
        source = table.add_source()
        table.add_local(source, local_card(entry))
        sources[source] = _status(entry.config.name, SourceKind.LOCAL, line=0, cards={0: 1})
    for line in config.c_lines:
        sources[table.add_source()] = _upstream(line)
    return Evidence(
        live=False,
        at=at,
        minute=minute,
        config=config,
        toml=toml,
        priorities=priorities,
        table=table,
        sources=sources,
    )


def local_card(entry: CardEntry) -> LocalCard:
    """What a card of cccamd.toml is announced as, as far as it decides who sees it."""
    config = entry.config
    return LocalCard(
        caid=config.caid,
        reshare=config.reshare,
        providers=tuple(Provider(ident) for ident in config.providers),
        assigned_sids=config.sids,
    )


def _upstream(line: CLine) -> SourceStatus:
    return _status(
        format_endpoint(line.host, line.port), SourceKind.CCCAM, line=line.line, cards={}
    )


def _status(
    name: str,
    kind: SourceKind,
    *,
    line: int,
    cards: Mapping[int, int],
) -> SourceStatus:
    return SourceStatus(
        name=name,
        kind=kind,
        line=line,
        state=LinkState.NOT_RUNNING,
        up_at=None,
        next_attempt_at=None,
        last_failure="",
        address="",
        version="",
        build="",
        revision=None,
        extended=False,
        program="",
        node_id=None,
        in_flight=0,
        cards=sum(cards.values()),
        cards_by_hop=cards,
        cards_rejected=0,
        asked=0,
        answered=0,
        usual_seconds=None,
        uses=(),
        group="",
        rank=0,
    )
