"""What is told of the server, a source and a receiver: each value once, with what it is.

The names of kinds and classes are those of Home Assistant's MQTT integration.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar

from cccamd.facts import (
    ChannelMargin,
    ClientStatus,
    ConfigState,
    Incident,
    LinkState,
    SourceStatus,
    is_active,
)
from cccamd.ids import format_service

T = TypeVar("T")
Value = str | int | float | bool | None
"""None: not known now."""
TEXT_LIMIT: Final = 250
"""Home Assistant takes 255 characters for a state."""
NAMED: Final = 10
"""Incidents that are told one by one."""

SENSOR: Final = "sensor"
BINARY: Final = "binary_sensor"
NOW: Final = {"state_class": "measurement"}
GROWS: Final = {"state_class": "total_increasing"}
ASIDE: Final = {"entity_category": "diagnostic"}
MILLISECONDS: Final = {"device_class": "duration", "unit_of_measurement": "ms", **NOW}
SECONDS: Final = {
    "device_class": "duration",
    "unit_of_measurement": "s",
    "suggested_display_precision": 1,
    **NOW,
}


@dataclass(frozen=True, slots=True)
class Entity(Generic[T]):
    """One value of something."""

    key: str
    name: str
    read: Callable[[T], Value]
    platform: str = SENSOR
    more: tuple[tuple[str, Any], ...] = ()
    """What else Home Assistant is told of it."""


def _sensor(key: str, name: str, read: Callable[[T], Value], **more: Any) -> Entity[T]:
    return Entity(key, name, read, SENSOR, tuple(more.items()))


def _binary(key: str, name: str, read: Callable[[T], bool | None], **more: Any) -> Entity[T]:
    return Entity(key, name, read, BINARY, tuple(more.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What goes on in a server at one moment."""

    at: float
    started_at: float
    accounts: tuple[str, ...]
    clients: tuple[ClientStatus, ...]
    sources: tuple[SourceStatus, ...]
    channels: tuple[ChannelMargin, ...]
    incidents: tuple[Incident, ...]
    """Those that go on, the gravest first."""
    config: ConfigState
    ecms_total: int
    logins_failed: int
    banned: int


@dataclass(frozen=True, slots=True)
class Receiver:
    """An account, with all that is logged in with it."""

    at: float
    clients: tuple[ClientStatus, ...]
    channels: tuple[ChannelMargin, ...]

    @property
    def last(self) -> ClientStatus | None:
        """Who asked last."""
        return max(self.clients, key=lambda client: client.heard_at, default=None)


def _time(at: float) -> str:
    return datetime.fromtimestamp(int(at), UTC).isoformat()


def _milliseconds(seconds: float | None) -> Value:
    return None if seconds is None else round(1000 * seconds)


def _channel(receiver: Receiver) -> Value:
    last = receiver.last
    if last is None or last.service is None or not is_active(last, receiver.at):
        return None
    service = last.service
    return service.name or format_service(service.caid, service.ident, service.sid)


def _margin(receiver: Receiver) -> Value:
    margins = (
        channel.margin
        for channel in receiver.channels
        if channel.margin is not None and channel.quiet_at is None
    )
    least = min(margins, default=None)
    return None if least is None else round(least, 1)


