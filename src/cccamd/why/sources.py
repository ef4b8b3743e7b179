"""How each source stands: why it brings no cards, or fewer than before."""

from collections.abc import Iterator

from cccamd.facts import LinkState, SourceKind, SourceStatus
from cccamd.setup.cccamcfg import RefusedLine
from cccamd.why.answer import SourceAnswer
from cccamd.why.answering import explain_answers
from cccamd.why.evidence import Evidence, Question
from cccamd.why.finding import Finding, Setting, Weight
from cccamd.why.links import how_it_is, logged_in, with_others, without_cards
from cccamd.why.reach import Reach
from cccamd.wording import ago, count

_KINDS = {"C": SourceKind.CCCAM, "N": SourceKind.NEWCAMD}
_LIST_NEWS = 3600.0
"""Seconds: that a list became shorter is worth telling for so long."""


def explain_sources(question: Question, evidence: Evidence, reach: Reach) -> Iterator[SourceAnswer]:
    """Go through all that are configured, or the one that the question is about.

    Of one that groups keep from the account only that is said.
    """
    for source in evidence.sources.values():
        if question.source not in (None, source.name):
            continue
        yield SourceAnswer(
            name=source.name,
            kind=source.kind.value,
            state=source.state.value,
            cards=source.cards,
            rejected=source.cards_rejected,
            findings=(kept,) if (kept := reach.keeps_out(source)) else _findings(source, evidence),
        )
    for refused in evidence.config.refused_lines:
        if refused.name in _KINDS and question.source in (None, refused.subject):
            yield _refused(refused, evidence.config.file)


def _refused(refused: RefusedLine, file: str) -> SourceAnswer:
    fault = refused.fault
    line = fault.place.line
    finding = Finding(
        code=f"{refused.name.lower()}-line-refused",
        weight=Weight.BAD,
        text=f"line {line} of {file} is not used: {fault.text} ({fault.code.value})",
        change=fault.instead or f"mend line {line}",
        setting=Setting(name=f"the {refused.name}-line", file=file, line=line),
    )
    return SourceAnswer(
        name=refused.subject,
        kind=_KINDS[refused.name].value,
        state="not used",
        cards=0,
        rejected=0,
        findings=(finding,),
    )


def explain_emptiness(evidence: Evidence) -> Finding:
    """Say that there is nothing from which a card could come."""
    file = evidence.config.file
    return Finding(
        code="no-sources",
        weight=Weight.BAD,
        text=(
            "this server has no cards: no C-line or N-line names a server, and no [[card]] is"
            " configured"
        ),
        change=(
            f"add a C-line to {file} (C: HOST 12000 USER PASSWORD), or a [[card]] to"
            f" {evidence.toml.file}"
        ),
        setting=Setting(name="the C-lines", file=file),
    )


def _findings(source: SourceStatus, evidence: Evidence) -> tuple[Finding, ...]:
    return tuple(_found(source, evidence))


def _found(source: SourceStatus, evidence: Evidence) -> Iterator[Finding]:
    if source.kind is not SourceKind.LOCAL:
        yield _link(source, evidence)
    yield from explain_answers(source, evidence.at)
    change = evidence.recent.list_change(source.name)
    if source.kind is not SourceKind.LOCAL and source.up_at is None:
        return  # its link is lost, and its list with it
    if change and change.after < change.before and evidence.at - change.at < _LIST_NEWS:
        when = ago(evidence.at - change.at)
        yield Finding(
            code="cards-removed",
            weight=Weight.BAD if change.after == 0 else Weight.NOTE,
            text=f"its list went from {count(change.before, 'card')} to {change.after} {when} ago",
            change=f"ask the owner of {source.name}",
        )


def _link(source: SourceStatus, evidence: Evidence) -> Finding:
    place = evidence.c_line(source.line)
    if source.state is LinkState.NOT_RUNNING:
        text = "which cards it has is known to a running server only"
        return Finding(code="not-running", weight=Weight.NOTE, text=text, setting=place)
    if source.up_at is None:
        return _down(source, place, evidence)
    how = how_it_is("logged in", source)
    if source.cards:
        return logged_in(how, source.cards, source.cards_rejected, place)
    return without_cards(how, source.cards_rejected, source.line, evidence.config)


def _down(source: SourceStatus, place: Setting, evidence: Evidence) -> Finding:
    reason = source.last_failure or "no attempt has ended yet"
    text = f"not logged in ({source.state.value}), so it brings no cards: {reason}"
    if source.next_attempt_at is not None:
        text += f"; next attempt in {max(0.0, source.next_attempt_at - evidence.at):.0f} s"
    text, change = with_others(source, text)
    return Finding(
        code="down",
        weight=Weight.BAD,
        text=f"{text}; `cccamd doctor` tries every step",
        change=change,
        setting=place,
    )
