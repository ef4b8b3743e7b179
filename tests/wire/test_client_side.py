"""What a client makes of a server that says something else than it should."""

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher as BlockCipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from pair import PARTNER_NODE, PLAIN_NODE, SEED, Pair

from cccamd.ids import Caid, Ident, ShareId, Sid
from cccamd.values import ControlWords, Emm, Refusal, Request
from cccamd.wire.cccam import (
    Caller,
    Capabilities,
    ChallengeReceived,
    ClientData,
    Command,
    Identity,
    MalformedReceived,
    ServerData,
    Target,
    UnexpectedReceived,
    Version,
    make_node_id,
)
from cccamd.wire.cccam.client import EMM_QUEUE_LIMIT
from cccamd.wire.cccam.cursor import MalformedError
from cccamd.wire.cccam.frames import FrameReader
from cccamd.wire.cccam.handshake import derive_keys, make_seed
from cccamd.wire.cccam.versions import BUILDS
from cccamd.wire.link import (
    Answered,
    Closed,
    CloseReason,
    EmmAcknowledged,
    Introduced,
    LocalProtocolError,
    Loss,
    PeerChanged,
    Refused,
    State,
    TextReceived,
)

REQUEST = Request(Caid(0x7F00), Ident(0x0A), ShareId(7), Sid(1), b"\x80ecm")
EMM = Emm(Caid(0x7F00), Ident(0x0A), ShareId(7), b"\x82emm")


def told(pair: Pair, *frames: tuple[int, bytes]) -> list[object]:
    """What the client makes of these frames of its server."""
    pair.pump()
    pair.client.events_received()
    for command, payload in frames:
        pair.server._send(0, command, payload)
    pair.client.receive_data(pair.server.data_to_send(), pair.now)
    return list(pair.client.events_received())


def test_unknown_and_malformed_messages_are_dropped_and_counted() -> None:
    pair = Pair()
    events = told(pair, (0x42, b"what"), (Command.NEW_CARD, b"short"), (Command.CARD_REMOVED, b""))
    assert events[0] == UnexpectedReceived(0x42, 4)
    assert [type(event) for event in events[1:]] == [MalformedReceived, MalformedReceived]
    assert pair.client.dropped == 3
    assert pair.client.state is State.OPEN


def test_cards_that_come_before_the_introduction_are_not_taken() -> None:
    pair = Pair()
    pair.client.receive_data(pair.server.data_to_send(), pair.now)
    pair.server.receive_data(pair.client.data_to_send(), pair.now)
    pair.server.events_received()
    pair.server.authenticate(b"secret")
    pair.server._send(0, Command.ECM, bytes(16))
    pair.client.receive_data(pair.server.data_to_send(), pair.now)
    assert UnexpectedReceived(Command.ECM, 16) in pair.client.events_received()


def test_what_is_malformed_before_the_peers_know_each_other_ends_it() -> None:
    pair = Pair()
    seed = pair.server.data_to_send()
    pair.client.receive_data(seed, pair.now)
    accepted = derive_keys(seed).server_to_client
    frame = bytes((0, Command.NEW_CARD)) + (5).to_bytes(2) + b"short"
    login = accepted.encrypt(b"CCcam".ljust(20, b"\0")) + accepted.encrypt(frame)
    pair.client.receive_data(login, pair.now)
    (closed,) = pair.client.events_received()
    assert isinstance(closed, Closed)
    assert closed.reason is CloseReason.MALFORMED_LOGIN


def test_texts_are_told_and_end_nothing() -> None:
    pair = Pair()
    assert told(pair, (Command.NOK1, b"Hello\0")) == [TextReceived("Hello")]
    assert pair.client.state is State.OPEN


def test_who_the_server_is_was_settled_at_the_first() -> None:
    pair = Pair()
    pair.pump()
    before = pair.client.server
    assert before is not None
    other = pair.server._send
    assert [event for event in pair.client_events if isinstance(event, Introduced)]
    other(0, Command.SERVER_DATA, bytes(72))
    pair.client.receive_data(pair.server.data_to_send(), pair.now)
    assert not [e for e in pair.client.events_received() if isinstance(e, Introduced)]
    assert pair.client.server is before


