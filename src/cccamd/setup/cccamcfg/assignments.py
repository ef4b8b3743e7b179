"""The values that the implemented keys of one file ended up with."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, cast

from cccamd.setup.cccamcfg.directives import Implemented, Value
from cccamd.setup.cccamcfg.model import Settings
from cccamd.setup.files import Place


@dataclass(frozen=True, slots=True)
class Assignment:
    """One value and where it was written."""

    directive: Implemented
    written_as: str
    """The key as the file names it; maybe an old name."""
    value: Value
    place: Place


class Assignments:
    """Keeps the last value of each key, and all values of keys that may be repeated."""

    def __init__(self) -> None:
        self._last: dict[str, Assignment] = {}
        self._repeated: dict[str, list[Assignment]] = {}

    def set(self, assignment: Assignment) -> None:
        """Let a value count from now on."""
        directive = assignment.directive
        self._last[directive.name] = assignment
        if directive.repeatable:
            self._repeated.setdefault(directive.name, []).append(assignment)

    def all(self) -> Collection[Assignment]:
        """List the assignments that count."""
        return self._last.values()

    def get(self, name: str) -> Assignment | None:
        """Find the assignment that counts, by the vendor's name."""
        return self._last.get(name)

    def switch(self, name: str, default: bool) -> bool:
        """Value of a switch, or the default."""
        found = self._last.get(name)
        return cast(bool, found.value) if found else default

    def number(self, name: str, default: int) -> int:
        """Value of a port or number, or the default."""
        found = self._last.get(name)
        return cast(int, found.value) if found else default

    def text(self, name: str) -> str | None:
        """Value of a text, or None."""
        found = self._last.get(name)
        return cast(str, found.value) if found else None

    def names_of_settings(self) -> tuple[str, ...]:
        """Vendor names of the keys that go to `Settings`, in the order they were first set."""
        return tuple(name for name, found in self._last.items() if found.directive.setting)

    def places(self) -> dict[str, tuple[Place, ...]]:
        """Where the values that count stand, by the vendor's names of their keys."""
        return {
            name: tuple(each.place for each in self._repeated.get(name, (found,)))
            for name, found in self._last.items()
        }

    def settings(self) -> Settings:
        """Fill in what was set; the rest keeps the model's defaults."""
        fields: dict[str, Any] = {
            found.directive.setting: self._whole_value(name)
            for name, found in self._last.items()
            if found.directive.setting
        }
        return Settings(**fields)

    def _whole_value(self, name: str) -> Value | tuple[Value, ...]:
        repeated = self._repeated.get(name)
        if repeated is None:
            return self._last[name].value
        return tuple(assignment.value for assignment in repeated)
