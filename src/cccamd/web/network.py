"""The picture of the network as nodes and edges: who gets what from whom, by hops.

Column 0 is us, receivers are in column 1, sources in column -1, nodes behind them further left.
A column that is too long is drawn in groups; who is in trouble is always drawn by itself.
"""

from collections import Counter, defaultdict
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, Protocol

from cccamd.facts import CardStatus, ClientStatus, EcmResult, Snapshot, SourceKind, SourceStatus
from cccamd.ids import NodeId, format_node_id
from cccamd.web.context import Json, explain_link
from cccamd.web.versions import Row, Rows
from cccamd.wording import count

US: Final = "us"
COLUMN_LIMIT: Final = 12
"""Up to so many of one column are drawn each by itself."""
TROUBLED_LIMIT: Final = 40
"""Of those in trouble; more are a group of their own."""
ALONE: Final = 6
"""How many of a column that is too long are drawn by themselves though nothing is wrong."""
NAMED: Final = 6
"""How many are named in a sentence."""
MEMBERS_LIMIT: Final = 100
"""How many of a group are named."""
NODES_AT_ONCE: Final = 100
ACCOUNTS_AT_ONCE: Final = 2000


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a client or a source: 2 is bad, 1 is worth a look, 0 is well."""

    weight: int
    text: str

    def row(self) -> dict[str, Json]:
        """As a part of a row."""
        return {"weight": self.weight, "trouble": self.text}


class Troubles(Protocol):
    """Says what is wrong with whom."""

    def of_client(self, client: ClientStatus) -> Trouble:
        """What is wrong with a client."""

    def of_source(self, source: SourceStatus) -> Trouble:
        """What is wrong with a source."""


@dataclass(frozen=True, slots=True)
class _View:
    """What those see who were told of the same cards."""

    nodes: frozenset[str]
    """Through which the cards come."""
    cards: Mapping[str, int]
    """How many from which source."""


_NOTHING: Final = _View(frozenset(), {})


@dataclass(slots=True)
class _Ways:
    """The ways that cards take."""

    distance: dict[str, int] = field(default_factory=dict)
    """By node; 1 is a source."""
    edges: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Cards that travel from one to the next."""
    views: dict[str, _View] = field(default_factory=dict)
    """By account; equal ones are one object."""


@dataclass(slots=True)
class _Viewers:
    """Whom a node gives cards to: the first of them, and how many."""

    names: list[str] = field(default_factory=list)
    count: int = 0


@dataclass(slots=True, kw_only=True)
class _Node:
    """One that may be drawn."""

    id: str
    kind: str
    label: str
    column: int
    note: str
    trouble: Trouble = Trouble(0, "")
    weight: float = 0.0
    """What is left over when a column is too long is the lightest."""
    words: str = ""
    client: ClientStatus | None = None
    through: frozenset[str] = frozenset()
    """Of a receiver: the nodes that its cards come through."""
    live: bool = False
    cards: int = 0
    members: tuple[str, ...] = ()
    count: int = 1
    paired: str = ""
    """The paired server that it has to be; its link is protected by TLS then."""


def network(snapshot: Snapshot, troubles: Troubles) -> Generator[None, None, tuple[Rows, Rows]]:
    """Draw who is there, and the ways that cards take: nodes and edges."""
    ways = yield from _ways(snapshot.cards)
    columns: dict[int, list[_Node]] = defaultdict(list)
    for number, node in enumerate(_nodes(snapshot, ways, troubles), 1):
        columns[node.column].append(node)
        if not number % NODES_AT_ONCE:
            yield
    drawn: dict[str, _Node] = {}
    place: dict[str, str] = {}
    for nodes in columns.values():
        for group in _grouped(nodes):
            node = _merged(group) if len(group) > 1 else group[0]
            drawn[node.id] = node
            place.update((member.id, node.id) for member in group)
            yield
    viewers = yield from _viewers(ways)
    rows = {
        node.id: _row(node, number, place, _words(node, ways, viewers))
        for number, node in enumerate(drawn.values())
    }
    return rows, _edges(ways, drawn, place)


# The ways of cards.