def test_partners_are_partners_once_and_both_say_so() -> None:
    pair = Pair(server_node=PARTNER_NODE)
    pair.pump()
    changed = [event for event in pair.client_events if isinstance(event, PeerChanged)]
    assert len(changed) == 1
    assert changed[0].peer.program == "server"
    assert pair.client.peer == changed[0].peer
    assert not pair.client.one_at_a_time
    again = told(pair, (Command.NOK1, b"PARTNER: other v9 [EXT]\0"))
    assert not [event for event in again if isinstance(event, PeerChanged)]
    assert pair.client.data_to_send() == b""
    assert Pair(server_node=PLAIN_NODE).client.one_at_a_time


def test_a_text_that_nobody_can_read_is_not_told() -> None:
    pair = Pair()
    assert told(pair, (Command.NOK1, b"\x01"), (Command.NOK1, b"\0\0"), (0xFE, b"\xff ?\0")) == []
    assert pair.client.state is State.OPEN


def test_whoever_answers_the_login_otherwise_is_no_server_of_ours() -> None:
    pair = Pair()
    seed = pair.server.data_to_send()
    pair.client.receive_data(seed, pair.now)
    wrong = derive_keys(seed).server_to_client.encrypt(b"CCdam".ljust(20, b"\0"))
    pair.client.receive_data(wrong, pair.now)
    assert pair.client.events_received() == [Closed(CloseReason.BAD_LOGIN_ANSWER)]


def test_questions_are_counted_until_they_are_answered() -> None:
    pair = Pair()
    with pytest.raises(LocalProtocolError):
        pair.client.send_emm(1, EMM, pair.now)
    pair.pump()
    for token in (1, 2):
        pair.client.ask(token, REQUEST, pair.now)
    pair.client.send_emm(3, EMM, pair.now)
    assert pair.client.in_flight == 3
    assert pair.client.forget(2)
    assert pair.client.forget(2) is False
    assert pair.client.in_flight == 2


def test_each_step_of_a_login_has_its_own_time_and_says_what_is_missing() -> None:
    pair = Pair()
    assert_given_up(pair, at=110.0, reason=CloseReason.NO_SEED)
    pair = Pair()
    pair.client.receive_data(make_seed(SEED), 109.0)
    assert_given_up(pair, at=119.0, reason=CloseReason.NO_ANSWER_TO_LOGIN)
    pair = Pair()
    seed = pair.server.data_to_send()
    pair.client.receive_data(seed, 109.0)
    accepted = derive_keys(seed).server_to_client.encrypt(b"CCcam".ljust(20, b"\0"))
    pair.client.receive_data(accepted, 118.0)
    assert_given_up(pair, at=128.0, reason=CloseReason.NO_INTRODUCTION)


def assert_given_up(pair: Pair, *, at: float, reason: CloseReason) -> None:
    client = pair.client
    assert client.next_deadline() == at
    client.handle_deadline(at - 0.1)
    assert client.state is not State.CLOSED
    client.handle_deadline(at)
    assert client.events_received() == [Closed(reason)]
    assert client.next_deadline() is None


RESET = Loss(CloseReason.RESET, "Connection reset by peer")
GONE = Loss(CloseReason.PEER_GONE, "Connection timed out")


@pytest.mark.parametrize(
    ("loss", "before_seed", "after_seed", "when_open"),
    [
        (
            Loss(),
            Closed(CloseReason.HUNG_UP),
            Closed(CloseReason.LOGIN_REFUSED),
            Closed(CloseReason.PEER_CLOSED),
        ),
        (
            RESET,
            Closed(CloseReason.HUNG_UP, RESET.said),
            Closed(CloseReason.LOGIN_REFUSED, RESET.said),
            Closed(CloseReason.RESET, RESET.said),
        ),
        (
            GONE,
            Closed(CloseReason.PEER_GONE, f"during the login: {GONE.said}"),
            Closed(CloseReason.PEER_GONE, f"during the login: {GONE.said}"),
            Closed(CloseReason.PEER_GONE, GONE.said),
        ),
    ],
)
def test_an_end_means_what_it_can_mean_at_that_moment(
    loss: Loss, before_seed: Closed, after_seed: Closed, when_open: Closed
) -> None:
    pair = Pair()
    pair.client.receive_eof(100.0, loss)
    assert pair.client.events_received() == [before_seed]
    pair = Pair()
    pair.client.receive_data(make_seed(SEED), 100.0)
    pair.client.receive_eof(100.0, loss)
    assert pair.client.events_received() == [after_seed]
    pair = Pair()
    pair.pump()
    pair.client.events_received()
    for side in (pair.client, pair.server):
        side.receive_eof(100.0, loss)
        assert side.events_received() == [when_open]


