"""What an explanation is made from: the question, a server at one moment, what it remembers."""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple, TypeVar

from cccamd.cards import Card, CardTable, LocalOffer, Rights, SourceId, SourcePolicy, Viewer
from cccamd.facts import (
    ClientStatus,
    Clone,
    DoubleLogin,
    LinkState,
    Penalty,
    SourceKind,
    SourceStatus,
)
from cccamd.ids import NO_NODE_ID, Caid, Ident, NodeId, Sid, format_caid, format_ident, format_sid
from cccamd.routing import Priorities, Trace
from cccamd.setup.cccamcfg import Config, FLine
from cccamd.setup.logins import Upstream, upstreams_of
from cccamd.setup.toml import CardEntry, TomlConfig
from cccamd.values import Provider
from cccamd.watch import (
    CardsChanged,
    ClientLoggedOut,
    ClockSet,
    ConnectionRefused,
    Happening,
    LoginFailed,
    followed,
)
from cccamd.why.finding import Setting, upstream_line
from cccamd.wire.link import CloseReason

T = TypeVar("T")
H = TypeVar("H", bound=Happening)
ECMS_KEPT: Final = 8
"""For each account."""
ACCOUNTS_LIMIT: Final = 5000
SOURCES_LIMIT: Final = 5000
STRANGERS_KEPT: Final = 16
ADDRESSES_KEPT: Final = 500
"""Of those from which logins failed."""
FAILURES_KEPT: Final = 4
"""For each address."""
REFUSALS_KEPT: Final = 8
"""For each account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is to be explained: about an account, a source, a service. None: left open."""

    account: str | None = None
    address: str | None = None
    """Of a client: whether it may log in; all else that is asked is not looked at then."""
    source: str | None = None
    """Its name; cards of others are left out."""
    caid: Caid | None = None
    ident: Ident | None = None
    sid: Sid | None = None

    @property
    def service(self) -> str:
        """The service in words; empty when nothing was said of one."""
        if self.caid is None and self.ident is None and self.sid is None:
            return ""
        parts = (
            "-" if self.caid is None else format_caid(self.caid),
            "-" if self.ident is None else format_ident(self.ident),
            "-" if self.sid is None else format_sid(self.sid),
        )
        return ":".join(parts)


# What is remembered.


class TracedEcm(NamedTuple):
    """One request of one account; `at` is when it ended, seconds since the epoch."""

    account: str
    at: float
    trace: Trace


class ListChange(NamedTuple):
    """The card list of a source became longer or shorter."""

    at: float
    before: int
    after: int


class Refusals(NamedTuple):
    """Logins that failed for one reason, from one address."""

    last: LoginFailed
    first_at: float
    times: int

    def and_(self, failure: LoginFailed) -> "Refusals":
        """One more."""
        return Refusals(failure, self.first_at, self.times + 1)


@dataclass(slots=True)
class AccountMemory:
    """What one account did last."""

    ecms: deque[TracedEcm] = field(default_factory=lambda: deque(maxlen=ECMS_KEPT))
    refusals: OrderedDict[tuple[CloseReason, str], Refusals] = field(default_factory=OrderedDict)
    """By reason and address, the newest last."""
    left: ClientLoggedOut | None = None

    def note_refusal(self, failure: LoginFailed) -> None:
        """A login as this account failed."""
        key = failure.why, failure.address
        before = self.refusals.pop(key, None)
        if len(self.refusals) >= REFUSALS_KEPT:
            self.refusals.popitem(last=False)
        self.refusals[key] = before.and_(failure) if before else Refusals(failure, failure.at, 1)


