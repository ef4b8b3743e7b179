"""A cloned installation: who has the node id of whom."""

from dataclasses import replace
from pathlib import Path

import pytest

from cccamd.facts import Clone, Status
from cccamd.ids import NodeId, parse_node_id
from cccamd.machine import FileState, NodeIdFile
from cccamd.why import Grade, clone_text
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


def a_clone(**words: object) -> Clone:
    fields: dict[str, object] = {
        "node_id": ELEVEN,
        "own": False,
        "accounts": ("anna", "bert"),
        "sources": (),
        "addresses": ("192.0.2.1", "192.0.2.2"),
        "since": 0.0,
    }
    return Clone(**(fields | words))  # type: ignore[arg-type]


def test_two_clients_with_one_node_id() -> None:
    status = replace(a_status(), server=a_snapshot(node_id=OWN, clones=(a_clone(),)))
    (found,) = judge_twins(status)
    assert found.grade is Grade.WARNING
    assert "anna and bert (192.0.2.1 and 192.0.2.2) have the same node id" in found.finding.text
    own = replace(status, server=a_snapshot(node_id=OWN, clones=(a_clone(own=True),)))
    assert judge_twins(own) == []  # the doctor's check of our own node id tells


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ({"addresses": ("192.0.2.1",)}, "all at 192.0.2.1) have the same node id"),
        ({"addresses": ("192.0.2.1",)}, "or one program logs in twice"),
        ({"accounts": ("anna",)}, "192.0.2.2) is logged in more than once"),
        ({"accounts": ("anna",), "sources": ("h:1",)}, "anna and upstream h:1"),
        ({"accounts": (), "sources": ("h:1", "i:1")}, "or it is one program with several"),
        ({"own": True, "accounts": ("anna",)}, "anna (192.0.2.1 and 192.0.2.2) has the node id of"),
    ],
)
def test_a_clone_in_words(words: dict[str, object], text: str) -> None:
    assert text in clone_text(a_clone(**words))
