"""The cards that one link announces, from one login to the next.

Theory of operation. When a link is lost its cards go, and a long list of them goes in slices: while
the link is down none of them is asked. It may be back before the last of them is gone. Under the
same numbers its server means other cards now, so the two lists must not meet: what it says of its
cards waits, and it is not asked, until the old ones are gone. Then what waited is taken, in slices
and in its order.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from itertools import islice
from typing import Final

from cccamd.cards import Card, CardTable, SourceId
from cccamd.net import TaskSet, in_slices
from cccamd.wire.link import OfferAdded, OfferWithdrawn

Said = OfferAdded | OfferWithdrawn

DROPPED_AT_ONCE: Final = 100
"""Cards of a lost link: half a millisecond."""
WAITING_LIMIT: Final = 50_000
"""What may wait: more than a link may say in two seconds. Beyond it the old cards go at once."""
_END: Final = object()


class LinkCards:
    """Takes what a link says of its cards, when its old ones are gone."""

    def __init__(
        self,
        table: CardTable,
        source: SourceId,
        *,
        name: str,
        tasks: TaskSet,
        take: Callable[[Said], None],
        on_cards_changed: Callable[[], None],
    ) -> None:
        """`take` does what a link has said with its cards."""
        self._table = table
        self._source = source
        self._name = name
        self._tasks = tasks
        self._take = take
        self._on_cards_changed = on_cards_changed
        self._dropping: Iterator[Card | None] = iter(())
        """Takes out what is left of a list whose link was lost."""
        self._waiting: deque[Said] = deque()
        self._then: Callable[[], None] | None = None
        self._is_settling = False

    def said(self, said: Said) -> None:
        """The link says something of a card."""
        if not self._is_settling and not self._waiting:
            self._take(said)
            return
        self._waiting.append(said)
        self._settle()
        if len(self._waiting) > WAITING_LIMIT:
            for _ in self._dropped():
                pass
            self._take(self._waiting.popleft())

    def when_gone(self, act: Callable[[], None]) -> None:
        """Call `act` when no old card is left, unless the link is lost before: now, mostly."""
        if self._is_settling:
            self._then = act
        else:
            act()

    def drop(self) -> None:
        """The link is lost: take its cards out."""
        self._waiting.clear()
        self._then = None
        self._dropping = self._table.dropping(self._source)
        first = list(islice(self._dropping, DROPPED_AT_ONCE))
        if any(first):
            self._on_cards_changed()
        if len(first) == DROPPED_AT_ONCE:
            self._settle()

    async def end(self) -> None:
        """Take out what is left, for good; after `drop`."""
        await in_slices(self._dropped())

    def _settle(self) -> None:
        if not self._is_settling:
            self._is_settling = True
            self._tasks.start(f"end of {self._name}", in_slices(self._settling()))

    def _settling(self) -> Generator[None, None, None]:
        """Each card is a step. The link may be lost again meanwhile."""
        try:
            while True:
                yield from self._dropped()
                if not self._waiting:
                    break
                self._take(self._waiting.popleft())
                yield
        finally:
            self._is_settling = False
        self._on_cards_changed()

    def _dropped(self) -> Generator[None, None, None]:
        while next(self._dropping, _END) is not _END:  # another one may have come in its place
            yield
        act, self._then = self._then, None
        if act is not None:
            act()
