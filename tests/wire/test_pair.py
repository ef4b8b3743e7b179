"""Our client and our server, joined without a socket."""

from dataclasses import replace
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pair import PARTNER_NODE, PLAIN_NODE, Pair

from cccamd.ids import Caid, Ident, NodeId, ShareId, Sid
from cccamd.values import ControlWords, Emm, Offer, Provider, Refusal, Request, with_checksums
from cccamd.wire.cccam import (
    BUILDS,
    Capabilities,
    ChallengeReceived,
    Command,
    KeepaliveReceived,
    MalformedReceived,
    PartnerText,
    UnexpectedReceived,
    Version,
    serialize_ecm,
    serialize_emm,
)
from cccamd.wire.link import (
    Answered,
    Closed,
    CloseReason,
    EmmAcknowledged,
    EmmReceived,
    LocalProtocolError,
    LoginRequested,
    LoginSucceeded,
    OfferAdded,
    OffersDue,
    OfferWithdrawn,
    Refused,
    RequestDropped,
    Requested,
    State,
)

Event = TypeVar("Event")

CARD = Offer(
    share_id=ShareId(7),
    remote_id=8,
    caid=Caid(0x7F00),
    hop=1,
    reshare=2,
    providers=(Provider(Ident(0x0A)),),
    path=(PLAIN_NODE,),
)
SID_CARD = Offer(
    share_id=ShareId(9), remote_id=9, caid=Caid(0x7F00), hop=0, reshare=1, assigned_sids=(Sid(5),)
)


def request(number: int, *, share_id: int = 7) -> Request:
    return Request(
        Caid(0x7F00),
        Ident(0x0A),
        ShareId(share_id),
        Sid(number & 0xFFFF),
        b"\x80" + bytes([number]),
    )


def cw(number: int) -> ControlWords:
    return ControlWords(with_checksums(bytes([number]) * 16))


def of_type(events: list[object], kind: type[Event]) -> list[Event]:
    return [event for event in events if isinstance(event, kind)]


def answer_at_once(pair: Pair) -> None:
    def on_event(event: object) -> None:
        if isinstance(event, Requested):
            pair.server.answer(event.token, cw(event.request.section[1]))

    pair.on_server_event = on_event


@given(
    user=st.binary(min_size=1, max_size=20).filter(lambda name: b"\0" not in name),
    password=st.binary(max_size=60),
    piece=st.sampled_from([1, 2, 3, 7, 1 << 20]),
    client_node=st.binary(min_size=8, max_size=8).map(NodeId),
    extended=st.booleans(),
)
def test_login_and_ecms_in_any_fragmentation(
    user: bytes, password: bytes, piece: int, client_node: NodeId, extended: bool
) -> None:
    pair = Pair(
        user=user,
        password=password,
        expected_password=password,
        piece=piece,
        client_node=client_node,
        server_node=PARTNER_NODE if extended else PLAIN_NODE,
    )
    answer_at_once(pair)
    pair.pump()
    assert pair.client.state is pair.server.state is State.OPEN
    assert pair.client.extended is pair.server.extended is extended
    ids = [pair.ask(request(number)) for number in range(5)]
    pair.pump()
    assert of_type(pair.client_events, Answered) == [
        Answered(ask_id, cw(number)) for number, ask_id in enumerate(ids)
    ]
    assert of_type(pair.server_events, LoginRequested) == [LoginRequested(user)]


def test_wrong_password_closes_without_a_word() -> None:
    pair = Pair(password=b"secrets")
    pair.pump()
    assert pair.server_events[-1] == Closed(CloseReason.WRONG_PASSWORD)
    pair.client.receive_eof(pair.now)
    assert pair.client.events_received() == [Closed(CloseReason.LOGIN_REFUSED)]


def test_a_refused_user_hears_nothing() -> None:
    pair = Pair()
    pair.client.receive_data(pair.server.data_to_send(), 0)
    pair.server.receive_data(pair.client.data_to_send(), 0)
    pair.server.refuse_login(CloseReason.UNKNOWN_USER)
    assert pair.server.data_to_send() == b""
    with pytest.raises(LocalProtocolError):
        pair.server.authenticate(b"too late")


