"""The messages of newcamd: login, card data, client ids.

Source: docs/newcamd-protocol.md sections 5 to 8, 11 and 12.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from cccamd.ids import Caid, Ident, ShareId
from cccamd.values import SA_LENGTH, UA_LENGTH, Offer, Provider
from cccamd.wire.newcamd.frames import FrameError


class Command(IntEnum):
    """First byte of a message; an ECM or EMM has its table id there."""

    OSD = 0xD1
    ALL_CARDS = 0xD2
    ADD_CARD = 0xD3
    REMOVE_CARD = 0xD4
    CHANGE_KEY = 0xD5
    VERSION = 0xD6
    SID_LIST = 0xD7
    CARD_DISCOVER = 0xD8
    LOGIN = 0xE0
    LOGIN_ACCEPTED = 0xE1
    LOGIN_REFUSED = 0xE2
    CARD_DATA_REQUEST = 0xE3
    CARD_DATA = 0xE4
    KEEPALIVE = 0xFD


EMM_COMMANDS: Final = range(0x82, 0x92)
"""OSCam of 2026 forwards two more table ids than there are EMMs."""
FOUND, NOT_FOUND = 1, 0
"""Flags of an answer to an ECM; nobody reads them."""
EMM_TAKEN, PROVIDERS_CHANGED = 1, 2
"""Flags of an answer to an EMM."""
PROVIDERS_LIMIT: Final = 32
ONLY_CARD = ShareId(1)
"""The name of a newcamd server's one card."""
OUR_CLIENT_ID: Final = 0x6364
_MAY_UPDATE, _MAY_NOT_UPDATE = 1, 2
_CARD_HEAD: Final = 12
_PROVIDER_LENGTH: Final = 11
_IRDETO: Final = (0x06, 0x17)
"""First bytes of CAIDs whose cards number their providers."""

_PROGRAMS: Final[Mapping[int, str]] = {
    0x02C2: "Opticum",
    0x0665: "rq-sssp CS",
    0x0666: "rqcamd",
    0x0667: "rq-echo",
    0x0669: "rq-sssp CW",
    0x0769: "JlsRq",
    0x414C: "AlexCS",
    0x4333: "camd3",
    0x4343: "CCcam",
    0x434C: "Cardlink",
    0x4453: "DiabloCam",
    0x4543: "eyetvCamd",
    0x4765: "Octagon",
    0x4C43: "LCE",
    0x4E58: "NextYE2k",
    0x5342: "SBCL",
    0x5456: "Tecview",
    0x5644: "vdr-sc",
    0x5743: "WiCard",
    OUR_CLIENT_ID: "cccamd",
    0x6378: "cx",
    0x6502: "tvheadend",
    0x6576: "evocamd",
    0x6762: "gbox2CS",
    0x6B61: "Kaffeine",
    0x6B63: "kpcs",
    0x6D63: "mpcs",
    0x6D67: "mgcamd",
    0x6E65: "NextYE2k",
    0x6E73: "NewCS",
    0x7264: "radegast",
    0x7363: "Scam",
    0x7763: "WinCSC",
    0x7878: "tsdecrypt",
    0x8888: "OSCam",
    0x9911: "ACamd",
    0x9922: "DVBplug",
}


def program_of(client_id: int) -> str:
    """The program that logs in with that id; an unknown id is shown as it is."""
    if client_id == 0:
        return "a client without a name"
    return _PROGRAMS.get(client_id, f"client {client_id:04X}")


@dataclass(frozen=True, slots=True)
class Login:
    """User name, and the hash of the password: never to be shown."""

    user: bytes
    hashed: bytes

    def __repr__(self) -> str:
        return f"Login({self.user!r}, ...)"

    @classmethod
    def parse(cls, data: bytes) -> "Login":
        """Read it; a hash without its zero byte is taken, too.

        Raises:
            FrameError: there is no user name.
        """
        user, _, rest = data.partition(b"\0")
        if not user:
            raise FrameError("a login without a user name")
        return cls(user, rest.partition(b"\0")[0])

    def serialize(self) -> bytes:
        """The data of a login message."""
        return self.user + b"\0" + self.hashed + b"\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class CardData:
    """The one card of a port, as a client sees it."""

    caid: Caid
    ua: bytes = bytes(UA_LENGTH)
    """All zero for a client that may not send EMMs."""
    providers: tuple[Provider, ...] = ()
    may_update: bool = False
    """Whether EMMs are wanted from this client."""

    @classmethod
    def of(cls, offer: Offer, *, may_update: bool) -> "CardData":
        """What is shown of a card."""
        return cls(caid=offer.caid, ua=offer.ua, providers=offer.providers, may_update=may_update)

    @classmethod
    def parse(cls, data: bytes) -> "CardData":
        """Read a card data message.

        Raises:
            FrameError: it is shorter than it says.
        """
        count = data[_CARD_HEAD - 1] if len(data) >= _CARD_HEAD else 0
        if len(data) < _CARD_HEAD + count * _PROVIDER_LENGTH:
            raise FrameError("malformed card data")
        caid, ua = Caid(int.from_bytes(data[1:3])), data[3 : 3 + UA_LENGTH]
        starts = (_CARD_HEAD + number * _PROVIDER_LENGTH for number in range(count))
        providers = [_parse_provider(data[at : at + _PROVIDER_LENGTH], caid) for at in starts]
        return cls(
            caid=caid,
            ua=ua,
            providers=tuple(dict.fromkeys(providers)),
            may_update=any(ua),
        )

    def serialize(self) -> bytes:
        """The data of a card data message; a card without providers has one without a number,
        because there are clients that leave otherwise."""
        providers = self.providers[:PROVIDERS_LIMIT] or (Provider(Ident(0)),)
        parts = [
            bytes([_MAY_UPDATE if self.may_update else _MAY_NOT_UPDATE]),
            self.caid.to_bytes(2),
            self.ua if self.may_update else bytes(UA_LENGTH),
            bytes([len(providers)]),
            *(self._serialize_provider(*each) for each in enumerate(providers)),
        ]
        return b"".join(parts)

    def ident_of(self, provider: int) -> Ident:
        """The provider that the header of an ECM names; 0: it does not say."""
        if is_numbered(self.caid) and 0 < provider < len(self.providers):
            return self.providers[provider].ident
        return Ident(provider)

    def number_of(self, ident: int) -> int:
        """What the header of an ECM names for a provider; the other way round."""
        if is_numbered(self.caid):
            idents = [each.ident for each in self.providers]
            return idents.index(Ident(ident)) if ident in idents else 0
        return ident

    def _serialize_provider(self, number: int, provider: Provider) -> bytes:
        ident, sa = provider.ident, provider.sa if self.may_update else bytes(SA_LENGTH)
        if is_numbered(self.caid):
            return number.to_bytes(3) + bytes(4) + sa[:1] + ident.to_bytes(3)
        return ident.to_bytes(3) + bytes(4) + sa


def is_numbered(caid: Caid) -> bool:
    """Whether providers have numbers on the wire (Irdeto, Betacrypt), not idents."""
    return caid >> 8 in _IRDETO


def _parse_provider(data: bytes, caid: Caid) -> Provider:
    sa = data[-SA_LENGTH:]
    return Provider(Ident(int.from_bytes(sa[1:] if is_numbered(caid) else data[:3])), sa)
