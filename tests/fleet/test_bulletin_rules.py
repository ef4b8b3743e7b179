"""The small rules of bulletins, each by itself: what bounds them, and what they leave alone."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from bulletinnodes import BAN, GUESSER, OTHER, Node, World, three
from claimnodes import PlainSeals

from cccamd.facts import Door
from cccamd.fleet import bulletins
from cccamd.fleet.actions import Publish
from cccamd.fleet.bulletins import (
    ANSWER_PATIENCE,
    ASK_AGAIN,
    BEAT,
    EARLY,
    LEARNS,
    MOST_BANS,
    PARDONED,
    PART,
    PART_EVERY,
    TIMES_LIMIT,
)
from cccamd.fleet.news import (
    Answer,
    Banned,
    Bulletin,
    Failed,
    News,
    Pardoned,
    Question,
    Spent,
    read,
    write,
)

SEALS = PlainSeals()


def news_in(world: World, kind: type[News]) -> list[News]:
    """What was told, of one kind."""
    found = [read(sent.value[16:]) for sent in world.told]
    return [each for each in found if isinstance(each, kind)]


def letter(channel: bytes, news: News) -> Publish:
    return Publish(channel, channel, SEALS.seal(channel, write(news)), 0)


def ban_of(node: Node, who: str = GUESSER, **changes: object) -> Banned:
    return Banned(who, node.now, node.now + BAN, 1, 10, (), "anna")._replace(**changes)


def the_bulletin(world: World, node: Node, ban: Banned) -> Bulletin:
    """Have a node tell of a ban, to nobody, and give what it told."""
    world.told.clear()
    world.loses = lambda sent: True
    node.bulletins.banned(ban)
    world.pass_by(1.0)
    world.loses = lambda sent: False
    (found,) = (each for each in news_in(world, Bulletin) if each.banned)
    assert isinstance(found, Bulletin)
    return found


def points(node: Node, who: str = GUESSER) -> float:
    score = node.penalties._score(who)
    return 0.0 if score is None else score.now(node.now)


# What is believed.


def test_a_bulletin_from_the_future_counts_for_nothing_and_its_node_is_asked() -> None:
    world, north, south, _ = three()
    found = the_bulletin(world, north, ban_of(north))
    channel = south.bulletins._all
    world.told.clear()
    world.loses = lambda sent: True
    south.hear(letter(channel, replace(found, at=north.now + EARLY + 0.2)))
    assert not south.left()
    (question,) = news_in(world, Question)
    assert isinstance(question, Question)
    assert question.to == "north"
    south.hear(letter(channel, replace(found, at=north.now + EARLY - 0.2)))
    assert south.left(), "clocks do not run exactly alike"


def test_what_is_told_on_a_channel_that_is_not_its_own_counts_for_nothing() -> None:
    world, north, south, _ = three()
    found = the_bulletin(world, north, ban_of(north))
    south.hear(letter(south.bulletins._own, found))
    assert not south.left()
    south.hear(letter(south.bulletins._all, found))
    assert south.left()

    answer = an_answer(world, south, north, banned=(ban_of(north, OTHER),))
    south.hear(letter(south.bulletins._all, answer))
    assert not south.left(OTHER)
    south.hear(letter(south.bulletins._own, answer))
    assert south.left(OTHER)


def an_answer(world: World, asks: Node, answers: Node, **changes: object) -> Answer:
    """What a node answers to a question that another one asks now."""
    world.loses = lambda sent: True
    asks.do([asks.bulletins._question(asks.now, answers.name)])
    world.loses = lambda sent: False
    word = next(reversed(asks.bulletins._words))
    made = Answer(
        node=answers.name,
        boot=answers.bulletins._boot,
        word=word,
        at=answers.now,
        number=answers.bulletins._number,
        is_last=True,
        is_whole=False,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_an_answer_that_comes_too_late_counts_for_nothing() -> None:
    """The engine may have held it back: what it says of the other's clock would be wrong."""
    world, north, south, _ = three()
    answer = an_answer(world, south, north, banned=(ban_of(north),))
    world.now += ANSWER_PATIENCE
    south.hear(letter(south.bulletins._own, answer))
    assert not south.left()
    world.now -= 0.1
    south.hear(letter(south.bulletins._own, answer))
    assert south.left()