@pytest.mark.parametrize(
    ("client_version", "server_version", "uses_sids"),
    [
        (Version(2, 3, 0), Version(2, 2, 0), True),
        (Version(2, 1, 4), Version(2, 3, 0), False),
        (Version(2, 3, 0), Version(2, 0, 11), False),
    ],
)
def test_sid_lists_need_both_versions(
    client_version: Version, server_version: Version, uses_sids: bool
) -> None:
    pair = Pair(client_version=client_version, server_version=server_version)
    pair.pump()
    assert OffersDue() in pair.server_events
    pair.server.announce(SID_CARD)
    pair.server.announce(CARD)
    pair.server.withdraw(CARD.share_id)
    pair.pump()
    first, second, third = pair.client_events[-3:]
    assert isinstance(first, OfferAdded)
    assert first.offer.assigned_sids == ((Sid(5),) if uses_sids else ())
    assert second == OfferAdded(CARD)
    assert third == OfferWithdrawn(CARD.share_id)


def test_cards_wait_for_the_partner_text_or_half_a_second() -> None:
    pair = Pair(server_node=PARTNER_NODE)
    pair.client._offer = Capabilities.NONE
    pair.pump()
    assert OffersDue() not in pair.server_events
    due_at = pair.server.next_deadline()
    assert due_at == pair.now + 0.5
    pair.server.handle_deadline(due_at)
    assert pair.server.events_received() == [OffersDue()]


def test_plain_mode_answers_in_the_order_of_the_requests() -> None:
    pair = Pair()
    pair.pump()
    raw = pair.client
    for number in (1, 2, 3):  # a client that does not wait for its answers
        raw._send(0, Command.ECM, serialize_ecm(request(number)))
    raw._send(0, Command.EMM, serialize_emm(Emm(Caid(1), Ident(2), ShareId(3), b"\x82")))
    pair.pump()
    first, second, third = of_type(pair.server_events, Requested)
    pair.server.answer(third.token, cw(3))
    pair.server.refuse(second.token, Refusal.PASSING)
    assert pair.server.data_to_send() == b""
    pair.server.answer(first.token, cw(1))
    assert len(pair.server.data_to_send()) == 20 + 4 + 20 + 4
    assert len(pair.server._slots) == 0
    assert len(of_type(pair.server_events, EmmReceived)) == 1


@pytest.mark.parametrize("extended", [False, True])
def test_requests_over_the_bound_cost_the_oldest(extended: bool) -> None:
    pair = Pair(queue_limit=3, server_node=PARTNER_NODE if extended else PLAIN_NODE)
    pair.pump()
    limit = 3 * 16 if extended else 3  # "any number" may be open in extended mode
    for number in range(limit + 2):
        pair.client._send(number, Command.ECM, serialize_ecm(request(number)))
    pair.pump()
    received = of_type(pair.server_events, Requested)
    dropped = of_type(pair.server_events, RequestDropped)
    assert [event.token for event in dropped] == [e.token for e in received[:2]]
    for event in received:
        pair.server.refuse(event.token, Refusal.PASSING)
    assert len(pair.server._slots) == 0


def test_answers_to_keepalives_never_become_a_storm() -> None:
    pair = Pair()
    pair.pump()
    answers = 0
    for _ in range(1000):
        pair.client._keepalive_unanswered = False
        pair.client._send(0, Command.KEEPALIVE)
        pair.server.receive_data(pair.client.data_to_send(), pair.now)
        answers += len(pair.server.data_to_send()) // 4
        pair.now += 0.001
    assert 5 <= answers <= 7


def test_a_second_partner_text_changes_nothing() -> None:
    pair = Pair(server_node=PARTNER_NODE)
    pair.pump()
    pair.client._send(0, Command.NOK1, PartnerText("again", Capabilities.NONE).serialize())
    pair.pump()
    assert pair.server.extended


@pytest.mark.parametrize("length", [0, 8, 15, 17, 32])
def test_a_cw_of_another_length_is_an_answer_but_no_cw(length: int) -> None:
    pair = Pair(server_node=PARTNER_NODE)
    pair.pump()
    ask_id = pair.ask(request(1))
    pair.pump()
    pair.server._send(1, Command.ECM, bytes(length))
    pair.pump()
    assert pair.client_events[-1] == Refused(ask_id, Refusal.PASSING)


def test_what_is_no_seed_is_noticed_at_once() -> None:
    pair = Pair()
    pair.client.receive_data(b"HTTP/1.1 400 Bad Request\r\n", pair.now)
    (closed,) = pair.client.events_received()
    assert isinstance(closed, Closed)
    assert closed.reason is CloseReason.STRANGER
    assert pair.client.data_to_send() == b""


