"""What is wrong, from facts alone: each cause with its sentence, and what is only a consequence."""

from dataclasses import replace

import pytest

from cccamd.facts import (
    Cause,
    Clone,
    ConfigProblem,
    ConfigProblemKind,
    ConfigState,
    DoubleLogin,
    LastMinute,
    LinkState,
    SourceStatus,
)
from cccamd.ids import NodeId
from cccamd.routing import LoopSeen
from cccamd.setup.cccamcfg import Config
from cccamd.watch import Symptom
from cccamd.why import Receiver, Scene, find_symptoms
from fact_factory import NOW, UPSTREAM, a_local_source, a_source, an_offline_source

NODE = NodeId(bytes.fromhex("0102030405060708"))


def a_scene(*sources: SourceStatus, **words: object) -> Scene:
    fields: dict[str, object] = {"at": NOW, "config": Config(file="/etc/CCcam.cfg")} | words
    return Scene(sources=sources or (a_source(),), **fields)  # type: ignore[arg-type]


def a_receiver(account: str = "anna", **words: object) -> Receiver:
    fields: dict[str, object] = {
        "connected_at": NOW - 600,
        "cards": 3,
        "unserved": True,
        "served_by": UPSTREAM,
    }
    return Receiver(account=account, **(fields | words))  # type: ignore[arg-type]


def the_only(scene: Scene) -> Symptom:
    (found,) = find_symptoms(scene)
    return found


def test_where_all_is_well_nothing_is_wrong() -> None:
    assert not list(find_symptoms(a_scene(a_source(), a_local_source())))


@pytest.mark.parametrize(
    ("changes", "cause", "text"),
    [
        (
            {"state": LinkState.WAITING, "up_at": None, "last_failure": "no route to it"},
            Cause.SOURCE_DOWN,
            "is down: no route to it",
        ),
        ({"silent_since": NOW - 70}, Cause.SOURCE_SILENT, "answers nothing that it is asked"),
        ({"cards_by_hop": {}}, Cause.SOURCE_WITHOUT_CARDS, "announces no cards to us"),
        ({"usual_seconds": 2.0}, Cause.SOURCE_SLOW, "is slow: usually 2,000 ms"),
        (
            {"last_minute": LastMinute(zero=2, checksum=1)},
            Cause.WRONG_CWS,
            "2 all-zero CWs and 1 CW with wrong checksum bytes within a minute",
        ),
        (
            {"last_minute": LastMinute(cannot_decode=4)},
            Cause.SOURCE_REFUSES,
            "refuses all that it is asked (cannot decode the service): 4",
        ),
        ({"last_minute": LastMinute(refused=3)}, Cause.SOURCE_REFUSES, "(not now): 3"),
    ],
)
def test_each_trouble_of_a_source_has_its_name_and_those_whom_it_served_suffer(
    changes: dict[str, object], cause: Cause, text: str
) -> None:
    receivers = (
        a_receiver(),
        a_receiver("ben", served_by="b:1"),
        a_receiver("eve", unserved=False),
    )
    scene = a_scene(
        replace(a_source(), cards=0 if "cards_by_hop" in changes else 2, **changes),
        a_local_source(),
        receivers=receivers,
    )  # type: ignore[arg-type]
    found = the_only(scene)
    assert (found.cause, found.subject) == (cause, UPSTREAM)
    assert text in found.text
    assert found.change
    assert found.sufferers == {"anna"}


@pytest.mark.parametrize(
    "minute",
    [
        LastMinute(zero=1, answered=30),
        LastMinute(zero=3, answered=30),
        LastMinute(refused=9, answered=1),
        LastMinute(refused=2),
        LastMinute(no_answer=2, answered=9),
    ],
)
def test_accidents_are_no_state(minute: LastMinute) -> None:
    assert not list(find_symptoms(a_scene(replace(a_source(), last_minute=minute))))


