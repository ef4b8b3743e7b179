"""An explanation as lines of text, for a terminal."""

from collections.abc import Callable, Iterator

from cccamd.why.answer import CardAnswer, EcmStory, Explanation, Finding, Weight
from cccamd.why.phrases import count, milliseconds

_MARKS = {Weight.GOOD: "ok  ", Weight.NOTE: "note", Weight.BAD: "NO  "}
ECMS_SHOWN = 3
CARDS_NAMED = 8
"""Of those with the same reasons; the others are counted."""


def report_lines(explanation: Explanation, *, when: Callable[[float], str]) -> Iterator[str]:
    """Tell everything, the most important first; `when` writes a time of day."""
    yield explanation.summary
    if explanation.findings:
        yield ""
        yield f"Account {explanation.account}" if explanation.account else "This server"
        for finding in explanation.findings:
            yield from _finding(finding, indent="  ")
    yield from _sources(explanation)
    yield from _cards(explanation)
    yield from _ecms(explanation, when)


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
