"""One client, from its connection to its last word."""

import asyncio
import logging
import os
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from cccamd.cards import CardTable, View, Viewer, difference, is_open
from cccamd.daemon.accounts import Account, Accounts, is_address, resolves_to, same_address
from cccamd.daemon.clones import CloneWatch
from cccamd.daemon.doorlog import DoorLog
from cccamd.daemon.exchange import ClientRequest, Exchange
from cccamd.daemon.observers import Observers
from cccamd.daemon.usage import ClientUsage, Totals
from cccamd.daemon.words import describe_partner, describe_request
from cccamd.diag import (
    ClientLoggedIn,
    ClientLoggedOut,
    EcmFinished,
    EcmResult,
    EmmFinished,
    LoginFailed,
)
from cccamd.ids import ShareId, format_node_id
from cccamd.net import Admission, Connected, Connection, Identity, TaskSet
from cccamd.routing import EmmGate, EmmVerdict, Result, Trace
from cccamd.toml import Limits
from cccamd.wire import (
    SEED_RANDOM_LENGTH,
    CardAdded,
    CardRemoved,
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
    MalformedReceived,
    Nok,
    PartnerText,
    RequestDropped,
    ServerProtocol,
    State,
    TextReceived,
    UnexpectedReceived,
    Version,
    announced_version,
    command_name,
)

log = logging.getLogger("cccamd.client")

ECM_TABLE_IDS = (0x80, 0x81)
_RESULTS = {Nok.NOK1: EcmResult.NOK1, Nok.NOK2: EcmResult.NOK2}


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
    door_log: DoorLog
    clones: CloneWatch
    observers: Observers
    totals: Totals
    emm_gate: EmmGate
    tasks: TaskSet
    limits: Limits
    minimum_client_version: Version | None
    show_timing: bool


