"""The kind `fixed`: constant control words, for feeds of one's own."""

from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from cccamd.ids import SID_DIGITS, Ident, Sid, format_sid, parse_hex, typed_hex
from cccamd.localcards.card import CannotDecode, CardConfig, ImmediateCard
from cccamd.localcards.options import CardOptions
from cccamd.values import CW_LENGTH, ControlWords, with_checksums


def _read_cw(value: object) -> ControlWords:
    """Read 32 hex digits. No message repeats a digit: they are a key."""
    if not isinstance(value, str):
        raise ValueError('expected 32 hex digits in quotes, even CW first: cw = "…"')
    raw = parse_hex(value, low=CW_LENGTH, meaning="even CW, then odd CW")
    if not any(raw):
        raise ValueError("expected a CW, found zeros only: clients take that for no answer")
    _check_sums(raw)
    return ControlWords(raw)


def _check_sums(raw: bytes) -> None:
    pairs = enumerate(zip(raw, with_checksums(raw), strict=True), start=1)
    wrong = [str(number) for number, (read, right) in pairs if read != right]
    if wrong:
        raise ValueError(
            "expected bytes 4, 8, 12 and 16 to be the sums (modulo 256) of the three bytes "
            f"before each; wrong: {', '.join(wrong)}; look for a typing error there"
        )


def _read_sid(value: object) -> Sid:
    sid = typed_hex(value, SID_DIGITS) if isinstance(value, str) else None
    if not sid:
        raise ValueError("expected a service id of 1 to 4 hex digits, 0001 to FFFF")
    return Sid(sid)


Cw = Annotated[ControlWords, BeforeValidator(_read_cw)]
SidKey = Annotated[Sid, BeforeValidator(_read_sid)]


class FixedOptions(CardOptions):
    """`cw` for all services of the card, `[card.services]` for single ones."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    cw: Cw | None = None
    services: dict[SidKey, Cw] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _check_any(cls, data: Any) -> Any:
        if isinstance(data, dict) and "cw" not in data and not data.get("services"):
            raise ValueError('expected cw = "32 hex digits", or a table [card.services], or both')
        return data


class FixedCard(ImmediateCard):
    """The `fixed` kind: constant control words, for feeds of one's own with fixed keys."""

    Options = FixedOptions
    constant = True

    def __init__(self, config: CardConfig, options: FixedOptions) -> None:
        super().__init__(config, options)
        self._cw = options.cw
        self._services = options.services

    def decode_now(self, ecm: bytes, *, ident: Ident, sid: Sid) -> ControlWords:
        """Look the CW up; the ECM's content does not matter."""
        cw = self._services.get(sid, self._cw)
        if cw is None:
            raise CannotDecode(f"no CW for service {format_sid(sid)} in [card.services]")
        return cw