def acknowledging_nothing(pair: Pair) -> list[int]:
    """What reaches a plain server that answers ECMs and no EMMs: the commands in order."""
    reached = []
    data = pair.client.data_to_send()
    reader = FrameReader(pair.server._receiving)
    for _, command, _ in reader.frames(data):
        reached.append(command)
    return reached


def test_ecms_do_not_wait_for_an_emm_that_is_never_acknowledged() -> None:
    pair = Pair()
    pair.pump()
    pair.client.events_received()
    for token in (1, 2, 3):
        pair.client.send_emm(token, EMM, pair.now)
    assert acknowledging_nothing(pair) == [Command.EMM]
    for number in range(22):
        at = pair.now + number
        pair.client.ask(100 + number, REQUEST, at)
        assert Command.ECM in acknowledging_nothing(pair), number
        pair.server._send(0, Command.NOK2, b"")
        pair.client.receive_data(pair.server.data_to_send(), at)
        deadline = pair.client.next_deadline()
        assert deadline is not None
        pair.client.handle_deadline(at)
        answers = [e for e in pair.client.events_received() if isinstance(e, Refused)]
        assert answers == [Refused(100 + number, Refusal.CANNOT_DECODE)]
    pair.client.handle_deadline(pair.now + 30.0)
    assert pair.client.state is State.OPEN
    assert pair.client.in_flight == 0


def test_an_emm_that_is_not_acknowledged_is_forgotten_and_the_next_goes_out() -> None:
    pair = Pair()
    pair.pump()
    pair.client.send_emm(1, EMM, 100.0)
    pair.client.send_emm(2, EMM, 100.0)
    assert acknowledging_nothing(pair) == [Command.EMM]
    assert pair.client.next_deadline() == 102.0
    pair.client.handle_deadline(101.9)
    assert acknowledging_nothing(pair) == []
    pair.client.handle_deadline(102.0)
    assert acknowledging_nothing(pair) == [Command.EMM]
    assert pair.client.next_deadline() == 104.0


def test_an_acknowledgement_answers_an_emm_and_no_ecm() -> None:
    """A server that acknowledges late, while an ECM is on its way."""
    for node in (PLAIN_NODE, PARTNER_NODE):
        pair = Pair(server_node=node)
        pair.pump()
        pair.client.send_emm(1, EMM, 100.0)
        pair.client.ask(2, REQUEST, 100.0)
        assert told_raw(pair, Command.EMM) == [EmmAcknowledged(1)]
        assert told_raw(pair, Command.EMM) == []
        assert pair.client.in_flight == 1
        assert told_raw(pair, Command.NOK2) == [Refused(2, Refusal.CANNOT_DECODE)]


def test_in_extended_mode_an_acknowledgement_is_for_the_emm_that_it_names() -> None:
    pair = Pair(server_node=PARTNER_NODE)
    pair.pump()
    for token in (1, 2):
        pair.client.send_emm(token, EMM, 100.0)
    assert told_raw(pair, Command.EMM) == [EmmAcknowledged(2)], "it has the second one's flag"
    assert told_raw(pair, Command.EMM) == [EmmAcknowledged(1)]


def test_a_server_that_wants_rest_does_not_say_that_it_cannot() -> None:
    pair = Pair()
    pair.pump()
    token = pair.ask(REQUEST)
    assert told_raw(pair, Command.SLEEP) == [Refused(token, Refusal.ASLEEP)]


def told_raw(pair: Pair, command: int) -> list[object]:
    pair.client.data_to_send()
    flag = 2 if pair.client.extended else 0
    pair.server._send(flag, command, b"")
    pair.client.receive_data(pair.server.data_to_send(), pair.now)
    return list(pair.client.events_received())


