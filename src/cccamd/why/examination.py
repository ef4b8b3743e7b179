"""What the doctor saw of an installation, and all that is to be said about it. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from cccamd.cards import CardTable, SourceId
from cccamd.facts import CardStatus, LinkState, SourceKind, SourceStatus, Status
from cccamd.ids import NodeId
from cccamd.machine import (
    Addresses,
    FirstPacket,
    Knock,
    NodeIdFile,
    Ruleset,
    Supply,
    TimeAnswer,
)
from cccamd.net import Step
from cccamd.routing import Priorities
from cccamd.setup.logins import Upstream, accounts_of
from cccamd.why.audience import KnownCards, judge_accounts, running_cards
from cccamd.why.brake import judge_bans
from cccamd.why.diagnosis import Check, Diagnosis, Grade, diagnose
from cccamd.why.evidence import Evidence, by_account, evidence_of_files
from cccamd.why.fleetwords import judge_fleet
from cccamd.why.host import (
    Demand,
    NodeIdHolder,
    judge_clock,
    judge_files,
    judge_memory,
    judge_node_id,
    judge_twins,
    peers_of,
)
from cccamd.why.installation import (
    Access,
    Installation,
    Written,
    judge_access,
    judge_companions,
    judge_config_state,
    judge_content,
    judge_kinds,
    judge_server,
    judge_source,
    judge_toml,
    judge_written,
)
from cccamd.why.links import Trial, TriedLink, judge_link, running_link
from cccamd.why.logins import explain_closed_port
from cccamd.why.network import judge_address, judge_answer_times, judge_round_trip
from cccamd.why.ports import PortSeen, judge_firewall, judge_port
from cccamd.why.together import advice_at_once


@dataclass(frozen=True, slots=True)
class RunningServer:
    """What our running server says of itself."""

    status: Status
    cards: tuple[CardStatus, ...]
    other_file: bool = False
    """It reads another CCcam.cfg than the one that was looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One installation on one machine, as it was seen."""

    installation: Installation
    accesses: tuple[Access, ...] = ()
    written: tuple[Written, ...] = ()
    ports: tuple[PortSeen, ...] = ()
    running: RunningServer | None = None
    why_not: str = ""
    """Why the running server could not be asked."""
    packet: FirstPacket | None = None
    """Of a client to the server's port; None: it opens none."""
    rules: Ruleset = field(default_factory=Ruleset)
    knock: Knock = Knock.NOT_TRIED
    addresses: Addresses
    trials: tuple[tuple[Upstream, Trial], ...] = ()
    offline: bool = False
    """Nothing was sent to other machines, as asked."""
    node_id_file: NodeIdFile
    own_node_id: NodeId
    """From that file, or a new one."""
    time: TimeAnswer
    synchronised: bool | None
    supply: Supply
    at: float
    """Seconds since the epoch."""
    minute: int
    """Local time, minutes since midnight."""

    @property
    def runs(self) -> bool:
        """Whether our server runs."""
        return any(seen.is_ours for seen in self.ports)


def examine(case: Case) -> Iterator[Diagnosis]:
    """Judge everything, in the order in which one mends things."""
    known = case.installation.is_known
    yield from _configuration(case)
    evidence = _evidence(case)
    if known:
        status = case.running.status if case.running else None
        yield judge_server(
            case.installation,
            status,
            runs=case.runs,
            why_not=case.why_not,
            other_file=case.running is not None and case.running.other_file,
        )
        if status is not None:
            yield from judge_config_state(status.config)
        yield from _ports(case, evidence)
    yield _address(case)
    if known:
        yield from _links(case, evidence)
        if case.running is not None:
            yield from judge_answer_times(case.running.status.sources, case.at)
        yield from judge_accounts(_known_cards(case, evidence), evidence)
        if case.running is not None:
            yield from judge_bans(case.running.status.server)
            yield from judge_fleet(case.running.status.server)
    yield from _node_id(case)
    yield judge_clock(case.time, synchronised=case.synchronised)
    if known:
        yield from _resources(case)


def _configuration(case: Case) -> Iterator[Diagnosis]:
    installation = case.installation
    path, toml_path, toml = installation.path, installation.toml_path, installation.toml
    yield judge_source(installation)
    if path is not None and not installation.unreadable and not installation.missing:
        yield judge_content(path, installation.result)
    if toml_path is not None and (toml.problems or installation.toml_is_there):
        yield judge_toml(toml_path, toml, named=installation.toml_named)
    yield from judge_companions(installation.companions)
    yield from judge_kinds(installation.kind_problems)
    yield from map(judge_access, case.accesses)
    yield from map(judge_written, case.written)


