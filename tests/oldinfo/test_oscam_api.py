"""OSCam's status API against recordings of an OSCam, and against names that want to break it."""

import asyncio
import hashlib
import json
import re
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from browsing import Reply, exchange, get, serving
from contexts import a_context
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from cccamd.facts import EcmResult, Revision, Snapshot
from cccamd.ids import Caid, Ident, Sid
from cccamd.net import in_slices
from cccamd.oldinfo.oscam import ApiLook, oscam_routes
from cccamd.oldinfo.oscam.routes import Asked, document
from cccamd.server.snapshot import named_answers
from cccamd.setup.cccamcfg import ChannelNames, InfoPort
from cccamd.values import Outcome
from cccamd.watch import Answers, EcmFinished, SourceAnswered
from cccamd.web.app import create_app
from fact_factory import (
    LOCAL,
    NOW,
    UPSTREAM,
    a_card,
    a_client,
    a_household,
    a_local_source,
    a_penalty,
    a_service,
    a_snapshot,
    a_source,
)

RECORDED = Path(__file__).parent.parent / "data" / "oscamapi"
CHANNEL = {"caid": Caid(0x0500), "ident": Ident(0x032830), "sid": Sid(0x1D80)}
NAMES = ChannelNames(names={(0x0500, 0x032830, 0x1D80): "Das Erste"})


def some_answers() -> Answers:
    answers = Answers()
    for outcome in (Outcome.ANSWERED, Outcome.ANSWERED, Outcome.NO_ANSWER, Outcome.CANNOT_DECODE):
        result = EcmResult.CW if outcome is Outcome.ANSWERED else EcmResult.NOK1
        answers.observe(
            SourceAnswered(
                at=NOW - 9, source=UPSTREAM, result=result, outcome=outcome, seconds=0.2, **CHANNEL
            )
        )
    answers.observe(
        EcmFinished(
            at=NOW - 9,
            account="living",
            parity=0x80,
            fingerprint=b"1",
            result=EcmResult.CW,
            seconds=0.1234,
            source=UPSTREAM,
            cached=False,
            **CHANNEL,
        )
    )
    return answers


async def a_look(snapshot: Snapshot | None = None, log: tuple[str, ...] = ()) -> ApiLook:
    answers = await in_slices(some_answers().reporting())
    return ApiLook(
        snapshot=snapshot or replace(a_household(), penalties=(a_penalty(),)),
        answers=await in_slices(named_answers(answers, NAMES)),
        provider_name=lambda caid, ident: "ARD" if caid == 0x0500 else None,
        log=log,
    )


def xml(look: ApiLook, part: str, *, label: str = "", log: bool = False) -> Element:
    found = document(look, Asked(part, label, log), as_json=False)
    return ElementTree.fromstring(found.body)


def the_json(look: ApiLook, part: str, *, label: str = "") -> dict[str, object]:
    found = document(look, Asked(part, label), as_json=True)
    inside = json.loads(found.body)["oscam"]
    assert isinstance(inside, dict)
    return inside


# Shapes.

_KINDS = (
    ("moment", re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}")),
    ("number", re.compile(r"-?\d+(\.\d+)?")),
    ("hex", re.compile(r"(?=.*[A-F])[0-9A-F]{4,16}")),
)
_ALIKE = {("text", "number"), ("number", "hex")}


def kind(value: str | None) -> str:
    """What sort of value it is; blank goes with all."""
    text = (value or "").strip()
    return next((name for name, form in _KINDS if form.fullmatch(text)), "text") if text else ""


def differ(ours: str, theirs: str) -> bool:
    pair = tuple(sorted((ours, theirs), reverse=True))
    return bool(ours and theirs and ours != theirs and pair not in _ALIKE)


