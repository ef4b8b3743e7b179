"""One F-line is one client: who has the seat, who gets it, who is told that it is taken."""

from dataclasses import dataclass

from cccamd.server.seats import (
    CONTENDERS_LIMIT,
    DOUBLE_LOGINS_KEPT,
    DOUBLE_LOGINS_LIMIT,
    PATIENCE,
    VERDICT_COUNTS,
    DoubleLogins,
    Seats,
)


@dataclass(eq=False)
class Sitter:
    lives: bool = True
    ended: bool = False
    probes: int = 0

    def probe(self) -> None:
        self.probes += 1


def seated(*sitters: Sitter) -> Seats[Sitter]:
    seats: Seats[Sitter] = Seats()
    for sitter in sitters:
        seats.take(b"anna", sitter)
    return seats


def test_who_stands_up_leaves_the_others_sitting() -> None:
    one, two, three = Sitter(), Sitter(), Sitter()
    seats = seated(one, two, three)
    seats.leave(b"anna", two)
    seats.leave(b"anna", Sitter())
    assert seats.of(b"anna") == (one, three)
    seats.leave(b"anna", one)
    seats.leave(b"anna", three)
    assert not seats
    assert seats.users() == ()


def test_who_answers_stays() -> None:
    sitter = Sitter(lives=False)
    contest = seated(sitter).contest(b"anna", 10.0)
    assert sitter.probes == 1
    assert not contest.look(10.1)
    sitter.lives = True
    assert contest.look(10.2)
    assert contest.next_dead() is None


def test_who_does_not_answer_is_dead_once_and_not_before_time() -> None:
    sitter = Sitter(lives=False)
    contest = seated(sitter).contest(b"anna", 10.0)
    assert not contest.look(10.0 + PATIENCE - 0.01)
    assert contest.look(10.0 + PATIENCE)
    assert contest.next_dead() is sitter
    assert contest.next_dead() is None


def test_who_ends_meanwhile_ends_the_waiting() -> None:
    sitter = Sitter(lives=False)
    contest = seated(sitter).contest(b"anna", 10.0)
    sitter.ended = True
    assert contest.look(10.1)
    assert contest.next_dead() is None


def test_of_several_the_silent_one_goes() -> None:
    living, silent = Sitter(), Sitter(lives=False)
    contest = seated(living, silent).contest(b"anna", 10.0)
    assert not contest.look(11.0)
    assert contest.look(11.5)
    assert contest.next_dead() is silent


def test_who_was_not_heard_yet_is_not_dead_because_another_has_ended() -> None:
    ended, silent = Sitter(lives=False), Sitter(lives=False)
    contest = seated(ended, silent).contest(b"anna", 10.0)
    ended.ended = True
    assert contest.look(10.1)
    assert contest.next_dead() is None


def test_a_contest_that_nobody_waited_for_is_not_used_again() -> None:
    seats = seated(Sitter())
    first = seats.contest(b"anna", 10.0)
    assert seats.contest(b"anna", 10.0 + PATIENCE) is not first


def test_a_verdict_counts_for_a_moment_and_no_keepalive_is_sent_meanwhile() -> None:
    sitter = Sitter()
    seats = seated(sitter)
    first = seats.contest(b"anna", 10.0)
    assert seats.contest(b"anna", 10.1) is first
    first.look(10.1)
    assert seats.contest(b"anna", 10.1 + VERDICT_COUNTS - 0.01) is first
    assert sitter.probes == 1
    assert seats.contest(b"anna", 10.1 + VERDICT_COUNTS) is not first
    assert sitter.probes == 2


def test_so_many_may_wait_and_no_more() -> None:
    seats = seated(Sitter(lives=False))
    contest = seats.contest(b"anna", 10.0)
    contest.contenders = CONTENDERS_LIMIT - 1
    assert not seats.is_crowded(b"anna")
    contest.contenders += 1
    assert seats.is_crowded(b"anna")
    contest.look(10.0 + PATIENCE)
    assert not seats.is_crowded(b"anna")


def test_the_books_of_seats() -> None:
    first, second = Sitter(), Sitter()
    seats = seated(first, second)
    assert list(seats) == [first, second]
    first.ended = True
    assert seats.of(b"anna") == (second,)
    seats.leave(b"anna", first)
    seats.leave(b"anna", first)
    seats.leave(b"anna", second)
    assert seats.users() == ()


def test_double_logins_are_counted_bounded_and_forgotten() -> None:
    found = DoubleLogins()
    for at in (100.0, 160.0):
        found.refused("anna", "192.0.2.9", ["192.0.2.7", "192.0.2.7"], at)
    (one,) = found.lately(160.0)
    assert (one.first_at, one.last_at, one.times) == (100.0, 160.0, 2)
    assert one.holders == ("192.0.2.7",)
    found.got_in("anna", "192.0.2.9")
    assert found.lately(160.0) == ()
    found.refused("anna", "192.0.2.9", [], 160.0)
    assert found.lately(160.0 + DOUBLE_LOGINS_KEPT + 1) == ()
    later = 200.0 + 2 * DOUBLE_LOGINS_KEPT
    found.refused("anna", "192.0.2.9", [], later)
    assert found.lately(later)[0].times == 1
    for number in range(DOUBLE_LOGINS_LIMIT + 5):
        found.refused("ben", f"10.0.0.{number}", [], later)
    assert len(found.lately(later)) == DOUBLE_LOGINS_LIMIT
    found.forget(lambda account: account != "ben")
    assert found.lately(later) == ()
