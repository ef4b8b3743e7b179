"""What is wrong, from facts alone: each cause with its sentence, and what is only a consequence."""

from dataclasses import replace
from typing import Any

import pytest

from cccamd.cards import Access, Grant
from cccamd.facts import (
    Cause,
    Clone,
    ConfigProblem,
    ConfigProblemKind,
    ConfigState,
    DoubleLogin,
    FleetStatus,
    LastMinute,
    LinkState,
    NodeState,
    NodeStatus,
    ReceiverFinding,
    ReceiverTrouble,
    SourceStatus,
    Step,
    Verdict,
)
from cccamd.ids import NodeId
from cccamd.routing import LoopSeen
from cccamd.setup.cccamcfg import Config
from cccamd.watch import Symptom
from cccamd.why import Check, ClosedDoor, Grade, MachineTrouble, Receiver, Scene, find_symptoms
from cccamd.why.diagnosis import diagnose
from cccamd.why.symptoms import SETTLING
from fact_factory import (
    NOW,
    UPSTREAM,
    a_freeze,
    a_local_source,
    a_service,
    a_source,
    an_offline_source,
    on_channel,
)

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
        (
            {
                "state": LinkState.WAITING,
                "up_at": None,
                "failed_step": Step.OTHER_KEY,
                "last_failure": "another key",
            },
            Cause.OTHER_MACHINE,
            "is down: another key",
        ),
        ({"silent_since": NOW - 70}, Cause.SOURCE_SILENT, "answers nothing that it is asked"),
        ({"cards_by_hop": {}}, Cause.SOURCE_WITHOUT_CARDS, "announces no cards to us"),
        (
            {"usual_seconds": 2.0, "last_minute": LastMinute(answered=8, slow=2)},
            Cause.SOURCE_SLOW,
            "is slow: usually 2,000 ms",
        ),
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


def test_what_answers_nothing_is_not_called_slow_before_it_is_called_silent() -> None:
    asked = replace(a_source(), usual_seconds=8.0, last_minute=LastMinute(no_answer=3))
    assert not list(find_symptoms(a_scene(asked)))


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


def test_cards_may_be_on_their_way_for_a_moment_after_a_login() -> None:
    def scene(seconds: float) -> Scene:
        return a_scene(a_source(up_at=NOW - seconds, cards_by_hop={}), a_local_source())

    assert not list(find_symptoms(scene(SETTLING - 1)))
    assert the_only(scene(SETTLING)).cause is Cause.SOURCE_WITHOUT_CARDS


def test_that_nobody_sees_a_card_is_the_trouble_of_the_sources() -> None:
    receivers = tuple(a_receiver(name, cards=0, unserved=False) for name in ("anna", "ben"))
    found = the_only(a_scene(an_offline_source(UPSTREAM), receivers=receivers))
    assert (found.cause, found.sufferers) == (Cause.SOURCE_DOWN, {"anna", "ben"})


def test_five_hundred_accounts_without_cards_are_one_symptom() -> None:
    receivers = tuple(a_receiver(f"u{number:03}", cards=0, unserved=False) for number in range(500))
    found = the_only(a_scene(receivers=receivers))
    assert (found.cause, len(found.sufferers)) == (Cause.ACCOUNT_WITHOUT_CARDS, 500)
    assert found.text == "that see no card: u000, u001, u002 and 497 more"
    just_in = a_receiver(cards=0, unserved=False, connected_at=NOW - 3)
    assert not list(find_symptoms(a_scene(receivers=(just_in,))))


def test_cards_that_come_back_may_be_on_their_way_to_the_receivers() -> None:
    """Else the end of an outage looks like a trouble of accounts that is as old as their login."""

    def scene(seconds: float) -> Scene:
        waiting = a_receiver(cards=0, unserved=False)
        return a_scene(a_source(up_at=NOW - seconds), receivers=(waiting,))

    assert not list(find_symptoms(scene(SETTLING - 1)))
    found = the_only(scene(SETTLING + 1))
    assert (found.cause, found.since) == (Cause.ACCOUNT_WITHOUT_CARDS, NOW - 1)


