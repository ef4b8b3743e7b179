"""The brake on guessing: who waits, who is banned, and who must never suffer."""

import pytest

from cccamd.facts import Door, PenaltyKind
from cccamd.net import Penalties, PenaltyRules, at_once
from cccamd.net.penalties import (
    BANS_REMEMBERED,
    FORGOTTEN,
    FREE,
    LONGEST_BAN,
    LONGEST_WAIT,
    MOST_POINTS,
    NETWORK_FACTOR,
    REMEMBERED,
    STANDING_SHOWN,
    TRUST,
)

FAR, NEAR = "203.0.113.7", "192.168.1.7"


def brake(**rules: float) -> Penalties:
    return Penalties(
        PenaltyRules(**rules),  # type: ignore[arg-type]
        is_near=lambda address: address.startswith("192.168."),
    )


def fail(penalties: Penalties, times: int, address: str = FAR, user: bytes = b"anna") -> None:
    for _ in range(times):
        penalties.failed(address, user, 0.0)


def test_who_mistypes_does_not_wait_and_who_guesses_waits_longer_and_longer() -> None:
    penalties = brake(attempts=0)
    fail(penalties, 2)
    assert penalties.wait(FAR, b"anna", 0.0) == 0.0
    waits = []
    for number in range(8):
        fail(penalties, 1)
        waits.append(penalties.wait(FAR, b"%d" % number, 0.0))
    assert waits == [pytest.approx(min(0.1 * 2**n, LONGEST_WAIT)) for n in range(8)]
    assert penalties.wait("203.0.113.8", b"anna", 0.0) == 0.0, "another address does not"


@pytest.mark.parametrize(("address", "most"), [(FAR, 3), (NEAR, 8)])
def test_logins_of_one_place_with_one_name_wait_in_a_row_of_bounded_length(
    address: str, most: int
) -> None:
    """In the own network a few beside the row are looked at: no wrong setting locks others out."""
    penalties = brake()
    fail(penalties, 6, address)
    looked_at = [penalties.wait(address, b"anna", 0.001 * n) for n in range(1000)]
    found = [wait for wait in looked_at if wait is not None]
    assert len(found) == most, "within a second"
    assert max(found) <= LONGEST_WAIT


def test_a_name_that_logged_in_from_there_is_not_held_up_until_it_fails_too_often() -> None:
    penalties = brake()
    penalties.succeeded(NEAR, b"anna")
    fail(penalties, 20, NEAR, b"guess")
    assert penalties.wait(NEAR, b"anna", 0.0) == 0.0
    assert penalties.wait(NEAR, b"ben", 0.0) == LONGEST_WAIT
    fail(penalties, TRUST, NEAR)
    assert penalties.wait(NEAR, b"anna", 0.0) == LONGEST_WAIT


def test_a_name_that_is_guessed_from_many_places_shuts_nobody_out() -> None:
    penalties = brake()
    penalties.succeeded(FAR, b"anna")
    for number in range(200):
        penalties.failed(f"198.51.{number}.1", b"anna", 0.0)
    assert penalties.wait(FAR, b"anna", 0.0) == 0.0, "its owner does not wait"
    assert penalties.wait("192.0.2.1", b"anna", 0.0) == LONGEST_WAIT
    assert penalties.wait("192.0.2.1", b"ben", 0.0) == 0.0


def test_a_ban_comes_ends_and_is_longer_the_next_time() -> None:
    penalties = brake(attempts=5, ban=100.0)
    fail(penalties, 4)
    assert penalties.banned(FAR, 0.0) == 0.0
    assert penalties.failed(FAR, b"anna", 0.0) == (FAR, 100.0)
    assert (penalties.banned(FAR, 40.0), penalties.banned(FAR, 100.0)) == (60.0, 0.0)
    assert penalties.banned("203.0.113.8", 40.0) == 0.0
    for _ in range(5):
        ban = penalties.failed(FAR, b"anna", 200.0)
    assert ban == (FAR, 200.0)


