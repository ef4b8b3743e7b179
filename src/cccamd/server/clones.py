"""Reports two programs with one node id: a copied installation breaks loop detection."""

import logging

from cccamd.ids import NodeId, format_node_id
from cccamd.routing import CloneDetector

log = logging.getLogger("cccamd.server")


class CloneWatch:
    """The detector with a voice."""

    def __init__(self, own_node_id: NodeId) -> None:
        self._detector = CloneDetector(own_node_id)
        self._own_node_id = own_node_id

    def seen(self, node_id: NodeId, address: str) -> None:
        """A peer says that this is its node id."""
        clone = self._detector.seen(node_id, address)
        if clone is None:
            return
        addresses = " and ".join(clone.addresses)
        if node_id == self._own_node_id:
            what = "has the node id of this server: one was copied from the other"
        else:
            what = "have the same node id: one was copied from the other"
        log.warning(
            "%s %s (%s); delete the node id file of one of them",
            addresses,
            what,
            format_node_id(node_id),
        )

    def gone(self, node_id: NodeId, address: str) -> None:
        """A peer has left."""
        self._detector.gone(node_id, address)
