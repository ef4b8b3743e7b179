"""Bans and failed logins over all nodes: real penalties and bulletins, played engine and clocks."""

from dataclasses import replace

import pytest
from bulletinnodes import BAN, GUESSER, OTHER, three

from cccamd.facts import Door
from cccamd.fleet import bulletins
from cccamd.fleet.bulletins import BEAT, FRESH, PART
from cccamd.fleet.news import Answer, Banned, Question, read
from cccamd.net import PenaltyRules
from cccamd.net.penalties import names_of


def test_a_ban_at_one_node_is_one_at_all_a_second_later_for_as_long() -> None:
    world, north, south, west = three()
    north.guess(10)
    assert north.left() == BAN
    assert not south.left()
    world.pass_by(1.0)
    assert south.left() == west.left() == pytest.approx(BAN - 1.0, abs=0.1)
    world.pass_by(BAN - 1.0)
    assert not north.left()
    assert not south.left()
    assert not west.left()


def test_attempts_are_counted_over_the_nodes() -> None:
    world, north, south, west = three()
    for each in (north, south, west):
        each.guess(3)
        world.pass_by(1.0)
        assert not north.left()
    north.guess(1)
    assert north.left(), "the tenth of the fleet"
    world.pass_by(1.0)
    assert south.left()
    assert west.left()


def test_one_ban_that_all_come_to_by_counting_is_told_by_few() -> None:
    world, north, south, west = three()
    north.guess(5)
    south.guess(5)
    world.told.clear()
    world.pass_by(10.0)
    assert north.left()
    assert south.left()
    assert west.left()
    assert world.nodes["west"].bulletins.known == 1
    tellers = [sent for sent in world.told if GUESSER.encode() in sent.value]
    assert len(tellers) <= 4, "two that tell of failures, and who bans first"


def test_who_logged_in_at_one_node_is_not_locked_out_at_another() -> None:
    world, north, south, west = three()
    north.penalties.succeeded(GUESSER, b"anna")
    world.pass_by(1.0)
    south.guess(30)
    world.pass_by(1.0)
    assert not north.left()
    assert not south.left()
    assert not west.left()


def test_the_own_network_is_never_banned_whatever_another_node_says() -> None:
    world, north, south, _ = three()
    north.penalties._is_near = lambda address: False  # somebody has set it wrongly
    north.guess(10, "192.168.1.7")
    world.pass_by(1.0)
    assert north.left("192.168.1.7")
    assert not south.left("192.168.1.7")


def test_a_pardon_at_one_node_is_one_at_all_and_counts_for_older_bans_only() -> None:
    world, north, south, west = three()
    north.guess(10)
    world.pass_by(1.0)
    assert not south.penalties.forget(OTHER)
    assert south.penalties.forget(GUESSER)
    world.pass_by(1.0)
    assert not north.left()
    assert not west.left()
    west.guess(10)
    world.pass_by(1.0)
    assert north.left()
    assert south.left()


def test_of_a_ban_and_a_pardon_the_later_wins_whichever_is_heard_of_first() -> None:
    world, north, south, west = three()
    west.watched.discard(west.bulletins._all)
    world.told.clear()
    north.bulletins.banned(Banned(GUESSER, north.now, north.now + BAN, 1, 10, (), "anna"))
    world.pass_by(1.0)
    banned = list(world.told)
    south.penalties.forget(GUESSER)
    south.penalties.forget(OTHER)
    world.pass_by(1.0)
    west.guess(10, OTHER)
    west.watched.add(west.bulletins._all)
    for sent in (*world.told[len(banned) :], *banned):
        west.hear(sent)
    assert not west.left()
    assert west.left(OTHER) == BAN


def test_no_pardon_is_for_what_is_to_come() -> None:
    world, north, south, west = three()
    north.bulletins.pardoned(names_of(GUESSER), north.now + 1e9)
    world.pass_by(2.0)
    ban = Banned(GUESSER, south.now, south.now + BAN, 1, 9, (), "anna")
    south.bulletins.banned(ban)
    world.pass_by(1.0)
    assert west.left()


