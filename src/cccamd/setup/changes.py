"""What differs between two setups, by names alone: what a reload did. No secret gets here."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from cccamd.ids import format_endpoint
from cccamd.setup.cccamcfg import CLine, NLine
from cccamd.setup.effects import settings_of
from cccamd.setup.setup import Setup

NAMES_SHOWN: Final = 10
"""Names of one kind in a sentence: a file may have thousands of accounts."""

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Difference:
    """What became of the things of one kind."""

    what: str
    """In the plural: accounts."""
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    def __str__(self) -> str:
        parts = (("added", self.added), ("removed", self.removed), ("changed", self.changed))
        told = [f"{word} {_some(names)}" for word, names in parts if names]
        return f"{self.what}: {'; '.join(told)}"


def _some(names: tuple[str, ...]) -> str:
    shown, more = ", ".join(names[:NAMES_SHOWN]), len(names) - NAMES_SHOWN
    return f"{shown} and {more:,} more" if more > 0 else shown


def changes_between(before: Setup, after: Setup) -> tuple[str, ...]:
    """A sentence for each kind of thing that is not as it was; none when nothing changed."""
    accounts, links = _accounts(before), _links(before.config.c_lines, before)
    found = (
        _difference("accounts", accounts, _accounts(after)),
        _difference("C-lines", links, _links(after.config.c_lines, after)),
        _difference(
            "N-lines",
            _links(before.config.n_lines, before),
            _links(after.config.n_lines, after),
        ),
        _difference("local cards", _cards(before), _cards(after)),
        _settings(before, after),
        _companions(before, after),
    )
    return tuple(str(each) for each in found if each)


def other_sources(before: Setup, after: Setup) -> bool:
    """Whether links or local cards are others, so that some begin anew."""
    return _cards(before) != _cards(after) or _upstreams(before) != _upstreams(after)


def _upstreams(setup: Setup) -> Mapping[Hashable, object]:
    return {
        each.key: (
            _numberless(each.line),
            each.version,
            replace(each.policy, line=None),
            each.paired,
            each.tls_port,
        )
        for each in setup.upstreams
    }


Named = Mapping[Hashable, tuple[str, object]]
"""Name and content, by what makes it the same thing."""


def _accounts(setup: Setup) -> Named:
    """The line number does not count: a line above it may have gone."""
    extras = {extra.user: extra for extra in setup.toml.accounts}
    return {
        line.user: (line.user, (_numberless(line), extras.get(line.user)))
        for line in setup.config.f_lines
    }


def _links(lines: Iterable[CLine | NLine], setup: Setup) -> Named:
    extras = {extra.key: extra for extra in setup.toml.upstreams}
    return {
        line.key: (format_endpoint(line.host, line.port), (_numberless(line), extras.get(line.key)))
        for line in lines
    }


def _cards(setup: Setup) -> Named:
    return {
        entry.config.name: (entry.config.name, (entry.kind_name, entry.config, entry.options))
        for entry in setup.toml.cards
    }


def _numberless(line: object) -> tuple[object, ...]:
    names = [name for kind in type(line).__mro__ for name in getattr(kind, "__slots__", ())]
    return tuple(getattr(line, name) for name in names if name != "line")


def _difference(what: str, before: Named, after: Named) -> Difference:
    return Difference(
        what,
        added=_names(after, after.keys() - before.keys()),
        removed=_names(before, before.keys() - after.keys()),
        changed=_names(
            after, {key for key in after.keys() & before.keys() if after[key] != before[key]}
        ),
    )


def _names(things: Named, keys: Iterable[Hashable]) -> tuple[str, ...]:
    wanted = set(keys)
    return tuple(name for key, (name, _) in things.items() if key in wanted)


def _settings(before: Setup, after: Setup) -> Difference:
    old, new = settings_of(before), settings_of(after)
    return Difference("settings", changed=tuple(name for name in new if new[name] != old[name]))


def _companions(before: Setup, after: Setup) -> Difference:
    old, new = before.companions, after.companions
    settings = after.config.settings
    files = (
        (settings.caid_prio_file, old.prio != new.prio),
        (settings.channelinfo_file, old.channels != new.channels),
        (settings.providerinfo_file, old.providers != new.providers),
    )
    return Difference("files", changed=tuple(str(name) for name, differs in files if differs))
