"""What is said, for each reason that there is: words, what to change, file and line."""

import json

import pytest
from explained import FAR, NOW, OURS, announced, ask, client, evidence, source
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from cccamd.cards import Limit
from cccamd.facts import Clone, LinkState, Step
from cccamd.ids import Caid, Ident, Sid
from cccamd.routing import (
    Priorities,
)
from cccamd.setup.cccamcfg import (
    Config,
    FLine,
)
from cccamd.values import Offer, Provider, Service
from cccamd.watch import CardsChanged, ClientLoggedOut, LoginFailed
from cccamd.why import (
    Explanation,
    Finding,
    Question,
    Recent,
    Weight,
    as_json,
    explaining,
    report_lines,
)
from cccamd.wire.link import CloseReason


def the_bad(findings: tuple[Finding, ...]) -> Finding:
    (found,) = [each for each in findings if each.weight is Weight.BAD]
    return found


CARDS = [
    pytest.param(
        "F: anna secret 1",
        announced(hop=1),
        "too-far",
        "the F-line in line 1 of /etc/CCcam.cfg lets anna see cards up to hop 1;"
        " this card is at hop 2",
        "raise the third field (uphops) of line 1 to 2",
        id="too far",
    ),
    pytest.param(
        "F: anna secret 0 0 {0,0,0,0,0,0,0,0}",
        announced(),
        "too-far",
        "up to hop 0; this card is at hop 1",
        "raise the third field (uphops) and the fourth field (downhops) of line 1 to 1",
        id="mask dialect with downhops 0",
    ),
    pytest.param(
        "F: anna secret 5 0 {0,0,0,0,0,0,0,0}",
        announced(),
        "too-far",
        "up to hop 0",
        "raise the fourth field (downhops) of line 1 to 1",
        id="downhops 0 alone",
    ),
    pytest.param(
        "# a remark\nF: anna secret 5 0 1 { 0b00:030b00 }",
        announced(),
        "limited",
        "the limits { 0B00:030B00:0 } of the F-line in line 2 of /etc/CCcam.cfg keep it from anna",
        "put 0B00:030B00:1 into the first braces of line 2",
        id="a limit of its own",
    ),
    pytest.param(
        "F: anna secret\nGLOBAL LIMITS : { 0b00:0, 0100:0:3 }",
        announced(),
        "limited",
        "{ 0B00:0:0 } of GLOBAL LIMITS in line 2 of /etc/CCcam.cfg",
        "or give line 1 limits of its own",
        id="global limits",
    ),
    pytest.param(
        "F: anna secret\nGLOBAL LIMITS = { 0b00:0 }",
        announced(),
        "limited",
        "{ 0B00:0:0 } of GLOBAL LIMITS in line 2 of /etc/CCcam.cfg",
        "into GLOBAL LIMITS in line 2 of /etc/CCcam.cfg",
        id="global limits with an equals sign",
    ),
    pytest.param(
        "F: anna secret",
        announced(reshare=0),
        "not-reshared",
        "headend-a:12000 gives it to us alone (reshare 0)",
        "only the owner of headend-a:12000 can change that",
        id="reshare 0 upstream",
    ),
    pytest.param(
        "F: anna secret\nMINIMUM DOWNHOPS : 2",
        announced(reshare=1),
        "not-taken-downhops",
        "MINIMUM DOWNHOPS in line 2 of /etc/CCcam.cfg takes cards from 2 on only",
        "lower MINIMUM DOWNHOPS to 1",
        id="minimum downhops",
    ),
    pytest.param(
        f"F: anna secret\nIGNORE NODE : {b'other nd'.hex()}\nIGNORE NODE : {FAR.hex()}",
        announced(),
        "not-taken-ignored-node",
        "IGNORE NODE in line 3 of /etc/CCcam.cfg",
        "take that line out",
        id="ignored node",
    ),
    pytest.param(
        "F: anna secret\nC: headend-a 12000 u p no { 0:0:1 }",
        announced(hop=1),
        "not-taken-limited",
        "it is at hop 2, and the limits of the C-line in line 20",
        "put 0B00:030B00:2 into the braces of line 20",
        id="limits of the C-line",
    ),
]


