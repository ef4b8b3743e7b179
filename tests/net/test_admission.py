"""Who comes in when it gets crowded."""

import sys
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cccamd.net import Admission, AdmissionLimits, NoEntry, origin_of


def admission(
    *, connections: int = 10, pending: int = 3, per_address: int | None = None
) -> Admission:
    limits = AdmissionLimits(
        connections=connections, pending_logins=pending, per_address=per_address
    )
    return Admission(limits, admits=lambda address: not address.startswith("203."))


def test_only_allowed_networks_come_in() -> None:
    door = admission()
    assert door.refusal("203.0.113.9") is NoEntry.NETWORK
    assert door.refusal("192.0.2.1") is None
    assert door.refused == 1


def test_a_flood_pushes_out_the_oldest_that_said_nothing() -> None:
    door = admission(pending=3)
    assert door.enter("honest", "192.0.2.1") is None
    door.heard("honest")
    assert door.enter("silent 1", "192.0.2.9") is None
    assert door.enter("silent 2", "192.0.2.9") is None
    assert door.enter("silent 3", "192.0.2.9") == "silent 1"
    door.leave("silent 1")
    assert door.enter("silent 4", "192.0.2.9") == "silent 2"
    door.leave("silent 2")
    door.logged_in("honest")
    assert door.enter("silent 5", "192.0.2.9") is None


def test_clients_that_are_logged_in_are_counted_apart() -> None:
    door = admission(connections=2, pending=1)
    for name in ("one", "two"):
        assert door.refusal("192.0.2.1") is None
        door.enter(name, "192.0.2.1")
        door.logged_in(name)
    assert door.refusal("192.0.2.1") is NoEntry.FULL
    door.leave("one")
    assert door.refusal("192.0.2.1") is None


def test_logins_that_are_pending_do_not_make_the_server_full() -> None:
    door = admission(connections=2, pending=3)
    for name in ("one", "two", "three"):
        assert door.refusal("192.0.2.1") is None
        door.enter(name, "192.0.2.1")
    door.logged_in("one")
    assert door.refusal("192.0.2.1") is None
    door.enter("four", "192.0.2.1")
    door.logged_in("four")
    assert door.refusal("192.0.2.1") is NoEntry.FULL, "two are in, whoever else is at the door"
    assert (door.connections, door.pending, door.refused) == (4, 2, 1)


def test_one_address_may_be_limited() -> None:
    door = admission(per_address=2)
    for name in ("one", "two"):
        assert door.refusal("192.0.2.1") is None
        door.enter(name, "192.0.2.1")
    assert door.refusal("192.0.2.1") is NoEntry.ADDRESS_FULL
    assert door.refusal("192.0.2.2") is None
    door.leave("one")
    assert door.refusal("192.0.2.1") is None
    door.enter("three", "192.0.2.1")
    assert door.refusal("192.0.2.1") is NoEntry.ADDRESS_FULL
    for name in ("two", "three"):
        door.leave(name)
    for name in ("four", "five"):
        assert door.refusal("192.0.2.1") is None, "nobody of them is here any more"
        door.enter(name, "192.0.2.1")


def test_who_has_most_makes_room_from_the_network_down_to_the_oldest() -> None:
    door = admission(pending=7)
    door.enter("honest", "198.51.100.1")
    for name, address in (
        ("talker", "192.0.2.9"),
        ("one of 8", "192.0.2.8"),
        ("second of 9", "192.0.2.9"),
        ("third of 9", "192.0.2.9"),
        ("v6", "2001:db8::1"),
        ("v6 again", "2001:db8::2"),
    ):
        assert door.enter(name, address) is None
    door.heard("talker")
    assert door.enter("new", "203.0.113.1") == "second of 9", "who speaks stays"
    door.leave("second of 9")
    assert door.enter("newer", "203.0.113.2") == "third of 9", "of 9 there are two, of 8 one"
    door.leave("third of 9")
    door.leave("talker")
    door.leave("one of 8")
    for name in ("v6 3", "v6 4"):
        assert door.enter(name, f"2001:db8::{name[-1]}") is None
    assert door.enter("last", "192.0.2.1") == "v6", "a /64 is one source"


def test_strangers_may_have_few_that_are_not_logged_in_and_push_out_their_own() -> None:
    limits = AdmissionLimits(
        connections=99, pending_logins=99, pending_per_source=2, pending_per_network=3
    )
    door: Admission[str] = Admission(
        limits, admits=lambda address: True, is_near=lambda address: address.startswith("10.")
    )
    for number in range(9):
        assert door.enter(f"near {number}", "10.0.0.1") is None
    door.enter("a", "192.0.2.1")
    door.enter("b", "192.0.2.1")
    assert door.enter("c", "192.0.2.1") == "a"
    door.leave("a")
    assert door.enter("d", "192.0.2.2") is None
    assert door.enter("e", "192.0.2.3") == "b", "of the address with most"
    door.leave("b")
    door.logged_in("c")
    assert door.enter("f", "192.0.2.3") is None, "who is logged in does not count"