def test_the_same_bulletin_in_a_new_run_is_another_one_and_missed_ones_are_asked_for_once() -> None:
    world, north, south, _ = three()
    answer = an_answer(world, south, north, number=north.bulletins._number + 7)
    south.hear(letter(south.bulletins._own, answer))
    told = Bulletin(node="north", boot=answer.boot, number=answer.number, at=north.now)
    banned = replace(told, banned=(ban_of(north),))
    south.hear(letter(south.bulletins._all, banned))
    assert not south.left(), "the answer had it already"
    older = an_answer(world, south, north, number=3)
    south.hear(letter(south.bulletins._own, older))
    south.hear(letter(south.bulletins._all, banned))
    assert not south.left(), "an answer that was overtaken takes nothing back"
    anew = an_answer(world, south, north, number=0, boot="another run")
    south.hear(letter(south.bulletins._own, anew))
    first = replace(banned, boot="another run", number=1)
    world.told.clear()
    south.hear(letter(south.bulletins._all, first))
    assert south.left(), "its numbers begin anew"
    assert not news_in(world, Question), "nothing of it was missed"


def test_a_node_is_asked_again_after_a_pause_only() -> None:
    world, north, south, _ = three()
    world.pass_by(ASK_AGAIN)
    channel = south.bulletins._all
    world.told.clear()
    world.loses = lambda sent: True
    for number in range(100):
        stranger = Bulletin(node="north", boot="another run", number=number, at=north.now)
        south.hear(letter(channel, stranger))
    assert len(news_in(world, Question)) == 1
    world.now += ASK_AGAIN
    south.hear(letter(channel, Bulletin(node="north", boot="another run", number=1, at=north.now)))
    assert len(news_in(world, Question)) == 2


def test_our_own_words_that_come_back_count_for_nothing() -> None:
    world, north, *_ = three()
    found = the_bulletin(world, north, ban_of(north))
    north.penalties.forget(GUESSER)
    world.told.clear()
    north.hear(letter(north.bulletins._all, replace(found, boot="another run")))
    assert not world.told
    assert not north.left()


# Bounds.


@pytest.mark.parametrize(("told", "taken"), [(10**9, MOST_BANS), (0, 1), (7, 7)])
def test_the_number_of_a_ban_is_one_that_can_be(told: int, taken: int) -> None:
    world, north, south, _ = three()
    north.bulletins.banned(ban_of(north, bans=told))
    world.pass_by(1.0)
    assert south.bulletins._bans[GUESSER].ban.bans == taken


def test_bans_and_pardons_are_bounded_and_the_oldest_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulletins, "PARDONS_LIMIT", 10)
    monkeypatch.setattr(bulletins, "BANS_LIMIT", 10)
    _, north, *_ = three()
    for number in range(12):
        north.bulletins.banned(ban_of(north, f"198.18.0.{number}"))
        north.bulletins.pardoned([f"198.19.0.{number}"], north.now)
    assert list(north.bulletins._bans) == [f"198.18.0.{number}" for number in range(2, 12)]
    assert list(north.bulletins._pardons) == [f"198.19.0.{number}" for number in range(2, 12)]


def test_what_is_over_is_forgotten() -> None:
    world, north, south, _ = three()
    north.guess(10)
    world.pass_by(1.0)
    north.penalties.forget(OTHER)
    world.pass_by(1.0)
    assert south.bulletins.known == 1
    assert south.bulletins._pardons
    world.now += max(BAN, PARDONED)
    world.pass_by(1.0)
    for node in (north, south):
        assert node.bulletins.known == 0
        assert not node.bulletins._pardons
    world.pass_by(BEAT)
    world.now += ANSWER_PATIENCE
    world.loses = lambda sent: True
    world.pass_by(1.0)
    assert len(south.bulletins._words) <= 2, "those of questions that nobody answered"


def test_logins_that_nobody_can_be_told_of_are_not_kept_and_no_more_than_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bulletins, "WAITING_LIMIT", 3)
    world, north, south, _ = three()
    for number in range(9):
        north.penalties.succeeded(f"198.18.0.{number}", b"anna")
    world.pass_by(1.0)
    assert len(list(south.penalties._homes.items())) == 3
    north.lose()
    north.penalties.succeeded(OTHER, b"anna")
    assert not north.bulletins._waiting.logged_in


def test_of_failures_with_one_name_from_one_address_so_many_are_told() -> None:
    world, north, _, _ = three(attempts=0)
    north.guess(10 * TIMES_LIMIT)
    world.told.clear()
    world.pass_by(1.0)
    (failed,) = (each for told in news_in(world, Bulletin) for each in told.failed)
    assert len(failed.ats) == TIMES_LIMIT