class Recent:
    """A bounded memory, fed with happenings, and with the trace of each request."""

    def __init__(self) -> None:
        self._accounts: OrderedDict[str, AccountMemory] = OrderedDict()
        self._lists: OrderedDict[str, ListChange] = OrderedDict()
        self.strangers: deque[LoginFailed] = deque(maxlen=STRANGERS_KEPT)
        """Failed logins that named no account of ours, the newest last."""
        self._failed: OrderedDict[str, deque[LoginFailed]] = OrderedDict()
        """Failed logins by address, the newest last."""
        self.turned_away: OrderedDict[str, ConnectionRefused] = OrderedDict()
        """Connections that were closed unheard, by address, the newest last."""

    def observe(self, happening: Happening) -> None:
        """Take note of what happened."""
        if isinstance(happening, LoginFailed):
            self._note_failure(happening)
        match happening:
            case ClockSet():
                self._follow(happening)
            case LoginFailed(account=""):
                self.strangers.append(happening)
            case LoginFailed():
                self._memory(happening.account).note_refusal(happening)
            case ConnectionRefused():
                self._note_door(happening)
            case ClientLoggedOut():
                self._memory(happening.account).left = happening
            case CardsChanged():
                self._note_list(happening)

    def note_ecm(self, account: str, at: float, trace: Trace) -> None:
        """Remember how a request went; costs next to nothing."""
        self._memory(account).ecms.append(TracedEcm(account, at, trace))

    def account(self, name: str) -> AccountMemory:
        """What is known of an account."""
        return self._accounts.get(name) or AccountMemory()

    def failed_from(self, address: str) -> list[LoginFailed]:
        """The failed logins of an address that are remembered, the last ones last."""
        return list(self._failed.get(address, ()))

    def ecms(self) -> list[TracedEcm]:
        """The last requests of all accounts, the newest first."""
        all_of_them = [ecm for memory in self._accounts.values() for ecm in memory.ecms]
        return sorted(all_of_them, key=lambda ecm: ecm.at, reverse=True)

    def list_change(self, source: str) -> ListChange | None:
        """How the card list of a source changed last."""
        return self._lists.get(source)

    def _follow(self, clock: ClockSet) -> None:
        """The wall clock was set: what happened a minute ago still did."""
        for memory in self._accounts.values():
            _move_all(memory.ecms, lambda ecm: ecm._replace(at=_moved(ecm.at, clock)))
            for key, each in memory.refusals.items():
                first = _moved(each.first_at, clock)
                memory.refusals[key] = Refusals(_follows(each.last, clock), first, each.times)
            if memory.left is not None:
                memory.left = _follows(memory.left, clock)
        for failures in (self.strangers, *self._failed.values()):
            _move_all(failures, lambda failure: _follows(failure, clock))
        for source, change in self._lists.items():
            self._lists[source] = change._replace(at=_moved(change.at, clock))
        for address, refused in self.turned_away.items():
            self.turned_away[address] = _follows(refused, clock)

    def _memory(self, account: str) -> AccountMemory:
        memory = self._accounts.get(account)
        if memory is None:
            if len(self._accounts) >= ACCOUNTS_LIMIT:
                self._accounts.popitem(last=False)
            memory = self._accounts[account] = AccountMemory()
        return memory

    def _note_failure(self, failure: LoginFailed) -> None:
        known = self._failed.pop(failure.address, None)
        if len(self._failed) >= ADDRESSES_KEPT:
            self._failed.popitem(last=False)
        self._failed[failure.address] = known or deque(maxlen=FAILURES_KEPT)
        self._failed[failure.address].append(failure)

    def _note_door(self, refused: ConnectionRefused) -> None:
        self.turned_away.pop(refused.address, None)
        if len(self.turned_away) >= STRANGERS_KEPT:
            self.turned_away.popitem(last=False)
        self.turned_away[refused.address] = refused

    def _note_list(self, change: CardsChanged) -> None:
        last = self._lists.pop(change.source, None)
        if len(self._lists) >= SOURCES_LIMIT:
            self._lists.popitem(last=False)
        before = last.after if last else 0
        self._lists[change.source] = ListChange(change.at, before, change.cards)


def _moved(at: float, clock: ClockSet) -> float:
    return followed(at, clock.step, clock.at)


def _follows(happening: H, clock: ClockSet) -> H:
    return replace(happening, at=_moved(happening.at, clock))


def _move_all(kept: deque[T], move: Callable[[T], T]) -> None:
    for _ in range(len(kept)):
        kept.append(move(kept.popleft()))


