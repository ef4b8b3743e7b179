"""The values that cards, routing and every protocol share: none of them belongs to one.

A protocol translates its messages into these at its edge and back. They hold no live object,
so they mean the same in another process.
"""

from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b
from typing import NamedTuple

from cccamd.ids import Caid, Ident, NodeId, ShareId, Sid

UA_LENGTH = 8
SA_LENGTH = 4
CW_LENGTH = 16
HALF_LENGTH = 8

EVEN_TABLE_ID, ODD_TABLE_ID = ECM_TABLE_IDS = (0x80, 0x81)
"""The first byte of an ECM: it toggles with each crypto period."""
EMM_TABLE_IDS = range(0x82, 0x90)


@dataclass(frozen=True, slots=True, repr=False)
class ControlWords:
    """Even CW (8 bytes), then odd CW (8 bytes). Never shows its bytes: a CW is a secret."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != CW_LENGTH:
            raise ValueError(f"control words are {CW_LENGTH} bytes, not {len(self.raw)}")

    def __repr__(self) -> str:
        return "ControlWords(...)"

    @property
    def even(self) -> bytes:
        """The first half, for packets scrambled with the even key."""
        return self.raw[:HALF_LENGTH]

    @property
    def odd(self) -> bytes:
        """The second half, for packets scrambled with the odd key."""
        return self.raw[HALF_LENGTH:]

    @property
    def checksums_valid(self) -> bool:
        """Whether bytes 3, 7, 11 and 15 are the sums of the three bytes before each."""
        raw = self.raw  # written out: it runs for every answer of every source
        return (
            raw[3] == (raw[0] + raw[1] + raw[2]) & 0xFF
            and raw[7] == (raw[4] + raw[5] + raw[6]) & 0xFF
            and raw[11] == (raw[8] + raw[9] + raw[10]) & 0xFF
            and raw[15] == (raw[12] + raw[13] + raw[14]) & 0xFF
        )

    @property
    def is_zero(self) -> bool:
        """Whether there is no CW at all in here; one zero half alone means "not told"."""
        return not any(self.raw)


def with_checksums(raw: bytes) -> bytes:
    """Replace every fourth byte of a CW, or of a half, by the sum of the three before it."""
    fixed = bytearray(raw)
    for last in range(3, len(fixed), 4):
        fixed[last] = (fixed[last - 3] + fixed[last - 2] + fixed[last - 1]) & 0xFF
    return bytes(fixed)


class Service(NamedTuple):
    """A service as conditional access names it."""

    caid: Caid
    ident: Ident
    sid: Sid


class Refusal(Enum):
    """Why there is no CW. Each protocol has its own words for it; these are the core's."""

    CANNOT_DECODE = "cannot decode the service"
    PASSING = "trouble that passes"
    """Card gone, source away or busy: worth another try later."""
    NOT_SENT = "not sent"
    """Dropped before it went out: nothing is known about the card."""
    LATE = "no answer in time"
    ASLEEP = "asks not to be asked for a while"
    FAILED = "internal error"


class Outcome(Enum):
    """What came of asking a source, or of not asking it; the value follows the source's name.

    Finer than `Refusal`: it says who failed, and how. The last two are of a request as a whole.
    """

    ANSWERED = "gave the CW"
    ZERO = "gave an all-zero CW"
    CHECKSUM = "gave a CW with wrong checksum bytes"
    REPEATED = "repeated the CW of the period before"
    CANNOT_DECODE = "cannot decode the service"
    REFUSED = "refused for now"
    ASLEEP = "asks not to be asked for a while (sleep)"
    NO_ANSWER = "did not answer in time"
    FAILED = "was not asked: an internal error, which the log tells"
    LOST = "was lost before it answered"
    WITHDRAWN = "took its card back before it answered"
    NOT_SENT = "was not asked: its link could not send"
    RESTING = "is left alone for a moment after that"
    SILENT = "was not asked: it has not answered anything for a while"
    IGNORED = "is switched off for this by an I-line of CCcam.prio"
    NO_CARD = "no card fits"
    OUT_OF_HOURS = "it was outside the hours of the account"
    EXPIRED = "the account has expired"

    @property
    def is_wrong_cw(self) -> bool:
        """Whether there was a CW, but one that opens nothing."""
        return self in _WRONG_CWS


_WRONG_CWS = frozenset({Outcome.ZERO, Outcome.CHECKSUM, Outcome.REPEATED})


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider of a card, with the card's shared address in it (4 bytes)."""

    ident: Ident
    sa: bytes = bytes(SA_LENGTH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a source says of a card."""

    share_id: ShareId
    """Its name at the source."""
    remote_id: int
    """Its name at its origin; 0: nobody says."""
    caid: Caid
    hop: int
    """Its distance from the source."""
    reshare: int
    """How many further hops it may be passed on."""
    ua: bytes = bytes(UA_LENGTH)
    providers: tuple[Provider, ...] = ()
    assigned_sids: tuple[Sid, ...] = ()
    """When present: only these services."""
    rejected_sids: tuple[Sid, ...] = ()
    path: tuple[NodeId, ...] = ()
    """The nodes the card passed, its origin first, the source last."""


class CardId(NamedTuple):
    """Which card it is, whatever way it took: the same in every process and over time."""

    origin: NodeId
    remote_id: int
    caid: Caid


class Request(NamedTuple):
    """A request for control words. A tuple: it is made for every single ECM."""

    caid: Caid
    ident: Ident
    """0: any provider."""
    share_id: ShareId
    """The card that is asked for, by its name at whoever is asked; 0: any."""
    sid: Sid
    """0: the asker does not say."""
    section: bytes
    """The ECM."""


@dataclass(frozen=True, slots=True)
class Emm:
    """An EMM for one card."""

    caid: Caid
    ident: Ident
    share_id: ShareId
    section: bytes


Fingerprint = bytes
"""16 bytes that stand for an ECM wherever it is not needed itself."""
FINGERPRINT_LENGTH = 16


class Fingerprints:
    """Names ECMs under a secret key, so that a name tells nothing to who does not have it."""

    def __init__(self, key: bytes) -> None:
        self._keyed = blake2b(key=key, digest_size=FINGERPRINT_LENGTH)

    def of(self, request: Request) -> Fingerprint:
        """The same for two requests that one answer serves.

        That is CAID, provider and section. The SID is not in it: services of one bouquet
        share ECMs, and an answer opens all of them.
        """
        hashed = self._keyed.copy()
        hashed.update((request[0] << 24 | request[1]).to_bytes(5) + request[4])
        return hashed.digest()
