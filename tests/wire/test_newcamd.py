"""newcamd, both sides against each other, and against bytes that are none."""

from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.modes import CBC
from hypothesis import given
from hypothesis import strategies as st

from cccamd.ids import USUAL_CONFIG_KEY, Caid, Ident, ShareId, Sid
from cccamd.values import ControlWords, Emm, Offer, Provider, Refusal, Request
from cccamd.wire.link import (
    Answered,
    Closed,
    CloseReason,
    EmmAcknowledged,
    EmmReceived,
    Introduced,
    LoginProved,
    LoginRequested,
    LoginSucceeded,
    OfferAdded,
    OffersDue,
    OfferWithdrawn,
    Refused,
    Requested,
    State,
    TextReceived,
)
from cccamd.wire.newcamd import (
    ONLY_CARD,
    CardData,
    Command,
    Form,
    FrameCipher,
    FrameCutter,
    FrameError,
    Header,
    MessageIgnored,
    NewcamdCaller,
    NewcamdClient,
    NewcamdServer,
    NewcamdTarget,
    OneAtATime,
    OtherCard,
    decipher,
    find_form,
    hash_password,
    make_message,
    parse_frame,
    serialize_frame,
)

CAID = Caid(0x0B00)
UA = bytes.fromhex("0000000033445566")
CW = ControlWords(bytes(range(16)))
OFFER = Offer(
    share_id=ShareId(7),
    remote_id=1,
    caid=CAID,
    hop=0,
    reshare=0,
    ua=UA,
    providers=(Provider(Ident(0x1234), b"\1\2\3\4"), Provider(Ident(2))),
)


def counting() -> Any:
    numbers = iter(range(10**9))
    return lambda length: bytes(next(numbers) * 37 % 251 for _ in range(length))


class FirstCard:
    """The card that was offered first, for everybody and everything."""

    news: float | None = None

    def show(self, user: bytes, offers: Any) -> CardData:
        for offer in offers:
            return CardData.of(offer, may_update=True)
        return CardData(caid=CAID)

    def patience(self, user: bytes, offers: Any) -> float | None:
        return self.news

    def card_for(self, ident: Ident, offers: Any) -> ShareId:
        return next((offer.share_id for offer in offers), ShareId(0))

    def serves(self, caid: Caid, ident: Ident) -> bool:
        return caid == CAID


class Pair:
    """A client and a server, and what each was told; bytes travel in pieces of some length."""

    def __init__(self, *, piece: int = 10_000, key: bytes = USUAL_CONFIG_KEY) -> None:
        self.now, self.piece = 0.0, piece
        self.server = NewcamdServer(config_key=key, shelf=FirstCard(), random=counting(), now=0.0)
        self.client = NewcamdClient(
            user=b"anna",
            hashed=hash_password(b"secret"),
            config_key=USUAL_CONFIG_KEY,
            random=counting(),
            now=0.0,
        )
        self.of_server: list[Any] = []
        self.of_client: list[Any] = []
        self.password = b"secret"
        self.offers = [OFFER]

    def run(self) -> None:
        """Carry bytes until nobody says anything more."""
        while self._carry(self.server, self.client) | self._carry(self.client, self.server):
            pass

    def _carry(self, sender: Any, receiver: Any) -> bool:
        self._handle()
        data = sender.data_to_send()
        for start in range(0, len(data), self.piece):
            receiver.receive_data(data[start : start + self.piece], self.now)
            self._handle()
        if sender.state is State.CLOSED and receiver.state is not State.CLOSED:
            receiver.receive_eof(self.now)
            self._handle()
        return bool(data)

    def _handle(self) -> None:
        self.of_client += self.client.events_received()
        for event in self.server.events_received():
            self.of_server.append(event)
            match event:
                case LoginRequested():
                    self.server.authenticate(self.password, hold=True)
                case LoginProved():
                    self.server.accept_login(self.now)
                case OffersDue():
                    for offer in self.offers:
                        self.server.announce(offer)
        if any(isinstance(each, LoginProved | OffersDue) for each in self.server._events):
            self._handle()

    def ask(self, token: int, section: bytes = b"\x80\x70\x01x") -> None:
        request = Request(CAID, Ident(0x1234), ONLY_CARD, Sid(9), section)
        self.client.ask(token, request, self.now)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        for side in (self.client, self.server):
            if (due := side.next_deadline()) is not None and due <= self.now:  # type: ignore[attr-defined]
                side.handle_deadline(self.now)  # type: ignore[attr-defined]
        self.run()


