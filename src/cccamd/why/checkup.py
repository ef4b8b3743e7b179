"""What the doctor says from inside the running server: no root, and nothing is sent anywhere."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cccamd.cards import CardTable, SourceId
from cccamd.facts import ConfigProblemKind, Snapshot, Status
from cccamd.machine import Supply
from cccamd.routing import Priorities
from cccamd.setup.cccamcfg import Config
from cccamd.setup.logins import Upstream
from cccamd.setup.toml import TomlConfig
from cccamd.why.audience import judge_accounts, running_cards
from cccamd.why.brake import judge_bans
from cccamd.why.diagnosis import Check, Diagnosis, Grade, diagnose
from cccamd.why.evidence import Evidence, by_account
from cccamd.why.fleetwords import judge_fleet
from cccamd.why.host import Demand, judge_files, judge_memory, judge_twins
from cccamd.why.links import Trial, TriedLink, judge_running_link, running_link
from cccamd.why.logins import explain_closed_port
from cccamd.why.network import judge_answer_times

_GRADES: Final = {
    ConfigProblemKind.LEFT_OUT: Grade.WARNING,
    ConfigProblemKind.NOT_DONE: Grade.FAILURE,
    ConfigProblemKind.WAITS: Grade.ADVICE,
    ConfigProblemKind.DOUBTFUL: Grade.ADVICE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Household:
    """A running server at one moment, and what its files and this machine say."""

    snapshot: Snapshot
    config: Config
    toml: TomlConfig
    upstreams: tuple[Upstream, ...]
    supply: Supply
    minute: int
    """Local time, minutes since midnight."""


def check_up(house: Household) -> Iterator[Diagnosis]:
    """Judge everything that can be known, in the order in which one mends things."""
    snapshot, evidence = house.snapshot, _evidence(house)
    yield from _configuration(snapshot)
    if house.config.server_listen_port == 0 and house.config.f_lines:
        finding = explain_closed_port(evidence)
        yield Diagnosis(check=Check.PORTS, grade=Grade.ADVICE, finding=finding, subject="0")
    for upstream in house.upstreams:
        running = running_link(upstream, snapshot.sources)
        tried = TriedLink(upstream=upstream, trial=Trial(), running=running)
        found = judge_running_link(tried, evidence)
        if found is not None:
            yield found
    yield from judge_answer_times(snapshot.sources, snapshot.at)
    yield from judge_accounts(running_cards(snapshot.cards, evidence), evidence)
    yield from judge_bans(snapshot)
    yield from judge_fleet(snapshot)
    yield from judge_twins(_status(snapshot))
    demand = Demand(
        clients=len(house.config.f_lines),
        upstreams=len(house.config.upstream_lines),
        max_clients=house.toml.limits.max_clients,
    )
    yield judge_files(demand, house.supply)
    yield judge_memory(demand, house.supply)


def _configuration(snapshot: Snapshot) -> Iterator[Diagnosis]:
    state = snapshot.config
    if not state.taken:
        text = f"the files were not taken when they were read last: {state.refusal}"
        change = "mend them; until then the server runs with what it read before"
        yield diagnose(Check.CONFIGURATION, Grade.FAILURE, "refused", text, change)
    for problem in state.problems:
        place = problem.file if problem.line is None else f"{problem.file}:{problem.line}"
        text = f"{problem.kind.value}: {problem.text}"
        code = problem.kind.name.lower().replace("_", "-")
        yield diagnose(Check.CONFIGURATION, _GRADES[problem.kind], code, text, subject=place)
    if state.taken and not state.problems:
        text = "the files are in use as they were read"
        yield diagnose(Check.CONFIGURATION, Grade.OK, "in-use", text)


def _evidence(house: Household) -> Evidence:
    snapshot = house.snapshot
    return Evidence(
        live=True,
        at=snapshot.at,
        minute=house.minute,
        config=house.config,
        toml=house.toml,
        priorities=Priorities(),
        table=CardTable(snapshot.node_id),
        sources={SourceId(number): source for number, source in enumerate(snapshot.sources, 1)},
        clients=by_account(snapshot.clients),
        clones=snapshot.clones,
        double_logins=snapshot.double_logins,
    )


def _status(snapshot: Snapshot) -> Status:
    return Status(
        server=snapshot,
        config=snapshot.config,
        clients=snapshot.clients,
        sources=snapshot.sources,
        systems=(),
        notes=(),
        channels=(),
    )
