"""The tables of the old info pages: a snapshot in, text out.

Many tools on receivers read these texts; what each needs is why they look as they do.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from cccamd.facts import (
    ACTIVE_SECONDS,
    CardStatus,
    ClientStatus,
    EcmResult,
    ShareUse,
    Snapshot,
    SourceKind,
    SourceStatus,
    is_active,
)
from cccamd.ids import (
    Caid,
    Ident,
    format_caid,
    format_ident,
    format_node_id,
    format_service,
    format_short,
)
from cccamd.oldinfo.words import (
    TextColumn,
    clean,
    clean_word,
    draw_table,
    duration,
    ratio,
    system_name,
    unique_words,
)

_TYPES: Final = {SourceKind.CCCAM: "CCcam-s2s", SourceKind.NEWCAMD: "Newcamd"}
_RESULTS: Final = {
    EcmResult.CW: "(ok)",
    EcmResult.NOK1: "(nok1)",
    EcmResult.NOK2: "(nok2)",
}

_CLIENTS: Final = (
    TextColumn(" Username"),
    TextColumn(" Host "),
    TextColumn(" Connected "),
    TextColumn(" Idle time "),
    TextColumn(" ECM "),
    TextColumn(" EMM "),
    TextColumn(" Version"),
    TextColumn(" Last used share "),
)
_ECM_TIME: Final = TextColumn(" Ecm time ")
_SHAREINFO: Final = (TextColumn(" Username"), TextColumn(" Shareinfo "))
_SERVERS: Final = (
    TextColumn(" Host "),
    TextColumn(" Connected "),
    TextColumn(" Type "),
    TextColumn(" Version"),
    TextColumn(" NodeID "),
    TextColumn(" Cards ", right=True),
    TextColumn(" CAID/Idents "),
)
_SHARES: Final = (
    TextColumn(" Host "),
    TextColumn(" Type "),
    TextColumn("Caid", right=True),
    TextColumn(" System "),
    TextColumn(" Providers"),
    TextColumn("Uphops ", below="Maxdown"),
    TextColumn(" Nodes "),
)
_PROVIDERS: Final = (
    TextColumn("Caid", right=True),
    TextColumn(" Provider ", right=True),
    TextColumn(" Provider Name"),
    TextColumn(" System "),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the settings say about the old pages, and where providers' names come from."""

    extended: bool = True
    """SHOW EXTENEDED CLIENT INFO: list what each client asked for."""
    timing: bool = False
    """SHOW TIMING: a ninth column with the time of the last answer."""
    provider_name: Callable[[Caid, Ident], str | None]


def clients_text(snapshot: Snapshot, look: Look) -> str:
    """Draw `/clients`."""
    head = f"Connected clients: {len(snapshot.clients)}\n"
    return head + _client_tables(_named(snapshot), snapshot.at, look)


def active_clients_text(snapshot: Snapshot, look: Look) -> str:
    """Draw `/activeclients`."""
    named = [(name, client) for name, client in _named(snapshot) if is_active(client, snapshot.at)]
    head = (
        f"Connected clients: {len(snapshot.clients)}\n"
        f"{len(named)} ACTIVE CLIENTS IN LAST {ACTIVE_SECONDS} SECONDS\n"
    )
    return head + _client_tables(named, snapshot.at, look)


_NamedClient = tuple[str, ClientStatus]


def _named(snapshot: Snapshot) -> list[_NamedClient]:
    """Name the clients before any is left out, so that a name is the same on both pages."""
    names = unique_words(client.account for client in snapshot.clients)
    return list(zip(names, snapshot.clients, strict=True))


def _client_tables(named: list[_NamedClient], at: float, look: Look) -> str:
    columns = (*_CLIENTS, _ECM_TIME) if look.timing else _CLIENTS
    first = draw_table(columns, (_client_row(name, client, at, look) for name, client in named))
    shares = _share_rows(named) if look.extended else ()
    return f"{first}\n{draw_table(_SHAREINFO, shares)}"


def _client_row(name: str, client: ClientStatus, at: float, look: Look) -> tuple[str, ...]:
    row = (
        name,
        clean_word(client.address),
        duration(max(1.0, at - client.connected_at)),  # some readers divide by it
        duration(at - client.heard_at),
        ratio(client.ecms_asked, client.ecms_answered),
        ratio(client.emms_sent, client.emms_passed),
        clean_word(client.version),
        _last_used_share(client),
    )
    return (*row, _ecm_time(client)) if look.timing else row


def _last_used_share(client: ClientStatus) -> str:
    service, result = client.service, client.last_result
    if service is None or result is None:
        return ""
    name = clean(service.name or "")
    numbers = format_service(service.caid, service.ident, service.sid).lower()
    return f"{name or numbers} {_RESULTS[result]}"


def _ecm_time(client: ClientStatus) -> str:
    return "" if client.last_seconds is None else f"{client.last_seconds:.3f}s"