def test_slow_failures_are_forgotten_in_between() -> None:
    penalties = brake(attempts=5)
    assert not any(penalties.failed(FAR, b"anna", n * FORGOTTEN) for n in range(100))


def test_a_network_is_banned_when_its_addresses_take_turns() -> None:
    penalties = brake(attempts=5)
    bans = [
        penalties.failed(f"2001:db8:1:{n:x}::1", b"anna", 0.0) for n in range(5 * NETWORK_FACTOR)
    ]
    assert bans[:-1] == [None] * (len(bans) - 1)
    assert bans[-1] is not None
    assert bans[-1].who == "2001:db8:1::/48"
    assert penalties.banned("2001:db8:1:ffff::9", 0.0) > 0
    assert penalties.banned("2001:db8:2::9", 0.0) == 0.0


@pytest.mark.parametrize("known", [True, False])
def test_the_own_networks_and_who_has_logged_in_are_never_banned(known: bool) -> None:
    penalties = brake(attempts=5)
    address = FAR if known else NEAR
    if known:
        penalties.succeeded(address, b"ben")
    assert not any(penalties.failed(address, b"anna", 0.0) for _ in range(200))
    assert penalties.banned(address, 0.0) == 0.0
    penalties.ban(address, 60.0, 1, 0.0)
    assert penalties.banned(address, 0.0) == 0.0, "nor by a file of before"
    if not known:
        penalties.ban("192.168.1.0/24", 60.0, 1, 0.0)
        assert penalties.banned(address, 0.0) == 0.0, "nor with its network"


def test_no_ban_and_no_wait_is_longer_than_the_longest() -> None:
    penalties = brake(attempts=1, ban=86_000.0)
    fail(penalties, 1)
    fail(penalties, 1)
    penalties.ban("203.0.113.8", 1e9, 1, 0.0)
    assert penalties.banned(FAR, 0.0) == penalties.banned("203.0.113.8", 0.0) == LONGEST_BAN
    slow = brake(attempts=0)
    fail(slow, 1000)
    (waits,) = slow.of(FAR, 0.0)
    assert (waits.wait, waits.until) == (LONGEST_WAIT, (MOST_POINTS - FREE) * FORGOTTEN)


def test_what_is_remembered_is_bounded_and_no_jump_of_time_does_harm() -> None:
    penalties = brake()
    for number in range(REMEMBERED + 100):
        penalties.failed(f"198.{number >> 16}.{number >> 8 & 255}.{number & 255}", b"x", 9e9)
    assert len(penalties._scores._found) <= REMEMBERED
    assert penalties.wait(FAR, b"anna", 0.0) == 0.0
    fail(penalties, 1)
    assert penalties.of(FAR, -1e9) == (), "one failure is one"


# What may be seen of it.


def test_what_somebody_bears_is_told_with_doors_tries_and_its_end() -> None:
    penalties = brake(attempts=5, ban=100.0)
    fail(penalties, 4, NEAR)
    for door in (Door.CCCAM, Door.WEB, Door.CCCAM, Door.TELNET):
        penalties.failed(FAR, b"anna", 1.0, door)
    penalties.failed(FAR, b"x" * 1000, 1.0, Door.NEWCAMD)
    seen = at_once(penalties.standing(2.0))
    assert (seen.banned, seen.slowed) == (1, 1)
    ban, waits = seen.shown
    assert ban == (FAR, PenaltyKind.BANNED, ban.doors, "x" * 64, 5, 1, 1.0, 101.0, 0.0)
    assert ban.doors == (Door.CCCAM, Door.WEB, Door.TELNET, Door.NEWCAMD)
    assert (waits.who, waits.kind, waits.tries) == (NEAR, PenaltyKind.SLOWED, 4)
    assert penalties.of(FAR, 2.0) == (ban,)
    assert penalties.of(NEAR, 0.0)[0].wait == penalties.wait(NEAR, b"new", 0.0)
    assert penalties.of("203.0.113.8", 2.0) == ()
    assert at_once(penalties.standing(101.0)).banned == 0
    for _ in range(4):
        penalties.failed(FAR, b"anna", 102.0)
    assert at_once(penalties.standing(102.0)).shown == penalties.of(FAR, 102.0), "told once"


