"""The live view: what changes, as it changes, for streams and for polling."""

import asyncio
import json
import zlib
from dataclasses import fields, replace
from time import time
from typing import Any

from browsing import get, serving
from scene import ATTIC, HOME, LOCAL, NEWS, NOW, SPORT, Scene, card, client, freezes, source

from cccamd.facts import (
    Cause,
    EcmResult,
    Point,
    ReceiverFinding,
    ReceiverTrouble,
    Snapshot,
    Verdict,
)
from cccamd.watch import EcmFinished, SourceAnswered
from cccamd.web.app import create_app
from fact_factory import a_freeze, an_incident, on_channel

PARTS = {
    "server",
    "config",
    "incidents",
    "penalties",
    "fleet",
    "fleet_nodes",
    "clients",
    "absent",
    "sources",
    "cards",
    "nodes",
    "edges",
    "notes",
    "freezes",
}
Table = dict[str, dict[str, Any]]


async def view_of(scene: Scene) -> dict[str, Table]:
    async with serving(scene.app()) as port:
        answer = await get(port, "/live/view.json")
    assert answer.headers["content-type"] == "application/json"
    parts = json.loads(answer.text)["parts"]
    return {name: part["put"] for name, part in parts.items()}


class Stream:
    """A browser's end of the event stream."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self.reader = reader

    @classmethod
    async def open(cls, port: int, path: str = "/live/events", *headers: str) -> "Stream":
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        lines = [f"GET {path} HTTP/1.1", "Host: localhost", *headers]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        stream = cls(reader)
        stream.writer = writer
        return stream

    writer: asyncio.StreamWriter

    async def event(self) -> tuple[str, Any]:
        async with asyncio.timeout(10.0):
            while not (line := await self.reader.readline()).startswith(b"event: "):
                assert line, "the stream has ended"
            data = await self.reader.readline()
        name = line[7:-1].decode()
        return name, None if name == "pulse" else json.loads(data.removeprefix(b"data: "))

    async def until(self, name: str) -> Any:
        while (event := await self.event())[0] != name:
            continue
        return event[1]


async def test_a_stream_tells_all_once_and_then_what_changes() -> None:
    scene = Scene()
    async with serving(scene.app()) as port:
        stream = await Stream.open(port)
        name, whole = await stream.event()
        first, *others = scene.snapshot.clients
        scene.change(clients=(replace(first, ecms_asked=1219), *others))
        change = await stream.until("change")
        stream.writer.close()
    assert (name, set(whole["parts"])) == ("whole", PARTS)
    assert change["from"] == whole["version"]
    key = f"livingroom {first.address} {first.port}"
    assert change["parts"]["clients"] == {"put": {key: {"ecms_asked": 1219}}}
    assert set(change["parts"]) == {"clients", "server"}
    assert change["parts"]["server"]["put"][""].keys() == {"asked"}


async def test_who_comes_back_gets_what_it_missed_and_a_stranger_gets_the_whole() -> None:
    scene = Scene()
    async with serving(scene.app()) as port:
        stream = await Stream.open(port)
        _, whole = await stream.event()
        stream.writer.close()
        scene.change(accounts=(*scene.snapshot.accounts, "new"))
        for path, header in (
            (f"/live/events?since={whole['version']}", "X: y"),
            ("/live/events", f"Last-Event-ID: {whole['version']}"),
        ):
            back = await Stream.open(port, path, header)
            change = await back.until("change")
            assert change["from"] == whole["version"]
            assert change["parts"]["absent"]["put"] == {"new": {"account": "new"}}
            back.writer.close()
        stranger = await Stream.open(port, "/live/events?since=elsewhere-7")
        assert (await stranger.event())[0] == "whole"
        stranger.writer.close()


async def test_a_stream_is_packed_for_those_who_can_unpack_it_and_comes_at_once() -> None:
    scene = Scene()
    async with serving(scene.app()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"GET /live/events HTTP/1.0\r\nHost: localhost\r\n"
            b"Accept-Encoding: deflate, gzip;q=0.5\r\n\r\n"
        )
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        unpacker, text = zlib.decompressobj(wbits=31), ""
        async with asyncio.timeout(10.0):
            while not text.endswith("\n\n"):
                text += unpacker.decompress(await reader.read(65536)).decode()
            assert text.startswith("event: whole")
            scene.change(ecms_total=31337)
            while "31337" not in text:
                text += unpacker.decompress(await reader.read(65536)).decode()
        writer.close()
        plain = await get(port, "/live/view.json", "Accept-Encoding: gzip;q=0, br")
    assert b"content-encoding: gzip" in head
    assert b"vary: accept-encoding" in head
    assert "content-encoding" not in plain.headers


async def test_a_stream_that_has_nothing_to_say_beats_its_pulse() -> None:
    async with serving(Scene().app()) as port:
        stream = await Stream.open(port)
        assert [(await stream.event())[0] for _ in range(2)] == ["whole", "pulse"]
        stream.writer.close()


async def test_streams_end_when_the_server_stops() -> None:
    async with asyncio.timeout(10.0), serving(Scene().app()) as port:
        stream = await Stream.open(port)
        await stream.until("whole")
    await stream.reader.read()
    stream.writer.close()


async def test_however_many_watch_the_server_is_looked_at_once_a_second() -> None:
    scene = Scene()
    looks = 0

    async def look() -> Snapshot:
        nonlocal looks
        looks += 1
        return scene.snapshot

    app = create_app(replace(scene.context(), snapshot=look))
    async with serving(app) as port:
        await asyncio.gather(*(get(port, "/live/view.json") for _ in range(20)))
    assert looks == 1


async def test_every_trouble_is_one_click_from_its_explanation() -> None:
    scene = Scene()
    scene.incidents = (
        an_incident(ATTIC, number=4),
        an_incident("receivers", number=5, cause=Cause.ACCOUNT_WITHOUT_CARDS, sufferers=("kids",)),
        an_incident("/etc/CCcam.cfg", number=6, cause=Cause.CONFIG_REFUSED, sufferers=()),
        an_incident(HOME, number=2, ended_at=NOW),
    )
    incidents = (await view_of(scene))["incidents"]
    assert [(row["place"], row["link"]) for row in incidents.values()] == [
        (0, "/explain?source=attic.example%3A12000"),
        (1, "/explain?account=kids"),
        (2, "/explain"),
        (3, "/explain?source=192.168.1.20%3A12000"),
    ]


async def test_who_is_in_trouble_is_said_by_the_facts() -> None:
    scene = Scene()
    refused = client("office", 4, last_result=EcmResult.NOK2, service=NEWS, heard_at=NOW)
    frozen, stuck = client("workshop", 5), client("cellar", 6)
    empty = source("empty.example:12000", cards_by_hop={})
    scene.change(
        clients=(*scene.snapshot.clients, refused, frozen, stuck),
        sources=(*scene.snapshot.sources, empty),
    )
    stands = a_freeze("workshop", **on_channel(NEWS), at=NOW - 900, seconds=900, over=False)
    silent = ReceiverFinding(
        **on_channel(NEWS),
        account="cellar",
        trouble=ReceiverTrouble.STOPPED,
        at=NOW - 30,
        verdict=Verdict.RECEIVER,
        cause="it stopped",
    )
    past = freezes().freezes
    scene.report = replace(freezes(), freezes=(stands, *past), receivers=(silent,))
    scene.incidents = (an_incident(HOME, cause=Cause.SOURCE_SLOW, sufferers=("bedroom",)),)
    view = await view_of(scene)
    rows = (*view["clients"].values(), *view["sources"].values())
    troubles = {row.get("account") or row["name"]: (row["weight"], row["trouble"]) for row in rows}
    assert troubles == {
        "livingroom": (0, ""),
        "bedroom": (1, "source slow"),
        "kids": (2, "0 cards"),
        "office": (2, "NOK2"),
        "workshop": (2, "frozen"),
        "cellar": (2, "asks no more"),
        LOCAL: (0, ""),
        HOME: (2, "source slow"),
        ATTIC: (2, "waiting"),
        "empty.example:12000": (2, "0 cards"),
    }
    drawn = {node["label"]: node["weight"] for node in view["nodes"].values()}
    assert {name: drawn[name] for name in troubles} == {n: w for n, (w, _) in troubles.items()}


async def test_the_network_is_drawn_by_hops_from_us() -> None:
    view = await view_of(Scene())
    nodes, edges = view["nodes"], view["edges"]
    columns = {node["label"]: node["column"] for node in nodes.values()}
    assert columns["livingroom"] == 1
    assert columns["this server"] == 0
    assert columns[HOME] == columns[LOCAL] == columns[ATTIC] == -1
    assert columns["5c1e00c9a0b3c4d9"] == -2
    ways = {(edge["from"], edge["to"]): edge["cards"] for edge in edges.values()}
    assert ways["node:5c1e00caa0b3c4da", f"source:{HOME}"] == 2
    assert ways[f"source:{HOME}", "us"] == 5
    assert ways[f"source:{ATTIC}", "us"] == 0
    words = nodes["client:livingroom"]["words"]
    assert words.startswith(f"livingroom gets 1 card from {LOCAL}, 4 cards from {HOME}.")


async def test_two_clients_of_one_account_are_both_there() -> None:
    scene = Scene()
    box = client("box", 1)
    scene.change(clients=(box, replace(box, port=box.port + 1)))
    view = await view_of(scene)
    assert len(view["clients"]) == 2
    assert sum(node["label"] == "box" for node in view["nodes"].values()) == 2


async def test_a_big_network_is_grouped_and_draws_whoever_is_in_trouble() -> None:
    scene = Scene()
    boxes = [client(f"box{number}", number) for number in range(500)]
    boxes[-1] = replace(boxes[-1], cards=0)
    frozen = a_freeze("box321", **on_channel(NEWS), over=False)
    scene.report = replace(freezes(), freezes=(frozen,))
    names = tuple(box.account for box in boxes[:-1])
    far = tuple(card(f"up{n}", n, 0x500 + n, 0, seen_by=names[: 1 + n % 2]) for n in range(400))
    ups = tuple(source(f"up{n}") for n in range(400))
    scene.change(clients=tuple(boxes), cards=far, sources=(*ups, *scene.snapshot.sources))
    view = await view_of(scene)
    nodes = view["nodes"].values()
    assert len(nodes) < 40
    troubled = {node["label"]: node["note"] for node in nodes if node["weight"]}
    assert troubled == {"box499": "0 cards", "box321": "frozen", ATTIC: "waiting"}
    for column, total in ((1, 500), (-1, 403)):
        assert sum(node["count"] for node in nodes if node["column"] == column) == total
    assert len(view["cards"]) == 300
    assert view["server"][""]["cards"] == 400
    ends = {end for edge in view["edges"].values() for end in (edge["from"], edge["to"])}
    assert ends <= view["nodes"].keys()


async def test_answer_times_come_by_source_and_by_channel() -> None:
    scene = Scene()
    words = {"caid": SPORT.caid, "ident": SPORT.ident, "sid": SPORT.sid}
    at, ok = time(), EcmResult.CW
    scene.tell([SourceAnswered(at=at, source=HOME, result=ok, seconds=0.12, **words)])
    finished = EcmFinished(
        at=at,
        account="kids",
        parity=0x80,
        fingerprint=b"1",
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


async def test_answer_times_that_are_known_are_not_told_again() -> None:
    scene = Scene()
    words = {"caid": SPORT.caid, "ident": SPORT.ident, "sid": SPORT.sid, "result": EcmResult.CW}
    now = time()
    for name, at in ((HOME, now - 60), (HOME, now), (ATTIC, now)):
        scene.tell([SourceAnswered(at=at, source=name, seconds=0.12, **words)])
    async with serving(scene.app()) as port:
        path = f"/live/times.json?most=1&since={int(now) - 20}"
        since = json.loads((await get(port, path)).text)
        odd = json.loads((await get(port, "/live/times.json?most=x&since=-1e9")).text)
    assert since["total"] == 2
    (one,) = since["series"]
    assert (one["source"], len(one["points"])) == (HOME, 1)
    assert len(odd["series"]) == 2