OTHER = "other.example:12000"


def in_groups(*numbers: int) -> Grant:
    return Grant(groups=frozenset(numbers))


def two_groups(*receivers: Receiver, **source: object) -> Scene:
    """A source in group 1 without cards, another in group 2 with some."""
    empty = an_offline_source(UPSTREAM, **source)
    accesses = {
        (UPSTREAM, empty.line): Access(grant=in_groups(1)),
        (OTHER, a_source().line): Access(grant=in_groups(2)),
    }
    return a_scene(empty, a_source(OTHER), receivers=receivers, accesses=accesses)


@pytest.mark.parametrize("served_by", [UPSTREAM, ""])
@pytest.mark.parametrize("unserved", [True, False])
def test_who_sees_no_card_as_the_sources_of_its_groups_are_down_suffers_from_them(
    served_by: str, unserved: bool
) -> None:
    """Also who is not watching, and who was never served since a start; it is told once."""
    words = {"cards": 0, "served_by": served_by, "unserved": unserved}
    found = the_only(two_groups(a_receiver(grant=in_groups(1), **words)))
    assert (found.cause, found.sufferers) == (Cause.SOURCE_DOWN, {"anna"})


def test_who_sees_no_card_for_another_reason_has_that_trouble_of_its_own() -> None:
    """Cards of its own group are there, but not for it: the source that is down is not why."""
    blind = a_receiver(cards=0, served_by="", grant=in_groups(2))
    down, without = find_symptoms(two_groups(blind))
    assert (down.cause, down.sufferers) == (Cause.SOURCE_DOWN, frozenset())
    assert (without.cause, without.sufferers) == (Cause.ACCOUNT_WITHOUT_CARDS, {"anna"})


def test_cards_that_go_long_after_the_login_are_missing_since_they_went() -> None:
    """Not since the login, which may be months ago."""
    empty = a_source(cards_by_hop={}, up_at=NOW - 9000)
    assert the_only(a_scene(empty, a_local_source())).since == NOW
    blind = a_receiver(cards=0, served_by="", connected_at=NOW - 9000)
    found = the_only(a_scene(a_source(up_at=NOW - 9000), receivers=(blind,)))
    assert (found.cause, found.since) == (Cause.ACCOUNT_WITHOUT_CARDS, NOW)


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


def test_what_the_system_does_not_let_us_do_is_named_and_began_when_it_did() -> None:
    problems = tuple(
        ConfigProblem(kind=ConfigProblemKind.NOT_DONE, file="cccamd.toml", line=None, text=text)
        for text in ("[mqtt] the broker b:1883: connection refused", "port 9000 is taken")
    )
    files = ConfigState(read_at=NOW - 9000, problems=problems)
    found = the_only(a_scene(files=files))
    assert (found.cause, found.since) == (Cause.NOT_DONE, NOW)
    words = (
        "cannot be carried out in full: [mqtt] the broker b:1883: connection refused; and 1 more"
    )
    assert found.text == words
    alone = the_only(a_scene(files=replace(files, problems=problems[1:])))
    assert alone.text == "cannot be carried out in full: port 9000 is taken"


def test_more_places_than_are_told_are_counted() -> None:
    problem = ConfigProblem(kind=ConfigProblemKind.LEFT_OUT, file="f", line=3, text="no user")
    files = ConfigState(problems=(problem,) * 100, left_out=5000)
    assert the_only(a_scene(files=files)).text == "has 5,000 places left out: not in use"


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("clock-unset", Cause.CLOCK_OFF),
        ("clock-jumped", Cause.CLOCK_OFF),
        ("disk-full", Cause.DISK_FULL),
        ("disk-read-only", Cause.DISK_FULL),
        ("few-files-left", Cause.FEW_FILES),
        ("no-such-address", Cause.DOOR_SHUT),
        ("little-memory-left", Cause.LITTLE_MEMORY),
    ],
)
def test_the_machine(code: str, cause: Cause) -> None:
    diagnosis = diagnose(
        Check.RESOURCES, Grade.WARNING, code, "is so", "Mend it.", subject="the journal"
    )
    found = the_only(a_scene(machine=(MachineTrouble(diagnosis, NOW - 40),)))
    assert (found.cause, found.since) == (cause, NOW - 40)
    assert (found.subject, found.text, found.change) == ("the journal", "is so", "Mend it.")