@pytest.mark.parametrize(("cfg", "card", "code", "text", "change"), CARDS)
def test_why_a_card_is_not_seen(cfg: str, card: Offer, code: str, text: str, change: str) -> None:
    answer = ask(evidence(cfg, card))
    (shown,) = answer.cards
    found = the_bad(shown.findings)
    assert not shown.seen
    assert not shown.usable
    assert found.code == code
    assert text in found.text
    assert change in found.change
    assert "none of 1 card" in answer.summary
    assert "secret" not in json.dumps(as_json(answer))


def test_a_card_that_is_seen() -> None:
    answer = ask(evidence("F: anna secret 1 0 1 { 0:0:1 }", announced()))
    (shown,) = answer.cards
    assert shown.seen
    assert shown.words == "0B00:030B00, hop 1, from headend-a:12000"
    assert answer.summary == "anna sees 1 of 1 card"
    assert "hop 1 is within the 1 that the F-line in line 1" in shown.findings[0].text
    assert "goes no further than to anna" in shown.findings[0].text
    assert [each.code for each in answer.findings] == ["logged-in", "emm"]


def test_a_card_that_came_through_the_client() -> None:
    seen = evidence("F: anna secret", announced(), clients={"anna": (client(node_id=FAR),)})
    answer = ask(seen)
    assert answer.cards[0].findings[0].code == "loop"
    assert "relay" in [each.code for each in answer.findings]


def test_a_card_that_passed_us_already() -> None:
    answer = ask(evidence("F: anna secret", announced(path=(FAR, OURS))))
    assert answer.cards[0].findings[0].code == "not-taken-loop"
    assert not answer.cards[0].taken


SERVICES = [
    pytest.param(
        "F: anna secret 5 0 1 { } { 0b00:030b00:1d80 }",
        announced(),
        "service-denied",
        "the second braces { 0B00:030B00:1D80 } of the F-line in line 1 of /etc/CCcam.cfg",
        "take that entry out of the second braces of line 1",
        id="sids denied",
    ),
    pytest.param(
        "F: anna secret",
        announced(providers=(Provider(Ident(0x42)),)),
        "ident-missing",
        "it has no provider 030B00; it has 000042",
        "",
        id="another provider",
    ),
    pytest.param(
        "F: anna secret 5 0 1 { 0b00:030b00 }",
        announced(providers=(Provider(Ident(0x42)), Provider(Ident(0)))),
        "ident-limited",
        "keep its provider 030B00 from anna",
        "give 0B00:030B00 the number 1 or more there",
        id="provider kept back",
    ),
    pytest.param(
        "F: anna secret",
        announced(assigned_sids=(Sid(7),)),
        "service-not-assigned",
        "service 1D80 is not among those assigned to it, says headend-a:12000",
        "only its owner",
        id="sids assigned",
    ),
    pytest.param(
        "F: anna secret",
        announced(rejected_sids=(Sid(0x1D80),)),
        "service-rejected",
        "it rejects service 1D80, says headend-a:12000",
        "only its owner",
        id="sids rejected",
    ),
]


@pytest.mark.parametrize(("cfg", "card", "code", "text", "change"), SERVICES)
def test_why_a_card_that_is_seen_cannot_serve(
    cfg: str, card: Offer, code: str, text: str, change: str
) -> None:
    answer = ask(evidence(cfg, card), caid=0x0B00, ident=0x030B00, sid=0x1D80)
    (shown,) = answer.cards
    found = the_bad(shown.findings)
    assert (shown.seen, shown.usable) == (True, False)
    assert found.code == code
    assert text in found.text
    assert change in found.change
    assert answer.service == "0B00:030B00:1D80"
    assert "anna can use none of 1 card" in answer.summary


def test_what_a_question_leaves_open_excludes_nothing() -> None:
    cfg = "F: anna secret 5 0 1 { 0b00:42 } { 0b00:030b00:1d80 }"
    card = announced(
        providers=(Provider(Ident(0x030B00)), Provider(Ident(0x42))), assigned_sids=(Sid(7),)
    )
    answer = ask(evidence(cfg, card), caid=0x0B00)
    assert answer.cards[0].usable
    assert "its providers 000042 are kept back" in answer.cards[0].findings[0].text


