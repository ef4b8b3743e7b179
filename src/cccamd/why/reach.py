"""Which sources an account could have cards from, as far as groups say."""

from collections.abc import Iterator

from cccamd.cards import OPEN, Grant, groups_words
from cccamd.facts import LinkState, SourceStatus
from cccamd.setup.cccamcfg import FLine
from cccamd.setup.logins import accesses_of
from cccamd.why.accounttable import account_table
from cccamd.why.evidence import Evidence
from cccamd.why.finding import Finding, Weight


class Reach:
    """The groups of all sources, beside those of one account."""

    def __init__(self, account: FLine | None, evidence: Evidence) -> None:
        """None: the question is about no account, which reaches all."""
        self._account, self._evidence = account, evidence
        self._accesses = accesses_of(evidence.config, evidence.toml)

    def keeps_out(self, source: SourceStatus) -> Finding | None:
        """Why nothing of a source is for the account; None: something may be."""
        account, theirs = self._account, self._grant(source)
        if account is None or account.grant.meets(theirs):
            return None
        place = account_table(account, self._evidence)
        return Finding(
            code="other-group",
            weight=Weight.NOTE,
            text=f"not for {account.user}, by groups: {groups_words(account.grant, theirs)}",
            setting=place,
        )

    def down(self) -> Iterator[SourceStatus]:
        """The sources within reach that are away."""
        for source in self._evidence.sources.values():
            away = source.state not in (LinkState.UP, LinkState.NOT_RUNNING)
            if away and source.last_failure and self.keeps_out(source) is None:
                yield source

    def _grant(self, source: SourceStatus) -> Grant:
        return self._accesses.get((source.name, source.line), OPEN).grant
