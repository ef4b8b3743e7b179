"""How the keys of cccamd.toml's tables are declared and read.

A table is a frozen dataclass. With each of its keys stands, in `Annotated`, a `Value` or a
`Listed`: how what the file says is read, and the words for what was expected. TOML's own types are
taken as they are, nothing is converted; times are seconds.

It does what pydantic would, which takes 10 MiB of a server that needs no more than this.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from itertools import islice
from typing import Annotated, Any, Final, TypeVar, cast, get_type_hints

from cccamd.ids import (
    CAID_DIGITS,
    IDENT_DIGITS,
    PORT_LIMIT,
    SID_DIGITS,
    USER_LENGTH,
    Caid,
    Ident,
    Sid,
    parse_address,
    typed_hex,
)
from cccamd.setup.toml.networks import Network, parse_network
from cccamd.setup.toml.scanning import KeyPath
from cccamd.wire.cccam import BUILDS, Version, parse_version

N = TypeVar("N", Caid, Ident, Sid)

Wrong = tuple[KeyPath, str]
"""Where below the table, and what was expected there, as a sentence."""
LIST_LIMIT: Final = 10_000
"""Elements of a list, where no less is said. The longest real ones: the networks of a country."""
Reader = Callable[[object], object]
"""Makes a value of what the file says. Raises ValueError: with a sentence that begins with
"expected", or without a text when there is nothing to add to the words of the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Base of the tables."""

    def check(self, given: Collection[str]) -> None:
        """Look at values together that are sound each; `given` are the keys that stand there.

        Raises:
            ValueError: they do not go together; a sentence that begins with "expected".
        """


@dataclass(frozen=True, slots=True)
class Value:
    """A value by itself."""

    expected: str
    """It completes the sentence "expected ..."."""
    read: Reader
    low: float | None = None
    high: float | None = None
    """The bounds of a number, for those who describe it."""
    unchanged: range = range(0)
    """Whole numbers that are taken as they are: thousands of them in a list at once."""

    def take(self, found: object, at: KeyPath, wrong: list[Wrong], *, briefly: bool) -> object:
        """Read it, or note what is wrong."""
        try:
            return self.read(found)
        except ValueError as error:
            wrong.append((at, str(error) or f"expected {self.expected}"))
            return None


@dataclass(frozen=True, slots=True)
class Listed:
    """A list of values, which becomes a tuple."""

    expected: str
    items: Value
    least: int = 0
    most: int = LIST_LIMIT
    distinct: bool = False
    """No two elements are the same."""

    def take(self, found: object, at: KeyPath, wrong: list[Wrong], *, briefly: bool) -> object:
        """Read it, or note what is wrong with it or its elements; `briefly`: with the first."""
        if not isinstance(found, list):
            wrong.append((at, f"expected {self.expected}"))
            return None
        if len(found) > self.most:
            wrong.append((at, f"expected {self.expected}, at most {self.most:,} of them"))
            return None
        try:
            taken = self._read(found)
        except ValueError:
            wrong += islice(self._what_is_wrong(found, at), 1 if briefly else None)
            return None
        if len(taken) < self.least:
            wrong.append((at, f"expected {self.expected}"))
        elif self.distinct and len(set(taken)) < len(taken):
            wrong.append((at, "expected each number once"))
        return taken

    def _read(self, found: list[object]) -> tuple[object, ...]:
        plain = self.items.unchanged
        if plain and set(map(type, found)) == {int}:
            numbers = cast("list[int]", found)
            if plain[0] <= min(numbers) and max(numbers) <= plain[-1]:
                return tuple(found)
        return tuple(map(self.items.read, found))

    def _what_is_wrong(self, found: list[object], at: KeyPath) -> Iterator[Wrong]:
        for index, each in enumerate(found):
            try:
                self.items.read(each)
            except ValueError as error:
                yield (*at, index), str(error) or f"expected {self.expected}"


Key = Value | Listed


_KEYS: Final[dict[type[Table], Mapping[str, Key]]] = {}
_REQUIRED: Final[dict[type[Table], Sequence[str]]] = {}
"""Found when they are needed first."""


def keys_of(table: type[Table]) -> Mapping[str, Key]:
    """What may stand in a table, by the names of its keys."""
    found = _KEYS.get(table)
    if found is None:
        hints = get_type_hints(table, include_extras=True)
        found = _KEYS[table] = {field.name: _key(hints[field.name]) for field in fields(table)}
    return found


def _key(hint: Any) -> Key:
    (found,) = (note for note in hint.__metadata__ if isinstance(note, Key))
    return found


def required_of(table: type[Table]) -> Sequence[str]:
    """List the keys that have to stand in a table."""
    found = _REQUIRED.get(table)
    if found is None:
        found = _REQUIRED[table] = [
            field.name
            for field in fields(table)
            if field.default is MISSING and field.default_factory is MISSING
        ]
    return found


# Values of TOML's own types.


def _read_int(found: object, low: float, high: float) -> int:
    if not isinstance(found, int) or isinstance(found, bool) or not low <= found <= high:
        raise ValueError
    return found


def _read_float(found: object, low: float, high: float) -> float:
    if not isinstance(found, int | float) or isinstance(found, bool) or not low <= found <= high:
        raise ValueError
    return float(found)


def _read_bool(found: object) -> bool:
    if not isinstance(found, bool):
        raise ValueError
    return found


def time_between(low: float, high: float) -> Value:
    """A time."""
    expected = f"seconds, {low:g} to {high:g}"
    return Value(expected, lambda found: _read_float(found, low, high), low, high)


def count_between(low: int, high: int) -> Value:
    """A whole number."""
    expected = f"a whole number, {low} to {high}"
    unchanged = range(low, high + 1)
    return Value(expected, lambda found: _read_int(found, low, high), low, high, unchanged)


def port_as(expected: str, low: int = 1) -> Value:
    """A port; with `low` 0 also none."""
    return Value(expected, lambda found: _read_int(found, low, PORT_LIMIT), low, PORT_LIMIT)


def _check_filled(text: str) -> None:
    if not text:
        raise ValueError


def text_as(expected: str, check: Callable[[str], object] = _check_filled) -> Value:
    """A text; `check` raises what a `Reader` raises, as it is when the text is empty."""

    def read(found: object) -> str:
        if not isinstance(found, str):
            raise ValueError
        check(found)
        return found

    return Value(expected, read)


def one_of(*known: str) -> Value:
    """One of these words."""

    def read(found: object) -> object:
        if found not in known:
            raise ValueError
        return found

    return Value(" or ".join(f'"{word}"' for word in known), read)


SWITCH: Final = Value("true or false", _read_bool)


# Values of the field.


def _check_user(text: str) -> None:
    if not 0 < len(text.encode("utf-8", "surrogatepass")) <= USER_LENGTH:
        raise ValueError(f"expected a user name of 1 to {USER_LENGTH} bytes")


USER: Final = text_as("a user name in quotes", _check_user)
User = Annotated[str, USER]


def _number(expected: str, kind: Callable[[int], N], *, digits: int, low: int) -> Value:
    high = 16**digits - 1

    def read(found: object) -> N:
        number = _read_number(found, digits)
        if number is None or not low <= number <= high:
            raise ValueError(
                f'expected {digits} hex digits in quotes, "{low:0{digits}X}" to '
                f'"{high:0{digits}X}", or such a number: 0x{high // 0x10:0{digits}X}'
            )
        return kind(number)

    return Value(expected, read, unchanged=range(low, high + 1))


def _read_number(found: object, digits: int) -> int | None:
    if isinstance(found, str):
        return typed_hex(found, digits)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


CAID: Final = _number('the CAID: caid = "0B00"', Caid, digits=CAID_DIGITS, low=1)
IDENT: Final = _number("a provider", Ident, digits=IDENT_DIGITS, low=0)
SID: Final = _number("a service", Sid, digits=SID_DIGITS, low=1)


# Values that several tables have.


def _read_version(found: object) -> Version:
    version = parse_version(found) if isinstance(found, str) else None
    if version is None or version not in BUILDS:
        known = ", ".join(f'"{known}"' for known in BUILDS)
        raise ValueError(f"expected a known version: {known}")
    return version


def _read_network(found: object) -> Network:
    return parse_network(found if isinstance(found, str) else "")


VERSION: Final = Value('a known version in quotes, such as "2.3.0"', _read_version)
NETWORK: Final = Value('a network, such as "203.0.113.0/24"', _read_network)
ADDRESS: Final = text_as('an address, such as "192.0.2.1"', parse_address)