@pytest.fixture
def pair() -> Pair:
    made = Pair()
    made.run()
    return made


@pytest.mark.parametrize("piece", [1, 7, 10_000])
def test_a_login_brings_the_card_and_what_is_asked_is_answered(piece: int) -> None:
    pair = Pair(piece=piece)
    pair.run()
    told = [type(event) for event in pair.of_client]
    assert told == [LoginSucceeded, Introduced, OfferAdded]
    offer = pair.of_client[-1].offer
    assert (offer.caid, offer.ua, offer.providers) == (CAID, UA, OFFER.providers)
    for token in (1, 2, 3):
        pair.ask(token)
    pair.run()
    requests = [each for each in pair.of_server if isinstance(each, Requested)]
    assert requests[0].request == (CAID, 0x1234, 0, 9, b"\x80\x70\x01x")
    pair.server.answer(requests[2].token, CW)
    pair.server.refuse(requests[0].token, Refusal.PASSING)
    pair.run()
    assert pair.of_client[-2:] == [Answered(3, CW), Refused(1, Refusal.CANNOT_DECODE)]
    pair.client.send_emm(9, Emm(CAID, Ident(2), ONLY_CARD, b"\x82\x70\x01y"), pair.now)
    pair.run()
    (emm,) = [each.emm for each in pair.of_server if isinstance(each, EmmReceived)]
    assert emm == Emm(CAID, Ident(2), OFFER.share_id, b"\x82\x70\x01y")
    assert pair.of_client[-1] == EmmAcknowledged(9)


def test_logins_that_fail() -> None:
    wrong = Pair()
    wrong.password = b"other"
    wrong.run()
    assert wrong.of_server[-1] == Closed(CloseReason.WRONG_PASSWORD)
    assert wrong.of_client == [Closed(CloseReason.LOGIN_DENIED)]
    other = Pair(key=bytes(14))
    other.run()
    assert other.of_server == [Closed(CloseReason.OTHER_KEY)]
    assert other.of_client == [Closed(CloseReason.OTHER_KEY_THERE)]


def test_a_login_that_is_not_decided_keeps_what_comes_and_has_no_deadline() -> None:
    pair = Pair()
    pair.client.receive_data(pair.server.data_to_send(), 0.0)
    pair.server.receive_data(pair.client.data_to_send(), 0.0)
    assert pair.server.events_received() == [LoginRequested(b"anna")]
    assert pair.server.next_deadline() is None
    pair.server.handle_deadline(100.0)
    assert pair.server.state is State.HANDSHAKE
    pair.server.receive_data(bytes(3000), 1.0)
    pair.server.receive_data(bytes(3000), 1.0)
    assert pair.server.events_received()[-1].reason is CloseReason.NOT_NEWCAMD  # type: ignore[union-attr]


def test_who_says_nothing_is_given_up_on_both_sides() -> None:
    pair = Pair()
    pair.server.handle_deadline(10.0)
    assert pair.server.events_received()[-1].reason is CloseReason.LOGIN_TIMEOUT  # type: ignore[union-attr]
    pair.client.handle_deadline(5.0)
    assert pair.client.events_received() == [Closed(CloseReason.NO_GREETING)]


def test_a_server_that_tells_no_card_is_given_up() -> None:
    pair = Pair()
    pair.offers = []
    pair.run()
    pair.client.handle_deadline(5.0)
    assert pair.client.events_received()[-1] == Closed(CloseReason.NO_CARD_DATA)


@pytest.mark.parametrize(
    ("greeting", "reason"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", CloseReason.STRANGER_TO_NEWCAMD),
        (bytes(16), CloseReason.CCCAM),
        (b"x" * 40, CloseReason.STRANGER_TO_NEWCAMD),
    ],
)
def test_another_server_on_that_port_is_named(greeting: bytes, reason: CloseReason) -> None:
    client = Pair().client
    client.receive_data(greeting, 0.0)
    client.handle_deadline(9.0)
    (closed,) = client.events_received()
    assert closed.reason is reason  # type: ignore[union-attr]


def test_a_browser_on_our_port_is_named() -> None:
    server = Pair().server
    server.receive_data(b"GET / HTTP/1.1\r\n", 0.0)
    (closed,) = server.events_received()
    assert str(closed) == f"{CloseReason.NOT_NEWCAMD.value} (it is a web browser (HTTP))"