def test_other_caids_and_other_sources_are_left_out() -> None:
    seen = evidence("F: anna secret", announced(1), announced(2, caid=Caid(0x0100)))
    assert [card.caid for card in ask(seen, caid=0x0100).cards] == ["0100"]
    assert len(ask(seen, name="headend-a:12000").cards) == 2
    other = ask(seen, name="elsewhere:12000")
    assert (other.cards, other.sources) == ((), ())


@pytest.mark.parametrize("caid", [None, Caid(0x0B00)])
def test_each_card_is_a_step_and_may_go_meanwhile(caid: Caid | None) -> None:
    """A hundred thousand in one step would stop every answer for a second."""
    many = 50
    seen = evidence("F: anna secret", *(announced(number) for number in range(1, many + 1)))
    steps, count, answer = explaining(Question(account="anna", caid=caid), seen), 0, None
    while answer is None:
        try:
            next(steps)
        except StopIteration as end:
            answer = end.value
        else:
            count += 1
            if count == 10:
                for source_id in tuple(seen.sources):
                    seen.table.forget_source(source_id)
    assert count >= 10
    assert 10 <= len(answer.cards) <= many
    whole = evidence("F: anna secret", *(announced(number) for number in range(1, many + 1)))
    assert sum(1 for _ in explaining(Question(account="anna", caid=caid), whole)) >= many


def test_an_i_line_switches_a_card_off() -> None:
    ignored = Priorities(ignored=(Service(Caid(0x0B00), Ident(0), Sid(0)),))
    seen = evidence("F: anna secret", announced(), priorities=ignored)
    answer = ask(seen, caid=0x0B00)
    assert the_bad(answer.cards[0].findings).code == "ignored"
    assert not answer.cards[0].usable


# Accounts and logins.


def test_an_account_whose_line_is_broken() -> None:
    answer = ask(evidence("F: anna secret 1 0 0 { 0100:000080:15df }"))
    assert "line 1 of /etc/CCcam.cfg is not used: '0100:000080:15df' does not" in answer.summary
    assert "(E314); so there is no account anna" in answer.summary
    assert "secret" not in str(answer)


def test_an_account_whose_line_lacks_its_colon() -> None:
    answer = ask(evidence("F anna topsecret 1 0 0"))
    assert "line 1 of /etc/CCcam.cfg is not used: no ':' behind F" in answer.summary
    assert [finding.code for finding in answer.findings] == ["f-line-refused"]
    assert answer.findings[0].change == "write F: and then the value"
    assert "topsecret" not in str(answer)


def test_an_account_that_is_not_there() -> None:
    recent = Recent()
    recent.observe(
        LoginFailed(at=NOW - 120, account="", address="203.0.113.9", reason="no F-line: 'Anna'")
    )
    answer = ask(evidence("F: anna secret", recent=recent), "Anna")
    assert "has the user name Anna; did you mean anna?" in answer.summary
    assert "2 min ago somebody at 203.0.113.9" in answer.findings[1].text


@pytest.mark.parametrize(
    ("reason", "change", "name"),
    [
        (CloseReason.WRONG_PASSWORD, "make the password in the receiver's C-line", "the F-line"),
        (CloseReason.WRONG_ADDRESS, "write 192.0.2.7 at the end of line 2", "the F-line"),
        (CloseReason.ALREADY_CONNECTED, "give each receiver an F-line of its own", "the F-line"),
        (CloseReason.OLD_VERSION, "lower MINIMUM CLIENT VERSION", "MINIMUM CLIENT VERSION"),
    ],
)
def test_why_somebody_cannot_connect(reason: CloseReason, change: str, name: str) -> None:
    recent = Recent()
    recent.observe(
        LoginFailed(at=NOW, account="anna", address="192.0.2.7", reason=reason.value, why=reason)
    )
    cfg = "MINIMUM CLIENT VERSION : 2.1.0\nF: anna secret"
    answer = ask(evidence(cfg, clients={}, recent=recent))
    found = the_bad(answer.findings)
    assert reason.value in found.text
    assert change in found.change
    assert found.setting is not None
    assert found.setting.name == name
    assert found.setting.line == (1 if name.startswith("MINIMUM") else 2)


