"""The picture of the network as nodes and edges: who gets what from whom, by hops.

Column 0 is us, receivers are in column 1, sources in column -1, nodes behind them further left.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from cccamd.facts import CardStatus, EcmResult, Snapshot, SourceKind
from cccamd.ids import NodeId, format_node_id
from cccamd.web.context import Json, explain_link

US: Final = "us"
COLUMN_LIMIT: Final = 14
"""How many are drawn in one column; the rest is counted."""
WORDS_LIMIT: Final = 100
"""Of how many clients it is said what they get."""
VIEWERS_LIMIT: Final = 6
"""How many of those whom a node gives cards to are named."""


@dataclass(slots=True)
class _Drawing:
    columns: dict[str, int] = field(default_factory=dict)
    """By node, its distance: 1 is a source."""
    edges: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Cards that travel from one to the next."""
    reach: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """By account, the nodes that its cards come through."""
    seen: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By account and source, how many cards."""


def network(snapshot: Snapshot) -> Json:
    """Draw who is there, and the ways that cards take."""
    drawing = _draw(snapshot.cards)
    nodes, hidden = _cut(_nodes(snapshot, drawing))
    _name_viewers(nodes, drawing)
    shown = {str(node["id"]) for node in nodes}
    return {
        "nodes": nodes,
        "hidden": hidden,
        "edges": _edges(snapshot, drawing, shown),
        "gets": _gets(snapshot, drawing),
    }


def _draw(cards: Iterable[CardStatus]) -> _Drawing:
    drawing = _Drawing()
    # Thousands of cards come on few ways and are seen by the same clients.
    alike = Counter((card.source, card.path, card.seen_by) for card in cards)
    for (source, path, seen_by), count in alike.items():
        way = _way(source, path)
        for distance, node in enumerate(way, start=1):
            drawing.columns[node] = min(distance, drawing.columns.get(node, distance))
        for nearer, farther in pairwise(way):
            drawing.edges[farther, nearer] += count
        drawing.edges[way[0], US] += count
        for account in seen_by:
            drawing.reach[account].update(way)
            drawing.seen[account, source] += count
    return drawing


def _way(source: str, path: tuple[NodeId, ...]) -> list[str]:
    """The nodes from us to a card. The nearest of the path is the source itself."""
    farther = [f"node:{format_node_id(node_id)}" for node_id in reversed(path[:-1])]
    return [_source_id(source), *farther]


def _nodes(snapshot: Snapshot, drawing: _Drawing) -> list[dict[str, Json]]:
    nodes: list[dict[str, Json]] = [
        _node(US, "us", "this server", 0, state="up", note=format_node_id(snapshot.node_id))
    ]
    for source in snapshot.sources:
        kind = "card" if source.kind is SourceKind.LOCAL else "source"
        note = f"{source.cards} cards" if source.cards != 1 else "1 card"
        nodes.append(
            _node(
                _source_id(source.name), kind, source.name, -1, state=source.state.value, note=note
            )
        )
    for node, distance in sorted(drawing.columns.items()):
        if node.startswith("node:"):
            label = node.removeprefix("node:")
            nodes.append(_node(node, "node", label, -distance, state="up", note=f"hop {distance}"))
    for client in snapshot.clients:
        state = "nok" if client.last_result not in (None, EcmResult.CW) else "up"
        note = "1 card" if client.cards == 1 else f"{client.cards} cards"
        nodes.append(
            _node(_client_id(client.account), "client", client.account, 1, state=state, note=note)
        )
    return nodes


def _node(
    identifier: str, kind: str, label: str, column: int, *, state: str, note: str
) -> dict[str, Json]:
    return {
        "id": identifier,
        "kind": kind,
        "label": label,
        "column": column,
        "state": state,
        "note": note,
    }


def _cut(nodes: list[dict[str, Json]]) -> tuple[list[dict[str, Json]], Mapping[str, Json]]:
    """Keep the first nodes of each column; count the others."""
    kept: list[dict[str, Json]] = []
    counts: Counter[str] = Counter()
    for node in nodes:
        column = str(node["column"])
        counts[column] += 1
        if counts[column] <= COLUMN_LIMIT:
            kept.append(node)
    hidden = {
        column: count - COLUMN_LIMIT for column, count in counts.items() if count > COLUMN_LIMIT
    }
    return kept, hidden


def _name_viewers(nodes: list[dict[str, Json]], drawing: _Drawing) -> None:
    for node in nodes:
        viewers = [account for account, reach in drawing.reach.items() if node["id"] in reach]
        node["viewers"] = {"names": viewers[:VIEWERS_LIMIT], "total": len(viewers)}


def _edges(snapshot: Snapshot, drawing: _Drawing, shown: set[str]) -> list[Json]:
    edges: list[Json] = [
        {"from": farther, "to": nearer, "cards": cards, "live": False}
        for (farther, nearer), cards in drawing.edges.items()
        if farther in shown and nearer in shown
    ]
    linked = {farther for farther, nearer in drawing.edges if nearer == US}
    for source in snapshot.sources:
        identifier = _source_id(source.name)
        if identifier in shown and identifier not in linked:
            edges.append({"from": identifier, "to": US, "cards": 0, "live": False})
    for client in snapshot.clients:
        identifier = _client_id(client.account)
        if identifier in shown:
            live = client.last_result is EcmResult.CW
            edges.append({"from": US, "to": identifier, "cards": client.cards, "live": live})
    return edges


def _gets(snapshot: Snapshot, drawing: _Drawing) -> Json:
    """By client: how many cards from which source, and through which nodes."""
    gets: dict[str, Json] = {}
    for client in snapshot.clients[:WORDS_LIMIT]:
        account = client.account
        sources: list[Json] = [
            {"source": source.name, "cards": drawing.seen[account, source.name]}
            for source in snapshot.sources
            if drawing.seen[account, source.name]
        ]
        gets[_client_id(account)] = {
            "account": account,
            "explain": explain_link(account=account),
            "sources": sources,
            "nodes": sorted(drawing.reach.get(account, ())),
            "through": _source_id(client.last_source) if client.last_source else "",
        }
    return gets


def _source_id(name: str) -> str:
    return f"source:{name}"


def _client_id(account: str) -> str:
    return f"client:{account}"