def test_emms_go_out_between_ecms_when_they_have_waited_long() -> None:
    pair = Pair()
    pair.pump()
    for token in (1, 2, 3):
        pair.client.ask(token, REQUEST, 100.0)
    pair.client.send_emm(9, EMM, 100.0)
    assert acknowledging_nothing(pair) == [Command.ECM]
    pair.server._send(0, Command.NOK2, b"")
    pair.client.receive_data(pair.server.data_to_send(), 104.9)
    assert acknowledging_nothing(pair) == [Command.ECM]
    pair.server._send(0, Command.NOK2, b"")
    pair.client.receive_data(pair.server.data_to_send(), 105.0)
    assert acknowledging_nothing(pair) == [Command.EMM, Command.ECM]


def test_emms_that_nobody_takes_do_not_pile_up() -> None:
    pair = Pair()
    pair.pump()
    for token in range(1000):
        pair.client.send_emm(token, EMM, 100.0)
    assert pair.client.in_flight == EMM_QUEUE_LIMIT + 1


def test_a_living_server_that_answers_no_keepalive_stays_and_gets_ours() -> None:
    pair = Pair()
    pair.pump()
    pair.client.events_received()
    for _ in range(40):
        deadline = pair.client.next_deadline()
        assert deadline is not None
        pair.now = deadline
        pair.client.handle_deadline(deadline)
    assert pair.client.state is State.OPEN
    assert pair.client.events_received() == []
    assert pair.now == 100.0 + 40 * 30.0
    assert pair.client.data_to_send() != b""


def test_signs_of_life_are_sent_after_thirty_and_forty_five_seconds() -> None:
    pair = Pair()
    pair.pump()
    for side, seconds in ((pair.client, 30.0), (pair.server, 45.0)):
        assert side.next_deadline() == 100.0 + seconds
        side.handle_deadline(100.0 + seconds - 0.1)
        assert side.data_to_send() == b""
        side.handle_deadline(100.0 + seconds)
        assert side.data_to_send() != b""


def test_the_challenge_is_answered_with_what_the_server_said_of_itself() -> None:
    pair = Pair()
    told(pair, (Command.CHALLENGE_0B, bytes(range(16))))
    answer = pair.server._receiving.decrypt(pair.client.data_to_send())
    key = PLAIN_NODE + b"2.3.0\0\0\0"
    expected = BlockCipher(AES(key), ECB()).encryptor().update(bytes(range(16)))
    assert answer == bytes.fromhex("000b0010") + expected
    events = told(pair, (Command.CHALLENGE_0B, bytes(15)))
    assert [type(event) for event in events] == [MalformedReceived]


def test_a_server_that_tests_its_clients_is_told_a_version_that_it_does_not_test() -> None:
    target = Target(host="box.example", port=12000, user=b"anna", password=b"secret")
    caller = Caller(target, Identity(PARTNER_NODE, "test"))
    first = caller(0.0)
    assert str(first.version) == "2.3.0"
    assert str(caller(1.0).version) == "2.3.0"
    last = caller(2.0)
    last.is_checked = True
    assert str(caller(3.0).version) == "2.0.11"
    assert str(caller(4.0).version) == "2.0.11"


def test_the_checks_of_original_servers_are_told_and_the_last_is_remembered() -> None:
    pair = Pair()
    checks = (Command.CHALLENGE_0A, Command.CLIENT_CHECK_0C, Command.CLIENT_CHECK_0D)
    events = told(pair, *((command, b"\1") for command in checks))
    assert events == [ChallengeReceived(command, answered=False) for command in checks]
    assert not pair.client.is_checked
    assert told(pair, (Command.CLIENT_CHECK_0E, b"\1")) == [
        ChallengeReceived(Command.CLIENT_CHECK_0E, answered=False)
    ]
    assert pair.client.is_checked


