"""Whether the clock is right."""

import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cccamd.doctor import sntp
from cccamd.doctor.finding import Check, Finding, Verdict

TOLERANCE: Final = 5.0
"""Seconds."""
SERVERS_ASKED: Final = 3
"""The first that answers counts."""
_EFFECT: Final = "time frames of F-lines, validity of keys and times in logs are wrong"


@dataclass(frozen=True, slots=True)
class TimeAnswer:
    """What asking for the time came to."""

    server: str = ""
    """Who answered; empty: nobody."""
    offset: float = 0.0
    """Seconds that our clock is behind; negative: ahead."""
    refusals: tuple[str, ...] = ()
    """Whom we asked in vain, and why."""


def judge_clock(answer: TimeAnswer, *, synchronised: bool | None) -> Finding:
    """Judge what a time server said, or what the system says about its own clock."""
    if answer.server:
        return _judge_offset(answer)
    if answer.refusals:
        asked = "; ".join(answer.refusals)
        return _finding(Verdict.NOT_CHECKED, f"no time server answered: {asked}")
    if synchronised:
        return _finding(Verdict.OK, "the system says that it keeps its clock in step (NTP)")
    if synchronised is False:
        return _finding(
            Verdict.ADVICE,
            "the system says that nothing keeps its clock in step, and no time server is set",
            "Run: timedatectl set-ntp true",
        )
    return _finding(Verdict.NOT_CHECKED, "no time server is set; name one with --ntp HOST")


def _judge_offset(answer: TimeAnswer) -> Finding:
    off, server = abs(answer.offset), answer.server
    if off <= TOLERANCE:
        return _finding(Verdict.OK, f"within {off:.1f} s of {server}")
    way = "behind" if answer.offset > 0 else "ahead of"
    return _finding(
        Verdict.WARNING,
        f"{off:,.0f} s {way} {server}: {_EFFECT}",
        "Have the system keep its clock in step: timedatectl set-ntp true",
    )


def _finding(verdict: Verdict, evidence: str, advice: str = "") -> Finding:
    return Finding(check=Check.CLOCK, verdict=verdict, evidence=evidence, advice=advice)


def servers_in(texts: Iterable[str]) -> list[str]:
    """The time servers of timesyncd.conf and its drop-ins; those of NTP= before FallbackNTP=."""
    servers: dict[str, list[str]] = {"NTP": [], "FallbackNTP": []}
    for line in (line for text in texts for line in text.splitlines()):
        key, equals, value = line.partition("=")
        if equals and key.strip() in servers:
            # An empty value takes back what was set before, as everywhere in systemd.
            before = servers[key.strip()] if value.strip() else []
            servers[key.strip()] = [*before, *value.split()]
    return [*servers["NTP"], *servers["FallbackNTP"]]


# What touches the system.

TIMESYNCD_FILES: Final = Path("/etc/systemd")


def configured_servers(folder: Path = TIMESYNCD_FILES) -> list[str]:
    """The time servers that the operator has set for this machine."""
    drop_ins = sorted((folder / "timesyncd.conf.d").glob("*.conf"))
    return servers_in(
        path.read_text(errors="replace")
        for path in (folder / "timesyncd.conf", *drop_ins)
        if path.is_file()
    )


def ask_time(servers: Sequence[str]) -> TimeAnswer:
    """Ask one server after the other until one answers."""
    refusals: list[str] = []
    for server in servers[:SERVERS_ASKED]:
        try:
            return TimeAnswer(server, sntp.ask(server), tuple(refusals))
        except sntp.NoTime as error:
            refusals.append(f"{server}: {error}")
    return TimeAnswer(refusals=tuple(refusals))


def is_synchronised() -> bool | None:
    """What systemd says about the clock; None where it is not there to ask."""
    try:
        done = subprocess.run(
            ["timedatectl", "show", "--property=NTPSynchronized", "--value"],
            capture_output=True,
            text=True,
            timeout=sntp.TIMEOUT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return {"yes": True, "no": False}.get(done.stdout.strip())
