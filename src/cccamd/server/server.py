"""The server: builds everything from a setup, runs it, and takes it down in order."""

import asyncio
import logging
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cccamd import PROGRAM
from cccamd.cards import CardTable, View
from cccamd.facts import (
    ConfigProblemKind,
    ConfigState,
    Door,
    Incident,
    Snapshot,
)
from cccamd.ids import Caid, format_node_id
from cccamd.net import (
    FairPlay,
    ListenError,
    TaskSet,
    TlsDoor,
)
from cccamd.routing import (
    CwCache,
    EmmGate,
    LoopDetected,
    Router,
)
from cccamd.server import settings
from cccamd.server.acts import Acts
from cccamd.server.cardnews import CardNews
from cccamd.server.configbook import ConfigBook
from cccamd.server.doorkeeper import Doorkeeper
from cccamd.server.dvbapi import DvbapiDoor, DvbapiSurroundings
from cccamd.server.exchange import Exchange
from cccamd.server.frontdoor import FrontDoor
from cccamd.server.heartbeat import Heartbeat
from cccamd.server.infopages import InfoPages, PageSources
from cccamd.server.local import LocalCards
from cccamd.server.loglines import CloneWatch, FailureLog
from cccamd.server.looks import LookedAt, Looks
from cccamd.server.machinewatch import MachineWatch
from cccamd.server.membership import Membership
from cccamd.server.newcamd import NewcamdPorts
from cccamd.server.observers import Observer, Observers
from cccamd.server.outward import Outward
from cccamd.server.outward import Surroundings as TellingOf
from cccamd.server.paired import SETTING as PAIRED_SETTING
from cccamd.server.paired import PairedLinks
from cccamd.server.record import RecordContext
from cccamd.server.session import Session
from cccamd.server.sessioncontext import SessionContext
from cccamd.server.snapshot import ShownClient
from cccamd.server.symptoms import Lookout, Surroundings
from cccamd.server.upstreams import Upstreams, UpstreamSource
from cccamd.server.usage import Totals
from cccamd.server.watching import Viewer, Watchers
from cccamd.setup.changes import changes_between, other_sources
from cccamd.setup.logins import Upstream, faulty_accounts
from cccamd.setup.nodeid import default_path
from cccamd.setup.pairing import Pairing
from cccamd.setup.setup import Setup
from cccamd.values import Request
from cccamd.watch import ServerReloaded, followed
from cccamd.watch.journal import Journal
from cccamd.web import Hands
from cccamd.why import (
    JOURNAL,
    Diagnosis,
    Explanation,
    Question,
    Together,
    listened_addresses,
)
from cccamd.wire.cccam import (
    Identity,
)
from cccamd.wire.link import CloseReason
from cccamd.workers import Crew, RemoteTransport

if TYPE_CHECKING:
    from cccamd.server.fleetnode import FleetNode

log = logging.getLogger("cccamd.server")

LAST_ANSWERS: Final = 5.0
"""Seconds that a server which stops waits for answers: `ecm_deadline`, and a little."""
LAST_LOOK: Final = 0.02
LISTS_COME: Final = 10.0
"""Seconds after a link's login in which the cards of its list may still be on their way."""
SUM_INTERVAL: Final = 10.0
"""Seconds between two looks for lines that were counted and not written."""


