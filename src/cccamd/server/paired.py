"""Links with paired servers: their port, and what follows when somebody is paired or forgotten.

The list of paired servers is looked at every few seconds. Whoever is not in it any more, or is
in it with another key, has its links ended at once; a link that waited for a pairing tries again.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from cccamd.net import Connection, Link, Listener, ListenError, TlsDoor, is_paired_still
from cccamd.setup.pairing import Pairing, PairingError
from cccamd.setup.setup import Setup
from cccamd.wire.keycodes import format_key_code
from cccamd.wire.link import CloseReason

log = logging.getLogger("cccamd.server")

LOOK_INTERVAL: Final = 5.0
"""Seconds between two looks at the list of paired servers."""
SETTING: Final = "[tls] port"


class PairedLinks:
    """What a server does for links with paired servers, beside making them."""

    def __init__(
        self,
        pairing: Pairing,
        listener: Listener,
        door: TlsDoor,
        links: Callable[[], Iterable[Link[Any]]],
    ) -> None:
        """`listener` hands whoever comes to `door`; `links` are those that we make."""
        self._pairing = pairing
        self._listener = listener
        self._door = door
        self._links = links
        self._setup: Setup | None = None
        self._open_at: tuple[tuple[str, ...], int] | None = None
        self._known = pairing.paired()
        self._told: frozenset[str] = frozenset()

    @property
    def ports(self) -> list[int]:
        """The ports that paired servers can connect to."""
        return self._listener.ports

    async def apply(self, setup: Setup) -> str:
        """Open, move or close the port as the files say; what was in the way, if anything was."""
        self._setup = setup
        self._tell_troubles()
        addresses, port = door = setup.toml.server.bind, setup.toml.tls.port
        if not port:
            if self._open_at is not None:
                await self.close()
                log.info("no paired servers are served any more: [tls] port is 0")
            return ""
        if door == self._open_at:
            return ""
        try:
            code = self._pairing.own_code()
            self._door.prepare()
            await self._listener.open(addresses, port)
        except (PairingError, ListenError, OSError) as error:
            trouble = f"no TLS links: {error}"
            log.error("%s", trouble)
            return trouble
        self._open_at = door
        shown = format_key_code(code)
        log.info("listening for paired servers on port %d (TLS); our key: %s", port, shown)
        return ""

    async def close(self) -> None:
        """Stop listening; links stay."""
        self._open_at = None
        await self._listener.close()

    async def watch(self) -> None:
        """See to it that links are those of paired servers, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_INTERVAL)
            self.look()

    def look(self) -> None:
        """End links that would not be made any more, and let others try that now might."""
        known = self._pairing.paired()
        if known is self._known:
            return
        self._known = known
        self._tell_troubles()
        for guest in self._listener.admission.inside:
            paired = guest.paired if isinstance(guest, Connection) else None
            if paired is not None and not is_paired_still(paired, self._pairing):
                guest.close(CloseReason.UNPAIRED)
        for link in self._links():
            link.look_at_keys()

    def _tell_troubles(self) -> None:
        """What is wrong with the list, and names that it does not have; each once."""
        troubles = frozenset(self._troubles())
        for trouble in sorted(troubles - self._told):
            log.warning("%s", trouble)
        self._told = troubles

    def _troubles(self) -> Iterator[str]:
        if self._setup is None or not is_used(self._setup):
            return
        known = self._pairing.paired()
        if self._pairing.trouble:
            yield f"{self._pairing.trouble}; the servers that were paired before count on"
        for heading, name in self._setup.toml.pairings:
            if name not in known:
                yield f"{heading}: no server is paired as {name}: cccamd pair {name} CODE"


def is_used(setup: Setup) -> bool:
    """Whether the files say anything of paired servers."""
    return bool(setup.toml.tls.port or setup.toml.pairings)
