"""One dvbapi client: its services, from the CA_PMT to the control words.

Theory of operation. The protocol object (`cccamd.wire.dvbapi`) says what the client says, the
softcam (`cccamd.softcam`) decides, and this carries out its orders: what is for the client goes
to the protocol object, all of it in one write; ECMs go the way of everybody's, through exchange,
router and cache; EMMs go through the gate. Each service has a record with a number of its own, so
that eight services are eight viewers to whoever watches, and not one that zaps.

Nobody logs in: a client is what the account of `[dvbapi]` is, from its first byte to its end.
"""

import asyncio
from collections.abc import Collection, Generator
from dataclasses import dataclass, field
from typing import Final, assert_never

from cccamd import PROGRAM
from cccamd.facts import DVBAPI, EcmResult
from cccamd.ids import Ident, ShareId, format_caid
from cccamd.net import Admission, Alarm, Connected, Connection, FairPlay, Guest
from cccamd.routing import ClientId, EmmVerdict, Told, Trace, Waiter
from cccamd.routing import Result as TraceResult
from cccamd.server.dvbapi.door import UNREAD_LIMIT
from cccamd.server.dvbapi.outlook import Outlook
from cccamd.server.dvbapi.service import SelectedService
from cccamd.server.exchange import result_of
from cccamd.server.record import ClientRecord
from cccamd.server.sessioncontext import SessionContext, shut_now
from cccamd.setup.logins import Account
from cccamd.softcam import (
    AnsweredBy,
    Ask,
    Began,
    Ended,
    Forget,
    House,
    Order,
    PassEmm,
    RemovePid,
    Selected,
    SetFilter,
    SetHalf,
    SetPid,
    Softcam,
    StopFilter,
    TellEcm,
    TooMany,
)
from cccamd.values import ControlWords, Emm, Refusal, Request
from cccamd.watch import ServiceReleased, ServiceSelected
from cccamd.wire.dvbapi import (
    ClientIntroduced,
    DvbapiEvent,
    DvbapiServer,
    EcmInfo,
    LocalDemuxExpected,
    SectionReceived,
    ServiceListed,
    Stopped,
)
from cccamd.wire.link import Closed, CloseReason, Peer, Remark

TEXT_LIMIT: Final = 60
"""Letters of what a client calls itself that are shown."""
UNIX: Final = "unix socket"


@dataclass(slots=True, kw_only=True)
class DvbapiHome:
    """What all dvbapi clients share. A reload replaces what comes from files."""

    context: SessionContext
    admission: Admission[Guest]
    fair: FairPlay
    account: Account
    """Whose rights and cards are theirs."""
    outlook: Outlook
    """What they see of the cards."""
    house: House
    selected: dict[int, SelectedService] = field(default_factory=dict)
    """All services that any of them wants clear, by the numbers of their records."""


