"""What is told of incidents, and when, in made-up time."""

from hypothesis import given, settings
from hypothesis import strategies as st

from cccamd.facts import Cause, Incident
from cccamd.notify import Message, Outbox, Rules
from cccamd.notify.outbox import KEPT, MESSAGES_AN_HOUR, SETTLED, TOGETHER
from cccamd.setup.hours import TimeFrame

NIGHT = TimeFrame(22 * 60, 7 * 60)
NOON, MIDNIGHT = 12 * 60, 0


def incident(number: int = 1, **words: object) -> Incident:
    given: dict = {
        "number": number,
        "cause": Cause.SOURCE_DOWN,
        "subject": f"s{number}.example:12000",
        "text": "is down",
        "change": "look at its plug",
        "began_at": 0.0,
    }
    return Incident(**(given | words))


def titles(messages: tuple[Message, ...]) -> list[str]:
    return [message.title for message in messages]


def test_an_incident_is_told_once_when_it_has_lasted_and_once_when_it_is_over() -> None:
    box = Outbox(Rules(after=60.0))
    box.began(incident(suffering=12, sufferers=("anna", "ben")), 0.0)
    assert box.due(59.0, NOON) == ()
    (message,) = box.due(60.0, NOON)
    assert message.title == "source down: s1.example:12000"
    assert message.body.splitlines() == [
        "s1.example:12000 is down.",
        "What to do: look at its plug",
        "In trouble for it: anna, ben and 10 more",
    ]
    box.began(incident(text="is still down"), 70.0)
    assert box.due(5000.0, NOON) == ()
    box.ended(incident(), 5000.0)
    assert box.due(5000.0 + SETTLED - 1, NOON) == ()
    (message,) = box.due(5000.0 + SETTLED, NOON)
    assert (message.title, message.is_over) == ("Over: source down: s1.example:12000", True)
    assert box.due(99_999.0, NOON) == ()


def test_what_is_told_is_how_it_is_by_then() -> None:
    box = Outbox(Rules(after=60.0))
    box.began(incident(text="is down: the peer closed the connection", suffering=1), 0.0)
    now = incident(text="is down: connection refused", suffering=2, sufferers=("anna", "ben"))
    box.renew([now, incident(2)])
    (message,) = box.due(60.0, NOON)
    assert "connection refused" in message.body
    assert "anna, ben" in message.body
    box.ended(incident(text="it was refused", ended_at=90.0), 90.0)
    box.renew([now, incident(text="how it is in the list of the past", ended_at=90.0)])
    (message,) = box.due(90.0 + SETTLED, NOON)
    assert "it was refused" in message.body


def test_what_is_over_sooner_is_told_to_nobody() -> None:
    box = Outbox(Rules(after=60.0))
    box.began(incident(), 0.0)
    box.ended(incident(), 59.0)
    assert not any(box.due(float(now), NOON) for now in range(60, 600, 10))


def test_a_link_that_flaps_is_one_message() -> None:
    box = Outbox(Rules(after=10.0))
    told = []
    for now in range(0, 3600, 60):
        box.began(incident(), float(now))
        told += box.due(float(now + 20), NOON)
        box.ended(incident(), float(now + 30))
    assert len(told) == 1


SEVERAL = {"cause": Cause.SOURCES_AWAY, "subject": "several sources"}


def test_what_grows_before_it_is_told_is_one_message_in_its_last_words() -> None:
    box = Outbox(Rules(after=60.0))
    box.began(incident(1, cause=Cause.SOURCE_SILENT, text="is silent"), 0.0)
    box.began(incident(2), 5.0)
    box.grew(incident(1), (), 20.0)
    box.grew(incident(1, **SEVERAL), (2,), 40.0)
    assert titles(box.due(60.0, NOON)) == ["sources away: several sources"]
    assert box.due(70.0, NOON) == ()
    box.ended(incident(1, ended_at=900.0, **SEVERAL), 900.0)
    (message,) = box.due(900.0 + SETTLED, NOON)
    assert message.title == "Over: sources away: several sources"
    assert message.body.endswith("It lasted 15 min.")


def test_what_came_and_went_is_told_with_how_often_it_came() -> None:
    box = Outbox(Rules(after=60.0))
    box.began(incident(2), 0.0)
    box.due(60.0, NOON)
    box.ended(incident(2, text="is slow", times=6, ended_at=720.0), 720.0)
    (message,) = box.due(9999.0, NOON)
    assert message.body.endswith("It lasted 12 min, in which it came 6 times.")
    assert box.due(9999.0, NOON) == ()


