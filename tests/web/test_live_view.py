"""The live view: parts as they change, for streams and for polling."""

import asyncio
import json
from dataclasses import fields, replace
from time import time

from browsing import get, serving
from scene import ATTIC, HOME, LOCAL, NEWS, NOW, SPORT, Scene, card, client, source

from cccamd.facts import EcmResult, Point
from cccamd.watch import EcmFinished, SourceAnswered
from cccamd.web import create_app

PARTS = {
    "server",
    "config",
    "attention",
    "clients",
    "sources",
    "cards",
    "network",
    "notes",
    "freezes",
}


async def view_of(scene: Scene) -> dict[str, object]:
    async with serving(scene.app()) as port:
        answer = await get(port, "/live/view.json")
    assert answer.headers["content-type"] == "application/json"
    view: dict[str, object] = json.loads(answer.text)
    return view


class Stream:
    """A browser's end of the event stream."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader

    async def event(self) -> tuple[str, object]:
        async with asyncio.timeout(5):
            while not (line := await self._reader.readline()).startswith(b"event: "):
                assert line, "the stream has ended"
            data = await self._reader.readline()
        return line[7:-1].decode(), json.loads(data.removeprefix(b"data: "))

    async def until(self, name: str) -> object:
        while (event := await self.event())[0] != name:
            continue
        return event[1]


async def test_a_stream_tells_all_once_and_then_what_changes() -> None:
    scene = Scene()
    async with serving(scene.app()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /live/events HTTP/1.1\r\nHost: t\r\n\r\n")
        stream = Stream(reader)
        first = [(await stream.event())[0] for _ in PARTS]
        scene.change(clients=(*scene.snapshot.clients, client("office", 4)))
        changed = [(await stream.event())[0] for _ in range(2)]
        writer.close()
    assert set(first) == PARTS
    assert changed == ["clients", "network"]


async def test_streams_end_when_the_server_stops() -> None:
    async with asyncio.timeout(3), serving(Scene().app()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /live/events HTTP/1.1\r\nHost: t\r\n\r\n")
        await Stream(reader).until("server")
    await reader.read()
    writer.close()


async def test_however_many_watch_the_server_is_looked_at_once_a_second() -> None:
    scene = Scene()
    looks = 0

    def look() -> object:
        nonlocal looks
        looks += 1
        return scene.snapshot

    app = create_app(replace(scene.context(), snapshot=look))  # type: ignore[arg-type]
    async with serving(app) as port:
        await asyncio.gather(*(get(port, "/live/view.json") for _ in range(20)))
    assert looks == 1


async def test_every_trouble_is_one_click_from_its_explanation() -> None:
    scene = Scene()
    refused = client("office", 4, last_result=EcmResult.NOK2, service=NEWS, heard_at=NOW)
    empty = source("empty.example:12000", cards_by_hop={})
    scene.change(
        clients=(*scene.snapshot.clients, refused), sources=(*scene.snapshot.sources, empty)
    )
    attention = (await view_of(scene))["attention"]
    assert isinstance(attention, dict)
    links = {item["subject"]: item["link"] for item in attention["items"]}
    assert links == {
        ATTIC: "/explain?source=attic.example%3A12000",
        "empty.example:12000": "/explain?source=empty.example%3A12000",
        "kids": "/explain?account=kids",
        "office": "/explain?account=office&caid=0B00&ident=030B00&sid=1D80",
    }


async def test_the_network_is_drawn_by_hops_from_us() -> None:
    network = (await view_of(Scene()))["network"]
    assert isinstance(network, dict)
    columns = {node["label"]: node["column"] for node in network["nodes"]}
    assert columns["livingroom"] == 1
    assert columns["this server"] == 0
    assert columns[HOME] == columns[LOCAL] == columns[ATTIC] == -1
    assert columns["5c1e00c9a0b3c4d9"] == -2
    ways = {(edge["from"], edge["to"]): edge["cards"] for edge in network["edges"]}
    assert ways["node:5c1e00caa0b3c4da", f"source:{HOME}"] == 2
    assert ways[f"source:{HOME}", "us"] == 5
    assert ways[f"source:{ATTIC}", "us"] == 0
    gets = network["gets"]["client:livingroom"]
    assert gets["sources"] == [{"source": LOCAL, "cards": 1}, {"source": HOME, "cards": 4}]


async def test_a_big_network_is_cut_and_counted() -> None:
    scene = Scene()
    scene.change(clients=tuple(client(f"box{number}", number) for number in range(60)))
    scene.change(cards=tuple(card(HOME, n, 0x500 + n, 0) for n in range(400)))
    view = await view_of(scene)
    network, cards = view["network"], view["cards"]
    assert isinstance(network, dict)
    assert isinstance(cards, dict)
    assert network["hidden"] == {"1": 46}
    assert (cards["total"], len(cards["rows"])) == (400, 300)


async def test_answer_times_come_by_source_and_by_channel() -> None:
    scene = Scene()
    words = {"caid": SPORT.caid, "ident": SPORT.ident, "sid": SPORT.sid}
    at, ok = time(), EcmResult.CW
    scene.tell([SourceAnswered(at=at, source=HOME, result=ok, seconds=0.12, **words)])
    finished = EcmFinished(
        at=at,
        account="kids",
        parity=0x80,
        fingerprint=1,
        result=ok,
        seconds=0.3,
        source=HOME,
        cached=False,
        **words,
    )
    scene.tell([finished])
    async with serving(scene.app()) as port:
        by_source = json.loads((await get(port, "/live/times.json")).text)
        by_channel = json.loads((await get(port, "/live/times.json?by=channel&span=day")).text)
    (one,) = by_source["series"]
    assert by_source["fields"] == [field.name for field in fields(Point)]
    assert (one["source"], one["points"][0][1:]) == (HOME, [1, 0, 0.12, 0.12, 0.12])
    (one,) = by_channel["series"]
    assert one["service"]["name"] == "Sport Eins HD"
    assert one["service"]["sid"] == "1D8A"
    assert (by_channel["step"], by_channel["length"]) == (60, 86400)