def compare(ours: Element, theirs: Element, path: str = "") -> Iterator[str]:
    """How our element differs in shape from a recorded one."""
    here = f"{path}/{theirs.tag}"
    if list(ours.attrib) != list(theirs.attrib):
        yield f"{here}: {list(ours.attrib)} is not {list(theirs.attrib)}"
    for name in ours.attrib.keys() & theirs.attrib.keys():
        a, b = kind(ours.attrib[name]), kind(theirs.attrib[name])
        if differ(a, b):
            yield f"{here}@{name}: {ours.attrib[name]!r} is not like {theirs.attrib[name]!r}"
    own = {child.tag: child for child in reversed(list(ours))}
    for child in theirs:
        if child.tag in own:
            yield from compare(own[child.tag], child, here)
        else:
            yield f"{here}: no {child.tag}"
    known = {child.tag for child in theirs}
    if known and not {child.tag for child in ours} <= known:
        yield f"{here}: {[child.tag for child in ours]} is more than {known}"


def compare_json(ours: object, theirs: object, path: str = "") -> Iterator[str]:
    if type(ours) is not type(theirs):
        yield f"{path}: {ours!r} is not like {theirs!r}"
    elif isinstance(ours, dict) and isinstance(theirs, dict):
        # Rows for the server and its pages come first in both, then readers and clients.
        if ours.keys() != theirs.keys():
            yield f"{path}: {ours.keys() ^ theirs.keys()}"
        for key in ours.keys() & theirs.keys():
            yield from compare_json(ours[key], theirs[key], f"{path}/{key}")
    elif isinstance(ours, list) and isinstance(theirs, list):
        for one, other in zip(ours, theirs, strict=False):
            if one and other:
                yield from compare_json(one, other, path)


RECORDINGS = [
    pytest.param(part, label, recorded, id=recorded)
    for part, label, recorded in (
        ("status", "", "status"),
        ("entitlement", UPSTREAM, "entitlement_label_attic"),
        ("readerstats", UPSTREAM, "readerstats_label_attic"),
        ("readerstats", LOCAL, "readerstats_label_studio"),
        ("readerlist", "", "readerlist"),
        ("userstats", "", "userstats"),
        ("ecmhistory", "", "ecmhistory"),
        ("failban", "", "failban"),
    )
]


@pytest.mark.parametrize(("part", "label", "recorded"), RECORDINGS)
async def test_the_shape_is_that_of_the_recorded_answer(
    part: str, label: str, recorded: str
) -> None:
    theirs = ElementTree.fromstring((RECORDED / f"{recorded}.xml").read_bytes())
    ours = xml(await a_look(), part, label=label)
    assert list(compare(ours, theirs)) == []


@pytest.mark.parametrize(("part", "label", "recorded"), RECORDINGS)
async def test_the_shape_in_json_is_that_of_the_recorded_answer(
    part: str, label: str, recorded: str
) -> None:
    path = RECORDED / f"{recorded}.json"
    if part == "ecmhistory":  # XML, whatever is asked for
        found = document(await a_look(), Asked(part), as_json=True)
        assert found.media_type.startswith("text/xml")
        shape = ElementTree.fromstring(path.read_bytes())
        assert list(compare(ElementTree.fromstring(found.body), shape)) == []
    elif path.exists():
        theirs = json.loads(path.read_text(), strict=False)["oscam"]
        assert list(compare_json(the_json(await a_look(), part, label=label), theirs)) == []


async def test_what_the_screen_of_enigma2_shows() -> None:
    look = await a_look(log=("one line", "two"))
    root = xml(look, "status", log=True)
    assert root.attrib["version"] == root.attrib["revision"] == "cccamd-0.1.0"
    assert root.attrib["readonly"] == "1"
    rows = {row.attrib["name"]: row for row in root.iter("client")}
    words = {
        name: (row.attrib["type"], row.attrib["protocol"], row.findtext("connection"))
        for name, row in rows.items()
    }
    assert words[LOCAL] == ("r", "test", "CARDOK")
    assert words[UPSTREAM] == ("p", "cccam (2.1.4-3191)", "CONNECTED")
    assert words["gone.example:12001"] == ("p", "cccam", "ERROR")
    assert words["living"] == ("c", "cccam (2.3.0-3367)", "OK")
    request = rows["living"].find("request")
    assert request is not None
    assert request.text == "ARD: Das Erste"
    assert request.attrib["srvid"] == "1D80"
    assert request.attrib["ecmtime"] == request.attrib["ecmhistory"] == "123"
    assert request.attrib["answered"] == UPSTREAM
    of_reader = rows[UPSTREAM].find("request")
    assert of_reader is not None
    assert of_reader.text == "ARD: Das Erste"
    assert (root.findtext("log") or "").split("\n")[1:3] == ["one line", "two"]


