"""What is said of a fleet, wherever it is shown: on the page, in the terminal, as an incident."""

from typing import Final, NamedTuple

from cccamd.facts import FleetStatus, NodeState, NodeStatus
from cccamd.wording import count, some_of

ENGINE_AWAY: Final = (
    "each node serves on its own: it asks its own cards, and counts logins and bans for itself"
)
"""What it means that the engine is away."""
FLEET: Final = "the fleet"
"""What several nodes with the same trouble are called."""
HASH_SHOWN: Final = 8
"""Characters of a configuration's hash that people are shown."""


class OddNodes(NamedTuple):
    """The nodes whose accounts are not those of the others."""

    subject: str
    text: str
    """A verb, and the rest of a sentence on the subject."""


def config_shown(config: str) -> str:
    """Show the hash of a configuration."""
    return config[:HASH_SHOWN] or "unknown"


def odd_nodes(fleet: FleetStatus) -> OddNodes | None:
    """Name those of another configuration; None: all have the same."""
    odd = [(node.name, node.config) for node in fleet.nodes if node.differs]
    if fleet.differs:
        odd.insert(0, (f"{fleet.node} (this one)", fleet.config))
    if not odd:
        return None
    hashes = some_of([f"{name} {config_shown(config)}" for name, config in odd])
    if not fleet.usual_config:
        return OddNodes(FLEET, f"has no configuration that most nodes have: hashes {hashes}")
    usual = config_shown(fleet.usual_config)
    if len(odd) > 1:
        return OddNodes(FLEET, f"has nodes of another configuration: {hashes}, the others {usual}")
    name, config = odd[0]
    text = f"has another configuration: hash {config_shown(config)}, the others {usual}"
    return OddNodes(f"node {name}", text)


def fleet_counted(fleet: FleetStatus) -> str:
    """How many other nodes there are, by their states."""
    counted: dict[str, int] = {}
    for node in (*fleet.nodes, *fleet.absent):
        counted[node.state.value] = counted.get(node.state.value, 0) + 1
    if not counted:
        return "no other node was heard of"
    total = count(sum(counted.values()), "other node")
    return f"{total}: {', '.join(f'{number:,} {state}' for state, number in counted.items())}"


def all_nodes(fleet: FleetStatus) -> list[NodeStatus]:
    """All other nodes, those first of which something is to be said."""
    return sorted(
        (*fleet.nodes, *fleet.absent),
        key=lambda node: (not is_noted(node), node.name),
    )


def is_noted(node: NodeStatus) -> bool:
    """Whether something is to be said of it."""
    is_there = node.state is NodeState.THERE
    return not is_there or node.differs or node.distrusted_until is not None