def test_extended_answers_come_in_any_order() -> None:
    pair = Pair(server_node=PARTNER_NODE)
    pair.pump()
    ids = [pair.ask(request(number)) for number in range(40)]
    pair.pump()
    received = of_type(pair.server_events, Requested)
    assert len(received) == 40
    for event in reversed(received):
        if event.request.section[1] % 2:
            pair.server.answer(event.token, cw(event.request.section[1]))
        else:
            pair.server.refuse(event.token, Refusal.CANNOT_DECODE)
    pair.pump()
    answered = {event.token: event.cw for event in of_type(pair.client_events, Answered)}
    refused = {event.token for event in of_type(pair.client_events, Refused)}
    assert answered == {ids[number]: cw(number) for number in range(1, 40, 2)}
    assert refused == {ids[number] for number in range(0, 40, 2)}


def test_extended_mode_repeats_flag_zero() -> None:
    pair = Pair(server_node=PARTNER_NODE)
    pair.pump()
    pair.client._send(0, Command.ECM, serialize_ecm(request(1)))
    pair.pump()
    pair.server.answer(of_type(pair.server_events, Requested)[-1].token, cw(1))
    frame = pair.client._receiving.decrypt(pair.server.data_to_send())
    assert frame == bytes.fromhex("00010010") + cw(1).raw


def test_more_than_255_questions_wait_for_a_free_flag() -> None:
    pair = Pair(server_node=PARTNER_NODE, queue_limit=1000)
    pair.pump()
    for number in range(300):
        pair.ask(request(number & 0xFF))
    pair.pump()
    assert len(of_type(pair.server_events, Requested)) == 255
    for event in of_type(pair.server_events, Requested):
        pair.server.refuse(event.token, Refusal.PASSING)
    pair.pump()
    assert len(of_type(pair.server_events, Requested)) == 300
    assert pair.client.in_flight == 45


def test_emms_are_acknowledged_and_texts_and_keepalives_understood() -> None:
    pair = Pair()
    pair.pump()
    emm = Emm(Caid(0x7F00), Ident(0x0A), ShareId(7), b"\x82\x70\x01\x00")
    ask_id = pair.send_emm(emm)
    pair.client.send_keepalive()
    pair.pump()
    assert EmmReceived(emm) in pair.server_events
    assert EmmAcknowledged(ask_id) in pair.client_events
    assert pair.server_events.count(KeepaliveReceived()) == 1
    assert pair.client_events.count(KeepaliveReceived()) == 1


def test_answers_held_back_go_out_when_extended_mode_begins() -> None:
    pair = Pair(server_node=PARTNER_NODE)
    pair.client._offer = Capabilities.NONE  # no partner text yet
    pair.pump()
    for number in (1, 2):
        pair.client._send(number, Command.ECM, serialize_ecm(request(number)))
    pair.pump()
    _, second = of_type(pair.server_events, Requested)
    pair.server.answer(second.token, cw(2))
    assert pair.server.data_to_send() == b""
    text = PartnerText("late", Capabilities.EXT)
    pair.client._send(0, Command.NOK1, text.serialize())
    pair.server.receive_data(pair.client.data_to_send(), pair.now)
    clear = pair.client._receiving.decrypt(pair.server.data_to_send())
    assert clear.endswith(bytes.fromhex("02010010") + cw(2).raw)
    assert len(pair.server._slots) == 1


def test_a_forgotten_question_is_not_sent() -> None:
    pair = Pair()
    pair.pump()
    pair.ask(request(1))
    second = pair.ask(request(2))
    pair.client.forget(second)
    assert pair.client.in_flight == 1


def test_challenges_are_answered() -> None:
    pair = Pair()
    pair.pump()
    challenge = bytes(range(16))
    pair.server._send(0, Command.CHALLENGE_05)
    pair.server._send(0, Command.CHALLENGE_05, bytes(256))
    pair.server._send(0, Command.CHALLENGE_0B, challenge)
    pair.server._send(0, Command.CLIENT_CHECK_0E, b"\x01")
    pair.client.receive_data(pair.server.data_to_send(), pair.now)
    assert of_type(pair.client.events_received(), ChallengeReceived) == [
        ChallengeReceived(0x05, answered=True),
        ChallengeReceived(0x05, answered=True),
        ChallengeReceived(0x0B, answered=True),
        ChallengeReceived(0x0E, answered=False),
    ]
    answers = pair.server._receiving.decrypt(pair.client.data_to_send())
    assert answers[:4] == bytes.fromhex("00050000")
    assert answers[4:264] == bytes.fromhex("00050100") + bytes(256)
    assert answers[264:268] == bytes.fromhex("000b0010")
    assert answers[268:] != challenge


