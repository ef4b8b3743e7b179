"""An engine in this process: what several nodes share, without a socket."""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable

from cccamd.fleet.actions import (
    Claim,
    Claimed,
    EngineAction,
    EngineBack,
    EngineEvent,
    EngineLost,
    Extend,
    Extended,
    Fetch,
    Fetched,
    Hearers,
    Publish,
    Pushed,
    Release,
    Take,
    Unwatch,
    Watch,
)
from cccamd.server import Membership


class PlainSeals:
    """Names that are hashes, and values that anybody can read who knows the name."""

    unread = 0

    def name(self, kind: str, *parts: bytes) -> bytes:
        return hashlib.md5(b"|".join((kind.encode(), *parts))).digest()

    def seal(self, name: bytes, plain: bytes) -> bytes:
        return name + plain

    def unseal(self, name: bytes, value: bytes) -> bytes | None:
        return value[len(name) :] if value.startswith(name) else None


class Hub:
    """What is kept, and who listens; entries live as long as it does."""

    def __init__(self) -> None:
        self.entries: dict[bytes, bytes] = {}
        self.listening: dict[bytes, list[HubEngine]] = defaultdict(list)
        self.engines: list[HubEngine] = []
        self.forgets_lists = False
        """Whether what is told to nobody at once is not kept: the lists of cards."""

    def member(self, node: str) -> Membership:
        return Membership(
            node=node, seals=PlainSeals(), fingerprint_key=b"the same", make_engine=self._engine
        )

    def _engine(self, hearers: Hearers) -> "HubEngine":
        engine = HubEngine(self, hearers.on_event)
        self.engines.append(engine)
        return engine

    def lose(self) -> None:
        """The engine is away for all."""
        for engine in self.engines:
            engine.is_up, engine.trouble = False, "it was killed"
            engine.on_event(EngineLost())


class HubEngine:
    """One node's way to it."""

    def __init__(self, hub: Hub, on_event: Callable[[EngineEvent], None]) -> None:
        self.on_event = on_event
        self.is_up = False
        self.trouble = ""
        self.dropped = 0
        self._hub = hub

    async def run(self) -> None:
        self.is_up, self.trouble = True, ""
        self.on_event(EngineBack())
        await asyncio.Event().wait()

    def perform(self, actions: Iterable[EngineAction]) -> None:
        for action in actions:
            self._perform(action)

    def _perform(self, action: EngineAction) -> None:
        hub = self._hub
        match action:
            case Claim(name, value, _):
                kept = hub.entries.setdefault(name, value)
                self._tell(Claimed(name, kept is value, kept))
            case Fetch(name):
                self._tell(Fetched(name, hub.entries.get(name)))
            case Publish(name, channel, value, ms):
                if ms and not (hub.forgets_lists and not channel):
                    hub.entries[name] = value
                for engine in hub.listening[channel]:
                    engine._tell(Pushed(channel, name, value))
            case Extend(name, value, _):
                self._tell(Extended(name, hub.entries.get(name) == value))
            case Take(name, before, value, _):
                held = hub.entries.get(name, before) == before
                if held:
                    hub.entries[name] = value
                self._tell(Extended(name, held))
            case Release(name, value):
                if hub.entries.get(name) == value:
                    del hub.entries[name]
            case Watch(channel):
                hub.listening[channel].append(self)
            case Unwatch(channel):
                hub.listening[channel].remove(self)

    def _tell(self, event: EngineEvent) -> None:
        if self.is_up:
            asyncio.get_running_loop().call_soon(self._arrive, event)

    def _arrive(self, event: EngineEvent) -> None:
        if self.is_up:
            self.on_event(event)