def test_who_joins_does_not_believe_the_answer_of_a_node_that_is_not_believed() -> None:
    world, north, _south, west = three()
    north.is_believed = False
    north.guess(10)
    late = world.node("late")
    world.pass_by(3.0)
    assert north.left()
    assert not late.left()
    assert not west.left()


def test_a_node_that_was_away_learns_bans_and_pardons_and_tells_its_own() -> None:
    world, north, south, west = three()
    north.guess(10)
    world.pass_by(1.0)
    west.lose()
    north.penalties.forget(GUESSER)
    south.guess(10, OTHER)
    world.pass_by(60.0)
    west.guess(10, "192.0.2.1")
    assert west.left()
    assert not west.left(OTHER)
    west.connect()
    world.pass_by(2.0)
    assert not west.left()
    assert west.left(OTHER)
    assert not north.left(), "what it still had does not come back"
    assert north.left("192.0.2.1") == south.left("192.0.2.1") > 0.0


def test_without_the_engine_each_counts_alone_and_nothing_is_kept_for_later() -> None:
    world, north, south, west = three()
    north.guess(1, OTHER)
    for each in (north, south, west):
        each.lose()
    north.guess(9)
    south.guess(9)
    world.pass_by(5.0)
    for each in (north, south, west):
        each.connect()
    world.pass_by(5.0)
    assert not north.left()
    assert not south.left()
    assert OTHER not in dict(south.penalties._scores.items())
    assert OTHER in dict(north.penalties._scores.items())


def test_who_joins_learns_also_what_a_node_that_is_gone_has_given() -> None:
    world, north, south, west = three()
    north.guess(10)
    for number in range(2 * PART):
        south.guess(10, f"198.18.{number // 250}.{number % 250}")
    world.pass_by(1.0)
    del world.nodes["north"]
    late = world.node("late", 77.0)
    world.pass_by(3.0)
    assert late.left() == pytest.approx(west.left(), abs=0.3)
    assert late.bulletins.known == west.bulletins.known > 2 * PART


def test_a_node_that_was_started_anew_tells_what_it_had_kept() -> None:
    world, north, south, west = three()
    north.guess(10)
    world.pass_by(1.0)
    left, now = north.left(), north.now
    for each in (south, west):
        each.penalties.forget_names(names_of(GUESSER))  # they have lost it
        each.bulletins._bans.clear()
    again = world.node("north", -3.0)
    again.penalties.ban(GUESSER, left, 1, again.now, ago=BAN - left)
    again.bulletins.banned(Banned(GUESSER, again.now - 1, again.now + left, 1, 9, (), "anna"))
    world.pass_by(3.0)
    assert south.left() == pytest.approx(left - (world.now - now), abs=0.3)


def test_a_letter_that_is_repeated_held_back_or_of_another_run_counts_for_nothing() -> None:
    world, north, south, west = three()
    south.watched.discard(south.bulletins._all)  # cut off: it has heard nothing of this yet
    north.guess(5)
    north.guess(10, OTHER)
    world.told.clear()
    world.pass_by(1.0)
    (letter,) = (sent for sent in world.told if OTHER.encode() in sent.value)
    before = [score.points for _, score in west.penalties._scores.items()]
    for _ in range(5):
        world.send(letter)
    assert [score.points for _, score in west.penalties._scores.items()] == before
    world.pass_by(FRESH + 1.0)
    south.watched.add(south.bulletins._all)
    world.loses = lambda sent: isinstance(read(sent.value[16:]), Question)
    south.hear(letter)
    assert not south.left(OTHER), "it was held back for longer than letters take"
    world.pass_by(BAN)
    for each in (north, south, west):
        each.hear(letter)
        assert not each.left(OTHER), "an old ban does not come back"
    late = world.node("late")
    late.hear(letter)
    assert not late.left(OTHER), "nor where it was never heard of"