def test_unknown_and_malformed_messages_are_dropped_after_the_login() -> None:
    pair = Pair()
    answer_at_once(pair)
    pair.pump()
    pair.client._send(0, 0x42, b"whatever")
    pair.client._send(0, Command.ECM, b"short")
    ask_id = pair.ask(request(9))
    pair.pump()
    assert UnexpectedReceived(0x42, 8) in pair.server_events
    assert len(of_type(pair.server_events, MalformedReceived)) == 1
    assert Answered(ask_id, cw(9)) in pair.client_events
    assert pair.server.dropped == 2


def test_a_malformed_introduction_closes() -> None:
    pair = Pair()
    pair.client.receive_data(pair.server.data_to_send(), pair.now)
    pair.server.receive_data(pair.client.data_to_send(), pair.now)
    pair.server.events_received()
    pair.server.authenticate(b"secret")
    pair.server.receive_data(pair.client._sending.encrypt(b"\0\0\0\x03abc"), pair.now)
    assert Closed in {type(event) for event in pair.server.events_received()}


def test_an_impossible_length_closes() -> None:
    pair = Pair()
    pair.pump()
    pair.server.receive_data(pair.client._sending.encrypt(b"\0\x01\xff\xff"), pair.now)
    (closed,) = pair.server.events_received()
    assert isinstance(closed, Closed)
    assert closed.reason is CloseReason.GARBAGE
    assert "65535" in str(closed)


@pytest.mark.parametrize("first", [0x7F, 0xFF])
def test_cws_are_right_whatever_the_top_bit_of_the_node_id(first: int) -> None:
    pair = Pair(client_node=NodeId(bytes([first]) + b"\xfe\x01\x02\x03\x04\x05\x06"))
    answer_at_once(pair)
    pair.pump()
    ask_id = pair.ask(request(77, share_id=0xFFFFFFF0))
    pair.pump()
    assert pair.client_events[-1] == Answered(ask_id, cw(77))


def test_silence_ends_a_login_but_not_a_client() -> None:
    pair = Pair()
    assert pair.server.next_deadline() == pair.now + 10
    pair.server.handle_deadline(pair.now + 10)
    assert pair.server.events_received() == [
        Closed(CloseReason.LOGIN_TIMEOUT, "0 of 20 bytes of its answer to the seed came")
    ]
    pair = Pair()
    pair.pump()
    for _ in range(10):
        deadline = pair.server.next_deadline()
        assert deadline is not None
        pair.server.handle_deadline(deadline)
    assert pair.server.state is State.OPEN
    assert len(pair.server.data_to_send()) == 10 * 4


def test_a_silent_server_is_noticed() -> None:
    pair = Pair()
    pair.client.handle_deadline(pair.now + 10)
    assert pair.client.events_received() == [Closed(CloseReason.NO_SEED)]
    pair = Pair()
    pair.pump()
    pair.ask(request(1))
    assert pair.client.next_deadline() == pair.now + 8
    pair.client.handle_deadline(pair.now + 8)
    assert pair.client.events_received()[0].reason is CloseReason.NO_ANSWER  # type: ignore[attr-defined]


@given(st.lists(st.binary(max_size=200), max_size=20), st.sampled_from(["client", "server"]))
def test_any_bytes_at_any_time_are_survived(chunks: list[bytes], side: str) -> None:
    for logged_in in (False, True):
        pair = Pair()
        if logged_in:
            pair.pump()
        target = pair.server if side == "server" else pair.client
        for chunk in chunks:
            target.receive_data(chunk, pair.now)
            target.events_received()
            target.data_to_send()
        assert target.state in State


def test_a_login_is_not_open_before_the_introduction() -> None:
    pair = Pair()
    pair.client.receive_data(pair.server.data_to_send(), pair.now)
    pair.server.receive_data(pair.client.data_to_send(), pair.now)
    pair.server.events_received()
    pair.server.authenticate(b"secret")
    assert pair.server.events_received() == [LoginSucceeded()]
    assert pair.server.state is State.INTRODUCTION
    with pytest.raises(LocalProtocolError):
        pair.ask(request(1))


def test_who_has_closed_tells_nothing_else() -> None:
    """Whoever acted on what came before the end would act on a closed connection."""
    pair = Pair()
    pair.pump()
    pair.ask(Request(Caid(0x0B00), Ident(0), ShareId(1), Sid(1), b"\x80"))
    garbage = bytes(2000)
    pair.server.receive_data(pair.client.data_to_send() + garbage, pair.now)
    events = pair.server.events_received()
    assert [type(event) for event in events] == [Closed]
    pair.server.receive_data(bytes(100), pair.now)
    pair.server.receive_eof(pair.now)
    assert pair.server.events_received() == []


