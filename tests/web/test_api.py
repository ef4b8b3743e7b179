"""The JSON interface: what it says, that its description fits, and what it never says."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from browsing import Reply, ask
from contexts import SERVICE, full_context
from fastapi import FastAPI
from pydantic import TypeAdapter

from cccamd.facts import (
    Snapshot,
    Status,
)
from cccamd.web.app import create_app
from cccamd.why import Question
from fact_factory import (
    CHANNEL_NAME,
    LOCAL,
    UPSTREAM,
    a_card,
    a_household,
    a_snapshot,
    a_source,
    an_offline_source,
)

PATHS = {
    *(f"/api/{name}" for name in ("status", "clients", "sources", "cards", "happenings")),
    *(f"/api/{name}" for name in ("history", "freezes", "incidents", "explain")),
    "/api/freezes/{number}",
    "/health",
    "/ready",
}


def an_app(snapshot: Snapshot | None = None) -> FastAPI:
    return create_app(full_context(snapshot))


@pytest.fixture
def app() -> FastAPI:
    return an_app()


async def answer(app: FastAPI, path: str) -> Any:
    reply = await ask(app, path)
    assert reply.status == "HTTP/1.1 200 OK", reply.body
    assert reply.headers["content-type"] == "application/json"
    return json.loads(reply.body)


async def test_status_is_a_snapshot_in_json(app: FastAPI) -> None:
    status = await answer(app, "/api/status")
    assert status["server"]["node_id"] == "380ceca0f39150d3"
    assert status["server"]["accounts"] == ["living", "bedroom", "kitchen"]
    living = status["clients"][0]
    assert living["service"] == {
        "caid": "0500",
        "ident": "032830",
        "sid": "1D80",
        "name": CHANNEL_NAME,
    }
    assert living["last_seconds"] == 0.123
    upstream = status["sources"][1]
    assert (upstream["kind"], upstream["cards"]) == ("CCcam server", 2)
    assert upstream["cards_by_hop"] == {"1": 1, "2": 1}
    assert status["systems"][0] == {
        "caid": "0100",
        "cards": 1,
        "nearest_hop": 1,
        "idents": ["000000", "000068", "003311"],
    }
    assert status["notes"][0]["service"]["name"] == CHANNEL_NAME
    assert status["channels"][0]["margin"] == 3.25


async def test_status_comes_back_as_it_was(app: FastAPI) -> None:
    body = (await ask(app, "/api/status")).body
    status = TypeAdapter(Status).validate_json(body)
    assert TypeAdapter(Status).dump_json(status) == body
    household = a_household()
    assert (status.clients, status.sources) == (household.clients, household.sources)


async def test_every_path_is_described_and_answers_as_described(app: FastAPI) -> None:
    description = await answer(app, "/api/openapi.json")
    assert description == await answer(app, "/api")
    assert set(description["paths"]) == PATHS
    schemas = description["components"]["schemas"]
    for kind, field in (("Readiness", "why"), ("CardAnswer", "hop"), ("SourceStatus", "up_at")):
        assert schemas[kind]["properties"][field]["description"]
    references = re.findall(r'"#/components/schemas/(\w+)"', json.dumps(description))
    assert set(references) <= set(schemas)
    for path, methods in description["paths"].items():
        name = path.rpartition("/")[2]
        assert methods["get"]["operationId"] == ("freeze" if name == "{number}" else name)
        schema = methods["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        fits(schema, await answer(app, path.format(number=7)), schemas)


def fits(schema: dict[str, Any], value: Any, schemas: dict[str, Any]) -> None:
    """Check a value against what its schema says of names and types, all the way down."""
    schema = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    if "anyOf" in schema:
        (rest,) = (one for one in schema["anyOf"] if one != {"type": "null"})
        if value is not None:
            fits(rest, value, schemas)
        return
    kinds: dict[str, Any] = {
        "object": dict,
        "array": list,
        "string": str,
        "boolean": bool,
        "integer": int,
        "number": (int, float),
    }
    assert isinstance(value, kinds[schema["type"]]), (schema, value)
    if "enum" in schema:
        assert value in schema["enum"]
    if schema["type"] == "array":
        for item in value:
            fits(schema["items"], item, schemas)
    if "properties" in schema:
        assert set(value) == set(schema["properties"])
        for name, part in schema["properties"].items():
            fits(part, value[name], schemas)


@pytest.mark.parametrize(
    ("query", "sources"),
    [
        ("", [LOCAL, UPSTREAM, UPSTREAM]),
        (f"?source={LOCAL}", [LOCAL]),
        ("?caid=1702", [UPSTREAM]),
        ("?caid=7f00&source=" + UPSTREAM, []),
        ("?account=living", [LOCAL, UPSTREAM]),
    ],
)
async def test_cards_can_be_chosen(app: FastAPI, query: str, sources: list[str]) -> None:
    cards = (await answer(app, f"/api/cards{query}"))["cards"]
    assert [card["source"] for card in cards] == sources


async def test_history_has_both_spans(app: FastAPI) -> None:
    minutes = await answer(app, "/api/history")
    assert (minutes["span"], minutes["step"]) == ("minutes", 5)
    (channel,) = minutes["channels"]
    assert channel["service"]["name"] == CHANNEL_NAME
    assert channel["points"][0]["answered"] == 1
    assert minutes["sources"][0]["source"] == UPSTREAM
    assert (await answer(app, "/api/history?span=day"))["step"] == 60


async def test_explain_passes_the_question_on(app: FastAPI) -> None:
    found = await answer(app, "/api/explain?account=living&caid=500&ident=32830&sid=1D80")
    question = Question(account="living", caid=SERVICE.caid, ident=SERVICE.ident, sid=SERVICE.sid)
    assert found["summary"] == repr(question)
    assert found["findings"][0]["setting"]["file"] == "/etc/CCcam.cfg"


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/api/explain?caid=xyz", "caid"),
        ("/api/explain?caid=12345", "caid"),
        ("/api/history?span=year", "span"),
        ("/api/cards?sourec=zzz", "sourec"),
        ("/api/status?secret=1234", "secret"),
    ],
)
async def test_a_wrong_parameter_is_named_and_not_repeated(
    app: FastAPI, path: str, named: str
) -> None:
    reply = await ask(app, path)
    assert reply.status == "HTTP/1.1 400 Bad Request"
    error = json.loads(reply.body)["error"]
    assert error.startswith(f"{named}: ")
    assert path.rpartition("=")[2] not in error.removeprefix(named)


async def ready(snapshot: Snapshot) -> Reply:
    return await ask(an_app(snapshot), "/ready")


@pytest.mark.parametrize(
    ("snapshot", "status", "why"),
    [
        (a_household(), "200 OK", ""),
        (a_snapshot(), "503 Service Unavailable", "there is no source"),
        (a_snapshot(sources=(an_offline_source(),)), "503 Service Unavailable", "no source is up"),
        (
            replace(
                a_household(),
                sources=(an_offline_source(), a_source("a.example:12000", silent_since=1.0)),
            ),
            "503 Service Unavailable",
            "no source answers what it is asked",
        ),
        (
            a_snapshot(sources=a_household().sources),
            "503 Service Unavailable",
            "no source has brought a card yet",
        ),
    ],
)
async def test_readiness_says_what_is_missing(snapshot: Snapshot, status: str, why: str) -> None:
    reply = await ready(snapshot)
    found = json.loads(reply.body)
    assert reply.status == f"HTTP/1.1 {status}"
    assert found["ready"] is (why == "")
    assert found["why"].startswith(why)


async def test_health_says_that_the_server_runs(app: FastAPI) -> None:
    assert await answer(app, "/health") == {"status": "ok", "program": "cccamd-0.1.0"}
    assert (await ask(app, "/health", method="HEAD")).status == "HTTP/1.1 200 OK"


async def test_many_cards_are_all_there() -> None:
    cards = tuple(a_card(share_id=number) for number in range(5000))
    assert len((await answer(an_app(a_snapshot(cards=cards)), "/api/cards"))["cards"]) == 5000
