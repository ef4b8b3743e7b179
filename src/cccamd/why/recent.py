"""What is remembered for explanations: last requests, failed logins, lists that changed."""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from cccamd.routing import Trace
from cccamd.watch import CardsChanged, ClientLoggedOut, Happening, LoginFailed

ECMS_KEPT: Final = 8
"""For each account."""
ACCOUNTS_LIMIT: Final = 5000
SOURCES_LIMIT: Final = 5000
STRANGERS_KEPT: Final = 16


class TracedEcm(NamedTuple):
    """One request of one account; `at` is when it ended, seconds since the epoch."""

    account: str
    at: float
    trace: Trace


class ListChange(NamedTuple):
    """The card list of a source became longer or shorter."""

    at: float
    before: int
    after: int


@dataclass(slots=True)
class AccountMemory:
    """What one account did last."""

    ecms: deque[TracedEcm] = field(default_factory=lambda: deque(maxlen=ECMS_KEPT))
    refused: LoginFailed | None = None
    left: ClientLoggedOut | None = None


class Recent:
    """A bounded memory, fed with happenings, and with the trace of each request."""

    def __init__(self) -> None:
        self._accounts: OrderedDict[str, AccountMemory] = OrderedDict()
        self._lists: OrderedDict[str, ListChange] = OrderedDict()
        self.strangers: deque[LoginFailed] = deque(maxlen=STRANGERS_KEPT)
        """Failed logins that named no account of ours, the newest last."""

    def observe(self, happening: Happening) -> None:
        """Take note of what happened."""
        match happening:
            case LoginFailed(account=""):
                self.strangers.append(happening)
            case LoginFailed():
                self._memory(happening.account).refused = happening
            case ClientLoggedOut():
                self._memory(happening.account).left = happening
            case CardsChanged():
                self._note_list(happening)

    def note_ecm(self, account: str, at: float, trace: Trace) -> None:
        """Remember how a request went; costs next to nothing."""
        self._memory(account).ecms.append(TracedEcm(account, at, trace))

    def account(self, name: str) -> AccountMemory:
        """What is known of an account."""
        return self._accounts.get(name) or AccountMemory()

    def ecms(self) -> list[TracedEcm]:
        """The last requests of all accounts, the newest first."""
        all_of_them = [ecm for memory in self._accounts.values() for ecm in memory.ecms]
        return sorted(all_of_them, key=lambda ecm: ecm.at, reverse=True)

    def list_change(self, source: str) -> ListChange | None:
        """How the card list of a source changed last."""
        return self._lists.get(source)

    def _memory(self, account: str) -> AccountMemory:
        memory = self._accounts.get(account)
        if memory is None:
            if len(self._accounts) >= ACCOUNTS_LIMIT:
                self._accounts.popitem(last=False)
            memory = self._accounts[account] = AccountMemory()
        return memory

    def _note_list(self, change: CardsChanged) -> None:
        last = self._lists.pop(change.source, None)
        if len(self._lists) >= SOURCES_LIMIT:
            self._lists.popitem(last=False)
        before = last.after if last else 0
        self._lists[change.source] = ListChange(change.at, before, change.cards)
