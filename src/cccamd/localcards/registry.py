"""Which kinds of cards are installed: the entry points of group `cccamd.cards`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from cccamd.localcards.card import CardOptions, LocalCard

GROUP = "cccamd.cards"
_OWN_PACKAGE = "cccamd"


@dataclass(frozen=True, slots=True)
class InstalledKinds:
    """The usable kinds by name, and a sentence for each that could not be used."""

    kinds: Mapping[str, type[LocalCard]]
    problems: tuple[str, ...] = ()


def find_kinds() -> InstalledKinds:
    """Load every installed kind. A plug-in that can't be loaded is a problem, not an error."""
    return load_kinds(entry_points(group=GROUP))


def load_kinds(points: Iterable[EntryPoint]) -> InstalledKinds:
    """Load these entry points. Of two with one name ours counts, else the first."""
    kinds: dict[str, type[LocalCard]] = {}
    problems: list[str] = []
    for point in sorted(points, key=_preference):
        if point.name in kinds:
            problems.append(f"{_describe(point)} is not used: the name is taken")
            continue
        try:
            kinds[point.name] = _load(point)
        except (Exception, SystemExit) as error:
            problems.append(f"{_describe(point)} cannot be used: {type(error).__name__}: {error}")
    return InstalledKinds(kinds, tuple(problems))


def _preference(point: EntryPoint) -> tuple[bool, str, str]:
    return (_package(point) != _OWN_PACKAGE, _package(point), point.name)


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else "unknown"


def _describe(point: EntryPoint) -> str:
    version = f" {point.dist.version}" if point.dist else ""
    return f'card kind "{point.name}" of package {_package(point)}{version}'


def _load(point: EntryPoint) -> type[LocalCard]:
    kind = point.load()
    if not (isinstance(kind, type) and issubclass(kind, LocalCard)):
        raise TypeError(f"{point.value} is not a subclass of cccamd.localcards.LocalCard")
    options = getattr(kind, "Options", None)
    if not (isinstance(options, type) and issubclass(options, CardOptions)):
        raise TypeError(f"{point.value}.Options is not a subclass of CardOptions")
    return kind
