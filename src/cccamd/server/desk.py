"""Carries out what came over the control socket."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import assert_never

from cccamd.acting import (
    Answer,
    ChangeLink,
    Debug,
    Kick,
    Order,
    Reload,
    ShowLog,
    Status,
    Unban,
)
from cccamd.facts import ConfigProblemKind, ConfigState
from cccamd.server.acts import Acts
from cccamd.server.logs import ROOT, AccountFocus
from cccamd.server.logtail import LogTail
from cccamd.wording import span

Say = Callable[[str], Awaitable[None]]
"""Shows a line; waits until there is room for it."""


class Desk:
    """Knows who does what; remembers what has to be undone later."""

    def __init__(
        self, acts: Acts, *, reload: Callable[[], Awaitable[ConfigState]], focus: AccountFocus
    ) -> None:
        self._acts = acts
        self._reload = reload
        self._focus = focus
        self.tail = LogTail(focus)
        """What the log said last."""
        self._loop = asyncio.get_running_loop()
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def open(self) -> None:
        """Keep the lines of the log from now on."""
        logging.getLogger(ROOT).addHandler(self.tail)

    def close(self) -> None:
        """Undo what would be undone later."""
        logging.getLogger(ROOT).removeHandler(self.tail)
        for account, timer in self._timers.items():
            timer.cancel()
            self._focus.lend(account, on=False)
        self._timers.clear()

    async def carry_out(self, order: Order, by: str, say: Say) -> Answer:
        """Do it, in the name of `by`."""
        match order:
            case Reload(because, account):
                state = await self._reload()
                self._acts.note(by, because or "files read again", account)
                return reload_answer(state)
            case Kick(whom):
                return self._acts.kick(whom, by)
            case ChangeLink(act, name):
                return await self._acts.change_link(act, name, by)
            case Unban(who):
                return self._acts.unban(who, by)
            case ShowLog(account, follow):
                return await self._show_log(account, say, follow=follow)
            case Debug(account, seconds):
                return self._debug(account, seconds, by)
            case _:
                assert_never(order)

    async def _show_log(self, account: str, say: Say, *, follow: bool) -> Answer:
        number = 0
        for line in self.tail.last(account):
            await say(line.text)
            number = line.number
        if follow:
            async for more in self.tail.follow(account, since=number):
                if more is not None:
                    await say(more.text)
        return Answer()

    def _debug(self, account: str, seconds: float, by: str) -> Answer:
        if timer := self._timers.pop(account, None):
            timer.cancel()
        if not seconds:
            self._focus.lend(account, on=False)
            self._acts.note(by, f"does not log everything of {account} any more", account)
            return Answer(text=f"what {account} does is logged as before")
        self._focus.lend(account, on=True)
        self._timers[account] = self._loop.call_later(seconds, self._undo, account)
        self._acts.note(by, f"logs everything of {account} for {span(seconds)}", account)
        return Answer(text=f"all that {account} does is logged for {span(seconds)}")

    def _undo(self, account: str) -> None:
        del self._timers[account]
        self._focus.lend(account, on=False)


_WRONG = {ConfigProblemKind.LEFT_OUT, ConfigProblemKind.NOT_DONE}


def reload_answer(state: ConfigState) -> Answer:
    """Say what a reload changed, and what is wrong."""
    problems = [f"{_place(each.file, each.line)}{each.text}" for each in state.problems]
    data = {
        "taken": state.taken,
        "refusal": state.refusal,
        "changes": list(state.changes),
        "problems": problems,
    }
    if not state.taken:
        text = f"not taken: {state.refusal}; the old configuration is kept"
        return Answer(status=Status.UNUSABLE, text=text, data=data)
    is_whole = not any(each.kind in _WRONG for each in state.problems)
    lines = [*(state.changes or ("nothing changed",)), *(f"wrong: {each}" for each in problems)]
    status = Status.DONE if is_whole else Status.NOT_DONE
    return Answer(status=status, text="\n".join(lines), data=data)


def _place(file: str, line: int | None) -> str:
    return f"{file}:{line}: " if line is not None else f"{file}: " if file else ""