def test_a_source_that_is_down_has_that_trouble_and_no_other() -> None:
    down = replace(
        an_offline_source(UPSTREAM),
        silent_since=NOW,
        last_minute=LastMinute(zero=9),
        usual_seconds=9.0,
    )
    assert the_only(a_scene(down, a_local_source())).cause is Cause.SOURCE_DOWN


def test_a_first_attempt_that_goes_on_is_no_trouble() -> None:
    connecting = a_source(state=LinkState.CONNECTING, up_at=None, cards_by_hop={})
    assert not list(find_symptoms(a_scene(connecting, a_local_source())))


def test_that_nobody_sees_a_card_is_the_trouble_of_the_sources() -> None:
    receivers = tuple(a_receiver(name, cards=0, unserved=False) for name in ("anna", "ben"))
    found = the_only(a_scene(an_offline_source(UPSTREAM), receivers=receivers))
    assert (found.cause, found.sufferers) == (Cause.SOURCE_DOWN, {"anna", "ben"})


def test_five_hundred_accounts_without_cards_are_one_symptom() -> None:
    receivers = tuple(a_receiver(f"u{number:03}", cards=0, unserved=False) for number in range(500))
    found = the_only(a_scene(receivers=receivers))
    assert (found.cause, len(found.sufferers)) == (Cause.ACCOUNT_WITHOUT_CARDS, 500)
    assert found.text == "500 accounts see no card: u000, u001, u002 and 497 more"
    just_in = a_receiver(cards=0, unserved=False, connected_at=NOW - 3)
    assert not list(find_symptoms(a_scene(receivers=(just_in,))))


def test_logins_clones_and_circles() -> None:
    login = DoubleLogin(
        account="anna",
        address="10.0.0.9",
        holders=("10.0.0.8",),
        first_at=NOW - 90,
        last_at=NOW - 5,
        times=3,
    )
    clone = Clone(
        node_id=NODE,
        own=False,
        accounts=("anna", "ben"),
        sources=(),
        addresses=("10.0.0.8",),
        since=NOW - 50,
    )
    scene = a_scene(
        double_logins=(login,), clones=(clone,), loops=(LoopSeen(NODE, UPSTREAM, NOW - 9),)
    )
    double, cloned, circle = find_symptoms(scene)
    assert (double.cause, double.subject, double.since) == (Cause.DOUBLE_LOGIN, "anna", NOW - 90)
    assert "10.0.0.9 was not let in (3 times), because 10.0.0.8 is logged in" in double.text
    assert "logins = 2" in double.change
    assert (cloned.cause, cloned.subject) == (Cause.CLONE, "0102030405060708")
    assert cloned.sufferers == {"anna", "ben"}
    assert (circle.cause, circle.subject) == (Cause.CARD_CIRCLE, UPSTREAM)
    later = replace(scene, at=NOW + 200, clones=())
    assert not list(find_symptoms(later))


def test_files() -> None:
    problems = (
        ConfigProblem(kind=ConfigProblemKind.LEFT_OUT, file="CCcam.cfg", line=3, text="no user"),
        ConfigProblem(kind=ConfigProblemKind.WAITS, file="cccamd.toml", line=None, text="node id"),
        ConfigProblem(kind=ConfigProblemKind.DOUBTFUL, file="CCcam.cfg", line=9, text="twice"),
    )
    files = ConfigState(
        taken=False, refusal="CCcam.cfg is gone", refused_since=NOW - 60, problems=problems
    )
    refused, left_out, waiting = find_symptoms(a_scene(files=files))
    assert (refused.cause, refused.since) == (Cause.CONFIG_REFUSED, NOW - 60)
    assert refused.text.endswith("CCcam.cfg is gone")
    assert (left_out.cause, left_out.evidence) == (Cause.LINES_LEFT_OUT, ("CCcam.cfg:3: no user",))
    assert left_out.text == "has 1 place left out: not in use"
    assert (waiting.cause, waiting.evidence) == (Cause.RESTART_NEEDED, ("cccamd.toml: node id",))