def test_a_slow_source_that_freezes_twelve_pictures_is_one_symptom() -> None:
    late = {"over": False, "verdict": Verdict.SOURCE_LATE, "cause": "the CW came 6.1 s late"}
    frozen = tuple(a_freeze(f"u{number}", at=NOW - number, **late) for number in range(12))
    found = the_only(a_scene(frozen=frozen))
    assert (found.cause, found.subject, found.since) == (Cause.SOURCE_SLOW, UPSTREAM, NOW - 11)
    assert "the CW came 6.1 s late" in found.text
    assert len(found.sufferers) == 12


def test_pictures_that_stand_still_for_a_source_in_trouble_are_its_trouble() -> None:
    away = a_freeze("ben", over=False, verdict=Verdict.SOURCE_AWAY, cause="it was away")
    scene = a_scene(an_offline_source(UPSTREAM), a_local_source(), frozen=(away,))
    found = the_only(scene)
    assert (found.cause, found.sufferers) == (Cause.SOURCE_DOWN, {"ben"})
    assert "connection refused" in found.text
    served = a_receiver("ben")
    unnamed = replace(away, source="", verdict=Verdict.NO_CARD)
    found = the_only(replace(scene, frozen=(unnamed,), receivers=(served,)))
    assert (found.cause, found.sufferers) == (Cause.SOURCE_DOWN, {"ben"})


def test_pictures_that_stand_still_for_no_source_are_told_by_their_verdict() -> None:
    frozen = (
        a_freeze("anna", over=False, source="", verdict=Verdict.NO_CARD, cause="no card fits it"),
        a_freeze(
            "ben", over=False, source="", verdict=Verdict.NO_CARD, cause="no card", at=NOW - 9
        ),
        a_freeze("eve", over=False, verdict=Verdict.NETWORK, cause="3 % of packets are lost"),
    )
    no_card, network = find_symptoms(a_scene(frozen=frozen))
    assert (no_card.cause, no_card.subject) == (Cause.FROZEN, "pictures")
    assert no_card.text == (
        "that stand still (there was no card for it): anna on Das Erste and ben on Das Erste;"
        " no card"
    )
    assert no_card.sufferers == {"anna", "ben"}
    assert network.text.startswith("that stand still (the way to the receiver): eve on Das Erste;")


def test_who_sees_no_card_has_that_trouble_and_no_other() -> None:
    dark = a_freeze("anna", over=False, from_start=True, source="", verdict=Verdict.NO_CARD)
    found = the_only(a_scene(frozen=(dark,), receivers=(a_receiver(cards=0),)))
    assert (found.cause, found.sufferers) == (Cause.ACCOUNT_WITHOUT_CARDS, {"anna"})


def test_a_source_that_was_slow_a_minute_ago_is_not_slow() -> None:
    minute = LastMinute(answered=30, slow=7)
    assert not list(
        find_symptoms(a_scene(replace(a_source(), usual_seconds=7.3, last_minute=minute)))
    )


def test_a_receiver_in_trouble_is_told_unless_its_picture_is_known_to_stand_still() -> None:
    stopped = ReceiverFinding(
        **on_channel(a_service()),  # type: ignore[arg-type]
        account="anna",
        trouble=ReceiverTrouble.STOPPED,
        at=NOW - 25,
        verdict=Verdict.NETWORK,
        cause="our last answer did not arrive",
    )
    found = the_only(a_scene(findings=(stopped,)))
    assert (found.cause, found.subject, found.since) == (Cause.RECEIVER, "anna", NOW - 25)
    assert found.text == "asks no more on Das Erste: our last answer did not arrive"
    frozen = a_freeze("anna", over=False, source="", verdict=Verdict.NETWORK)
    assert the_only(a_scene(findings=(stopped,), frozen=(frozen,))).cause is Cause.FROZEN


