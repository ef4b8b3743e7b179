"""From what goes on to topics and payloads, and to what Home Assistant is told of them.

Theory of operation. The server, each source and each account (a *receiver*) is one thing: it has a
topic with its values, one JSON object, and a document that says what they are. The document is of
Home Assistant's device-based discovery: one device with all its entities. Who is in the picture no
more is not in what is painted, and `Board` clears its topics.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from typing import Any, Final

from cccamd.facts import ChannelMargin, ClientStatus, SourceStatus
from cccamd.mqtt.entities import (
    BINARY,
    INCIDENT_ENTITIES,
    MARGIN_ENTITIES,
    NAMED,
    RECEIVER_ENTITIES,
    SERVER_ENTITIES,
    SOURCE_ENTITIES,
    Entity,
    Overview,
    Receiver,
    T,
    shown,
    sound,
    told,
)
from cccamd.mqtt.topics import INCIDENTS, OFFLINE, ONLINE, RECEIVER, SERVER, SOURCE, Topics

MAKER: Final = "cccamd"

Steps = Generator[None, None, None]

__all__ = ["Overview", "Painter"]


class Painter:
    """Paints one server as its settings say."""

    def __init__(
        self, topics: Topics, *, things: Collection[str], node: str, version: str, expire: int
    ) -> None:
        """`node`: names the server among all, for ever; `expire`: seconds after which a value
        that nobody has repeated is none."""
        self._topics = topics
        self._things = frozenset(things)
        self._id = f"cccamd_{node}"
        self._version = version
        self._expire = expire
        self._documents: dict[str, bytes] = {}
        """Made once: they change only with the settings."""

    def painting(self, seen: Overview) -> Generator[None, None, dict[str, bytes]]:
        """Everything that the broker should have, by topic; each thing is a step."""
        documents, values = dict[str, bytes](), dict[str, bytes]()
        yield from self._server(seen, documents, values)
        if "sources" in self._things:
            yield from self._sources(seen.sources, documents, values)
        if self._things & {"receivers", "margins"}:
            yield from self._receivers(seen, documents, values)
        self._documents = documents
        # Last: what is there of before is not true yet, and nobody looks at it while offline.
        return {**documents, **values, self._topics.status: ONLINE}

    def _server(
        self, seen: Overview, documents: dict[str, bytes], values: dict[str, bytes]
    ) -> Steps:
        topic, entities = self._topics.values(SERVER), list[dict[str, Any]]()
        told_of = SERVER_ENTITIES if "server" in self._things else ()
        entities += self._entities("", topic, told_of)
        values[topic] = _payload(told_of, seen)
        if "incidents" in self._things:
            topic = self._topics.values(INCIDENTS)
            entities += self._entities("", topic, INCIDENT_ENTITIES)
            for entity in entities:
                if entity["key"] == "incidents":
                    entity["json_attributes_topic"] = topic
                    entity["json_attributes_template"] = "{{ {'open': value_json.open} | tojson }}"
            values[topic] = _payload(INCIDENT_ENTITIES, seen, open=_listed(seen))
        if entities:
            entities += _untold((*SERVER_ENTITIES, *INCIDENT_ENTITIES), entities)
            self._describe(documents, SERVER, "", entities, f"cccamd {self._topics.name}", "server")
        yield

    def _sources(
        self,
        sources: Sequence[SourceStatus],
        documents: dict[str, bytes],
        values: dict[str, bytes],
    ) -> Steps:
        times: dict[str, int] = defaultdict(int)
        for source in sources:
            times[source.name] += 1
            # Two C-lines may name the same server.
            number = times[source.name]
            name = source.name if number == 1 else f"{source.name} #{number}"
            topic = self._topics.values(SOURCE, name)
            self._describe_thing(documents, SOURCE, name, source.kind.value, topic, SOURCE_ENTITIES)
            values[topic] = _payload(SOURCE_ENTITIES, source)
            yield

    def _receivers(
        self, seen: Overview, documents: dict[str, bytes], values: dict[str, bytes]
    ) -> Steps:
        entities: tuple[Entity[Receiver], ...] = ()
        entities += RECEIVER_ENTITIES if "receivers" in self._things else ()
        entities += MARGIN_ENTITIES if "margins" in self._things else ()
        clients: dict[str, list[ClientStatus]] = defaultdict(list)
        channels: dict[str, list[ChannelMargin]] = defaultdict(list)
        for client in seen.clients:
            clients[client.account].append(client)
        for channel in seen.channels:
            channels[channel.account].append(channel)
        yield
        for account in seen.accounts:
            if not account:
                continue
            receiver = Receiver(
                seen.at, tuple(clients.get(account, ())), tuple(channels.get(account, ()))
            )
            topic = self._topics.values(RECEIVER, account)
            self._describe_thing(documents, RECEIVER, account, "receiver", topic, entities)
            values[topic] = _payload(entities, receiver)
            yield

    # Documents.

    def _describe_thing(
        self,
        documents: dict[str, bytes],
        kind: str,
        name: str,
        model: str,
        topic: str,
        entities: Sequence[Entity[T]],
    ) -> None:
        if not self._topics.discovery:
            return
        document = self._topics.document(kind, name)
        if (known := self._documents.get(document)) is not None:
            documents[document] = known
            return
        described = self._entities(f"{kind}_{topic.rpartition('/')[2]}_", topic, entities)
        if kind == RECEIVER:
            described += _untold((*RECEIVER_ENTITIES, *MARGIN_ENTITIES), described)
        self._describe(documents, kind, name, described, name, model)

    def _describe(
        self,
        documents: dict[str, bytes],
        kind: str,
        name: str,
        entities: Sequence[Mapping[str, Any]],
        shown_name: str,
        model: str,
    ) -> None:
        if not self._topics.discovery:
            return
        document = self._topics.document(kind, name)
        server = f"{self._id}_server"
        device: dict[str, Any] = {
            "identifiers": [server],
            "name": sound(shown_name),
            "manufacturer": MAKER,
            "model": model,
        }
        if name:
            thing = self._topics.values(kind, name).rpartition("/")[2]
            device["identifiers"] = [f"{self._id}_{kind}_{thing}"]
            if self._things & {"server", "incidents"}:  # else there is no such device
                device["via_device"] = server
        else:
            device["sw_version"] = self._version
        documents[document] = _json(
            {
                "device": device,
                "origin": {"name": MAKER, "sw_version": self._version},
                "availability_topic": self._topics.status,
                "payload_available": ONLINE.decode(),
                "payload_not_available": OFFLINE.decode(),
                "components": {
                    each["key"]: {name: value for name, value in each.items() if name != "key"}
                    for each in entities
                },
            }
        )

    def _entities(
        self, thing: str, topic: str, entities: Sequence[Entity[T]]
    ) -> list[dict[str, Any]]:
        described = []
        for entity in entities:
            words: dict[str, Any] = {
                "key": entity.key,
                "platform": entity.platform,
                "unique_id": f"{self._id}_{thing}{entity.key}",
                "name": entity.name,
                "state_topic": topic,
                "value_template": f"{{{{ value_json.{entity.key} }}}}",
                "expire_after": self._expire,
                **dict(entity.more),
            }
            if entity.platform == BINARY:
                words |= {"payload_on": "ON", "payload_off": "OFF"}
            described.append(words)
        return described


def _untold(
    known: Iterable[Entity[T]], described: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """What Home Assistant may have of other `things`: a platform alone has it forget an entity,
    which it would keep of a document that has no word of it."""
    keys = {each["key"] for each in described}
    return [{"key": e.key, "platform": e.platform} for e in known if e.key not in keys]


def _payload(entities: Sequence[Entity[T]], of: T, **more: Any) -> bytes:
    values = {entity.key: shown(entity.read(of)) for entity in entities}
    return _json({**values, **more})


def _listed(seen: Overview) -> list[dict[str, Any]]:
    return [
        {
            "cause": incident.cause.value,
            "subject": sound(incident.subject),
            "text": sound(told(incident)),
            "change": sound(incident.change),
            "since": round(incident.began_at),
            "suffering": incident.suffering,
        }
        for incident in seen.incidents[:NAMED]
    ]


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