async def test_cards_and_answers_of_a_reader() -> None:
    look = await a_look()
    reader = xml(look, "entitlement", label=UPSTREAM)[0]
    assert reader.attrib["hostport"] == "12000"
    cards = list(reader.iter("card"))
    assert [card.attrib["hop"] for card in cards] == ["1", "2"]
    assert cards[0].findtext("remoteid") == "00090000"
    assert cards[0].attrib["system"] == "seca"
    ecms = list(xml(look, "readerstats", label=UPSTREAM).iter("ecm"))
    found = {(ecm.attrib["rcs"], ecm.text, ecm.attrib["channelname"]) for ecm in ecms}
    assert found == {
        ("found", "2", "Das Erste"),
        ("timeout", "1", "Das Erste"),
        ("not found", "1", "Das Erste"),
    }


async def test_protocols_are_told_apart() -> None:
    look = await a_look(
        a_snapshot(
            clients=(
                a_client("a", revision=Revision.V1, extended=True),
                a_client("b", revision=None, version=""),
                a_client("c", revision=None, version="dvbapi 2"),
            ),
            sources=(replace(a_local_source("d"), program="fixed"),),
        )
    )
    rows = {
        row.attrib["name"]: row.attrib["protocol"] for row in xml(look, "status").iter("client")
    }
    assert rows["a"] == "cccam_ext (2.3.0-3367)"
    assert (rows["b"], rows["c"], rows["d"]) == ("newcamd", "dvbapi", "constcw")


async def test_a_colon_in_a_channels_name_cuts_nothing_off() -> None:
    service = a_service(caid=0x1815, name="Show: two")
    look = await a_look(a_snapshot(clients=(a_client(service=service),)))
    text = next(xml(look, "status").iter("request"), None)
    texts = [request.text for request in xml(look, "status").iter("request")]
    assert text is not None
    assert texts[-1] == "1815: Show: two"


# What must not break it.

HOSTILE = (
    '"quoted" & <b>',
    "]]>",
    "\x00\x1b[2J\x7f",
    "\u202egnp.exe",
    "\ud800 half",
    "\ufffe\uffff",
    "line\r\nbreak\u2028",
)
_BAD = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def hostile_look(name: str, answers: ApiLook) -> ApiLook:
    service = a_service(name=name)
    client = a_client(name, program=name, version=name, service=service, last_source=name)
    snapshot = a_snapshot(
        accounts=(name,),
        clients=(client,),
        sources=(a_source(name, version=name, program=name), replace(a_local_source(name))),
        cards=(a_card(name),),
        penalties=(a_penalty(name, user=name),),
    )
    return replace(answers, snapshot=snapshot, log=(name,), provider_name=lambda caid, ident: name)


@given(st.one_of(st.sampled_from(HOSTILE), st.text()))
def test_no_name_breaks_a_document(name: str) -> None:
    look = hostile_look(name, asyncio.run(a_look()))
    for part in ("status", "entitlement", "readerstats", "readerlist", "userstats", "ecmhistory"):
        for as_json in (False, True):
            found = document(look, Asked(part, name, log=True), as_json=as_json)
            text = found.body.decode()
            assert not _BAD.search(text)
            if found.media_type == "application/json":
                assert all(value.isprintable() for value in texts_in(json.loads(text)))
            else:
                root = ElementTree.fromstring(text)
                assert {element.tag for element in root.iter()} <= KNOWN_TAGS


