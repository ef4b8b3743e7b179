"""What a packet filter does with a new connection to a port: rules as values, and a walk.

Readers of real rules (`nftables.py`, `iptables.py`) decide for each rule whether it applies to
our connection: yes, no, or "it depends", for instance on the sender's address.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Address
from typing import Final

DEPTH_LIMIT: Final = 16
"""Jumps within jumps that the kernel allows."""


class Applies(Enum):
    """Whether a rule is for our connection."""

    YES = "yes"
    MAYBE = "maybe"
    NO = "no"


class FilterAction(Enum):
    """What a rule does when it applies."""

    ACCEPT = "accept"
    DROP = "drop"
    """Also "reject"."""
    JUMP = "jump"
    GOTO = "goto"
    RETURN = "return"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstPacket:
    """The first packet of a client's connection, arriving from outside."""

    port: int
    interface: str = ""
    """Where it comes in; empty: unknown."""
    address: IPv4Address | None = None
    """Ours, to which it goes; None: unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterRule:
    """One rule, as far as it concerns our connection."""

    text: str
    applies: Applies
    action: FilterAction
    target: str = ""
    """The chain of a jump."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A list of rules; `policy` is what happens at the end of one that the kernel calls."""

    name: str
    rules: tuple[FilterRule, ...]
    is_base: bool = False
    policy: FilterAction = FilterAction.ACCEPT
    priority: int = 0


class Fate(Enum):
    """What becomes of the connection."""

    OPEN = "let in"
    PARTLY = "let in under conditions"
    CLOSED = "dropped"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The fate, and the rules that decide it."""

    fate: Fate
    rules: tuple[str, ...] = ()


def outcome(tables: Mapping[str, Mapping[str, Chain]]) -> Outcome:
    """Walk through all chains that see incoming packets; each may drop them.

    `tables`: the chains of each table by name.
    """
    outcomes = [
        _Walk(chains).through(chain)
        for chains in tables.values()
        for chain in chains.values()
        if chain.is_base
    ]
    for fate in (Fate.CLOSED, Fate.PARTLY):
        if found := [one for one in outcomes if one.fate is fate]:
            return Outcome(fate, tuple(text for one in found for text in one.rules))
    return Outcome(Fate.OPEN)


@dataclass(slots=True)
class _Walk:
    """One way through one base chain; notes what might have happened on the way."""

    chains: Mapping[str, Chain]
    accepts: list[str] = field(default_factory=list)
    drops: list[str] = field(default_factory=list)

    def through(self, chain: Chain) -> Outcome:
        ended = self._follow(chain, certain=True, depth=0)
        action, text = ended or (chain.policy, f"{chain.name}: policy {chain.policy.value}")
        if action is FilterAction.DROP:
            if self.accepts:
                return Outcome(Fate.PARTLY, (*self.accepts, text))
            return Outcome(Fate.CLOSED, (text,))
        return Outcome(Fate.PARTLY, tuple(self.drops)) if self.drops else Outcome(Fate.OPEN)

    def _follow(
        self, chain: Chain, *, certain: bool, depth: int
    ) -> tuple[FilterAction, str] | None:
        """Go through a chain; the certain end, or None when it goes on behind the chain."""
        for rule in chain.rules if depth < DEPTH_LIMIT else ():
            if rule.applies is Applies.NO:
                continue
            surely = certain and rule.applies is Applies.YES
            match rule.action:
                case FilterAction.ACCEPT | FilterAction.DROP:
                    if surely:
                        return rule.action, rule.text
                    self._note(rule)
                    if rule.applies is Applies.YES:
                        return None
                case FilterAction.JUMP | FilterAction.GOTO:
                    ended = self._enter(rule, certain=surely, depth=depth)
                    if ended or (rule.action is FilterAction.GOTO and rule.applies is Applies.YES):
                        return ended
                    certain = certain and rule.action is not FilterAction.GOTO
                case FilterAction.RETURN:
                    if rule.applies is Applies.YES:
                        return None
                    certain = False
        return None

    def _enter(
        self, rule: FilterRule, *, certain: bool, depth: int
    ) -> tuple[FilterAction, str] | None:
        target = self.chains.get(rule.target)
        return self._follow(target, certain=certain, depth=depth + 1) if target else None

    def _note(self, rule: FilterRule) -> None:
        (self.accepts if rule.action is FilterAction.ACCEPT else self.drops).append(rule.text)


def conjunction(parts: Iterable[Applies]) -> Applies:
    """A rule applies when all its parts do."""
    found = set(parts)
    return next((one for one in (Applies.NO, Applies.MAYBE) if one in found), Applies.YES)


def decided(truth: bool) -> Applies:
    """A plain yes or no."""
    return Applies.YES if truth else Applies.NO


def negated(applies: Applies) -> Applies:
    """The opposite; what depends still does."""
    return {Applies.YES: Applies.NO, Applies.NO: Applies.YES}.get(applies, Applies.MAYBE)
