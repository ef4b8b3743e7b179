"""The server's side of a newcamd connection: check a login, show one card, answer ECMs.

Theory of operation. HANDSHAKE: the greeting goes out, a login comes in, and `LoginRequested` is
told; until the owner has decided (`authenticate`, `accept_login`, `refuse_login`) what else comes
is kept, and no deadline runs. A login says who the client is as well, so OPEN follows at once:
`LoginSucceeded`, `Introduced`, `OffersDue`. The owner offers cards as to any client; which one
card is made of them, the `Shelf` says each time the client asks for card data. The first time it
waits a moment for the first offer, as a card without providers would keep a client from asking.
What it was told then counts for all that it asks, as most clients never ask for it again, and say
nothing of a CAID in their ECMs. If there is more to tell later, the connection ends at a moment
when nothing is pending, and the client, which logs in anew by itself, is told.

Each ECM has a token until it is answered, whatever becomes of it; EMMs are answered at once. Only
the number in the header ties an answer to its request, so answers go out as they come.

Source: docs/newcamd-protocol.md sections 3 to 13.
"""

from collections.abc import Collection
from hmac import compare_digest
from typing import Final, Protocol

from cccamd.ids import Caid, Ident, ShareId, Sid, format_caid, format_ident
from cccamd.values import ECM_TABLE_IDS, ControlWords, Emm, Offer, Refusal, Request
from cccamd.wire.link import (
    CloseReason,
    EmmReceived,
    Introduced,
    LocalProtocolError,
    LoginProved,
    LoginRequested,
    LoginSucceeded,
    OffersDue,
    Peer,
    Requested,
    ServerEvent,
    State,
)
from cccamd.wire.newcamd.events import CardDataSent, KeepaliveReceived, OtherCard, TooManyRequests
from cccamd.wire.newcamd.frames import (
    MESSAGE_LIMIT,
    Frame,
    FrameError,
    Header,
    Random,
    decipher,
    find_form,
    parse_frame,
)
from cccamd.wire.newcamd.keys import (
    GREETING_LENGTH,
    hash_password,
    login_cipher,
    session_cipher,
)
from cccamd.wire.newcamd.messages import (
    EMM_COMMANDS,
    EMM_TAKEN,
    FOUND,
    NOT_FOUND,
    CardData,
    Command,
    Login,
    program_of,
)
from cccamd.wire.newcamd.protocol import LOGIN_TIMEOUT, Endpoint
from cccamd.wire.strangers import recognise_caller

ANY_CARD: Final = ShareId(0)
OPEN_LIMIT: Final = 64
"""ECMs of one client that may wait for their answers."""
CARD_WAIT: Final = 0.3
"""Seconds that the first card data waits for a card."""
KEPT_LIMIT: Final = 4096
"""Bytes that are kept while a login is decided about."""
BUSY_LIMIT: Final = 5.0
"""Seconds that it is waited for a moment without pending requests to end a connection."""
BUSY_LOOK: Final = 0.2
_MARK: Final = b"MCS"
"""How a MultiCS marks its greeting: each letter, in its turn, is in one of three bytes whose sum
is the fourth."""


class Shelf(Protocol):
    """Makes the one card of a port out of the cards that a client was offered."""

    def show(self, user: bytes, offers: Collection[Offer]) -> CardData:
        """What the client is shown from now on; without any card, the port's CAID."""

    def patience(self, user: bytes, offers: Collection[Offer]) -> float | None:
        """Seconds until the client should know that it would be shown something better by now;
        None: it would not."""

    def card_for(self, ident: Ident, offers: Collection[Offer]) -> ShareId:
        """The card that an EMM of this provider is for; 0: none."""

    def serves(self, caid: Caid, ident: Ident) -> bool:
        """Whether this port is for such an ECM; provider 0: it does not say."""