def _ways(cards: Iterable[CardStatus]) -> Generator[None, None, _Ways]:
    ways = _Ways()
    # Thousands of cards come on few ways and are seen by the same thousands of clients: these are
    # gone through once for each audience. Who makes the snapshot has one object for one audience.
    audiences: dict[int, tuple[tuple[str, ...], Counter[tuple[str, tuple[NodeId, ...]]]]] = {}
    for card in cards:
        audience = audiences.setdefault(id(card.seen_by), (card.seen_by, Counter()))
        audience[1][card.source, card.path] += 1
        yield
    belongs: dict[str, list[int]] = defaultdict(list)
    for number, (accounts, shares) in audiences.items():
        for (source, path), many in shares.items():
            _go(ways, _way(source, path), many)
            yield
        for start in range(0, len(accounts), ACCOUNTS_AT_ONCE):
            for account in accounts[start : start + ACCOUNTS_AT_ONCE]:
                belongs[account].append(number)
            yield
    views: dict[tuple[int, ...], _View] = {}
    for account, numbers in belongs.items():
        key = tuple(numbers)
        if key not in views:
            views[key] = _view([audiences[number][1] for number in numbers])
            yield
        ways.views[account] = views[key]
    yield
    return ways


def _go(ways: _Ways, way: list[str], count: int) -> None:
    for distance, node in enumerate(way, start=1):
        ways.distance[node] = min(distance, ways.distance.get(node, distance))
    for nearer, farther in pairwise(way):
        ways.edges[farther, nearer] += count
    ways.edges[way[0], US] += count


def _view(audiences: Iterable[Mapping[tuple[str, tuple[NodeId, ...]], int]]) -> _View:
    nodes: set[str] = set()
    cards: Counter[str] = Counter()
    for shares in audiences:
        for (source, path), many in shares.items():
            nodes.update(_way(source, path))
            cards[source] += many
    return _View(frozenset(nodes), cards)


def _viewers(ways: _Ways) -> Generator[None, None, Mapping[str, _Viewers]]:
    """By node."""
    accounts: dict[int, tuple[_View, list[str]]] = {}
    for account, view in ways.views.items():
        accounts.setdefault(id(view), (view, []))[1].append(account)
    yield
    viewers: dict[str, _Viewers] = defaultdict(_Viewers)
    for view, names in accounts.values():
        for node in view.nodes:
            found = viewers[node]
            found.names += names[: NAMED - len(found.names)]
            found.count += len(names)
        yield
    return viewers


def _way(source: str, path: tuple[NodeId, ...]) -> list[str]:
    """The nodes from us to a card. The nearest of the path is the source itself."""
    farther = [f"node:{format_node_id(node_id)}" for node_id in reversed(path[:-1])]
    return [_source_id(source), *farther]


# Everybody there is.


def _nodes(snapshot: Snapshot, ways: _Ways, troubles: Troubles) -> Iterator[_Node]:
    words = "This server passes on what is on its left to whoever is on its right."
    note = format_node_id(snapshot.node_id)
    yield _Node(id=US, kind="us", label="this server", column=0, note=note, words=words)
    for source in snapshot.sources:
        yield _source(source, troubles.of_source(source))
    carried = Counter[str]()
    for (farther, _), cards in ways.edges.items():
        carried[farther] += cards
    for node, distance in ways.distance.items():
        if node.startswith("node:"):
            yield _Node(
                id=node,
                kind="node",
                label=node.removeprefix("node:"),
                column=-distance,
                note=count(carried[node], "card"),
                weight=carried[node],
            )
    drawn: set[str] = set()
    for client in snapshot.clients:
        view = ways.views.get(client.account, _NOTHING)
        found = _client(client, troubles.of_client(client), view)
        if client.account in drawn:  # an account may have several
            found.id += f" {client.address} {client.port}"
        drawn.add(client.account)
        yield found


def _source(source: SourceStatus, trouble: Trouble) -> _Node:
    return _Node(
        id=_source_id(source.name),
        kind="card" if source.kind is SourceKind.LOCAL else "source",
        label=source.name,
        column=-1,
        note=_note(source.cards, source.paired),
        trouble=trouble,
        weight=source.cards,
        paired=source.paired,
        cards=source.cards,
    )


def _client(client: ClientStatus, trouble: Trouble, view: _View) -> _Node:
    return _Node(
        id=f"client:{client.account}",
        kind="client",
        label=client.account,
        column=1,
        note=_note(client.cards, client.paired),
        paired=client.paired,
        trouble=trouble,
        weight=client.heard_at,
        client=client,
        through=view.nodes,
        live=client.last_result is EcmResult.CW,
        cards=client.cards,
    )


def _note(cards: int, paired: str) -> str:
    return count(cards, "card") + (", TLS" if paired else "")


def _words(node: _Node, ways: _Ways, viewers: Mapping[str, _Viewers]) -> str:
    """What is to be said of a node, in sentences."""
    said = _said(node, ways, viewers)
    return f"{said} Its link is protected by TLS: paired as {node.paired}." if node.paired else said