def _ports(case: Case, evidence: Evidence) -> Iterator[Diagnosis]:
    config = case.installation.config
    if config.server_listen_port == 0 and config.f_lines:
        finding = explain_closed_port(evidence)
        yield Diagnosis(check=Check.PORTS, grade=Grade.ADVICE, finding=finding, subject="0")
    yield from map(judge_port, case.ports)
    if case.packet is not None:
        yield judge_firewall(case.packet, case.rules, case.knock)


def _address(case: Case) -> Diagnosis:
    installation = case.installation
    return judge_address(
        case.addresses,
        port=installation.config.server_listen_port,
        expects_strangers=bool(installation.settings.network.allow),
    )


def _resources(case: Case) -> Iterator[Diagnosis]:
    config, settings = case.installation.config, case.installation.settings
    limits, accounts = settings.limits, accounts_of(config, settings)
    demand = Demand(
        clients=sum(account.logins for account in accounts.values()),
        upstreams=len(config.upstream_lines),
        max_clients=limits.max_clients,
    )
    yield judge_files(demand, case.supply)
    yield judge_memory(demand, case.supply)


# What can be known of cards and sources.


def _evidence(case: Case) -> Evidence:
    """What the running server says, or else what the files and the trials do."""
    installation = case.installation
    if case.running is None:
        evidence = evidence_of_files(
            installation.config,
            installation.settings,
            Priorities(),
            at=case.at,
            minute=case.minute,
            node_id=case.own_node_id,
        )
        for (_, trial), source in zip(case.trials, _c_lines(evidence), strict=False):
            for card in trial.cards:
                evidence.table.add(source, card)
        return evidence
    status = case.running.status
    return Evidence(
        live=True,
        at=case.at,
        minute=case.minute,
        config=installation.config,
        toml=installation.settings,
        priorities=Priorities(),
        table=CardTable(case.own_node_id),
        sources={SourceId(number): source for number, source in enumerate(status.sources, 1)},
        clients=by_account(status.clients),
        clones=status.server.clones,
        double_logins=status.server.double_logins,
    )


def _c_lines(evidence: Evidence) -> list[SourceId]:
    """The sources of evidence of files that are C-lines or N-lines, in their order."""
    sources = evidence.sources.items()
    others = (SourceKind.LOCAL, SourceKind.FLEET)
    return [source for source, status in sources if status.kind not in others]


def _links(case: Case, evidence: Evidence) -> Iterator[Diagnosis]:
    if case.offline and case.installation.config.upstream_lines:
        text = "nothing is sent to other machines, as asked (--offline)"
        yield diagnose(Check.UPSTREAM, Grade.NOT_CHECKED, "offline", text)
    for tried in _tried_links(case, evidence):
        yield judge_link(tried, evidence)
        if tried.trial.round_trip is not None:
            yield judge_round_trip(tried.name, tried.trial.round_trip)


def _tried_links(case: Case, evidence: Evidence) -> Iterator[TriedLink]:
    if case.running is not None:
        for upstream, trial in case.trials:
            running = running_link(upstream, case.running.status.sources)
            yield TriedLink(upstream=upstream, trial=trial, running=running)
        return
    advices = advice_at_once([_as_tried(*tried, case.at) for tried in case.trials])
    for (upstream, trial), source in zip(case.trials, _c_lines(evidence), strict=False):
        yield TriedLink(
            upstream=upstream,
            trial=trial,
            tried_advice=advices.get(upstream.name, ""),
            taken=evidence.table.count_of(source),
            rejected=evidence.table.rejected_of(source),
        )


def _as_tried(upstream: Upstream, trial: Trial, at: float) -> SourceStatus:
    """A link that no server runs, as the trial found it."""
    return SourceStatus(
        name=upstream.name,
        kind=upstream.kind,
        line=upstream.line.line,
        state=LinkState.WAITING if trial.failed else LinkState.UP,
        down_since=at if trial.failed else None,
        failed_step=trial.reached if trial.failed else None,
        address=trial.addresses[0] if trial.addresses else "",
    )


def _known_cards(case: Case, evidence: Evidence) -> KnownCards:
    if case.running is not None:
        return running_cards(case.running.cards, evidence)
    asked = [trial for _, trial in case.trials if trial.failed or trial.reached is Step.UP]
    complete = len(asked) == len(case.installation.config.upstream_lines)
    where = "local cards, and those of the servers of C-lines and N-lines just now"
    unknown = "the cards of the servers of C-lines and N-lines could not be asked for"
    cards = tuple(evidence.table.cards())
    return KnownCards(cards=cards, where=where if complete else unknown, complete=complete)


def _node_id(case: Case) -> Iterator[Diagnosis]:
    status = case.running.status if case.running else None
    peers = peers_of(status) if status else []
    peers += [
        NodeIdHolder(f"upstream {upstream.name}", trial.node_id)
        for upstream, trial in case.trials
        if trial.node_id is not None
    ]
    running = status.server.node_id if status else None
    yield judge_node_id(case.node_id_file, peers, running=running)
    if status is not None:
        yield from judge_twins(status)