def texts_in(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from texts_in(each)


KNOWN_TAGS = {
    element.tag
    for path in RECORDED.glob("*.xml")
    for element in ElementTree.fromstring(path.read_bytes()).iter()
} | {"ecm", "error"}


async def test_a_reader_with_a_hostile_name_is_found_by_what_is_shown() -> None:
    look = hostile_look("a\x00b", await a_look())
    shown = next(xml(look, "readerlist").iter("reader")).attrib["label"]
    assert shown == "a_b"
    assert next(xml(look, "entitlement", label=shown).iter("cardlist")).attrib["totalcards"] == "1"


async def test_five_hundred_clients() -> None:
    clients = tuple(a_client(f"account{number}") for number in range(500))
    look = await a_look(a_snapshot(clients=clients, accounts=tuple(c.account for c in clients)))
    rows = [row for row in xml(look, "status").iter("client") if row.attrib["type"] == "c"]
    assert len({row.attrib["name"] for row in rows}) == 500
    status = the_json(look, "status")["status"]
    assert isinstance(status, dict)
    assert len(status["client"]) == 502


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cccamd.watch.answers.SUBJECTS_LIMIT", 3)
    monkeypatch.setattr("cccamd.watch.answers.SERVICES_LIMIT", 3)
    answers = Answers()
    for number in range(40):
        answers.observe(
            SourceAnswered(
                at=NOW, source=f"s{number % 8}", result=EcmResult.CW, seconds=0.0, **CHANNEL
            )
        )
    report = await in_slices(answers.reporting())
    assert set(report.sources) == {"s5", "s6", "s7"}
    assert [service.source for service in report.services] == ["s5", "s6", "s7"]


# Over HTTP.


def an_app(login: InfoPort | None = None) -> FastAPI:
    context = a_context(a_household, login=login)
    return create_app(context, routes=oscam_routes(look=a_look))


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with serving(an_app()) as port:
        yield port


@pytest.fixture
async def locked_port() -> AsyncIterator[int]:
    async with serving(an_app(InfoPort(username="m\u00fc", password="geh:eim"))) as port:
        yield port


@pytest.mark.parametrize("path", ["/oscamapi.html", "/oscamapi.json"])
async def test_nothing_can_be_done_this_way(port: int, path: str) -> None:
    asked = await get(port, f"{path}?part=shutdown&action=Restart")
    assert asked.status.startswith("HTTP/1.1 403")
    assert "actions are refused" in asked.text
    posted = await get(port, f"{path}?part=status", method="POST")
    assert posted.status.startswith("HTTP/1.1 405")


@pytest.mark.parametrize("query", ["", "?part=nothing", "?part=entitlement&label=nobody"])
async def test_what_there_is_not_gives_the_frame_with_an_error(port: int, query: str) -> None:
    page = await get(port, f"/oscamapi.html{query}")
    assert page.status == "HTTP/1.1 200 OK"
    assert ElementTree.fromstring(page.body)[0].tag == "error"
    assert "error" in json.loads((await get(port, f"/oscamapi.json{query}")).text)["oscam"]


async def test_it_is_xml_and_head_works(port: int) -> None:
    page = await get(port, "/oscamapi.html?part=status")
    assert page.headers["content-type"] == "text/xml; charset=utf-8"
    head = await get(port, "/oscamapi.html?part=status", method="HEAD")
    assert (head.status, head.body) == ("HTTP/1.1 200 OK", b"")
    strange = await get(port, "/oscamapi.html?part=status", host="evil.example")
    assert strange.status.startswith("HTTP/1.1 421")


class DigestOnly(urllib.request.HTTPDigestAuthHandler):
    """As it is, but for the connections that it leaves open."""

    def http_error_401(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any) -> Any:
        fp.close()
        return super().http_error_401(req, fp, code, msg, headers)


def by_digest(port: int, password: str) -> bytes:
    """Ask as the screen of Enigma2 does: Python's opener with nothing but the digest handler."""
    url = f"http://localhost:{port}/oscamapi.html?part=status"
    manager = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    manager.add_password(None, url, "me", password)  # it can do no other letters
    opener = urllib.request.build_opener(DigestOnly(manager))
    with opener.open(url, timeout=10) as answer:
        body: bytes = answer.read()
    return body


async def test_the_digest_login_of_plug_ins() -> None:
    async with serving(an_app(InfoPort(username="me", password="geh:eim"))) as port:
        page = await asyncio.to_thread(by_digest, port, "geh:eim")
        assert ElementTree.fromstring(page).tag == "oscam"

        def wrong() -> int:
            with pytest.raises(urllib.error.HTTPError) as caught:
                by_digest(port, "other")
            return int(caught.value.code)

        assert await asyncio.to_thread(wrong) == 401


async def a_nonce(port: int) -> str:
    def ask() -> list[str]:
        with closing(HTTPConnection("localhost", port, timeout=10)) as connection:
            connection.request("GET", "/oscamapi.html")
            return connection.getresponse().headers.get_all("WWW-Authenticate") or []

    first, second = await asyncio.to_thread(ask)
    assert second.startswith("Basic")
    return re.findall('nonce="([^"]+)"', first)[0]


def digest_of(*words: str) -> str:
    return hashlib.md5(":".join(words).encode(), usedforsecurity=False).hexdigest()


async def by_hand(port: int, nonce: str, uri: str, *, path: str = "/oscamapi.html") -> Reply:
    ha1 = digest_of("m\u00fc", "cccamd", "geh:eim")
    response = digest_of(ha1, nonce, "00000001", "c", "auth", digest_of("GET", uri))
    header = (
        f'Authorization: Digest username="m\u00fc", realm="cccamd", nonce="{nonce}", uri="{uri}",'
        f' qop=auth, nc=00000001, cnonce="c", response="{response}"'
    )
    return await get(port, path, header)


async def test_a_digest_is_good_for_its_address_and_nonce_only(
    locked_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    nonce = await a_nonce(locked_port)
    assert (await by_hand(locked_port, nonce, "/oscamapi.html")).status == "HTTP/1.1 200 OK"
    other = await by_hand(locked_port, nonce, "/oscamapi.html?part=status")
    assert other.status.startswith("HTTP/1.1 401")
    made_up = await by_hand(locked_port, "1-00", "/oscamapi.html")
    assert made_up.status.startswith("HTTP/1.1 401")
    monkeypatch.setattr("cccamd.web.digest.FRESH", -1)
    old = await by_hand(locked_port, nonce, "/oscamapi.html")
    assert old.status.startswith("HTTP/1.1 401")


async def test_a_wrong_digest_is_a_guess_and_an_old_one_is_none() -> None:
    heard: list[tuple[str, bytes, bool]] = []

    async def check(address: str, user: bytes, is_right: bool) -> bool:
        heard.append((address, user, is_right))
        return is_right

    context = a_context(a_household, login=InfoPort(username="m\u00fc", password="other"))
    app = create_app(replace(context, check_login=check), routes=oscam_routes(look=a_look))
    async with serving(app) as port:
        await by_hand(port, "1-00", "/oscamapi.html")
        assert heard == []
        await by_hand(port, await a_nonce(port), "/oscamapi.html")
    assert heard == [("127.0.0.1", "m\u00fc".encode().decode("latin-1").encode(), False)]


async def test_other_pages_take_no_digest(locked_port: int) -> None:
    nonce = await a_nonce(locked_port)
    page = await by_hand(locked_port, nonce, "/clients", path="/clients")
    assert page.status.startswith("HTTP/1.1 401")


async def test_a_broken_digest_is_no_error_of_ours(locked_port: int) -> None:
    for value in (
        "Digest",
        "Digest =,=,",
        "Digest a",
        'Digest nonce="\u00ff',
        "Digest " + "," * 3000,
    ):
        request = (
            "GET /oscamapi.html HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            f"Authorization: {value}\r\n\r\n"
        )
        assert (await exchange(locked_port, request)).status.startswith("HTTP/1.1 401")
