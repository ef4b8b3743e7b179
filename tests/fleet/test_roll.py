"""Who is missing: at minute 1, 5 and 15 of an outage, after a day, and with too many names."""

import json

import pytest

from cccamd.facts import NodeState
from cccamd.fleet import leases, letters, news, told
from cccamd.fleet.letters import Presence
from cccamd.fleet.roll import ABSENT_LIMIT, GONE_AFTER, REMEMBERED, Absent, Roll
from cccamd.ids import NodeId

MINUTE, HOUR = 60.0, 3600.0
BIDI = "\u202e"
HOSTILE = [
    "<b>north</b>",
    f"no{BIDI}rth",
    "n" * 51,
    "n\u00f6rd",
    "a b",
    "",
    'a"b',
    "north\n",
    7,
    None,
]


def gone(name: str, *, there_for: float = HOUR, at: float = 0.0, **changes: object) -> Absent:
    fields: dict[str, object] = {"state": NodeState.MISSING, "config": "abc"}
    return Absent(
        name=name,
        came_at=at - there_for,
        heard_at=at,
        **(fields | changes),  # type: ignore[arg-type]
    )


def states(roll: Roll) -> dict[str, NodeState]:
    return {one.name: one.state for one in roll.absent()}


def test_at_minute_1_5_and_15_it_is_seen_who_is_missing_and_since_when() -> None:
    roll = Roll()
    roll.left(gone("north"), HOUR)
    for minute in (1, 5, 15, 60):
        roll.look(minute * MINUTE, HOUR)
        (north,) = roll.absent()
        assert (north.state, north.heard_at, north.config) == (NodeState.MISSING, 0.0, "abc")
    roll.came("north")
    assert states(roll) == {}


def test_after_a_day_it_is_forgotten() -> None:
    roll = Roll()
    roll.left(gone("north"), HOUR)
    roll.look(REMEMBERED - 1.0, HOUR)
    assert states(roll) == {"north": NodeState.MISSING}
    roll.look(REMEMBERED, HOUR)
    assert states(roll) == {}


def test_who_said_that_it_goes_is_stopped_and_stays_so() -> None:
    roll = Roll()
    roll.left(gone("north", state=NodeState.STOPPED), None)
    for seen_for in (None, 1.0, HOUR):
        roll.look(MINUTE, seen_for)
        assert states(roll) == {"north": NodeState.STOPPED}


def test_nobody_is_called_missing_while_nobody_can_be_heard() -> None:
    """The engine is away for 15 minutes, and the others are back later than we are."""
    roll = Roll()
    roll.left(gone("north"), None)
    roll.left(gone("south"), None)
    for minute in (1, 5, 15):
        roll.look(minute * MINUTE, None)
        assert set(states(roll).values()) == {NodeState.UNSEEN}
    roll.look(15 * MINUTE + 1.0, 1.0)
    roll.came("south")
    assert states(roll) == {"north": NodeState.UNSEEN}
    roll.left(gone("west"), GONE_AFTER - 1.0)
    assert states(roll) == {"north": NodeState.UNSEEN, "west": NodeState.UNSEEN}
    roll.look(15 * MINUTE + GONE_AFTER, GONE_AFTER)
    assert set(states(roll).values()) == {NodeState.MISSING}
    roll.look(20 * MINUTE, None)
    assert set(states(roll).values()) == {NodeState.MISSING}, "what is known stays known"


def test_500_mistaken_names_do_not_push_out_who_is_missed() -> None:
    roll = Roll()
    real = [f"node{number}" for number in range(50)]
    for name in real:
        roll.left(gone(name), HOUR)
    for number in range(500):
        roll.left(gone(f"mistake{number}", there_for=1.0, at=1.0), HOUR)
    absent = states(roll)
    assert len(absent) == ABSENT_LIMIT
    assert absent.keys() >= set(real)


@pytest.mark.parametrize("name", HOSTILE)
def test_what_no_node_can_be_called_is_no_word_of_a_node(name: object) -> None:
    sent = Presence(node="north", node_id=NodeId(bytes(8)), boot="b", config="c", revision="r")
    for module, letter in (
        (letters, letters.write(sent)),
        (news, news.write(news.Question(node="north", word="w"))),
    ):
        assert module.read(letter) is not None  # type: ignore[attr-defined]
        changed = json.dumps(json.loads(letter) | {"node": name}).encode()
        assert module.read(changed) is None  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", [name for name in HOSTILE if isinstance(name, str)])
def test_nor_is_it_in_what_is_told_of_ecms_and_seats(name: str) -> None:
    with pytest.raises(ValueError, match="no name of a node"):
        told.encode(told.Nothing(name, bytes(16), 1))
    node = name.encode()
    right = told.encode(told.Nothing("north", bytes(16), 1))
    if len(node) < 256:
        wrong = right[:1] + bytes((len(node),)) + node + right[2 + len("north") :]
        assert told.decode(wrong) is None
    assert told.decode(right) is not None
    seats = leases.Leases("south", _Open())
    assert seats._read(b"", json.dumps(["north", 1.0]).encode()) is not None
    assert seats._read(b"", json.dumps([name, 1.0]).encode()) is None
    assert seats._read_told(b"", json.dumps(["north", "doubt", ""]).encode()) is not None
    assert seats._read_told(b"", json.dumps([name, "doubt", ""]).encode()) is None


class _Open:
    """No seal at all."""

    unread = 0

    def name(self, kind: str, *parts: bytes) -> bytes:
        return b""

    def seal(self, name: bytes, plain: bytes) -> bytes:
        return plain

    def unseal(self, name: bytes, value: bytes) -> bytes | None:
        return value
