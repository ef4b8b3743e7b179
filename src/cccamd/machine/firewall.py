"""The rules of this machine's own packet filter, and what they do with a client's connection."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from typing import Any, Final

from cccamd.machine.iptables import read_iptables, tables_in
from cccamd.machine.nftables import read_nft
from cccamd.machine.packetfilter import FirstPacket, Outcome, outcome

COMMAND_TIMEOUT: Final = 10.0


@dataclass(frozen=True, slots=True)
class Ruleset:
    """What the programs that list rules said."""

    nft: dict[str, Any] | None = None
    """None: not there, or not allowed."""
    iptables: str | None = None
    forbidden: bool = False
    """There are such programs, and they do not show us anything."""

    @property
    def is_known(self) -> bool:
        """Whether there are any rules to judge."""
        return self.nft is not None or self.iptables is not None

    def outcome(self, packet: FirstPacket) -> Outcome | None:
        """What all rules together do; None when there are none to be seen or understood."""
        tables = read_iptables(self.iptables or "", packet)
        if self.nft is not None:
            try:
                tables |= read_nft(self.nft, packet, without=tables_in(self.iptables or ""))
            except (AttributeError, KeyError, TypeError, ValueError):
                # nft's JSON grows from version to version: what we cannot read we do not judge.
                return None
        return outcome(tables) if self.is_known else None


def look_at_rules() -> Ruleset:
    """List the rules of the kernel, if we may."""
    nft, nft_forbidden = _run("nft", "-j", "list", "ruleset")
    saved, iptables_forbidden = _run("iptables-save")
    try:
        ruleset = json.loads(nft) if nft is not None else None
    except ValueError:
        ruleset = None
    return Ruleset(ruleset, saved, nft_forbidden or iptables_forbidden)


def _run(program: str, *arguments: str) -> tuple[str | None, bool]:
    """The output; and whether the program is there but not for us."""
    path = shutil.which(program, path="/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin")
    if path is None:
        return None, False
    try:
        done = subprocess.run(
            [path, *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=COMMAND_TIMEOUT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None, True
    return done.stdout, False
