"""What a broker and Home Assistant are told of a household."""

import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cccamd.facts import LinkState
from cccamd.mqtt.entities import TEXT_LIMIT
from cccamd.mqtt.picture import Overview, Painter
from cccamd.mqtt.topics import Topics, slug
from cccamd.net import at_once
from cccamd.setup.toml.mqtttable import THINGS
from fact_factory import a_client, a_household, a_margin, a_source, an_incident

TOPICS = Topics("cccamd", "attic", "homeassistant")
COMMON = {"platform", "unique_id", "name", "state_topic", "value_template", "expire_after"}


def overview(**changes: Any) -> Overview:
    seen = a_household()
    words: dict[str, Any] = {
        "at": seen.at,
        "started_at": seen.started_at,
        "accounts": seen.accounts,
        "clients": seen.clients,
        "sources": seen.sources,
        "channels": (a_margin("living", margin=4.26),),
        "incidents": (),
        "config": seen.config,
        "ecms_total": 7,
        "logins_failed": 1,
        "banned": 0,
    }
    return Overview(**(words | changes))


def painter(topics: Topics = TOPICS, things: tuple[str, ...] = THINGS) -> Painter:
    return Painter(topics, things=things, node="380ceca0f39150d3", version="1.0", expire=630)


def paint(seen: Overview, of: Painter | None = None) -> dict[str, Any]:
    painted = at_once((of or painter()).painting(seen))
    assert list(painted)[-1] == TOPICS.status, "what is there of before is not true yet"
    assert painted.pop(TOPICS.status) == b"online"
    return {topic: json.loads(payload) for topic, payload in painted.items()}


def documents(painted: dict[str, Any]) -> dict[str, Any]:
    return {topic: found for topic, found in painted.items() if topic.startswith("homeassistant/")}


def test_all_that_is_described_is_there_and_described_as_home_assistant_wants_it() -> None:
    painted = paint(overview(incidents=(an_incident(),)))
    found = documents(painted)
    ids: list[str] = []
    told_of: set[tuple[str, str]] = set()
    for topic, document in found.items():
        assert re.fullmatch(r"homeassistant/device/[a-zA-Z0-9_-]+/config", topic)
        assert document["origin"]["name"] == "cccamd"
        assert document["availability_topic"] == "cccamd/attic/status"
        assert document["device"]["identifiers"]
        for key, entity in document["components"].items():
            assert entity.keys() >= COMMON
            assert entity["platform"] in {"sensor", "binary_sensor"}
            assert ("payload_on" in entity) == (entity["platform"] == "binary_sensor")
            if entity.get("device_class") == "enum":
                assert painted[entity["state_topic"]][key] in entity["options"]
            if entity.get("device_class") == "duration":
                assert entity["unit_of_measurement"]
            assert entity["value_template"] == f"{{{{ value_json.{key} }}}}"
            told_of.add((entity["state_topic"], key))
            ids.append(entity["unique_id"])
    assert len(set(ids)) == len(ids)
    values = {
        (topic, key)
        for topic, found in painted.items()
        if not topic.startswith("homeassistant/")
        for key in found
    }
    assert values - told_of == {("cccamd/attic/incidents", "open")}
    assert told_of <= values
    server = found["homeassistant/device/cccamd_attic_server/config"]["device"]
    others = [document["device"] for document in found.values() if document["device"] != server]
    assert {device["via_device"] for device in others} == set(server["identifiers"])


def test_the_values_are_those_of_the_household() -> None:
    painted = paint(overview(incidents=(an_incident("a.example:1"), an_incident("b.example:1"))))
    server = painted["cccamd/attic/server"]
    assert (server["clients"], server["ecms"]) == (len(a_household().clients), 7)
    incidents = painted["cccamd/attic/incidents"]
    assert (incidents["problem"], incidents["incidents"]) == ("ON", 2)
    assert [each["subject"] for each in incidents["open"]] == ["a.example:1", "b.example:1"]
    living = painted["cccamd/attic/receiver/living"]
    assert living["connected"] == "ON"
    assert living["margin"] == 4.3
    up = paint(overview(sources=(a_source(state=LinkState.WAITING),)))
    (source,) = (found for topic, found in up.items() if topic.startswith("cccamd/attic/source/"))
    assert (source["connected"], source["state"]) == ("OFF", "waiting")


