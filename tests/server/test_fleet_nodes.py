"""Real servers that are nodes of one fleet, with an engine in this process."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar

import laboratory
import pytest
from laboratory import TEST_CARD, Laboratory, ask, cards_of, expected_cw
from playedhub import Hub

from cccamd.cards import Card, SourceId
from cccamd.fleet import claims, roll
from cccamd.fleet.claims import Counts
from cccamd.fleet.letters import Letter, Presence, Update, write
from cccamd.ids import NO_NODE_ID, Caid, Ident, ShareId, Sid
from cccamd.localcards import LocalCard
from cccamd.net import Client, in_slices
from cccamd.server import fleetdesk
from cccamd.server.fleetdesk import FleetDesk
from cccamd.server.fleetnodes import Node
from cccamd.values import (
    SA_LENGTH,
    UA_LENGTH,
    CardId,
    ControlWords,
    Emm,
    Provider,
    Refusal,
    Service,
)
from cccamd.wire.cccam import ClientProtocol

ECM = b"\x80of the fleet"
NO_CARD = ""
SEVERAL = '\n[[account]]\nuser = "anna"\nlogins = 9\n'
"""What is asked here is asked by one account on several nodes."""
FIXED_CARD = """
[[card]]
kind = "fixed"
caid = "7F00"
providers = ["00000A"]
cw = "00112233aabbcc3100112233aabbcc31"
"""


SLOW_CARD = TEST_CARD.replace('"test"', '"slow"')


class SlowCard(LocalCard):
    """A card that answers as that of kind `test`, when it is let."""

    asked: ClassVar[list[bytes]] = []
    may_answer: ClassVar[asyncio.Event]
    learnt: ClassVar[list[bytes]] = []

    async def handle_emm(self, emm: bytes) -> None:
        self.learnt.append(emm)

    async def decode(self, ecm: bytes, *, ident: Ident, sid: Sid) -> ControlWords:
        self.asked.append(ecm)
        await self.may_answer.wait()
        return expected_cw(ecm)


@pytest.fixture
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `[[card]]` tables have that kind, too."""
    monkeypatch.setattr(laboratory, "KINDS", {**laboratory.KINDS, "slow": SlowCard})
    # However slow this machine is: nobody asks because the engine, or another node, is late.
    monkeypatch.setattr(claims, "HEAD_STARTS", (60.0, 60.0, 60.0))
    monkeypatch.setattr(claims, "LOST_PUSH", 60.0)
    SlowCard.asked.clear()
    SlowCard.learnt.clear()
    SlowCard.may_answer = asyncio.Event()


def running(toml: str = TEST_CARD, **words: Any) -> AbstractAsyncContextManager[Laboratory]:
    return laboratory.running(toml=toml + SEVERAL, **words)


def desk_of(lab: Laboratory) -> FleetDesk:
    desk = lab.server._fleet.desk
    assert desk is not None
    return desk


def counts(*labs: Laboratory) -> list[Counts]:
    return [desk_of(lab).claims.counts for lab in labs]


async def until(happens: Callable[[], bool]) -> None:
    async with asyncio.timeout(20.0):
        while not happens():
            await asyncio.sleep(0.01)


def asked(lab: Laboratory) -> list[tuple[str, int]]:
    return [(source.name, source.asked) for source in lab.server.snapshot().sources]


async def test_a_card_of_one_node_serves_the_clients_of_all_and_is_asked_once() -> None:
    hub = Hub()
    async with (
        running(fleet=hub.member("north")) as north,
        running(toml=NO_CARD, fleet=hub.member("south")) as south,
        north.client() as one,
        south.client() as other,
    ):
        assert await cards_of(one) == await cards_of(other) == [0x7F00]
        answers = await asyncio.gather(ask(one, ECM), ask(other, ECM))
        assert answers == [expected_cw(ECM)] * 2
        assert [count for _, count in asked(north)] == [1]
        second = ECM + b"2"
        assert await ask(other, second) == expected_cw(second), "only the other node's client asks"
        assert await ask(one, second) == expected_cw(second)
        assert [count for _, count in asked(north)] == [2]
        (seen,) = south.server.snapshot().clients
        assert seen.last_source.startswith("north: ")


