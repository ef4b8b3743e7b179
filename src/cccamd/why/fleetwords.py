"""What is said of a fleet, wherever it is shown: on the page, in the terminal, as an incident."""

from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

from cccamd.facts import Cause, FleetStatus, NodeState, NodeStatus, ServerStatus
from cccamd.watch import Symptom
from cccamd.why.diagnosis import Check, Diagnosis, Grade, diagnose
from cccamd.wording import ago, count, milliseconds, some_of

ENGINE_AWAY: Final = (
    "each node serves on its own: it asks its own cards, and counts logins and bans for itself"
)
"""What it means that the engine is away."""
SLOW_ENGINE: Final = 0.1
"""Seconds: who may ask for an ECM is waited for 0.06 s at most (fleet/claims.py)."""
SLOW_CHANGE: Final = "look at the engine's machine, and at the line to it"
FLEET: Final = "the fleet"
"""What several nodes with the same trouble are called."""
MISSING_CHANGE: Final = (
    "see whether it runs and reaches the engine; a node that is gone for good is forgotten a day"
    " later"
)
ODD_CHANGE: Final = "give all nodes of the fleet the same F-lines, and the same [[account]] tables"
WRONG_CHANGE: Final = "look at its sources: one of its cards gives wrong CWs"
ALONE_CHANGE: Final = (
    "if there are others, see that they name the same engine, and that their key file is the same"
    " (sha256sum): one with another key is a fleet of its own"
)
TWIN_CHANGE: Final = "give each node a name of its own: [fleet] node in cccamd.toml"
MISSING_SINGLY: Final = 5
"""Nodes that are missing and each told of; if there are more they are one trouble."""
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


def slow_engine(fleet: FleetStatus) -> str:
    """What an engine that is there and slow costs; empty: it is not slow."""
    if not fleet.engine_up or fleet.round_trip < SLOW_ENGINE:
        return ""
    took = milliseconds(fleet.round_trip)
    return f"the engine takes {took} to answer, so each node asks its own cards, as without it"


def fleet_counted(fleet: FleetStatus) -> str:
    """How many other nodes there are, by their states."""
    counted = Counter(node.state.value for node in (*fleet.nodes, *fleet.absent))
    if not counted:
        return "no other node was heard of"
    total = count(counted.total(), "other node")
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


def judge_fleet(server: ServerStatus) -> Iterator[Diagnosis]:
    """Judge what a node knows of the others. That its engine is away is told with its settings."""
    fleet = server.fleet
    if fleet is None:
        return
    found = list(_troubles(fleet, server.at))
    if not found and fleet.engine_up:
        text = f"{fleet_counted(fleet)}; the configuration of all is {config_shown(fleet.config)}"
        found = [diagnose(Check.FLEET, Grade.OK, "fleet", text)]
    yield from found


def _troubles(fleet: FleetStatus, at: float) -> Iterator[Diagnosis]:
    if fleet.twin:
        text = f"another node is called {fleet.node}, too: node id {fleet.twin}"
        yield diagnose(Check.FLEET, Grade.FAILURE, "twin-node", text, TWIN_CHANGE)
    if fleet.engine_up and not fleet.nodes and not fleet.absent:
        text = fleet_counted(fleet)
        yield diagnose(Check.FLEET, Grade.ADVICE, "node-alone", text, ALONE_CHANGE)
    if slow := slow_engine(fleet):
        yield diagnose(Check.FLEET, Grade.WARNING, "engine-slow", slow, SLOW_CHANGE)
    missing = [node for node in fleet.absent if node.state is NodeState.MISSING]
    if missing:
        names = some_of([f"{node.name} (for {ago(at - node.heard_at)})" for node in missing])
        text = f"{count(len(missing), 'node')} missing: {names}"
        yield diagnose(Check.FLEET, Grade.WARNING, "node-missing", text, MISSING_CHANGE)
    odd = odd_nodes(fleet)
    if odd is not None:
        text = f"{odd.subject} {odd.text}"
        yield diagnose(Check.FLEET, Grade.WARNING, "node-differs", text, ODD_CHANGE)
    wrong = [node.name for node in fleet.nodes if node.distrusted_until is not None]
    if wrong:
        text = f"gave wrong CWs, and not believed for now: {some_of(wrong)}"
        yield diagnose(Check.FLEET, Grade.WARNING, "node-wrong", text, WRONG_CHANGE)


def fleet_symptoms(fleet: FleetStatus, at: float) -> Iterator[Symptom]:
    """What of it is wrong."""
    for node in fleet.nodes:
        if node.distrusted_until is not None:
            yield Symptom(
                cause=Cause.NODE_WRONG,
                subject=f"node {node.name}",
                since=at,
                text=f"gave a wrong CW ({count(node.wrong, 'time')}), and is not believed for now",
                change=WRONG_CHANGE,
            )
    yield from _missing_nodes(fleet)
    odd = odd_nodes(fleet)
    if odd is not None:
        yield Symptom(
            cause=Cause.NODE_DIFFERS,
            subject=odd.subject,
            since=at,
            text=odd.text,
            change=ODD_CHANGE,
        )


def _missing_nodes(fleet: FleetStatus) -> Iterator[Symptom]:
    missing = [node for node in fleet.absent if node.state is NodeState.MISSING]
    if len(missing) <= MISSING_SINGLY:
        for node in missing:
            yield Symptom(
                cause=Cause.NODE_MISSING,
                subject=f"node {node.name}",
                since=node.heard_at,
                text="says nothing any more, and has not said that it goes",
                change=MISSING_CHANGE,
            )
        return
    yield Symptom(
        cause=Cause.NODE_MISSING,
        subject=FLEET,
        since=min(node.heard_at for node in missing),
        text=f"misses {count(len(missing), 'node')}: {some_of([node.name for node in missing])}",
        change=MISSING_CHANGE,
    )
