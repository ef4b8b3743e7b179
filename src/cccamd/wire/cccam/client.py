"""The client's side of a connection: log in, learn cards, ask ECMs.

Theory of operation. HANDSHAKE: the seed comes in; proof, user name and password check go out
at once. INTRODUCTION: the server answered (`LoginSucceeded`), our client data goes out. OPEN:
the server said who it is (`Introduced`); cards come, questions may be asked. Each question
carries its asker's token, which comes back with the answer. In plain mode one ECM is on its way
at a time and the others wait their turn; an answer that does not come ends the connection,
because a late one could not be told from the next one's. In extended mode 255 questions may be on
their way, told apart by the flag of their frames; one that is not answered is refused, and the
others go on.

EMMs have time, ECMs have not. An acknowledgement is known by its command, so no ECM ever waits
for one, and there are servers that never send any: an EMM that is not acknowledged in
`EMM_PATIENCE` is forgotten, and the next one goes out. In plain mode one EMM is on its way at a
time, sent when no ECM is; one that has waited for `EMM_OVERDUE` goes out between two ECMs.

A server that says nothing is not taken for dead: some answer no keepalive. We send ours when we
have said nothing for a while, for the sake of its timers and of routers on the way; dead machines
are found by the transport. Each step of the login (seed, answer, introduction) has a time-out of
its own.

Source: docs/protocol.md sections 4 to 13.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cccamd.ids import NodeId
from cccamd.values import CW_LENGTH, ControlWords, Emm, Refusal, Request
from cccamd.wire.cccam.cipher import mask, without_signed_shift
from cccamd.wire.cccam.cursor import MalformedError
from cccamd.wire.cccam.events import ChallengeReceived
from cccamd.wire.cccam.frames import Command, FrameReader
from cccamd.wire.cccam.handshake import (
    LOGIN_ACCEPTED,
    PASSWORD_CHECK,
    SEED_LENGTH,
    derive_keys,
    is_original_seed,
    is_partner_seed,
    offers_partner,
    pack_user,
)
from cccamd.wire.cccam.messages import (
    SERVER_DATA_LENGTH,
    ClientData,
    PartnerText,
    ServerData,
    parse_text,
    serialize_ecm,
    serialize_emm,
)
from cccamd.wire.cccam.offers import parse_offer, parse_withdrawal
from cccamd.wire.cccam.protocol import ANSWER_TIMEOUT, LOGIN_TIMEOUT, Endpoint, Rule
from cccamd.wire.cccam.server import BURNT_LENGTH
from cccamd.wire.cccam.versions import (
    ALL_CAPABILITIES,
    BUILDS,
    DEFAULT_VERSION,
    Capabilities,
    Version,
)
from cccamd.wire.link import (
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
    PeerChanged,
    Refused,
    State,
)
from cccamd.wire.strangers import judge_greeting

SEED_REST: Final = 3.0
"""Seconds for the rest of a seed that has begun; a seed comes in one piece."""
EMM_PATIENCE: Final = 2.0
"""Seconds after which an EMM that was not acknowledged is not waited for any more."""
EMM_OVERDUE: Final = 5.0
"""Seconds after which an EMM need not wait for a pause between ECMs."""
EMM_QUEUE_LIMIT: Final = 64
"""EMMs that may wait; they are broadcast again and again, so the oldest can be spared."""
AES_BLOCK: Final = 16
FLAGS: Final = 255
"""How many requests can be told apart in extended mode: flags 1 to 255."""


@dataclass(slots=True)
class _Question:
    """An ECM or EMM that waits for its turn, or for its answer."""

    token: int
    command: Command
    payload: bytes
    share_id: int
    """Part of the mask over its answer."""
    since: float
    """When it was asked, and once it is on its way, when it was sent."""


class ClientProtocol(Endpoint[ClientEvent]):
    """One server as its client sees it."""

    keepalive_interval = 30.0

    def __init__(
        self,
        *,
        user: bytes,
        password: bytes,
        node_id: NodeId,
        program: str,
        now: float,
        version: Version = DEFAULT_VERSION,
        want_emus: bool = False,
        login_timeout: float = LOGIN_TIMEOUT,
        answer_timeout: float = ANSWER_TIMEOUT,
        offer: Capabilities = ALL_CAPABILITIES,
    ) -> None:
        """Wait for the server's seed.

        `login_timeout` is for each step of the login. `answer_timeout` is how long an ECM may
        stay unanswered in plain mode before the link counts as broken: a later answer could not
        be told from the next one's.
        """
        super().__init__(now=now, offer=offer)
        self.version = version
        self.server: ServerData | None = None
        self.seed_received = False
        self.is_checked = False
        """Whether the server tests its clients (0x0E), as original ones do."""
        self._user = user
        self._password = password
        self._node_id = node_id
        self._program = program
        self._want_emus = want_emus
        self._step_timeout = login_timeout
        self._login_deadline_at = now + login_timeout
        self._answer_timeout = answer_timeout
        self._partner_seed = False
        self._partner_text_sent = self._partner_known = False
        self._last_flag = 0
        self._waiting: deque[_Question] = deque()
        self._waiting_emms: deque[_Question] = deque()
        self._asked: dict[int, _Question] = {}
        """ECMs on their way, by their flags."""
        self._emms: dict[int, _Question] = {}
        """EMMs on their way, by theirs."""
        self._expect(SEED_LENGTH, self._on_seed)

    @property
    def one_at_a_time(self) -> bool:
        """Whether the server takes one request until that is answered."""
        return not self.extended

    @property
    def in_flight(self) -> int:
        """How many questions wait for their turn or their answer."""
        return len(self._waiting) + len(self._waiting_emms) + len(self._asked) + len(self._emms)

    def ask(self, token: int, request: Request, now: float) -> None:
        """Send an ECM, now or as soon as the mode allows; the answer brings the token back.

        Raises:
            LocalProtocolError: the connection is not open.
            ValueError: the ECM does not fit into a message.
        """
        self._require_open(now)
        payload = serialize_ecm(request)
        self._waiting.append(_Question(token, Command.ECM, payload, request.share_id, now))
        self._send_waiting()

    def send_emm(self, token: int, emm: Emm, now: float) -> None:
        """Send an EMM, like `ask`; `EmmAcknowledged` brings the token back."""
        self._require_open(now)
        payload = serialize_emm(emm)
        if len(self._waiting_emms) == EMM_QUEUE_LIMIT:
            self._waiting_emms.popleft()
        self._waiting_emms.append(_Question(token, Command.EMM, payload, emm.share_id, now))
        self._send_waiting()

    def forget(self, token: int) -> bool:
        """Drop an ECM that still waits for its turn; whether there was one."""
        for question in self._waiting:
            if question.token == token:
                self._waiting.remove(question)
                return True
        return False

    def next_deadline(self) -> float | None:
        if self.state is State.CLOSED:
            return None
        if self.state is not State.OPEN:
            return self._login_deadline_at
        due_at = [self._keepalive_at]
        if self._asked:
            due_at.append(next(iter(self._asked.values())).since + self._answer_timeout)
        if self._emms:
            due_at.append(next(iter(self._emms.values())).since + EMM_PATIENCE)
        return min(due_at)

    def handle_deadline(self, now: float) -> None:
        self._now = now
        if self.state is not State.OPEN:
            if now >= self._login_deadline_at:
                self._give_up_login()
            return
        self._forget_emms()
        if self._asked and now >= next(iter(self._asked.values())).since + self._answer_timeout:
            self._give_up_answer()
        if now >= self._keepalive_at:
            self.send_keepalive()

    # The login.

    def _give_up_login(self) -> None:
        if not self.seed_received:
            self._close_stranger(over=False)
        elif self.state is State.HANDSHAKE:
            self._close(CloseReason.NO_ANSWER_TO_LOGIN)
        else:
            self._close(CloseReason.NO_INTRODUCTION)

    def _lose(self, loss: Loss) -> None:
        hung_up = loss.reason in (CloseReason.PEER_CLOSED, CloseReason.RESET)
        if not hung_up or self.state is not State.HANDSHAKE:
            super()._lose(loss)
        elif self.seed_received:
            self._close(CloseReason.LOGIN_REFUSED, loss.said)
        else:
            self._close_stranger(over=True, said=loss.said)

    def _close_stranger(self, *, over: bool, said: str = "") -> None:
        closed = judge_greeting(self._buffer, over=over, said=said)
        self._close(closed.reason, closed.detail)

    def _receive_fields(self, data: bytes) -> bytes:
        rest = super()._receive_fields(data)
        if not self.seed_received:
            self._login_deadline_at = min(self._login_deadline_at, self._now + SEED_REST)
        return rest

    def _on_seed(self, seed: bytes) -> None:
        if not (is_original_seed(seed) or is_partner_seed(seed)):
            closed = judge_greeting(seed + self._buffer, over=False)
            self._close(closed.reason, closed.detail)
            return
        self.seed_received = True
        self._login_deadline_at = self._now + self._step_timeout
        self._partner_seed = is_partner_seed(seed)
        keys = derive_keys(seed)
        self._sending, self._receiving = keys.client_to_server, keys.server_to_client
        self._out += self._sending.encrypt(keys.proof)
        self._out += self._sending.encrypt(pack_user(self._user))
        self._sending.encrypt(self._password)  # only moves the cipher: section 4, step 6
        self._out += self._sending.encrypt(PASSWORD_CHECK)
        self._expect(len(LOGIN_ACCEPTED), self._on_login_answer)

    def _on_login_answer(self, field: bytes) -> None:
        answer = self._receiving.decrypt(field)
        if not answer.startswith(LOGIN_ACCEPTED.rstrip(b"\0")):
            self._close(CloseReason.BAD_LOGIN_ANSWER)
            return
        self._start_frames(FrameReader(self._receiving))
        self._events.append(LoginSucceeded())
        self._login_deadline_at = self._now + self._step_timeout
        introduction = ClientData(
            user=self._user,
            node_id=self._node_id,
            want_emus=self._want_emus,
            version=str(self.version),
            build=BUILDS[self.version],
        )
        self._send(0, Command.CLIENT_DATA, introduction.serialize())

    # Messages.

    def _on_acknowledgement(self, payload: bytes, flag: int) -> None:
        """Our client data arrived; nothing hangs on it."""

    def _on_server_data(self, payload: bytes, flag: int) -> None:
        if len(payload) != SERVER_DATA_LENGTH or self.server is not None:
            return  # key material for challenge 0x05, which is answered without it
        self.server = ServerData.parse(payload)
        self.state = State.OPEN
        self._events.append(Introduced(self._meet(self.server)))
        if self._offer and (self._partner_seed or offers_partner(self.server.node_id)):
            self._send_partner_text()

    def _send_partner_text(self) -> None:
        self._partner_text_sent = True
        text = PartnerText(self._program, self._offer)
        self._send(0, Command.NOK1, text.serialize())

    def _on_nok1(self, payload: bytes, flag: int) -> None:
        if not payload:
            self._on_refusal(Refusal.PASSING, flag)
            return
        message = parse_text(payload)
        if not isinstance(message, PartnerText):
            if message.text:
                self._events.append(message)
        elif not self._partner_known:
            self._become_partners(message)

    def _become_partners(self, message: PartnerText) -> None:
        self._partner_known = True
        self._partner_program = message.program
        if not self._partner_text_sent and self._offer:
            self._send_partner_text()
        self._agree(message.capabilities)
        if self.peer is not None:
            self._events.append(PeerChanged(self.peer))
        self._send_waiting()

    def _on_nok2(self, payload: bytes, flag: int) -> None:
        self._on_refusal(Refusal.CANNOT_DECODE, flag)

    def _on_sleep(self, payload: bytes, flag: int) -> None:
        """Not "cannot decode": the server only wants rest from us; section 5."""
        self._on_refusal(Refusal.ASLEEP, flag)

    def _on_refusal(self, refusal: Refusal, flag: int) -> None:
        question = self._take_answered(flag)
        if question is not None:
            self._events.append(Refused(question.token, refusal))
        self._send_waiting()

    def _on_cw(self, payload: bytes, flag: int) -> None:
        if len(payload) != CW_LENGTH:
            self._on_refusal(Refusal.PASSING, flag)  # an answer it is, but no CW
            return
        if not self.extended:
            self._receiving.skip(BURNT_LENGTH)
        question = self._take_answered(flag)
        if question is not None:
            cw = ControlWords(self._unmasked(payload, question.share_id))
            self._events.append(Answered(question.token, cw))
        elif (
            not self.extended
        ):  # nothing names its ECM: whoever answers twice is believed next time
            self._close(CloseReason.OUT_OF_STEP)
            return
        self._send_waiting()

    def _unmasked(self, payload: bytes, share_id: int) -> bytes:
        if self.extended:
            return payload
        number = int.from_bytes(self._node_id)
        raw = mask(payload, node_id=number, share_id=share_id)
        return without_signed_shift(raw) if number >> 63 else raw

    def _on_emm_acknowledged(self, payload: bytes, flag: int) -> None:
        if self._emms:
            named = flag if self.extended and flag in self._emms else next(iter(self._emms))
            self._events.append(EmmAcknowledged(self._emms.pop(named).token))
        self._send_waiting()

    def _on_new_card(self, payload: bytes, flag: int) -> None:
        self._events.append(OfferAdded(parse_offer(payload, with_sids=False)))

    def _on_new_card_sids(self, payload: bytes, flag: int) -> None:
        self._events.append(OfferAdded(parse_offer(payload, with_sids=True)))

    def _on_card_removed(self, payload: bytes, flag: int) -> None:
        self._events.append(OfferWithdrawn(parse_withdrawal(payload)))

    def _on_challenge_05(self, payload: bytes, flag: int) -> None:
        self._send(0, Command.CHALLENGE_05, payload)
        self._events.append(ChallengeReceived(Command.CHALLENGE_05, answered=True))

    def _on_challenge_0b(self, payload: bytes, flag: int) -> None:
        if len(payload) != AES_BLOCK:
            raise MalformedError(f"challenge 0x0B is {AES_BLOCK} bytes")
        server = self.server
        if server is not None:
            key = server.node_id + server.version_field[:8]
            self._send(0, Command.CHALLENGE_0B, _encrypt_block(key, payload))
        self._events.append(ChallengeReceived(Command.CHALLENGE_0B, answered=server is not None))

    def _on_challenge_0a(self, payload: bytes, flag: int) -> None:
        self._events.append(ChallengeReceived(Command.CHALLENGE_0A, answered=False))

    def _on_check_0c(self, payload: bytes, flag: int) -> None:
        self._events.append(ChallengeReceived(Command.CLIENT_CHECK_0C, answered=False))

    def _on_check_0d(self, payload: bytes, flag: int) -> None:
        self._events.append(ChallengeReceived(Command.CLIENT_CHECK_0D, answered=False))

    def _on_check_0e(self, payload: bytes, flag: int) -> None:
        self.is_checked = True
        self._events.append(ChallengeReceived(Command.CLIENT_CHECK_0E, answered=False))

    # Questions.

    def _require_open(self, now: float) -> None:
        if self.state is not State.OPEN:
            raise LocalProtocolError("the server cannot be asked before the login is done")
        self._now = now

    def _send_waiting(self) -> None:
        if self._waiting_emms and self._emm_is_overdue():
            self._send_question(self._waiting_emms.popleft(), self._emms)
        while self._waiting and self._may_send():
            self._send_question(self._waiting.popleft(), self._asked)
        while self._waiting_emms and self._may_send() and (self.extended or not self._emms):
            self._send_question(self._waiting_emms.popleft(), self._emms)

    def _emm_is_overdue(self) -> bool:
        if self.extended or self._asked or self._emms:
            return False
        return self._now >= self._waiting_emms[0].since + EMM_OVERDUE

    def _may_send(self) -> bool:
        if self.extended:
            return len(self._asked) + len(self._emms) < FLAGS
        return not self._asked

    def _send_question(self, question: _Question, on_their_way: dict[int, _Question]) -> None:
        question.since = self._now
        flag = self._free_flag()
        on_their_way[flag] = question
        self._send(flag, question.command, question.payload)

    def _free_flag(self) -> int:
        """Choose the request's number; plain mode has none, and one request at a time."""
        if not self.extended:
            return 0
        while True:
            self._last_flag = self._last_flag % FLAGS + 1
            if self._last_flag not in self._asked and self._last_flag not in self._emms:
                return self._last_flag

    def _take_answered(self, flag: int) -> _Question | None:
        """Find the ECM of an answer; flags carry rubbish in plain mode (13.2)."""
        if self.extended:
            return self._asked.pop(flag, None)
        return self._asked.popitem()[1] if self._asked else None

    def _give_up_answer(self) -> None:
        if not self.extended:
            self._close(CloseReason.NO_ANSWER, f"within {self._answer_timeout:.0f} s")
            return
        question = self._asked.pop(next(iter(self._asked)))
        self._events.append(Refused(question.token, Refusal.LATE))
        self._send_waiting()

    def _forget_emms(self) -> None:
        """Wait no more for EMMs that were not acknowledged; not every server does that."""
        while self._emms:
            flag, oldest = next(iter(self._emms.items()))
            if self._now < oldest.since + EMM_PATIENCE:
                return
            del self._emms[flag]
            self._send_waiting()