def _share_rows(named: Iterable[_NamedClient]) -> Iterator[tuple[str, str]]:
    for name, client in named:
        for index, use in enumerate(client.uses):
            yield ("" if index else name, _use(use))


def _use(use: ShareUse) -> str:
    kind = "local" if use.local else "remote"
    system = f"{format_caid(use.caid)}:{format_ident(use.ident)}".lower()
    return f"{kind} {system} {ratio(use.asked, use.answered)}"


def servers_text(snapshot: Snapshot) -> str:
    """Draw `/servers`."""
    servers = _servers(snapshot)
    rows = (row for server in servers for row in _server_rows(server, snapshot.at))
    return f"Server connections: {len(servers)}\n{draw_table(_SERVERS, rows)}"


def _servers(snapshot: Snapshot) -> list[SourceStatus]:
    return [source for source in snapshot.sources if source.kind is not SourceKind.LOCAL]


def _server_rows(server: SourceStatus, at: float) -> Iterator[tuple[str, ...]]:
    uses = [_use(use) for use in server.uses]
    yield (
        clean_word(server.name),
        "" if server.up_at is None else duration(at - server.up_at),
        _TYPES.get(server.kind, server.kind.value),
        clean_word(server.version),
        "" if server.node_id is None else format_node_id(server.node_id),
        str(server.cards),
        uses[0] if uses else "",
    )
    for use in uses[1:]:
        yield ("",) * (len(_SERVERS) - 1) + (use,)


def shares_text(snapshot: Snapshot) -> str:
    """Draw `/shares`."""
    servers = {server.name: server for server in _servers(snapshot)}
    rows = (_card_row(card, servers.get(card.source), snapshot) for card in snapshot.cards)
    return f"Available shares: {len(snapshot.cards)}\n\n{draw_table(_SHARES, rows)}"


def _card_row(card: CardStatus, server: SourceStatus | None, snapshot: Snapshot) -> tuple[str, ...]:
    """One share. Without a server it is one of our own cards, at no distance.

    A share that is further away must name a host that `/servers` lists, or readers fail; so
    the name of a card of ours must not look like one of those.
    """
    own = server is None
    return (
        clean_word(card.source).replace(":", "_") if own else clean_word(card.source),
        "local" if server is None else _TYPES.get(server.kind, server.kind.value),
        format_short(card.caid),
        system_name(card.caid),
        ",".join(format_short(ident) for ident in card.idents),
        f"{0 if own else card.hop}   {card.reshare}",  # readers split at just three blanks
        _nodes(card, server, snapshot),
    )


def _nodes(card: CardStatus, server: SourceStatus | None, snapshot: Snapshot) -> str:
    """The nodes on the way to a card. The last is the card's own, as readers expect."""
    if server is None:
        return f"{format_node_id(snapshot.node_id)}_{format_short(card.own_share_id)}"
    path = card.path or ((server.node_id,) if server.node_id else ())
    return ",".join(
        f"{format_node_id(node)}_{format_short(card.share_id)}" for node in reversed(path)
    )


def providers_text(snapshot: Snapshot, look: Look) -> str:
    """Draw `/providers`: each CAID and provider of `/shares` once."""
    found = {(card.caid, ident) for card in snapshot.cards for ident in card.idents}
    rows = (_provider_row(caid, ident, look) for caid, ident in sorted(found))
    return f"Available providers: \n\n{draw_table(_PROVIDERS, rows)}"


def _provider_row(caid: Caid, ident: Ident, look: Look) -> tuple[str, ...]:
    return (
        format_short(caid),
        format_short(ident) if ident else "",
        clean(look.provider_name(caid, ident) or "") or "Unknown",
        system_name(caid),
    )


def entitlements_text(snapshot: Snapshot) -> str:
    """Draw `/entitlements`: one block for each card of ours."""
    own = [source for source in snapshot.sources if source.kind is SourceKind.LOCAL]
    return "".join(_entitlement(source, snapshot.cards) for source in own)


def _entitlement(source: SourceStatus, cards: tuple[CardStatus, ...]) -> str:
    """One card. No name in it may hold a blank, or it could look like a line for a reader."""
    lines = [f"card reader {clean_word(source.name)}"]
    for card in cards:
        if card.source == source.name:
            lines += _card_lines(card)
    if len(lines) == 1:
        lines.append("no or unknown card inserted")
    elif source.program:
        lines.insert(1, f"kind: {clean_word(source.program)}")
    if source.asked:
        lines.append(f"handled {ratio(source.asked, source.answered)} ecms")
    return "\n".join(lines) + "\n\n"


def _card_lines(card: CardStatus) -> Iterator[str]:
    yield f"caid: {format_caid(card.caid).lower()} system: {system_name(card.caid)}"
    for ident in card.idents:
        yield f"provider: {format_ident(ident).lower()}"
