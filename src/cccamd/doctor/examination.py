"""The whole examination: look at everything, have it judged, in a fixed order."""

import asyncio
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cccamd.cards import CardTable, Rejected, SourceId
from cccamd.doctor.accounts import KnownCards, judge_accounts, running_cards
from cccamd.doctor.address import judge_address
from cccamd.doctor.answer_times import judge_answer_times
from cccamd.doctor.clock import judge_clock
from cccamd.doctor.config_file import (
    Access,
    judge_access,
    judge_content,
    judge_kinds,
    judge_source,
    judge_toml,
)
from cccamd.doctor.finding import Check, Finding, Verdict
from cccamd.doctor.firewall import judge_firewall
from cccamd.doctor.installation import Installation, read_installation
from cccamd.doctor.node_id import Peer, judge_node_id, judge_twins, peers_of
from cccamd.doctor.ports import WantedPort, judge_port, wanted_ports
from cccamd.doctor.resources import Demand, judge_files, judge_memory
from cccamd.doctor.round_trip import judge_round_trip
from cccamd.doctor.running import (
    RunningSource,
    RunningStatus,
    StatusUnavailable,
    fetch_status,
    judge_server,
)
from cccamd.doctor.trial import Trial, try_server
from cccamd.doctor.upstreams import Patient, judge_upstream
from cccamd.ids import NodeId, format_endpoint, format_node_id
from cccamd.machine import (
    Addresses,
    FirstPacket,
    Knock,
    NodeIdFile,
    PortHolder,
    SystemUser,
    TimeAnswer,
    ask_time,
    configured_servers,
    find_unit_user,
    holder_of,
    is_synchronised,
    knock,
    look_at_addresses,
    look_at_node_id,
    look_at_rules,
    look_at_supply,
    try_to_bind,
    user_numbered,
    way_to,
)
from cccamd.net import (
    Step,
)
from cccamd.server import target_of
from cccamd.setup.cccamcfg import CLine
from cccamd.setup.logins import Upstream, upstreams_of
from cccamd.why import local_card
from cccamd.wire.cccam import NODE_ID_RANDOM_LENGTH, Identity, make_node_id

TRIALS_AT_ONCE: Final = 8
"""Servers that are tried at the same time: more would disturb the round trips measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to examine."""

    config: Path | None
    """CCcam.cfg; None: the one that the server would find."""
    toml: Path | None
    """cccamd.toml; None: the one beside CCcam.cfg."""
    node_id: Path
    """The file with our node id."""
    ntp_servers: tuple[str, ...] = ()
    """Whom to ask for the time; empty: those that are set for this machine."""
    offline: bool = False
    """Send nothing to other machines."""
    program: str
    """Our name to the servers of the C-lines."""


def examine(request: Request) -> list[Finding]:
    """Look at everything. Nothing is changed; blocks for some seconds."""
    installation = read_installation(request.config, request.toml)
    case = _Case(request, installation)
    case.look()
    return list(case.findings())