async def test_nodes_with_slow_cards_ask_once_together(kinds: None) -> None:
    hub = Hub()
    async with (
        running(toml=SLOW_CARD, fleet=hub.member("north")) as north,
        running(toml=SLOW_CARD, fleet=hub.member("south")) as south,
        north.client() as one,
        south.client() as other,
    ):
        assert await cards_of(one, 2) == await cards_of(other, 2) == [0x7F00, 0x7F00]
        answers = asyncio.gather(ask(one, ECM), ask(other, ECM))
        await until(lambda: sum(count.lost for count in counts(north, south)) == 1)
        SlowCard.may_answer.set()
        assert await answers == [expected_cw(ECM)] * 2
        assert SlowCard.asked == [ECM]
        hub.lose()
        answers = asyncio.gather(ask(one, ECM + b"2"), ask(other, ECM + b"2"))
        assert await answers == [expected_cw(ECM + b"2")] * 2
        assert SlowCard.asked == [ECM, ECM + b"2", ECM + b"2"]


async def test_a_node_that_gave_a_wrong_cw_is_named_and_believed_no_more(
    kinds: None, caplog: pytest.LogCaptureFixture
) -> None:
    hub = Hub()
    async with (
        running(toml=FIXED_CARD, fleet=hub.member("liar")) as liar,
        running(toml=SLOW_CARD, fleet=hub.member("south")) as south,
        liar.client() as one,
        south.client() as other,
    ):
        await cards_of(one, 2)
        await cards_of(other, 2)
        asking = asyncio.gather(ask(other, ECM))
        await until(lambda: SlowCard.asked == [ECM])
        wrong = await ask(one, ECM)
        assert await asking == [wrong], "the other's card is one that this client may have"
        SlowCard.may_answer.set()
        await until(
            lambda: not desk_of(south).claims.trusts("liar", asyncio.get_running_loop().time())
        )
        assert "node liar gave a wrong CW" in caplog.text
        assert await cards_of(other, 1) == [0x7F00], "its cards are not there any more"
        assert await ask(other, ECM) == expected_cw(ECM), "what is kept is corrected"
        assert await ask(one, ECM + b"2") == wrong
        assert await ask(other, ECM + b"2") == expected_cw(ECM + b"2")


async def test_who_may_not_see_a_card_gets_nothing_of_it_from_another_node_either() -> None:
    hub = Hub()
    toml = TEST_CARD + "groups = [1]\n"
    anna = '[[account]]\nuser = "anna"\ngroups = [2]\n'
    groups = f'{anna}[[account]]\nuser = "ben"\nlogins = 2\ngroups = [1]\n'
    lines = "F: anna secret\nF: ben secret"
    async with (
        laboratory.running(lines, toml + groups, fleet=hub.member("north")) as north,
        laboratory.running(lines, groups, fleet=hub.member("south")) as south,
        north.client("ben") as source,
        south.client("ben") as may,
        south.client("anna") as may_not,
    ):
        await cards_of(source)
        await cards_of(may)
        assert await ask(source, ECM) == await ask(may, ECM) == expected_cw(ECM)
        assert isinstance(await ask(may_not, ECM), Refusal)


EMM = bytes.fromhex("82700500000000")
LEARNING = """
[[card]]
kind = "slow"
name = "sport"
caid = "7F00"
providers = ["00000A"]
[[card]]
kind = "slow"
name = "shut"
caid = "7F01"
providers = ["00000A"]
emm = false
[[account]]
user = "anna"
emm_to = ["sport", "shut"]
logins = 9
[[account]]
user = "ben"
emm_to = ["news"]
"""
TWO_WHO_MAY = "F: anna secret 5 0 1\nF: ben secret 5 0 1\nF: cleo secret 5 0 0"