def _said(node: _Node, ways: _Ways, viewers: Mapping[str, _Viewers]) -> str:
    if node.words:
        return node.words
    if node.client is None:
        seen = viewers.get(node.id, _Viewers())
        whom = _some(seen.names, seen.count) or "nobody who is on now"
        return f"{node.label} gives cards to {whom}."
    account, last = node.client.account, node.client.last_source
    cards = ways.views.get(account, _NOTHING).cards
    gets = ", ".join(f"{count(number, 'card')} from {source}" for source, number in cards.items())
    came = f" The last CW came from {last}." if last else ""
    return f"{account} gets {gets}.{came}" if gets else f"{account} gets 0 cards."


def _some(names: list[str], number: int) -> str:
    shown = names[:NAMED]
    more = number - len(shown)
    return ", ".join(shown) + (f" and {count(more, 'other')}" if more > 0 else "")


# What is too much for one column.


def _grouped(nodes: list[_Node]) -> Iterator[list[_Node]]:
    """Those in trouble first, each by itself; of the others only some when there are too many."""
    troubled = [node for node in nodes if node.trouble.weight]
    troubled.sort(key=lambda node: (-node.trouble.weight, node.label.casefold()))
    well = [node for node in nodes if not node.trouble.weight]
    yield from ([node] for node in troubled[:TROUBLED_LIMIT])
    if troubled[TROUBLED_LIMIT:]:
        yield troubled[TROUBLED_LIMIT:]
    if len(nodes) <= COLUMN_LIMIT:
        yield from ([node] for node in well)
        return
    if well and well[0].kind == "client":
        yield from _alike(well)
        return
    well.sort(key=lambda node: -node.weight)
    yield from ([node] for node in well[:ALONE])
    if well[ALONE:]:
        yield well[ALONE:]


def _alike(clients: list[_Node]) -> Iterator[list[_Node]]:
    """Receivers that get the same from the same; small groups together."""
    groups: dict[frozenset[str], list[_Node]] = defaultdict(list)
    for client in clients:
        groups[client.through].append(client)
    largest = sorted(groups.values(), key=len, reverse=True)
    yield from largest[:ALONE]
    rest = [client for group in largest[ALONE:] for client in group]
    if rest:
        yield rest


def _merged(group: list[_Node]) -> _Node:
    """One node for many of a kind."""
    first, troubled = group[0], group[0].trouble.weight > 0
    kind = {"client": "receiver", "node": "node"}.get(first.kind, "source")
    names = [node.label for node in sorted(group, key=lambda node: node.label.casefold())]
    label = f"{len(group)} {'more ' if troubled else ''}{kind}s"
    cards = sum(node.cards for node in group)
    return _Node(
        # Named by one that stays as long as the group does, so that the picture keeps still.
        id=f"group:{first.column}:{min(node.id for node in group)}",
        kind=first.kind,
        label=label,
        column=first.column,
        note="in trouble" if troubled else "all well" if kind == "receiver" else "more",
        trouble=first.trouble,
        words=f"{label}: {_some(names, len(names))}.",
        through=frozenset().union(*{node.through for node in group}),
        live=any(node.live for node in group),
        cards=cards,
        members=tuple(names[:MEMBERS_LIMIT]),
        count=len(group),
    )


# What the browser gets.


def _row(node: _Node, number: int, place: Mapping[str, str], words: str) -> Row:
    return {
        "kind": node.kind,
        "label": node.label,
        "column": node.column,
        "place": number,
        "note": node.trouble.text or node.note,
        "weight": node.trouble.weight,
        "link": _link(node),
        "words": words,
        "through": sorted({place[one] for one in node.through if one in place}),
        "members": list(node.members),
        "count": node.count,
    }


def _link(node: _Node) -> str:
    if node.count > 1 or node.kind in ("us", "node"):
        return ""
    if node.client is not None:
        return explain_link(account=node.client.account)
    return explain_link(source=node.label)


def _edges(ways: _Ways, drawn: Mapping[str, _Node], place: Mapping[str, str]) -> Rows:
    cards: Counter[tuple[str, str]] = Counter()
    for (farther, nearer), many in ways.edges.items():
        if farther in place and nearer in place and place[farther] != place[nearer]:
            cards[place[farther], place[nearer]] += many
    live: set[str] = set()
    for node in drawn.values():
        if node.column == -1:
            cards[node.id, US] += 0
        elif node.column == 1:
            cards[US, node.id] = node.cards
            if node.live:
                live.add(node.id)
    return {
        f"{start} > {end}": {"from": start, "to": end, "cards": count, "live": end in live}
        for (start, end), count in cards.items()
    }


def _source_id(name: str) -> str:
    return f"source:{name}"
