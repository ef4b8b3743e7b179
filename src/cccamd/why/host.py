"""Whether this machine's clock, memory and file limits do, and whether our node id is our own."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

from cccamd.facts import SourceKind, Status
from cccamd.ids import SHARED_NODE_IDS, NodeId, format_node_id
from cccamd.machine import (
    RESERVED_FILES,
    Clock,
    FileState,
    NodeIdFile,
    Resources,
    Room,
    Supply,
    TimeAnswer,
)
from cccamd.watch.journal import JournalState
from cccamd.why.clones import CLONE_CHANGE, clone_text
from cccamd.why.diagnosis import Check, Diagnosis, Grade, diagnose
from cccamd.why.ports import TO_COME
from cccamd.wording import ago, count, listed, some_of, span

TOLERANCE: Final = 5.0
"""Seconds that a clock may be off."""
_EFFECT: Final = "time frames of F-lines, validity of keys and times in logs are wrong"
LOGINS_AT_ONCE: Final = 64
"""Connections that have not logged in yet: after a power cut all receivers come at once."""
MEBIBYTE: Final = 2**20
SERVER_MEMORY: Final = 60 * MEBIBYTE
"""Measured: 52 MiB with one card and nobody logged in."""
CLIENT_MEMORY: Final = 64 * 1024
"""Measured: 13 KiB for a client that sees one card; more with many cards."""
SPACE_NEEDED: Final = 100 * MEBIBYTE
"""Address space beyond memory: 125 MiB in all were too little for the pages, 150 did."""
LITTLE_SPACE: Final = 32 * MEBIBYTE
"""What the pages take when they are first looked at."""
DAY: Final = 86_400.0


# The clock.

_clock = partial(diagnose, Check.CLOCK)


def judge_clock(answer: TimeAnswer, *, synchronised: bool | None) -> Diagnosis:
    """Judge what a time server said, or what the system says about its own clock."""
    if answer.server:
        return _judge_offset(answer)
    if answer.refusals:
        asked = "; ".join(answer.refusals)
        return _clock(Grade.NOT_CHECKED, "no-time", f"no time server answered: {asked}")
    if synchronised:
        return _clock(
            Grade.OK, "clock-kept", "the system says that it keeps its clock in step (NTP)"
        )
    if synchronised is False:
        return _clock(
            Grade.ADVICE,
            "clock-not-kept",
            "the system says that nothing keeps its clock in step, and no time server is set",
            "Run: timedatectl set-ntp true",
        )
    text = "no time server is set; name one with --ntp HOST"
    return _clock(Grade.NOT_CHECKED, "no-time", text)


def _judge_offset(answer: TimeAnswer) -> Diagnosis:
    off, server = abs(answer.offset), answer.server
    if off <= TOLERANCE:
        return _clock(Grade.OK, "clock-right", f"within {off:.1f} s of {server}")
    way = "behind" if answer.offset > 0 else "ahead of"
    return _clock(
        Grade.WARNING,
        "clock-wrong",
        f"{off:,.0f} s {way} {server}: {_EFFECT}",
        "Have the system keep its clock in step: timedatectl set-ntp true",
    )


# Files and memory.


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What the configuration may need at most."""

    clients: int
    upstreams: int
    max_clients: int
    """The limit in cccamd.toml."""

    @property
    def files(self) -> int:
        """File descriptors when everybody is there."""
        return (
            min(self.clients, self.max_clients) + self.upstreams + LOGINS_AT_ONCE + RESERVED_FILES
        )

    @property
    def memory(self) -> int:
        """Bytes when everybody is there; a rough figure."""
        return SERVER_MEMORY + CLIENT_MEMORY * (self.clients + self.upstreams)


def judge_files(demand: Demand, supply: Supply) -> Diagnosis:
    """Compare file descriptors with the number of clients."""
    files = partial(diagnose, Check.RESOURCES, subject="files")
    whose = "the running server" if supply.is_running else "a server started from here"
    needs = f"{count(demand.clients, 'client')} and {count(demand.upstreams, 'C-line')}"
    if supply.files is None:
        return files(Grade.OK, "files", f"{whose} may open as many files as it likes")
    has = f"{whose} may open {supply.files:,} files; {needs} need up to {demand.files:,}"
    if supply.files < demand.files:
        change = "Add LimitNOFILE=65536 to the [Service] section of the service, and restart it."
        return files(Grade.WARNING, "few-files", f"{has}: not all clients get in", change)
    if demand.clients > demand.max_clients:
        text = f"{needs}, but only {demand.max_clients:,} clients are let in at once"
        change = "Raise max_clients in the [limits] table of cccamd.toml."
        return files(Grade.ADVICE, "max-clients", text, change)
    return files(Grade.OK, "files", has)


