"""The `[[card]]` tables: keys that all kinds share, then the kind's own."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from cccamd.cards import Access
from cccamd.ids import Ident
from cccamd.localcards import CardConfig, CardKindError, CardOptions, LocalCard
from cccamd.setup.toml.fields import CaidField, IdentField, SidField, Table, check_distinct
from cccamd.setup.toml.grants import Groups, Pairs, grant_of
from cccamd.setup.toml.model import CardEntry
from cccamd.setup.toml.positions import KeyPath
from cccamd.setup.toml.reader import TableReader
from cccamd.wire.cccam import SIDS_LIMIT

NAME_LIMIT = 40
PROVIDERS_LIMIT = 32
"""With SIDS_LIMIT services and a long path the card still fits into one message of 1,020 bytes."""


def _check_name(text: str) -> str:
    if not text.strip() or len(text) > NAME_LIMIT or not text.isprintable():
        raise ValueError(f"expected a name of 1 to {NAME_LIMIT} printable characters")
    return text


class LocalCardTable(Table):
    """What every `[[card]]` table may say."""

    kind: str = Field(description='the kind of card in quotes, such as "test"')
    name: Annotated[str, AfterValidator(_check_name)] | None = Field(
        default=None, description="a name in quotes"
    )
    caid: CaidField = Field(description='the CAID: caid = "0B00"')
    providers: Annotated[tuple[IdentField, ...], AfterValidator(check_distinct)] = Field(
        default=(Ident(0),),
        strict=False,
        min_length=1,
        max_length=PROVIDERS_LIMIT,
        description=f'a list of 1 to {PROVIDERS_LIMIT} providers: providers = ["000000"]',
    )
    sids: Annotated[tuple[SidField, ...], AfterValidator(check_distinct)] = Field(
        default=(),
        strict=False,
        max_length=SIDS_LIMIT,
        description=f'a list of up to {SIDS_LIMIT} services: sids = ["1D80"]',
    )
    reshare: int = Field(default=10, ge=0, le=255, description="a whole number, 0 to 255")
    groups: Groups | None = None
    idents: Pairs = ()
    emm: bool = Field(default=True, description="true or false")

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


_COMMON_KEYS = frozenset(LocalCardTable.model_fields)


def read_cards(
    reader: TableReader, *, kinds: Mapping[str, type[LocalCard]], folder: Path
) -> Iterator[CardEntry]:
    """Read all `[[card]]` tables; those with problems are left out."""
    owners: dict[Path, str] = {}

    def owns(kind: type[LocalCard], config: CardConfig, options: CardOptions) -> bool:
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
        table = reader.validate(LocalCardTable, common, path, label="[[card]]")
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
    place = (*path, "kind")
    try:
        return kinds[name]
    except KeyError:
        known = ", ".join(f'"{known}"' for known in sorted(kinds)) or "none installed"
        wrong = f"read {reader.positions.written(place)}, expected a known kind: {known}"
    except CardKindError as error:
        wrong = str(error)
    text = f"[[card]] kind: {wrong}"
    reader.add(reader.positions.value(place), f"{text} (so this [[card]] is left out)")
    return None


def _read_options(
    reader: TableReader, path: KeyPath, own: dict[str, Any], kind: type[LocalCard] | None
) -> CardOptions | None:
    """Read the kind's own keys. Any of them may be a secret, only the kind knows which."""
    if kind is None:
        return None
    return reader.validate(
        kind.Options, own, path, label="[[card]]", secret=True, more_keys=_COMMON_KEYS
    )


def _warn_of_decimals(reader: TableReader, path: KeyPath, common: Mapping[str, Any]) -> None:
    """`caid = 1702` is legal and means 06A6, which hardly anybody wants to say."""
    for key, digits in (("caid", 4), ("providers", 6), ("sids", 4)):
        value = common.get(key)
        listed = range(len(value)) if isinstance(value, list) else None
        places = [(*path, key)] if listed is None else [(*path, key, index) for index in listed]
        for place in places:
            written = reader.positions.written(place)
            if re.fullmatch(r"\d[\d_]+", written):
                shown = f"{int(written.replace('_', '')):0{digits}X}"
                text = (
                    f"[[card]] {key}: {written} without quotes is decimal, so it means {shown}; "
                    f'write "{shown}", or "{written}" if those are hex digits'
                )
                reader.add(reader.positions.value(place), text, is_warning=True)