def test_one_letter_has_a_part_and_parts_of_an_answer_come_with_pauses() -> None:
    world, north, _south, _ = three()
    for number in range(2 * PART + 1):
        north.bulletins.banned(ban_of(north, f"198.18.{number // 250}.{number % 250}"))
        north.bulletins.pardoned([f"198.19.{number // 250}.{number % 250}"], north.now)
    world.told.clear()
    world.pass_by(1.0)
    (told,) = (each for each in news_in(world, Bulletin) if each.banned)
    assert len(told.banned) == len(told.pardoned) == PART
    north.bulletins._answer(Question(node="south", word="w", to="north"), north.now)
    world.told.clear()
    north.do(north.bulletins.handle_deadline(north.now))
    north.do(north.bulletins.handle_deadline(north.now))
    assert len(news_in(world, Answer)) == 1, "the next one after a pause"
    world.now += PART_EVERY
    north.look()
    world.now += PART_EVERY
    north.look()
    parts = news_in(world, Answer)
    assert [len(part.banned) for part in parts] == [PART, PART, 1]
    assert [len(part.pardoned) for part in parts] == [PART, PART, 1]
    assert [part.is_last for part in parts] == [False, False, True]


def test_answers_that_wait_are_bounded_and_gone_with_the_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bulletins, "WAITING_LIMIT", 3)
    _, north, *_ = three()
    for number in range(9):
        north.bulletins._answer(Question(node="south", word=f"{number}", to="north"), north.now)
    assert len(north.bulletins._parts) == 3
    north.lose()
    assert not north.bulletins._parts


