"""The `[[card]]` tables: keys that all kinds share, then the kind's own."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from cccamd.cards import Access
from cccamd.ids import Caid, Ident, Sid
from cccamd.localcards import CardConfig, CardKindError, LocalCard, NoOptions
from cccamd.setup.toml.fields import (
    CAID,
    IDENT,
    SID,
    SWITCH,
    Listed,
    Table,
    count_between,
    keys_of,
    text_as,
)
from cccamd.setup.toml.grants import Groups, Pairs, grant_of
from cccamd.setup.toml.model import CardEntry
from cccamd.setup.toml.reader import TableReader
from cccamd.setup.toml.scanning import KeyPath
from cccamd.wire.cccam import SIDS_LIMIT

NAME_LIMIT = 40
PROVIDERS_LIMIT = 32
"""With SIDS_LIMIT services and a long path the card still fits into one message of 1,020 bytes."""


def _check_name(text: str) -> None:
    if not text.strip() or len(text) > NAME_LIMIT or not text.isprintable():
        raise ValueError(f"expected a name of 1 to {NAME_LIMIT} printable characters")


def _check_nothing(text: str) -> None:
    """Which kinds there are is looked up afterwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalCardTable(Table):
    """What every `[[card]]` table may say."""

    kind: Annotated[str, text_as('the kind of card in quotes, such as "test"', _check_nothing)]
    name: Annotated[str | None, text_as("a name in quotes", _check_name)] = None
    caid: Annotated[Caid, CAID]
    providers: Annotated[
        tuple[Ident, ...],
        Listed(
            f'a list of 1 to {PROVIDERS_LIMIT} providers: providers = ["000000"]',
            IDENT,
            least=1,
            most=PROVIDERS_LIMIT,
            distinct=True,
        ),
    ] = (Ident(0),)
    sids: Annotated[
        tuple[Sid, ...],
        Listed(
            f'a list of up to {SIDS_LIMIT} services: sids = ["1D80"]',
            SID,
            most=SIDS_LIMIT,
            distinct=True,
        ),
    ] = ()
    reshare: Annotated[int, count_between(0, 255)] = 10
    groups: Groups = None
    idents: Pairs = ()
    emm: Annotated[bool, SWITCH] = True

    def access(self, name: str) -> Access:
        """What it says for all accounts."""
        grant = grant_of(groups=self.groups, caids=(), idents=self.idents, services=(), lists={})
        return Access(name=name, grant=grant, takes_emms=self.emm)

    def config(self, *, default_name: str, folder: Path) -> CardConfig:
        """Make what the card gets to know."""
        return CardConfig(
            name=self.name or default_name,
            caid=self.caid,
            providers=self.providers,
            sids=self.sids,
            reshare=self.reshare,
            folder=folder,
        )


_COMMON_KEYS = frozenset(keys_of(LocalCardTable))


def read_cards(
    reader: TableReader, *, kinds: Mapping[str, type[LocalCard]], folder: Path
) -> Iterator[CardEntry]:
    """Read all `[[card]]` tables; those with problems are left out."""
    owners: dict[Path, str] = {}

    def owns(kind: type[LocalCard], config: CardConfig, options: object) -> bool:
        file = kind.owned_file(config, options)
        owner = config.name if file is None else owners.setdefault(file.resolve(), config.name)
        if owner != config.name:
            text = (
                f'[[card]] name "{config.name}": {file} belongs to card "{owner}" already; two'
                " would lose each other's keys (so this [[card]] is left out)"
            )
            reader.add(reader.positions.key(path), text)
        return owner == config.name

    for number, (path, data) in enumerate(reader.tables("card"), start=1):
        common = {key: value for key, value in data.items() if key in _COMMON_KEYS}
        own = {key: value for key, value in data.items() if key not in _COMMON_KEYS}
        table = reader.read(LocalCardTable, common, path, label="[[card]]")
        kind = _find_kind(reader, path, common, kinds)
        options = _read_options(reader, path, own, kind)
        if table is None or kind is None or options is None:
            continue
        _warn_of_decimals(reader, path, common)
        config = table.config(default_name=f"{table.kind}{number}", folder=folder)
        if reader.is_new(f'[[card]] name "{config.name}"', path) and owns(kind, config, options):
            access = table.access(config.name)
            yield CardEntry(
                kind=kind, kind_name=table.kind, config=config, options=options, access=access
            )


def _find_kind(
    reader: TableReader,
    path: KeyPath,
    common: Mapping[str, Any],
    kinds: Mapping[str, type[LocalCard]],
) -> type[LocalCard] | None:
    name = common.get("kind")
    if not isinstance(name, str):
        return None  # LocalCardTable has said so
    try:
        return kinds[name]
    except (KeyError, CardKindError) as error:
        if reader.is_full:
            reader.count()
            return None
        place = (*path, "kind")
        wrong = str(error)
        if isinstance(error, KeyError):
            known = ", ".join(f'"{known}"' for known in sorted(kinds)) or "none installed"
            wrong = f"read {reader.positions.written(place)}, expected a known kind: {known}"
    text = f"[[card]] kind: {wrong}"
    reader.add(reader.positions.value(place), f"{text} (so this [[card]] is left out)")
    return None


def _read_options(
    reader: TableReader, path: KeyPath, own: dict[str, Any], kind: type[LocalCard] | None
) -> object | None:
    """Read the kind's own keys; None if anything is wrong with them."""
    if kind is None:
        return None
    if kind.Options is NoOptions and not own:
        return NoOptions()
    if kind.Options is NoOptions:
        read = reader.read(_NoKeys, own, path, label="[[card]]", more_keys=_COMMON_KEYS)
        return None if read is None else NoOptions()
    from cccamd.setup.toml.cardoptions import read_options  # 7 MiB: pydantic, as in plug-ins

    return read_options(kind, own, path, reader=reader, common=_COMMON_KEYS)


@dataclass(frozen=True, slots=True, kw_only=True)
class _NoKeys(Table):
    """All keys of the table are common ones."""


def _warn_of_decimals(reader: TableReader, path: KeyPath, common: Mapping[str, Any]) -> None:
    """`caid = 1702` is legal and means 06A6, which hardly anybody wants to say."""
    for key, digits in (("caid", 4), ("providers", 6), ("sids", 4)):
        for place in _places_of_numbers(common.get(key), (*path, key)):
            if reader.is_full:  # looking for each of a hundred thousand would take long
                reader.leave_out()
                return
            written = reader.positions.written(place)
            if _DECIMAL.fullmatch(written):
                shown = f"{int(written.replace('_', '')):0{digits}X}"
                text = (
                    f"[[card]] {key}: {written} without quotes is decimal, so it means {shown}; "
                    f'write "{shown}", or "{written}" if those are hex digits'
                )
                reader.add(reader.positions.value(place), text, is_warning=True)


_DECIMAL: Final = re.compile(r"\d[\d_]+")


def _places_of_numbers(value: object, path: KeyPath) -> Iterator[KeyPath]:
    """What is no text stands without quotes; most do, and need not be looked for."""
    if isinstance(value, int):
        yield path
    elif isinstance(value, list):
        yield from ((*path, at) for at, each in enumerate(value) if isinstance(each, int))