# A server at one moment.


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A server at one moment, or the files that one would be built from."""

    live: bool
    """Whether a server runs; else `table` holds what the files put into it."""
    at: float
    """Seconds since the epoch."""
    minute: int
    """Local time, minutes since midnight."""
    config: Config
    toml: TomlConfig
    priorities: Priorities
    table: CardTable
    sources: Mapping[SourceId, SourceStatus]
    """Also those that are not logged in."""
    clients: Mapping[str, tuple[ClientStatus, ...]] = field(default_factory=dict)
    """Who is logged in, by account: the one that came last stands last."""
    clones: tuple[Clone, ...] = ()
    """Node ids that several programs have now."""
    double_logins: tuple[DoubleLogin, ...] = ()
    """Logins of the last minutes that were refused because their account was in use."""
    recent: Recent = field(default_factory=Recent)
    penalties_of: Callable[[str], tuple[Penalty, ...]] = lambda address: ()
    """What an address bears for failed logins."""
    penalty_of_name: Callable[[str], Penalty | None] = lambda user: None
    """What strangers with a user name bear."""

    # Where settings stand, so that every reason can name its own.

    def key(self, name: str) -> Setting:
        """A key line of CCcam.cfg; without a line when it is not set there."""
        place = self.config.place(name)
        return Setting(name=name, file=place.file, line=place.line)

    def ignore_node(self, node_id: NodeId) -> Setting:
        """The line that ignores a node."""
        index = self.config.settings.ignore_nodes.index(node_id)
        place = self.config.place("IGNORE NODE", index)
        return Setting(name="IGNORE NODE", file=place.file, line=place.line)

    def f_line(self, line: Rights) -> Setting:
        """An account."""
        if line.toml_file:
            return Setting(name="the [[account]]", file=line.toml_file, line=line.line)
        return Setting(name="the F-line", file=self.config.file, line=line.line)

    def c_line(self, line: int) -> Setting:
        """An upstream: a C-line, or an N-line."""
        return upstream_line(self.config, line)

    def toml_table(self, name: str) -> Setting:
        """A table of cccamd.toml, by its heading and identity."""
        place = self.toml.place(name)
        return Setting(name=name, file=place.file, line=place.line)

    def i_line(self) -> Setting:
        """An I-line of CCcam.prio."""
        file = self.config.settings.caid_prio_file or "CCcam.prio"
        return Setting(name="an I-line", file=file)

    def account(self, user: str) -> FLine | None:
        """The F-line of a user."""
        return next((line for line in self.config.f_lines if line.user == user), None)

    def viewer(self, account: FLine) -> Viewer:
        """The account as the card table judges it; loops show only while it is logged in."""
        clients = self.clients.get(account.user)
        return Viewer(
            account=account,
            node_id=clients[-1].node_id if clients else NO_NODE_ID,
            global_limits=self.config.settings.global_limits,
            emm_allowed=self.config.emm_allowed and account.allowemm,
        )

    def source_name(self, card: Card) -> str:
        """Name the source of a card; it may have gone meanwhile."""
        source = self.sources.get(card.source)
        return source.name if source else "a source that is gone"


def by_account(clients: Iterable[ClientStatus]) -> Mapping[str, tuple[ClientStatus, ...]]:
    """Who is logged in, in the order they came: an account may have several clients."""
    found: dict[str, tuple[ClientStatus, ...]] = {}
    for client in sorted(clients, key=lambda client: client.connected_at):
        found[client.account] = (*found.get(client.account, ()), client)
    return found


# From files alone.


def evidence_of_files(
    config: Config,
    toml: TomlConfig,
    priorities: Priorities,
    *,
    at: float,
    minute: int,
    node_id: NodeId = NO_NODE_ID,
) -> Evidence:
    """Put into a card table what a server would put there by itself. Nothing is started."""
    table = CardTable(node_id)
    sources: dict[SourceId, SourceStatus] = {}
    for entry in toml.cards:
        source = table.add_source(SourcePolicy(access=entry.access))
        table.add_local(source, _local_card(entry))
        sources[source] = _local(entry)
    for upstream in upstreams_of(config, toml):
        sources[table.add_source(upstream.policy)] = _upstream(upstream)
    return Evidence(
        live=False,
        at=at,
        minute=minute,
        config=config,
        toml=toml,
        priorities=priorities,
        table=table,
        sources=sources,
    )


def _local_card(entry: CardEntry) -> LocalOffer:
    """What a card of cccamd.toml is announced as, as far as it decides who sees it."""
    config = entry.config
    return LocalOffer(
        caid=config.caid,
        reshare=config.reshare,
        providers=tuple(Provider(ident) for ident in config.providers),
        assigned_sids=config.sids,
    )


def _local(entry: CardEntry) -> SourceStatus:
    return SourceStatus(
        name=entry.config.name,
        kind=SourceKind.LOCAL,
        line=0,
        state=LinkState.NOT_RUNNING,
        cards=1,
        cards_by_hop={0: 1},
    )


def _upstream(upstream: Upstream) -> SourceStatus:
    return SourceStatus(
        name=upstream.name,
        kind=upstream.kind,
        line=upstream.line.line,
        state=LinkState.NOT_RUNNING,
    )
