"""One client, from its connection to its last word, whatever protocol it speaks.

Theory of operation. A session goes through these steps, and may end at each of them:

    Connected       nobody knows who it is
    LoginRequested  it named an account, and wants in: `server/login.py` decides
    LoginProved     the password was right; there may be other reasons to turn it away
    LoginSucceeded  it has a seat of the account until it ends
    Introduced      who the program is: it has a view of the cards from now on, may ask and send
                    EMMs; requests before that are refused as trouble that passes
    OffersDue       it gets its card list, and every change from then on
    Closed          the end is told; then the connection gives back all that was taken on the
                    way, one thing after the other, whatever fails in between

`deliver`, `refuse`, `refresh`, `adopt` and `probe` may be called at any time; what they raise
ends this session and nothing else.
"""

import asyncio
from collections.abc import Collection, Generator
from typing import Final, NoReturn, assert_never

from cccamd.cards import View, Viewer
from cccamd.ids import SHARED_NODE_IDS, NodeId, ShareId
from cccamd.net import (
    Connected,
)
from cccamd.routing import (
    ClientId,
    EmmVerdict,
    NodeHolder,
    Told,
    Trace,
    Waiter,
)
from cccamd.server.cardlist import CardList
from cccamd.server.login import Login
from cccamd.server.record import ClientRecord
from cccamd.server.seats import PATIENCE, QUIET, decided
from cccamd.server.sessioncontext import ClientPort, SessionContext, shut_now
from cccamd.setup.logins import Account
from cccamd.values import ControlWords, Emm, Refusal, Request
from cccamd.wire.cccam import find_version
from cccamd.wire.link import (
    Closed,
    CloseReason,
    EmmReceived,
    Introduced,
    LoginProved,
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

_new = tuple.__new__  # half the price of calling the class, where one is made for every ECM
LOOKED_AT_ONCE: Final = 200
"""Cards that are judged while others wait: a millisecond."""


class Session:
    """One client's connection, account, view of the cards and open requests."""

    # There are thousands: without them each takes a third more.
    __slots__ = (
        "_account",
        "_card_list",
        "_client",
        "_context",
        "_intake",
        "_is_introduced",
        "_login",
        "_node_holder",
        "_port",
        "_probed_at",
        "_protocol",
        "_requests",
        "_view",
        "connection",
        "record",
    )

    def __init__(
        self, context: SessionContext, port: ClientPort, protocol: ServerSide | None = None
    ) -> None:
        """`protocol`: one that has begun already; None: the port makes one."""
        protocol = protocol or port.make_protocol(asyncio.get_running_loop().time())
        self.connection = port.make_connection(
            protocol, self._handle, on_failure=context.on_failure, fair=context.fair
        )
        self._intake = self.connection.intake
        self.record = ClientRecord(context.records)
        self._account: Account | None = None
        self._login: Login | None = None
        """Between its user name and its introduction."""
        self._protocol = protocol
        self._port = port
        self._context = context
        self._client: ClientId | None = None
        """Its name at the exchange, from its introduction on."""
        self._view: View | None = None
        self._card_list: CardList | None = None
        self._node_holder: NodeHolder | None = None
        """What stands for it among all who have a node id."""
        self._is_introduced = False
        self._probed_at = 0.0
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

    @property
    def services(self) -> tuple[NoReturn, ...]:
        """What it wants clear at once: it asks ECMs, and says no more of what it watches."""
        return ()

    def refreshing(self) -> Generator[None, None, None]:
        """Tell the client what has changed in its card list, and nothing else: in small steps."""
        try:
            yield from self._refreshing()
        except Exception as error:  # the others are to get their lists
            self.connection.fail(error)

    def _refreshing(self) -> Generator[None, None, None]:
        if self._card_list is not None and self._view is not None:
            yield from self._view.looks()
            self.refresh()

    def refresh(self) -> None:
        """The same at once, or when its turn comes if many cards are to be looked at."""
        self.connection.attempt(self._refresh)

    def _refresh(self) -> None:
        view = self._view
        if self._card_list is None or view is None:
            return
        if view.behind > LOOKED_AT_ONCE:
            self._context.on_list_due()
            return
        for _ in view.looks():
            pass
        self._card_list.tell(view)

    def adopt(self, account: Account | None) -> None:
        """Go on with an edited F-line; a login that would fail now ends."""
        self.connection.attempt(lambda: self._adopt(account))

    def _adopt(self, account: Account | None) -> None:
        before = self._account
        if account is None or before is None or not before.same_login(account):
            self.connection.close(CloseReason.CONFIG_CHANGED)
            return
        if self not in self._context.seats.of(account.user)[: account.logins]:
            self.connection.close(CloseReason.CONFIG_CHANGED, f"logins = {account.logins}")
            return
        self._account, self.record.line = account, account.line
        if self._protocol.peer is not None:
            self._look(account, self._protocol.peer)
            self._judge_requests_anew(account)
            self.refresh()

    def _judge_requests_anew(self, account: Account) -> None:
        """Who waits has the rights that it has now, not those that it had when it asked."""
        if self._view is None or self._client is None:
            return
        shut = shut_now(account)
        if shut is None:
            self._context.exchange.rights_changed(self._client, self._view, self._requests)
            return
        for token, request in list(self._requests.items()):
            self._context.exchange.gone(Waiter(self._client, token), request)
            del self._requests[token]
            fingerprint = self._context.exchange.router.fingerprint_of(request)
            self.record.out_of_hours(request, fingerprint, shut)
            self._protocol.refuse(token, Refusal.PASSING)

    def probe(self) -> None:
        """Ask for a sign of life: a peer that is gone may answer with the end of the connection."""
        self._probed_at = self.connection.now()
        self.connection.attempt(self._protocol.send_keepalive)
        self.connection.flush()

    @property
    def lives(self) -> bool:
        """Whether there was a sign of life since `probe`."""
        heard_at = self.connection.heard_at
        if heard_at > self._probed_at:
            return True
        return self._probed_at - heard_at < QUIET and self.connection.is_acknowledged()

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
            told = self._learnt_meanwhile(request, refusal)
            if told is not None:
                late = told.trace(trace.ended_at)
                late.asked_at = trace.asked_at
                self._protocol.answer(token, told.cw)
                self._answered(request, told.cw, late)
                return
            self._protocol.refuse(token, refusal)
            self._answered(request, refusal, trace)
        except Exception as error:
            self.connection.fail(error)

    def _learnt_meanwhile(self, request: Request, refusal: Refusal) -> Told | None:
        """A card that came while this client waited may have told the CW to somebody else."""
        if self._view is None or refusal is not Refusal.PASSING:
            return None
        return self._context.exchange.known(self._view, request)

    def _answered(self, request: Request, answer: ControlWords | Refusal, trace: Trace) -> None:
        self.connection.flush()
        seconds = trace.ended_at - trace.asked_at
        self.record.answered(request, answer, trace, seconds=seconds)

    def _handle(self, event: ServerEvent | Connected) -> None:
        match event:
            case Requested():
                self._ask(*event)
            case EmmReceived(emm):
                self._pass_emm(emm)
            case RequestDropped(token):
                self._drop(token)
            case LoginRequested(user):
                self._login = Login(self, self._context, self._port, self._protocol, user)
                self._login.decide()
            case LoginProved():
                assert self._login is not None
                self._login.weigh()
            case LoginSucceeded():
                self._context.admission.logged_in(self.connection)
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
            case Remark():  # last: to ask whether it is one takes longer than all others together
                self.record.remark(event)
            case _:
                assert_never(event)

    # The login.

    def sit_down(self, account: Account) -> None:
        """Use a seat of an account from now on, until the end."""
        self._account, self.record.line = account, account.line
        self.connection.when_ended(self._give_back)
        self._context.seats.take(account.user, self)
        self._context.by_number[self.record.number] = self
        if self._intake is not None:
            self._intake.belongs_to(account.user)

    def displace(self, holder: "Session | None") -> None:
        """Take the place of one that gave no sign of life; None: of nobody."""
        if holder is None:
            return
        text = "gave up waiting, but the place is free now: %s did not answer within %.1f s"
        if not self.ended:
            text = "takes the place of %s, which did not answer within %.1f s"
        self.record.info(text, holder.connection.peer, PATIENCE)
        detail = f"from {self.connection.peer}; nothing was heard for {PATIENCE:g} s"
        holder.connection.close(CloseReason.TAKEN_OVER, detail)

    def _introduce(self, peer: Peer) -> None:
        minimum = self._context.minimum_client_version if self._port.has_versions else None
        version = find_version(peer.version)
        if minimum is not None and version is None:
            self.connection.close(CloseReason.NO_VERSION, repr(peer.version))
            return
        if minimum is not None and version is not None and version < minimum:
            self.connection.close(CloseReason.OLD_VERSION, f"{peer.version.strip()} < {minimum}")
            return
        assert self._account is not None
        self._is_introduced, self._login = True, None
        self.record.logged_in(peer, self.connection.paired)
        self.record.said_more(peer)
        if peer.node_id is not None:
            self._watch_for_clones(peer.node_id, self._account)
        self._look(self._account, peer)

    # Clones.

    def _watch_for_clones(self, node_id: NodeId, account: Account) -> None:
        twins = [each for each in self._context.seats.of(account.user) if each.is_twin(self)]
        if twins:
            name = f"a second client with the node id of {self.record.name}"
            self._context.tasks.start(name, self._look_at_twins(node_id, account))
        else:
            self._hold_node_id(node_id)

    async def _look_at_twins(self, node_id: NodeId, account: Account) -> None:
        """One client that came back, whose old line is dead, is no clone of itself."""
        contest = self._context.seats.contest(account.user, self.connection.now())
        await decided(contest)
        while (dead := contest.next_dead()) is not None:
            if dead.is_twin(self):
                self.displace(dead)
        if not self.ended:
            self.connection.attempt(lambda: self._hold_node_id(node_id))

    def is_twin(self, other: "Session") -> bool:
        """Whether this is another client with the node id of that one."""
        ours, theirs = self.peer, other.peer
        return (
            self is not other
            and ours is not None
            and theirs is not None
            and ours.node_id == theirs.node_id
            and ours.node_id not in SHARED_NODE_IDS
        )

    def _hold_node_id(self, node_id: NodeId) -> None:
        holder = NodeHolder(self.record.user, self.connection.address, is_client=True)
        self._node_holder = holder
        self._context.clones.seen(node_id, holder)

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
            self._client = self._context.exchange.add_client(self)

    def _announce_all(self) -> None:
        self._card_list = CardList(self.connection, self._protocol, self._context.turns)
        self.refresh()
        self.record.debug("cards announced: %d", len(self.told))

    # ECMs and EMMs.

    def _ask(self, token: int, request: Request) -> None:
        self.record.asked(request, pending=len(self._requests) + 1)
        intake = self._intake
        if intake is not None:
            intake.ecms += 1
        if self._view is None or self._client is None or (intake is not None and intake.shed()):
            self._protocol.refuse(token, Refusal.PASSING)
        elif self._account is not None and (shut := shut_now(self._account)) is not None:
            fingerprint = self._context.exchange.router.fingerprint_of(request)
            self.record.out_of_hours(request, fingerprint, shut)
            self._protocol.refuse(token, Refusal.PASSING)
        else:
            self._requests[token] = request
            waiter = _new(Waiter, (self._client, token))
            told = self._context.exchange.request(waiter, self._view, request)
            if told is not None:
                del self._requests[token]
                self._protocol.answer(token, told.cw)
                self.record.told(told, self.connection.now())

    def _pass_emm(self, emm: Emm) -> None:
        if self._view is None or self._account is None or self._client is None:
            return
        card = self._view.card(emm.share_id)
        verdict = self._context.emm_gate.decide(
            self._client,
            card,
            emm.section,
            allowed=self._account.emm_allowed,
            emm_to=self._account.line.emm_to,
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
        if self._is_introduced:
            self.record.logged_out(closed)
            return
        if closed.reason in _PEER_LEFT and not self.connection.has_heard:
            self.record.looked()
            return
        if not self.record.peer:  # it never got as far as `Connected`: there was no TLS
            self.record.address, self.record.peer = self.connection.address, self.connection.peer
        if closed.reason is CloseReason.TOO_MANY_LOGINS and not self.connection.has_heard:
            self._context.admission.refused += 1
            self.record.pushed_out(closed)
            return
        login, self._login = self._login, None  # they know each other: no circle may stay
        self.record.login_failed(login.explained(closed) if login is not None else closed)

    def _give_back(self) -> None:
        """Give back all that was taken from its seat on, one thing after the other, whatever
        fails in between. (One callback for all of it: each would be 128 bytes of a client.)"""
        context, attempt = self._context, self.connection.attempt
        if self._account is not None:
            attempt(context.seats.leave, self._account.user, self)
        attempt(context.by_number.pop, self.record.number, None)
        holder, peer = self._node_holder, self._protocol.peer
        if holder is not None and peer is not None and peer.node_id is not None:
            attempt(context.clones.gone, peer.node_id, holder)
        if self._client is not None:
            attempt(self._leave_exchange, self._client)
            attempt(context.emm_gate.forget, self._client)
        if self._card_list is not None:
            attempt(self._card_list.close)

    def _leave_exchange(self, client: ClientId) -> None:
        """Nobody waits any more."""
        waiting, self._requests = self._requests, {}
        self._context.exchange.remove_client(client, waiting)


_PEER_LEFT: Final = (CloseReason.PEER_CLOSED, CloseReason.RESET)