def test_the_first_card_data_waits_a_moment_for_a_card() -> None:
    pair = Pair()
    pair.offers = []
    pair.run()
    assert not [each for each in pair.of_client if isinstance(each, OfferAdded)]
    pair.server.announce(OFFER)
    pair.run()
    assert pair.of_client[-1].offer.providers == OFFER.providers
    none = Pair()
    none.offers = []
    none.run()
    none.wait(0.4)
    assert none.of_client[-1].offer.providers == (Provider(Ident(0)),)
    assert none.of_client[-1].offer.caid == CAID


def test_a_client_that_misses_a_card_is_sent_away_when_nothing_is_pending(pair: Pair) -> None:
    shelf = pair.server._shelf
    assert isinstance(shelf, FirstCard)
    pair.server.announce(OFFER)
    pair.wait(0.1)
    assert pair.server.next_deadline() is None, "the same is no news"
    shelf.news = 3.0
    pair.server.withdraw(OFFER.share_id)
    pair.wait(0.1)
    pair.wait(2.9)
    pair.ask(1)
    pair.run()
    pair.wait(0.2)
    assert pair.server.state is State.OPEN, "an answer is due"
    (request,) = [each for each in pair.of_server if isinstance(each, Requested)]
    pair.server.answer(request.token, CW)
    pair.wait(0.3)
    assert pair.of_server[-1] == Closed(CloseReason.CARD_CHANGED)
    assert Answered(1, CW) in pair.of_client


def test_a_client_that_always_waits_for_something_is_sent_away_as_well(pair: Pair) -> None:
    assert isinstance(pair.server._shelf, FirstCard)
    pair.ask(1)
    pair.run()
    pair.server._shelf.news = 0.0
    pair.server.announce(OFFER)
    for _ in range(30):
        pair.wait(0.2)
    assert pair.of_server[-1] == Closed(CloseReason.CARD_CHANGED)


def test_each_request_over_the_bound_is_refused_at_once(pair: Pair) -> None:
    pair.client._window = 100
    for token in range(70):
        pair.ask(token)
    pair.run()
    assert len([each for each in pair.of_server if isinstance(each, Requested)]) == 64
    assert [each for each in pair.of_client if isinstance(each, Refused)] == [
        Refused(token, Refusal.CANNOT_DECODE) for token in range(64, 70)
    ]


def test_what_the_port_is_not_for_is_refused_at_once(pair: Pair) -> None:
    request = Request(Caid(0x0500), Ident(2), ONLY_CARD, Sid(9), b"\x80\x70\x01x")
    pair.client.ask(1, request, pair.now)
    pair.run()
    assert pair.of_client[-1] == Refused(1, Refusal.CANNOT_DECODE)
    assert pair.of_server[-1] == OtherCard(Caid(0x0500), Ident(2))


def test_silence_is_ended_by_a_keepalive_and_a_dead_server_by_its_absence(pair: Pair) -> None:
    pair.wait(30.5)
    assert pair.client.state is State.OPEN
    assert pair.client.next_deadline() == 60.5, "it was answered"
    pair.now = 60.5
    pair.client.handle_deadline(pair.now)
    pair.client.data_to_send()
    pair.client.handle_deadline(70.5)
    assert pair.client.events_received()[-1].reason is CloseReason.NO_SIGN_OF_LIFE  # type: ignore[union-attr]


def test_a_client_that_sends_our_sign_back_is_not_answered_for_ever(pair: Pair) -> None:
    pair.server.send_keepalive()
    assert pair.server.data_to_send()
    echo = pair.client
    echo._send(Header(3), Command.KEEPALIVE)
    pair.server.receive_data(echo.data_to_send(), 1.0)
    assert not pair.server.data_to_send()
    echo._send(Header(4), Command.KEEPALIVE)
    pair.server.receive_data(echo.data_to_send(), 1.0)
    assert pair.server.data_to_send()


def test_what_is_not_answered_in_time_is_late_and_the_others_go_on(pair: Pair) -> None:
    pair.ask(1)
    pair.run()
    pair.now = 5.0
    pair.ask(2)
    pair.run()
    pair.wait(3.5)
    assert pair.of_client[-1] == Refused(1, Refusal.LATE)
    last = [each for each in pair.of_server if isinstance(each, Requested)][-1]
    pair.server.answer(last.token, CW)
    pair.run()
    assert pair.of_client[-1] == Answered(2, CW)