async def passes_emm(client: Client[ClientProtocol], number: int, caid: int = 0x7F00) -> None:
    (card,) = (card for card in client.cards.values() if card.caid == caid)
    await client.send_emm(Emm(card.caid, Ident(0x0A), card.share_id, EMM + bytes([number])))


async def test_an_emm_for_a_card_of_another_node_reaches_it_once(kinds: None) -> None:
    hub = Hub()
    learning = LEARNING.partition("[[account]]")
    async with (
        laboratory.running(TWO_WHO_MAY, LEARNING, fleet=hub.member("north")) as north,
        laboratory.running(TWO_WHO_MAY, "".join(learning[1:]), fleet=hub.member("south")) as south,
        north.client("anna") as near,
        south.client("anna") as far,
        south.client("ben") as other,
        south.client("cleo") as nobody,
    ):
        for client in (near, far, other, nobody):
            await cards_of(client, 2)
        await passes_emm(far, 1)
        await until(lambda: SlowCard.learnt == [EMM + b"\1"])
        await passes_emm(near, 1)  # as north's own receivers hear it, too
        await passes_emm(near, 7)
        await until(lambda: SlowCard.learnt[-1] == EMM + b"\7")
        await passes_emm(far, 7)
        for client, caid in ((far, 0x7F01), (other, 0x7F00), (nobody, 0x7F00)):
            await passes_emm(client, 2, caid)  # the card takes none; not for this one; may not
        await passes_emm(far, 3)
        await until(lambda: SlowCard.learnt[-1] == EMM + b"\3")
        assert SlowCard.learnt == [EMM + b"\1", EMM + b"\7", EMM + b"\3"]
        clients = south.server.snapshot().clients
        seen = {client.account: client.emms_passed for client in clients}
        assert seen == {"anna": 3, "ben": 0, "cleo": 0}

        # What comes for no card of ours, or for another card than it names, does nothing.
        table = south.server._table
        (share_id,) = (card.share_id for card in table.cards() if card.caid == 0x7F00)
        for card, caid in ((share_id, 0x0500), (ShareId(0xFFFF), 0x7F00)):
            letter = Update(node="south", emm=Emm(Caid(caid), Ident(10), card, EMM + b"\4"))
            desk_of(south)._write("north", letter)
        await passes_emm(far, 8)
        await until(lambda: SlowCard.learnt[-1] == EMM + bytes([8]))
        assert len(SlowCard.learnt) == 4
        hub.lose()
        await passes_emm(far, 5)
        await passes_emm(near, 6)
        await until(lambda: SlowCard.learnt[-1] == EMM + b"\6")
        assert SlowCard.learnt[4:] == [EMM + b"\6"]


async def test_the_cards_of_a_node_that_is_stopped_go_at_once() -> None:
    hub = Hub()
    async with running(toml=NO_CARD, fleet=hub.member("south")) as south, south.client() as client:
        async with running(fleet=hub.member("north")):
            await cards_of(client)
        await cards_of(client, 0)
        assert desk_of(south).nodes.by_name == {}


async def test_nobody_waits_for_a_node_whose_cards_it_does_not_know_yet(kinds: None) -> None:
    """Its list is under way: what it tells of an ECM is of no use here."""
    hub = Hub()
    hub.forgets_lists = True
    async with (
        running(toml=SLOW_CARD, fleet=hub.member("north")) as north,
        running(toml=SLOW_CARD, fleet=hub.member("south")) as south,
        north.client() as one,
        south.client() as other,
    ):
        assert await cards_of(one) == await cards_of(other) == [0x7F00]
        answers = asyncio.gather(ask(one, ECM), ask(other, ECM))
        await until(lambda: SlowCard.asked == [ECM, ECM])
        SlowCard.may_answer.set()
        assert await answers == [expected_cw(ECM)] * 2