def _encrypt_block(key: bytes, block: bytes) -> bytes:
    # 8 MiB; few servers ask for it.
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import AES
    from cryptography.hazmat.primitives.ciphers.modes import ECB

    return Cipher(AES(key), ECB()).encryptor().update(block)


_RULES: Mapping[int, Rule[ClientProtocol]] = {
    Command.CLIENT_DATA: Rule(ClientProtocol._on_acknowledgement, State.INTRODUCTION),
    Command.SERVER_DATA: Rule(ClientProtocol._on_server_data, State.INTRODUCTION),
    Command.KEEPALIVE: Rule(ClientProtocol._on_keepalive, State.INTRODUCTION),
    Command.NEW_CARD: Rule(ClientProtocol._on_new_card, State.INTRODUCTION),
    Command.NEW_CARD_SIDS: Rule(ClientProtocol._on_new_card_sids, State.INTRODUCTION),
    Command.CARD_REMOVED: Rule(ClientProtocol._on_card_removed, State.INTRODUCTION),
    Command.CHALLENGE_05: Rule(ClientProtocol._on_challenge_05, State.INTRODUCTION),
    Command.CHALLENGE_0A: Rule(ClientProtocol._on_challenge_0a, State.INTRODUCTION),
    Command.CHALLENGE_0B: Rule(ClientProtocol._on_challenge_0b, State.INTRODUCTION),
    Command.CLIENT_CHECK_0C: Rule(ClientProtocol._on_check_0c, State.INTRODUCTION),
    Command.CLIENT_CHECK_0D: Rule(ClientProtocol._on_check_0d, State.INTRODUCTION),
    Command.CLIENT_CHECK_0E: Rule(ClientProtocol._on_check_0e, State.INTRODUCTION),
    Command.ECM: Rule(ClientProtocol._on_cw),
    Command.EMM: Rule(ClientProtocol._on_emm_acknowledged),
    Command.SLEEP: Rule(ClientProtocol._on_sleep),
    Command.NOK1: Rule(ClientProtocol._on_nok1),
    Command.NOK2: Rule(ClientProtocol._on_nok2),
}
ClientProtocol._rules = _RULES
