"""One session at a broker: a thin wall around paho-mqtt, which speaks to it in threads of its own.

However slow or dead a broker is, only those threads wait for it: they are daemons, nobody waits for
them for long. What a session has to say arrives in the loop as `news`.
"""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Any, Final

from cccamd.mqtt.topics import ONLINE, Topics
from cccamd.net import callable_addresses, explain_connect_error, in_thread, trust
from cccamd.setup.toml import MqttTable

if TYPE_CHECKING:
    from paho.mqtt.client import Client

MISSING: Final = "paho-mqtt is not installed: pip install 'cccamd[mqtt]'"
NO_REASON: Final = "Unspecified error"
"""What the library says of a broker that just closed the connection."""
CONNECT_TIMEOUT: Final = 5.0
"""Seconds for each address, and again for TLS."""
LOGIN_TIMEOUT: Final = 10.0
"""Seconds from the connection to the broker's answer."""
KEEPALIVE: Final = 30
"""Seconds after which a broker that says nothing is asked whether it is there."""
GOODBYE_TIMEOUT: Final = 1.0
"""Seconds for the library's thread to send a goodbye."""
WINDOW: Final = 100
"""Publications that the broker has not confirmed yet; no more are given to it."""
ADDRESSES: Final = 4
FOUND_LIMIT: Final = 5000
"""Topics of before that wait to be looked at."""


class BrokerError(Exception):
    """There is no session at the broker. The text holds no secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Who logs in, and what is left behind when he is gone."""

    client_id: str
    user: str | None
    password: str | None = field(repr=False)
    ca: Path | None
    """The file of those who vouch for the broker; None: whom the system trusts."""
    topics: Topics
    will: bytes


class _NamedContext(ssl.SSLContext):
    """Verifies the name that the operator wrote, though an address was called: it was looked at
    before, and another look at the name might give another one."""

    name: str

    def wrap_socket(self, sock: socket, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        kwargs |= {"server_hostname": self.name, "do_handshake_on_connect": False}
        found = super().wrap_socket(sock, *args, **kwargs)
        try:
            found.settimeout(CONNECT_TIMEOUT)
            found.do_handshake()
        except BaseException:
            found.close()  # paho would not
            raise
        return found


class Session:
    """A login at a broker. Everything is to be called in the loop."""

    def __init__(self, client: "Client", topics: Topics) -> None:
        self.news = asyncio.Event()
        """Something has happened: there is room, the session is lost, somebody was heard."""
        self.lost = ""
        """Why it is over; empty: it goes on."""
        self._is_up = False
        self._client = client
        self._topics = topics
        self._unconfirmed = 0
        self._found: list[str] = []
        self._born = False
        self._overruled = False
        self._ended = asyncio.Event()

    @property
    def room(self) -> int:
        """How many publications it takes now."""
        return 0 if self.lost else WINDOW - self._unconfirmed

    @property
    def is_quiet(self) -> bool:
        """Whether the broker has confirmed everything."""
        return self._unconfirmed == 0

    def publish(self, topic: str, payload: bytes) -> None:
        """Have the broker keep this; empty: have it forget the topic."""
        self._unconfirmed += 1
        self._client.publish(topic, payload, qos=1, retain=True)

    def found(self) -> list[str]:
        """Topics below ours that the broker has something in, each told once."""
        found, self._found = self._found, []
        return found

    def born(self) -> bool:
        """Whether Home Assistant has come (back) since this was asked last."""
        born, self._born = self._born, False
        return born

    def overruled(self) -> bool:
        """Whether somebody else has said since, in our place, whether the server is there: the
        will of a session before this one, which a broker may carry out late."""
        overruled, self._overruled = self._overruled, False
        return overruled

    async def up(self) -> None:
        """Wait until the login is answered.

        Raises:
            BrokerError: it is refused, or not answered.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(LOGIN_TIMEOUT):
                while not self._is_up and not self.lost:
                    self.news.clear()
                    await self.news.wait()
        if not self._is_up:
            raise BrokerError(self.lost or "it does not answer the login: is it an MQTT broker?")

    def close(self) -> None:
        """Log out; the thread that speaks to the broker ends by itself."""
        self.lost = self.lost or "ended"
        self._client.disconnect()

    async def gone(self) -> None:
        """Wait until the goodbye of `close` is on its way, or the connection is lost.

        To a broker, who logs in before that has thrown this session out, and its will counts.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_TIMEOUT):
                await self._ended.wait()

    # What the threads tell.

    def connected(self, refusal: str) -> None:
        if refusal:
            self._lose(f"it refuses the login: {refusal}")
            return
        self._is_up = True
        for topic in (*self._topics.own, self._topics.birth):
            if topic:
                self._client.subscribe(topic, qos=0)
        self.news.set()

    def disconnected(self, reason: str) -> None:
        self._ended.set()
        why = "" if reason == NO_REASON else f" ({reason})"
        self._lose(f"it ended the connection{why}")

    def overlong(self, size: int) -> None:
        self._lose(f"it sent a message of {size:,} bytes, and nothing so long is asked for")

    def confirmed(self) -> None:
        self._unconfirmed -= 1
        self.news.set()

    def heard(self, topic: str, payload: bytes, retained: bool) -> None:
        if topic == self._topics.birth:
            self._born = self._born or (payload == b"online" and not retained)
        elif topic == self._topics.status and not retained:
            self._overruled = payload != ONLINE
        elif retained and payload and len(self._found) < FOUND_LIMIT:
            self._found.append(topic)
        else:
            return
        self.news.set()

    def _lose(self, why: str) -> None:
        self.lost = self.lost or why
        self.news.set()


