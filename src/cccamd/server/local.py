"""Local cards as sources of control words."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import ClassVar, Final

from cccamd.cards import Card, CardTable, LocalOffer, SourceId, SourcePolicy
from cccamd.ids import Caid, Ident, ShareId, Sid
from cccamd.localcards import (
    CannotDecode,
    CardUnavailable,
    EmmMatch,
    EmmRefused,
    GuardedCard,
    start_card,
)
from cccamd.net import TaskSet
from cccamd.routing import Ask, AskId, SourceTraits
from cccamd.server.exchange import Exchange
from cccamd.server.usage import SourceUsage
from cccamd.setup.toml import CardEntry
from cccamd.values import ControlWords, Emm, Provider, Refusal, Request
from cccamd.watch import followed

log = logging.getLogger("cccamd.card")

FIRST_RETRY, LAST_RETRY = 5.0, 60.0
"""Seconds until a card that did not start is tried again: the first time, and at most."""
EMMS_LIMIT: Final = 64
"""EMMs that wait for one card; what comes meanwhile is dropped: a broadcast repeats them."""


class LocalSource:
    """One local card: asked at once, or in a task of its own when it needs time."""

    local: ClassVar = True

    def __init__(self, card: GuardedCard, kind: str, *, exchange: Exchange, tasks: TaskSet) -> None:
        self.name = card.config.name
        self.usage = SourceUsage()
        self.kind = kind
        """As its `[[card]]` table says."""
        self.card = card
        self.up_at = time.time()
        """Seconds since the epoch."""
        self._exchange = exchange
        self._tasks = tasks
        self._one_emm_at_a_time = asyncio.Lock()
        self._emms_waiting = 0

    def clock_was_set(self, step: float, now: float) -> None:
        """The wall clock was set by so many seconds, and shows `now`."""
        self.up_at = followed(self.up_at, step, now)

    def ask(self, ask: Ask) -> ControlWords | Refusal | None:
        request = ask.request
        answer = self.answer(request)
        if answer is None:
            name = f"card {self.card.config.name} ask {ask.ask_id}"
            self._tasks.start(
                name, self._decode(ask.ask_id, request.section, request.ident, request.sid)
            )
        return answer

    def answer(self, request: Request) -> ControlWords | Refusal | None:
        _, ident, _, sid, section = request
        try:
            return self.card.decode_now(section, ident=ident, sid=sid)
        except (CannotDecode, CardUnavailable) as reason:
            return self._refusal(reason)

    def forget(self, ask_id: AskId) -> bool:
        return False

    def send_emm(self, card: Card, emm: Emm) -> None:
        if self._emms_waiting >= EMMS_LIMIT:
            log.debug("card %s: too many EMMs at once, one was dropped", self.card.config.name)
            return
        self._emms_waiting += 1
        name = f"EMM to card {self.card.config.name}"
        self._tasks.start(name, self._handle_emm(card.source, emm.section))

    async def _handle_emm(self, source_id: SourceId, emm: bytes) -> None:
        name = self.card.config.name
        try:
            async with self._one_emm_at_a_time:
                await self.card.handle_emm(emm)
        except EmmRefused as reason:
            log.debug("card %s: EMM not taken: %s", name, reason)
        else:
            log.info("card %s: learnt from an EMM", name)
            self._exchange.renew_source(source_id)
        finally:
            self._emms_waiting -= 1

    async def _decode(self, ask_id: AskId, ecm: bytes, ident: Ident, sid: Sid) -> None:
        try:
            cw = await self.card.decode(ecm, ident=ident, sid=sid)
        except (CannotDecode, CardUnavailable) as reason:
            self._exchange.refused(ask_id, self._refusal(reason))
        else:
            self._exchange.answered(ask_id, cw)

    def _refusal(self, reason: CannotDecode | CardUnavailable) -> Refusal:
        log.debug("card %s: no CW: %s", self.card.config.name, reason)
        cannot = isinstance(reason, CannotDecode)
        return Refusal.CANNOT_DECODE if cannot else Refusal.PASSING


class LocalCards:
    """The local cards that are configured now."""

    def __init__(
        self,
        *,
        table: CardTable,
        exchange: Exchange,
        tasks: TaskSet,
        on_cards_changed: Callable[[], None],
        on_failed: Callable[[str], None] = lambda text: None,
    ) -> None:
        """`on_failed`: takes a sentence about the cards that are not served; empty: all are."""
        self._table = table
        self._exchange = exchange
        self._tasks = tasks
        self._on_cards_changed = on_cards_changed
        self._on_failed = on_failed
        self._running: dict[SourceId, tuple[CardEntry, LocalSource]] = {}
        self._failed: list[CardEntry] = []
        """Wanted, and not to be had: tried again, as a file or a device may be free later."""
        self._reported: dict[str, str] = {}
        """What was said last of a card that does not start, by its name."""
        self._retry: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._running)

    def sources(self) -> Iterable[tuple[SourceId, LocalSource]]:
        """The cards that are served now."""
        return [(source_id, source) for source_id, (_, source) in self._running.items()]

    def is_constant(self, source_id: SourceId) -> bool:
        """Whether this is a card of ours that gives the same CW for every ECM."""
        running = self._running.get(source_id)
        return running is not None and running[0].kind.constant

    def emm_matches(self, source_id: SourceId) -> tuple[EmmMatch, ...]:
        """Which EMMs may be for a card of ours; empty: any, or it is none of ours."""
        running = self._running.get(source_id)
        return running[1].card.emm_matches if running is not None else ()

    def awaits(self, caid: Caid) -> bool:
        """Whether a card of this CAID is wanted, and does not start for now."""
        return any(entry.config.caid == caid for entry in self._failed)

    async def apply(self, entries: Iterable[CardEntry]) -> None:
        """Start the cards that are new, close those that are gone, leave the others alone."""
        wanted = list(entries)
        self._failed = []
        self._reported.clear()
        gone: list[SourceId] = []
        for source_id, (entry, _) in list(self._running.items()):
            if entry in wanted:
                wanted.remove(entry)
            else:
                gone.append(source_id)
        await asyncio.gather(*map(self._close, gone))
        for entry in wanted:
            if not await self._start(entry):
                self._failed.append(entry)
        self._tell_failed()
        self._on_cards_changed()
        if self._failed and (self._retry is None or self._retry.done()):
            self._retry = self._tasks.start("cards that did not start", self._start_failed())

    async def _start_failed(self) -> None:
        """Try again and again, with growing pauses, until all are served."""
        pause = FIRST_RETRY
        while self._failed:
            await asyncio.sleep(pause)
            pause = min(2 * pause, LAST_RETRY)
            for entry in tuple(self._failed):
                if entry in self._failed and await self._start(entry, again=True):
                    self._failed.remove(entry)
                    log.info("card %s: served now", entry.config.name)
                    self._tell_failed()
                    self._on_cards_changed()

    def _tell_failed(self) -> None:
        said = (self._reported.get(each.config.name, "does not start") for each in self._failed)
        self._on_failed("; ".join(said))

    async def _start(self, entry: CardEntry, *, again: bool = False) -> bool:
        """Start one; False: it cannot be served now."""
        name = entry.config.name

        def report(text: str) -> None:
            if self._reported.get(name) != text:  # tried again and again, said once
                self._reported[name] = text
                log.warning("%s", text)

        card = await start_card(entry.kind, entry.config, entry.options, report=report)
        if card is None:
            return False
        if again and entry not in self._failed:  # a reload was quicker
            await card.close()
            return False
        self._serve(entry, card)
        return True

    def _serve(self, entry: CardEntry, card: GuardedCard) -> None:
        source = LocalSource(card, entry.kind_name, exchange=self._exchange, tasks=self._tasks)
        source_id = self._table.add_source(SourcePolicy(access=entry.access))
        self._table.add_local(source_id, _announcement(card))
        traits = SourceTraits(constant=entry.kind.constant, immediate=card.immediate)
        self._exchange.add_source(source_id, source, traits)
        self._running[source_id] = (entry, source)

    async def _close(self, source_id: SourceId) -> None:
        _, source = self._running.pop(source_id)
        self._exchange.forget_source(source_id)
        self._table.forget_source(source_id)
        await source.card.close()


def _announcement(card: GuardedCard) -> LocalOffer:
    config = card.config
    return LocalOffer(
        caid=config.caid,
        share_id=ShareId(1),
        reshare=config.reshare,
        providers=tuple(Provider(ident, sa) for ident, sa in card.providers),
        ua=card.ua,
        assigned_sids=config.sids,
    )