def a_card(number: int, caid: int, *idents: int) -> Card:
    return Card(
        serial=number,
        id=CardId(NO_NODE_ID, number, Caid(caid)),
        source=SourceId(1),
        share_id=ShareId(number),
        own_share_id=ShareId(number),
        remote_id=number,
        caid=Caid(caid),
        hop=1,
        reshare=1,
        local=False,
        providers=tuple(Provider(Ident(ident), bytes(SA_LENGTH)) for ident in idents),
        ua=bytes(UA_LENGTH),
        path=(),
        assigned_sids=(),
        rejected_sids=(),
    )


def test_which_services_cards_of_a_node_may_serve() -> None:
    presence = Presence(node="north", node_id=NO_NODE_ID, boot="", config="", revision="")
    node = Node(presence, 0.0, 0.0)

    def serves(caid: int, ident: int) -> bool:
        return node.may_serve(Service(Caid(caid), Ident(ident), Sid(1)))

    two, same, any_of = a_card(1, 0x500, 7, 8), a_card(2, 0x500, 8), a_card(3, 0x1702, 0)
    for card in (two, same, any_of, two):
        node.keep(card.id, card)
    wanted = ((0x500, 7), (0x500, 8), (0x500, 0), (0x500, 9), (0x1702, 5), (0x1702, 0), (0x600, 0))
    assert [serves(*each) for each in wanted] == [True, True, True, False, True, True, False]
    node.lose(two.id)
    assert [serves(*each) for each in wanted] == [False, True, True, False, True, True, False]
    node.lose(two.id)
    for card in (same, any_of):
        node.lose(card.id)
    assert not any(serves(*each) for each in wanted)
    assert not node.reach


async def test_fifty_that_come_at_once_get_one_answer_and_500_names_are_no_more_than_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As when an engine is back: an answer of each of fifty to each would be 2,500."""
    monkeypatch.setattr(fleetdesk, "HERE_EVERY", 1e9)
    hub = Hub()
    async with running(fleet=hub.member("north")) as north:
        desk = desk_of(north)
        await until(lambda: desk.is_up)
        said: list[bytes] = []
        listen, tell = hub.listening[desk._all], desk._tell
        assert len(listen) == 1

        def overheard(channel: bytes, letter: Letter) -> None:
            if isinstance(letter, Presence):
                said.append(channel)
            tell(channel, letter)

        desk._tell = overheard  # type: ignore[method-assign]

        def come(names: Iterable[str]) -> None:
            for name in names:
                fields = {"node_id": NO_NODE_ID, "boot": "b", "config": "c", "revision": ""}
                letter = write(Presence(node=name, is_new=True, **fields))  # type: ignore[arg-type]
                desk._letter(desk._all, desk._seals.seal(desk._all, letter), now())

        await asyncio.sleep(fleetdesk.LOOK_EVERY)
        said.clear()
        come(f"node{number}" for number in range(50))
        assert len(said) == 1, "at once, to the first"
        await until(lambda: len(said) == 2)  # and once more, to all the others
        assert not desk._is_asked
        come(f"name{number}" for number in range(1000))
        shown = north.server.snapshot().fleet
        assert shown is not None
        assert len(shown.nodes) == fleetdesk.NODES_LIMIT
        assert {f"node{number}" for number in range(50)} <= {node.name for node in shown.nodes}
        assert shown.round_trip == 0.0
        desk.claims.round_trips.add(0.5, now())
        assert north.server.snapshot().fleet.round_trip == 0.5  # type: ignore[union-attr]
        later = now() + 2 * roll.GONE_AFTER
        desk._engine_since = now() - 60.0
        await in_slices(desk._look_for_the_gone(later))
        shown = north.server.snapshot().fleet
        assert shown is not None
        assert (len(shown.nodes), len(shown.absent)) == (0, roll.ABSENT_LIMIT)


def now() -> float:
    return asyncio.get_running_loop().time()
