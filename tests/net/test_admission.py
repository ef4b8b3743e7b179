"""Who comes in when it gets crowded."""

from hypothesis import given
from hypothesis import strategies as st

from cccamd.net import Admission, AdmissionLimits, NoEntry


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


@given(
    st.lists(
        st.tuples(st.sampled_from(["enter", "heard", "logged_in", "leave"]), st.integers(0, 8))
    )
)
def test_the_books_balance(steps: list[tuple[str, int]]) -> None:
    door = admission(pending=4)
    inside: dict[int, bool] = {}
    for step, key in steps:
        if step == "enter" and key not in inside:
            victim = door.enter(key, f"192.0.2.{key % 2}")
            inside[key] = True
            if isinstance(victim, int):
                door.leave(victim)
                del inside[victim]
        elif step != "enter" and key in inside:
            getattr(door, step)(key)
            if step == "leave":
                del inside[key]
            elif step == "logged_in":
                inside[key] = False
        assert door.connections == len(inside)
        assert door.pending == sum(inside.values()) <= 4
