"""What a person may do with the accounts of CCcam.cfg, and what cccamd.toml has to say to it.

Only CCcam.cfg is written. What a person wrote in cccamd.toml stays, and is named.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final

from cccamd.setup.accounts import edit_file
from cccamd.setup.cccamcfg import (
    EditError,
    add_account,
    disable_account,
    enable_account,
    remove_account,
)
from cccamd.setup.toml import TomlConfig


class AccountAct(Enum):
    """What can be done; the value is the command's name."""

    ADD = "add"
    DISABLE = "disable"
    ENABLE = "enable"
    REMOVE = "remove"

    @property
    def done(self) -> str:
        """What was done then, for people."""
        return _DONE[self]


_DONE: Final = {
    AccountAct.ADD: "added",
    AccountAct.DISABLE: "switched off",
    AccountAct.ENABLE: "switched on",
    AccountAct.REMOVE: "removed",
}
_EDITS: Final[Mapping[AccountAct, Callable[[bytes, str], bytes]]] = {
    AccountAct.DISABLE: disable_account,
    AccountAct.ENABLE: enable_account,
    AccountAct.REMOVE: remove_account,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChange:
    """One thing that is done with one account."""

    act: AccountAct
    name: str
    password: str = field(default="", repr=False)
    """Of an account that is added."""
    rest: str = ""
    """What follows the password in its F-line."""

    @property
    def because(self) -> str:
        """What was done, for log and journal."""
        return f"account {self.name} {self.act.done}"

    def apply(self, data: bytes) -> bytes:
        """Make the new file of the old one.

        Raises:
            EditError: it cannot be done; the text says why.
        """
        if self.act is AccountAct.ADD:
            return add_account(data, self.name, self.password, self.rest)
        return _EDITS[self.act](data, self.name)


def change_account(path: Path, change: AccountChange, toml: Callable[[], TomlConfig]) -> str:
    """Change CCcam.cfg; what cccamd.toml still says of an account that is gone, else nothing.

    `toml` is asked only where it matters. Blocks.

    Raises:
        EditError: it cannot be done; the text says why, and where the account stands instead.
        ConfigFileError: the file cannot be read or written; nothing has changed.
    """
    try:
        edit_file(path, change.apply, make=change.act is AccountAct.ADD)
    except EditError:
        place = "" if change.act is AccountAct.ADD else own_table(toml(), change.name)
        if not place:
            raise
        raise EditError(
            f"{change.name} is an account of {place}, which only you change: there,"
            " enabled = false switches it off"
        ) from None
    return _left_behind(toml(), change.name) if change.act is AccountAct.REMOVE else ""


def own_table(toml: TomlConfig, name: str) -> str:
    """Where cccamd.toml has an account of its own, with a password; empty: nowhere."""
    found = (each for each in toml.accounts if each.user == name and each.password is not None)
    return next((str(toml.place(each.heading)) for each in found), "")


def _left_behind(toml: TomlConfig, name: str) -> str:
    table = next((each for each in toml.accounts if each.user == name), None)
    if table is None:
        return ""
    place = toml.place(table.heading)
    if table.password is not None:
        return f"{place} has an account {name} of its own, which counts from now on"
    return f"{place} still has a table about {name}, of no use now: take it out yourself"
