"""How a fact is declared: what it looks like in JSON, and its name among the metrics."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Generic, TypeVar

from cccamd.ids import (
    CAID_DIGITS,
    IDENT_DIGITS,
    NODE_ID_LENGTH,
    SHARE_ID_DIGITS,
    SID_DIGITS,
    Caid,
    Ident,
    NodeId,
    ShareId,
    Sid,
    bare_pattern,
    format_caid,
    format_ident,
    format_node_id,
    format_share_id,
    format_sid,
    parse_caid,
    parse_ident,
    parse_node_id,
    parse_share_id,
    parse_sid,
)

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

T = TypeVar("T")


# How JSON has them.


@dataclass(frozen=True, slots=True)
class AsText(Generic[T]):
    """An id in JSON: the text that people know, in so many hex digits.

    pydantic calls the methods, and only who reads or writes JSON has pydantic loaded.
    """

    show: Callable[[T], str]
    read: Callable[[str], T]
    pattern: str
    example: str

    def __get_pydantic_core_schema__(
        self, source: object, handler: "GetCoreSchemaHandler"
    ) -> "CoreSchema":
        """Read a text, write a text."""
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(
            self.read,
            core_schema.str_schema(pattern=self.pattern),
            serialization=core_schema.plain_serializer_function_ser_schema(
                self.show, return_schema=core_schema.str_schema()
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: "CoreSchema", handler: "GetJsonSchemaHandler"
    ) -> "JsonSchemaValue":
        """Describe the text."""
        return {"type": "string", "pattern": self.pattern, "examples": [self.example]}


@dataclass(frozen=True, slots=True)
class BlankIfNone:
    """A word of an enum in JSON, which is the empty text where there is none."""

    words: type[Enum]

    def __get_pydantic_core_schema__(
        self, source: object, handler: "GetCoreSchemaHandler"
    ) -> "CoreSchema":
        """Read a word or nothing, write a word or nothing."""
        from pydantic_core import core_schema

        return core_schema.no_info_before_validator_function(
            lambda given: None if given == "" else given,
            handler(source),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda word: "" if word is None else word.value,
                return_schema=core_schema.str_schema(),
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: "CoreSchema", handler: "GetJsonSchemaHandler"
    ) -> "JsonSchemaValue":
        """List the words."""
        return {"type": "string", "enum": [*(word.value for word in self.words), ""]}


_NODE_ID_DIGITS: Final = 2 * NODE_ID_LENGTH
CaidFact = Annotated[
    Caid,
    AsText(format_caid, parse_caid, bare_pattern(CAID_DIGITS), "0B00"),
]
IdentFact = Annotated[
    Ident,
    AsText(format_ident, parse_ident, bare_pattern(IDENT_DIGITS), "030B00"),
]
SidFact = Annotated[Sid, AsText(format_sid, parse_sid, bare_pattern(SID_DIGITS), "1D80")]
ShareIdFact = Annotated[
    ShareId,
    AsText(format_share_id, parse_share_id, bare_pattern(SHARE_ID_DIGITS), "0000006A"),
]
NodeIdFact = Annotated[
    NodeId,
    AsText(
        format_node_id,
        parse_node_id,
        bare_pattern(_NODE_ID_DIGITS, at_least=_NODE_ID_DIGITS),
        "380ceca0f39150d3",
    ),
]


# How Prometheus has them.


@dataclass(frozen=True, slots=True)
class Metric:
    """The name and the help that a number has among the metrics; a tuple's is its length."""

    name: str
    text: str
    grows: bool = False
    """It only ever grows: a counter, to whose name `_total` is added."""


class Fact:
    """Base: the texts below the fields describe them, in the description of the API, too."""

    __slots__ = ()
    __pydantic_config__: ClassVar = {"json_schema_serialization_defaults_required": True}
