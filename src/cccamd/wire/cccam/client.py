"""The client's side of a connection: log in, learn cards, ask ECMs.

Source: docs/protocol.md sections 4 to 13.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from cryptography.hazmat.primitives.ciphers import Cipher as BlockCipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from cccamd.ids import NodeId
from cccamd.wire.cccam.announcements import CardAdded, CardRemoved
from cccamd.wire.cccam.closing import CloseReason, LocalProtocolError
from cccamd.wire.cccam.controlwords import CW_LENGTH, ControlWords, mask, without_signed_shift
from cccamd.wire.cccam.cursor import MalformedError
from cccamd.wire.cccam.events import (
    ChallengeReceived,
    EcmAnswered,
    EcmRefused,
    EmmAcknowledged,
    LoginSucceeded,
)
from cccamd.wire.cccam.frames import Command, FrameReader
from cccamd.wire.cccam.handshake import (
    LOGIN_ACCEPTED,
    PASSWORD_CHECK,
    SEED_LENGTH,
    derive_keys,
    is_original_seed,
    is_partner_seed,
    pack_user,
)
from cccamd.wire.cccam.messages import (
    SERVER_DATA_LENGTH,
    ClientData,
    EcmRequest,
    Emm,
    Nok,
    PartnerText,
    ServerData,
    TextReceived,
    announced_version,
    parse_text,
)
from cccamd.wire.cccam.nodeids import offers_partner
from cccamd.wire.cccam.protocol import Protocol
from cccamd.wire.cccam.server import BURNT_LENGTH
from cccamd.wire.cccam.state import Rule, State
from cccamd.wire.cccam.versions import (
    ALL_CAPABILITIES,
    BUILDS,
    DEFAULT_VERSION,
    Capabilities,
    Revision,
    Version,
    shared_revision,
)

SILENCE_LIMIT: Final = 90.0
"""Seconds without a word from the server after which the link counts as dead."""
FLAGS: Final = 255
"""How many requests can be told apart in extended mode: flags 1 to 255."""


@dataclass(frozen=True, slots=True)
class _Question:
    """An ECM or EMM that waits for its turn, or for its answer."""

    ask_id: int
    message: EcmRequest | Emm
    asked_at: float


class ClientProtocol(Protocol):
    """One server as its client sees it."""

    rules: ClassVar[Mapping[int, Rule]]
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
        login_timeout: float = 10.0,
        answer_timeout: float = 8.0,
        offer: Capabilities = ALL_CAPABILITIES,
    ) -> None:
        """Wait for the server's seed.

        `answer_timeout` is how long an ECM may stay unanswered in plain mode before the
        link counts as broken: a later answer could not be told from the next one's.
        """
        super().__init__(now=now, offer=offer)
        self.version = version
        self.server: ServerData | None = None
        self.seed_received = False
        self._user = user
        self._password = password
        self._node_id = node_id
        self._program = program
        self._want_emus = want_emus
        self._login_deadline_at = now + login_timeout
        self._answer_timeout = answer_timeout
        self._partner_seed = False
        self._partner_text_sent = self._partner_known = False
        self._last_ask_id = 0
        self._last_flag = 0
        self._waiting: deque[_Question] = deque()
        self._waiting_emms: deque[_Question] = deque()
        self._asked: dict[int, _Question] = {}
        self._expect(SEED_LENGTH, self._on_seed)

    @property
    def revision(self) -> Revision:
        """The protocol revision spoken with this server: v1 or v2."""
        theirs = announced_version(self.server) if self.server else None
        return shared_revision(self.version, theirs)

    @property
    def in_flight(self) -> int:
        """How many questions wait for their turn or their answer."""
        return len(self._waiting) + len(self._waiting_emms) + len(self._asked)

    def ask(self, request: EcmRequest, now: float) -> int:
        """Send an ECM, now or as soon as the mode allows; return the id of its answer.

        Raises:
            LocalProtocolError: the connection is not open.
            ValueError: the ECM does not fit into a message.
        """
        return self._enqueue(request, now)

    def send_emm(self, emm: Emm, now: float) -> int:
        """Send an EMM, like `ask`; `EmmAcknowledged` follows."""
        return self._enqueue(emm, now)

    def forget(self, ask_id: int) -> bool:
        """Drop a question that still waits for its turn; whether there was one."""
        for question in self._waiting:
            if question.ask_id == ask_id:
                self._waiting.remove(question)
                return True
        return False

    def next_deadline(self) -> float | None:
        if self.state is State.CLOSED:
            return None
        if self.state is not State.OPEN:
            return self._login_deadline_at
        return min(self._keepalive_at, self._answer_due_at() or self._keepalive_at)

    def handle_deadline(self, now: float) -> None:
        self._now = now
        if self.state is not State.OPEN:
            if now >= self._login_deadline_at:
                missing = (
                    CloseReason.NO_ANSWER_TO_LOGIN if self.seed_received else CloseReason.NO_SEED
                )
                self._close(missing)
            return
        if now >= self._last_received_at + SILENCE_LIMIT:
            self._close(CloseReason.SILENT, f"{SILENCE_LIMIT:.0f} s")
        elif (due_at := self._answer_due_at()) is not None and now >= due_at:
            self._give_up_answer()
        elif now >= self._keepalive_at:
            self.send_keepalive()

    # The login.

    def _eof_reason(self) -> CloseReason:
        refused = self.state is State.HANDSHAKE and self.seed_received
        return CloseReason.LOGIN_REFUSED if refused else CloseReason.PEER_CLOSED

    def _on_seed(self, seed: bytes) -> None:
        if not (is_original_seed(seed) or is_partner_seed(seed)):
            self._close(CloseReason.NOT_CCCAM, "its first 16 bytes are no seed")
            return
        self.seed_received = True
        self._partner_seed = is_partner_seed(seed)
        keys = derive_keys(seed)
        self._sending, self._receiving = keys.client_to_server, keys.server_to_client
        self._out.append(self._sending.encrypt(keys.proof))
        self._out.append(self._sending.encrypt(pack_user(self._user)))
        self._sending.encrypt(self._password)  # only moves the cipher: section 4, step 6
        self._out.append(self._sending.encrypt(PASSWORD_CHECK))
        self._expect(len(LOGIN_ACCEPTED), self._on_login_answer)

    def _on_login_answer(self, field: bytes) -> None:
        answer = self._receiving.decrypt(field)
        if not answer.startswith(LOGIN_ACCEPTED.rstrip(b"\0")):
            self._close(CloseReason.NOT_CCCAM, "its answer to the login is wrong")
            return
        self._start_frames(FrameReader(self._receiving))
        self._events.append(LoginSucceeded())
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

    def _on_server_data(self, message: ServerData | None, flag: int) -> None:
        if message is None or self.server is not None:
            return  # key material for challenge 0x05, which is answered without it
        self.server = message
        self.state = State.OPEN
        self._events.append(message)
        if self._offer and (self._partner_seed or offers_partner(message.node_id)):
            self._send_partner_text()

    def _send_partner_text(self) -> None:
        self._partner_text_sent = True
        text = PartnerText(self._program, self._offer)
        self._send(0, Command.NOK1, text.serialize())

    def _on_nok1(self, message: PartnerText | TextReceived | None, flag: int) -> None:
        if message is None:
            self._on_nok(Nok.NOK1, flag)
            return
        self._events.append(message)
        if isinstance(message, PartnerText) and not self._partner_known:
            self._partner_known = True
            if not self._partner_text_sent and self._offer:
                self._send_partner_text()
            self._agree(message.capabilities)
            self._send_waiting()

    def _on_nok2(self, payload: bytes, flag: int) -> None:
        self._on_nok(Nok.NOK2, flag)

    def _on_sleep(self, payload: bytes, flag: int) -> None:
        self._on_nok(Nok.NOK2, flag)  # section 5: "not found", keep the connection

    def _on_nok(self, nok: Nok, flag: int) -> None:
        question = self._take_answered(flag)
        if question is not None and isinstance(question.message, EcmRequest):
            self._events.append(EcmRefused(question.ask_id, nok))
        self._send_waiting()

    def _on_cw(self, payload: bytes, flag: int) -> None:
        if len(payload) != CW_LENGTH:
            self._on_nok(Nok.NOK1, flag)  # an answer it is, but no CW
            return
        if not self.extended:
            self._receiving.skip(BURNT_LENGTH)
        question = self._take_answered(flag)
        if question is not None and isinstance(question.message, EcmRequest):
            cw = ControlWords(self._unmasked(payload, question.message))
            self._events.append(EcmAnswered(question.ask_id, cw))
        self._send_waiting()

    def _unmasked(self, payload: bytes, request: EcmRequest) -> bytes:
        if self.extended:
            return payload
        number = int.from_bytes(self._node_id)
        raw = mask(payload, node_id=number, share_id=request.share_id)
        return without_signed_shift(raw) if number >> 63 else raw

    def _on_emm_acknowledged(self, payload: bytes, flag: int) -> None:
        question = self._take_answered(flag)
        if question is not None:
            self._events.append(EmmAcknowledged(question.ask_id))
        self._send_waiting()

    def _on_card(self, card: CardAdded | CardRemoved, flag: int) -> None:
        self._events.append(card)

    def _on_challenge_05(self, payload: bytes, flag: int) -> None:
        self._send(0, Command.CHALLENGE_05, payload)
        self._events.append(ChallengeReceived(Command.CHALLENGE_05, answered=True))

    def _on_challenge_0b(self, payload: bytes, flag: int) -> None:
        server = self.server
        if server is not None:
            key = server.node_id + server.version_field[:8]
            encryptor = BlockCipher(AES(key), ECB()).encryptor()
            self._send(0, Command.CHALLENGE_0B, encryptor.update(payload))
        self._events.append(ChallengeReceived(Command.CHALLENGE_0B, answered=server is not None))

    def _on_client_check(self, command: int, flag: int) -> None:
        self._events.append(ChallengeReceived(command, answered=False))

    # Questions.

    def _enqueue(self, message: EcmRequest | Emm, now: float) -> int:
        if self.state is not State.OPEN:
            raise LocalProtocolError("the server cannot be asked before the login is done")
        message.serialize()
        self._now = now
        self._last_ask_id += 1
        queue = self._waiting if isinstance(message, EcmRequest) else self._waiting_emms
        queue.append(_Question(self._last_ask_id, message, now))
        self._send_waiting()
        return self._last_ask_id

    def _send_waiting(self) -> None:
        limit = FLAGS if self.extended else 1
        while len(self._asked) < limit and (queue := self._waiting or self._waiting_emms):
            question = queue.popleft()  # EMMs have time, ECMs have not
            flag = self._free_flag()
            self._asked[flag] = _Question(question.ask_id, question.message, self._now)
            is_ecm = isinstance(question.message, EcmRequest)
            command = Command.ECM if is_ecm else Command.EMM
            self._send(flag, command, question.message.serialize())

    def _free_flag(self) -> int:
        """Choose the request's number; plain mode has none, and one request at a time."""
        if not self.extended:
            return 0
        while True:
            self._last_flag = self._last_flag % FLAGS + 1
            if self._last_flag not in self._asked:
                return self._last_flag

    def _take_answered(self, flag: int) -> _Question | None:
        """Find the question of an answer; flags carry rubbish in plain mode (13.2)."""
        if self.extended:
            return self._asked.pop(flag, None)
        return self._asked.popitem()[1] if self._asked else None

    def _answer_due_at(self) -> float | None:
        if not self._asked:
            return None
        oldest = next(iter(self._asked.values()))
        return oldest.asked_at + self._answer_timeout

    def _give_up_answer(self) -> None:
        if not self.extended:
            self._close(CloseReason.NO_ANSWER, f"within {self._answer_timeout:.0f} s")
            return
        question = self._asked.pop(next(iter(self._asked)))
        if isinstance(question.message, EcmRequest):
            self._events.append(EcmRefused(question.ask_id, Nok.NOK1))