SERVER_ENTITIES: Final[tuple[Entity[Overview], ...]] = (
    _sensor("clients", "Clients", lambda seen: len(seen.clients), **NOW),
    _sensor(
        "active",
        "Active clients",
        lambda seen: sum(is_active(client, seen.at) for client in seen.clients),
        **NOW,
    ),
    _sensor(
        "sources_up",
        "Sources up",
        lambda seen: sum(each.state is LinkState.UP for each in seen.sources),
        **NOW,
    ),
    _sensor("sources", "Sources", lambda seen: len(seen.sources), **NOW, **ASIDE),
    _sensor("cards", "Cards", lambda seen: sum(each.cards for each in seen.sources), **NOW),
    _sensor("ecms", "ECMs", lambda seen: seen.ecms_total, **GROWS),
    _sensor("logins_failed", "Failed logins", lambda seen: seen.logins_failed, **GROWS, **ASIDE),
    _sensor("bans", "Bans", lambda seen: seen.banned, **NOW, **ASIDE),
    _sensor(
        "started",
        "Started",
        lambda seen: _time(seen.started_at),
        device_class="timestamp",
        **ASIDE,
    ),
    _binary(
        "configuration",
        "Configuration",
        lambda seen: not seen.config.taken or bool(seen.config.left_out or seen.config.not_done),
        device_class="problem",
        **ASIDE,
    ),
)
INCIDENT_ENTITIES: Final[tuple[Entity[Overview], ...]] = (
    _binary("problem", "Problem", lambda seen: bool(seen.incidents), device_class="problem"),
    _sensor("incidents", "Incidents", lambda seen: len(seen.incidents), **NOW),
    _sensor(
        "worst",
        "Worst incident",
        lambda seen: told(seen.incidents[0]) if seen.incidents else None,
    ),
)
SOURCE_ENTITIES: Final[tuple[Entity[SourceStatus], ...]] = (
    _binary(
        "connected",
        "Connected",
        lambda source: source.state is LinkState.UP,
        device_class="connectivity",
    ),
    _sensor(
        "state",
        "State",
        lambda source: source.state.value,
        device_class="enum",
        options=[state.value for state in LinkState],
        **ASIDE,
    ),
    _binary(
        "silent",
        "Silent",
        lambda source: source.silent_since is not None,
        device_class="problem",
    ),
    _sensor("cards", "Cards", lambda source: source.cards, **NOW),
    _sensor(
        "answer_time",
        "Usual answer time",
        lambda source: _milliseconds(source.usual_seconds),
        **MILLISECONDS,
    ),
    _sensor("asked", "ECMs asked", lambda source: source.asked, **GROWS, **ASIDE),
    _sensor("answered", "ECMs answered", lambda source: source.answered, **GROWS, **ASIDE),
    _sensor("last_failure", "Last failure", lambda source: source.last_failure or None, **ASIDE),
)
RECEIVER_ENTITIES: Final[tuple[Entity[Receiver], ...]] = (
    _binary(
        "connected",
        "Connected",
        lambda receiver: bool(receiver.clients),
        device_class="connectivity",
    ),
    _sensor("channel", "Channel", _channel),
    _sensor(
        "answer_time",
        "Last answer time",
        lambda receiver: _milliseconds(receiver.last.last_seconds) if receiver.last else None,
        **MILLISECONDS,
    ),
    _sensor(
        "ecms",
        "ECMs",
        lambda receiver: sum(client.ecms_asked for client in receiver.clients),
        # No total: it is less when one of two goes, which counts as a new beginning there.
        **ASIDE,
    ),
    _sensor(
        "address",
        "Address",
        lambda receiver: receiver.last.address if receiver.last else None,
        **ASIDE,
    ),
)
MARGIN_ENTITIES: Final[tuple[Entity[Receiver], ...]] = (
    _sensor("margin", "Margin", _margin, **SECONDS),
    _binary(
        "frozen",
        "Picture stands still",
        lambda receiver: any(channel.frozen for channel in receiver.channels),
        device_class="problem",
    ),
)


def told(incident: Incident) -> str:
    """An incident as a sentence."""
    return f"{incident.cause.value}: {incident.subject} {incident.text}"


def shown(value: Value) -> Value:
    """A value as it stands in a payload."""
    if isinstance(value, bool):
        return "ON" if value else "OFF"
    if isinstance(value, str):
        return sound(value)[:TEXT_LIMIT]
    return value


def sound(text: str) -> str:
    """A text without what no UTF-8 can be made of."""
    return text.encode("utf-8", "replace").decode()
