"""One client, from its connection to its last word, whatever protocol it speaks.

Theory of operation. A session goes through these steps, and may end at each of them:

    Connected       nobody knows who it is
    LoginRequested  it named an account: the port's login rule says which, and whether its host
                    fits; the protocol checks the password. From here on the log knows its name
    LoginSucceeded  the account is this session's until it ends (one F-line is one client)
    Introduced      who the program is: it has a view of the cards from now on, may ask and send
                    EMMs; requests before that are refused as trouble that passes
    OffersDue       it gets its card list, and every change from then on
    Closed          the end is told; then the connection gives back all that was taken on the
                    way, one thing after the other, whatever fails in between

`deliver`, `refuse`, `refresh`, `adopt` and `probe` may be called at any time; what they raise
ends this session and nothing else.
"""

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import assert_never

from cccamd.cards import CardTable, View, Viewer
from cccamd.ids import ShareId
from cccamd.net import Admission, Connected, ConnectError, Connection, Guest, TaskSet, comes_from
from cccamd.routing import ClientId, EmmGate, EmmVerdict, Trace, Waiter
from cccamd.server.cardlist import CardList
from cccamd.server.exchange import Exchange
from cccamd.server.loglines import CloneWatch
from cccamd.server.record import ClientRecord, RecordContext
from cccamd.setup.cccamcfg import is_open
from cccamd.setup.logins import Account, Accounts
from cccamd.setup.toml import LimitsTable
from cccamd.values import ControlWords, Emm, Refusal, Request
from cccamd.wire.cccam import Version, parse_version
from cccamd.wire.link import (
    Closed,
    CloseReason,
    EmmReceived,
    Introduced,
    LoginRequested,
    LoginSucceeded,
    OffersDue,
    Peer,
    PeerChanged,
    Remark,
    RequestDropped,
    Requested,
    ServerEvent,
    ServerSide,
    TextReceived,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientPort:
    """What is spoken on a port for clients, and who may log in there."""

    make_protocol: Callable[[float], ServerSide]
    """Makes the protocol object of a new connection, given the time."""
    account_of: Callable[[bytes], Account | None]
    """The account that a client named, if it may log in here."""


@dataclass(slots=True, kw_only=True)
class SessionContext:
    """What all sessions share. A reload replaces what comes from files."""

    accounts: Accounts
    sessions: "dict[bytes, Session]"
    """Who is logged in, by user name."""
    table: CardTable
    exchange: Exchange
    admission: Admission[Guest]
    records: RecordContext
    clones: CloneWatch
    emm_gate: EmmGate
    tasks: TaskSet
    limits: LimitsTable
    minimum_client_version: Version | None
    on_failure: Callable[[str, BaseException], None]
    """Told of every error of ours; the connection that it happened in ends."""


class Session:
    """One client's connection, account, view of the cards and open requests."""

    def __init__(self, context: SessionContext, port: ClientPort) -> None:
        protocol = port.make_protocol(asyncio.get_running_loop().time())
        self.connection = Connection(protocol, self._handle, on_failure=context.on_failure)
        self.record = ClientRecord(context.records)
        self._account: Account | None = None
        self._protocol = protocol
        self._port = port
        self._context = context
        self._client: ClientId | None = None
        """Its name at the exchange, from its introduction on."""
        self._view: View | None = None
        self._card_list: CardList | None = None
        self._requests: dict[int, Request] = {}
        """What is not answered yet, by the protocol's tokens."""

    @property
    def peer(self) -> Peer | None:
        """Who the client says it is; None before it has said so."""
        return self._protocol.peer

    @property
    def pending(self) -> int:
        """How many requests are not answered yet."""
        return len(self._requests)

    @property
    def ended(self) -> bool:
        """Whether the connection is over."""
        return self.connection.is_closed

    @property
    def told(self) -> Collection[ShareId]:
        """The cards that the client was told of."""
        return self._card_list.told if self._card_list is not None else ()

    def refresh(self) -> None:
        """Tell the client what has changed in its card list, and nothing else."""
        self.connection.attempt(self._refresh)

    def _refresh(self) -> None:
        if self._card_list is not None and self._view is not None:
            self._card_list.tell(self._view.announcements())

    def adopt(self, account: Account | None) -> None:
        """Go on with an edited F-line; a login that would fail now ends."""
        self.connection.attempt(lambda: self._adopt(account))

    def _adopt(self, account: Account | None) -> None:
        before = self._account
        if account is None or before is None or not before.same_login(account):
            self.connection.close(CloseReason.CONFIG_CHANGED)
            return
        self._take_account(account)
        if self._protocol.peer is not None:
            self._look(account, self._protocol.peer)
            self.refresh()

    def probe(self) -> None:
        """Send a sign of life: a peer that is gone answers it with the end of the connection."""
        self.connection.attempt(self._protocol.send_keepalive)
        self.connection.flush()

    def deliver(self, token: int, cw: ControlWords, trace: Trace) -> None:
        """Answer one request of the client with control words."""
        request = self._requests.pop(token, None)
        if request is None:
            return
        try:
            self._protocol.answer(token, cw)
            self._answered(request, cw, trace)
        except Exception as error:
            self.connection.fail(error)

    def refuse(self, token: int, refusal: Refusal, trace: Trace) -> None:
        """Answer one request of the client that there are no control words."""
        request = self._requests.pop(token, None)
        if request is None:
            return
        try:
            self._protocol.refuse(token, refusal)
            self._answered(request, refusal, trace)
        except Exception as error:
            self.connection.fail(error)

    def _answered(self, request: Request, answer: ControlWords | Refusal, trace: Trace) -> None:
        self.connection.flush()
        seconds = trace.ended_at - trace.asked_at
        self.record.answered(request, answer, trace, seconds=seconds)

    def _handle(self, event: ServerEvent | Connected) -> None:
        match event:
            case Requested():
                self._ask(*event)
            case Remark():
                self.record.remark(event)
            case EmmReceived(emm):
                self._pass_emm(emm)
            case RequestDropped(token):
                self._drop(token)
            case LoginRequested(user):
                self._decide_login(user)
            case LoginSucceeded():
                self._log_in()
            case Introduced(peer):
                self._introduce(peer)
            case PeerChanged(peer):
                self.record.said_more(peer)
            case OffersDue():
                self._announce_all()
            case Closed():
                self._end(event)
            case Connected(address):
                self.record.address, self.record.peer = address, self.connection.peer
                self.record.debug("connected")
            case TextReceived(text):
                self.record.text(text)
            case _:
                assert_never(event)

    # The login: between the user name and the password it is decided who may come in.

    def _decide_login(self, user: bytes) -> None:
        self._context.admission.heard(self.connection)
        shown = repr(user.decode("utf-8", "backslashreplace"))
        self.record.debug("handshake done, user %s", shown)
        account = self._port.account_of(user)
        if account is None:
            self._protocol.refuse_login(CloseReason.UNKNOWN_USER, shown)
            return
        self._take_account(account)  # from here on its name stands in the log, password or not
        holder = self._context.sessions.get(user)
        if holder is not None and not holder.ended:
            holder.probe()
            detail = f"from {holder.connection.peer}"
            self._protocol.refuse_login(CloseReason.ALREADY_CONNECTED, detail)
        elif account.line.host is None:
            self._protocol.authenticate(account.password)
        else:
            name = f"host of {self.record.name}"
            self._context.tasks.start(name, self._check_host(account, account.line.host))

    async def _check_host(self, account: Account, host: str) -> None:
        try:
            allowed = await comes_from(host, self.connection.address)
        except ConnectError:
            allowed = False
        except Exception as error:
            self.connection.fail(error)
            return
        self.connection.attempt(lambda: self._host_checked(account, host, allowed=allowed))
        self.connection.flush()

    def _host_checked(self, account: Account, host: str, *, allowed: bool) -> None:
        if self.ended:
            return
        if allowed:
            self._protocol.authenticate(account.password)
        else:
            detail = f"line {account.line.line}: {host}"
            self._protocol.refuse_login(CloseReason.WRONG_ADDRESS, detail)

    def _take_account(self, account: Account) -> None:
        self._account, self.record.line = account, account.line

    def _log_in(self) -> None:
        assert self._account is not None
        holder = self._context.sessions.get(self._account.user)
        if holder is not None and not holder.ended:  # two logins at the same moment
            self.connection.close(CloseReason.ALREADY_CONNECTED)
            return
        self._context.sessions[self._account.user] = self
        self.connection.when_ended(self._leave_account)
        self._context.admission.logged_in(self.connection)

    def _introduce(self, peer: Peer) -> None:
        version = parse_version(peer.version)
        minimum = self._context.minimum_client_version
        if minimum is not None and (version is None or version < minimum):
            self.connection.close(CloseReason.OLD_VERSION, f"{peer.version} < {minimum}")
            return
        assert self._account is not None
        self.record.logged_in(peer)
        self.record.said_more(peer)
        if peer.node_id is not None:
            clones, seen = self._context.clones, (peer.node_id, self.connection.address)
            clones.seen(*seen)
            self.connection.when_ended(lambda: clones.gone(*seen))
        self._look(self._account, peer)

    # Cards.

    def _look(self, account: Account, peer: Peer) -> None:
        viewer = Viewer(
            account=account.line,
            node_id=peer.node_id,
            global_limits=account.global_limits,
            emm_allowed=account.emm_allowed,
        )
        self._view = View(self._context.table, viewer)
        if self._client is None:
            client = self._client = self._context.exchange.add_client(self)
            self.connection.when_ended(lambda: self._leave_exchange(client))
            self.connection.when_ended(lambda: self._context.emm_gate.forget(client))

    def _announce_all(self) -> None:
        self._card_list = CardList(self.connection, self._protocol)
        self.connection.when_ended(self._card_list.close)
        self.refresh()
        self.record.debug("cards announced: %d", len(self.told))

    # ECMs and EMMs.

    def _ask(self, token: int, request: Request) -> None:
        self.record.asked(request, pending=len(self._requests) + 1)
        if self._view is None or self._client is None:
            self._protocol.refuse(token, Refusal.PASSING)
        elif not self._is_open_now():
            self.record.out_of_hours(request, self._context.exchange.router.fingerprint_of(request))
            self._protocol.refuse(token, Refusal.PASSING)
        else:
            self._requests[token] = request
            waiter = Waiter(self._client, token)
            self._context.exchange.request(waiter, self._view, request)

    def _is_open_now(self) -> bool:
        assert self._account is not None
        if not self._account.line.timeframes:
            return True
        local = time.localtime()
        return is_open(self._account.line.timeframes, 60 * local.tm_hour + local.tm_min)

    def _pass_emm(self, emm: Emm) -> None:
        if self._view is None or self._account is None or self._client is None:
            return
        card = self._view.card(emm.share_id)
        verdict = self._context.emm_gate.decide(
            self._client,
            card,
            emm.section,
            allowed=self._account.emm_allowed,
            now=self.connection.now(),
        )
        if verdict is EmmVerdict.PASSED and card is not None:
            self._context.exchange.send_emm(card, emm)
        self.record.emm_decided(emm, verdict)

    def _drop(self, token: int) -> None:
        request = self._requests.pop(token, None)
        if request is not None and self._client is not None:
            self.record.debug("too many requests at once, the oldest was refused")
            self._context.exchange.gone(Waiter(self._client, token), request)

    # The end.

    def _end(self, closed: Closed) -> None:
        """Tell of the end; what the session held is given back by its connection, next."""
        account = self._account
        if account is not None and self._context.sessions.get(account.user) is self:
            self.record.logged_out(str(closed))
        else:
            self.record.login_failed(closed)

    def _leave_account(self) -> None:
        """Free the account for the next login."""
        sessions, account = self._context.sessions, self._account
        if account is not None and sessions.get(account.user) is self:
            del sessions[account.user]

    def _leave_exchange(self, client: ClientId) -> None:
        """Nobody waits any more."""
        waiting, self._requests = self._requests, {}
        self._context.exchange.remove_client(client, waiting)
