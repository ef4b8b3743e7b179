"""A beat that comes late says how long the loop stood still, and whose work that was."""

from cccamd.watch import Pulse

EVERY, NOTICED = 0.02, 0.05


def beating() -> Pulse:
    pulse = Pulse(EVERY, NOTICED)
    assert pulse.beat(100.0, wall=1e9, used=5.0, asleep=0.0) is None
    return pulse


def test_a_steady_beat_is_no_pause() -> None:
    pulse = beating()
    for number in range(1, 50):
        now = 100.0 + number * 0.025
        assert pulse.beat(now, wall=1e9, used=5.0, asleep=0.0) is None
    assert (pulse.count, pulse.longest) == (0, 0.0)


def test_a_late_beat_is_a_pause_and_knows_work_from_waiting() -> None:
    pulse = beating()
    assert not pulse.is_late(100.05)
    assert pulse.is_late(100.32)
    worked = pulse.beat(100.32, wall=1e9, used=5.3, asleep=0.0, doing=("a: b",))
    waited = pulse.beat(100.44, wall=1e9 + 1, used=5.31, asleep=0.0)
    assert worked is not None
    assert waited is not None
    assert (round(worked.seconds, 2), worked.is_work, worked.doing) == (0.31, True, ("a: b",))
    assert (round(waited.seconds, 2), waited.is_work) == (0.11, False)
    assert pulse.lately(1e9 + 1, 0.5) == (waited,)
    assert pulse.count == 2


def test_a_machine_that_was_suspended_did_not_pause_us() -> None:
    pulse = beating()
    assert pulse.beat(103.0, wall=1e9 + 3600, used=5.0, asleep=3597.0) is None
    assert pulse.beat(103.02, wall=1e9 + 3600, used=5.0, asleep=3597.0) is None


def test_another_pace_begins_anew() -> None:
    pulse = Pulse(0.25, 0.5)
    pulse.beat(100.0, wall=1e9, used=5.0, asleep=0.0)
    pulse.go(EVERY, NOTICED)
    assert pulse.beat(100.2, wall=1e9, used=5.0, asleep=0.0) is None