@pytest.mark.parametrize(("first_byte", "mended"), [(0x80, True), (0x7F, False)])
def test_only_a_node_id_with_its_top_bit_set_has_its_cw_mended(
    first_byte: int, mended: bool
) -> None:
    """OSCam before 2016 shifts it as a signed number; for others byte 15 is what it is."""
    pair = Pair(client_node=NodeId(bytes([first_byte]) + PLAIN_NODE[1:]))
    pair.pump()
    token = pair.ask(request(1))
    pair.pump()
    spoilt = cw(1).raw[:-1] + bytes([cw(1).raw[-1] ^ 0xF0])
    pair.server.answer(of_type(pair.server_events, Requested)[-1].token, ControlWords(spoilt))
    pair.pump()
    expected = cw(1) if mended else ControlWords(spoilt)
    assert pair.client_events[-1] == Answered(token, expected)


def test_in_plain_mode_each_answer_lets_the_next_question_out() -> None:
    pair = Pair()
    pair.pump()
    tokens = [pair.ask(request(1)), pair.ask(request(2))]
    tokens.append(pair.send_emm(Emm(Caid(0x7F00), Ident(0x0A), ShareId(7), b"\x82" + bytes(300))))
    for number in (1, 2):
        pair.pump()
        assert len(of_type(pair.server_events, Requested)) == number
        pair.server.refuse(of_type(pair.server_events, Requested)[-1].token, Refusal.PASSING)
    pair.pump()
    (emm,) = of_type(pair.server_events, EmmReceived)
    assert len(emm.emm.section) == 301
    assert of_type(pair.client_events, Refused) == [
        Refused(token, Refusal.PASSING) for token in tokens[:2]
    ]
    assert pair.client_events[-1] == EmmAcknowledged(tokens[2])
    pair.ask(request(3))
    pair.pump()
    assert len(of_type(pair.server_events, Requested)) == 3


def test_a_keepalive_is_answered_again_when_ours_was() -> None:
    pair = Pair()
    pair.pump()
    pair.client.send_keepalive()
    pair.pump()
    pair.server._send(0, Command.KEEPALIVE)
    pair.client.receive_data(pair.server.data_to_send(), pair.now)
    assert len(pair.client.data_to_send()) == 4


def test_tvheadend_is_told_of_cards_without_sid_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """It misreads them although it says that it can (section 13.5)."""
    monkeypatch.setitem(BUILDS, Version(2, 3, 0), "tvh")
    pair = Pair(server_node=PARTNER_NODE)
    pair.pump()
    pair.server.announce(SID_CARD)
    pair.pump()
    assert pair.client_events[-1] == OfferAdded(replace(SID_CARD, assigned_sids=()))


def test_a_card_whose_path_does_not_fit_is_withdrawn() -> None:
    pair = Pair()
    pair.pump()
    pair.server.announce(CARD)
    pair.server.announce(replace(CARD, path=(PLAIN_NODE,) * 130))
    pair.pump()
    assert pair.client_events[-2:] == [OfferAdded(CARD), OfferWithdrawn(CARD.share_id)]


def test_partners_name_themselves_to_each_other() -> None:
    pair = Pair(server_node=PARTNER_NODE)
    pair.pump()
    assert pair.server.peer is not None
    assert pair.client.peer is not None
    assert (pair.server.peer.program, pair.client.peer.program) == ("client", "server")
    assert pair.client.peer.capabilities == ("EXT", "SID", "SLP")


def test_an_emm_that_fits_into_no_message_is_refused_at_once() -> None:
    pair = Pair()
    pair.pump()
    for length in (0, 1009):
        with pytest.raises(ValueError, match="1 to 1008 bytes"):
            pair.send_emm(Emm(Caid(0x7F00), Ident(0x0A), ShareId(7), bytes(length)))


def test_an_acknowledged_emm_lets_the_next_one_out() -> None:
    pair = Pair()
    pair.pump()
    emms = [Emm(Caid(0x7F00), Ident(0x0A), ShareId(7), bytes([0x82, n])) for n in range(3)]
    for emm in emms:
        pair.send_emm(emm)
    pair.pump()
    assert [event.emm for event in of_type(pair.server_events, EmmReceived)] == emms
