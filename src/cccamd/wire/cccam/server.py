"""The server's side of a connection: check the login, announce cards, answer ECMs.

Source: docs/protocol.md sections 4, 5, 8, 9, 10 and 13.
"""

from collections.abc import Mapping
from hmac import compare_digest
from typing import ClassVar, Final

from cccamd.ids import NodeId
from cccamd.wire.cccam.announcements import CardAdded, CardRemoved
from cccamd.wire.cccam.closing import CloseReason, LocalProtocolError
from cccamd.wire.cccam.controlwords import CW_LENGTH, ControlWords, mask
from cccamd.wire.cccam.events import (
    CardsDue,
    EcmReceived,
    EmmReceived,
    LoginRequested,
    LoginSucceeded,
    RequestDropped,
)
from cccamd.wire.cccam.frames import Command, EagerFrameReader, serialize_frame
from cccamd.wire.cccam.handshake import (
    LOGIN_ACCEPTED,
    PASSWORD_CHECK,
    PROOF_LENGTH,
    USER_LENGTH,
    derive_keys,
    make_seed,
    unpack_user,
)
from cccamd.wire.cccam.messages import (
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
from cccamd.wire.cccam.state import Rule, State
from cccamd.wire.cccam.versions import (
    ALL_CAPABILITIES,
    BUILDS,
    DEFAULT_VERSION,
    TVHEADEND_BUILD,
    Capabilities,
    Revision,
    Version,
    shared_revision,
)

PARTNER_WAIT: Final = 0.5
"""Seconds that a client has for its partner text; then the cards are announced anyway."""
EXTENDED_FACTOR: Final = 16
"""How many times more requests may be open in extended mode, where "any number" may."""
CW_HEADER: Final = serialize_frame(0, Command.ECM, bytes(CW_LENGTH))[:-CW_LENGTH]
BURNT_LENGTH: Final = 16
"""Bytes of keystream that both sides skip after a CW answer in plain mode."""


_Slot = tuple[int, int]
"""Flag and share id of a request that is not answered on the wire yet."""
_Reply = tuple[Command, bytes]


class ServerProtocol(Protocol):
    """One client as the server sees it."""

    rules: ClassVar[Mapping[int, Rule]]
    keepalive_interval = 45.0

    def __init__(
        self,
        *,
        node_id: NodeId,
        program: str,
        random: bytes,
        now: float,
        login_timeout: float = 10.0,
        queue_limit: int = 64,
        offer: Capabilities = ALL_CAPABILITIES,
    ) -> None:
        """Start a connection: the seed is the first thing to send.

        `random` are 12 unpredictable bytes; `program` is our name in partner texts.
        """
        super().__init__(now=now, offer=offer)
        self.client: ClientData | None = None
        self.version = DEFAULT_VERSION
        """The version that we announce to this client."""
        self._node_id = node_id
        self._program = program
        self._queue_limit = queue_limit
        self._client_number = 0
        self._slots: dict[int, _Slot] = {}
        self._held_back: dict[int, _Reply] = {}
        """Answers that wait, in plain mode, for those to earlier requests."""
        self._last_request_id = 0
        self._login_deadline_at = now + login_timeout
        self._cards_due_at: float | None = None
        self._user = b""
        self._partner_known = False
        seed = make_seed(random)
        keys = derive_keys(seed)
        self._sending, self._receiving = keys.server_to_client, keys.client_to_server
        self._proof = keys.proof
        self._out.append(seed)
        self._expect(PROOF_LENGTH, self._on_proof)

    @property
    def revision(self) -> Revision:
        """The protocol revision spoken with this client: v1 or v2."""
        theirs = announced_version(self.client) if self.client else None
        return shared_revision(self.version, theirs)

    @property
    def sid_lists(self) -> bool:
        """Whether cards may be announced with their SID lists (command 0x0F)."""
        if self.client is None or self.client.build.startswith(TVHEADEND_BUILD):
            return False  # tvheadend misreads them although it says it can (13.5)
        return self.revision is Revision.V2 or Capabilities.SID in self.capabilities

    @property
    def pending(self) -> int:
        """How many requests are not answered on the wire yet."""
        return len(self._slots)

    def authenticate(self, password: bytes, *, version: Version = DEFAULT_VERSION) -> None:
        """Go on with the login of `LoginRequested`; `version` is what we announce."""
        self._require_login_question()
        self.version = version
        self._receiving.encrypt(password)  # only moves the cipher: section 4, step 6
        self._expect(len(PASSWORD_CHECK), self._on_password_check)
        rest = self._receive_fields(b"")
        if rest and self.state is not State.CLOSED:
            self._receive_frames(rest)

    def refuse_login(self, reason: CloseReason, detail: str = "") -> None:
        """Turn down the login of `LoginRequested`; the peer hears nothing but the close."""
        self._require_login_question()
        self._close(reason, detail)

    def answer(self, request_id: int, cw: ControlWords) -> None:
        """Answer a request; in plain mode it waits until those before it are answered."""
        self._reply(request_id, Command.ECM, cw.raw)

    def refuse(self, request_id: int, nok: Nok) -> None:
        """Say that there is no CW for a request."""
        self._reply(request_id, nok.value, b"")

    def announce(self, card: CardAdded) -> None:
        """Announce a card, or replace the one with the same share id."""
        if self.sid_lists and (card.assigned_sids or card.rejected_sids):
            self._send(0, Command.NEW_CARD_SIDS, card.serialize_with_sids())
        else:
            self._send(0, Command.NEW_CARD, card.serialize())

    def withdraw(self, card: CardRemoved) -> None:
        """Take a card back."""
        self._send(0, Command.CARD_REMOVED, card.serialize())

    def next_deadline(self) -> float | None:
        if self.state is State.CLOSED:
            return None
        if self.state is not State.OPEN:
            return self._login_deadline_at
        return min(self._keepalive_at, self._cards_due_at or self._keepalive_at)

    def handle_deadline(self, now: float) -> None:
        self._now = now
        if self.state in (State.HANDSHAKE, State.INTRODUCTION):
            if now >= self._login_deadline_at:
                self._close(CloseReason.LOGIN_TIMEOUT, self._login_progress())
            return
        if self._cards_due_at is not None and now >= self._cards_due_at:
            self._let_cards_come()
        if now >= self._keepalive_at:
            # Silence is no reason to close (section 12): the transport finds dead peers.
            self.send_keepalive()

    # The login.

    def _on_proof(self, field: bytes) -> None:
        if not compare_digest(self._receiving.decrypt(field), self._proof):
            self._close(CloseReason.NOT_CCCAM, "its answer to the seed is wrong")
            return
        self._expect(USER_LENGTH, self._on_user)

    def _on_user(self, field: bytes) -> None:
        self._user = unpack_user(self._receiving.decrypt(field))
        self._pause()
        self._events.append(LoginRequested(self._user))

    def _on_password_check(self, field: bytes) -> None:
        if not compare_digest(self._receiving.decrypt(field), PASSWORD_CHECK):
            self._close(CloseReason.WRONG_PASSWORD)
            return
        self._out.append(self._sending.encrypt(LOGIN_ACCEPTED))
        self._start_frames(EagerFrameReader(self._receiving))
        self._events.append(LoginSucceeded())

    def _require_login_question(self) -> None:
        if self.state is not State.HANDSHAKE or self._wanted:
            raise LocalProtocolError("there is no login to decide about")

    def _login_progress(self) -> str:
        if self.state is State.INTRODUCTION:
            return "logged in, but it did not say who it is"
        if self._handle_field == self._on_proof:
            return f"{len(self._buffer)} of {PROOF_LENGTH} bytes of its answer to the seed came"
        return "its user name or password did not come"

    # Messages.

    def _on_client_data(self, message: ClientData, flag: int) -> None:
        self._send(0, Command.CLIENT_DATA)
        if self.client is not None:
            return  # who it is was settled at the first
        self.client = message
        self._client_number = int.from_bytes(message.node_id)
        self.state = State.OPEN
        build = BUILDS[self.version]
        server_data = ServerData(node_id=self._node_id, version=str(self.version), build=build)
        self._send(0, Command.SERVER_DATA, server_data.serialize())
        self._events.append(message)
        self._cards_due_at = self._now + PARTNER_WAIT
        if not offers_partner(self._node_id):
            self._let_cards_come()  # nobody sends a partner text to such a node id

    def _on_text(self, message: PartnerText | TextReceived, flag: int) -> None:
        self._events.append(message)
        if isinstance(message, PartnerText) and not self._partner_known:
            self._partner_known = True
            self._agree(message.capabilities)
            held_back, self._held_back = self._held_back, {}
            answer = PartnerText(self._program, self.capabilities)
            self._send(0, Command.NOK1, answer.serialize())
            for request_id, reply in held_back.items():
                self._reply(request_id, *reply)
            self._let_cards_come()

    def _let_cards_come(self) -> None:
        if self._cards_due_at is not None:
            self._cards_due_at = None
            self._events.append(CardsDue())

    def _on_ecm(self, request: EcmRequest, flag: int) -> None:
        request_id = self._open_slot(flag, request.share_id)
        self._events.append(EcmReceived(request_id, request))

    def _on_emm(self, message: Emm, flag: int) -> None:
        request_id = self._open_slot(flag, message.share_id)
        self._events.append(EmmReceived(message))
        self._reply(request_id, Command.EMM, b"")

    def _open_slot(self, flag: int, share_id: int) -> int:
        limit = self._queue_limit * (EXTENDED_FACTOR if self.extended else 1)
        if len(self._slots) >= limit:
            self._drop_oldest()
        self._last_request_id += 1
        self._slots[self._last_request_id] = (flag, share_id)
        return self._last_request_id

    def _drop_oldest(self) -> None:
        request_id = next(iter(self._slots))
        self._events.append(RequestDropped(request_id))
        # Plain mode: section 8. In extended mode it is trouble that passes (13.8).
        self._reply(request_id, Command.NOK1 if self.extended else Command.NOK2, b"")

    # Answers.

    def _reply(self, request_id: int, command: Command, payload: bytes) -> None:
        slots = self._slots
        slot = slots.get(request_id)
        if slot is None or request_id in self._held_back:
            return  # dropped over the bound, or answered already
        if self.extended:
            del slots[request_id]
            self._send(slot[0], command, payload)
        elif len(slots) == 1:  # as it should be in plain mode
            del slots[request_id]
            self._send_plain(slot[1], command, payload)
        else:
            self._held_back[request_id] = (command, payload)
            self._send_held_back()

    def _send_held_back(self) -> None:
        """Plain mode has no request numbers: answers go out in the order of the requests."""
        while self._slots:
            request_id, (_, share_id) = next(iter(self._slots.items()))
            reply = self._held_back.pop(request_id, None)
            if reply is None:
                return
            del self._slots[request_id]
            self._send_plain(share_id, *reply)

    def _send_plain(self, share_id: int, command: Command, payload: bytes) -> None:
        if command is not Command.ECM:
            self._send(0, command, payload)
            return
        masked = mask(payload, node_id=self._client_number, share_id=share_id)
        self._send_frame(CW_HEADER + masked, burn=BURNT_LENGTH)


ServerProtocol.rules = {
    Command.CLIENT_DATA: Rule(ClientData.parse, ServerProtocol._on_client_data, State.INTRODUCTION),
    Command.ECM: Rule(EcmRequest.parse, ServerProtocol._on_ecm),
    Command.EMM: Rule(Emm.parse, ServerProtocol._on_emm),
    Command.KEEPALIVE: Rule(bytes, ServerProtocol._on_keepalive, State.INTRODUCTION),
    Command.NOK1: Rule(parse_text, ServerProtocol._on_text),
}