def test_who_waits_again_counts_again() -> None:
    door = admission(pending=2)
    door.enter("one", "192.0.2.1")
    door.logged_in("one")
    door.waits_again("one")
    door.enter("two", "192.0.2.1")
    assert door.enter("three", "192.0.2.1") == "one"
    door.waits_again("gone before")
    assert door.pending == 3


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["enter", "enter", "heard", "logged_in", "waits_again", "leave"]),
        st.integers(0, 12),
    ),
    max_size=60,
)
ADDRESSES = ("192.0.2.1", "192.0.2.2", "198.51.100.1", "2001:db8::1", "2001:db8:1::2")


@given(STEPS)
def test_the_books_balance_and_the_victim_is_one_of_those_with_most(
    steps: list[tuple[str, int]],
) -> None:
    door: Admission[int] = admission(pending=6)
    waiting: dict[int, str] = {}
    inside: dict[int, str] = {}
    for step, key in steps:
        address = ADDRESSES[key % 5]
        if step == "enter" and key not in inside:
            full = len(waiting) >= 6
            networks = Counter(origin_of(each).network for each in waiting.values())
            victim = door.enter(key, address)
            assert (victim is not None) is full
            if victim is not None:
                network = origin_of(waiting[victim]).network
                assert networks[network] == max(networks.values())
                sources = Counter(
                    origin_of(each).source
                    for each in waiting.values()
                    if origin_of(each).network == network
                )
                assert sources[origin_of(waiting[victim]).source] == max(sources.values())
                door.leave(victim)
                del waiting[victim], inside[victim]
            waiting[key] = inside[key] = address
        elif step != "enter" and key in inside:
            getattr(door, step)(key)
            if step in ("logged_in", "leave"):
                waiting.pop(key, None)
            if step == "waits_again":
                waiting[key] = inside[key]
            if step == "leave":
                del inside[key]
        while len(waiting) > 6:  # who waits again is not turned out at once
            door.leave(key)
            waiting.pop(key), inside.pop(key)
        assert door.connections == len(inside)
        assert door.pending == len(waiting)


@pytest.mark.parametrize(
    ("address", "source", "network"),
    [
        ("192.0.2.77", "192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3::9", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/64", "fe80::/48"),
        ("nonsense", "nonsense", "nonsense"),
    ],
)
def test_where_an_address_belongs(address: str, source: str, network: str) -> None:
    assert origin_of(address) == (source, network)


class BreakingOff:
    """Runs something and lets memory run out at its k-th line within the module."""

    def __init__(self, at: int) -> None:
        self._left = at

    def happens(self, act: Callable[[], object]) -> bool:
        """Whether it came to that."""
        before = sys.gettrace()
        sys.settrace(self._trace)
        try:
            act()
        except MemoryError:
            return True
        finally:
            sys.settrace(before)
        return False

    def _trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        if not frame.f_code.co_filename.endswith("net/admission.py"):
            return None
        if event == "line":
            self._left -= 1
            if self._left == 0:
                sys.settrace(None)
                raise MemoryError
        return self._trace


@pytest.mark.parametrize("what", ["enter", "heard", "logged_in", "waits_again", "leave"])
def test_a_change_that_is_broken_off_anywhere_leaves_nothing_behind(what: str) -> None:
    at = 0
    while True:
        at += 1
        door = admission(pending=9, per_address=9)
        for key in ("a", "b", "c"):
            door.enter(key, "192.0.2.1")
        acts = {
            "enter": lambda door=door: door.enter("d", "192.0.2.1"),
            "heard": lambda door=door: door.heard("b"),
            "logged_in": lambda door=door: door.logged_in("b"),
            "waits_again": lambda door=door: door.waits_again("b"),
            "leave": lambda door=door: door.leave("b"),
        }
        broke_off = BreakingOff(at).happens(acts[what])
        if broke_off and what == "leave":
            door.leave("b")  # whoever is told of the end tells it again, or has told it
        expected = {"a", "c"} if what == "leave" else {"a", "b", "c"}
        expected |= {"d"} if what == "enter" and not broke_off else set()
        assert set(door.inside) == expected
        door.enter("e", "192.0.2.2")
        for key in (*expected, "e"):
            door.leave(key)
        assert (door.connections, door.pending, door.dispensable()) == (0, 0, None)
        assert not door._per_address
        if not broke_off:
            break
    assert at > 3
