"""The answer to "why?": values of plain text and numbers, the same in Python and in JSON."""

from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from pydantic import TypeAdapter, ValidationError

from cccamd.errors import CccamdError


class NotAnExplanationError(CccamdError):
    """A text is not the JSON form of an `Explanation`."""


class Weight(Enum):
    """Whether a finding is good news, neither, or what keeps something from working."""

    GOOD = "good"
    NOTE = "note"
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What somebody wrote that is responsible, and where it stands."""

    name: str
    """`the F-line`, `GLOBAL LIMITS`, ..."""
    file: str
    line: int | None = None

    @property
    def words(self) -> str:
        """Name and place in words."""
        if self.line is None:
            return f"{self.name} in {self.file}"
        place = f"{self.name} in line {self.line}"
        return f"{place} of {self.file}" if self.file else place


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One reason: a sentence, what to change, and the setting responsible."""

    code: str
    """A fixed name for programs."""
    weight: Weight
    text: str
    change: str = ""
    """What to do; empty when there is nothing to do."""
    setting: Setting | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CardAnswer:
    """One way to one card: whether the account is told of it, and whether it may use it."""

    source: str
    share_id: str
    """Its name at its source, in hex."""
    caid: str
    idents: tuple[str, ...]
    hop: int
    """Its distance from this server; 0 is a card of our own."""
    reshare: int
    taken: bool
    """Whether it is in our table at all."""
    seen: bool
    """Whether the account is told of it."""
    usable: bool
    """Whether it may serve what was asked about; without a service the same as `seen`."""
    findings: tuple[Finding, ...]

    @property
    def words(self) -> str:
        """Name it for people."""
        idents = ", ".join(self.idents) or "000000"
        way = "a card of our own" if self.hop == 0 else f"hop {self.hop}"
        return f"{self.caid}:{idents}, {way}, from {self.source}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceAnswer:
    """One upstream or local card, and how it stands."""

    name: str
    kind: str
    state: str
    cards: int
    rejected: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryCard:
    """A card that was considered, in the order in which it would be asked."""

    source: str
    card: str
    text: str
    """Why it stands where it stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryStep:
    """Something that happened; milliseconds count from the request."""

    milliseconds: float
    source: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EcmStory:
    """How one request went."""

    account: str
    at: float
    """When it ended, seconds since the epoch."""
    service: str
    answered: bool
    result: str
    seconds: float
    source: str
    """Whose card gave the CW; empty without a CW."""
    why: str
    """Why that card won, or why none did."""
    considered: tuple[StoryCard, ...]
    steps: tuple[StoryStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Everything there is to say to a question."""

    account: str
    """Empty: the question was about no account."""
    service: str
    """What was asked about, `0B00:030B00:1D80`, `-` for what was left open; empty: nothing."""
    at: float
    live: bool
    """False: no server was asked, only files were read."""
    summary: str
    findings: tuple[Finding, ...]
    """About the account, its login, its hours, its EMMs."""
    sources: tuple[SourceAnswer, ...]
    cards: tuple[CardAnswer, ...]
    cards_left_out: int
    """How many more cards there are than `cards` holds."""
    ecms: tuple[EcmStory, ...]
    """The last ones, the newest first."""


_ADAPTER = TypeAdapter(Explanation)


def as_json(explanation: Explanation) -> dict[str, Any]:
    """Make what `json.dumps` takes."""
    return asdict(explanation, dict_factory=_plain)


def from_json(text: str | bytes) -> Explanation:
    """Read what `as_json` and `json.dumps` made.

    Raises:
        NotAnExplanationError: it is anything else.
    """
    try:
        return _ADAPTER.validate_json(text)
    except ValidationError:
        raise NotAnExplanationError("the answer is no explanation as cccamd makes it") from None


def _plain(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {key: value.value if isinstance(value, Weight) else value for key, value in pairs}