class NewcamdServer(Endpoint[ServerEvent]):
    """One client as the server sees it."""

    def __init__(
        self,
        *,
        config_key: bytes,
        shelf: Shelf,
        random: Random,
        now: float,
        login_timeout: float = LOGIN_TIMEOUT,
    ) -> None:
        """Start a connection: the greeting is the first thing to send."""
        super().__init__(config_key=config_key, random=random, now=now)
        self._shelf = shelf
        self._login: Login | None = None
        self._login_number = self._last_number = 0
        self._client_id = 0
        self._hashed = b""
        self._proved = False
        self._login_deadline_at = now + login_timeout
        self._offers: dict[ShareId, Offer] = {}
        self._shown: CardData | None = None
        """What was made of them: what the client was told, once it was."""
        self._is_told = False
        self._has_news = False
        """Whether its cards have changed since that was looked at."""
        self._news_since: float | None = None
        """Since when there is something better to tell."""
        self._news_due_at: float | None = None
        self._requests: dict[int, tuple[int, int]] = {}
        """Number and command of what is not answered, by its token."""
        self._last_token = 0
        self._card_wanted: list[int] = []
        """Numbers of requests for card data."""
        self._card_due_at: float | None = None
        self._card_known = False
        self._probed = False
        greeting = _unmarked(random(GREETING_LENGTH))
        self._cipher = login_cipher(config_key, greeting)
        self._out.append(greeting)

    @property
    def peer(self) -> Peer | None:
        """Who the client is; None before it was let in."""
        if self.state is State.HANDSHAKE or not self._proved:
            return None
        return Peer(program=f"{program_of(self._client_id)}, newcamd", extended=True)

    # The interface of all protocols (`cccamd.wire.link`).

    def receive_data(self, data: bytes, now: float) -> None:
        """Take in bytes from the client, in whatever pieces they came."""
        self._now = now
        if self.state is State.CLOSED:
            return
        is_first = self.state is State.HANDSHAKE and self._login is None and not len(self._frames)
        if is_first and (caller := recognise_caller(data)):
            self._close(CloseReason.NOT_NEWCAMD, f"it is {caller}")
            return
        self._frames.feed(data)
        if self.state is State.HANDSHAKE and len(self._frames) > KEPT_LIMIT:
            self._close(CloseReason.NOT_NEWCAMD, "too many bytes before the login was answered")
            return
        self._receive_frames()

    def data_to_send(self) -> bytes:
        wanted = self._card_wanted and self.state is State.OPEN
        if wanted and (self._offers or self._card_due_at is None):
            self._send_card_data()
        return super().data_to_send()

    def next_deadline(self) -> float | None:
        if self.state is State.HANDSHAKE and not self._waits:
            return self._login_deadline_at
        if self.state is State.CLOSED:
            return None
        if self._has_news and self._is_told:
            return self._now
        dues = [due for due in (self._card_due_at, self._news_due_at) if due is not None]
        return min(dues, default=None)

    def handle_deadline(self, now: float) -> None:
        self._now = now
        if self.state is State.HANDSHAKE:
            if now >= self._login_deadline_at and not self._waits:
                self._close(CloseReason.LOGIN_TIMEOUT, "its login did not come")
            return
        if self._card_due_at is not None and now >= self._card_due_at:
            self._card_due_at = None
        is_due = self._news_due_at is not None and now >= self._news_due_at
        if self.state is State.OPEN and self._is_told and (self._has_news or is_due):
            self._look_at_news()

    def authenticate(self, password: bytes, *, hold: bool = False) -> None:
        """Go on with the login of `LoginRequested`: this is the account's password."""
        login = self._require_login(proved=False)
        self._hashed = hash_password(password)
        if not compare_digest(self._hashed, login.hashed):
            self.refuse_login(CloseReason.WRONG_PASSWORD)
            return
        self._proved = True
        if hold:
            self._events.append(LoginProved())
        else:
            self.accept_login(self._now)

    def accept_login(self, now: float) -> None:
        """Let in the client of `LoginProved`."""
        self._require_login(proved=True)
        self._now = now
        self._send(Header(self._login_number), Command.LOGIN_ACCEPTED)
        self._cipher = session_cipher(self._config_key, self._hashed)
        self.state, self._hashed = State.OPEN, b""
        self._events.append(LoginSucceeded())
        if self.peer is not None:
            self._events.append(Introduced(self.peer))
        self._events.append(OffersDue())
        self._receive_frames()

    def refuse_login(self, reason: CloseReason, detail: str = "") -> None:
        """Turn down the login; the peer is told that, and not why."""
        self._require_login(proved=self._proved)
        self._send(Header(self._login_number), Command.LOGIN_REFUSED)
        self._close(reason, detail)

    def announce(self, offer: Offer) -> None:
        """Offer a card, or replace the one with the same share id; the client is told when it
        asks for card data."""
        self._offers[offer.share_id] = offer
        self._offers_changed()

    def withdraw(self, share_id: ShareId) -> None:
        """Take a card back."""
        self._offers.pop(share_id, None)
        self._offers_changed()

    def answer(self, token: int, cw: ControlWords) -> None:
        """Answer the request of that token."""
        self._reply(token, cw.raw, FOUND)

    def refuse(self, token: int, refusal: Refusal) -> None:
        """Say that there is no CW for the request of that token: there is one word for it all."""
        self._reply(token, b"", NOT_FOUND)

    def send_keepalive(self) -> None:
        """Have the client's machine acknowledge something: clients ignore this message, and one
        that should send it back is not answered again."""
        if self.state is State.OPEN:
            self._probed = True
            self._send(Header(self._last_number), Command.KEEPALIVE)

    # The login.

    @property
    def _waits(self) -> bool:
        return self.state is State.CLOSED or (
            self.state is State.HANDSHAKE and self._login is not None
        )

    def _require_login(self, *, proved: bool) -> Login:
        if self._login is None or self.state is not State.HANDSHAKE or self._proved is not proved:
            raise LocalProtocolError("there is no login to decide about")
        return self._login

    def _receive_login(self, body: bytes) -> None:
        try:
            clear = decipher(body, self._cipher)
        except FrameError:
            clear = b""
        form = find_form(clear, Command.LOGIN) if clear else None
        if form is None:
            self._close(CloseReason.OTHER_KEY)
            return
        self.form = form
        frame = parse_frame(clear, form)
        self._login = Login.parse(frame.data)
        self._login_number = self._last_number = frame.header.sequence
        self._client_id = frame.header.sid
        self._events.append(LoginRequested(self._login.user))

    # Messages.

    def _receive_body(self, body: bytes) -> None:
        if self.state is State.HANDSHAKE:
            self._receive_login(body)
            return
        frame = self._read(body)
        self._last_number = frame.header.sequence
        match frame.command:
            case command if command in ECM_TABLE_IDS:
                self._on_ecm(frame)
            case command if command in EMM_COMMANDS:
                self._on_emm(frame)
            case Command.CARD_DATA_REQUEST:
                self._on_card_data_request(frame)
            case Command.KEEPALIVE:
                self._on_keepalive(frame)
            case _:
                self._ignore(frame)

    def _on_card_data_request(self, frame: Frame) -> None:
        self._card_wanted.append(frame.header.sequence)
        if not self._card_known:
            self._card_known = True
            self._card_due_at = self._now + CARD_WAIT

    def _send_card_data(self) -> None:
        self._card_due_at = self._shown = self._news_since = self._news_due_at = None
        self._is_told, self._has_news = True, False
        card = self._card()
        for number in self._card_wanted:
            self._send(Header(number), Command.CARD_DATA, card.serialize())
        self._card_wanted.clear()
        idents = ", ".join(format_ident(each.ident) for each in card.providers) or "no provider"
        self._events.append(CardDataSent(f"{format_caid(card.caid)}: {idents}"))

    def _card(self) -> CardData:
        if self._shown is None:
            self._shown = self._shelf.show(self._user, self._offers.values())
        return self._shown

    @property
    def _user(self) -> bytes:
        return self._login.user if self._login is not None else b""

    def _offers_changed(self) -> None:
        self._has_news = True
        if not self._is_told:
            self._shown = None

    def _look_at_news(self) -> None:
        """End the connection if the client is to be told something better than it was."""
        self._has_news, self._news_due_at = False, None
        patience = self._shelf.patience(self._user, self._offers.values())
        if patience is None:
            self._news_since = None
            return
        if self._news_since is None:
            self._news_since = self._now
        due_at = self._news_since + patience
        if self._now >= due_at and (not self._requests or self._now >= due_at + BUSY_LIMIT):
            self._close(CloseReason.CARD_CHANGED)
        else:
            self._news_due_at = max(due_at, self._now + BUSY_LOOK)

    def _on_keepalive(self, frame: Frame) -> None:
        if self._probed:
            self._probed = False
        else:
            self._send(Header(frame.header.sequence), Command.KEEPALIVE)
        self._events.append(KeepaliveReceived())

    def _on_ecm(self, frame: Frame) -> None:
        header = frame.header
        if len(self._requests) >= OPEN_LIMIT or len(frame.message) > MESSAGE_LIMIT:
            self._send(Header(header.sequence), frame.command, flags=NOT_FOUND)
            self._events.append(TooManyRequests(len(self._requests)))
            return
        card = self._card()
        caid = Caid(header.caid or card.caid)
        ident = card.ident_of(header.provider) if caid == card.caid else Ident(header.provider)
        if not ident and caid == card.caid and len(card.providers) == 1:
            ident = card.providers[0].ident
        if not self._shelf.serves(caid, ident):
            self._send(Header(header.sequence), frame.command, flags=NOT_FOUND)
            self._events.append(OtherCard(caid, ident))
            return
        self._last_token += 1
        self._requests[self._last_token] = (header.sequence, frame.command)
        request = Request(caid, ident, ANY_CARD, Sid(header.sid), frame.message)
        self._events.append(Requested(self._last_token, request))

    def _on_emm(self, frame: Frame) -> None:
        self._send(Header(frame.header.sequence), frame.command, flags=EMM_TAKEN)
        card = self._card()
        ident = card.ident_of(frame.header.provider)
        if not ident and card.providers:
            ident = card.providers[0].ident
        share_id = self._shelf.card_for(ident, self._offers.values())
        emm = Emm(card.caid, ident, share_id, frame.message)
        self._events.append(EmmReceived(emm))

    def _reply(self, token: int, data: bytes, flags: int) -> None:
        request = self._requests.pop(token, None)
        if request is not None:
            self._send(Header(request[0]), request[1], data, flags)


def _unmarked(greeting: bytes) -> bytes:
    """A greeting that is not by accident that of a MultiCS."""
    for place, letter in enumerate(_MARK):
        group = bytearray(greeting[4 * place : 4 * place + 4])
        group[place] ^= letter
        if sum(group[:3]) & 0xFF != group[3]:
            return greeting
    return bytes([greeting[0] ^ 0xFF]) + greeting[1:]
