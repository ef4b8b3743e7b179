"""The end of a run: all trouble is over, everybody must be well served; then all leave."""

import asyncio
import random
from typing import TYPE_CHECKING, Final

from simcast import Box, Client
from simplan import has_all
from simrights import CAID, KINDS
from simtv import Tv

from cccamd.acting import LinkAct
from cccamd.facts import LinkState
from cccamd.values import ControlWords, Refusal

if TYPE_CHECKING:
    from simworld import World

RECOVERY: Final = 20.0
"""Virtual seconds until all clients must be back and served by the card of our own."""


async def recover(world: "World") -> None:
    """All trouble ends: clients come back, see what they may, and are served."""
    world.fate.end_trouble()
    for name in list(world.fate.paused):
        await world.server.acts.change_link(LinkAct.RESUME, name, "somebody")
    world.fate.paused.clear()
    await world.fate.reload(random.Random(f"{world.seed} last reload"))
    await asyncio.sleep(RECOVERY)
    asked = {}
    for client in world.clients:
        if not client.is_up:
            world.ledger.blame(f"client {client.number} did not come back")
        elif isinstance(client, Client):
            asked[client.number] = client.ask(4, period=1_000_000 + client.number)
    await asyncio.sleep(6.0)
    _judge_links(world)
    for client in world.clients:
        if isinstance(client, Tv):
            _judge_tv(world, client)
        else:
            _judge_client(world, client, asked.get(client.number))


def _judge_links(world: "World") -> None:
    """Each upstream that is there has us logged in, or will be called when its pause is over, which
    may be long for one that has thrown us out."""
    waiting = [
        source.upstream.line.port
        for source in world.sources()
        if source.next_attempt_at is not None or source.link.state is not LinkState.WAITING
    ]
    for up in world.upstreams if has_all(world.seed) else ():
        is_wanted = up.is_there and up.number != world.files.left_out_upstream
        if is_wanted and not up.links and up.port not in waiting:
            world.ledger.blame(f"upstream {up.number} is not called again")


def _is_open(world: "World", user: str) -> bool:
    rights = KINDS[world.files.kinds[user]]
    return not rights.from_midnight or world.clock.local().tm_hour < 12


def _judge_tv(world: "World", tv: Tv) -> None:
    for sid in tv.sure if _is_open(world, tv.user) else ():
        if not tv.shows(sid):
            world.ledger.blame(f"service {sid} is black on the TV")


def _judge_client(world: "World", client: Client, token: int | None) -> None:
    answer = client.last.get(token) if token is not None else None
    kind = world.files.kinds[client.user]
    is_open = _is_open(world, client.user)
    if is_open and not isinstance(answer, ControlWords):
        world.ledger.blame(f"client {client.number} ({kind}) is not served again: {answer}")
    if not is_open and not isinstance(answer, Refusal):
        world.ledger.blame(f"client {client.number} got {answer} outside its hours")
    _compare_cards(world, client, kind)


def _compare_cards(world: "World", client: Client, kind: str) -> None:
    """The list that a client has is the one that it should have."""
    rights = KINDS[kind]
    words = list(world.ledger.local)
    for up in world.upstreams:
        if up.number != world.files.left_out_upstream and up.links:
            words += up.words.values()
    allowed = {(w.caid, w.remote_id if not w.local else 0) for w in words if rights.kept(w)}
    if isinstance(client, Box):  # one card of all of them, which grows with them
        told_caids = {offer.caid for offer in client.cards.values()}
        is_there = {caid for caid, _ in allowed if caid == CAID}
        if is_there and told_caids != is_there:
            world.ledger.blame(f"box {client.number} sees {told_caids}, not {is_there}")
        return
    told = {
        (o.caid, o.remote_id if o.path != (world.node_id,) else 0) for o in client.cards.values()
    }
    if told != allowed:
        world.ledger.blame(f"client {client.number} ({kind}) sees {told}, may see {allowed}")


async def leave(world: "World") -> None:
    """Everybody leaves: nothing is left of them."""
    for client in world.clients:
        client.leave()
    await asyncio.sleep(12.0)
    server = world.server
    left = {
        "flights": len(server._router._flights),
        "asks": len(server._router._asks),
        "timers of the router": sum(not each[2].done for each in server._router._timers._heap),
        "clients of the exchange": len(server._exchange._clients),
        "seats": len(server._context.seats),
        "connections": server._context.admission.connections,
        "connections by address": len(server._context.admission._per_address),
        "requests": sum(world.is_served(asked[1]) for asked in world.ledger._asked.values()),
        "receiver programs": len(server._dvbapi.sessions),
        "services": len(server._dvbapi._home.selected) if server._dvbapi._home else 0,
    }
    for name, count in left.items():
        if count:
            world.ledger.blame(f"{count} {name} are left when all clients have gone")
    await server.stop()
    for up in world.upstreams:
        up.die()
    await asyncio.sleep(11.0)
    tasks = [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    if tasks:
        world.ledger.blame(f"tasks are left: {sorted(tasks)}")
    if world.net.wires or world.net.doors:
        world.ledger.blame(f"left open: {[w.number for w in world.net.wires.values()]}")
