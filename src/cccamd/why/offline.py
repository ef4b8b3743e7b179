"""Evidence from files alone: accounts, limits, and the local cards that are configured."""

from cccamd.cards import CardTable, LocalOffer, SourceId
from cccamd.facts import LinkState, SourceKind, SourceStatus
from cccamd.ids import NO_NODE_ID, format_endpoint
from cccamd.routing import Priorities
from cccamd.setup.cccamcfg import CLine, Config
from cccamd.setup.toml import CardEntry, TomlConfig
from cccamd.values import Provider
from cccamd.why.evidence import Evidence


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
        sources[source] = _local(entry)
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


def local_card(entry: CardEntry) -> LocalOffer:
    """What a card of cccamd.toml is announced as, as far as it decides who sees it."""
    config = entry.config
    return LocalOffer(
        caid=config.caid,
        reshare=config.reshare,
        providers=tuple(Provider(ident) for ident in config.providers),
        assigned_sids=config.sids,
    )


def _local(entry: CardEntry) -> SourceStatus:
    return SourceStatus(
        name=entry.config.name,
        kind=SourceKind.LOCAL,
        line=0,
        state=LinkState.NOT_RUNNING,
        cards=1,
        cards_by_hop={0: 1},
    )


def _upstream(line: CLine) -> SourceStatus:
    return SourceStatus(
        name=format_endpoint(line.host, line.port),
        kind=SourceKind.CCCAM,
        line=line.line,
        state=LinkState.NOT_RUNNING,
    )