class Server:
    """One running cccamd."""

    def __init__(
        self,
        setup: Setup,
        *,
        journal: Journal | None = None,
        pairing: Pairing | None = None,
        bans: Path | None = None,
        workers: int | None = None,
        fleet: Membership | None = None,
    ) -> None:
        """`pairing`: our key and those of paired servers; else those beside the usual node id.

        `bans`: the file in which bans are kept over a restart; None: they are not.

        `workers`: how many, whatever `[server] workers` says.

        `fleet`: the fleet of which it is a node; None: it is alone.
        """
        self._setup = setup
        self._workers = workers
        self._started_at = Observers.now()
        self._book = ConfigBook(setup, self._started_at)
        self._loop = asyncio.get_running_loop()
        self._identity = Identity(setup.node_id, PROGRAM)
        self._failures = FailureLog()
        self._tasks = TaskSet(on_failure=self._failures.report)
        self._table = CardTable(setup.node_id, first_share_id=_random_share_id())
        self._router = Router(
            settings.router_settings(setup.toml),
            settings.priorities(setup),
            fingerprint_key=os.urandom(32) if fleet is None else fleet.fingerprint_key,
        )
        self._observers = Observers(on_failure=self._failures.report)
        self._journal = journal
        self._watchers = Watchers(observers=self._observers, journal=journal)
        self._watching = False
        self._cache = CwCache(limit=setup.toml.cache.entries, lifetime=setup.toml.cache.seconds)
        self._exchange = Exchange(
            self._router,
            self._cache,
            observers=self._observers,
            on_loop=_report_loop,
            on_failure=self._failures.report,
        )
        self._card_news = CardNews(self._tasks, tell=self._tell_of_cards, before=self._report_cards)
        self._cards = LocalCards(
            table=self._table,
            exchange=self._exchange,
            tasks=self._tasks,
            on_cards_changed=self._card_news.changed,
            on_failed=lambda text: self._book.carried_out("[[card]]", text),
        )
        self._links_fair = FairPlay.links()
        self._upstreams = Upstreams(self._start_upstream)
        self._exchange.on_want = self._upstreams.hurry
        self._pairing = pairing or Pairing(default_path().parent)
        self._keeper = Doorkeeper(
            lambda: self._setup,
            bans=bans,
            observers=self._observers,
            failures=self._failures,
            others_make_room=lambda: self._pages.make_room(),
        )
        self._penalties = self._keeper.penalties
        self._clones = CloneWatch(setup.node_id)
        self._context = self._make_context()
        self._fleet = None if fleet is None else self._make_fleet(fleet)
        self._front = FrontDoor(
            self._context,
            identity=self._identity,
            setup=setup,
            make_listener=self._keeper.listener,
            make_crew=self._make_crew,
            carried_out=self._book.carried_out,
        )
        door = TlsDoor(self._pairing, tasks=self._tasks)
        listener = self._front.listener(door.hand_over)
        self._dvbapi = DvbapiDoor(
            DvbapiSurroundings(
                context=self._context,
                may_come=self._may_come,
                is_constant=self._is_constant,
                emm_matches=lambda card: self._cards.emm_matches(card.source),
                is_banned=self._keeper.is_banned,
                on_refused=self._keeper.refused,
                carried_out=self._book.carried_out,
            )
        )
        self._newcamd = NewcamdPorts(self._context, self._keeper.listener, self._book.carried_out)
        self._paired = PairedLinks(self._pairing, listener, door, self._upstreams.links)
        self._machine = MachineWatch(
            self._written,
            listened=lambda: listened_addresses(self._setup.config, self._setup.toml),
            on_failure=self._failures.report,
            journal=journal.state if journal is not None else None,
        )
        at = self._looked_at()
        self._looks = Looks(at)
        around = Surroundings(
            context=self._context,
            sources=self._looks.describing,
            setup=lambda: self._setup,
            files=self._book.state,
            machine=self._machine.troubles,
            watchers=self._watchers,
            services=self._dvbapi.services,
            together=at.together,
            fleet=at.fleet,
        )
        self._lookout = Lookout(around, self._observers)
        telling = TellingOf(
            at=at,
            looks=self._looks,
            book=self._book,
            incidents=self._lookout.incidents,
            on_failure=self._failures.report,
        )
        self._outward = Outward(telling, self._tasks)
        fair = self._context.fair
        self._watchers.clock_was_set = self._clock_was_set
        self._watchers.metrics.load = lambda: (fair.shed, fair.held_back)
        self.acts = Acts(
            clients=self._all_clients,
            upstreams=self._upstreams,
            penalties=self._penalties,
            observers=self._observers,
        )
        """What somebody may do to it by hand."""
        self._hands: Hands | None = None
        self._pages = self._make_pages()

    @property
    def ports(self) -> list[int]:
        """The ports that clients can connect to."""
        return self._front.ports

    @property
    def dvbapi_ports(self) -> list[int]:
        """The ports that dvbapi clients can connect to."""
        return self._dvbapi.ports

    @property
    def newcamd_ports(self) -> list[int]:
        """The ports that newcamd clients can connect to."""
        return self._newcamd.ports

    def observe(self, observer: Observer) -> None:
        """Tell somebody everything that happens from now on."""
        self._observers.add(observer)

    def entrust(self, hands: Hands) -> None:
        """Let the pages do something, where they have a login."""
        self._hands = hands

    def incidents(self) -> tuple[Incident, ...]:
        """What is wrong, by how many suffer; then what was wrong, the newest first."""
        return self._lookout.incidents()

    def snapshot(self) -> Snapshot:
        """What may be seen of this server now."""
        return self._looks.now()

    async def look(self) -> Snapshot:
        """The same without holding up ECMs; one look serves all that ask while it is taken."""
        return await self._looks.take()

    def config_state(self) -> ConfigState:
        """Whether it runs with what its files say."""
        return self._book.state()

    async def check_up(self) -> tuple[Diagnosis, ...]:
        """What the doctor says from inside; judged in another thread."""
        return await self._looks.check_up()

    def explain(self, question: Question) -> Explanation:
        """Say why a client sees a card or not, and how its last requests went."""
        return self._looks.explain(question)

    async def start(self) -> None:
        """Start cards and links, and open the door.

        Raises:
            ListenError: the port is not to be had.
        """
        self._loop.set_exception_handler(self._failures.report_from_loop)
        self._watch()
        await self._watchers.resume()
        self._keeper.bans.read()
        await self._front.apply(self._setup)
        self._front.start()
        self._book.carried_out(PAIRED_SETTING, await self._paired.apply(self._setup))
        self._tasks.start("paired servers", self._paired.watch())
        if self._journal is not None:
            self._journal.start()
        self._tasks.start("sums of lines not written", self._sum_up())
        self._tasks.start("watchers", self._watchers.run(self._viewers, self._viewer))
        self._tasks.start("incidents", self._lookout.run())
        self._tasks.start("the machine", self._machine.run())
        await self._cards.apply(self._setup.toml.cards)
        if self._fleet is not None:
            await self._fleet.start(self._setup.accounts)
        await self._upstreams.apply(self._setup.upstreams)
        await self._newcamd.apply(self._setup)
        await self._dvbapi.apply(self._setup)
        await self._apply_pages()
        # Last: what it needs for that takes seconds to load, and clients wait for the links.
        await self._outward.start(self._setup)
        self._log_summary()

    @property
    def heartbeat(self) -> Heartbeat:
        """Measures the loop while it runs."""
        return self._watchers.heartbeat

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for an answer at this moment."""
        return self._router.is_idle

    async def stop(self) -> None:
        """Close the pages and the door, answer what was asked, say goodbye to clients, log out,
        close the cards.

        The pages go first: what is being taken down is not the state of anything.
        """
        self._context.fair.is_closing = True
        await self._front.shut()
        await self._newcamd.shut()
        await self._dvbapi.shut()
        await self._paired.close()
        await self._pages.close()
        await asyncio.gather(self._answer_the_last(), self._outward.close())
        if self._fleet is not None:
            self._fleet.leave()
        self._front.dismiss(CloseReason.SHUTDOWN)
        await self._dvbapi.close(CloseReason.SHUTDOWN)
        await self._upstreams.apply(())
        await self._cards.apply(())
        self._card_news.close()
        await self._front.stop()
        if self._fleet is not None:
            self._fleet.close()
        await self._tasks.cancel()
        await self._keeper.bans.keep()
        self._observers.catch_up()
        if self._journal is not None:
            await asyncio.to_thread(self._journal.close)

    async def _answer_the_last(self) -> None:
        """Wait for the answers to what was asked; what is asked now is refused at once."""
        until = self._loop.time() + LAST_ANSWERS
        told = False
        while (waiting := sum(session.pending for session in self._all_clients())) > 0:
            if not told:
                told = True
                log.info("stopping, waiting for answers: %d", waiting)
            if self._loop.time() >= until:
                log.warning("stopping: answers that did not come in time: %d", waiting)
                return
            await asyncio.sleep(LAST_LOOK)

    async def reload(self, setup: Setup) -> None:
        """Go over to another setup; what did not change is not touched.

        The node id, and what `setup.effects` says so of, stay as at the start. A port that is
        not to be had leaves the old one open; the state of the configuration says so, and the
        next reload tries again.
        """
        # A thread: a long CCcam.prio takes a while to be indexed, thousands of accounts to be
        # compared, which no ECM should wait for.
        priorities = await asyncio.to_thread(settings.priorities, setup)
        accounts, faulty = await asyncio.to_thread(
            lambda: (setup.accounts, faulty_accounts(setup.config))
        )
        upstreams = await asyncio.to_thread(lambda: setup.upstreams)
        changes = await asyncio.to_thread(changes_between, self._setup, setup)
        for change in changes or ("nothing changed",):
            log.info("reload: %s", change)
        self._book.took(setup, changes, Observers.now())
        others = await asyncio.to_thread(other_sources, self._setup, setup)
        self._setup = setup
        self._observers.tell(ServerReloaded(at=Observers.now(), sources=others))
        self._router.priorities = priorities
        self._router.adopt(settings.router_settings(setup.toml))
        table = setup.toml.cache
        self._cache.resize(limit=table.entries, lifetime=table.seconds, now=self._loop.time())
        self._keeper.adopt()
        await self._context.adopt(setup, accounts, faulty)
        if self._fleet is not None:
            await self._fleet.adopt(accounts)
        await self._front.close_to_strangers(setup)
        await self._cards.apply(setup.toml.cards)
        await self._upstreams.apply(upstreams)
        await self._newcamd.apply(setup)
        await self._dvbapi.apply(setup)
        await self._apply_pages()
        await self._outward.apply(setup)
        self._book.carried_out(PAIRED_SETTING, await self._paired.apply(setup))
        self._log_summary()
        try:
            await self._front.apply(self._setup)
        except ListenError as error:
            log.error("%s; the port that was open stays open", error)
        for problem in self._book.state().problems:
            if problem.kind is ConfigProblemKind.WAITS:
                log.warning("%s", problem.text)

    def keep(self, why: str) -> None:
        """Go on with the setup that is in use: the files cannot be taken."""
        if self._book.refused(why, Observers.now()):
            log.error("%s; the old configuration is kept", why)

    def carried_out(self, setting: str, trouble: str = "") -> None:
        """Note that a setting that others carry out was, or what was in the way."""
        self._book.carried_out(setting, trouble)

    def _make_context(self) -> SessionContext:
        setup = self._setup
        return SessionContext(
            accounts=setup.accounts,
            faulty_accounts=faulty_accounts(setup.config),
            table=self._table,
            exchange=self._exchange,
            admission=self._keeper.admission,
            penalties=self._penalties,
            records=self._make_records(),
            clones=self._clones,
            emm_gate=EmmGate(global_emms=setup.config.settings.global_emm),
            tasks=self._tasks,
            fair=FairPlay(settings.fair_limits(setup.toml)),
            limits=setup.toml.limits,
            minimum_client_version=settings.minimum_version(setup.config),
            on_list_due=self._card_news.changed,
            on_failure=self._failures.report,
        )

    def _make_records(self) -> RecordContext:
        return RecordContext(
            observers=self._observers,
            totals=Totals(),
            door_log=self._keeper.log,
            source_of=self._exchange.source_of,
            show_timing=lambda: self._setup.config.settings.show_timing,
            note_trace=self._watchers.recent.note_ecm,
        )

    def _make_fleet(self, membership: Membership) -> "FleetNode":
        from cccamd.server.fleetnode import FleetNode  # 2 MiB

        return FleetNode(
            membership,
            self._context,
            node_id=self._identity.node_id,
            is_constant=lambda card: self._cards.is_constant(card.source),
            carried_out=self.carried_out,
        )

    def _make_crew(self, let_in: Callable[[RemoteTransport], None]) -> Crew | None:
        named = self._workers
        count = self._setup.toml.server.workers if named is None else named
        if not count:
            return None
        return Crew(
            count,
            node_id=self._identity.node_id,
            program=self._identity.program,
            tasks=self._tasks,
            let_in=let_in,
            on_event=self._keeper.log.accepting,
            on_trouble=lambda text: self._book.carried_out("[server] workers", text),
            on_failure=self._failures.report,
        )

    def _written(self) -> dict[str, Path]:
        """The files that are written, by what they are called for people."""
        settings = self._setup.config.settings
        logs = {"LOG FILE": settings.log_file, "LOG WARNINGS": settings.log_warnings}
        written = {name: Path(path) for name, path in logs.items() if path is not None}
        if self._journal is not None:
            written[JOURNAL] = self._journal.path
        return written

    def _watch(self) -> None:
        """Let the watchers watch, as soon as there is somebody to look or a journal to fill."""
        told = Outward.is_wanted(self._setup)
        wanted = self._journal is not None or self._setup.config.webinfo.listens or told
        if wanted and not self._watching:
            self._watching = True
            self._observers.add(self._watchers.observe)
            self._observers.add(self._outward.observe)

    def _clock_was_set(self, step: float) -> None:
        """Somebody set the wall clock: nothing lasts longer or shorter for that."""
        now = Observers.now()
        self._started_at = followed(self._started_at, step, now)
        self._book.clock_was_set(step, now)
        self._lookout.clock_was_set(step, now)
        self._exchange.clock_was_set(step, now)
        self._machine.clock_was_set(step, now)
        self._context.double_logins.clock_was_set(step, now)
        self._context.clones.clock_was_set(step, now)
        self._keeper.log.clock_was_set(step, now)
        for client in self._all_clients():
            client.record.usage.clock_was_set(step, now)
        for _, upstream in self._upstreams.sources():
            upstream.clock_was_set(step, now)
        for _, card in self._cards.sources():
            card.clock_was_set(step, now)
        for _, node in () if self._fleet is None else self._fleet.desk.nodes.sources():
            node.clock_was_set(step, now)

    def _looked_at(self) -> LookedAt:
        return LookedAt(
            identity=self._identity,
            started_at=lambda: self._started_at,
            setup=lambda: self._setup,
            config=self._book.state,
            context=self._context,
            table=self._table,
            router=self._router,
            penalties=self._penalties,
            clients=self._all_clients,
            upstreams=self._upstreams,
            cards=self._cards,
            watchers=self._watchers,
            workers=lambda: self._front.workers,
            together=Together(),
            fleet=None if self._fleet is None else self._fleet.desk,
        )

    def _make_pages(self) -> InfoPages:
        sources = PageSources(
            snapshot=self.snapshot,
            look=self.look,
            check_up=self.check_up,
            explain=self._looks.explain_soon,
            watchers=self._watchers,
            incidents=self.incidents,
            admits=self._keeper.may_look,
            web_gate=self._keeper.gate(Door.WEB),
            telnet_gate=self._keeper.gate(Door.TELNET),
            hosts=lambda: self._setup.toml.network.hosts,
            program=PROGRAM,
            hands=lambda: self._hands,
            on_failure=self._failures.report,
            on_accepting=self._keeper.log.accepting,
        )
        return InfoPages(sources, tasks=self._tasks)

    async def _apply_pages(self) -> None:
        setup = self._setup
        self._watch()
        troubles = await self._pages.apply(setup.config, setup.companions, setup.toml)
        for setting, trouble in troubles.items():
            self._book.carried_out(setting, trouble)

    def _start_upstream(self, upstream: Upstream) -> UpstreamSource:
        return UpstreamSource(
            upstream,
            identity=self._identity,
            table=self._table,
            exchange=self._exchange,
            tasks=self._tasks,
            clones=self._clones,
            observers=self._observers,
            on_cards_changed=self._card_news.changed,
            on_failure=self._failures.report,
            keyring=self._pairing,
            fair=self._links_fair,
        )

    async def _sum_up(self) -> None:
        while True:
            await asyncio.sleep(SUM_INTERVAL)
            self._keeper.log.sum_up()
            self._failures.sum_up()
            await self._keeper.bans.keep()

    def _report_cards(self) -> None:
        for _, source in self._upstreams.sources():
            source.report_cards()

    def _tell_of_cards(self) -> Iterator[Generator[None, None, None]]:
        for session in self._sessions():
            yield session.refreshing()
        yield self._dvbapi.refreshing()

    def _sessions(self) -> list[Session]:
        return list(self._context.seats)

    def _all_clients(self) -> list[ShownClient]:
        """Whatever protocol they speak."""
        return [*self._context.seats, *self._dvbapi.sessions]

    def _viewers(self) -> list[Viewer]:
        return [*self._context.seats, *self._dvbapi.services()]

    def _viewer(self, client: tuple[str, int]) -> Viewer | None:
        """Who watches under this name: an account, and a number."""
        return self._context.by_number.get(client[1]) or self._dvbapi.service(client[1])

    def _may_come(self, caid: Caid) -> bool:
        """Whether a source that is not there, or has just come, may bring a card of this CAID."""
        now = Observers.now()
        links = (source for _, source in self._upstreams.sources())
        is_missing = any(each.up_at is None or now - each.up_at < LISTS_COME for each in links)
        return is_missing or self._cards.awaits(caid)

    def _is_constant(self, view: View, request: Request) -> bool:
        """Whether all cards that may serve this give the same CW for whatever ECM."""
        cards = view.candidates(request).cards
        return bool(cards) and all(self._cards.is_constant(card.source) for card in cards)

    def _log_summary(self) -> None:
        log.info(
            "accounts: %d, local cards: %d, upstreams: %d, node id %s",
            len(self._context.accounts),
            len(self._cards),
            len(self._upstreams),
            format_node_id(self._identity.node_id),
        )


def _report_loop(loop: LoopDetected) -> None:
    log.warning(
        "a request came back through node %s: somewhere cards travel in a circle",
        format_node_id(loop.node_id),
    )


def _random_share_id() -> int:
    return int.from_bytes(os.urandom(3)) << 8