def test_what_grows_after_it_was_told_is_told_once_more_if_it_is_worse_by_far() -> None:
    box = Outbox(Rules(after=0.0))
    box.began(incident(1, cause=Cause.SOURCE_SLOW), 0.0)
    box.began(incident(2, cause=Cause.SOURCE_SILENT), 0.0)
    assert len(box.due(0.0, NOON)) == 2
    box.grew(incident(2), (), 1.0)
    assert box.due(1.0, NOON) == (), "silent, or down: that is one"
    box.grew(incident(1), (), 2.0)
    assert titles(box.due(2.0, NOON)) == ["source down: s1.example:12000"]
    box.grew(incident(1, **SEVERAL), (2,), 3.0)
    assert titles(box.due(3.0, NOON)) == ["sources away: several sources"]
    assert box.due(4.0, NOON) == ()


def test_a_part_that_was_told_makes_the_end_of_the_whole_worth_telling() -> None:
    box = Outbox(Rules(after=0.0))
    box.began(incident(2), 0.0)
    assert len(box.due(0.0, NOON)) == 1
    box.rules = Rules(after=60.0)
    box.began(incident(1), 50.0)
    box.grew(incident(1, **SEVERAL), (2,), 55.0)
    box.ended(incident(1, **SEVERAL), 56.0)
    told = [*box.due(57.0, NOON), *box.due(57.0 + SETTLED, NOON)]
    assert [message.title for message in told] == ["Over: sources away: several sources"]


def test_what_lasts_when_there_is_room_again_is_told_and_so_is_its_end() -> None:
    box = Outbox(Rules(after=0.0))
    use_up(box, 0.0)
    box.began(incident(1), 1.0)
    box.began(incident(2), 1.0)
    assert box.due(2.0, NOON) == ()
    box.ended(incident(2), 20.0)
    told = [message for now in range(5, 301, 5) for message in box.due(float(now), NOON)]
    (message,) = told
    assert "s1.example:12000 is down" in message.body
    box.ended(incident(1), 700.0)
    told = [message for now in range(700, 1500, 5) for message in box.due(float(now), NOON)]
    assert [message.title for message in told if message.is_over] == [
        "Over: source down: s1.example:12000"
    ], "and none of the one that was not told"


def test_ends_are_not_told_to_who_does_not_want_them() -> None:
    box = Outbox(Rules(after=0.0, over=False))
    box.began(incident(), 0.0)
    assert len(box.due(0.0, NOON)) == 1
    box.ended(incident(), 1.0)
    assert box.due(1000.0, NOON) == ()


def test_in_quiet_hours_nothing_is_told_and_afterwards_what_is_worth_it() -> None:
    box = Outbox(Rules(after=60.0, quiet=NIGHT))
    box.began(incident(1), 0.0)
    box.began(incident(2), 0.0)
    box.began(incident(3), 0.0)
    box.ended(incident(3), 30.0)
    assert box.due(100.0, MIDNIGHT) == ()
    box.ended(incident(2), 200.0)
    assert box.due(1000.0, MIDNIGHT) == ()
    told = box.due(30_000.0, 7 * 60)
    assert titles(told) == ["source down: s1.example:12000", "Over again, in the quiet hours"]
    assert told[1].body == "s2.example:12000 is down"
    assert box.due(30_100.0, 7 * 60) == ()


def test_many_at_once_are_one_message() -> None:
    box = Outbox(Rules(after=0.0))
    for number in range(40):
        box.began(incident(number), 0.0)
    (message,) = box.due(0.0, NOON)
    assert message.title == "40 things are wrong"
    assert message.body.splitlines()[-1] == "and 30 more"


def test_a_few_at_once_are_messages_of_their_own_as_far_as_the_hour_allows() -> None:
    few, many = Outbox(Rules(after=0.0)), Outbox(Rules(after=0.0))
    for number in range(TOGETHER):
        many.began(incident(number), 0.0)
        if number:
            few.began(incident(number), 0.0)
    assert len(few.due(0.0, NOON)) == TOGETHER - 1
    assert len(many.due(0.0, NOON)) == 1
    told = []
    for number in range(100, 100 + MESSAGES_AN_HOUR - TOGETHER):
        few.began(incident(number), 0.0)
        told += few.due(0.0, NOON)
    assert len(told) == MESSAGES_AN_HOUR - TOGETHER, "one is left"
    few.began(incident(200), 0.0)
    few.began(incident(201), 0.0)
    assert titles(few.due(0.0, NOON)) == ["2 things are wrong"]


def test_no_more_incidents_are_remembered_than_there_can_be() -> None:
    box = Outbox(Rules())
    for number in range(KEPT + 10):
        box.began(incident(number), 0.0)
    assert len(box._cases) == KEPT