def test_a_port_that_takes_nobody_is_named() -> None:
    door = ClosedDoor("port 12000", "Too many open files", NOW - 60)
    found = the_only(a_scene(a_source(), doors=(door,)))
    assert (found.cause, found.subject, found.since) == (Cause.DOOR_SHUT, "port 12000", NOW - 60)
    assert found.text == "takes no new connections: Too many open files"
    assert "LimitNOFILE" in found.change


def test_nodes_of_a_fleet_that_were_wrong_or_differ() -> None:
    nodes = (
        NodeStatus(name="north", heard_at=NOW, cards=3, wrong=2, distrusted_until=NOW + 60.0),
        NodeStatus(name="south", heard_at=NOW, cards=3, differs=True, config="0123456789abcdef"),
        NodeStatus(name="west", heard_at=NOW, cards=3, wrong=1),
    )
    wrong, differs = find_symptoms(a_scene(fleet=a_fleet(nodes)))
    assert (wrong.cause, wrong.subject) == (Cause.NODE_WRONG, "node north")
    assert wrong.text == "gave a wrong CW (2 times), and is not believed for now"
    assert (differs.cause, differs.subject) == (Cause.NODE_DIFFERS, "node south")
    assert differs.text == "has another configuration: hash 01234567, the others fedcba98"


def a_fleet(nodes: tuple[NodeStatus, ...], **changes: Any) -> FleetStatus:
    usual = "fedcba9876543210"
    fields = {"node": "attic", "config": usual, "usual_config": usual, "nodes": nodes}
    return FleetStatus(**(fields | changes))


def other(number: int, **changes: Any) -> NodeStatus:
    return NodeStatus(name=f"node{number}", heard_at=NOW - number, cards=0, **changes)


def test_an_engine_whose_values_no_node_wrote_is_named() -> None:
    found = the_only(a_scene(fleet=a_fleet((), unread=1, unread_at=NOW - 5.0)))
    assert (found.cause, found.since) == (Cause.ENGINE_FORGES, NOW - 5.0)
    assert found.text.startswith("gave 1 value that no node wrote there")


def test_of_many_odd_nodes_some_are_named_and_of_two_none_is_the_odd_one() -> None:
    odd = tuple(other(number, differs=True, config=f"{number:016x}") for number in range(50))
    found = the_only(a_scene(fleet=a_fleet(odd)))
    assert found.subject == "the fleet"
    assert found.text == (
        "has nodes of another configuration: node0 00000000, node1 00000000, node2 00000000 and 47"
        " more, the others fedcba98"
    )
    none = a_fleet(odd[:1], usual_config="", differs=True)
    found = the_only(a_scene(fleet=none))
    assert found.subject == "the fleet"
    assert found.text == (
        "has no configuration that most nodes have: hashes attic (this one) fedcba98 and node0"
        " 00000000"
    )


def test_nodes_that_are_missing_are_named_many_of_them_at_once() -> None:
    """Who was stopped, or cannot be seen since the engine is away, is nobody's trouble."""
    well = (other(90, state=NodeState.STOPPED), other(91, state=NodeState.UNSEEN))
    missing = tuple(other(number, state=NodeState.MISSING) for number in range(50))
    one = the_only(a_scene(fleet=a_fleet((), absent=(*well, missing[7]))))
    assert (one.cause, one.subject, one.since) == (Cause.NODE_MISSING, "node node7", NOW - 7)
    assert one.text == "says nothing any more, and has not said that it goes"
    few = list(find_symptoms(a_scene(fleet=a_fleet((), absent=missing[:5]))))
    assert [each.subject for each in few] == [f"node node{number}" for number in range(5)]
    all_of_them = the_only(a_scene(fleet=a_fleet((), absent=missing)))
    assert (all_of_them.subject, all_of_them.since) == ("the fleet", NOW - 49)
    assert all_of_them.text == "misses 50 nodes: node0, node1, node2 and 47 more"
