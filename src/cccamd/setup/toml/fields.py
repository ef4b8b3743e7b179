"""What the tables of cccamd.toml have in common: their base, user names, numbers of the field."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator

from cccamd.ids import (
    CAID_DIGITS,
    IDENT_DIGITS,
    SID_DIGITS,
    USER_LENGTH,
    Caid,
    Ident,
    Sid,
    parse_address,
    typed_hex,
)
from cccamd.setup.toml.networks import Network, parse_network
from cccamd.wire.cccam import BUILDS, Version, parse_version

N = TypeVar("N", Caid, Ident, Sid)


class Table(BaseModel):
    """Base of the tables: TOML's own types, nothing converted, nothing unknown.

    A TOML list becomes a tuple: fields that are tuples say `strict=False` for that alone.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        arbitrary_types_allowed=True,
    )


def _check_user(text: str) -> str:
    if not 0 < len(text.encode("utf-8", "surrogatepass")) <= USER_LENGTH:
        raise ValueError(f"expected a user name of 1 to {USER_LENGTH} bytes")
    return text


User = Annotated[str, AfterValidator(_check_user), Field(description="a user name in quotes")]


def _number_reader(kind: Callable[[int], N], *, digits: int, low: int) -> Callable[[object], N]:
    high = 16**digits - 1

    def read(value: object) -> N:
        number = _read_number(value, digits)
        if number is None or not low <= number <= high:
            raise ValueError(
                f'expected {digits} hex digits in quotes, "{low:0{digits}X}" to '
                f'"{high:0{digits}X}", or such a number: 0x{high // 0x10:0{digits}X}'
            )
        return kind(number)

    return read


def _read_number(value: object, digits: int) -> int | None:
    if isinstance(value, str):
        return typed_hex(value, digits)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def check_distinct(values: tuple[N, ...]) -> tuple[N, ...]:
    """A list that names nothing twice."""
    if len(set(values)) < len(values):
        raise ValueError("expected each number once")
    return values


CaidField = Annotated[Caid, PlainValidator(_number_reader(Caid, digits=CAID_DIGITS, low=1))]
IdentField = Annotated[Ident, PlainValidator(_number_reader(Ident, digits=IDENT_DIGITS, low=0))]
SidField = Annotated[Sid, PlainValidator(_number_reader(Sid, digits=SID_DIGITS, low=1))]


def count(default: int | None, low: int, high: int) -> Any:
    """Declare a whole number with its bounds."""
    expected = f"a whole number, {low} to {high}"
    return Field(default=default, ge=low, le=high, description=expected)


def _read_version(value: object) -> Version:
    version = parse_version(value) if isinstance(value, str) else None
    if version is None or version not in BUILDS:
        known = ", ".join(f'"{known}"' for known in BUILDS)
        raise ValueError(f"expected a known version: {known}")
    return version


KnownVersion = Annotated[
    Version,
    PlainValidator(_read_version),
    Field(description='a known version in quotes, such as "2.3.0"'),
]


def _read_network(value: object) -> Network:
    return parse_network(value if isinstance(value, str) else "")


NetworkField = Annotated[Network, PlainValidator(_read_network)]


def check_address(text: str) -> str:
    """An address, as it is.

    Raises:
        NumberError: it is none.
    """
    parse_address(text)
    return text
