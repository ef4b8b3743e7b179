"""What `cccamd status` shows: a status in, tables for the terminal out. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from cccamd.cli.command import plain
from cccamd.cli.terminal import Column, answer_time, answered_share, draw_table, sparkline
from cccamd.facts import (
    ClientStatus,
    ConfigProblemKind,
    ConfigState,
    DescrambledService,
    EcmResult,
    HistoryReport,
    Incident,
    LinkState,
    NodeState,
    NodeStatus,
    Note,
    PenaltyKind,
    Point,
    ServerStatus,
    ServiceId,
    SourceKind,
    SourceStatus,
    Status,
    System,
    Tone,
    is_active,
)
from cccamd.ids import Caid, Sid, format_caid, format_ident, format_node_id, format_service
from cccamd.why import (
    ENGINE_AWAY,
    all_nodes,
    config_shown,
    fleet_counted,
    odd_nodes,
    penalty_text,
    slow_engine,
)
from cccamd.wording import count, span

SMALL_MARGIN: Final = 1.0
"""Seconds before a key is needed: less than this is close to a freeze."""
NOTES_SHOWN: Final = 10
PENALTIES_SHOWN: Final = 8
INCIDENTS_SHOWN: Final = 12
SUFFERERS_SHOWN: Final = 6
ABSENT_SHOWN: Final = 10
NODES_SHOWN: Final = 20
PROBLEMS_SHOWN: Final = 5
IDENTS_SHOWN: Final = 12
SPARK_SECONDS: Final = 600.0
_CONFIG_TONES: Final = {
    ConfigProblemKind.LEFT_OUT: "yellow",
    ConfigProblemKind.NOT_DONE: "red",
    ConfigProblemKind.WAITS: "yellow",
}
"""What is only doubtful is told by `cccamd check`."""
_TONES: Final = {Tone.GOOD: "green", Tone.PLAIN: "", Tone.BAD: "red"}


def draw_status(status: Status, history: HistoryReport | None, *, width: int) -> Group:
    """Draw everything, leaving out what a narrow terminal has no room for."""
    parts: list[RenderableType] = [
        _head(status),
        *_incidents(status),
        *_penalties(status.server),
        *_fleet(status.server),
        *_config(status.config),
        *_clients(status, width),
        *_sources(status, history, width),
        _cards(status),
        *_notes(status.notes),
    ]
    return Group(*parts)


def _head(status: Status) -> Text:
    server = status.server
    up = sum(source.state is LinkState.UP for source in status.sources)
    active = sum(is_active(client, server.at) for client in status.clients)
    cards = sum(system.cards for system in status.systems)
    text = Text()
    text.append(plain(server.program), "bold")
    text.append(
        f"  up {span(server.at - server.started_at)}  node {format_node_id(server.node_id)}", "dim"
    )
    text.append(f"  {plain(server.config_path)}\n", "dim")
    text.append(f"{count(len(status.clients), 'receiver')} on ({active} active), ")
    text.append(f"{up} of {count(len(status.sources), 'source')} up, ", _alarm(status, up))
    text.append(f"{count(cards, 'card')}, {count(server.ecms_total, 'ECM')}")
    text.append(_troubles(server), "yellow")
    return text


def _config(config: ConfigState) -> Iterator[Text]:
    """Say what of the files is not in use; nothing when all is."""
    if not config.taken:
        since = datetime.fromtimestamp(config.refused_since or config.tried_at)
        old = datetime.fromtimestamp(config.read_at)
        yield Text(
            f"the files are refused since {since:%H:%M}: {plain(config.refusal)};"
            f" those of {old:%Y-%m-%d %H:%M} are in use",
            "red",
        )
    found = [problem for problem in config.problems if problem.kind in _CONFIG_TONES]
    for problem in found[:PROBLEMS_SHOWN]:
        place = problem.file if problem.line is None else f"{problem.file}:{problem.line}"
        text = plain(f"{place}: {problem.text} ({problem.kind.value})")
        yield Text(text, _CONFIG_TONES[problem.kind])
    more = config.left_out + config.not_done + config.waiting - len(found[:PROBLEMS_SHOWN])
    if more > 0:
        yield Text(f"and {more:,} more in the files; cccamd check shows them", "yellow")


def _alarm(status: Status, up: int) -> str:
    return "" if up == len(status.sources) else "red" if up == 0 else "yellow"


def _troubles(server: ServerStatus) -> str:
    away = server.workers_away
    workers = f", {away} of {count(server.workers, 'worker')} not running" if away else ""
    failed = f", {count(server.logins_failed, 'failed login')}" if server.logins_failed else ""
    refused = server.connections_refused
    return failed + (f", {count(refused, 'connection')} refused" if refused else "") + workers


def _incidents(status: Status) -> Iterator[Text]:
    """What is wrong now; of what is over, how many there were lately."""
    wrong = [incident for incident in status.incidents if incident.ended_at is None]
    if wrong:
        yield Text("\nWrong now", "bold")
    for incident in wrong[:INCIDENTS_SHOWN]:
        yield _incident(incident, status.server.at)
    if len(wrong) > INCIDENTS_SHOWN:
        yield Text(f"and {len(wrong) - INCIDENTS_SHOWN} more", "red")


def _incident(incident: Incident, at: float) -> Text:
    since = f"{datetime.fromtimestamp(incident.began_at):%H:%M:%S}"
    text = Text(f"since {since} ({span(at - incident.began_at)})  ", "dim")
    text.append(f"{plain(incident.subject)} {plain(incident.text)}", "red")
    if incident.suffering:
        text.append(f"; {count(incident.suffering, 'account')} in trouble for it: ")
        text.append(plain(", ".join(incident.sufferers[:SUFFERERS_SHOWN])))
    if incident.times > 1:
        text.append(f" ({incident.times} times)", "dim")
    if incident.change:
        text.append(f"\n    {plain(incident.change)}", "dim")
    return text


def _penalties(server: ServerStatus) -> Iterator[Text]:
    """Who is not let in, or waits, for logins that failed."""
    shown = server.penalties[:PENALTIES_SHOWN]
    if shown:
        yield Text("\nFailed logins", "bold")
    for penalty in shown:
        tone = "red" if penalty.kind is PenaltyKind.BANNED else "yellow"
        yield Text(plain(penalty_text(penalty, server.at)), tone)
    more = server.banned + server.slowed - len(shown)
    if more > 0:
        yield Text(
            f"and {more:,} more; {server.banned:,} banned in all; cccamd explain ADDRESS tells"
            " of one",
            "dim",
        )


def _fleet(server: ServerStatus) -> Iterator[Text]:
    """The other nodes, and what is wrong with the fleet."""
    fleet = server.fleet
    if fleet is None:
        return
    yield Text(f"\nFleet (this node is {plain(fleet.node)})", "bold")
    yield Text(fleet_counted(fleet), "dim")
    if not fleet.engine_up:
        away = span(server.at - fleet.engine_since)
        since = f"{datetime.fromtimestamp(fleet.engine_since):%H:%M:%S}"
        why = f": {plain(fleet.trouble)}" if fleet.trouble else ""
        yield Text(f"the engine is away since {since} ({away}){why}; {ENGINE_AWAY}", "red")
    if slow := slow_engine(fleet):
        yield Text(slow, "yellow")
    if fleet.dropped:
        dropped = count(fleet.dropped, "message")
        yield Text(f"the engine lags: {dropped} to it not sent since the start", "yellow")
    if fleet.twin:
        yield Text(f"another node has the same name: node id {plain(fleet.twin)}", "red")
    odd = odd_nodes(fleet)
    if odd is not None:
        yield Text(f"{plain(odd.subject)} {plain(odd.text)}", "yellow")
    nodes = all_nodes(fleet)
    for node in nodes[:NODES_SHOWN]:
        yield _node(node, server.at)
    if len(nodes) > NODES_SHOWN:
        more = count(len(nodes) - NODES_SHOWN, "more node")
        yield Text(f"and {more}; cccamd status --json has all", "dim")


def _node(node: NodeStatus, at: float) -> Text:
    text = Text(f"{plain(node.name)}: ")
    heard = datetime.fromtimestamp(node.heard_at)
    when = f"{heard:%H:%M:%S} ({span(at - node.heard_at)} ago)"
    match node.state:
        case NodeState.THERE:
            text.append(f"{count(node.cards, 'card')}")
            text.append(f", heard of {span(at - node.heard_at)} ago", "dim")
        case NodeState.STOPPED:
            text.append(f"{node.state.value} at {when}", "dim")
        case _:
            tone = "red" if node.state is NodeState.MISSING else "yellow"
            text.append(f"{node.state.value}, last heard of at {when}", tone)
    text.append(f", configuration {plain(config_shown(node.config))}", "dim")
    if node.distrusted_until is not None:
        until = datetime.fromtimestamp(node.distrusted_until)
        text.append(f"; gave a wrong CW, not believed until {until:%H:%M}", "red")
    if node.differs:
        text.append("; has other accounts than most", "yellow")
    return text


_CLIENT_COLUMNS: Final = (
    Column("account"),
    Column("address", from_width=100),
    Column("version", from_width=140),
    Column("on for", right=True, from_width=130),
    Column("idle", right=True),
    Column("channel"),
    Column("answer", right=True),
    Column("left", right=True, from_width=90),
    Column("from", from_width=110),
    Column("ECMs", right=True),
    Column("cards", right=True, from_width=80),
)


def _clients(status: Status, width: int) -> Iterator[RenderableType]:
    clients = sorted(status.clients, key=lambda client: client.account.casefold())
    if clients:
        left = {(one.account, one.caid, one.sid): one.margin for one in status.channels}
        rows = []
        for client in clients:
            rows.append(_client_row(client, status.server.at, left))
            rows += [_service_row(client, each, left) for each in client.services]
        yield draw_table("Receivers", _CLIENT_COLUMNS, rows, width)
    else:
        yield Text("\nReceivers\nnobody is logged in", "yellow")
    absent = _absent(status)
    if absent:
        yield Text(f"not on: {absent}", "dim")


def _absent(status: Status) -> str:
    present = {client.account for client in status.clients}
    absent = sorted(set(status.server.accounts) - present, key=str.casefold)
    shown = ", ".join(plain(account) for account in absent[:ABSENT_SHOWN])
    more = len(absent) - ABSENT_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


_Left = Mapping[tuple[str, Caid, Sid], float | None]


def _client_row(client: ClientStatus, at: float, left: _Left) -> list[Text]:
    idle = at - client.heard_at
    revision = client.revision.value if client.revision else ""
    speaks = f"{client.version} {revision}" + (" extended" if client.extended else "")
    active = is_active(client, at)
    return [
        Text(plain(client.account), "bold" if active else ""),
        Text(plain(client.address)),
        Text(plain(speaks.strip())),
        Text(span(at - client.connected_at)),
        Text(span(idle), "" if active else "dim"),
        Text(_watching(client)),
        _result(client),
        _margin(client, left),
        Text(plain(client.last_source)),
        answered_share(client.ecms_answered, client.ecms_asked),
        Text(str(client.cards), "" if client.cards else "red"),
    ]


def _service_row(client: ClientStatus, service: DescrambledService, left: _Left) -> list[Text]:
    """One of many services that a client shows at once."""
    where = f"adapter {service.adapter}, ECM PID {service.ecm_pid:04X}"
    return [
        Text(""),
        Text(""),
        Text(where if service.ecm_pid else "no card for it", "dim" if service.ecm_pid else "red"),
        Text(""),
        Text(""),
        Text(_channel(service)),
        _result(service),
        _margin_of(client.account, service, left),
        Text(plain(service.last_source)),
        answered_share(service.ecms_answered, service.ecms_asked),
        Text(""),
    ]


def _result(asker: ClientStatus | DescrambledService) -> Text:
    if asker.last_result in (None, EcmResult.CW):
        return answer_time(asker.last_seconds)
    return Text(asker.last_result.value, "red")


def _margin(client: ClientStatus, left: _Left) -> Text:
    if len(client.services) > 1:
        return Text("")  # each has its own
    return _margin_of(client.account, client.service, left)


def _margin_of(account: str, service: ServiceId | None, left: _Left) -> Text:
    """How much time was left when the last CW came."""
    margin = left.get((account, service.caid, service.sid)) if service else None
    if margin is None:
        return Text("")
    return Text(f"{margin:.1f} s", "red" if margin < SMALL_MARGIN else "green")


def _watching(client: ClientStatus) -> str:
    several = len(client.services)
    return f"{several} services" if several > 1 else _channel(client.service)


def _channel(service: ServiceId | None) -> str:
    if service is None:
        return ""
    return plain(service.name or format_service(service.caid, service.ident, service.sid))


_SOURCE_COLUMNS: Final = (
    Column("source"),
    Column("state"),
    Column("since", from_width=90),
    Column("cards", right=True),
    Column("usual", right=True),
    Column("ECMs", right=True, from_width=80),
    Column("open", right=True, from_width=120),
    Column("answer times, 10 min", from_width=110),
)


def _sources(status: Status, history: HistoryReport | None, width: int) -> Iterator[RenderableType]:
    if not status.sources:
        yield Text("\nSources\nnone: no C-line, no N-line, no local card", "yellow")
        return
    points = {one.source: one.points for one in history.sources} if history else {}
    at = status.server.at
    rows = [_source_row(source, at, points.get(source.name, ())) for source in status.sources]
    yield draw_table("Sources", _SOURCE_COLUMNS, rows, width)
    for source in status.sources:
        if source.state is not LinkState.UP and source.last_failure:
            yield Text(f"{plain(source.name)}: {plain(source.last_failure)}", "yellow")


def _source_row(source: SourceStatus, at: float, points: Sequence[Point]) -> list[Text]:
    state = "own card" if source.kind is SourceKind.LOCAL else source.state.value
    if source.silent_since is not None:
        state = "no answers"
    if source.paired:
        state += ", TLS"
    return [
        Text(plain(source.name), "bold"),
        Text(state, _state_colour(source)),
        Text(_since(source, at)),
        Text(_hops(source), "" if source.cards else "red"),
        answer_time(source.usual_seconds),
        answered_share(source.answered, source.asked),
        Text(str(source.in_flight or "")),
        sparkline(points, now=at, seconds=SPARK_SECONDS),
    ]


def _state_colour(source: SourceStatus) -> str:
    if source.silent_since is not None:
        return "red"
    return "green" if source.state is LinkState.UP else "yellow"


def _since(source: SourceStatus, at: float) -> str:
    if source.silent_since is not None:
        return span(at - source.silent_since)
    if source.up_at is not None:
        return span(at - source.up_at)
    if source.next_attempt_at is not None:
        return f"next try in {span(source.next_attempt_at - at)}"
    return ""


def _hops(source: SourceStatus) -> str:
    """`12 (2+10)`: the number of cards, and how many at each hop."""
    counts = [count for _, count in sorted(source.cards_by_hop.items())]
    detail = f" ({'+'.join(map(str, counts))})" if len(counts) > 1 else ""
    return f"{source.cards}{detail}"


_CARD_COLUMNS: Final = (
    Column("CAID"),
    Column("cards", right=True),
    Column("hop", right=True),
    Column("providers"),
)


def _cards(status: Status) -> RenderableType:
    if not status.systems:
        return Text("\nCards\nnone", "yellow")
    return draw_table("Cards", _CARD_COLUMNS, map(_system_row, status.systems), 0)


def _system_row(system: System) -> list[Text]:
    more = " ..." if len(system.idents) > IDENTS_SHOWN else ""
    return [
        Text(format_caid(system.caid)),
        Text(str(system.cards)),
        Text(str(system.nearest_hop)),
        Text(" ".join(map(format_ident, system.idents[:IDENTS_SHOWN])) + more),
    ]


def _notes(notes: Sequence[Note]) -> Iterator[Text]:
    if notes:
        yield Text("\nLately", "bold")
    for note in notes[:NOTES_SHOWN]:
        words = f"{plain(note.subject)} {plain(note.text)} {_channel(note.service)}".rstrip()
        times = f" ({note.times} times)" if note.times > 1 else ""
        clock = Text(f"{datetime.fromtimestamp(note.at):%H:%M:%S}  ", "dim")
        yield clock + Text(f"{words}{times}", _TONES[note.tone])