def test_a_server_that_takes_one_at_a_time_is_found_out(pair: Pair) -> None:
    def answer(found: bool, *tokens: int) -> None:
        for token in tokens:
            pair.ask(token)
        pair.run()
        for each in [each for each in pair.of_server if isinstance(each, Requested)]:
            if found:
                pair.server.answer(each.token, CW)
            else:
                pair.server.refuse(each.token, Refusal.PASSING)
        pair.run()

    answer(True, 1)
    answer(False, 2, 3, 4, 5, 6)
    assert OneAtATime() in pair.of_client
    assert pair.client.one_at_a_time
    pair.of_server.clear()
    pair.ask(7), pair.ask(8)
    pair.run()
    assert len([each for each in pair.of_server if isinstance(each, Requested)]) == 1


def test_an_ecm_that_is_too_long_is_not_asked_and_one_that_ends_it_is_blamed(pair: Pair) -> None:
    with pytest.raises(ValueError, match="an ECM of 998 bytes; this server takes 997"):
        pair.ask(1, b"\x80\x73\xe3" + bytes(995))
    with pytest.raises(ValueError, match="no section"):
        pair.ask(1, b"\x80\x70\x09x")
    pair.ask(2, b"\x80\x71\x29" + bytes(297))
    pair.client.data_to_send()
    pair.client.receive_eof(3.0)
    assert pair.client.too_long == 300
    short = Pair()
    short.run()
    short.ask(1)
    short.client.data_to_send()
    short.client.receive_eof(3.0)
    assert short.client.too_long is None


def test_caid_0_is_no_card(pair: Pair) -> None:
    none = CardData(caid=Caid(0)).serialize()
    for number in (1, 2):
        pair.server._send(Header(number), Command.CARD_DATA, none)
    pair.run()
    told = [each for each in pair.of_client if isinstance(each, OfferAdded | OfferWithdrawn)]
    assert told[1:] == [OfferWithdrawn(ONLY_CARD)]


def test_an_emm_that_is_too_long_is_blamed_as_well(pair: Pair) -> None:
    """Otherwise the link would end at each of them."""
    pair.client.send_emm(1, Emm(CAID, Ident(0x1234), ONLY_CARD, b"\x82\x71\x29" + bytes(297)), 0.0)
    assert pair.client.data_to_send()
    pair.client.receive_eof(3.0)
    assert pair.client.too_long == 300


def test_a_text_for_the_screen_goes_to_the_log_and_other_words_are_ignored(pair: Pair) -> None:
    pair.server._send(Header(), Command.OSD, b"Hello\x1b[31m \xe9")
    pair.server._send(Header(1), Command.CHANGE_KEY, b"key")
    pair.run()
    assert pair.of_client[-2:] == [TextReceived("Hello [31m é"), MessageIgnored(0xD5, 3)]
    pair.client._send(Header(9), Command.VERSION)
    pair.run()
    assert pair.of_server[-1] == MessageIgnored(0xD6, 0)


def test_an_irdeto_card_has_numbers_on_the_wire_and_idents_here() -> None:
    providers = (Provider(Ident(0x000100), b"\x10\0\1\0"), Provider(Ident(0x000200), b"\x10\0\2\0"))
    card = CardData(caid=Caid(0x0604), ua=UA, providers=providers, may_update=True)
    data = card.serialize()
    assert data[12:15] == bytes(3)
    assert data[23:26] == b"\0\0\1"
    assert CardData.parse(data) == card
    assert (card.ident_of(1), card.number_of(0x000200)) == (0x000200, 1)
    assert CardData.parse(
        CardData(caid=Caid(0x0604), providers=providers).serialize()
    ).providers == (
        Provider(Ident(0x000100), b"\0\0\1\0"),
        Provider(Ident(0x000200), b"\0\0\2\0"),
    )


IDENTS = st.integers(0, 0xFFFFFF).map(Ident)
CARDS = st.builds(
    CardData,
    caid=st.sampled_from([0x0500, 0x0B00, 0x1810, 0x7F00]).map(Caid),
    ua=st.binary(min_size=8, max_size=8).filter(any),
    providers=st.lists(
        st.builds(Provider, IDENTS, st.binary(min_size=4, max_size=4)),
        min_size=1,
        max_size=32,
        unique=True,
    ).map(tuple),
    may_update=st.just(True),
)
HEADERS = st.builds(
    Header,
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFFFF),
    st.integers(0, 0xFF),
)


