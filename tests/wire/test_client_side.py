"""What a client makes of a server that says something else than it should."""

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher as BlockCipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from pair import PARTNER_NODE, PLAIN_NODE, SEED, Pair

from cccamd.ids import Caid, Ident, ShareId, Sid
from cccamd.values import Emm, Request
from cccamd.wire.cccam import (
    Caller,
    Command,
    Identity,
    MalformedReceived,
    Target,
    UnexpectedReceived,
    Version,
)
from cccamd.wire.cccam.handshake import derive_keys, make_seed
from cccamd.wire.cccam.versions import BUILDS
from cccamd.wire.link import (
    Closed,
    CloseReason,
    Introduced,
    LocalProtocolError,
    PeerChanged,
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


def test_a_login_has_a_deadline_and_says_what_is_missing() -> None:
    for seed, reason in (
        (b"", CloseReason.NO_SEED),
        (make_seed(SEED), CloseReason.NO_ANSWER_TO_LOGIN),
    ):
        client = Pair().client
        if seed:
            client.receive_data(seed, 100.0)
        deadline = client.next_deadline()
        assert deadline == 110.0
        client.handle_deadline(109.9)
        assert client.state is not State.CLOSED
        client.handle_deadline(deadline)
        assert client.events_received() == [Closed(reason)]
        assert client.next_deadline() is None


def test_silence_ends_a_link_after_ninety_seconds() -> None:
    pair = Pair()
    pair.pump()
    pair.client.events_received()
    pair.client.handle_deadline(189.9)
    assert pair.client.state is State.OPEN
    pair.client.handle_deadline(190.0)
    assert pair.client.events_received() == [Closed(CloseReason.SILENT, "90 s")]


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
