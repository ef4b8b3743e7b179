"""Which kinds of cards are installed: the entry points of group `cccamd.cards`.

A kind is imported when a card is of it, and not before: most servers need none of the kinds
that are installed, and what is not needed can break nothing. Nor is it looked which there are
before somebody asks: who has no `[[card]]` does without what reads packages, 1.2 MiB.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from cccamd.errors import CccamdError
from cccamd.localcards.card import LocalCard, NoOptions

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "cccamd.cards"
_OWN_PACKAGE = "cccamd"


class CardKindError(CccamdError):
    """An installed kind of card cannot be used; names the package it is from."""


class InstalledKinds(Mapping[str, type[LocalCard]]):
    """The kinds by name. Looking one up imports it, and raises CardKindError if that fails.

    Whatever is asked first may raise OSError: the system does not let us look at the packages.
    """

    def __init__(self) -> None:
        self._loaded: dict[str, type[LocalCard] | str] = {}
        """Kinds by name, or why one cannot be used: a file may ask for one very often."""

    @cached_property
    def _rivals(self) -> "dict[str, list[EntryPoint]]":
        from importlib.metadata import entry_points

        rivals: dict[str, list[EntryPoint]] = {}
        for point in entry_points(group=GROUP):
            rivals.setdefault(point.name, []).append(point)
        return rivals

    @cached_property
    def _points(self) -> "dict[str, EntryPoint]":
        """Of two kinds with one name ours counts, else the first."""
        return {name: _preferred(named) for name, named in self._rivals.items()}

    @property
    def were_asked_for(self) -> bool:
        """Whether anybody has looked at one, or which there are."""
        return "_rivals" in self.__dict__

    @property
    def problems(self) -> tuple[str, ...]:
        """A sentence for each that has no name of its own."""
        unused = (
            point
            for name, named in self._rivals.items()
            for point in named
            if point is not self._points[name]
        )
        return tuple(
            f"{_describe(point)} is not used: the name is taken"
            for point in sorted(unused, key=_preference)
        )

    def __getitem__(self, name: str) -> type[LocalCard]:
        found = self._loaded.get(name)
        if found is None:
            found = self._loaded[name] = self._load(self._points[name])
        if isinstance(found, str):
            raise CardKindError(found)
        return found

    def _load(self, point: "EntryPoint") -> type[LocalCard] | str:
        try:
            return _load(point)
        except BaseException as error:
            return f"{_describe(point)} cannot be used: {type(error).__name__}: {error}"

    def __contains__(self, name: object) -> bool:
        return name in self._points

    def __iter__(self) -> Iterator[str]:
        return iter(self._points)

    def __len__(self) -> int:
        return len(self._points)


def find_kinds() -> InstalledKinds:
    """Every installed kind, as soon as somebody asks."""
    return InstalledKinds()


def _preferred(named: "Sequence[EntryPoint]") -> "EntryPoint":
    """Where there is a choice: the name of a package is read from all that it says of itself,
    which is most of the time that looking for kinds takes."""
    return named[0] if len(named) == 1 else min(named, key=_preference)


def _preference(point: "EntryPoint") -> tuple[bool, str, str]:
    return (_package(point) != _OWN_PACKAGE, _package(point), point.name)


def _package(point: "EntryPoint") -> str:
    return point.dist.name if point.dist else "unknown"


def _describe(point: "EntryPoint") -> str:
    version = f" {point.dist.version}" if point.dist else ""
    return f'card kind "{point.name}" of package {_package(point)}{version}'


def _load(point: "EntryPoint") -> type[LocalCard]:
    kind = point.load()
    if not (isinstance(kind, type) and issubclass(kind, LocalCard)):
        raise TypeError(f"{point.value} is not a subclass of cccamd.localcards.LocalCard")
    options = getattr(kind, "Options", None)
    if options is not NoOptions:
        from cccamd.localcards.options import CardOptions  # 5 MiB, for kinds with keys

        if not (isinstance(options, type) and issubclass(options, CardOptions)):
            raise TypeError(f"{point.value}.Options is not a subclass of CardOptions")
    return kind