MORE_SPACE: Final = (
    "Take away LimitAS in the [Service] section of the service (ulimit -v), or set it to 512M."
)


def judge_memory(demand: Demand, supply: Supply) -> Diagnosis:
    """Compare memory with the number of clients."""
    memory = partial(diagnose, Check.RESOURCES, subject="memory")
    need = f"about {max(1, round(demand.memory / MEBIBYTE)):,} MiB"
    has = (
        f"{round(supply.memory / MEBIBYTE):,} MiB available, {need} needed when everybody is there"
    )
    if supply.memory < demand.memory:
        change = "Stop other programs, or add memory: a server that swaps answers late."
        return memory(Grade.WARNING, "little-memory", has, change)
    if supply.space is not None and supply.space < SPACE_NEEDED + demand.memory:
        text = (
            f"the running server may have {round(supply.space / MEBIBYTE):,} MiB of address space:"
            " where it needs more, it ends"
        )
        return memory(Grade.WARNING, "little-memory", text, MORE_SPACE)
    return memory(Grade.OK, "memory", has)


# A running server: what it can see of its machine without anybody's help.

LITTLE_ROOM: Final = 16 * MEBIBYTE
"""A journal and logs of some days need so much."""
LITTLE_SHARE: Final = 20
"""On a small file system, one part of so many is enough."""
FEW_FILES_LEFT: Final = 32
LITTLE_MEMORY: Final = 32 * MEBIBYTE
OWN_CLOCK: Final = "this machine's clock"
JOURNAL: Final = "the journal"
"""What it is called among what is written."""
BEGINNING: Final = 1_735_689_600.0
"""The beginning of 2025: no clock that was ever set shows an earlier time."""


@dataclass(frozen=True, slots=True)
class MachineTrouble:
    """Something that is wrong with the machine of a running server now."""

    diagnosis: Diagnosis
    since: float
    """Seconds since the epoch."""


def judge_resources(
    now: Resources, before: Resources | None = None, journal: JournalState | None = None
) -> tuple[Diagnosis, ...]:
    """What is wrong with a running server's machine, and its journal; nothing when all is well.

    `before` is the reading before this one. By the code of the finding: `clock-unset`,
    `clock-jumped`, `disk-full`, `disk-read-only`, `few-files-left`, `little-memory-left`,
    `no-such-address`,
    `journal-stopped`. Subject and text make a sentence; the subject of a disk is all that is
    written there.
    """
    found = (
        _judge_own_clock(now.clock, before.clock if before else None),
        *_judge_disks(now.rooms, _judge_journal(journal) if journal is not None else None),
        _judge_files_left(now),
        _judge_memory_left(now),
        _judge_space_left(now),
        _judge_addresses(now.missing),
        _judge_written_times(journal) if journal is not None else None,
    )
    return tuple(diagnosis for diagnosis in found if diagnosis is not None)


def _judge_own_clock(now: Clock, before: Clock | None) -> Diagnosis | None:
    change = "Have the system keep its clock in step: timedatectl set-ntp true"
    if now.wall < BEGINNING:
        day = datetime.fromtimestamp(now.wall, UTC).date()
        text = f"was never set: it shows {day}; {_EFFECT}"
        return _clock(Grade.WARNING, "clock-unset", text, change, subject=OWN_CLOCK)
    if before is None or before.wall < BEGINNING:
        return None  # set at last: that is no trouble
    jump = (now.wall - before.wall) - (now.steady - before.steady)
    if abs(jump) <= TOLERANCE:
        return None
    way = "forward" if jump > 0 else "back"
    kept = "" if now.is_kept is not False else "; nothing keeps it in step"
    text = f"was set {way} by {span(abs(jump))}{kept}: {_EFFECT}"
    return _clock(Grade.WARNING, "clock-jumped", text, change, subject=OWN_CLOCK)


