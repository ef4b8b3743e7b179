"""Two programs with one node id: a copied installation, or we ourselves."""

from dataclasses import dataclass, field

from cccamd.facts import Clone
from cccamd.ids import SHARED_NODE_IDS, NodeId


@dataclass(frozen=True, slots=True)
class NodeHolder:
    """A connection whose other end says that a node id is its own."""

    name: str
    """The account of a client, or the name of an upstream."""
    address: str
    is_client: bool


@dataclass(slots=True)
class _Node:
    holders: tuple[NodeHolder, ...] = ()
    since: float | None = None
    """When it became a clone; None: it is none."""


@dataclass(slots=True)
class CloneDetector:
    """Who is there under which node id. `own_node_id` is taken by ourselves.

    Two clients with one node id are a clone wherever they are: the copy of an image stands in
    the next room as often as anywhere else. An upstream that is a client as well, or is called
    by two C-lines, is one program as long as its address is the same.
    """

    own_node_id: NodeId
    _nodes: dict[NodeId, _Node] = field(default_factory=dict)

    def seen(self, node_id: NodeId, holder: NodeHolder, now: float) -> Clone | None:
        """A peer says who it is; the clone that there is with it. Tell `gone` when it leaves."""
        if node_id in SHARED_NODE_IDS:
            return None
        node = self._nodes.setdefault(node_id, _Node())
        node.holders = (*node.holders, holder)
        self._judge(node_id, node, now)
        return self._clone(node_id, node)

    def gone(self, node_id: NodeId, holder: NodeHolder, now: float) -> None:
        """A peer has left."""
        node = self._nodes.get(node_id)
        if node is None or holder not in node.holders:
            return
        at = node.holders.index(holder)  # two may be equal: only one of them left
        node.holders = node.holders[:at] + node.holders[at + 1 :]
        self._judge(node_id, node, now)
        if not node.holders:
            del self._nodes[node_id]

    def clones(self) -> tuple[Clone, ...]:
        """All that are there now."""
        found = (self._clone(node_id, node) for node_id, node in self._nodes.items())
        return tuple(clone for clone in found if clone is not None)

    def _judge(self, node_id: NodeId, node: _Node, now: float) -> None:
        is_own = node_id == self.own_node_id and bool(node.holders)
        clients = sum(holder.is_client for holder in node.holders)
        addresses = {holder.address for holder in node.holders}
        if not is_own and clients < 2 and len(addresses) < 2:
            node.since = None
        elif node.since is None:
            node.since = now

    def _clone(self, node_id: NodeId, node: _Node) -> Clone | None:
        if node.since is None:
            return None
        clients = [holder.name for holder in node.holders if holder.is_client]
        sources = [holder.name for holder in node.holders if not holder.is_client]
        return Clone(
            node_id=node_id,
            own=node_id == self.own_node_id,
            accounts=tuple(dict.fromkeys(clients)),
            sources=tuple(dict.fromkeys(sources)),
            addresses=tuple(dict.fromkeys(holder.address for holder in node.holders)),
            since=node.since,
        )