async def log_in(table: MqttTable, login: Login) -> Session:
    """Look for the broker, connect and log in.

    Raises:
        BrokerError, CallError: that is not to be had now; says why.
    """
    assert table.host is not None
    addresses = await callable_addresses(table.host, table.allowed.admits)
    context = await in_thread(lambda: _context(table, login.ca))
    why = ""
    for address, *_ in addresses[:ADDRESSES]:
        session, client = _prepare(login, context)
        try:
            await in_thread(partial(_call, session, client, address, table.broker_port))
        except OSError as error:
            why = why or _explain(error, table)
            continue
        except BaseException:
            session.close()
            raise
        try:
            await session.up()
        except BaseException:
            session.close()
            raise
        return session
    raise BrokerError(why)


def _call(session: Session, client: "Client", address: str, port: int) -> None:
    """Connect; from then on a thread of the library speaks to the broker."""
    client.connect(address, port, keepalive=KEEPALIVE)
    client.loop_start()
    if session.lost:  # nobody waits for it any more
        client.disconnect()


def _explain(error: OSError, table: MqttTable) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or 'it does not speak TLS there'}"
    return str(explain_connect_error(error, host=table.host or "", port=table.broker_port))


def _context(table: MqttTable, ca: Path | None) -> ssl.SSLContext | None:
    if not table.tls:
        return None
    context = _NamedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.name = table.host or ""
    trust(context, ca)
    return context


def _prepare(login: Login, context: ssl.SSLContext | None) -> tuple[Session, "Client"]:
    try:
        from paho.mqtt.enums import CallbackAPIVersion  # only for those who want it

        from cccamd.mqtt.careful import CarefulClient
    except ImportError:
        raise BrokerError(MISSING) from None
    tell = _teller()
    client = CarefulClient(
        CallbackAPIVersion.VERSION2,
        client_id=login.client_id,
        reconnect_on_failure=False,
        on_overlong=lambda size: tell(session.overlong, size),
    )
    client.connect_timeout = CONNECT_TIMEOUT
    client.max_inflight_messages_set(WINDOW)
    client.username_pw_set(login.user, login.password)
    client.will_set(login.topics.status, login.will, qos=1, retain=True)
    if context is not None:
        client.tls_set_context(context)
    session = Session(client, login.topics)
    client.on_connect = lambda _c, _u, _f, code, _p: tell(
        session.connected, str(code) if code.is_failure else ""
    )
    client.on_disconnect = lambda _c, _u, _f, code, _p: tell(session.disconnected, str(code))
    client.on_publish = lambda _c, _u, _m, _r, _p: tell(session.confirmed)
    client.on_message = lambda _c, _u, message: tell(
        session.heard, _topic_of(message), bytes(message.payload[:16]), bool(message.retain)
    )
    return session, client


def _topic_of(message: Any) -> str:
    try:
        return str(message.topic)
    except UnicodeDecodeError:
        return ""


def _teller() -> Callable[..., None]:
    loop = asyncio.get_running_loop()

    def tell(act: Callable[..., None], *told: object) -> None:
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(act, *told)

    return tell