def test_messages_are_bounded_and_nothing_is_lost() -> None:
    box = Outbox(Rules(after=0.0))
    told = []
    for number in range(300):
        box.began(incident(number), float(number))
        told += box.due(float(number), NOON)
    assert len(told) <= MESSAGES_AN_HOUR + 1
    (rest,) = box.due(3600.0, NOON)
    named = sum(len(message.body.splitlines()) > 1 for message in told)
    assert rest.title.endswith("things are wrong")
    assert int(rest.title.split()[0]) + named >= 300 - TOGETHER * MESSAGES_AN_HOUR


def use_up(box: Outbox, now: float) -> None:
    """Begin incidents until no message is left for an hour."""
    for number in range(MESSAGES_AN_HOUR):
        box.began(incident(1000 + number), now)
        assert len(box.due(now, NOON)) == 1


def test_what_lasted_and_ended_while_the_messages_were_used_up_is_told_when_there_is_one() -> None:
    box = Outbox(Rules(after=0.0))
    use_up(box, 0.0)
    box.rules = Rules(after=60.0)
    box.began(incident(1), 1.0)
    box.began(incident(2), 1.0)
    box.began(incident(3), 1.0)
    assert box.due(61.0, NOON) == ()
    box.ended(incident(1), 62.0)
    box.ended(incident(2), 90.0)
    assert box.due(62.0 + SETTLED, NOON) == ()
    (message,) = box.due(301.0, NOON)
    assert message.title == "1 thing is wrong"
    assert message.body.splitlines() == [
        "Wrong now:",
        "s3.example:12000 is down",
        "",
        "Over again, while the messages of an hour were used up:",
        "s1.example:12000 is down",
        "s2.example:12000 is down",
    ]
    assert box.due(302.0, NOON) == ()


def test_what_makes_way_for_others_is_told_though_it_was_not() -> None:
    box = Outbox(Rules(after=0.0))
    use_up(box, 0.0)
    for number in range(KEPT + 5):
        box.began(incident(number), 1.0)
        box.due(1.0, NOON)
    (message,) = box.due(400.0, NOON)
    assert "s4.example:12000 is down" in message.body


@given(
    st.lists(st.tuples(st.floats(0.0, 900.0), st.floats(0.0, 900.0)), min_size=1, max_size=8),
    st.booleans(),
)
@settings(max_examples=60)
def test_whatever_lasts_is_told_though_all_messages_are_used_up(
    times: list[tuple[float, float]], over: bool
) -> None:
    box, told = Outbox(Rules(after=0.0, over=over)), ""
    use_up(box, 0.0)
    box.rules = Rules(after=60.0, over=over)
    moments = [(at, number, True) for number, (at, _) in enumerate(times)]
    moments += [(at + long, number, False) for number, (at, long) in enumerate(times)]
    moments.sort(key=lambda moment: moment[0])
    now = 0.0
    while now < 9000.0:
        while moments and moments[0][0] <= now:
            at, number, begins = moments.pop(0)
            (box.began if begins else box.ended)(incident(number), at)
        for message in box.due(now, NOON):
            told += message.title + message.body
        now += 5.0
    for number, (_, long) in enumerate(times):
        if long >= 70.0:  # a look every five seconds has seen that it lasted
            assert f"s{number}.example" in told
        if long < 60.0:
            assert f"s{number}.example" not in told


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("began", "ended", "wait")),
        st.integers(0, 5),
        st.floats(0.0, 400.0),
        st.integers(0, 1439),
    ),
    max_size=60,
)


@given(STEPS)
@settings(max_examples=100)
def test_whatever_happens_each_incident_is_told_at_most_once_before_it_is_over(steps: list) -> None:
    box, now = Outbox(Rules(after=30.0, quiet=NIGHT)), 0.0
    wrong: set[str] = set()
    lasting: set[str] = set()
    for act, number, seconds, minute in steps:
        now += seconds
        if act == "began":
            box.began(incident(number), now)
            lasting.add(incident(number).subject)
        elif act == "ended":
            box.ended(incident(number), now)
            lasting.discard(incident(number).subject)
        messages = box.due(now, minute)
        assert not (messages and minute in NIGHT)
        for message in messages:
            for subject, over in told_by(message):
                if over:
                    wrong.discard(subject)
                # What began and ended unheard is told once, too; the next of its kind is another.
                elif subject in lasting:
                    assert subject not in wrong
                    wrong.add(subject)


def told_by(message: Message) -> list[tuple[str, bool]]:
    """The subjects of a message, and whether each is told as over."""
    over, told = message.is_over or message.title.startswith("Over again"), []
    for line in message.body.splitlines():
        if line == "Over:" or line.startswith("Over again"):
            over = True
        elif line.startswith("It was: "):
            told.append((line.split()[2], True))
        elif line.endswith(" is down.") or line.endswith(" is down"):
            told.append((line.partition(" ")[0], over))
    return told