def test_an_answer_that_is_repeated_to_another_question_counts_for_nothing() -> None:
    world, north, south, _ = three()
    north.guess(10)
    world.pass_by(1.0)
    world.told.clear()
    south.lose()
    south.connect()
    world.pass_by(1.0)
    answers = [sent for sent in world.told if isinstance(read(sent.value[16:]), Answer)]
    assert [sent for sent in answers if GUESSER.encode() in sent.value]
    world.pass_by(BAN)
    south.bulletins._forget_the_ended(south.now)
    for sent in answers:
        south.hear(sent)
    assert not south.left()


def test_a_bulletin_that_is_lost_is_made_up_for() -> None:
    world, north, south, west = three()
    world.loses = lambda sent: GUESSER.encode() in sent.value
    north.guess(10)
    world.pass_by(1.0)
    assert not south.left()
    world.loses = lambda sent: False
    world.pass_by(BEAT + 1.0)
    assert south.left()
    assert west.left()


def test_a_wrong_node_bans_nobody_for_longer_than_our_own_rules_do() -> None:
    world, north, south, west = three()
    south.penalties.rules = PenaltyRules(ban=60.0)
    west.penalties.rules = PenaltyRules(attempts=0)
    wrong = Banned(GUESSER, north.now + 1e9, north.now + 1e12, 2, 99, (Door.WEB,), "x")
    north.bulletins.banned(wrong)
    north.bulletins.banned(wrong._replace(who=OTHER, bans=10**9))
    world.pass_by(1.0)
    assert south.left() == pytest.approx(120.0, abs=0.5), "our second ban"
    assert south.left(OTHER) <= 86_400.0
    assert not west.left(), "where nobody is ever banned"
    world.pass_by(121.0)
    world.pass_by(BEAT)
    assert not south.left()


def test_what_a_node_says_that_is_not_believed_counts_for_nothing_until_it_is() -> None:
    world, north, south, west = three()
    north.is_believed = False
    north.guess(10)
    world.pass_by(3.0)
    assert not south.left()
    north.is_believed = True
    world.pass_by(BEAT + 2.0)
    assert south.left()
    assert west.left()


def test_a_node_whose_clock_stood_still_is_asked_anew() -> None:
    world, north, south, _west = three()
    world.now += 3600.0
    south.clock -= 3600.0  # the machine slept
    world.pass_by(2 * BEAT)
    north.guess(10)
    world.pass_by(1.0)
    assert south.left() == pytest.approx(north.left(), abs=0.3)


def test_a_quiet_fleet_says_little() -> None:
    world, *_ = three()
    world.told.clear()
    world.pass_by(60.0)
    assert len(world.told) == pytest.approx(3 * 60.0 / BEAT, abs=3)


def test_a_flood_is_told_in_parts_and_what_is_too_much_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bulletins, "WAITING_LIMIT", 2 * PART)
    world, north, south, _ = three(attempts=0)
    for number in range(3 * PART):
        north.guess(1, f"198.18.{number // 250}.{number % 250}")
    world.pass_by(5.0)
    counted = [who for who, score in south.penalties._scores.items() if not score.is_network]
    assert len(counted) == 2 * PART


def test_letters_come_back_as_they_were_and_others_are_left_alone() -> None:
    world, north, _south, _ = three()
    north.guess(3)
    north.penalties.succeeded(OTHER, b"\xffben")
    north.penalties.forget("2001:db8::1")
    world.told.clear()
    world.pass_by(1.0)
    values = [sent.value[16:] for sent in world.told]
    assert all(read(value) is not None for value in values)
    (bulletin,) = (value for value in values if b"2001:db8" in value)
    for old, new in ((b'"failed"', b'"x"'), (b"CCCAM", b"NOWHERE"), (b'"at":', b'"at":NaN,"y":')):
        assert old in bulletin
        assert read(bulletin.replace(old, new)) is None
    assert read(b"[" * 100_000) is None
    assert replace(PenaltyRules(), ban=1.0).length(10**9) == 86_400.0