def _judge_journal(state: JournalState) -> Diagnosis | None:
    if not state.trouble:
        return None
    lost = f", {state.dropped:,} are lost" if state.dropped else ""
    text = f"is not written: {state.trouble}; {count(state.waiting, 'line')} in memory{lost}"
    change = "Mend what it says; it is tried again every 30 s, and nothing else waits for it."
    return diagnose(
        Check.RESOURCES, Grade.FAILURE, "journal-stopped", text, change, subject=JOURNAL
    )


def _judge_written_times(state: JournalState) -> Diagnosis | None:
    """A clock that jumped between two runs."""
    if not state.jump:
        return None
    way = "ahead of" if state.jump > 0 else "behind"
    off = " (or nothing was written for so long)" if state.jump > 0 else ""
    text = (
        f"is {ago(abs(state.jump))} {way} what the journal was written by{off}: {_EFFECT};"
        " nothing is pruned by it before it has proved right"
    )
    change = "Have the system keep its clock in step: timedatectl set-ntp true"
    return _clock(Grade.WARNING, "clock-jumped", text, change, subject=OWN_CLOCK)


def _judge_disks(rooms: Mapping[str, Room], stopped: Diagnosis | None) -> Iterator[Diagnosis]:
    """One for each file system, whatever it is that cannot be written there."""
    on_disks: dict[int, list[str]] = {}
    for name, room in rooms.items():
        on_disks.setdefault(room.device, []).append(name)
    for names in on_disks.values():
        found = _judge_room(f"the file system of {listed(names)}", rooms[names[0]])
        if found is not None and stopped is not None and JOURNAL in names:
            text = f"{found.finding.text}; {JOURNAL} {stopped.finding.text}"
            found, stopped = replace(found, finding=replace(found.finding, text=text)), None
        if found is not None:
            yield found
    if stopped is not None:
        yield stopped


def _judge_room(subject: str, room: Room) -> Diagnosis | None:
    disk = partial(diagnose, Check.RESOURCES, subject=subject)
    if room.read_only:
        text = "is mounted read-only: nothing is written any more"
        change = "See dmesg for the cause: systems do that when a disk or flash memory fails."
        return disk(Grade.FAILURE, "disk-read-only", text, change)
    if room.files == 0:
        text = "takes no more files: no inodes are left"
        return disk(Grade.FAILURE, "disk-full", text, "Delete many small files there.")
    if not room.total or room.free >= min(LITTLE_ROOM, room.total / LITTLE_SHARE):
        return None
    left = f"has {room.free / MEBIBYTE:,.1f} MiB left"
    grade = Grade.WARNING if room.free else Grade.FAILURE
    effect = "soon nothing can be written" if room.free else "nothing can be written"
    change = "Delete what is not needed, or write it elsewhere."
    return disk(grade, "disk-full", f"{left}: {effect}", change)


def _judge_files_left(now: Resources) -> Diagnosis | None:
    if now.files_allowed is None or now.files_allowed - now.files_open >= FEW_FILES_LEFT:
        return None
    text = (
        f"are nearly used up: {now.files_open:,} of {now.files_allowed:,} are open; soon nobody"
        " gets in"
    )
    change = "Add LimitNOFILE=65536 to the [Service] section of the service, and restart it."
    return diagnose(
        Check.RESOURCES, Grade.WARNING, "few-files-left", text, change, subject="file descriptors"
    )


def _judge_memory_left(now: Resources) -> Diagnosis | None:
    if now.memory_left is None or now.memory_left >= LITTLE_MEMORY:
        return None
    text = (
        f"is nearly used up: {round(now.memory_left / MEBIBYTE):,} MiB are left, and this server"
        f" has {round(now.memory_used / MEBIBYTE):,} MiB"
    )
    change = "Stop other programs, or add memory: a server that swaps answers late."
    return diagnose(
        Check.RESOURCES, Grade.WARNING, "little-memory-left", text, change, subject="memory"
    )


def _judge_space_left(now: Resources) -> Diagnosis | None:
    if now.space_left is None or now.space_left >= LITTLE_SPACE:
        return None
    text = (
        f"is nearly used up: this process may have {round(now.space_left / MEBIBYTE):,} MiB more"
        " of address space, and then it may end"
    )
    return diagnose(
        Check.RESOURCES, Grade.WARNING, "little-memory-left", text, MORE_SPACE, subject="memory"
    )


