"""What may be seen of a fleet, from one of its nodes."""

from dataclasses import dataclass
from typing import Annotated

from cccamd.facts.declaring import Fact, Metric
from cccamd.facts.words import NodeState


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus(Fact):
    """Another node of the fleet."""

    name: str
    heard_at: float
    """When it was heard of last."""
    state: NodeState = NodeState.THERE
    """Whether it is there."""
    cards: int
    """Cards of its that are in our table."""
    wrong: int = 0
    """CWs of its that were shown to be wrong."""
    distrusted_until: float | None = None
    """Until when nothing that it tells is believed; null: it is believed."""
    config: str = ""
    """Stands for the accounts of its configuration, as a hash: the same where they are the same."""
    differs: bool = False
    """Whether most of the other nodes have other accounts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetStatus(Fact):
    """The fleet of which this server is a node."""

    node: str = ""
    """What this node is called in its fleet; empty: it is in none."""
    engine_up: Annotated[
        bool, Metric("cccamd_fleet_engine_up", "1: the fleet's engine is there.")
    ] = False
    """Whether the engine between the nodes is there."""
    engine_since: float = 0.0
    """Since when it is there, or away."""
    trouble: str = ""
    """Why the engine is away."""
    round_trip: float = 0.0
    """Seconds within which the engine usually answers; 0: not known."""
    config: str = ""
    """Stands for the accounts of our own configuration, as a hash."""
    usual_config: str = ""
    """What stands for the accounts that most nodes have; empty: there is no such majority."""
    differs: bool = False
    """Whether most of the other nodes have other accounts than this one."""
    twin: str = ""
    """The node id of another node that has our name; empty: there is none."""
    nodes: Annotated[
        tuple[NodeStatus, ...], Metric("cccamd_fleet_nodes", "Other nodes that are there.")
    ] = ()
    """The other nodes that are there."""
    absent: Annotated[
        tuple[NodeStatus, ...],
        Metric("cccamd_fleet_nodes_absent", "Other nodes that were there within a day."),
    ] = ()
    """Other nodes that were there within a day, and are not: no more than 100."""
    claimed: Annotated[
        int, Metric("cccamd_fleet_claims", "ECMs that this node wanted to ask for.", grows=True)
    ] = 0
    """Claims that were sent."""
    unanswered: Annotated[
        int,
        Metric("cccamd_fleet_claims_late", "Claims that the engine took too long for.", grows=True),
    ] = 0
    """Claims that the engine took too long for: the card was asked without."""
    lost: Annotated[
        int, Metric("cccamd_fleet_claims_lost", "ECMs that another node asked for.", grows=True)
    ] = 0
    """Claims that another node had: its answer was waited for."""
    hedged: Annotated[
        int, Metric("cccamd_fleet_hedged", "Times a node with a claim said nothing.", grows=True)
    ] = 0
    """How often the node that had the claim said nothing in time."""
    told: Annotated[
        int, Metric("cccamd_fleet_told", "CWs told to the other nodes.", grows=True)
    ] = 0
    """CWs that were told to the other nodes."""
    heard: Annotated[
        int, Metric("cccamd_fleet_heard", "CWs that other nodes told.", grows=True)
    ] = 0
    """CWs that other nodes told."""
    fetched: Annotated[
        int, Metric("cccamd_fleet_fetched", "CWs fetched, as no push came.", grows=True)
    ] = 0
    """Those of them that had to be fetched."""
    unread: Annotated[
        int, Metric("cccamd_fleet_unread", "Values that no node of the fleet wrote.", grows=True)
    ] = 0
    """Values that no node with our key can have written under the names that they came with."""
    unread_at: float | None = None
    """When the last of them came; null: none did."""
    dropped: Annotated[
        int, Metric("cccamd_fleet_dropped", "What a lagging engine was not told.", grows=True)
    ] = 0
    """What the engine was not told, since too much that it was told waits already."""
