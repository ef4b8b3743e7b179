"""Keys of the open test CAS, and the text of the files that hold them.

Source: docs/open-cas.md section 6. Everything is a frozen value; changes make new ones.
"""

import json
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
)

from cccamd.ids import (
    CAID_DIGITS,
    IDENT_DIGITS,
    KEY_ID_DIGITS,
    Caid,
    Ident,
    format_caid,
    format_ident,
    format_key_id,
    parse_hex,
)
from cccamd.lab.cas.section import KEY_LENGTH, CasError
from cccamd.values import SA_LENGTH, UA_LENGTH

SERIAL_LIMIT = 2**64 - 1
EXPIRY_LIMIT = datetime.fromtimestamp(2**32 - 1, UTC)
"""EMMs hold the expiry in 32 bits: seconds since 1970."""


def format_time(moment: datetime) -> str:
    """Show a moment: `2026-11-22 10:00 UTC`, with seconds only if there are any."""
    seconds = ":%S" if moment.second else ""
    return moment.astimezone(UTC).strftime(f"%Y-%m-%d %H:%M{seconds} UTC")


def _read_hex(value: object, *, length: int) -> bytes:
    if isinstance(value, bytes) and len(value) == length:
        return value
    return parse_hex(value if isinstance(value, str) else "", low=length)


def _read_number(value: object, *, digits: int) -> int:
    if isinstance(value, int) and 0 <= value < 16**digits:
        return value
    return int.from_bytes(_read_hex(value, length=digits // 2))


def _check_expiry(moment: datetime) -> datetime:
    if moment.microsecond:
        raise ValueError("expected whole seconds")
    if not 0 <= moment.timestamp() <= EXPIRY_LIMIT.timestamp():
        raise ValueError("expected a moment from 1970 to 2106")
    return moment


def _write_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_HexWriter = PlainSerializer(bytes.hex)
Key = Annotated[
    bytes, BeforeValidator(partial(_read_hex, length=KEY_LENGTH)), _HexWriter, Field(repr=False)
]
Ua = Annotated[bytes, BeforeValidator(partial(_read_hex, length=UA_LENGTH)), _HexWriter]
Sa = Annotated[bytes, BeforeValidator(partial(_read_hex, length=SA_LENGTH)), _HexWriter]
KeyId = Annotated[
    int,
    BeforeValidator(partial(_read_number, digits=KEY_ID_DIGITS)),
    PlainSerializer(format_key_id),
]
CaidText = Annotated[
    Caid, BeforeValidator(partial(_read_number, digits=CAID_DIGITS)), PlainSerializer(format_caid)
]
IdentText = Annotated[
    Ident,
    BeforeValidator(partial(_read_number, digits=IDENT_DIGITS)),
    PlainSerializer(format_ident),
]
Serial = Annotated[int, Field(strict=True, ge=0, le=SERIAL_LIMIT)]
Expiry = Annotated[AwareDatetime, AfterValidator(_check_expiry), PlainSerializer(_write_time)]


class Record(BaseModel):
    """A frozen value that refuses unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def replace(self, **changes: Any) -> Self:
        """Make a copy with these fields changed."""
        return self.model_copy(update=changes)


class ServiceKey(Record):
    """Opens ECMs until it expires."""

    key: Key
    expires: Expiry


class ManagementKey(Record):
    """Opens EMMs. `serial` is that of the last one taken (card) or made (head-end)."""

    key: Key
    serial: Serial = 0


class GroupKey(ManagementKey):
    """The management key that all cards of a group share."""

    ident: IdentText = Ident(0)
    """The provider under which cards show the group's SA."""


class KeyFile(Record):
    """A record that is a file of its own."""

    def serialize(self) -> str:
        """Write the file: JSON, secrets in the clear."""
        return json.dumps(self.model_dump(mode="json"), indent=2) + "\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the file.

        Raises:
            CasError: names each place that is wrong, and none of the values.
        """
        try:
            return cls.model_validate(json.loads(text))
        except json.JSONDecodeError as error:
            raise CasError(f"not JSON: {error.msg}, line {error.lineno}") from None
        except ValidationError as error:
            raise CasError("; ".join(map(_describe, _details(error)))) from None
        except (ValueError, RecursionError):
            raise CasError("not JSON that a key file can hold") from None


class CardKeys(KeyFile):
    """Everything an open card knows: what its file holds."""

    format: Literal["cccamd open card 1"] = "cccamd open card 1"
    caid: CaidText
    ua: Ua
    card: ManagementKey
    all: ManagementKey
    groups: dict[Sa, GroupKey] = Field(default_factory=dict)
    service_keys: dict[KeyId, ServiceKey] = Field(default_factory=dict)


def _details(error: ValidationError) -> list[Any]:
    return list(error.errors(include_url=False, include_input=False))


def _describe(detail: Any) -> str:
    place = ".".join(str(part) for part in detail["loc"]) or "the file"
    return f"{place}: {detail['msg'].removeprefix('Value error, ')}"