def test_a_wait_is_over_when_it_is_said_to_be() -> None:
    penalties = brake(attempts=0)
    fail(penalties, 5)
    (waits,) = penalties.of(FAR, 0.0)
    assert waits.until == (5 - FREE) * FORGOTTEN
    assert penalties.wait(FAR, b"new", waits.until - 0.1) != 0.0
    assert penalties.wait(FAR, b"new", waits.until + 0.1) == 0.0
    assert penalties.of(FAR, waits.until + 0.1) == ()
    fail(penalties, 1)
    assert penalties.of(FAR, 0.0)[0].tries == 6
    penalties.failed(FAR, b"anna", 1e6)
    assert penalties._score(FAR).tries == 1, "what is forgotten is not counted any more"


def test_a_name_for_which_strangers_wait_is_told_and_is_another_one_on_each_page() -> None:
    penalties = brake()
    for number in range(20):
        penalties.failed(f"198.51.{number}.1", b"anna", 0.0, Door.NEWCAMD)
    assert at_once(penalties.standing(0.0)).shown[0][:3] == (
        "anna",
        PenaltyKind.NAME_SLOWED,
        (Door.NEWCAMD,),
    )
    assert penalties.of_name(b"anna", 0.0, Door.CCCAM) is not None, "one account, two ports"
    assert penalties.of_name(b"anna", 0.0, Door.WEB) is None
    assert penalties.wait("192.0.2.1", b"web pages:anna", 0.0) == 0.0


def test_a_ban_that_means_nobody_any_more_is_not_shown() -> None:
    penalties = brake(attempts=5)
    fail(penalties, 5)
    assert at_once(penalties.standing(0.0)).banned == 1
    penalties.succeeded(FAR, b"anna")
    assert penalties.banned(FAR, 0.0) == 0.0
    assert at_once(penalties.standing(0.0)).banned == 0


def test_ten_thousand_bans_stay_and_are_told_in_small_steps() -> None:
    penalties = brake(attempts=1, ban=1000.0)
    for number in range(10_000):
        penalties.failed(f"198.{number >> 8 & 255}.{number & 255}.1", b"x%d" % number, 0.0)
    penalties.rules = PenaltyRules(attempts=0)
    for number in range(REMEMBERED + 100):
        penalties.failed(f"10.{number >> 8 & 255}.{number & 255}.1", b"y", 1.0)
    assert penalties.banned("198.0.0.1", 1.0) > 0.0, "who only fails pushes out no ban"
    steps, result = 0, penalties.standing(1.0)
    while True:
        try:
            next(result)
        except StopIteration as end:
            seen = end.value
            break
        steps += 1
    assert steps >= 10_000
    assert (seen.banned, len(seen.shown)) == (10_000, STANDING_SHOWN)
    assert seen.shown[0].who == "198.0.0.1", "whom the door saw last"
    assert len(at_once(penalties.bans(1.0))) == 10_000
    for number in range(BANS_REMEMBERED + 10):
        penalties.ban(f"h{number}", 9.0, 1, 1.0)
    assert len(penalties._banned._found) == BANS_REMEMBERED


def test_a_ban_of_another_node_does_not_shorten_one_that_goes_on() -> None:
    penalties = brake()
    penalties.ban(FAR, 600.0, 2, 0.0)
    penalties.ban(FAR, 60.0, 1, 0.0)
    assert penalties.banned(FAR, 0.0) == 600.0