def test_who_left_and_who_never_came() -> None:
    recent = Recent()
    never = ask(evidence("F: anna secret", clients={}, recent=recent))
    assert "C: ADDRESS 12000 anna PASSWORD" in the_bad(never.findings).change
    recent.observe(LoginFailed(at=NOW - 900, account="anna", address="x", reason="y"))
    recent.observe(
        ClientLoggedOut(at=NOW - 300, account="anna", address="192.0.2.7", reason="it closed")
    )
    left = ask(evidence("F: anna secret", clients={}, recent=recent))
    assert "it left 5 min ago: it closed" in the_bad(left.findings).text
    closed = ask(evidence("F: anna secret\nSERVER LISTEN PORT : 0", clients={}))
    assert the_bad(closed.findings).code == "port-closed"


def test_hours() -> None:
    cfg = "F: anna secret 5 0 1 { } { } { 12:00-17:00, 22:00-02:00 }"
    answer = ask(evidence(cfg, announced()))
    assert "12:00-17:00, 22:00-02:00 only, and it is 18:00 now" in answer.summary
    assert "third braces of line 1" in the_bad(answer.findings).change
    open_now = ask(evidence(cfg, announced(), minute=13 * 60))
    assert all(each.weight is not Weight.BAD for each in open_now.findings)


@pytest.mark.parametrize(
    ("cfg", "words"),
    [
        ("F: anna secret 5 0 0", "the F-line in line 1"),
        ("F: anna secret\nALLOW EMM : no", "ALLOW EMM in line 2"),
        ("F: anna secret\nALLOW EMM : yes\nDISABLE EMM : yes", "DISABLE EMM in line 3"),
    ],
)
def test_who_keeps_emms_back(cfg: str, words: str) -> None:
    (found,) = [each for each in ask(evidence(cfg)).findings if each.code == "no-emm"]
    assert words in found.text


# Sources.


def test_sources_without_cards() -> None:
    refused = source(
        state=LinkState.WAITING,
        up_at=None,
        cards_by_hop={},
        next_attempt_at=NOW + 8,
        last_failure=CloseReason.LOGIN_REFUSED.value,
        failed_step=Step.LOGIN,
    )
    (down,) = ask(evidence("F: anna secret", status=refused)).sources
    found = the_bad(down.findings)
    assert CloseReason.LOGIN_REFUSED.value in found.text
    assert "next attempt in 8 s" in found.text
    assert "compare user name and password in line 20" in found.change
    (silent,) = ask(evidence("F: anna secret", status=source(cards_by_hop={}))).sources
    assert "announces no cards" in the_bad(silent.findings).text
    nothing = ask(evidence("F: anna secret", sources={}))
    assert "no C-line or N-line names a server" in nothing.summary


def test_the_port_that_is_called_is_the_one_to_ask_for() -> None:
    silent = {"state": LinkState.WAITING, "up_at": None, "failed_step": Step.CONNECT_TIMEOUT}
    for tls_port, port in ((None, "port 12000"), (12443, "port 12443")):
        (down,) = ask(
            evidence("F: anna secret", status=source(**silent, tls_port=tls_port))
        ).sources
        assert f"{port} is forwarded" in the_bad(down.findings).change


def test_a_list_that_became_shorter_and_a_c_line_that_is_broken() -> None:
    recent = Recent()
    for at, cards in ((NOW - 500, 3), (NOW - 120, 0)):
        recent.observe(CardsChanged(at=at, source="headend-a:12000", cards=cards))
    cfg = "F: anna secret\nC: a.example 99999 u topsecret"
    first, second = ask(evidence(cfg, status=source(cards_by_hop={}), recent=recent)).sources
    assert first.findings[-1].text == "its list went from 3 cards to 0 2 min ago"
    lost = source(cards_by_hop={}, up_at=None, state=LinkState.WAITING, last_failure="it is off")
    down, _ = ask(evidence(cfg, status=lost, recent=recent)).sources
    assert [each.code for each in down.findings] == ["down"], "its list went with its link"
    assert second.name == "a.example"
    assert "line 2 of /etc/CCcam.cfg is not used: the port is" in second.findings[0].text
    assert "topsecret" not in str(second)


# The answer as a whole.


