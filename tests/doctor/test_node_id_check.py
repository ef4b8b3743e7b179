"""A cloned installation: who has the node id of whom."""

from pathlib import Path

import pytest

from cccamd.doctor.finding import Verdict
from cccamd.doctor.node_id import Peer, judge_node_id, judge_twins, peers_of
from cccamd.doctor.running import (
    RunningClient,
    RunningServer,
    RunningSource,
    RunningStatus,
)
from cccamd.facts import SourceKind
from cccamd.ids import parse_node_id
from cccamd.machine import FileState, NodeIdFile

OWN = "380ceca0f39150d3"
OTHER = "3f29c1d0437a04c2"
SHARED = "0000000054fe1386"
PATH = Path("/var/lib/cccamd/node-id")
DAY = 86_400.0


def a_file(text: str = OWN, *, older_by: float = 0.0) -> NodeIdFile:
    node_id = parse_node_id(text)
    return NodeIdFile(path=PATH, state=FileState.GOOD, node_id=node_id, older_by=older_by)


@pytest.mark.parametrize(
    ("file", "peers", "running", "verdict", "word"),
    [
        (a_file(), [Peer("a", OTHER)], None, Verdict.OK, OWN),
        (a_file(), [Peer("upstream x", OWN)], None, Verdict.FAILURE, "upstream x has the node id"),
        (a_file(), [Peer("client y", OWN)], OWN, Verdict.FAILURE, "client y has the node id"),
        (a_file(OTHER), [Peer("client y", OWN)], OWN, Verdict.FAILURE, OWN),
        (a_file(OTHER), [], OWN, Verdict.ADVICE, "Name the right file with -n"),
        (a_file(older_by=40 * DAY), [], None, Verdict.ADVICE, "40 days older"),
        (a_file(SHARED), [], None, Verdict.WARNING, "names nobody"),
        (NodeIdFile(path=PATH, state=FileState.MISSING), [], None, Verdict.OK, "first start"),
        (NodeIdFile(path=PATH, state=FileState.CORRUPT), [], None, Verdict.WARNING, "backup"),
        (NodeIdFile(path=PATH, state=FileState.HIDDEN), [], None, Verdict.NOT_CHECKED, "root"),
    ],
)
def test_node_id(
    file: NodeIdFile, peers: list[Peer], running: str | None, verdict: Verdict, word: str
) -> None:
    found = judge_node_id(file, peers, running=running)
    assert found.verdict is verdict
    assert word in f"{found.evidence} {found.advice}"


def a_status(*clients: tuple[str, str, str]) -> RunningStatus:
    link = RunningSource(
        name="h.example:1",
        kind=SourceKind.CCCAM,
        line=1,
        state="up",
        last_failure="",
        node_id=OTHER,
        cards=0,
        cards_rejected=0,
        asked=0,
        answered=0,
        usual_seconds=None,
    )
    return RunningStatus(
        server=RunningServer(node_id=OWN, config_path="", program=""),
        clients=tuple(
            RunningClient(account=account, address=address, node_id=node_id)
            for account, address, node_id in clients
        ),
        sources=(link,),
    )


def test_peers_of_a_running_server() -> None:
    status = a_status(("anna", "192.0.2.1", OWN), ("tv", "192.0.2.2", SHARED))
    assert [(peer.name, peer.node_id) for peer in peers_of(status)] == [
        ("client anna (192.0.2.1)", OWN),
        ("upstream h.example:1", OTHER),
    ]


def test_two_clients_with_one_node_id() -> None:
    twins = ("anna", "192.0.2.1", "11" * 8), ("bert", "192.0.2.2", "11" * 8)
    (found,) = judge_twins(a_status(*twins))
    assert found.verdict is Verdict.WARNING
    assert "anna (192.0.2.1) and bert (192.0.2.2)" in found.evidence


@pytest.mark.parametrize(
    "clients",
    [
        [("anna", "192.0.2.1", SHARED), ("bert", "192.0.2.2", SHARED)],
        [("anna", "192.0.2.1", OTHER), ("anna2", "192.0.2.1", OTHER)],
        [("anna", "192.0.2.1", "11" * 8), ("bert", "192.0.2.2", "22" * 8)],
    ],
)
def test_what_is_no_clone(clients: list[tuple[str, str, str]]) -> None:
    assert judge_twins(a_status(*clients)) == []