class Session:
    """One client's connection, account, view of the cards and open requests."""

    def __init__(self, context: SessionContext) -> None:
        loop = asyncio.get_running_loop()
        protocol = ServerProtocol(
            node_id=context.identity.node_id,
            program=context.identity.program,
            random=os.urandom(SEED_RANDOM_LENGTH),
            now=loop.time(),
            login_timeout=context.limits.login_timeout,
            queue_limit=context.limits.queue_limit,
        )
        self.connection = Connection(protocol, self._handle)
        self.account: Account | None = None
        self._protocol = protocol
        self._context = context
        self._view: View | None = None
        self._told: Mapping[ShareId, CardAdded] | None = None
        self._requests: dict[int, _Request] = {}
        now = context.observers.now()
        self.usage = ClientUsage(connected_at=now, heard_at=now)
        self.program = ""
        """What the client calls itself; empty without a partner text."""

    @property
    def name(self) -> str:
        """How logs name it: account, once it is known, and address."""
        user = f"{self.account.line.user}@" if self.account is not None else ""
        return user + self.connection.peer

    @property
    def is_introduced(self) -> bool:
        """Whether the client has said who it is."""
        return self._protocol.client is not None

    @property
    def client(self) -> ClientData:
        """Who the client says it is; only after it has said so."""
        assert self._protocol.client is not None
        return self._protocol.client

    @property
    def told(self) -> Collection[ShareId]:
        """The cards that the client was told of."""
        return self._told or ()

    def refresh(self) -> None:
        """Tell the client what has changed in its card list, and nothing else."""
        if self._told is None or self._view is None:
            return
        announcements = self._view.announcements()
        for message in difference(self._told, announcements):
            if isinstance(message, CardRemoved):
                self._protocol.withdraw(message)
            else:
                self._protocol.announce(message)
        self._told = dict(announcements)
        self.connection.flush()

    def adopt(self, account: Account | None) -> None:
        """Go on with an edited F-line; a login that would fail now ends."""
        assert self.account is not None
        before, self.account = self.account, account or self.account
        if account is None or not before.same_login(account):
            self.connection.close(CloseReason.CONFIG_CHANGED)
        elif self._protocol.client is not None:
            self._look(account, self._protocol.client)
            self.refresh()

    def probe(self) -> None:
        """Send a sign of life: a peer that is gone answers it with the end of the connection."""
        self._protocol.send_keepalive()
        self.connection.flush()

    def finish(self, request: "_Request", answer: ControlWords | Nok, trace: Trace) -> None:
        """Answer one request of the client."""
        if self._requests.pop(request.request_id, None) is None:
            return
        if isinstance(answer, ControlWords):
            self._protocol.answer(request.request_id, answer)
        else:
            self._protocol.refuse(request.request_id, answer)
        self.connection.flush()
        self._account_for(request, answer, trace)

    def _account_for(self, request: "_Request", answer: ControlWords | Nok, trace: Trace) -> None:
        """Count, log and report an answer, after it went out."""
        seconds = self.connection.now() - request.asked_at
        source = self._context.exchange.source(trace.winner.source) if trace.winner else None
        result = EcmResult.CW if isinstance(answer, ControlWords) else _RESULTS[answer]
        self.usage.finished(
            request.request,
            result=result.value,
            source=source.name if source else "",
            local=source is None or source.local,
            seconds=seconds,
        )
        level = logging.INFO if self._context.show_timing else logging.DEBUG
        if log.isEnabledFor(level):
            words = describe_request(request.request)
            milliseconds = 1000 * seconds
            text = "%s: %s: %s in %.1f ms, %s"
            log.log(level, text, self.name, words, result.value, milliseconds, trace)
        if self._context.observers:
            self._report(request.request, result, trace, seconds=seconds)

    def _report(
        self, request: EcmRequest, result: EcmResult, trace: Trace, *, seconds: float
    ) -> None:
        assert self.account is not None
        observers = self._context.observers
        table_id = request.ecm[0]
        observers.tell(
            EcmFinished(
                at=observers.now(),
                account=self.account.line.user,
                caid=request.caid,
                ident=request.ident,
                sid=request.sid,
                parity=table_id if table_id in ECM_TABLE_IDS else 0,
                fingerprint=hash((request.caid, request.ident, request.ecm)),
                result=result,
                seconds=seconds,
                source=self.usage.last_source,
                cached=trace.result is Result.CACHED,
            )
        )

    # The login.

    def _decide_login(self, user: bytes) -> None:
        self._context.admission.heard(self.connection)
        log.debug("%s: handshake done, user %r", self.name, user.decode("utf-8", "replace"))
        account = self._context.accounts.get(user)
        if account is None:
            shown = user.decode("utf-8", "backslashreplace")
            self._protocol.refuse_login(CloseReason.UNKNOWN_USER, repr(shown))
            return
        self.account = account
        if (holder := self._context.sessions.get(user)) is not None:
            holder.probe()
            detail = f"from {holder.connection.peer}"
            self._protocol.refuse_login(CloseReason.ALREADY_CONNECTED, detail)
            return
        self._check_host(account)

    def _check_host(self, account: Account) -> None:
        host = account.line.host
        if host is None:
            self._authenticate(account)
        elif is_address(host):
            self._finish_host_check(account, same_address(host, self.connection.address))
        else:
            work = self._resolve_host(account, host)
            self._context.tasks.start(f"resolve {host} for {self.name}", work)

    async def _resolve_host(self, account: Account, host: str) -> None:
        allowed = await resolves_to(host, self.connection.address)
        if self._protocol.state is not State.CLOSED:
            self._finish_host_check(account, allowed)
            self.connection.flush()

    def _finish_host_check(self, account: Account, allowed: bool) -> None:
        if allowed:
            self._authenticate(account)
        else:
            detail = f"line {account.line.line}: {account.line.host}"
            self._protocol.refuse_login(CloseReason.WRONG_ADDRESS, detail)

    def _authenticate(self, account: Account) -> None:
        self._protocol.authenticate(account.password, version=account.version)

    def _log_in(self) -> None:
        assert self.account is not None
        user = self.account.line.user_bytes()
        if user in self._context.sessions:  # two logins at the same moment
            self._protocol.close(CloseReason.ALREADY_CONNECTED)
            return
        self._context.sessions[user] = self
        self._context.admission.logged_in(self.connection)

    def _introduce(self, client: ClientData) -> None:
        version = announced_version(client)
        minimum = self._context.minimum_client_version
        if minimum is not None and (version is None or version < minimum):
            self._protocol.close(CloseReason.OLD_VERSION, f"{client.version} < {minimum}")
            return
        assert self.account is not None
        log.info(
            "%s: logged in; version %s build %s, %s, node id %s",
            self.name,
            client.version,
            client.build,
            self._protocol.revision.value,
            format_node_id(client.node_id),
        )
        self._context.clones.seen(client.node_id, self.connection.address)
        self._context.observers.tell(
            ClientLoggedIn(
                at=self._context.observers.now(),
                account=self.account.line.user,
                address=self.connection.address,
                version=client.version,
                build=client.build,
                revision=self._protocol.revision.value,
                node_id=client.node_id,
            )
        )
        self._look(self.account, client)

    def _look(self, account: Account, client: ClientData) -> None:
        viewer = Viewer(
            account=account.line,
            node_id=client.node_id,
            global_limits=account.global_limits,
            emm_allowed=account.emm_allowed,
        )
        self._view = View(self._context.table, viewer)

    def _announce_all(self) -> None:
        self._told = {}
        self.refresh()
        log.debug("%s: %d cards announced", self.name, len(self._told))

    # Events.

    def _handle(self, event: object) -> None:
        match event:
            case EcmReceived(request_id, request):
                self._ask(request_id, request)
            case LoginRequested(user):
                self._decide_login(user)
            case LoginSucceeded():
                self._log_in()
            case ClientData():
                self._introduce(event)
            case CardsDue():
                self._announce_all()
            case PartnerText():
                self.program = event.program
                log.info("%s: %s", self.name, describe_partner(event))
            case RequestDropped(request_id):
                self._drop(request_id)
            case EmmReceived(emm):
                self._pass_emm(emm)
            case Closed():
                self._end(event)
            case _:
                self._note(event)

    def _ask(self, request_id: int, ecm: EcmRequest) -> None:
        request = _Request(self, request_id, ecm, self.connection.now())
        self._requests[request_id] = request
        now = self._context.observers.now()
        pending, totals = len(self._requests), self._context.totals
        self.usage.asked(ecm, now=now)
        totals.ecms += 1
        totals.peak_pending = max(totals.peak_pending, pending)
        if self._view is None or not self._is_open_now():
            self._protocol.refuse(request_id, Nok.NOK1)
            del self._requests[request_id]
            log.debug("%s: %s: outside its hours", self.name, describe_request(ecm))
            return
        if log.isEnabledFor(logging.DEBUG):
            log.debug("%s: asks %s", self.name, describe_request(ecm))
        self._context.exchange.request(request, self._view, ecm)

    def _is_open_now(self) -> bool:
        assert self.account is not None
        if not self.account.line.timeframes:
            return True
        local = time.localtime()
        return is_open(self.account.line.timeframes, 60 * local.tm_hour + local.tm_min)

    def _pass_emm(self, emm: Emm) -> None:
        if self._view is None or self.account is None:
            return
        context = self._context
        card = self._view.card(emm.share_id)
        verdict = context.emm_gate.decide(
            self, card, emm.emm, allowed=self.account.emm_allowed, now=self.connection.now()
        )
        log.debug("%s: EMM of %d bytes: %s", self.name, len(emm.emm), verdict.value)
        passed = verdict is EmmVerdict.PASSED
        context.totals.emms += 1
        self.usage.emms_sent += 1
        self.usage.emms_passed += passed
        if passed and card is not None:
            context.exchange.send_emm(card, emm)
        context.observers.tell(
            EmmFinished(
                at=context.observers.now(),
                account=self.account.line.user,
                caid=emm.caid,
                passed=passed,
                verdict=verdict.value,
            )
        )

    def _drop(self, request_id: int) -> None:
        request = self._requests.pop(request_id, None)
        if request is not None:
            log.debug("%s: too many requests at once, one refused", self.name)
            self._context.exchange.gone([request])

    def _end(self, closed: Closed) -> None:
        context = self._context
        context.admission.leave(self.connection)
        waiting = list(self._requests.values())
        self._requests.clear()
        context.exchange.gone(waiting)
        context.emm_gate.forget(self)
        user = self.account.line.user_bytes() if self.account is not None else b""
        if context.sessions.get(user) is self:
            del context.sessions[user]
            if self._protocol.client is not None:
                context.clones.gone(self._protocol.client.node_id, self.connection.address)
            self._report_logout(str(closed))
        else:
            self._report_failure(closed)

    def _report_logout(self, reason: str) -> None:
        assert self.account is not None
        log.info("%s: logged out: %s", self.name, reason)
        observers = self._context.observers
        account, address = self.account.line.user, self.connection.address
        observers.tell(
            ClientLoggedOut(at=observers.now(), account=account, address=address, reason=reason)
        )

    def _report_failure(self, closed: Closed) -> None:
        address, observers = self.connection.address, self._context.observers
        self._context.totals.logins_failed += 1
        self._context.door_log.failed(self.name, address, closed)
        account = self.account.line.user if self.account is not None else ""
        observers.tell(
            LoginFailed(at=observers.now(), account=account, address=address, reason=str(closed))
        )

    def _note(self, event: object) -> None:
        match event:
            case Connected():
                log.debug("%s: connected", self.name)
            case TextReceived(text):
                log.info("%s: says: %s", self.name, text)
            case UnexpectedReceived(command, length):
                log.debug("%s: %s of %d bytes ignored", self.name, command_name(command), length)
            case MalformedReceived(command, _, why):
                log.debug("%s: malformed %s ignored: %s", self.name, command_name(command), why)


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
