"""The answer to "why?": values of plain text and numbers; as JSON, and as lines for a terminal."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Final

from cccamd.why.finding import Finding, Weight
from cccamd.wording import count, milliseconds

_MARKS: Final = {Weight.GOOD: "ok  ", Weight.NOTE: "note", Weight.BAD: "NO  "}
ECMS_SHOWN: Final = 3
CARDS_NAMED: Final = 8
"""Of those with the same reasons; the others are counted."""


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
    address: str = ""
    """Empty: the question was about no address."""
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


def as_json(explanation: Explanation) -> dict[str, object]:
    """Make what `json.dumps` takes, and `/api/explain` says."""
    return asdict(explanation, dict_factory=_plain)


def _plain(pairs: list[tuple[str, object]]) -> dict[str, object]:
    return {key: value.value if isinstance(value, Weight) else value for key, value in pairs}


# Lines of text.


def report_lines(explanation: Explanation, *, when: Callable[[float], str]) -> Iterator[str]:
    """Tell everything, the most important first; `when` writes a time of day."""
    yield explanation.summary
    if explanation.findings:
        yield ""
        yield _subject(explanation)
        for finding in explanation.findings:
            yield from _finding(finding, indent="  ")
    yield from _sources(explanation)
    yield from _cards(explanation)
    yield from _ecms(explanation, when)


def _subject(explanation: Explanation) -> str:
    if explanation.address:
        return f"Address {explanation.address}"
    return f"Account {explanation.account}" if explanation.account else "This server"


def _finding(finding: Finding, *, indent: str) -> Iterator[str]:
    yield f"{indent}{_MARKS[finding.weight]}  {finding.text}"
    if finding.change:
        yield f"{indent}      -> {finding.change}"


def _sources(explanation: Explanation) -> Iterator[str]:
    if explanation.sources:
        yield ""
        yield "Sources"
    for source in explanation.sources:
        yield f"  {source.name} ({source.kind}, {source.state}): {count(source.cards, 'card')}"
        for finding in source.findings:
            yield from _finding(finding, indent="    ")


def _cards(explanation: Explanation) -> Iterator[str]:
    groups: dict[tuple[object, ...], list[CardAnswer]] = {}
    for card in explanation.cards:
        key = (card.usable, card.seen, card.taken, card.source, card.findings)
        groups.setdefault(key, []).append(card)
    if groups:
        yield ""
        yield "Cards"
    # Those that can be used come first.
    for cards in sorted(
        groups.values(), key=lambda cards: (not cards[0].usable, not cards[0].seen)
    ):
        yield from _card_group(cards)
    if explanation.cards_left_out:
        yield f"  and {count(explanation.cards_left_out, 'more card')}: ask for one CAID"


def _card_group(cards: list[CardAnswer]) -> Iterator[str]:
    for card in cards[:CARDS_NAMED]:
        yield f"  {card.words}"
    if len(cards) > CARDS_NAMED:
        yield f"  ... and {len(cards) - CARDS_NAMED} like these"
    for finding in cards[0].findings:
        yield from _finding(finding, indent="    ")


def _ecms(explanation: Explanation, when: Callable[[float], str]) -> Iterator[str]:
    if explanation.ecms:
        yield ""
        yield "Last ECMs, the newest first"
    for ecm in explanation.ecms[:ECMS_SHOWN]:
        yield from _ecm(ecm, when)


def _ecm(ecm: EcmStory, when: Callable[[float], str]) -> Iterator[str]:
    took = milliseconds(ecm.seconds)
    yield f"  {when(ecm.at)}  {ecm.account}  {ecm.service}: {ecm.result}, {took}"
    yield f"    {ecm.why}"
    for place, card in enumerate(ecm.considered, start=1):
        yield f"    choice {place}: {card.source} ({card.card}): {card.text}"
    for step in ecm.steps:
        yield f"    {step.milliseconds:+8.1f} ms  {step.source} {step.text}"
