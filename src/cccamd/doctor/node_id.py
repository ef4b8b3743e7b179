"""Whether the node id is our own alone, and stays the same."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cccamd.doctor.finding import Check, Finding, Verdict
from cccamd.doctor.running import RunningStatus
from cccamd.doctor.wording import some_of
from cccamd.ids import SHARED_NODE_IDS, format_node_id
from cccamd.machine import FileState, NodeIdFile

DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Peer:
    """Somebody whose node id we know."""

    name: str
    node_id: str
    """As hex text."""


def judge_node_id(file: NodeIdFile, peers: Iterable[Peer], *, running: str | None) -> Finding:
    """Compare our node id with those of all peers. `running`: the id our server uses, as hex."""
    own = running or (format_node_id(file.node_id) if file.node_id else None)
    if own is not None and (same := [peer.name for peer in peers if peer.node_id == own]):
        return _finding(
            Verdict.FAILURE,
            f"{some_of(same)} has the node id of this server ({own}): one was copied from the"
            " other, and each drops the other's cards as its own",
            f"Stop one of the two, delete its node id file (here {file.path}), start it again.",
        )
    return _judge_file(file, running)


def _judge_file(file: NodeIdFile, running: str | None) -> Finding:
    path = file.path
    match file.state:
        case FileState.MISSING if running is None:
            return _finding(Verdict.OK, f"{path} is not there yet; the first start makes it")
        case FileState.MISSING:
            evidence = f"the server uses {running}, and {path} is not there"
            advice = "If it is not kept elsewhere (-n), others see a stranger after each start."
            return _finding(Verdict.ADVICE, evidence, advice)
        case FileState.CORRUPT:
            evidence = f"{path} does not hold a node id; the next start replaces it"
            return _finding(
                Verdict.WARNING, evidence, f"Restore it from a backup, or delete {path}."
            )
        case FileState.HIDDEN:
            return _finding(Verdict.NOT_CHECKED, f"{path} cannot be read by us", "Run as root.")
    return _judge_origin(file, running)


def _judge_origin(file: NodeIdFile, running: str | None) -> Finding:
    assert file.node_id is not None
    own = format_node_id(file.node_id)
    if file.node_id in SHARED_NODE_IDS:
        evidence = f"{own} names nobody: many programs send it"
        return _finding(
            Verdict.WARNING, evidence, f"Delete {file.path} and start the server again."
        )
    if running is not None and running != own:
        evidence = f"{file.path} holds {own}, but the server runs with {running}"
        return _finding(Verdict.ADVICE, evidence, "Name the right file with -n.")
    if file.older_by > DAY:
        days = round(file.older_by / DAY)
        return _finding(
            Verdict.ADVICE,
            f"{file.path} is {days:,} days older than this system: it was copied or restored",
            "All is well if the old machine is gone. If it still runs, delete the file on one of"
            " the two.",
        )
    return _finding(Verdict.OK, f"{own}; no peer that is known now has the same")


def judge_twins(status: RunningStatus) -> list[Finding]:
    """Find clients at different addresses that share a node id with each other."""
    addresses: dict[str, dict[str, str]] = {}
    for client in status.clients:
        if client.node_id not in _SHARED_TEXTS and client.node_id != status.server.node_id:
            named = f"{client.account} ({client.address})"
            addresses.setdefault(client.node_id, {})[client.address] = named
    return [
        _finding(
            Verdict.WARNING,
            f"{some_of(tuple(found.values()))} have the same node id {node_id}:"
            " one was copied from the other",
            "Delete the node id file of one of them.",
        )
        for node_id, found in addresses.items()
        if len(found) > 1
    ]


_SHARED_TEXTS: Final = frozenset(format_node_id(node_id) for node_id in SHARED_NODE_IDS)


def peers_of(status: RunningStatus) -> list[Peer]:
    """All peers of a running server."""
    clients = [
        Peer(f"client {client.account} ({client.address})", client.node_id)
        for client in status.clients
    ]
    links = [Peer(f"upstream {link.name}", link.node_id) for link in status.links if link.node_id]
    return [peer for peer in (*clients, *links) if peer.node_id not in _SHARED_TEXTS]


def _finding(verdict: Verdict, evidence: str, advice: str = "") -> Finding:
    return Finding(check=Check.NODE_ID, verdict=verdict, evidence=evidence, advice=advice)
