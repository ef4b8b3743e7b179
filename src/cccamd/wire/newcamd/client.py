"""The client's side of a newcamd connection: log in, learn the one card, ask ECMs.

Theory of operation. HANDSHAKE: the greeting comes in, the login goes out; each step has a
time-out. INTRODUCTION: the login was accepted (`LoginSucceeded`), card data is asked for. OPEN:
it came (`Introduced`, `OfferAdded`); questions may be asked, several at a time, told apart by the
number in the header. One that is not answered in time is refused as late, and the others go on.

Three things a server does not say, and its client has to find out. How long a message may be: one
that closes the connection soon after a long ECM or EMM did so for it (`too_long`). Whether it
takes several ECMs at a time: one that finds single ones, and none of those sent while others were
open, is asked one at a time. Whether it lives: after half a minute without a word it is asked for
a sign.

Source: docs/newcamd-protocol.md sections 3 to 13.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from cccamd.values import (
    CW_LENGTH,
    EMM_TABLE_IDS,
    ControlWords,
    Emm,
    Offer,
    Refusal,
    Request,
)
from cccamd.wire.link import (
    CLOSED_BY_PEER,
    Answered,
    ClientEvent,
    CloseReason,
    EmmAcknowledged,
    Introduced,
    LocalProtocolError,
    LoginSucceeded,
    Loss,
    OfferAdded,
    OfferWithdrawn,
    Peer,
    Refused,
    State,
    TextReceived,
)
from cccamd.wire.newcamd.events import AnswerWithoutRequest, KeepaliveReceived, OneAtATime
from cccamd.wire.newcamd.frames import MESSAGE_LIMIT, Frame, Header, Random, is_section
from cccamd.wire.newcamd.keys import (
    GREETING_LENGTH,
    login_cipher,
    session_cipher,
)
from cccamd.wire.newcamd.messages import (
    EMM_COMMANDS,
    ONLY_CARD,
    OUR_CLIENT_ID,
    PROVIDERS_CHANGED,
    CardData,
    Command,
    Login,
)
from cccamd.wire.newcamd.protocol import Endpoint
from cccamd.wire.strangers import judge_newcamd_greeting

STEP_TIMEOUT: Final = 5.0
"""Seconds for the greeting, the answer to the login, the card data, each."""
ANSWER_TIMEOUT: Final = 8.0
"""Seconds after which an ECM that was not answered is refused."""
KEEPALIVE_AFTER, KEEPALIVE_PATIENCE = 30.0, 10.0
"""Seconds without a word until the server is asked for a sign, and that it has for it."""
IN_FLIGHT: Final = 32
"""ECMs that may be open at once."""
SURELY_FITS: Final = 213
"""Bytes of a message that every program takes."""
TOO_LONG_WITHIN: Final = 5.0
"""Seconds after a longer one within which a closed connection is put down to it."""
ALONE_AFTER: Final = 4
"""ECMs sent while others were open, all in vain, after which they are sent one at a time."""
EMM_PATIENCE: Final = 5.0
"""Seconds after which an EMM that was not acknowledged is not waited for any more."""
QUEUE_LIMIT: Final = 64
"""ECMs, and EMMs, that may wait for their turn."""
_NUMBERS: Final = 0x10000
_TEXT_LIMIT: Final = 200


@dataclass(slots=True)
class _Question:
    """An ECM or EMM that waits for its turn, or for its answer."""

    token: int
    header: Header
    message: bytes
    sent_at: float = 0.0
    in_company: bool = False
    """Whether others were open when it was sent."""


class NewcamdClient(Endpoint[ClientEvent]):
    """One server as its client sees it."""

    def __init__(
        self,
        *,
        user: bytes,
        hashed: bytes,
        config_key: bytes,
        random: Random,
        now: float,
        message_limit: int = MESSAGE_LIMIT,
        step_timeout: float = STEP_TIMEOUT,
    ) -> None:
        """Wait for the server's greeting.

        `hashed`: the password, as `hash_password` makes it.

        `message_limit`: bytes of the longest message this server takes, as far as is known.
        """
        super().__init__(config_key=config_key, random=random, now=now)
        self.card: CardData | None = None
        """What the server has; None before it has said so."""
        self.too_long: int | None = None
        """Once closed: bytes of the message that the server closed the connection over."""
        self.greeted = False
        self._login = Login(user, hashed)
        self._message_limit = message_limit
        self._step_timeout = step_timeout
        self._step_due_at = now + step_timeout
        self._heard_at = now
        self._greeting = b""
        self._number = 0
        self._sign_due_at: float | None = None
        self._waiting: deque[_Question] = deque()
        self._asked: dict[int, _Question] = {}
        """ECMs that are open, by their numbers, the oldest first."""
        self._emms: dict[int, _Question] = {}
        self._window = IN_FLIGHT
        self._found_alone = self._found_in_company = self._vain_in_company = 0

    @property
    def peer(self) -> Peer | None:
        """Who the server is; None before it has told its card."""
        return None if self.card is None else Peer(program="newcamd", extended=True)

    @property
    def one_at_a_time(self) -> bool:
        """Whether the server takes one request until that is answered."""
        return self._window == 1

    @property
    def in_flight(self) -> int:
        """How many questions wait for their turn or their answer."""
        return len(self._waiting) + len(self._asked) + len(self._emms)

    # The interface of all protocols (`cccamd.wire.link`).

    def receive_data(self, data: bytes, now: float) -> None:
        """Take in bytes from the server, in whatever pieces they came."""
        self._now = self._heard_at = now
        if self.state is State.CLOSED:
            return
        self._sign_due_at = None
        if not self.greeted:
            data = self._receive_greeting(data)
        self._frames.feed(data)
        self._receive_frames()

    def receive_eof(self, now: float, loss: Loss = CLOSED_BY_PEER) -> None:
        """Take note that the server is gone, and why, if that can be told."""
        self._now = now
        if self.state is State.HANDSHAKE:
            if self.greeted and loss.reason in _HANGS_UP:
                self._close(CloseReason.OTHER_KEY_THERE)
                return
            closed = judge_newcamd_greeting(self._greeting, over=True, said=loss.said)
            self._close(closed.reason, closed.detail)
            return
        self._blame_a_long_message()
        super().receive_eof(now, loss)

    def next_deadline(self) -> float | None:
        if self.state is State.CLOSED:
            return None
        if self.state is not State.OPEN:
            return self._step_due_at
        due_at = [self._heard_at + KEEPALIVE_AFTER]
        if self._sign_due_at is not None:
            due_at = [self._sign_due_at]
        if self._asked:
            due_at.append(next(iter(self._asked.values())).sent_at + ANSWER_TIMEOUT)
        if self._emms:
            due_at.append(next(iter(self._emms.values())).sent_at + EMM_PATIENCE)
        return min(due_at)

    def handle_deadline(self, now: float) -> None:
        self._now = now
        if self.state is State.CLOSED:
            return
        if self.state is not State.OPEN:
            if now >= self._step_due_at:
                self._give_up_login()
            return
        self._refuse_what_is_late()
        if self._sign_due_at is not None:
            if now >= self._sign_due_at:
                self._close(CloseReason.NO_SIGN_OF_LIFE, f"within {KEEPALIVE_PATIENCE:.0f} s")
        elif now >= self._heard_at + KEEPALIVE_AFTER:
            self._sign_due_at = now + KEEPALIVE_PATIENCE
            self._send(Header(self._next_number()), Command.KEEPALIVE)

    def ask(self, token: int, request: Request, now: float) -> None:
        """Send an ECM, now or when others are answered; the answer brings the token back.

        Raises:
            LocalProtocolError: the connection is not open.
            ValueError: the ECM is longer than this server takes, or no section.
        """
        self._require_open(now)
        if not is_section(request.section):
            raise ValueError("what is asked is no section: the server would close the connection")
        if len(request.section) > self._message_limit:
            size = len(request.section)
            raise ValueError(f"an ECM of {size} bytes; this server takes {self._message_limit}")
        if len(self._waiting) >= QUEUE_LIMIT:
            oldest = self._waiting.popleft()
            self._events.append(Refused(oldest.token, Refusal.NOT_SENT))
        header = Header(0, request.sid, request.caid, self._provider(request.ident))
        self._waiting.append(_Question(token, header, request.section))
        self._send_waiting()

    def send_emm(self, token: int, emm: Emm, now: float) -> None:
        """Send an EMM; `EmmAcknowledged` brings the token back.

        A server that wants none (its card number is zero) gets none.
        """
        self._require_open(now)
        if self.card is None or not self.card.may_update or len(self._emms) >= QUEUE_LIMIT:
            return
        if len(emm.section) > self._message_limit or not is_section(emm.section):
            return
        if emm.section[0] not in EMM_TABLE_IDS:
            return
        question = _Question(token, Header(0, 0, emm.caid, self._provider(emm.ident)), emm.section)
        self._emms[self._send_question(question)] = question

    def forget(self, token: int) -> bool:
        """Drop an ECM that still waits for its turn; whether there was one."""
        for question in self._waiting:
            if question.token == token:
                self._waiting.remove(question)
                return True
        return False

    # The login.

    def _receive_greeting(self, data: bytes) -> bytes:
        """Answer the greeting with the login; the bytes behind it."""
        self._greeting += data
        if len(self._greeting) < GREETING_LENGTH:
            return b""
        if len(self._greeting) > GREETING_LENGTH:
            # It waits for us after its greeting, so this is something else.
            closed = judge_newcamd_greeting(self._greeting, over=False)
            self._close(closed.reason, closed.detail)
            return b""
        self.greeted = True
        self._cipher = login_cipher(self._config_key, self._greeting)
        self._step_due_at = self._now + self._step_timeout
        header = Header(self._number, sid=OUR_CLIENT_ID)
        self._send(header, Command.LOGIN, self._login.serialize())
        return b""

    def _on_login_answer(self, frame: Frame) -> None:
        if frame.command == Command.LOGIN_REFUSED:
            self._close(CloseReason.LOGIN_DENIED)
        elif frame.command == Command.LOGIN_ACCEPTED:
            self._cipher = session_cipher(self._config_key, self._login.hashed)
            self.state = State.INTRODUCTION
            self._step_due_at = self._now + self._step_timeout
            self._events.append(LoginSucceeded())
            self._send(Header(self._next_number()), Command.CARD_DATA_REQUEST)
        else:
            self._close(CloseReason.BAD_LOGIN_ANSWER)

    def _give_up_login(self) -> None:
        if self.state is State.INTRODUCTION:
            self._close(CloseReason.NO_CARD_DATA)
        elif self.greeted:
            self._close(CloseReason.NO_ANSWER_TO_LOGIN)
        else:
            closed = judge_newcamd_greeting(self._greeting, over=False)
            self._close(closed.reason, closed.detail)

    # Messages.

    def _receive_body(self, body: bytes) -> None:
        frame = self._read(body)
        if self.state is State.HANDSHAKE:
            self._on_login_answer(frame)
            return
        match frame.command:
            case command if 0x80 <= command < EMM_COMMANDS.stop:
                self._on_answer(frame)
            case Command.CARD_DATA:
                self._on_card_data(frame)
            case Command.KEEPALIVE:
                self._events.append(KeepaliveReceived())
            case Command.OSD if text := _readable(frame.data):
                self._events.append(TextReceived(text))
            case _:
                self._ignore(frame)

    def _on_card_data(self, frame: Frame) -> None:
        card, known = CardData.parse(frame.data), self.card
        self.card = card
        if known is None:
            self.state = State.OPEN
            assert self.peer is not None
            self._events.append(Introduced(self.peer))
        if card == known:
            return
        if card.caid:
            self._events.append(OfferAdded(self._offer_of(card)))
        elif known is not None and known.caid:
            # CAID 0 is no card: what a server tells that waits for its own.
            self._events.append(OfferWithdrawn(ONLY_CARD))

    def _offer_of(self, card: CardData) -> Offer:
        return Offer(
            share_id=ONLY_CARD,
            remote_id=0,
            caid=card.caid,
            hop=0,
            reshare=0,
            ua=card.ua,
            providers=card.providers,
        )

    def _on_answer(self, frame: Frame) -> None:
        number = frame.header.sequence
        emm = self._emms.pop(number, None)
        if emm is not None:
            self._events.append(EmmAcknowledged(emm.token))
            if frame.flags == PROVIDERS_CHANGED:
                self._send(Header(self._next_number()), Command.CARD_DATA_REQUEST)
            return
        question = self._asked.pop(number, None)
        if question is None:
            self._events.append(AnswerWithoutRequest(number))
            return
        found = len(frame.data) == CW_LENGTH and any(frame.data)
        if found:
            self._events.append(Answered(question.token, ControlWords(frame.data)))
        else:
            cannot = not frame.data or len(frame.data) == CW_LENGTH
            refusal = Refusal.CANNOT_DECODE if cannot else Refusal.PASSING
            self._events.append(Refused(question.token, refusal))
        self._learn_of_company(question, found=found)
        self._send_waiting()

    def _learn_of_company(self, question: _Question, *, found: bool) -> None:
        """Some servers answer "not found" to all that they are asked while they are busy."""
        if found and question.in_company:
            self._found_in_company += 1
        elif found:
            self._found_alone += 1
        elif question.in_company:
            self._vain_in_company += 1
        if self._window == 1 or self._found_in_company or not self._found_alone:
            return
        if self._vain_in_company >= ALONE_AFTER:
            self._window = 1
            self._events.append(OneAtATime())

    # Questions.

    def _require_open(self, now: float) -> None:
        if self.state is not State.OPEN:
            raise LocalProtocolError("the server cannot be asked before the login is done")
        self._now = now

    def _provider(self, ident: int) -> int:
        return self.card.number_of(ident) if self.card is not None else ident

    def _send_waiting(self) -> None:
        while self._waiting and len(self._asked) < self._window:
            question = self._waiting.popleft()
            question.in_company = bool(self._asked)
            self._asked[self._send_question(question)] = question

    def _send_question(self, question: _Question) -> int:
        number = self._next_number()
        question.sent_at = self._now
        self._send_message(question.header._replace(sequence=number), question.message)
        return number

    def _next_number(self) -> int:
        while True:
            self._number = (self._number + 1) % _NUMBERS
            if self._number not in self._asked and self._number not in self._emms:
                return self._number

    def _refuse_what_is_late(self) -> None:
        for number, question in tuple(self._asked.items()):
            if self._now < question.sent_at + ANSWER_TIMEOUT:
                break
            del self._asked[number]
            self._events.append(Refused(question.token, Refusal.LATE))
        for number, question in tuple(self._emms.items()):
            if self._now < question.sent_at + EMM_PATIENCE:
                break
            del self._emms[number]
        self._send_waiting()

    def _blame_a_long_message(self) -> None:
        """Find the ECM or EMM that the server closed the connection over, if there is one."""
        lengths = [
            len(question.message)
            for question in (*self._asked.values(), *self._emms.values())
            if self._now - question.sent_at <= TOO_LONG_WITHIN
        ]
        longest = max(lengths, default=0)
        if longest > SURELY_FITS:
            self.too_long = longest


_HANGS_UP: Final = (CloseReason.PEER_CLOSED, CloseReason.RESET)


def _readable(data: bytes) -> str:
    text = data[:_TEXT_LIMIT].decode("latin-1")
    return "".join(char if char.isprintable() else " " for char in text).strip()