def _judge_addresses(missing: Sequence[str]) -> Diagnosis | None:
    if not missing:
        return None
    text = "takes nobody in: this machine has no such address now"
    subject = f"the door at {listed(missing)}"
    return diagnose(Check.PORTS, Grade.WARNING, "no-such-address", text, TO_COME, subject=subject)


# The node id.

_node_id = partial(diagnose, Check.NODE_ID)


@dataclass(frozen=True, slots=True)
class NodeIdHolder:
    """Somebody whose node id we know."""

    name: str
    node_id: NodeId


def judge_node_id(
    file: NodeIdFile, peers: Iterable[NodeIdHolder], *, running: NodeId | None
) -> Diagnosis:
    """Compare our node id with those of all peers. `running`: the id that our server uses."""
    own = running or file.node_id
    if own is not None and (same := [peer.name for peer in peers if peer.node_id == own]):
        return _node_id(
            Grade.FAILURE,
            "clone",
            f"{some_of(same)} has the node id of this server ({format_node_id(own)}): one was"
            " copied from the other, and each drops the other's cards as its own",
            f"{CLONE_CHANGE} (here the file is {file.path})",
        )
    return _judge_node_id_file(file, running)


def _judge_node_id_file(file: NodeIdFile, running: NodeId | None) -> Diagnosis:
    path = file.path
    match file.state:
        case FileState.MISSING:
            if running is None:
                text = f"{path} is not there yet; the first start makes it"
                return _node_id(Grade.OK, "node-id-later", text)
            text = f"the server uses {format_node_id(running)}, and {path} is not there"
            change = "If it is not kept elsewhere (-n), others see a stranger after each start."
            return _node_id(Grade.ADVICE, "node-id-not-kept", text, change)
        case FileState.CORRUPT:
            text = f"{path} does not hold a node id; the next start replaces it"
            change = f"Restore it from a backup, or delete {path}."
            return _node_id(Grade.WARNING, "node-id-corrupt", text, change)
        case FileState.HIDDEN:
            text = f"{path} cannot be read by us"
            return _node_id(Grade.NOT_CHECKED, "node-id-hidden", text, "Run as root.")
    return _judge_origin(file, running)


def _judge_origin(file: NodeIdFile, running: NodeId | None) -> Diagnosis:
    assert file.node_id is not None
    own = format_node_id(file.node_id)
    if file.node_id in SHARED_NODE_IDS:
        text = f"{own} names nobody: many programs send it"
        change = f"Delete {file.path} and start the server again."
        return _node_id(Grade.WARNING, "node-id-shared", text, change)
    if running is not None and running != file.node_id:
        text = f"{file.path} holds {own}, but the server runs with {format_node_id(running)}"
        return _node_id(Grade.ADVICE, "node-id-other-file", text, "Name the right file with -n.")
    if file.older_by > DAY:
        days = round(file.older_by / DAY)
        return _node_id(
            Grade.ADVICE,
            "node-id-copied",
            f"{file.path} is {days:,} days older than this system: it was copied or restored",
            "All is well if the old machine is gone. If it still runs, delete the file on one of"
            " the two.",
        )
    return _node_id(Grade.OK, "node-id", f"{own}; no peer that is known now has the same")


def judge_twins(status: Status) -> list[Diagnosis]:
    """Tell of peers that share a node id with each other, as the server sees it."""
    return [
        _node_id(Grade.WARNING, "clone", clone_text(clone), CLONE_CHANGE)
        for clone in status.server.clones
        if not clone.own
    ]


def peers_of(status: Status) -> list[NodeIdHolder]:
    """All peers of a running server that have a node id of their own."""
    clients = [
        NodeIdHolder(f"client {client.account} ({client.address})", client.node_id)
        for client in status.clients
        if client.node_id
    ]
    links = [
        NodeIdHolder(f"upstream {source.name}", source.node_id)
        for source in status.sources
        if source.kind is SourceKind.CCCAM and source.node_id
    ]
    return [peer for peer in (*clients, *links) if peer.node_id not in SHARED_NODE_IDS]
