"""Whether there are enough file descriptors and memory for all clients."""

from dataclasses import dataclass
from typing import Final

from cccamd.doctor.finding import Check, Finding, Verdict
from cccamd.doctor.wording import count
from cccamd.machine import RESERVED_FILES, Supply

LOGINS_AT_ONCE: Final = 64
"""Connections that have not logged in yet: after a power cut all receivers come at once."""
MEBIBYTE: Final = 2**20
SERVER_MEMORY: Final = 60 * MEBIBYTE
"""Measured: 52 MiB with one card and nobody logged in."""
CLIENT_MEMORY: Final = 64 * 1024
"""Measured: 13 KiB for a client that sees one card; more with many cards."""


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


def judge_files(demand: Demand, supply: Supply) -> Finding:
    """Compare file descriptors with the number of clients."""
    whose = "the running server" if supply.is_running else "a server started from here"
    needs = f"{count(demand.clients, 'account')} and {count(demand.upstreams, 'C-line')}"
    if supply.files is None:
        return _finding("files", Verdict.OK, f"{whose} may open as many files as it likes")
    has = f"{whose} may open {supply.files:,} files; {needs} need up to {demand.files:,}"
    if supply.files < demand.files:
        advice = "Add LimitNOFILE=65536 to the [Service] section of the service, and restart it."
        return _finding("files", Verdict.WARNING, f"{has}: not all clients get in", advice)
    if demand.clients > demand.max_clients:
        evidence = f"{needs}, but only {demand.max_clients:,} clients are let in at once"
        advice = "Raise max_clients in the [limits] table of cccamd.toml."
        return _finding("files", Verdict.ADVICE, evidence, advice)
    return _finding("files", Verdict.OK, has)


def judge_memory(demand: Demand, supply: Supply) -> Finding:
    """Compare memory with the number of clients."""
    if supply.memory is None:
        return _finding("memory", Verdict.NOT_CHECKED, "the system does not say")
    need = f"about {max(1, round(demand.memory / MEBIBYTE)):,} MiB"
    has = (
        f"{round(supply.memory / MEBIBYTE):,} MiB available, {need} needed when everybody is there"
    )
    if supply.memory < demand.memory:
        advice = "Stop other programs, or add memory: a server that swaps answers late."
        return _finding("memory", Verdict.WARNING, has, advice)
    return _finding("memory", Verdict.OK, has)


def _finding(subject: str, verdict: Verdict, evidence: str, advice: str = "") -> Finding:
    return Finding(
        check=Check.RESOURCES,
        subject=subject,
        verdict=verdict,
        evidence=evidence,
        advice=advice,
    )
