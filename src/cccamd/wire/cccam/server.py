"""The server's side of a connection: check a login, offer cards, answer ECMs.

Theory of operation. HANDSHAKE: the seed goes out; the proof and the user name come in, and
`LoginRequested` is told: until the owner says `authenticate` or `refuse_login`, what comes is
kept, and so it is from `LoginProved` until `accept_login` or `refuse_login`. The owner's time is
not the client's: meanwhile no deadline runs. INTRODUCTION: the login was accepted
(`LoginSucceeded`), the client says who it is; what it asks for before that is told, too.
OPEN: `Introduced` was told, and `OffersDue` once the client's partner text came or is overdue.
Each request gets a token, and keeps its place in `_slots` until it was answered on the wire.
In plain mode answers have no number, so they go out in the order of the requests; one that is
early waits in its slot. In extended mode the flag of the frame is the number.

Source: docs/protocol.md sections 4 to 13.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hmac import compare_digest
from typing import Final

from cccamd.facts import Revision
from cccamd.ids import USER_LENGTH, NodeId, ShareId
from cccamd.values import CW_LENGTH, ControlWords, Offer, Refusal
from cccamd.wire.cccam.cipher import mask
from cccamd.wire.cccam.frames import Command, EagerFrameReader, serialize_frame
from cccamd.wire.cccam.handshake import (
    LOGIN_ACCEPTED,
    PASSWORD_CHECK,
    PROOF_LENGTH,
    derive_keys,
    make_seed,
    offers_partner,
    unpack_user,
)
from cccamd.wire.cccam.messages import (
    NOK_COMMANDS,
    ClientData,
    PartnerText,
    ServerData,
    parse_ecm,
    parse_emm,
    parse_text,
)
from cccamd.wire.cccam.offers import fitted, serialize_offer, serialize_withdrawal
from cccamd.wire.cccam.protocol import LOGIN_TIMEOUT, QUEUE_LIMIT, Endpoint, Rule
from cccamd.wire.cccam.versions import (
    ALL_CAPABILITIES,
    BUILDS,
    DEFAULT_VERSION,
    TVHEADEND_BUILD,
    Capabilities,
    Version,
)
from cccamd.wire.link import (
    OPEN,
    CloseReason,
    EmmReceived,
    Introduced,
    LocalProtocolError,
    LoginProved,
    LoginRequested,
    LoginSucceeded,
    OffersDue,
    PeerChanged,
    RequestDropped,
    Requested,
    ServerEvent,
    State,
)
from cccamd.wire.strangers import recognise_caller

PARTNER_WAIT: Final = 0.5
"""Seconds that a client has for its partner text; then, or when it says anything else, the cards
are announced anyway."""
EXTENDED_FACTOR: Final = 16
"""How many times more requests may be open in extended mode, where "any number" may."""
_ECM: Final = Command.ECM
CW_HEADER: Final = serialize_frame(0, Command.ECM, bytes(CW_LENGTH))[:-CW_LENGTH]
BURNT_LENGTH: Final = 16
"""Bytes of keystream that both sides skip after a CW answer in plain mode."""


_Reply = tuple[Command, bytes]


_Slot = tuple[int, int, _Reply | None]
"""A request that is not answered on the wire yet: its flag, its share id, and in plain mode an
answer that waits for those to earlier requests. A bare tuple: one is made for every ECM."""


def _default_version(user: bytes) -> Version:
    return DEFAULT_VERSION


@dataclass(slots=True)
class _Login:
    """What is of no use any more once a client is in."""

    seed: bytes
    version_for: Callable[[bytes], Version]
    deadline_at: float
    user: bytes = b""
    holds: bool = False
    """Whether the owner wants to think when the password was right."""
    proved: bool = False
    proved_at: float = 0.0


class ServerProtocol(Endpoint[ServerEvent]):
    """One client as the server sees it."""

    keepalive_interval = 45.0
    __slots__ = (
        "_cards_due_at",
        "_client_number",
        "_last_token",
        "_login",
        "_node_id",
        "_partner_known",
        "_program",
        "_queue_limit",
        "_slots",
    )

    def __init__(
        self,
        *,
        node_id: NodeId,
        program: str,
        random: bytes,
        now: float,
        login_timeout: float = LOGIN_TIMEOUT,
        queue_limit: int = QUEUE_LIMIT,
        version_for: Callable[[bytes], Version] = _default_version,
        offer: Capabilities = ALL_CAPABILITIES,
    ) -> None:
        """Start a connection: the seed is the first thing to send.

        `random` are 12 unpredictable bytes; `program` is our name in partner texts;
        `version_for` says which version we announce to a user.
        """
        super().__init__(now=now, offer=offer)
        self._node_id = node_id
        self._program = program
        self._queue_limit = queue_limit
        self._client_number = 0
        self._slots: dict[int, _Slot] = {}
        """The open requests by their tokens, in the order they came."""
        self._last_token = 0
        self._cards_due_at: float | None = None
        self._partner_known = False
        seed = make_seed(random)
        self._login: _Login | None = _Login(seed, version_for, now + login_timeout)
        """None once the client has said who it is."""
        self._out += seed
        self._expect(PROOF_LENGTH, self._on_proof)

    @property
    def sid_lists(self) -> bool:
        """Whether cards may be announced with their SID lists (command 0x0F)."""
        if self.peer is None or self.peer.build.startswith(TVHEADEND_BUILD):
            return False  # tvheadend misreads them although it says it can (13.5)
        return self.revision is Revision.V2 or Capabilities.SID in self.capabilities

    def authenticate(self, password: bytes, *, hold: bool = False) -> None:
        """Go on with the login of `LoginRequested`: this is the account's password."""
        login = self._required_login(proved=False)
        login.holds = hold
        self.version = login.version_for(login.user)
        self._receiving.encrypt(password)  # only moves the cipher: section 4, step 6
        self._expect(len(PASSWORD_CHECK), self._on_password_check)
        rest = self._receive_fields(b"")
        if rest and self.state is not State.CLOSED:
            self._receive_frames(rest)

    def accept_login(self, now: float) -> None:
        """Let in the client of `LoginProved`."""
        login = self._required_login(proved=True)
        login.deadline_at += now - login.proved_at
        self._now = now
        self._accept()
        rest, self._buffer = self._buffer, b""
        if rest:
            self._receive_frames(rest)

    def refuse_login(self, reason: CloseReason, detail: str = "") -> None:
        """Turn down the login; the peer hears nothing but the close."""
        self._required_login()
        self._close(reason, detail)

    def answer(self, token: int, cw: ControlWords) -> None:
        """Answer a request; in plain mode it waits until those before it are answered."""
        self._reply(token, _ECM, cw.raw)

    def refuse(self, token: int, refusal: Refusal) -> None:
        """Say that there is no CW for a request."""
        self._reply(token, NOK_COMMANDS[refusal], b"")

    def announce(self, offer: Offer) -> None:
        """Offer a card, or replace the one with the same share id.

        What a frame cannot hold is left out; a card whose very path is too long is withdrawn.
        """
        card = fitted(offer)
        if card is None:
            self.withdraw(offer.share_id)
            return
        with_sids = self.sid_lists and bool(card.assigned_sids or card.rejected_sids)
        command = Command.NEW_CARD_SIDS if with_sids else Command.NEW_CARD
        self._send(0, command, serialize_offer(card, with_sids=with_sids))

    def withdraw(self, share_id: ShareId) -> None:
        """Take a card back."""
        self._send(0, Command.CARD_REMOVED, serialize_withdrawal(share_id))

    def next_deadline(self) -> float | None:
        if self.state is OPEN:  # first: it is asked after every answer
            due_at, keepalive_at = self._cards_due_at, self._last_sent_at + self.keepalive_interval
            return keepalive_at if due_at is None else min(due_at, keepalive_at)
        if self._login is None or self.state is State.CLOSED or self._is_undecided:
            return None
        return self._login.deadline_at

    def handle_deadline(self, now: float) -> None:
        self._now = now
        if self.state is State.CLOSED:
            return
        if self._login is not None:
            if now >= self._login.deadline_at and not self._is_undecided:
                self._close(CloseReason.LOGIN_TIMEOUT, self._login_progress())
            return
        if self._cards_due_at is not None and now >= self._cards_due_at:
            self._let_cards_come()
        if now >= self._keepalive_at:
            # Silence is no reason to close (section 12): the transport finds dead peers.
            self.send_keepalive()

    # The login.

    def _on_proof(self, field: bytes) -> None:
        assert self._login is not None
        # Not before: most connections of a flood never get as far.
        keys = derive_keys(self._login.seed)
        self._sending, self._receiving = keys.server_to_client, keys.client_to_server
        if not compare_digest(self._receiving.decrypt(field), keys.proof):
            caller = recognise_caller(field)
            known = f"it is {caller}" if caller else "its answer to the seed is wrong"
            self._close(CloseReason.NOT_CCCAM, known)
            return
        self._expect(USER_LENGTH, self._on_user)

    def _on_user(self, field: bytes) -> None:
        assert self._login is not None
        user = self._login.user = unpack_user(self._receiving.decrypt(field))
        self._pause()
        self._events.append(LoginRequested(user))

    def _on_password_check(self, field: bytes) -> None:
        assert self._login is not None
        if not compare_digest(self._receiving.decrypt(field), PASSWORD_CHECK):
            self._close(CloseReason.WRONG_PASSWORD)
        elif self._login.holds:
            self._login.proved, self._login.proved_at = True, self._now
            self._pause()
            self._events.append(LoginProved())
        else:
            self._accept()

    def _accept(self) -> None:
        self._out += self._sending.encrypt(LOGIN_ACCEPTED)
        self._start_frames(EagerFrameReader(self._receiving))
        self._events.append(LoginSucceeded())

    @property
    def _is_undecided(self) -> bool:
        """Whether it is the owner's turn."""
        return self.state is State.HANDSHAKE and not self._wanted

    def _required_login(self, *, proved: bool | None = None) -> "_Login":
        login = self._login
        if login is None or not self._is_undecided or proved not in (None, login.proved):
            raise LocalProtocolError("there is no login to decide about")
        return login

    def _login_progress(self) -> str:
        if self.state is State.INTRODUCTION:
            return "logged in, but it did not say who it is"
        if self._handle_field == self._on_proof:
            return f"{len(self._buffer)} of {PROOF_LENGTH} bytes of its answer to the seed came"
        if self._handle_field == self._on_password_check:
            return "its proof of the password did not come"
        return "its user name did not come"

    # Messages.

    def _on_client_data(self, payload: bytes, flag: int) -> None:
        message = ClientData.parse(payload)
        self._send(0, Command.CLIENT_DATA)
        if self.peer is not None:
            self._drop_unexpected(Command.CLIENT_DATA, payload)
            return  # who it is was settled at the first
        self._login = None
        self._client_number = int.from_bytes(message.node_id)
        self.state = State.OPEN
        build = BUILDS[self.version]
        server_data = ServerData(node_id=self._node_id, version=str(self.version), build=build)
        self._send(0, Command.SERVER_DATA, server_data.serialize())
        self._events.append(Introduced(self._meet(message)))
        self._cards_due_at = self._now + PARTNER_WAIT
        if not offers_partner(self._node_id):
            self._let_cards_come()  # nobody sends a partner text to such a node id

    def _on_text(self, payload: bytes, flag: int) -> None:
        message = parse_text(payload)
        if not isinstance(message, PartnerText):
            if message.text:
                self._events.append(message)
                self._let_cards_come()
            else:
                self._drop_unexpected(Command.NOK1, payload)
        elif not self._partner_known:
            self._partner_known = True
            self._partner_program = message.program
            self._become_partners(message)
            self._let_cards_come()
        else:
            self._drop_unexpected(Command.NOK1, payload)

    def _become_partners(self, message: PartnerText) -> None:
        self._agree(message.capabilities)
        held_back = {token: slot[2] for token, slot in self._slots.items() if slot[2]}
        answer = PartnerText(self._program, self.capabilities)
        self._send(0, Command.NOK1, answer.serialize())
        for token, reply in held_back.items():
            flag, share_id, _ = self._slots[token]
            self._slots[token] = (flag, share_id, None)
            self._reply(token, *reply)
        if self.peer is not None:
            self._events.append(PeerChanged(self.peer))

    def _on_keepalive(self, payload: bytes, flag: int) -> None:
        super()._on_keepalive(payload, flag)
        self._let_cards_come()

    def _let_cards_come(self) -> None:
        """Its partner text came, or something else: then it sends none, or did not wait for us."""
        if self._cards_due_at is not None:
            self._cards_due_at = None
            self._events.append(OffersDue())

    def _on_ecm(self, payload: bytes, flag: int) -> None:
        request = parse_ecm(payload)
        if self._cards_due_at is not None:
            self._let_cards_come()
        token = self._open_slot(flag, request[2])
        self._events.append(Requested(token, request))

    def _on_emm(self, payload: bytes, flag: int) -> None:
        emm = parse_emm(payload)
        self._let_cards_come()
        token = self._open_slot(flag, emm.share_id)
        self._events.append(EmmReceived(emm))
        self._reply(token, Command.EMM, b"")

    def _open_slot(self, flag: int, share_id: int) -> int:
        limit = self._queue_limit * (EXTENDED_FACTOR if self.extended else 1)
        if len(self._slots) >= limit:
            self._drop_oldest()
        self._last_token += 1
        self._slots[self._last_token] = (flag, share_id, None)
        return self._last_token

    def _drop_oldest(self) -> None:
        token = next(iter(self._slots))
        self._events.append(RequestDropped(token))
        # Plain mode: section 8. In extended mode it is trouble that passes (13.8).
        self._reply(token, Command.NOK1 if self.extended else Command.NOK2, b"")

    # Answers.

    def _reply(self, token: int, command: Command, payload: bytes) -> None:
        slots = self._slots
        slot = slots.get(token)
        if slot is None or slot[2]:
            return  # dropped over the bound, or answered already
        if self.extended:
            del slots[token]
            self._send(slot[0], command, payload)
        elif len(slots) == 1:  # as it should be in plain mode
            del slots[token]
            self._send_plain(slot[1], command, payload)
        else:
            slots[token] = (slot[0], slot[1], (command, payload))
            self._send_held_back()

    def _send_held_back(self) -> None:
        """Plain mode has no request numbers: answers go out in the order of the requests."""
        while self._slots:
            token, (_, share_id, reply) = next(iter(self._slots.items()))
            if reply is None:
                return
            del self._slots[token]
            self._send_plain(share_id, *reply)

    def _send_plain(self, share_id: int, command: Command, payload: bytes) -> None:
        if command is not _ECM:
            self._send(0, command, payload)
            return
        masked = mask(payload, node_id=self._client_number, share_id=share_id)
        self._send_frame(CW_HEADER + masked, burn=BURNT_LENGTH)


_RULES: Mapping[int, Rule[ServerProtocol]] = {
    Command.CLIENT_DATA: Rule(ServerProtocol._on_client_data, State.INTRODUCTION),
    Command.ECM: Rule(ServerProtocol._on_ecm, State.INTRODUCTION),
    Command.EMM: Rule(ServerProtocol._on_emm, State.INTRODUCTION),
    Command.KEEPALIVE: Rule(ServerProtocol._on_keepalive, State.INTRODUCTION),
    Command.NOK1: Rule(ServerProtocol._on_text),
}
ServerProtocol._rules = _RULES