def test_an_answer_that_does_not_come_costs_the_link_only_in_plain_mode() -> None:
    for node, state, event in (
        (PARTNER_NODE, State.OPEN, Refused(1, Refusal.LATE)),
        (PLAIN_NODE, State.CLOSED, Closed(CloseReason.NO_ANSWER, "within 8 s")),
    ):
        pair = Pair(server_node=node)
        pair.pump()
        pair.client.events_received()
        pair.client.ask(1, REQUEST, 100.0)
        pair.client.handle_deadline(107.9)
        assert pair.client.events_received() == []
        assert pair.client.next_deadline() == 108.0
        pair.client.handle_deadline(108.0)
        assert pair.client.events_received() == [event]
        assert pair.client.state is state
        assert pair.client.in_flight == (state is State.CLOSED)


def test_a_control_word_that_nobody_asked_for_costs_the_link_only_in_plain_mode() -> None:
    for node, event in ((PARTNER_NODE, None), (PLAIN_NODE, Closed(CloseReason.OUT_OF_STEP))):
        pair = Pair(server_node=node)
        pair.pump()
        asked = pair.ask(REQUEST)
        pair.pump()
        pair.server.answer(1, ControlWords(bytes(16)))
        pair.client.receive_data(pair.server.data_to_send(), pair.now)
        assert pair.client.events_received() == [Answered(asked, ControlWords(bytes(16)))]
        pair.server._send(1, Command.ECM, bytes(16))
        pair.client.receive_data(pair.server.data_to_send(), pair.now)
        assert pair.client.events_received() == ([event] if event is not None else [])


def test_only_what_both_offer_is_agreed() -> None:
    pair = Pair(server_node=PARTNER_NODE, offer=Capabilities.EXT)
    pair.pump()
    for side in (pair.client, pair.server):
        assert side.capabilities is Capabilities.EXT


def test_introductions_keep_every_field() -> None:
    for emus in (False, True):
        data = ClientData(
            user=b"anna", node_id=PARTNER_NODE, want_emus=emus, version="v" * 31, build="b" * 31
        )
        assert ClientData.parse(data.serialize()) == data
    server = ServerData(node_id=PARTNER_NODE, version="v" * 31, build="b" * 31)
    read = ServerData.parse(server.serialize())
    assert (read.node_id, read.version, read.build) == (PARTNER_NODE, "v" * 31, "b" * 31)
    assert read.version_field == b"v" * 31 + b"\0"
    for length in (71, 73):
        with pytest.raises(MalformedError, match="server data is 72 bytes"):
            ServerData.parse(bytes(length))


def test_a_node_id_is_made_of_four_bytes_and_their_check() -> None:
    node_id = make_node_id(b"\x01\x02\x04\x08")
    assert node_id[5] == 0xAA ^ 0x01 ^ 0x02 ^ 0x04 ^ 0x08 ^ ord("C")
    for length in (3, 5):
        with pytest.raises(ValueError, match="4 random bytes"):
            make_node_id(bytes(length))


def test_who_answers_the_seed_wrongly_is_no_client() -> None:
    server = Pair().server
    server.receive_data(bytes(20), 100.0)
    (closed,) = server.events_received()
    assert closed == Closed(CloseReason.NOT_CCCAM, "its answer to the seed is wrong")


def test_a_target_does_not_show_its_password() -> None:
    assert "secret" not in repr(Target(host="x", port=1, user=b"anna", password=b"secret"))


def test_versions_and_commands_are_those_of_the_protocol() -> None:
    """docs/protocol.md sections 5 and 6."""
    assert {str(version): int(build) for version, build in BUILDS.items()} == {
        "2.0.11": 2892,
        "2.1.1": 2971,
        "2.1.2": 3094,
        "2.1.3": 3165,
        "2.1.4": 3191,
        "2.2.0": 3290,
        "2.2.1": 3316,
        "2.3.0": 3367,
    }
    assert min(BUILDS) == Version(2, 0, 11)
    numbers = bytes(sorted(Command))
    assert numbers == bytes.fromhex("0001020405060708 0a0b0c0d0e0f 80feff")
    assert (Command.EMM, Command.CHALLENGE_0A, Command.CLIENT_CHECK_0C) == (0x02, 0x0A, 0x0C)
    assert (Command.CLIENT_CHECK_0D, Command.SLEEP) == (0x0D, 0x80)