@given(CARDS)
def test_card_data_is_read_as_it_was_written(card: CardData) -> None:
    assert CardData.parse(card.serialize()) == card


@given(
    st.sampled_from(Form),
    HEADERS,
    st.integers(0, 255),
    st.integers(0, 15),
    st.binary(max_size=990),
    st.binary(min_size=16, max_size=16),
    st.integers(1, 40),
)
def test_frames_are_read_as_they_were_written(
    form: Form, header: Header, command: int, flags: int, data: bytes, key: bytes, piece: int
) -> None:
    if form is Form.F524:
        header = Header(header.sequence, header.sid)
    cipher = FrameCipher(key)
    message = make_message(command, data, flags)
    wire = serialize_frame(header, message, form=form, cipher=cipher, random=counting())
    assert (len(wire) - 2) % 8 == 0
    cutter = FrameCutter()
    bodies = []
    for start in range(0, len(wire), piece):
        cutter.feed(wire[start : start + piece])
        if (body := cutter.next()) is not None:
            bodies.append(body)
    (body,) = bodies
    frame = parse_frame(decipher(body, cipher), form)
    assert frame == (header, command, flags, data, message)
    assert find_form(decipher(body, cipher), command) is not None


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


@given(st.binary(max_size=400), st.integers(1, 50), st.booleans())
def test_whatever_comes_no_side_fails(data: bytes, size: int, logged_in: bool) -> None:
    pair = Pair()
    if logged_in:
        pair.run()
    for side in (pair.server, pair.client):
        for piece in pieces(data, size):
            side.receive_data(piece, 1.0)  # type: ignore[attr-defined]
            side.events_received()  # type: ignore[attr-defined]
            side.data_to_send()  # type: ignore[attr-defined]
        side.receive_eof(2.0)  # type: ignore[attr-defined]
        assert side.state is State.CLOSED  # type: ignore[attr-defined]


@given(st.binary(max_size=60), st.integers(0, 255))
def test_whatever_is_said_under_the_right_key_no_side_fails(data: bytes, command: int) -> None:
    """Malformed card data or logins end the connection; nothing else does."""
    pair = Pair()
    pair.run()
    pair.server._send(Header(3), command, data)
    pair.client._send(Header(4), command, data)
    pair.run()
    if pair.server.state is State.CLOSED:
        assert pair.of_server[-1].reason in (CloseReason.UNREADABLE, CloseReason.PEER_CLOSED)
    for each in (pair.of_client, pair.of_server):
        assert sum(isinstance(one, Closed) for one in each) <= 1


def test_no_frame_depends_on_another() -> None:
    cipher, rounds = FrameCipher(bytes(range(16))), counting()
    for blocks in (1, 4, 2, 3):
        clear, iv = rounds(8 * blocks), rounds(8)
        fresh = Cipher(TripleDES(bytes(range(16)) + bytes(range(8))), CBC(iv)).encryptor()
        data = cipher.encrypt(clear, iv)
        assert data == fresh.update(clear)
        assert cipher.decrypt(data, iv) == clear


@pytest.mark.parametrize("length", [0, 8, 16, 23, 25, 1023, 1024, 65535])
def test_a_frame_that_cannot_be_ends_the_connection(length: int, pair: Pair) -> None:
    cutter = FrameCutter()
    cutter.feed(length.to_bytes(2) + bytes(30))
    with pytest.raises(FrameError):
        cutter.next()
    pair.server.receive_data(length.to_bytes(2) + bytes(30), 1.0)
    (closed,) = pair.server.events_received()
    assert closed == Closed(CloseReason.UNREADABLE, f"a frame of {length} bytes was announced")


def test_the_password_of_a_line_is_hashed_once_however_often_it_is_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hashed: list[bytes] = []

    def counted(password: bytes) -> bytes:
        hashed.append(password)
        return hash_password(password)

    monkeypatch.setattr("cccamd.wire.newcamd.login.hash_password", counted)
    target = NewcamdTarget(
        host="one.example", port=15000, user=b"a", password=b"p", config_key=USUAL_CONFIG_KEY
    )
    caller = NewcamdCaller(target, counting())
    for attempt in range(3):
        caller(float(attempt))
    assert hashed == [b"p"]