def test_of_too_many_nodes_the_one_that_was_heard_of_longest_ago_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Machines that are named anew at each start must not keep a new one from being heard."""
    monkeypatch.setattr(bulletins, "PEERS_LIMIT", 3)
    world, north, south, west = three()
    world.told.clear()
    for number in range(5):
        name = f"again{number}"
        told = Bulletin(node=name, boot="b", number=1, at=0.0)
        world.nodes.setdefault(name, west)
        south.hear(letter(south.bulletins._all, told))
        world.pass_by(BEAT)
    for number in range(5):
        del world.nodes[f"again{number}"]
    assert len(south.bulletins._peers) == 3
    assert {"north", "west"} <= south.bulletins._peers.keys()
    asked = [each for each in news_in(world, Question) if each.node == "south"]
    assert {each.to for each in asked} == {f"again{number}" for number in range(5)}
    north.guess(10)
    world.pass_by(1.0)
    assert south.left()


# Questions and answers.


def answers_to(world: World, node: Node, question: Question) -> list[Answer]:
    world.told.clear()
    world.loses = lambda sent: True
    node.bulletins._answer(question, node.now)
    world.pass_by(1.0)
    world.loses = lambda sent: False
    found = [each for each in news_in(world, Answer) if isinstance(each, Answer)]
    return [each for each in found if (each.node, each.word) == (node.name, question.word)]


def test_who_is_asked_answers_and_tells_only_what_was_asked_for() -> None:
    world, north, south, _ = three()
    north.guess(10)
    south.guess(10, OTHER)
    world.pass_by(LEARNS + 1.0)
    assert not answers_to(world, south, Question(node="x", word="w", to="north"))
    (own,) = answers_to(world, south, Question(node="x", word="w"))
    assert [ban.who for ban in own.banned] == [OTHER], "what others gave they tell themselves"
    assert not own.is_whole
    (whole,) = answers_to(world, south, Question(node="x", word="w", to="south", is_whole=True))
    assert {ban.who for ban in whole.banned} == {GUESSER, OTHER}
    assert whole.is_whole


def test_who_does_not_know_all_yet_does_not_say_so_and_does_not_end_the_search_of_others() -> None:
    world, *_ = three()
    world.loses = lambda sent: sent.channel != world.nodes["north"].bulletins._all
    late = world.node("late")
    world.pass_by(1.0)
    (part,) = answers_to(world, late, Question(node="x", word="w", is_whole=True))
    assert not part.is_whole
    world.pass_by(LEARNS)
    (part,) = answers_to(world, late, Question(node="x", word="w", is_whole=True))
    assert part.is_whole, "nobody was found that knows more"
    late.lose()
    late.connect()
    (part,) = answers_to(world, late, Question(node="x", word="w", is_whole=True))
    assert part.is_whole, "it has not forgotten it meanwhile"


def test_who_joins_asks_one_after_the_other_until_one_knows_all_and_then_nobody() -> None:
    world, *_ = three()
    world.pass_by(LEARNS)
    for each in world.nodes.values():
        each.bulletins._is_whole = False
    world.told.clear()
    late = world.node("late")
    world.pass_by(4.0)
    asked = [each.to for each in news_in(world, Question) if each.is_whole and each.node == "late"]
    assert set(asked[:3]) == {"north", "south", "west"}
    world.nodes["west"].bulletins._is_whole = True
    world.pass_by(3.0)
    assert late.bulletins._is_whole
    world.told.clear()
    world.pass_by(3.0)
    assert not [each for each in news_in(world, Question) if each.is_whole]


def test_a_node_whose_clock_is_not_known_is_not_asked_for_everything() -> None:
    world, _north, south, _ = three()
    south.bulletins._peers.clear()
    stranger = Bulletin(node="north", boot="another run", number=1, at=0.0)
    world.loses = lambda sent: True
    south.hear(letter(south.bulletins._all, stranger))
    south.bulletins._learns_until = south.now + LEARNS
    world.told.clear()
    world.pass_by(1.0)
    assert not [each for each in news_in(world, Question) if each.is_whole and each.node == "south"]


def test_a_ban_that_all_come_to_is_not_told_by_all_again() -> None:
    """South was about to tell the very ban that it hears of."""
    world, north, south, _ = three()
    found = the_bulletin(world, north, ban_of(north))
    south.bulletins.banned(ban_of(south, until=south.now + BAN - 1.5))
    south.hear(letter(south.bulletins._all, found))
    world.told.clear()
    world.pass_by(1.0)
    assert not [each for each in news_in(world, Bulletin) if each.banned and each.node == "south"]


def test_a_ban_that_is_over_is_no_ban() -> None:
    world, north, south, _ = three()
    over = ban_of(north, since=north.now - 9.0, until=north.now - 1.0)
    found = the_bulletin(world, north, ban_of(north))
    assert not [
        each
        for each in south.bulletins._in_force(
            replace(found, banned=(over,)), south.bulletins._peers["north"], south.now
        )
        if isinstance(each, Banned)
    ]


# Pardons.


def reversed_in(world: World, node: Node, happens: Callable[[], None]) -> None:
    """Have a node hear what is told meanwhile later, and the last of it first."""
    node.watched.discard(node.bulletins._all)
    world.told.clear()
    happens()
    node.watched.add(node.bulletins._all)
    for sent in reversed([*world.told]):
        node.hear(sent)


def test_a_pardon_wins_over_older_failures_that_are_heard_of_later() -> None:
    world, north, south, west = three()

    def happens() -> None:
        north.guess(9)
        world.now += 0.25
        south.penalties.forget(GUESSER)
        world.pass_by(1.0)

    reversed_in(world, west, happens)
    assert points(west) == 0.0
    west.guess(9)
    world.pass_by(1.0)
    assert not west.left(), "nine since the pardon"
    assert not south.left()


def test_of_the_failures_of_one_second_those_after_the_pardon_count() -> None:
    world, north, south, west = three()

    def happens() -> None:
        north.guess(3)
        world.now += 0.25
        south.penalties.forget(GUESSER)
        world.now += 0.25
        north.guess(4)
        world.pass_by(1.0)

    reversed_in(world, west, happens)
    assert points(west) == pytest.approx(4.0, abs=0.1)
    assert points(west, "203.0.113.0/24") == pytest.approx(4.0, abs=0.1)


def test_who_pardons_a_network_pardons_none_of_its_sources_and_the_other_way_round() -> None:
    world, north, south, west = three()

    def happens() -> None:
        north.guess(3)
        north.guess(2, "203.0.113.8")
        world.now += 0.25
        south.penalties.forget("203.0.113.0/24")
        world.pass_by(1.0)

    reversed_in(world, west, happens)
    assert points(west) == pytest.approx(3.0, abs=0.1)
    assert points(west, "203.0.113.0/24") == 0.0
    assert points(west, "203.0.113.8") == pytest.approx(2.0, abs=0.1)


def test_who_pardons_a_ban_tells_of_it_no_more() -> None:
    world, north, *_ = three()
    north.guess(10)
    north.penalties.forget(GUESSER)
    assert north.bulletins.known == 0
    (own,) = answers_to(world, north, Question(node="x", word="w"))
    assert not own.banned
    assert {pardon.who for pardon in own.pardoned} >= {GUESSER}


def test_an_older_pardon_takes_nothing_back_and_a_newer_one_does() -> None:
    world, north, south, _ = three()
    south.penalties.forget(GUESSER)
    at = south.bulletins._pardons[GUESSER]
    world.pass_by(1.0)
    north.guess(10)
    world.pass_by(1.0)
    assert south.left()
    peer = south.bulletins._peers["north"]
    old = Bulletin(
        node="north",
        boot=peer.boot,
        number=peer.number + 1,
        at=north.now,
        pardoned=(Pardoned(GUESSER, at - peer.behind - 5.0),),
    )
    south.hear(letter(south.bulletins._all, old))
    assert south.left()
    assert south.bulletins._pardons[GUESSER] == at


def test_no_clock_of_another_node_is_believed() -> None:
    """Failures are measured by the clock of who saw them, whatever it says."""
    world, north, south, west = three()
    for each in (north, south, west):
        assert abs(each.clock - world.nodes["north"].clock) in (0.0, 4900.0, 1e6)
    failed = Failed(GUESSER, b"anna", Door.CCCAM, (west.now - 5.0, west.now))
    west.penalties.forget(GUESSER)
    world.pass_by(1.0)
    peer = north.bulletins._peers["west"]
    told = Bulletin(
        node="west", boot=peer.boot, number=peer.number + 1, at=west.now, failed=(failed,)
    )
    north.hear(letter(north.bulletins._all, told))
    assert points(north) == 0.0, "both were before the pardon, on west's clock"


# What accounts ask.


def test_what_accounts_ask_is_told_each_second_and_nothing_of_what_was_while_nobody_listened() -> (
    None
):
    world, north, south, west = three()
    anna = Spent(b"\xffanna", 5, 4, 300)
    north.spent += [anna] * (PART + 1)
    world.pass_by(1.0)
    assert south.spent_elsewhere == west.spent_elsewhere == [anna] * PART
    world.pass_by(1.0)
    assert len(south.spent_elsewhere) == PART + 1
    assert not north.spent_elsewhere
    north.lose()
    north.spent.append(anna)
    world.pass_by(5.0)
    north.connect()
    world.pass_by(5.0)
    assert len(south.spent_elsewhere) == PART + 1


# What is read.


def test_no_failure_is_told_to_be_later_than_it_was() -> None:
    ats = (5000.0009, 5000.0001, -0.0004)
    told = Bulletin(
        node="north",
        boot="b",
        number=1,
        at=1.0,
        failed=(Failed(GUESSER, b"anna", Door.CCCAM, ats),),
    )
    read_again = read(write(told))
    assert isinstance(read_again, Bulletin)
    assert read_again.failed[0].ats == (5000.0, 5000.0, -0.001)


def changed(node: str = "north", **fields: object) -> bytes:
    """A bulletin as it is written, and some of it changed by somebody."""
    told = Bulletin(
        node=node,
        boot="b",
        number=1,
        at=1.0,
        failed=(Failed(GUESSER, b"anna", Door.CCCAM, (0.5,)),),
        banned=(Banned(GUESSER, 0.0, 9.0, 1, 1, (Door.CCCAM,), "anna"),),
    )
    return json.dumps(json.loads(write(told)) | fields).encode()


def test_what_is_not_as_nodes_write_it_is_left_alone() -> None:
    assert read(changed()) is not None
    ban = json.loads(changed())["banned"][0]
    wrong: list[dict[str, object]] = [
        {"boot": "x" * 201},
        {"boot": "x\n"},
        {"boot": 7},
        {"number": -1},
        {"number": 1 << 53},
        {"number": 1.0},
        {"number": True},
        {"at": float("inf")},
        {"spent": [["anna", 1, 1]]},
        {"spent": [["anna", 1, -1, 1]]},
        {"spent": [["anna", 1, 1.5, 1]]},
        {"banned": [["\x1b[2J", *ban[1:]]]},
        {"banned": [[*ban[:3], -1, *ban[4:]]]},
        {"failed": [[GUESSER, "anna", "CCCAM", 3]]},
        {"failed": [[GUESSER, "anna", "CCCAM", ["x"]]]},
        {"failed": [[GUESSER, "\u20ac", "CCCAM", [0.5]]]},
    ]
    for fields in wrong:
        assert read(changed(**fields)) is None, fields
    long = read(changed(banned=[[*ban[:6], "n" * 10_000]]))
    assert isinstance(long, Bulletin)
    assert len(long.banned[0].user) == 200
