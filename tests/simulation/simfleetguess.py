"""Somebody who guesses at the nodes of a fleet, one after the other, when all is well."""

import asyncio
import random
from typing import TYPE_CHECKING, Any, Final

from simconfig import ATTEMPTS, FAR

from cccamd.wire.cccam.handshake import PASSWORD_CHECK, derive_keys, pack_user

if TYPE_CHECKING:
    from simfleet import FleetWorld
    from simfleetcast import FleetNode

ADDRESS: Final = f"{FAR}7"
TRIES: Final = 8
TOLD: Final = 2.5
"""Seconds within which all nodes know what one of them knows: bulletins come each second."""


class Guesser(asyncio.Protocol):
    """One attempt with a wrong password; or only a look whether he is greeted."""

    def __init__(self, *, looks: bool) -> None:
        self.is_greeted, self._looks = False, looks
        self._seed = b""
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self.is_greeted = True
        self._seed += data
        if len(self._seed) >= 16 and not self._looks and not self._transport.is_closing():
            keys = derive_keys(self._seed[:16])
            out = keys.client_to_server
            said = out.encrypt(keys.proof) + out.encrypt(pack_user(b"u0"))
            out.encrypt(b"guess")
            self._transport.write(said + out.encrypt(PASSWORD_CHECK))

    def leave(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Guesses:
    """All attempts, and what they show of bans."""

    def __init__(self, world: "FleetWorld") -> None:
        self.world = world
        self.chance = random.Random(f"{world.seed} guesses")

    async def try_everywhere(self) -> None:
        """As many attempts as are too many, at any nodes of one fleet; then at all."""
        world = self.world
        first = self.chance.choice(world.nodes)
        fleet = [node for node in world.nodes if world.fleet_of(node) == world.fleet_of(first)]
        if any(node.distrusts for node in fleet):  # nor does it believe bans
            return
        before = world.books.failed_logins
        for _ in range(TRIES):
            if world.books.failed_logins >= before + ATTEMPTS:
                break
            await self._is_greeted(self.chance.choice(fleet), looks=False)
        else:  # what he says gets there too late, or he is banned already
            return
        await asyncio.sleep(TOLD)
        for node in world.nodes:
            if await self._is_greeted(node) and node in fleet:
                world.books.blame(f"{node.name} greets who is banned in its fleet")
        assert first.server is not None
        first.server.acts.unban(ADDRESS, "somebody")
        await asyncio.sleep(TOLD)
        for node in fleet:
            if not await self._is_greeted(node):
                world.books.blame(f"{node.name} does not greet who was pardoned")

    async def _is_greeted(self, node: "FleetNode", *, looks: bool = True) -> bool:
        guesser = Guesser(looks=looks)
        self.world.net.call(node.port, guesser, address=ADDRESS)
        await asyncio.sleep(0.6)
        guesser.leave()
        self.world.books.note("guessed", node.name, guesser.is_greeted)
        return guesser.is_greeted
