"""Looks every half minute at what this machine has left: clock, disks, descriptors, memory.

The reading is `cccamd.machine`'s, the judgement `cccamd.why`'s; here is when, and since when. What
is wrong stays until a look finds it in order; a clock that jumped is told of for some minutes.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from cccamd.machine import Resources, read_resources
from cccamd.watch import followed
from cccamd.watch.journal import JournalState
from cccamd.why import OWN_CLOCK, MachineTrouble, judge_resources

LOOK_INTERVAL: Final = 30.0
"""Seconds."""
JUMP_TOLD: Final = 300.0
"""Seconds for which a jump of the clock counts as a trouble: it is over when it has happened."""
_DISKS: Final = {"disk-full", "disk-read-only"}
_JUMP: Final = ("clock-jumped", OWN_CLOCK)


class MachineWatch:
    """What is wrong with the machine that a server runs on."""

    def __init__(
        self,
        written: Callable[[], Mapping[str, Path]],
        *,
        listened: Callable[[], Collection[str]] = tuple,
        on_failure: Callable[[str, BaseException], None],
        journal: Callable[[], JournalState] | None = None,
    ) -> None:
        """`written`: the files that are written now, by what they are called for people.

        `listened`: the addresses that are listened on.
        """
        self._listened = listened
        self._journal = journal
        self._jump_told = False
        """A clock that jumped between two runs: told of once."""
        self._written = written
        self._on_failure = on_failure
        self._before: Resources | None = None
        self._troubles: dict[tuple[str, str], MachineTrouble] = {}

    def troubles(self) -> tuple[MachineTrouble, ...]:
        """What is wrong, as the last look found it."""
        return tuple(self._troubles.values())

    def clock_was_set(self, step: float, now: float) -> None:
        """The wall clock was set by so many seconds, and shows `now`."""
        for key, each in self._troubles.items():
            since = followed(each.since, step, now)
            self._troubles[key] = MachineTrouble(each.diagnosis, since)

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                looked_at = self._written(), self._listened()
                self.judge(await asyncio.to_thread(read_resources, *looked_at), time.time())
            except Exception as error:  # a system that is odd costs this look and nothing else
                self._on_failure("looking at this machine", error)
            await asyncio.sleep(LOOK_INTERVAL)

    def judge(self, found: Resources, now: float) -> None:
        """Take a reading; `now` is seconds since the epoch."""
        before, self._before = self._before, found
        known, self._troubles = self._troubles, {}
        for diagnosis in judge_resources(found, before, self._journal_now()):
            key = diagnosis.finding.code, diagnosis.subject
            if (
                key[0] == "journal-stopped"
                and key not in known
                and _DISKS & {code for code, _ in known}
            ):
                continue  # there is room again, and it has not been tried since
            since = known[key].since if key in known else now
            self._troubles[key] = MachineTrouble(diagnosis, since)
        jumped = known.get(_JUMP)
        if jumped is not None and 0 <= now - jumped.since < JUMP_TOLD:
            self._troubles.setdefault(_JUMP, jumped)

    def _journal_now(self) -> JournalState | None:
        state = self._journal() if self._journal is not None else None
        if state is not None and state.jump:
            told, self._jump_told = self._jump_told, True
            return replace(state, jump=0.0) if told else state
        return state
