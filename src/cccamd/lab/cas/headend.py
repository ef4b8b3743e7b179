"""The other side of the open test CAS: what a head-end knows, and the sections it makes.

Source: docs/open-cas.md sections 4 to 7. Keys and nonces come in as arguments, so that tests
and worked examples are exact; real ones come from the system's random source.
"""

from collections.abc import Mapping
from typing import Literal, TypeVar

from pydantic import Field

from cccamd.ids import format_key_id
from cccamd.lab.cas.ecm import EcmHeader, seal_ecm
from cccamd.lab.cas.emm import Addressee, EmmHeader, KeyCommand, SetKey, seal_emm
from cccamd.lab.cas.keys import (
    SERIAL_LIMIT,
    CaidText,
    CardKeys,
    GroupKey,
    KeyFile,
    KeyId,
    ManagementKey,
    Sa,
    ServiceKey,
    Ua,
)
from cccamd.lab.cas.section import CasError
from cccamd.values import ControlWords

K = TypeVar("K", bytes, int)
V = TypeVar("V")


class IssuedCard(ManagementKey):
    """A card that was made: its own management key and its groups."""

    groups: tuple[Sa, ...] = ()


class HeadEnd(KeyFile):
    """Everything a head-end knows. Whoever holds it can make ECMs, EMMs and cards."""

    format: Literal["cccamd open head-end 1"] = "cccamd open head-end 1"
    caid: CaidText
    all: ManagementKey
    groups: dict[Sa, GroupKey] = Field(default_factory=dict)
    cards: dict[Ua, IssuedCard] = Field(default_factory=dict)
    service_keys: dict[KeyId, ServiceKey] = Field(default_factory=dict)

    def with_service_key(self, key_id: int, key: ServiceKey) -> "HeadEnd":
        """Add a service key, or replace the one of that id."""
        return self.replace(service_keys=self.service_keys | {key_id: key})

    def with_group(self, sa: bytes, group: GroupKey) -> "HeadEnd":
        """Add a group.

        Raises:
            CasError: its SA is taken.
        """
        return self.replace(groups=_with_new(self.groups, sa, group, what="group"))

    def with_card(self, ua: bytes, card: IssuedCard) -> "HeadEnd":
        """Add a card.

        Raises:
            CasError: its UA is taken, or a group of it does not exist.
        """
        for sa in card.groups:
            _get(self.groups, sa, what="group", shown=sa.hex())
        return self.replace(cards=_with_new(self.cards, ua, card, what="card"))

    def card_keys(self, ua: bytes, *, with_service_keys: bool) -> CardKeys:
        """Make the content of a new card's file.

        Its serials are one below ours: the newest EMMs on air are still news to it, older
        ones are not.
        """
        card = _get(self.cards, ua, what="card", shown=ua.hex())
        return CardKeys(
            caid=self.caid,
            ua=ua,
            card=ManagementKey(key=card.key, serial=_one_below(card.serial)),
            all=self.all.replace(serial=_one_below(self.all.serial)),
            groups={
                sa: self.groups[sa].replace(serial=_one_below(self.groups[sa].serial))
                for sa in card.groups
            },
            service_keys=self.service_keys if with_service_keys else {},
        )

    def make_ecm(self, header: EcmHeader, words: ControlWords, *, nonce: bytes) -> bytes:
        """Make an ECM under the service key that the header names.

        Raises:
            CasError: no such service key.
        """
        service_key = self.service_key(header.key_id)
        return seal_ecm(header, words, caid=self.caid, key=service_key.key, nonce=nonce)

    def service_key(self, key_id: int) -> ServiceKey:
        """Look a service key up.

        Raises:
            CasError: there is none of that id.
        """
        shown = format_key_id(key_id)
        return _get(self.service_keys, key_id, what="service key", shown=shown)

    def set_command(self, key_id: int) -> SetKey:
        """Make the command that gives a card one of our service keys."""
        service_key = self.service_key(key_id)
        return SetKey(key_id, service_key.key, service_key.expires)

    def make_emm(
        self, to: Addressee, address: bytes, commands: tuple[KeyCommand, ...], *, nonce: bytes
    ) -> tuple["HeadEnd", bytes]:
        """Make the next EMM for an addressee. Keep the new head-end before sending it.

        Raises:
            CasError: no such addressee, no commands, or too many for one EMM.
        """
        if not commands:
            raise CasError("an EMM needs at least one command")
        management = self._management_key(to, address)
        if management.serial >= SERIAL_LIMIT:
            raise CasError("the serials of this addressee are used up")
        header = EmmHeader(to, address, management.serial + 1)
        emm = seal_emm(header, commands, caid=self.caid, key=management.key, nonce=nonce)
        return self._with_serial(header), emm

    def _management_key(self, to: Addressee, address: bytes) -> ManagementKey:
        if to is Addressee.ALL:
            return self.all
        if to is Addressee.CARD:
            return _get(self.cards, address, what="card", shown=address.hex())
        return _get(self.groups, address, what="group", shown=address.hex())

    def _with_serial(self, header: EmmHeader) -> "HeadEnd":
        if header.to is Addressee.ALL:
            return self.replace(all=self.all.replace(serial=header.serial))
        if header.to is Addressee.CARD:
            card = self.cards[header.address].replace(serial=header.serial)
            return self.replace(cards=self.cards | {header.address: card})
        group = self.groups[header.address].replace(serial=header.serial)
        return self.replace(groups=self.groups | {header.address: group})


def _one_below(serial: int) -> int:
    return max(serial - 1, 0)


def _get(table: Mapping[K, V], key: K, *, what: str, shown: str) -> V:
    try:
        return table[key]
    except KeyError:
        raise CasError(f"the head-end has no {what} {shown}") from None


def _with_new(table: dict[bytes, V], key: bytes, value: V, *, what: str) -> dict[bytes, V]:
    if key in table:
        raise CasError(f"the head-end has a {what} {key.hex()} already")
    return table | {key: value}
