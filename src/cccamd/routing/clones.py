"""Two programs with one node id: a copied installation, or we ourselves."""

from dataclasses import dataclass, field

from cccamd.ids import SHARED_NODE_IDS, NodeId


@dataclass(frozen=True, slots=True)
class CloneDetected:
    """The same node id is in use at several addresses (of our own: at one already)."""

    node_id: NodeId
    addresses: tuple[str, ...]


@dataclass(slots=True)
class CloneDetector:
    """Who is logged in under which node id. `own_node_id` is taken by ourselves."""

    own_node_id: NodeId
    _addresses: dict[NodeId, list[str]] = field(default_factory=dict)

    def seen(self, node_id: NodeId, address: str) -> CloneDetected | None:
        """A peer at `address` says it is `node_id`. Tell `gone` when it leaves."""
        if node_id in SHARED_NODE_IDS:
            return None
        addresses = self._addresses.setdefault(node_id, [])
        addresses.append(address)
        different = tuple(dict.fromkeys(addresses))
        if len(different) > 1 or node_id == self.own_node_id:
            return CloneDetected(node_id, different)
        return None

    def gone(self, node_id: NodeId, address: str) -> None:
        """A peer has left."""
        addresses = self._addresses.get(node_id, [])
        if address in addresses:
            addresses.remove(address)
        if not addresses:
            self._addresses.pop(node_id, None)
