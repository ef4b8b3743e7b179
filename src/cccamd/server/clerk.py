"""Does with accounts what a person wants on the pages: one thing after the other, each told."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from cccamd.acting import Answer, Order, Status
from cccamd.errors import CccamdError
from cccamd.facts import ConfigState
from cccamd.net import TaskSet
from cccamd.server.acts import Acts
from cccamd.server.desk import Desk, reload_answer
from cccamd.setup.accountacts import AccountAct, AccountChange, change_account
from cccamd.setup.accounts import writing_trouble
from cccamd.setup.cccamcfg import EditError, list_accounts
from cccamd.setup.doors import address_of, code_text, recipes_of
from cccamd.setup.files import ConfigFileError, read_file
from cccamd.setup.setup import Setup
from cccamd.watch import Throttle
from cccamd.web import AccountBook, AccountRow, Entry, Hands

log = logging.getLogger("cccamd.control")

PATIENCE: Final = 60.0
"""Seconds to wait for a reload: files that somebody writes all the time are waited for."""


class Clerk:
    """Writes CCcam.cfg and nothing else; the rules of that are `setup.accountacts`."""

    def __init__(
        self,
        *,
        acts: Acts,
        setup: Callable[[], Setup],
        reload: Callable[[], Awaitable[ConfigState]],
        tasks: TaskSet,
    ) -> None:
        """`setup` is the one in use."""
        self._acts = acts
        self._setup = setup
        self._reload = reload
        self._tasks = tasks
        self._one = asyncio.Lock()
        self._refusals = Throttle(others="others")

    async def book(self) -> AccountBook:
        """Read all accounts: as the file has them now, and as they are in use."""
        return await asyncio.to_thread(_book, self._setup())

    async def change(self, change: AccountChange, by: str) -> Answer:
        """Edit the file and have the server take it; what was begun is finished, also when
        whoever asked for it has gone."""
        done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._tasks.start(f"account {change.act.value}", self._change(change, by, done))
        return await asyncio.shield(done)

    async def entry(self, name: str, host: str, by: str) -> Entry | Answer:
        """Look up what to enter for an account; it is written down that somebody saw it."""
        try:
            found = await asyncio.to_thread(_entry, self._setup(), name, host)
        except CccamdError as error:
            return Answer(status=Status.NOT_DONE, text=str(error))
        self._acts.note(by, f"what to enter for {name} shown", name)
        return found

    def refused(self, address: str, why: str) -> None:
        """Tell the log that a form was not taken: it may come from somebody else's page."""
        now = asyncio.get_running_loop().time()
        for _, count in self._refusals.ended(now):
            log.warning("pages: %d more forms that were not taken", count)
        if self._refusals.admits(address, now):
            log.warning("pages: a form from %s was not taken: %s", address, why)

    async def _change(self, change: AccountChange, by: str, done: asyncio.Future[Answer]) -> None:
        text = "an error of cccamd itself; its log says more"
        answer = Answer(status=Status.UNREACHABLE, text=text)
        try:
            async with self._one:
                answer = await self._carried_out(change, by)
        finally:  # nobody waits for ever, whatever came of it
            if not done.done():
                done.set_result(answer)

    async def _carried_out(self, change: AccountChange, by: str) -> Answer:
        try:
            path = path_of(self._setup())
            remark = await asyncio.to_thread(
                change_account, path, change, lambda: self._setup().toml
            )
        except CccamdError as error:
            self._acts.note(by, f"account {change.name} not {change.act.done}: {error}")
            return Answer(status=Status.UNUSABLE, text=str(error))
        self._acts.note(by, change.because, change.name)
        text = f"{change.name} is {change.act.done}"
        try:
            async with asyncio.timeout(PATIENCE):
                told = reload_answer(await self._reload())
        except TimeoutError:
            text += "; the server has not read the files yet, because somebody writes them"
            return Answer(status=Status.NOT_DONE, text=text)
        data = {**told.data, "remark": remark}
        if told.status is Status.UNUSABLE:
            return Answer(
                status=Status.NOT_DONE, text=f"{text} in the file, but {told.text}", data=data
            )
        if change.act in (AccountAct.ADD, AccountAct.ENABLE) and not self._is_in_use(change.name):
            text += " in the file, but is not in use: see what is wrong"
            return Answer(status=Status.NOT_DONE, text=text, data=data)
        return Answer(text=text, data=data)

    def _is_in_use(self, name: str) -> bool:
        return any(line.user == name for line in self._setup().config.f_lines)


def hands_of(desk: Desk, clerk: Clerk) -> Hands:
    """What the pages may do by them."""

    async def carry_out(order: Order, by: str) -> Answer:
        return await desk.carry_out(order, by, _say_nothing)

    return Hands(
        carry_out=carry_out,
        book=clerk.book,
        change=clerk.change,
        entry=clerk.entry,
        last_lines=desk.tail.last,
        follow=desk.tail.follow,
        refused=clerk.refused,
    )


async def _say_nothing(_: str) -> None:
    """The answer says it all."""


def path_of(setup: Setup) -> Path:
    """The CCcam.cfg that is edited.

    Raises:
        ConfigFileError: there is none: the built-in example runs.
    """
    if setup.sources.config is None:
        why = "there is none, the built-in example runs; write one, and start the server with it"
        raise ConfigFileError("CCcam.cfg", why)
    return setup.sources.config


def _book(setup: Setup) -> AccountBook:
    try:
        path = path_of(setup)
        lines = list_accounts(read_file(path))
        trouble = writing_trouble(path)
    except CccamdError as error:
        path, lines, trouble = Path("CCcam.cfg"), {}, str(error)
    in_use = {line.user: line for line in setup.config.f_lines}
    rows = [
        AccountRow(
            name=name,
            where=f"{path.name}:{line.number}",
            is_on=line.is_on,
            in_use=name in in_use and in_use[name].enabled,
            is_editable=True,
        )
        for name, line in lines.items()
    ]
    rows += [
        AccountRow(
            name=name,
            where=f"{Path(line.toml_file or path).name}:{line.line}",
            is_on=line.enabled,
            in_use=line.enabled,
            is_editable=False,
        )
        for name, line in in_use.items()
        if name not in lines
    ]
    return AccountBook(rows=tuple(sorted(rows, key=_by_name)), trouble=trouble)


def _by_name(row: AccountRow) -> tuple[str, str]:
    return row.name.casefold(), row.name


def _entry(setup: Setup, name: str, host: str) -> Entry:
    account = next((each for each in setup.accounts.values() if each.line.user == name), None)
    if account is None:
        raise EditError(f"no account {name} is in use: add it, or switch it on")
    recipes = recipes_of(setup, account, host or address_of(setup))
    return Entry(recipes=tuple(recipes), code=code_text(recipes))
