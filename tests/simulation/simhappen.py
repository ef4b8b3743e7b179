"""What happens to a running server: each in a moment of its own, as its seed has it."""

import random
from typing import TYPE_CHECKING, Any, Final

from simcast import SERVICES, Client
from simconfig import FAR, FRIEND
from simplan import Happening, has_newcamd
from simrights import KINDS, PRIORITIES
from simstrangers import Knocker, Stranger
from simupstreams import BEHAVIOURS, Paired

from cccamd.acting import LinkAct, Status

if TYPE_CHECKING:
    from simworld import World

EVIL: Final = "evil"
"""The account of strangers; it is left alone."""
LOOK_INTERVAL: Final = 5.0
"""Seconds until a pairing that was forgotten ends its links."""


class Fate:
    """Lets things happen to one world."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.paused: dict[str, float] = {}
        """The links that were paused by hand, and since when they must not be called."""

    async def let(self, happening: Happening) -> None:
        world = self.world
        chance = random.Random(happening.seed)
        wires = list(world.net.wires.values())
        wire = chance.choice(wires) if wires else None
        up = chance.choice(world.upstreams)
        client = chance.choice(world.clients)
        match happening.what:
            case "cut" if wire:
                wire.cut()
            case "stop" if wire:
                wire.stop(chance.choice((0.5, 3.0, 12.0)))
            case "cut at a byte" if wire:
                self._cut_at_a_byte(wire, chance)
            case "stranger":
                for n in range(chance.choice((1, 1, 2, 15))):
                    user = chance.choice([EVIL, EVIL, "nobody", client.user])
                    Stranger(world, user, random.Random(f"{happening.seed} stranger {n}")).call()
            case "guessing":
                address = f"{FAR}{chance.randint(1, 3)}"
                for n in range(chance.randint(3, 8)):
                    seed = random.Random(f"{happening.seed} guesser {n}")
                    guesser = Stranger(world, chance.choice([EVIL, "nobody"]), seed, "wrong")
                    world.loop.call_later(n * chance.random(), guesser.call, address)
            case "upstream dies":
                up.die()
            case "upstream returns":
                up.rise()
            case "withdrawal":
                up.withdraw()
            case "change of heart":
                up.behaviour = chance.choice(BEHAVIOURS)
            case "wall clock":
                world.clock.jumped += chance.choice((-8.64e6, -3600, -1.0, 1.0, 3600, 8.64e6))
            case "suspend":
                world.clock.elapsed += chance.choice((3.0, 60.0, 4000.0))
                world.ledger.leapt_at = world.loop.time()
            case "reload":
                await self.reload(chance)
            case "client leaves":
                client.leave()
            case "client comes":
                client.wanted = True
                client.connect()
            case "reads no more" if client.wire is not None:
                client.wire.caller.read_on(wanted=False)
                world.loop.call_later(chance.random() * 9, _read_on, client.wire.caller)
            case "rush":
                for each in world.clients:
                    for _ in range(3 if each.is_up else 0):
                        each.ask(chance.randrange(len(SERVICES)))
            case _:
                await self._by_hand(happening, chance)

    async def _by_hand(self, happening: Happening, chance: random.Random) -> None:
        """What somebody does at the controls, or with keys."""
        world = self.world
        client, up = chance.choice(world.clients), chance.choice(world.upstreams)
        match happening.what:
            case "kick":
                self._kick(client, chance)
            case "link by hand":
                await self._link_by_hand(up, chance)
            case "unban":
                for address in world.ledger.guessers:
                    self._unban(address)
            case "account off" | "account on":
                world.files.switch(client.user, on=happening.what == "account on")
                await self.take_files([client.user])
            case "pairing":
                self._pairing(chance)
            case "knock at the TLS port":
                for n in range(chance.choice((1, 2, 15))):
                    Knocker(world, random.Random(f"{happening.seed} knocker {n}")).call()
            case "in between" if isinstance(up, Paired):
                up.is_in_between = not up.is_in_between
                if chance.random() < 0.5:
                    up.cut_links()
            case _:
                pass

    def _unban(self, address: str) -> None:
        world = self.world
        answer = world.server.acts.unban(address, "somebody")
        world.ledger.forgive(address)
        if answer.status is Status.DONE and world.server._keeper.is_banned(address):
            world.ledger.blame(f"{address} is banned, although it was forgiven")

    def _kick(self, client: Any, chance: random.Random) -> None:
        world = self.world
        whom = chance.choice((client.user, "192.168.2.1"))
        answer = world.server.acts.kick(whom, "somebody")
        for guest in world.guests():
            if answer.status is Status.DONE and not guest.is_closed and world.is_of(guest, whom):
                world.ledger.blame(f"{whom} was sent away, and is still there")

    async def _link_by_hand(self, up: Any, chance: random.Random) -> None:
        act = chance.choice(tuple(LinkAct))
        name = f"10.0.0.{up.number + 2}"
        if act is not LinkAct.PAUSE:
            self.paused.pop(name, None)
        answer = await self.world.server.acts.change_link(act, name, "somebody")
        if act is LinkAct.PAUSE and answer.status is Status.DONE:
            self.paused[name] = self.world.loop.time()

    def _pairing(self, chance: random.Random) -> None:
        world, now = self.world, self.world.loop.time()
        paired = [up for up in world.upstreams if isinstance(up, Paired)]
        up = chance.choice(paired) if paired else None
        match chance.choice(("friend forgotten", "friend", "forgotten", "new key", "paired")):
            case "friend forgotten":
                world.keys.forget(FRIEND, now)
            case "friend":
                world.keys.pair(FRIEND, world.keys.key_of(FRIEND), now)
            case "forgotten" if up is not None:
                world.keys.forget(up.name, now)
            case "new key" if up is not None:
                up.has_new_key = True
                up.cut_links()
            case "paired" if up is not None:
                world.keys.pair(up.name, up.key, now)
            case _:
                pass

    def _cut_at_a_byte(self, wire: Any, chance: random.Random) -> None:
        """Let some bytes more through, and not one after them."""
        for end in (wire.caller, wire.called):
            take, left = end._take, [chance.randint(0, 60)]

            def taking(piece: bytes, take: Any = take, left: list[int] = left) -> None:
                if len(piece) >= left[0] and not self.world.is_calm:
                    take(piece[: left[0]])
                    wire.cut()
                else:
                    left[0] = max(0, left[0] - len(piece))
                    take(piece)

            end._take = taking

    async def reload(self, chance: random.Random) -> None:
        """Change some of everything in the files, and have them read."""
        world, files = self.world, self.world.files
        changed = [user for user in files.kinds if user != EVIL and chance.random() < 0.4]
        for user in changed:
            files.grant(user, chance.choice(list(KINDS)))
        files.left_out_upstream = chance.choice((None, None, 0, 1))
        files.prio, world.ledger.ignored = chance.choice(PRIORITIES)
        if has_newcamd(world.seed):
            moved = chance.choice((0, 0, 1)), chance.choice((0, 0, 1))
            files.ports = files.ports[0] + moved[0], files.ports[1] + moved[1]
        await self.take_files(changed)

    async def take_files(self, changed: list[str]) -> None:
        """Have the files read, in which these accounts are not as they were."""
        world, files = self.world, self.world.files
        world.ledger.is_reloading = True
        await world.server.reload(files.setup(world.upstreams))
        world.ledger.is_reloading = False
        world.net.server_port, world.net.newcamd_port = files.ports
        world.learn_local_cards()
        files.taken(changed)
        known = {source.name for source in world.sources()}
        for name in [each for each in self.paused if not any(each in one for one in known)]:
            del self.paused[name]  # its line was taken out; when it is back, it is called

    def end_trouble(self) -> None:
        """From now on all is well, or will be when the files are read."""
        world, now = self.world, self.world.loop.time()
        world.is_calm = True
        for stranger in (*world.strangers, *world.knockers):
            stranger.leave()
        for up in world.upstreams:
            up.rise()
            up.behaviour = BEHAVIOURS[0]
            if isinstance(up, Paired):
                up.is_in_between = False
                up.cut_links(shown_otherwise=True)
                world.keys.pair(up.name, up.key, now)
        world.keys.pair(FRIEND, world.keys.key_of(FRIEND), now)
        if len(world.happens) % 2:
            world.upstreams[-1].die()  # its cards must go with it
        for user in list(world.files.off):
            world.files.switch(user, on=True)
        for client in world.clients:
            client.wanted = True
            if isinstance(client, Client):
                client.pace = 1000.0
            client.read_on()
            client.connect()


def _read_on(end: Any) -> None:
    end.read_on(wanted=True)
