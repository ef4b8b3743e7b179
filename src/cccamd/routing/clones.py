"""Two programs with one node id: a copied installation, or we ourselves."""

from collections.abc import Callable
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
class CloneDetector:
    """Who is there under which node id. `own_node_id` is taken by ourselves.

    Two clients with one node id are a clone wherever they are: the copy of an image stands in
    the next room as often as anywhere else. An upstream that is a client as well, or is called
    by two C-lines, is one program as long as its address is the same.
    """

    own_node_id: NodeId
    _nodes: dict[NodeId, tuple[NodeHolder, ...]] = field(default_factory=dict)
    _since: dict[NodeId, float] = field(default_factory=dict)
    """When those became clones that are."""

    def seen(self, node_id: NodeId, holder: NodeHolder, now: float) -> Clone | None:
        """A peer says who it is; the clone that there is with it. Tell `gone` when it leaves."""
        if node_id in SHARED_NODE_IDS:
            return None
        self._keep(node_id, (*self._nodes.get(node_id, ()), holder), now)
        return self._clone(node_id)

    def gone(self, node_id: NodeId, holder: NodeHolder, now: float) -> None:
        """A peer has left."""
        holders = self._nodes.get(node_id, ())
        if holder in holders:
            at = holders.index(holder)  # two may be equal: only one of them left
            self._keep(node_id, holders[:at] + holders[at + 1 :], now)

    def clock_was_set(self, follow: Callable[[float], float]) -> None:
        """The clock that `now` is read from was set; `follow` gives a time by the new one."""
        self._since = {node_id: follow(at) for node_id, at in self._since.items()}

    def clones(self) -> tuple[Clone, ...]:
        """All that are there now."""
        found = (self._clone(node_id) for node_id in self._since)
        return tuple(clone for clone in found if clone is not None)

    def _keep(self, node_id: NodeId, holders: tuple[NodeHolder, ...], now: float) -> None:
        if holders:
            self._nodes[node_id] = holders
        else:
            del self._nodes[node_id]
        is_own = node_id == self.own_node_id and bool(holders)
        clients = sum(holder.is_client for holder in holders)
        addresses = {holder.address for holder in holders}
        if not is_own and clients < 2 and len(addresses) < 2:
            self._since.pop(node_id, None)
        else:
            self._since.setdefault(node_id, now)

    def _clone(self, node_id: NodeId) -> Clone | None:
        since = self._since.get(node_id)
        if since is None:
            return None
        holders = self._nodes[node_id]
        clients = [holder.name for holder in holders if holder.is_client]
        sources = [holder.name for holder in holders if not holder.is_client]
        return Clone(
            node_id=node_id,
            own=node_id == self.own_node_id,
            accounts=tuple(dict.fromkeys(clients)),
            sources=tuple(dict.fromkeys(sources)),
            addresses=tuple(dict.fromkeys(holder.address for holder in holders)),
            since=since,
        )
