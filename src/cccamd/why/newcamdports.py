"""Which card an account is shown on each newcamd port, and why that one."""

from collections.abc import Iterator
from typing import Final

from cccamd.cards import OneCard, View, choose
from cccamd.ids import format_caid, format_ident
from cccamd.setup.cccamcfg import FLine
from cccamd.setup.toml import NewcamdTable
from cccamd.why.evidence import Evidence
from cccamd.why.finding import Finding, Weight
from cccamd.wording import some_of

LOOKED_AT: Final = 5_000
"""Cards that are judged for this; a list may have a hundred thousand."""


def explain_ports(account: FLine, evidence: Evidence) -> Iterator[Finding]:
    """Say it for each `[[newcamd]]` port where the account may log in."""
    tables = [each for each in evidence.toml.newcamd if each.admits(account.user)]
    if not tables:
        return
    view = View(evidence.table, evidence.viewer(account))
    if view.behind > LOOKED_AT:
        return
    offers = view.announcements().values()
    for table in tables:
        chosen = choose(table.wish, offers)
        yield _nothing(table, evidence) if chosen is None else _shown(table, chosen, evidence)


def _shown(table: NewcamdTable, chosen: OneCard, evidence: Evidence) -> Finding:
    idents = [format_ident(each.ident) for each in chosen.providers]
    provider = "provider" if len(idents) == 1 else "providers"
    what = f"CAID {format_caid(chosen.caid)} with {provider} {some_of(idents)}"
    if table.caid is not None:
        why = "as cccamd.toml says"
    elif chosen.others:
        others = some_of([format_caid(each) for each in chosen.others])
        why = (
            f"the nearest card, and of those as near the lowest number; {others}"
            f" {'is' if len(chosen.others) == 1 else 'are'} not served there: a port shows one card"
        )
    else:
        why = "the only card there is for it"
    return Finding(
        code="newcamd-port",
        weight=Weight.NOTE,
        text=f"newcamd port {table.port} shows it {what}: {why}",
        setting=evidence.toml_table(table.heading),
    )


def _nothing(table: NewcamdTable, evidence: Evidence) -> Finding:
    return Finding(
        code="newcamd-port-empty",
        weight=Weight.BAD,
        text=(
            f"newcamd port {table.port} has no card for it: the account sees no card"
            + ("" if table.caid is None else f" of {table.wish.words}")
        ),
        change=(
            "see below why cards are not shown, or take another caid in the [[newcamd]] table"
            if table.caid is not None
            else "see below why no card is shown"
        ),
        setting=evidence.toml_table(table.heading),
    )