def test_without_an_account_everything_that_exists_is_shown() -> None:
    answer = ask(evidence("F: anna secret 0", announced()), None, caid=0x0B00)
    assert answer.summary == "there is 1 card of CAID 0B00"
    assert answer.cards[0].findings == ()


def test_json_is_read_as_it_was_written() -> None:
    cfg = "F: anna secret 0\nC: a.example 99999 u p"
    answer = ask(evidence(cfg, announced()), caid=0x0B00)
    assert TypeAdapter(Explanation).validate_json(json.dumps(as_json(answer))) == answer


def test_the_report_groups_cards_with_the_same_reason() -> None:
    cards = [announced(number, hop=3) for number in range(1, 30)]
    lines = list(report_lines(ask(evidence("F: anna secret 1", *cards)), when=str))
    assert lines[0] == "anna sees none of 29 cards: 29 too far away"
    assert "  ... and 21 like these" in lines
    assert sum("raise the third field" in line for line in lines) == 1


HOPS = st.integers(0, 6)


@given(
    uphops=HOPS,
    downhops=st.none() | st.integers(0, 3),
    hop=HOPS,
    reshare=st.integers(0, 3),
    limits=st.lists(
        st.builds(
            Limit,
            st.sampled_from([Caid(0), Caid(0x0B00)]),
            st.sampled_from([Ident(0), Ident(0x030B00), Ident(0x42)]),
            st.integers(0, 3),
        ),
        max_size=4,
        unique_by=lambda limit: (limit.caid, limit.ident),
    ),
)
def test_each_card_has_a_reason_and_each_trouble_something_to_do(
    uphops: int, downhops: int | None, hop: int, reshare: int, limits: list[Limit]
) -> None:
    """And who does what is said sees the card."""
    fields = {"uphops": uphops, "downhops": downhops, "limits": tuple(limits)}

    def look(**words: object) -> tuple[bool, Finding]:
        account = FLine(line=1, user="anna", password="secret", **(fields | words))  # type: ignore[arg-type]
        config = Config(f_lines=(account,))
        answer = ask(evidence("", announced(hop=hop, reshare=reshare), config=config))
        return answer.cards[0].seen, answer.cards[0].findings[0]

    seen, found = look()
    assert found.text
    assert seen == (found.weight is Weight.GOOD)
    assert bool(found.change) != seen
    if found.code == "too-far":
        number = int(found.change.rsplit(" ", 1)[1])
        raised = {"uphops": max(uphops, number) if "third" in found.change else uphops}
        if "fourth" in found.change:
            raised["downhops"] = number
        assert look(**raised)[1].code != "too-far"
    if found.code == "limited":
        wanted = Limit(Caid(0x0B00), Ident(0x030B00), 1)
        others = [each for each in limits if (each.caid, each.ident) != (0x0B00, 0x030B00)]
        assert look(limits=(*others, wanted))[0]


def test_a_loop_that_is_a_clone_names_it() -> None:
    clone = Clone(
        node_id=FAR,
        own=False,
        accounts=("anna", "ben"),
        sources=(),
        addresses=("192.0.2.7",),
        since=NOW,
    )
    clients = {"anna": (client(node_id=FAR),)}
    answer = ask(evidence("F: anna secret", announced(), clients=clients, clones=(clone,)))
    loop = answer.cards[0].findings[-1]
    assert loop.weight is Weight.BAD
    assert "anna and ben (all at 192.0.2.7) have the same node id" in loop.text
    assert "delete its node id file" in loop.change
    assert "clone" in [each.code for each in answer.findings]


def test_cards_that_come_from_a_copy_of_ourselves_name_it() -> None:
    clone = Clone(
        node_id=OURS,
        own=True,
        accounts=(),
        sources=("headend-a:12000",),
        addresses=("192.0.2.9",),
        since=NOW,
    )
    answer = ask(evidence("F: anna secret", announced(path=(OURS,)), clones=(clone,)))
    (found,) = [each for card in answer.cards for each in card.findings]
    assert found.code == "not-taken-loop"
    assert "upstream headend-a:12000 (192.0.2.9) has the node id of this server" in found.text
    about_us = ask(evidence("F: anna secret", clones=(clone,)), account=None)
    assert "clone" in [each.code for each in about_us.findings]
