"""One client, from its connection to its last word."""

import asyncio
import os
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass

from cccamd.cards import CardTable, View, Viewer, is_open
from cccamd.ids import ShareId
from cccamd.net import Admission, Connected, Connection, Identity, TaskSet, comes_from
from cccamd.routing import EmmGate, EmmVerdict, Trace
from cccamd.server.cardlist import CardList
from cccamd.server.clones import CloneWatch
from cccamd.server.exchange import ClientRequest, Exchange
from cccamd.server.record import ClientRecord, RecordContext
from cccamd.setup.logins import Account, Accounts
from cccamd.setup.toml import Limits
from cccamd.wire.cccam import (
    SEED_RANDOM_LENGTH,
    CardsDue,
    ClientData,
    Closed,
    CloseReason,
    ControlWords,
    EcmReceived,
    EcmRequest,
    Emm,
    EmmReceived,
    LoginRequested,
    LoginSucceeded,
    Nok,
    RequestDropped,
    ServerProtocol,
    State,
    Version,
    announced_version,
)


@dataclass(slots=True, kw_only=True)
class SessionContext:
    """What all sessions share. A reload replaces what comes from files."""

    identity: Identity
    accounts: Accounts
    sessions: "dict[bytes, Session]"
    """Who is logged in, by user name."""
    table: CardTable
    exchange: Exchange
    admission: Admission
    records: RecordContext
    clones: CloneWatch
    emm_gate: EmmGate
    tasks: TaskSet
    limits: Limits
    minimum_client_version: Version | None
    on_failure: Callable[[str, BaseException], None]
    """Told of every error of ours; the connection that it happened in ends."""


