"""A cloned installation: who has the node id of whom."""

from pathlib import Path

import pytest

from cccamd.facts import Status
from cccamd.ids import NodeId, parse_node_id
from cccamd.machine import FileState, NodeIdFile
from cccamd.why import Grade
from cccamd.why.host import NodeIdHolder, judge_node_id, judge_twins, peers_of
from fact_factory import a_client, a_snapshot, a_source

OWN = parse_node_id("380ceca0f39150d3")
OTHER = parse_node_id("3f29c1d0437a04c2")
SHARED = parse_node_id("0000000054fe1386")
ELEVEN, TWENTY_TWO = NodeId(bytes([0x11] * 8)), NodeId(bytes([0x22] * 8))
PATH = Path("/var/lib/cccamd/node-id")
DAY = 86_400.0


def a_file(node_id: NodeId = OWN, *, older_by: float = 0.0) -> NodeIdFile:
    return NodeIdFile(path=PATH, state=FileState.GOOD, node_id=node_id, older_by=older_by)


@pytest.mark.parametrize(
    ("file", "peers", "running", "grade", "word"),
    [
        (a_file(), [NodeIdHolder("a", OTHER)], None, Grade.OK, OWN.hex()),
        (
            a_file(),
            [NodeIdHolder("upstream x", OWN)],
            None,
            Grade.FAILURE,
            "upstream x has the node id",
        ),
        (a_file(), [NodeIdHolder("client y", OWN)], OWN, Grade.FAILURE, "client y has the node id"),
        (a_file(OTHER), [NodeIdHolder("client y", OWN)], OWN, Grade.FAILURE, OWN.hex()),
        (a_file(OTHER), [], OWN, Grade.ADVICE, "Name the right file with -n"),
        (a_file(older_by=40 * DAY), [], None, Grade.ADVICE, "40 days older"),
        (a_file(SHARED), [], None, Grade.WARNING, "names nobody"),
        (NodeIdFile(path=PATH, state=FileState.MISSING), [], None, Grade.OK, "first start"),
        (NodeIdFile(path=PATH, state=FileState.CORRUPT), [], None, Grade.WARNING, "backup"),
        (NodeIdFile(path=PATH, state=FileState.HIDDEN), [], None, Grade.NOT_CHECKED, "root"),
    ],
)
def test_node_id(
    file: NodeIdFile, peers: list[NodeIdHolder], running: NodeId | None, grade: Grade, word: str
) -> None:
    found = judge_node_id(file, peers, running=running)
    assert found.grade is grade
    assert word in f"{found.finding.text} {found.advice}"


def a_status(*clients: tuple[str, str, NodeId]) -> Status:
    return Status(
        server=a_snapshot(node_id=OWN),
        clients=tuple(
            a_client(account, address=address, node_id=node_id)
            for account, address, node_id in clients
        ),
        sources=(a_source("h.example:1", node_id=OTHER),),
        systems=(),
        notes=(),
        channels=(),
    )


def test_peers_of_a_running_server() -> None:
    status = a_status(("anna", "192.0.2.1", OWN), ("tv", "192.0.2.2", SHARED))
    assert [(peer.name, peer.node_id) for peer in peers_of(status)] == [
        ("client anna (192.0.2.1)", OWN),
        ("upstream h.example:1", OTHER),
    ]


def test_two_clients_with_one_node_id() -> None:
    twins = ("anna", "192.0.2.1", ELEVEN), ("bert", "192.0.2.2", ELEVEN)
    (found,) = judge_twins(a_status(*twins))
    assert found.grade is Grade.WARNING
    assert "anna (192.0.2.1) and bert (192.0.2.2)" in found.finding.text


@pytest.mark.parametrize(
    "clients",
    [
        [("anna", "192.0.2.1", SHARED), ("bert", "192.0.2.2", SHARED)],
        [("anna", "192.0.2.1", OTHER), ("anna2", "192.0.2.1", OTHER)],
        [("anna", "192.0.2.1", ELEVEN), ("bert", "192.0.2.2", TWENTY_TWO)],
    ],
)
def test_what_is_no_clone(clients: list[tuple[str, str, NodeId]]) -> None:
    assert judge_twins(a_status(*clients)) == []