def test_a_receiver_that_is_off_is_there_with_values_that_are_not_known() -> None:
    off = paint(overview(accounts=("anna",), clients=(), channels=()))
    assert off["cccamd/attic/receiver/anna"] == {
        "connected": "OFF",
        "channel": None,
        "answer_time": None,
        "ecms": 0,
        "address": None,
        "margin": None,
        "frozen": "OFF",
    }


def test_only_what_was_asked_for_is_painted_and_documents_only_with_discovery() -> None:
    painted = paint(overview(), painter(things=("server", "margins")))
    living = painted["cccamd/attic/receiver/living"]
    assert living.keys() == {"margin", "frozen"}
    assert not [topic for topic in painted if "/source/" in topic or "incidents" in topic]
    assert not [topic for topic in documents(painted) if "_source_" in topic]
    plain = paint(overview(), painter(Topics("cccamd", "attic", "")))
    assert not documents(plain)
    assert "cccamd/attic/receiver/living" in plain


def test_entities_that_are_told_no_more_are_taken_from_home_assistant() -> None:
    """It keeps what a document of a device does not mention, and forgets what has a platform and
    nothing else."""
    all_told = documents(paint(overview()))
    for things in (("server",), ("incidents",), ("receivers",), ("server", "margins")):
        for topic, document in documents(paint(overview(), painter(things=things))).items():
            before, now = all_told[topic]["components"], document["components"]
            assert before.keys() == now.keys()
            for key, entity in now.items():
                gone = {"platform": before[key]["platform"]}
                assert entity == (before[key] if "unique_id" in entity else gone)
            assert any("unique_id" in entity for entity in now.values())
            named = document["device"].get("via_device")
            server = documents(paint(overview(), painter(things=things))).keys() & {
                "homeassistant/device/cccamd_attic_server/config"
            }
            assert (named is not None) == (bool(server) and topic not in server)
            told = {key for key, entity in now.items() if "unique_id" not in entity}
            assert told, "of some thing each leaves something out"


def test_a_count_that_can_fall_is_no_total_of_home_assistant() -> None:
    """It would take a sum that falls for a new beginning, and count the rest again."""
    client = a_client("living")
    both = paint(overview(clients=(client, client)))["cccamd/attic/receiver/living"]
    one = paint(overview(clients=(client,)))["cccamd/attic/receiver/living"]
    falling = {key for key, value in both.items() if value != one[key]}
    (document,) = (d for t, d in documents(paint(overview())).items() if "receiver_living" in t)
    assert falling == {"ecms"}
    assert "state_class" not in document["components"]["ecms"]


def test_who_has_gone_from_the_configuration_is_in_the_picture_no_more() -> None:
    made = painter()
    assert [topic for topic in paint(overview(accounts=("anna",)), made) if "anna" in topic]
    assert not [topic for topic in paint(overview(accounts=("ben",)), made) if "anna" in topic]


def test_two_lines_for_one_server_are_two_sources() -> None:
    painted = paint(overview(sources=(a_source(), a_source())))
    assert len([topic for topic in painted if topic.startswith("cccamd/attic/source/")]) == 2


@given(st.lists(st.text(st.characters(), min_size=1), min_size=1, max_size=5, unique=True))
def test_whatever_somebody_is_called_topics_and_payloads_are_sound(names: list[str]) -> None:
    clients = tuple(a_client(name) for name in names)
    painted = paint(overview(accounts=tuple(names), clients=clients))
    topics = [topic for topic in painted if topic.startswith("cccamd/attic/receiver/")]
    assert len(topics) == len(names)
    assert {slug(name) for name in names} == {topic.rpartition("/")[2] for topic in topics}
    for topic in painted:
        assert re.fullmatch("[A-Za-z0-9_/-]+", topic)
    assert all(TOPICS.document_of(topic) in painted for topic in topics)


def test_a_text_is_as_long_as_home_assistant_takes_it() -> None:
    painted = paint(overview(sources=(a_source(last_failure="x" * 999),)))
    (source,) = (found for name, found in painted.items() if name.startswith("cccamd/attic/source"))
    assert source["last_failure"] == "x" * TEXT_LIMIT


def test_documents_of_before_are_found_by_the_topics_of_their_values() -> None:
    assert TOPICS.document_of("cccamd/attic/receiver/a-1b") == (
        "homeassistant/device/cccamd_attic_receiver_a-1b/config"
    )
    for other in ("cccamd/attic/status", "cccamd/other/receiver/a", "x", "cccamd/attic/a/b/c"):
        assert TOPICS.document_of(other) is None
