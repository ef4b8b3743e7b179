"""From a question and the evidence to an explanation. Pure."""

from collections import Counter
from collections.abc import Generator, Iterator
from typing import Final

from cccamd.net import at_once
from cccamd.why.account import explain_account
from cccamd.why.answer import CardAnswer, EcmStory, Explanation, SourceAnswer
from cccamd.why.brake import explain_address, explain_brake
from cccamd.why.cards import CardsExplained, explaining_cards
from cccamd.why.clones import explain_clones
from cccamd.why.evidence import Evidence, Question
from cccamd.why.finding import Finding, Weight
from cccamd.why.logins import explain_missing
from cccamd.why.reach import Reach
from cccamd.why.sources import explain_emptiness, explain_sources
from cccamd.why.stories import explain_ecms
from cccamd.wording import count, milliseconds

_SHORT: Final = {
    "other-group": "of other groups",
    "not-granted": "not granted to it",
    "service-not-given": "not asked for that service",
    "too-far": "too far away",
    "limited": "kept back by limits",
    "not-reshared": "not to be passed on",
    "loop": "came through the account itself",
    "ignored": "switched off in CCcam.prio",
    "provider-missing": "without that provider",
    "ident-missing": "without that provider",
    "ident-limited": "with that provider kept back",
    "service-denied": "with that service denied",
    "service-not-assigned": "not for that service",
    "service-rejected": "not for that service",
}


def explain(question: Question, evidence: Evidence) -> Explanation:
    """Answer a question about an account, a service or both, or about an address."""
    return at_once(explaining(question, evidence))


def explaining(question: Question, evidence: Evidence) -> Generator[None, None, Explanation]:
    """The same in steps, one for each card and source."""
    if question.address is not None:
        return _about_address(question.address, evidence)
    account = evidence.account(question.account) if question.account is not None else None
    viewer = evidence.viewer(account) if account else None
    cards = yield from explaining_cards(question, evidence, viewer)
    findings: list[Finding] = []
    if account:
        findings += explain_account(account, evidence)
        findings += explain_brake(account.user, evidence)
    elif question.account is not None:
        findings += explain_missing(question.account, evidence)
        findings += explain_brake(question.account, evidence)
    else:
        findings += explain_clones(None, evidence)
    if not evidence.sources:
        findings.append(explain_emptiness(evidence))
    ecms = tuple(explain_ecms(question, evidence))
    yield
    reach = Reach(account, evidence)
    sources: list[SourceAnswer] = []
    for source in explain_sources(question, evidence, reach):
        sources.append(source)
        yield
    return Explanation(
        account=question.account or "",
        service=question.service,
        at=evidence.at,
        live=evidence.live,
        summary=_summary(question, findings, cards, ecms, reach, live=evidence.live),
        findings=tuple(findings),
        sources=tuple(sources),
        cards=cards.cards,
        cards_left_out=cards.total - len(cards.cards),
        ecms=ecms,
    )


def _about_address(address: str, evidence: Evidence) -> Explanation:
    findings = tuple(explain_address(address, evidence))
    bad = (finding for finding in findings if finding.weight is Weight.BAD)
    return Explanation(
        account="",
        address=address,
        service="",
        at=evidence.at,
        live=evidence.live,
        summary=next(bad, findings[0]).text,
        findings=findings,
        sources=(),
        cards=(),
        cards_left_out=0,
        ecms=(),
    )


def _summary(
    question: Question,
    findings: list[Finding],
    cards: CardsExplained,
    ecms: tuple[EcmStory, ...],
    reach: Reach,
    *,
    live: bool,
) -> str:
    if question.account is not None:
        bad = next((finding for finding in findings if finding.code in _DECISIVE), None)
        if bad:
            return bad.text
    parts = [_about_cards(question, cards, known="now" if live else "in these files")]
    if question.account is not None and not (cards.usable if question.service else cards.seen):
        parts += _about_sources(reach)
    if question.service and ecms:
        parts.append(_about_ecm(ecms[0]))
    return "; ".join(parts)


_DECISIVE: Final = frozenset(
    {"no-account", "f-line-refused", "no-sources", "hours-closed", "disabled", "expired"}
)
"""What settles the matter, whatever the cards are."""


def _about_sources(reach: Reach) -> Iterator[str]:
    """Whoever is away, in the words of the incidents."""
    down = list(reach.down())
    if down:
        more = f", and {count(len(down) - 1, 'more source')} down" if len(down) > 1 else ""
        yield f"{down[0].name} is down: {down[0].last_failure}{more}"


def _about_cards(question: Question, cards: CardsExplained, *, known: str) -> str:
    there_are = count(cards.total, "card")
    if question.account is None:
        about = f" of CAID {question.service.partition(':')[0]}" if question.caid else ""
        return f"there {'is' if cards.total == 1 else 'are'} {there_are}{about}"
    verb, number = ("can use", cards.usable) if question.service else ("sees", cards.seen)
    if not cards.total:
        what = " of this CAID" if question.caid is not None else ""
        return f"there are no cards{what} at all {known}: see the sources"
    shown = "none" if number == 0 else str(number)
    text = f"{question.account} {verb} {shown} of {there_are}"
    reasons = _reasons(cards.cards)
    if reasons and len(cards.cards) < cards.total:
        reasons += f" (among the first {len(cards.cards)})"
    return f"{text}: {reasons}" if reasons else text


def _reasons(cards: tuple[CardAnswer, ...]) -> str:
    """Sum up why cards cannot be used: the last bad finding of each tells."""
    counts: Counter[str] = Counter()
    for card in cards:
        if card.usable:
            continue
        code = next((each.code for each in reversed(card.findings) if each.code != "seen"), "")
        counts["not taken from its source" if not card.taken else _SHORT.get(code, code)] += 1
    return ", ".join(f"{number} {why}" for why, number in counts.most_common())


def _about_ecm(ecm: EcmStory) -> str:
    took = milliseconds(ecm.seconds)
    if ecm.answered:
        return f"its last ECM was answered by {ecm.source} after {took}"
    return f"its last ECM got no CW after {took}: {ecm.why}"