@dataclass(slots=True)
class _Case:
    """One installation on one machine, while it is looked at."""

    request: Request
    installation: Installation
    ports: list[tuple[WantedPort, PortHolder | None, int | None]] = field(default_factory=list)
    """Each with who has it, and the error number if it is not to be had."""
    status: RunningStatus | None = None
    why_no_status: str = ""
    addresses: Addresses = field(default_factory=look_at_addresses)
    trials: list[tuple[Upstream, Trial]] = field(default_factory=list)
    table: CardTable = field(init=False)
    sources: dict[SourceId, str] = field(default_factory=dict)
    """The names of what is in the table."""
    own: NodeIdFile = field(init=False)

    def look(self) -> None:
        """Do all that other findings depend on."""
        self.own = look_at_node_id(self.request.node_id)
        self.table = CardTable(self.own.node_id or _stranger())
        if not self.installation.is_known:
            return
        config, bind = self.installation.config, self.installation.settings.server.bind
        self.ports = [_look_at_port(wanted) for wanted in wanted_ports(config, bind)]
        if self.server is not None:
            try:
                self.status = fetch_status(config.webinfo, bind)
            except StatusUnavailable as error:
                self.why_no_status = str(error)
        if not self.request.offline:
            self.trials = asyncio.run(self._try_all())

    @property
    def server(self) -> PortHolder | None:
        """Our running server."""
        holders = (holder for _, holder, _ in self.ports)
        return next((holder for holder in holders if holder and holder.is_ours), None)

    def findings(self) -> Iterator[Finding]:
        """Everything, in the order in which one mends things."""
        yield from self._configuration()
        if self.installation.is_known:
            yield judge_server(self.installation, self.server, self.status, self.why_no_status)
            yield from self._ports()
            yield from self._firewall()
        yield self._address()
        if self.installation.is_known:
            yield from self._upstreams()
            yield from self._answer_times()
            yield from self._accounts()
        yield from self._node_id()
        yield self._clock()
        if self.installation.is_known:
            yield from self._resources()

    def _configuration(self) -> Iterator[Finding]:
        installation = self.installation
        yield judge_source(installation)
        path, toml_path = installation.path, installation.toml_path
        if path is not None and not installation.unreadable and not installation.missing:
            yield judge_content(path, installation.result)
        toml = installation.toml
        if toml_path is not None and (toml.problems or toml_path.is_file()):
            yield judge_toml(toml_path, toml, named=installation.toml_named)
        yield from judge_kinds(installation.kind_problems)
        for file in (path, toml_path):
            access = self._access(file) if file is not None else None
            if access is not None:
                yield judge_access(access)

    def _access(self, path: Path) -> Access | None:
        try:
            way = way_to(path)
        except OSError:  # judge_source and judge_toml tell
            return None
        user, why = self._service_user()
        return Access(path=path, way=way, user=user, why=why)

    def _service_user(self) -> tuple[SystemUser, str]:
        """The user of the running server, else that of its unit file; and how we know."""
        process = self.server.process if self.server else None
        if process is not None:
            return user_numbered(process.uid), f"process {process.pid} runs as this user"
        found = find_unit_user()
        if found is not None:
            return found[0], f"{found[1]} says so"
        return user_numbered(os.geteuid()), "who runs doctor now"

    def _ports(self) -> Iterator[Finding]:
        for wanted, holder, error in self.ports:
            yield judge_port(wanted, holder, error)

    def _firewall(self) -> Iterator[Finding]:
        port = self.installation.config.server_listen_port
        if not port:
            return
        addresses = self.addresses
        packet = FirstPacket(port=port, interface=addresses.interface, address=addresses.outward)
        listens = any(holder and wanted.port == port for wanted, holder, _ in self.ports)
        answer = knock(packet.address, port) if listens else Knock.NOT_TRIED
        yield judge_firewall(packet, look_at_rules(), answer)

    def _address(self) -> Finding:
        return judge_address(
            self.addresses,
            port=self.installation.config.server_listen_port,
            expects_strangers=bool(self.installation.settings.network.allow),
        )

    async def _try_all(self) -> list[tuple[Upstream, Trial]]:
        """Go to all servers, some at a time; log in only if our server does not run."""
        identity = Identity(_stranger(), self.request.program)
        turn = asyncio.Semaphore(TRIALS_AT_ONCE)
        log_in = not any(_may_be_ours(holder) for _, holder, _ in self.ports)

        async def try_one(upstream: Upstream) -> Trial:
            async with turn:
                return await try_server(target_of(upstream), identity=identity, log_in=log_in)

        upstreams = upstreams_of(self.installation.config, self.installation.settings)
        return list(zip(upstreams, await asyncio.gather(*map(try_one, upstreams)), strict=True))

    def _upstreams(self) -> Iterator[Finding]:
        if self.request.offline and self.installation.config.c_lines:
            yield Finding(
                check=Check.UPSTREAM,
                verdict=Verdict.NOT_CHECKED,
                evidence="nothing is sent to other machines, as asked (--offline)",
            )
        for upstream, trial in self.trials:
            patient = self._patient(upstream, trial)
            yield judge_upstream(patient)
            if trial.round_trips:
                yield judge_round_trip(patient.name, trial.round_trips)

    def _patient(self, upstream: Upstream, trial: Trial) -> Patient:
        """See which of its cards we would take; they stay in the table for the accounts."""
        line, policy = upstream.line, upstream.policy
        source = self.table.add_source(policy)
        self.sources[source] = upstream.name
        answers = [self.table.add(source, card) for card in trial.cards]
        return Patient(
            line=line,
            trial=trial,
            running=self._running(line),
            policy=policy,
            taken=len(self.table.cards_of(source)),
            rejected=tuple(answer for answer in answers if isinstance(answer, Rejected)),
        )

    def _running(self, line: CLine) -> RunningSource | None:
        links = self.status.links if self.status else ()
        name = format_endpoint(line.host, line.port)
        same = [link for link in links if link.name == name]
        exact = [link for link in same if link.line == line.line]
        # Lines move when a file is edited: without a twin the name will do.
        return next(iter(exact or (same if len(same) == 1 else ())), None)

    def _answer_times(self) -> Iterator[Finding]:
        if self.status is not None:
            yield from judge_answer_times(self.status.sources)

    def _accounts(self) -> Iterator[Finding]:
        if self.installation.missing:
            return
        now = time.localtime()
        minute = 60 * now.tm_hour + now.tm_min
        yield from judge_accounts(self.installation.config, self._known_cards(), minute=minute)

    def _known_cards(self) -> KnownCards:
        if self.status is not None:
            return running_cards(self.status)
        for entry in self.installation.settings.cards:
            source = self.table.add_source()
            self.table.add_local(source, local_card(entry))
            self.sources[source] = f"local card {entry.config.name}"
        cards = tuple(self.table.cards())
        asked = [trial for _, trial in self.trials if trial.failed or trial.reached is Step.UP]
        complete = len(asked) == len(self.installation.config.c_lines)
        return KnownCards(
            cards=cards,
            names=tuple(self.sources[card.source] for card in cards),
            where=_where(complete),
            complete=complete,
        )

    def _node_id(self) -> Iterator[Finding]:
        peers = peers_of(self.status) if self.status else []
        peers += [
            Peer(f"upstream {upstream.name}", format_node_id(trial.node_id))
            for upstream, trial in self.trials
            if trial.node_id is not None
        ]
        running = self.status.server.node_id if self.status else None
        yield judge_node_id(self.own, peers, running=running)
        if self.status is not None:
            yield from judge_twins(self.status)

    def _clock(self) -> Finding:
        if self.request.offline:
            return judge_clock(TimeAnswer(), synchronised=is_synchronised())
        servers = self.request.ntp_servers or configured_servers()
        return judge_clock(ask_time(servers), synchronised=is_synchronised())

    def _resources(self) -> Iterator[Finding]:
        config, limits = self.installation.config, self.installation.settings.limits
        demand = Demand(
            clients=len(config.f_lines),
            upstreams=len(config.c_lines) + len(config.n_lines),
            max_clients=limits.max_clients,
        )
        process = self.server.process if self.server else None
        supply = look_at_supply(process.pid if process else None)
        yield judge_files(demand, supply)
        yield judge_memory(demand, supply)


def _look_at_port(wanted: WantedPort) -> tuple[WantedPort, PortHolder | None, int | None]:
    error = try_to_bind(wanted.port, wanted.addresses)
    holder = holder_of(wanted.port, wanted.addresses) if error is not None else None
    return wanted, holder, error


def _stranger() -> NodeId:
    """A node id of nobody, so that the doctor is never taken for a clone of the server."""
    return make_node_id(os.urandom(NODE_ID_RANDOM_LENGTH))


def _may_be_ours(holder: PortHolder | None) -> bool:
    """Whether somebody listens who is our server, or could be it and hides."""
    return holder is not None and (holder.is_ours or holder.process is None)


def _where(complete: bool) -> str:
    if complete:
        return "local cards, and those of the C-lines' servers just now"
    return "the cards of the C-lines' servers could not be asked for"