def _parse_nok1(payload: bytes) -> PartnerText | TextReceived | None:
    return parse_text(payload) if payload else None


def _parse_server_data(payload: bytes) -> ServerData | None:
    return ServerData.parse(payload) if len(payload) == SERVER_DATA_LENGTH else None


def _parse_challenge_0b(payload: bytes) -> bytes:
    if len(payload) != 16:
        raise MalformedError("challenge 0x0B is 16 bytes")
    return payload


def _parse_check(command: Command) -> Callable[[bytes], int]:
    return lambda payload: command


_CHECKS = (
    Command.CHALLENGE_0A,
    Command.CLIENT_CHECK_0C,
    Command.CLIENT_CHECK_0D,
    Command.CLIENT_CHECK_0E,
)

ClientProtocol.rules = {
    Command.CLIENT_DATA: Rule(bytes, ClientProtocol._on_acknowledgement, State.INTRODUCTION),
    Command.SERVER_DATA: Rule(
        _parse_server_data, ClientProtocol._on_server_data, State.INTRODUCTION
    ),
    Command.KEEPALIVE: Rule(bytes, ClientProtocol._on_keepalive, State.INTRODUCTION),
    Command.NEW_CARD: Rule(CardAdded.parse, ClientProtocol._on_card, State.INTRODUCTION),
    Command.NEW_CARD_SIDS: Rule(
        CardAdded.parse_with_sids, ClientProtocol._on_card, State.INTRODUCTION
    ),
    Command.CARD_REMOVED: Rule(CardRemoved.parse, ClientProtocol._on_card, State.INTRODUCTION),
    Command.CHALLENGE_05: Rule(bytes, ClientProtocol._on_challenge_05, State.INTRODUCTION),
    Command.CHALLENGE_0B: Rule(
        _parse_challenge_0b, ClientProtocol._on_challenge_0b, State.INTRODUCTION
    ),
    **{
        command: Rule(_parse_check(command), ClientProtocol._on_client_check, State.INTRODUCTION)
        for command in _CHECKS
    },
    Command.ECM: Rule(bytes, ClientProtocol._on_cw),
    Command.EMM: Rule(bytes, ClientProtocol._on_emm_acknowledged),
    Command.SLEEP: Rule(bytes, ClientProtocol._on_sleep),
    Command.NOK1: Rule(_parse_nok1, ClientProtocol._on_nok1),
    Command.NOK2: Rule(bytes, ClientProtocol._on_nok2),
}
