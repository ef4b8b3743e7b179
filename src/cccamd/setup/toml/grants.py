"""Keys that tables of accounts and of sources share: groups, CAIDs, providers, services."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from cccamd.cards import EVERYTHING, Grant, Limit, ServiceList
from cccamd.ids import (
    CAID_DIGITS,
    IDENT_DIGITS,
    SID_DIGITS,
    Caid,
    Ident,
    Sid,
    bare_decimal,
    bare_hex,
)
from cccamd.setup.toml.fields import (
    CAID,
    IDENT,
    SID,
    Listed,
    Table,
    Value,
    count_between,
    text_as,
)
from cccamd.values import Service

GROUP_LIMIT: Final = 64
LISTED_LIMIT: Final = 1000
"""Entries of one list."""
SERVICES_LIMIT: Final = 10_000


def _read_pair(value: object) -> tuple[Caid, Ident]:
    caid_text, _, ident_text = value.partition(":") if isinstance(value, str) else ("", "", "")
    caid, ident = bare_hex(caid_text, CAID_DIGITS), bare_hex(ident_text, IDENT_DIGITS)
    if not caid or ident is None:
        raise ValueError('expected CAID and provider as hex digits: "0500:030B00"')
    return Caid(caid), Ident(ident)


def _read_limit(value: object) -> Limit:
    parts = value.split(":") if isinstance(value, str) else []
    if len(parts) == 3:
        caid, ident = bare_hex(parts[0], CAID_DIGITS), bare_hex(parts[1], IDENT_DIGITS)
        number = bare_decimal(parts[2], 0, 255)
        if caid is not None and ident is not None and number is not None:
            return Limit(Caid(caid), Ident(ident), number)
    raise ValueError('expected caid:ident:hops as in an F-line: "0500:030B00:1"')


def _read_service(value: object) -> Service:
    parts = value.split(":") if isinstance(value, str) else []
    digits = (CAID_DIGITS, IDENT_DIGITS, SID_DIGITS)
    if len(parts) == 3:
        caid, ident, sid = (bare_hex(part, most) for part, most in zip(parts, digits, strict=True))
        if caid is not None and ident is not None and sid is not None:
            return Service(Caid(caid), Ident(ident), Sid(sid))
    raise ValueError('expected caid:ident:sid as in an F-line: "0500:030B00:1D80"')


def _check_wish(text: str) -> None:
    if not text.removeprefix("!").strip():
        raise ValueError("expected the name of a [services] table, with ! before it to deny it")


def _listed(expected: str, items: Value, most: int = LISTED_LIMIT) -> Listed:
    return Listed(expected, items, most=most)


_GROUP: Final = count_between(1, GROUP_LIMIT)
_PAIR: Final = Value("CAID and provider", _read_pair)
_LIMIT: Final = Value("a limit", _read_limit)
_DENIED: Final = Value("a service", _read_service)
_WISH: Final = text_as("the name of a list", _check_wish)

Groups = Annotated[
    tuple[int, ...] | None,
    _listed(f"a list of numbers from 1 to {GROUP_LIMIT}: groups = [1, 3]", _GROUP, GROUP_LIMIT),
]
Caids = Annotated[tuple[Caid, ...], _listed('a list: caids = ["0500"]', CAID)]
Pairs = Annotated[
    tuple[tuple[Caid, Ident], ...], _listed('a list: idents = ["0500:030B00"]', _PAIR)
]
Limits = Annotated[tuple[Limit, ...], _listed('a list: limits = ["0500:0:1"]', _LIMIT)]
Denied = Annotated[tuple[Service, ...], _listed('a list: denied = ["0500:0:1D80"]', _DENIED)]
Wishes = Annotated[tuple[str, ...], _listed('a list: services = ["news", "!late"]', _WISH)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicesTable(Table):
    """`[services.NAME]`: services by what they have in common."""

    caids: Caids = ()
    providers: Annotated[tuple[Ident, ...], _listed("a list of providers", IDENT)] = ()
    sids: Annotated[tuple[Sid, ...], _listed("a list of services", SID, SERVICES_LIMIT)] = ()

    def list_named(self, name: str) -> ServiceList:
        """What it lists."""
        return ServiceList(
            name=name,
            caids=frozenset(self.caids),
            idents=frozenset(self.providers),
            sids=frozenset(self.sids),
        )


def grant_of(
    *,
    groups: tuple[int, ...] | None,
    caids: tuple[Caid, ...],
    idents: tuple[tuple[Caid, Ident], ...],
    services: Iterable[str],
    lists: Mapping[str, ServiceList],
) -> Grant:
    """Put together what a table says; a list that is not there names no service.

    So a typing error in a wish gives nothing. In a denial, too: to deny nothing would be no
    restriction. That is noticed, and said.
    """
    wishes = tuple(services)
    if groups is None and not (caids or idents or wishes):
        return EVERYTHING
    named = {wish: lists.get(wish.removeprefix("!")) or ServiceList(name=wish) for wish in wishes}
    spoilt = tuple(
        each for wish, each in named.items() if wish.startswith("!") and wish[1:] not in lists
    )
    return Grant(
        groups=None if groups is None else frozenset(groups),
        caids=frozenset(caids),
        pairs=frozenset(idents),
        wanted=spoilt or tuple(each for wish, each in named.items() if not wish.startswith("!")),
        denied=tuple(each for wish, each in named.items() if wish.startswith("!")),
    )