class Session:
    """One client's connection, account, view of the cards and open requests."""

    def __init__(self, context: SessionContext) -> None:
        protocol = ServerProtocol(
            node_id=context.identity.node_id,
            program=context.identity.program,
            random=os.urandom(SEED_RANDOM_LENGTH),
            now=asyncio.get_running_loop().time(),
            login_timeout=context.limits.login_timeout,
            queue_limit=context.limits.queue_limit,
        )
        self.connection = Connection(protocol, self._handle, on_failure=context.on_failure)
        self.record = ClientRecord(context.records)
        self._account: Account | None = None
        self._protocol = protocol
        self._context = context
        self._view: View | None = None
        self._card_list: CardList | None = None
        self._requests: dict[int, _Request] = {}

    @property
    def client(self) -> ClientData | None:
        """Who the client says it is; None before it has said so."""
        return self._protocol.client

    @property
    def ended(self) -> bool:
        """Whether the connection is over."""
        return self._protocol.state is State.CLOSED

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
        if self.client is not None:
            self._look(account, self.client)
            self.refresh()

    def probe(self) -> None:
        """Send a sign of life: a peer that is gone answers it with the end of the connection."""
        self.connection.attempt(self._protocol.send_keepalive)
        self.connection.flush()

    def finish(self, request: "_Request", answer: ControlWords | Nok, trace: Trace) -> None:
        """Answer one request of the client."""
        if self._requests.pop(request.request_id, None) is None:
            return
        try:
            self._finish(request, answer, trace)
        except Exception as error:
            self.connection.fail(error)

    def _finish(self, request: "_Request", answer: ControlWords | Nok, trace: Trace) -> None:
        if isinstance(answer, ControlWords):
            self._protocol.answer(request.request_id, answer)
        else:
            self._protocol.refuse(request.request_id, answer)
        self.connection.flush()
        seconds = self.connection.now() - request.asked_at
        self.record.answered(request.request, answer, trace, seconds=seconds)

    def _handle(self, event: object) -> None:
        match event:
            case EcmReceived(request_id, request):
                self._ask(request_id, request)
            case EmmReceived(emm):
                self._pass_emm(emm)
            case RequestDropped(request_id):
                self._drop(request_id)
            case LoginRequested(user):
                self._decide_login(user)
            case LoginSucceeded():
                self._log_in()
            case ClientData():
                self._introduce(event)
            case CardsDue():
                self._announce_all()
            case Closed():
                self._end(event)
            case Connected():
                self.record.address, self.record.peer = event.address, self.connection.peer
                self.record.note(event)
            case _:
                self.record.note(event)

    # The login: between the user name and the password it is decided who may come in.

    def _decide_login(self, user: bytes) -> None:
        self._context.admission.heard(self.connection)
        shown = repr(user.decode("utf-8", "backslashreplace"))
        self.record.debug("handshake done, user %s", shown)
        account = self._context.accounts.get(user)
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
            self._protocol.authenticate(account.password, version=account.version)
        else:
            name = f"host of {self.record.name}"
            self._context.tasks.start(name, self._check_host(account, account.line.host))

    async def _check_host(self, account: Account, host: str) -> None:
        try:
            allowed = await comes_from(host, self.connection.address)
        except Exception as error:
            self.connection.fail(error)
            return
        self.connection.attempt(lambda: self._host_checked(account, host, allowed=allowed))
        self.connection.flush()

    def _host_checked(self, account: Account, host: str, *, allowed: bool) -> None:
        if self._protocol.state is State.CLOSED:
            return
        if allowed:
            self._protocol.authenticate(account.password, version=account.version)
        else:
            detail = f"line {account.line.line}: {host}"
            self._protocol.refuse_login(CloseReason.WRONG_ADDRESS, detail)

    def _take_account(self, account: Account) -> None:
        self._account, self.record.line = account, account.line

    def _log_in(self) -> None:
        assert self._account is not None
        holder = self._context.sessions.get(self._account.user)
        if holder is not None and not holder.ended:  # two logins at the same moment
            self._protocol.close(CloseReason.ALREADY_CONNECTED)
            return
        self._context.sessions[self._account.user] = self
        self._context.admission.logged_in(self.connection)

    def _introduce(self, client: ClientData) -> None:
        version = announced_version(client)
        minimum = self._context.minimum_client_version
        if minimum is not None and (version is None or version < minimum):
            self._protocol.close(CloseReason.OLD_VERSION, f"{client.version} < {minimum}")
            return
        assert self._account is not None
        self.record.logged_in(client, self._protocol.revision)
        self._context.clones.seen(client.node_id, self.connection.address)
        self._look(self._account, client)

    # Cards.

    def _look(self, account: Account, client: ClientData) -> None:
        viewer = Viewer(
            account=account.line,
            node_id=client.node_id,
            global_limits=account.global_limits,
            emm_allowed=account.emm_allowed,
        )
        self._view = View(self._context.table, viewer)

    def _announce_all(self) -> None:
        self._card_list = CardList(self.connection)
        self.refresh()
        self.record.debug("cards announced: %d", len(self.told))

    # ECMs and EMMs.

    def _ask(self, request_id: int, ecm: EcmRequest) -> None:
        request = _Request(self, request_id, ecm, self.connection.now())
        self._requests[request_id] = request
        self.record.asked(ecm, pending=len(self._requests))
        if self._view is None or not self._is_open_now():
            if self._view is not None:
                self.record.out_of_hours(ecm)
            self._protocol.refuse(request_id, Nok.NOK1)
            del self._requests[request_id]
            return
        self._context.exchange.request(request, self._view, ecm)

    def _is_open_now(self) -> bool:
        assert self._account is not None
        if not self._account.line.timeframes:
            return True
        local = time.localtime()
        return is_open(self._account.line.timeframes, 60 * local.tm_hour + local.tm_min)

    def _pass_emm(self, emm: Emm) -> None:
        if self._view is None or self._account is None:
            return
        card = self._view.card(emm.share_id)
        verdict = self._context.emm_gate.decide(
            self, card, emm.emm, allowed=self._account.emm_allowed, now=self.connection.now()
        )
        if verdict is EmmVerdict.PASSED and card is not None:
            self._context.exchange.send_emm(card, emm)
        self.record.emm_decided(emm, verdict)

    def _drop(self, request_id: int) -> None:
        request = self._requests.pop(request_id, None)
        if request is not None:
            self.record.debug("too many requests at once, the oldest was refused")
            self._context.exchange.gone([request])

    # The end.

    def _end(self, closed: Closed) -> None:
        """Give back all that the session holds. Each callback runs, whatever another raises."""
        context = self._context
        waiting = list(self._requests.values())
        self._requests.clear()
        with ExitStack() as held:
            held.callback(self._tell_of_end, closed, logged_in=self._leave_account())
            if self.client is not None:
                held.callback(context.clones.gone, self.client.node_id, self.connection.address)
            if self._card_list is not None:
                held.callback(self._card_list.close)
            held.callback(context.emm_gate.forget, self)
            held.callback(context.exchange.gone, waiting)

    def _leave_account(self) -> bool:
        """Free the account for the next login; whether this session had it."""
        sessions, account = self._context.sessions, self._account
        if account is None or sessions.get(account.user) is not self:
            return False
        del sessions[account.user]
        return True

    def _tell_of_end(self, closed: Closed, *, logged_in: bool) -> None:
        if logged_in:
            self.record.logged_out(str(closed))
        else:
            self.record.login_failed(closed)


@dataclass(slots=True, eq=False)
class _Request(ClientRequest):
    session: Session
    request_id: int
    request: EcmRequest
    asked_at: float

    def deliver(self, cw: ControlWords, trace: Trace) -> None:
        self.session.finish(self, cw, trace)

    def refuse(self, nok: Nok, trace: Trace) -> None:
        self.session.finish(self, nok, trace)
