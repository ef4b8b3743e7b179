"""The interface of a card that lives inside cccamd: built-in kinds and plug-ins alike.

How to write one: docs/plugins.md. A card is built once, started once, asked many times at
once, and closed once. All of it happens on the server's event loop: a card that computes
for long, or calls something that blocks, does so in a thread (`asyncio.to_thread`).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from cccamd.errors import CccamdError
from cccamd.ids import Caid, Ident, Sid
from cccamd.values import SA_LENGTH, UA_LENGTH, ControlWords

if TYPE_CHECKING:
    from cccamd.localcards.options import CardOptions

EMM_MATCH_LENGTH = 16
"""Bytes that receivers' filters look at, at most."""


class EmmMatch(NamedTuple):
    """What an EMM section begins with: its table id, then its fourth byte and those after it.

    Where a bit of `mask` is set, that of `value` must be there. Both are of one length, 1 to 16
    bytes.
    """

    value: bytes
    mask: bytes


class CannotDecode(CccamdError):
    """The card will never decode this service as things stand: answered NOK2.

    The reason is shown to people. It must not hold key material.
    """


class CardUnavailable(CccamdError):
    """The card has trouble that may pass: answered NOK1, so that the client asks again."""


class EmmRefused(CccamdError):
    """The EMM changed nothing: not for this card, not authentic, old, or not understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardConfig:
    """What every `[[card]]` table says, whatever its kind."""

    name: str
    caid: Caid
    providers: tuple[Ident, ...] = (Ident(0),)
    sids: tuple[Sid, ...] = ()
    """The only services that this card serves; empty: all."""
    reshare: int = 10
    """How many hops further the card may travel."""
    folder: Path = Path()
    """Where relative file names of the card's own keys start: the folder of cccamd.toml."""


@dataclass(frozen=True, slots=True)
class NoOptions:
    """What a kind gets that has no keys of its own."""


class LocalCard(ABC):
    """One card. The server calls it through `GuardedCard` only."""

    Options: "ClassVar[type[CardOptions | NoOptions]]" = NoOptions
    """The kind's own keys. Override it with a subclass of `CardOptions`, if there are any."""
    constant: ClassVar[bool] = False
    """Whether it gives the same CW for every ECM of a service, by design. From any other card
    the CW of the period before counts as an error."""

    def __init__(self, config: CardConfig, options: Any) -> None:
        """Keep what the table says. `options` is an instance of the kind's `Options`."""
        self.config = config
        self.options = options

    @classmethod
    def owned_file(cls, config: CardConfig, options: Any) -> Path | None:
        """The file that belongs to this card alone, which it writes; None: there is none.

        Two tables with one such file are a mistake, which is told before any card is built.
        """
        return None

    async def start(self) -> None:  # noqa: B027  # most kinds have nothing to start
        """Get ready: read files, connect. Any exception means that the card is not served."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences for the operator about a card that works nevertheless. Read after start."""
        return ()

    @property
    def ua(self) -> bytes:
        """The unique address, 8 bytes; zeros for a card that takes no EMMs. Read after start."""
        return bytes(UA_LENGTH)

    def sa(self, ident: Ident) -> bytes:
        """The shared address of one provider, 4 bytes. Read after start."""
        return bytes(SA_LENGTH)

    @property
    def emm_matches(self) -> tuple[EmmMatch, ...]:
        """Which EMMs may be for this card, so that receivers which filter sections send no
        others. Read after start. Empty: any may be."""
        return ()

    def decode_now(self, ecm: bytes, *, ident: Ident, sid: Sid) -> ControlWords | None:
        """Decode without waiting, or return None to have `decode` awaited instead.

        The fast path: it costs no timer and no switch of tasks. Raises as `decode` does.
        """
        return None

    @abstractmethod
    async def decode(self, ecm: bytes, *, ident: Ident, sid: Sid) -> ControlWords:
        """Turn an ECM section into control words; called many times at once.

        `ident` 0 means any provider, `sid` 0 that the client did not say. Being cancelled
        means that time is up: pass CancelledError on.

        Raises:
            CannotDecode: the card can't decode this service.
            CardUnavailable: not now.
        """

    async def handle_emm(self, emm: bytes) -> None:
        """Learn from an EMM section. Returning means that it changed the card.

        Raises:
            EmmRefused: it changed nothing.
        """
        raise EmmRefused("this kind of card takes no EMMs")

    async def close(self) -> None:  # noqa: B027  # nor to close
        """Let go of files and connections. Called once, also after a failed start."""


class ImmediateCard(LocalCard):
    """A card whose answer is always ready at once."""

    @abstractmethod
    def decode_now(self, ecm: bytes, *, ident: Ident, sid: Sid) -> ControlWords:
        """Decode. Raises as `LocalCard.decode` does."""

    async def decode(self, ecm: bytes, *, ident: Ident, sid: Sid) -> ControlWords:
        """Answer with `decode_now`."""
        return self.decode_now(ecm, ident=ident, sid=sid)