class DvbapiSession:
    """One client's connection, its softcam, and its open requests."""

    def __init__(self, home: DvbapiHome) -> None:
        self._protocol = DvbapiServer(asyncio.get_running_loop().time())
        self.connection: Connection[DvbapiEvent] = Connection(
            self._protocol, self._handle, on_failure=home.context.on_failure, fair=home.fair
        )
        self.record = ClientRecord(home.context.records)
        self.record.line = home.account.line
        self.peer: Peer | None = None
        """Who the client says it is; None before it has said anything."""
        self._home = home
        self._context = home.context
        self._softcam = Softcam(home.house)
        self._alarm = Alarm(self)
        self._client: ClientId | None = None
        self._services: dict[int, SelectedService] = {}
        self._requests: dict[int, tuple[SelectedService, Request]] = {}
        self._works = False
        self._is_logged = False

    # What others may know.

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
        """The cards that it may use: one object for all that may use the same."""
        return self._home.outlook.view.shown.offers

    @property
    def services(self) -> Collection[SelectedService]:
        """What it wants clear, as it was listed."""
        return self._services.values()

    @property
    def softcam(self) -> Softcam:
        """What is done for each of them."""
        return self._softcam

    # What may come from outside.

    def adopt(self) -> None:
        """Go on with an edited F-line; the home has it already."""
        self.record.line = self._home.account.line
        for service in self._services.values():
            service.record.line = self.record.line
        self.connection.attempt(self._judge_requests_anew)
        self.connection.flush()

    def _judge_requests_anew(self) -> None:
        """Who waits has the rights that it has now, not those that it had when it asked."""
        client, exchange = self._client, self._context.exchange
        if client is None:
            return
        shut = shut_now(self._home.account)
        if shut is None:
            waiting = {token: request for token, (_, request) in self._requests.items()}
            exchange.rights_changed(client, self._home.outlook.view, waiting)
            return
        requests, self._requests = self._requests, {}
        for token, (service, request) in requests.items():
            exchange.gone(Waiter(client, token), request)
            service.record.out_of_hours(request, exchange.router.fingerprint_of(request), shut)
            self._softcam.refused(token, Refusal.PASSING, self.connection.now())
        self._carry_out()

    def refreshing(self) -> Generator[None, None, None]:
        """Look at all services anew, after the cards have changed: in small steps."""
        yield from self._home.outlook.view.looks()
        for _ in self._softcam.cards_changed(self.connection.now()):
            self.connection.attempt(self._carry_out)
            self.connection.flush()
            yield

    def deliver(self, token: int, cw: ControlWords, trace: Trace) -> None:
        """There are control words for a request."""
        self.connection.attempt(lambda: self._deliver(token, cw, trace))
        self._flush()

    def refuse(self, token: int, refusal: Refusal, trace: Trace) -> None:
        """There are none."""
        self.connection.attempt(lambda: self._refuse(token, refusal, trace))
        self._flush()

    # What the client says.

    def _handle(self, event: DvbapiEvent | Connected) -> None:
        now = self.connection.now()
        match event:
            case SectionReceived(demux, number, section):
                self._softcam.heard(demux, number, section, now)
            case ServiceListed(channel, pmt):
                self._meet("a program that does not say what it is")
                if self._protocol.local_demux is None:
                    self._softcam.listed(channel, pmt, now)
            case Stopped(number):
                self._softcam.stopped(number, now)
            case ClientIntroduced(_, text):
                self._protocol.introduce(f"{PROGRAM} (dvbapi 3)")
                self._meet(text)
                self._softcam.introduced(text)
            case LocalDemuxExpected():
                self._tell(event.program.value, str(event))
            case Remark():
                self.record.remark(event)
            case Connected():
                self._begin()
            case Closed():
                self._end(event)
            case _:
                assert_never(event)
        self._carry_out()

    def _begin(self) -> None:
        connection = self.connection
        process = connection.local_peer
        if process is not None:
            connection.address = f"{UNIX}, {process}"
        self.record.address, self.record.peer = connection.address, f"dvbapi/{connection.peer}"
        self.record.debug("connected")
        connection.when_ended(self._release)

    def _meet(self, text: str) -> None:
        """The client said its first word that makes sense."""
        if self.peer is not None:
            return
        shown = "".join(each if each.isprintable() else " " for each in text)[:TEXT_LIMIT].strip()
        self.peer = Peer(program=shown, version=f"{DVBAPI}{self._protocol.version}")
        self.record.program = shown
        self.record.peer = f"dvbapi/{shown} at {self.connection.peer}"
        self._home.admission.logged_in(self.connection)  # until now it gave way to who comes
        client = self._client = self._context.exchange.add_client(self)
        self.connection.when_ended(self._leave_exchange, client)
        self.connection.when_ended(self._context.emm_gate.forget, client)
        self._is_logged = self._may_log("came in by dvbapi")
        if self._is_logged:
            self.record.logged_in(self.peer)

    def _end(self, closed: Closed) -> None:
        """Tell of the end; what the client held is given back by its connection, next."""
        if self._is_logged:
            self.record.logged_out(closed)
        elif self.peer is None and self._may_log(closed.reason.value):
            self.record.info("left before it said anything that dvbapi knows: %s", closed)
        else:
            self.record.debug("left: %s", closed)

    def _release(self) -> None:
        """Give back all that the softcam has."""
        self._alarm.end()
        self._softcam.end(self.connection.now())
        self._carry_out()

    def _leave_exchange(self, client: ClientId) -> None:
        """Nobody waits any more."""
        waiting = {token: request for token, (_, request) in self._requests.items()}
        self._requests.clear()
        self._context.exchange.remove_client(client, waiting)

    # Orders.

    def _carry_out(self) -> None:
        """Do all that is to be done; an answer that comes meanwhile makes more of it."""
        if self._works:
            return
        self._works = True
        try:
            while orders := self._softcam.orders():
                for order in orders:
                    self._carry_out_one(order)
        finally:
            self._works = False
        if self.ended:
            return
        self._alarm.set(self._softcam.next_deadline())
        if self.connection.unsent > UNREAD_LIMIT:
            detail = f"{UNREAD_LIMIT // 1024} KiB unread"
            self.connection.close(CloseReason.NOT_READING, detail)

    def _carry_out_one(self, order: Order) -> None:
        protocol = self._protocol
        match order:
            case SetHalf(channel, key, parity, cw):
                protocol.set_descrambler(channel, key, parity, cw)
            case Ask(token, number, _, request):
                self._ask(token, self._services[number], request)
            case TellEcm():
                self._tell_ecm(order)
            case SetFilter():
                protocol.set_filter(*order)
            case StopFilter():
                protocol.stop_filter(*order)
            case SetPid():
                protocol.set_pid(*order)
            case RemovePid():
                protocol.remove_pid(*order)
            case Forget(token):
                self._forget(token)
            case PassEmm(number):
                self._pass_emm(self._services[number], order)
            case Began(number, selected):
                self._begin_service(number, selected)
            case Ended(number):
                self._end_service(number)
            case TooMany(identity):
                self._tell("one service too many", f"too many services; not {identity.service:04X}")
            case _:
                assert_never(order)

    def _tell_ecm(self, order: TellEcm) -> None:
        channel, sid, ecm, seconds, by = order
        info = EcmInfo(
            service=sid,
            caid=ecm.caid,
            pid=ecm.pid,
            ident=ecm.ident,
            milliseconds=round(1000 * seconds),
            system=format_caid(ecm.caid),
            reader=by.reader,
            source=by.source,
            protocol=by.protocol,
            hops=by.hops,
        )
        self._protocol.ecm_info(channel, info)

    def _begin_service(self, number: int, selected: Selected) -> None:
        record = ClientRecord(self._context.records)
        record.line, record.address = self.record.line, self.record.address
        record.peer, record.program = self.record.peer, self.record.program
        service = SelectedService(session=self, record=record, selected=selected)
        self._services[number] = self._home.selected[record.number] = service
        identity, observers = service.identity, self._context.records.observers
        happening = ServiceSelected(
            at=observers.now(), account=record.user, client=record.number, address=record.address
        )
        observers.tell(happening)
        self.record.debug("service %04X on adapter %d", identity.service, identity.adapter)

    def _end_service(self, number: int) -> None:
        record = self._services.pop(number).record
        self._home.selected.pop(record.number, None)
        observers = self._context.records.observers
        happening = ServiceReleased(at=observers.now(), account=record.user, client=record.number)
        observers.tell(happening)

    # ECMs and EMMs.

    def _ask(self, token: int, service: SelectedService, request: Request) -> None:
        service.record.asked(request, pending=len(self._requests) + 1)
        self.record.usage.asked(request, now=self._context.records.observers.now())
        exchange, client, now = self._context.exchange, self._client, self.connection.now()
        if client is None or self._context.fair.is_closing:
            self._softcam.refused(token, Refusal.PASSING, now)
            return
        shut = shut_now(self._home.account)
        if shut is not None:
            service.record.out_of_hours(request, exchange.router.fingerprint_of(request), shut)
            self._softcam.refused(token, Refusal.PASSING, now)
            return
        self._requests[token] = service, request
        told = exchange.request(Waiter(client, token), self._home.outlook.view, request)
        if told is not None:
            del self._requests[token]
            self._take_told(token, service, told)

    def _take_told(self, token: int, service: SelectedService, told: Told) -> None:
        now = self.connection.now()
        trace = told.trace(now)
        service.record.told(told, now)
        seconds = now - told.asked_at
        by = self._count(told.wanted.request, EcmResult.CW, trace, seconds=seconds)
        self._softcam.answered(token, told.cw, by, seconds=seconds, now=now)

    def _deliver(self, token: int, cw: ControlWords, trace: Trace) -> None:
        service, request = self._requests.pop(token, (None, None))
        if service is None or request is None:
            return
        seconds = trace.ended_at - trace.asked_at
        service.record.answered(request, cw, trace, seconds=seconds)
        by = self._count(request, EcmResult.CW, trace, seconds=seconds)
        self._softcam.answered(token, cw, by, seconds=seconds, now=self.connection.now())
        self._carry_out()

    def _refuse(self, token: int, refusal: Refusal, trace: Trace) -> None:
        service, request = self._requests.pop(token, (None, None))
        if service is None or request is None:
            return
        if refusal is Refusal.PASSING:
            # A card that came meanwhile may have told the CW to somebody else.
            told = self._context.exchange.known(self._home.outlook.view, request)
            if told is not None:
                self._take_told(token, service, told)
                self._carry_out()
                return
        seconds = trace.ended_at - trace.asked_at
        service.record.answered(request, refusal, trace, seconds=seconds)
        self._count(request, result_of(refusal), trace, seconds=seconds)
        self._softcam.refused(token, refusal, self.connection.now())
        self._carry_out()

    def _count(
        self, request: Request, result: EcmResult, trace: Trace, *, seconds: float
    ) -> AnsweredBy:
        """What a service did, its client did. Return who gave the CW."""
        card = trace.winner
        found = self._context.exchange.source_of(card) if card is not None else None
        name, local = found or ("", None)
        self.record.usage.finished(
            request, result=result, source=name, local=local, seconds=seconds
        )
        cached = trace.result is TraceResult.CACHED
        if card is None or found is None:
            return AnsweredBy(source="cache")
        return AnsweredBy(
            reader=name if local else f"card at hop {card.hop}",
            source="cache" if cached else name if local else "peer",
            protocol="local" if local else "network",
            hops=card.hop,
        )

    def _forget(self, token: int) -> None:
        _, request = self._requests.pop(token, (None, None))
        if request is not None and self._client is not None:
            self._context.exchange.gone(Waiter(self._client, token), request)

    def _pass_emm(self, service: SelectedService, order: PassEmm) -> None:
        card = self._home.outlook.view.card(order.card)
        if self._client is None:
            return
        ident = card.providers[0].ident if card is not None and card.providers else Ident(0)
        emm = Emm(order.caid, ident, order.card, order.section)
        verdict = self._context.emm_gate.decide(
            self._client,
            card,
            emm.section,
            allowed=self._home.account.emm_allowed,
            emm_to=self._home.account.line.emm_to,
            now=self.connection.now(),
        )
        if verdict is EmmVerdict.PASSED and card is not None:
            self._context.exchange.send_emm(card, emm)
        service.record.emm_decided(emm, verdict)
        self.record.usage.emms_sent += 1
        self.record.usage.emms_passed += verdict is EmmVerdict.PASSED

    # Time, and the way out.

    def ring(self) -> None:
        """Do what is due."""
        self.connection.attempt(self._wake)
        self._flush()

    def _wake(self) -> None:
        self._softcam.handle_deadline(self.connection.now())
        self._carry_out()

    def _flush(self) -> None:
        if not self._works:  # whoever carries orders out writes it all at once
            self.connection.flush()

    def _may_log(self, cause: str) -> bool:
        """Whether a line is written that a client may cause as often as it likes."""
        return self._context.records.door_log.admits(self.connection.address, cause)

    def _tell(self, cause: str, text: str) -> None:
        if self._may_log(cause):
            self.record.info("%s", text)
