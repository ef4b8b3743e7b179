"""What `[[account]]` of cccamd.toml adds to an account: switched off, expired, hours, protocols."""

from collections.abc import Iterator
from datetime import datetime

from cccamd.cards import Rights
from cccamd.setup.cccamcfg import FLine
from cccamd.why.evidence import Evidence
from cccamd.why.finding import Finding, Setting, Weight


def account_table(account: Rights, evidence: Evidence) -> Setting:
    """The table of an account."""
    return evidence.toml_table(f'[[account]] user "{account.user}"')


def explain_table(account: FLine, evidence: Evidence) -> Iterator[Finding]:
    """Say what holds for all cards of an account."""
    if not account.enabled:
        yield _disabled(account, evidence)
    if account.expires is not None:
        yield _expiry(account, evidence)
    if account.week:
        yield _week(account, evidence)
    if account.protocols:
        place = account_table(account, evidence)
        text = f"{place.words} lets {account.user} come by {' and '.join(account.protocols)} only"
        yield Finding(code="protocols", weight=Weight.NOTE, text=text, setting=place)


def _disabled(account: FLine, evidence: Evidence) -> Finding:
    place = account_table(account, evidence)
    return Finding(
        code="disabled",
        weight=Weight.BAD,
        text=f"{place.words} switches {account.user} off: nobody can log in with it",
        change="take enabled = false out there",
        setting=place,
    )


def _expiry(account: FLine, evidence: Evidence) -> Finding:
    place = account_table(account, evidence)
    if not account.is_expired(_moment(evidence)):
        text = f"{place.words} gives {account.user} control words up to {account.expires}"
        return Finding(code="expires", weight=Weight.NOTE, text=text, setting=place)
    return Finding(
        code="expired",
        weight=Weight.BAD,
        text=(
            f"{place.words} gave {account.user} control words up to {account.expires}: every"
            " request is refused, though all cards are shown"
        ),
        change="set expires there to a later day, or take it out",
        setting=place,
    )


def _week(account: FLine, evidence: Evidence) -> Finding:
    place = account_table(account, evidence)
    now = f"{_moment(evidence):%a %H:%M}".upper()
    text = f"{place.words} gives {account.user} control words at {account.week} only"
    if account.week.is_open(_moment(evidence)):
        text += f"; it is {now} now"
        return Finding(code="hours-open", weight=Weight.NOTE, text=text, setting=place)
    return Finding(
        code="hours-closed",
        weight=Weight.BAD,
        text=f"{text}, and it is {now} now: every request is refused, though all cards are shown",
        change="widen times there, or take it out",
        setting=place,
    )


def _moment(evidence: Evidence) -> datetime:
    return datetime.fromtimestamp(evidence.at)
