"""Whatever a handler raises: its connection ends, its place is free, one line says so."""

import asyncio
import inspect
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import Any

import pytest
from laboratory import HOST, TEST_CARD, Laboratory, ask, cards_of, expected_cw, running

from cccamd.cards import CardTable
from cccamd.ids import Caid, Ident, ShareId
from cccamd.net import Admission, Client, ConnectError, Connection, Penalties
from cccamd.routing import EmmGate, Router
from cccamd.server import frontdoor
from cccamd.server.cardlist import CardList
from cccamd.server.exchange import Exchange
from cccamd.server.login import Login
from cccamd.server.loglines import CloneWatch, FailureLog
from cccamd.server.record import ClientRecord
from cccamd.server.seats import Seats
from cccamd.server.session import Session
from cccamd.server.upstreams import UpstreamSource
from cccamd.values import Emm
from cccamd.wire.cccam import (
    ServerProtocol,
)
from cccamd.wire.cccam.cipher import Cipher
from cccamd.wire.cccam.handshake import derive_keys, pack_user
from cccamd.wire.cccam.server import _RULES as RULES
from flavour import COMPILED

ECM = b"\x80seventy"
GUARDS = {"adopt", "refresh", "refreshing", "probe", "deliver", "refuse", "_give_back"}
"""What the server calls of a session, and its connection at the end: they hold nothing but the
guard around the rest."""
TWO_CARDS = 2 * '[[card]]\nkind = "test"\ncaid = "7F01"\nproviders = ["00000A"]\n'
OWNERS = (Session, Login, ClientRecord, CardList, ServerProtocol, EmmGate, Router)
CALLED: dict[type, tuple[str, ...]] = {
    Admission: ("refusal", "enter", "heard", "logged_in"),
    CardTable: ("cards_with", "generation_of"),
    CloneWatch: ("seen", "gone"),
    Seats: ("__iter__", "of", "take", "is_crowded", "contest"),
}
"""What handlers call, and no flavour has compiled: handlers that can't be replaced, because they
are compiled, raise because these do. What gives a place or a seat back is not among them."""


def handlers() -> Iterator[tuple[Any, str]]:
    for owner in OWNERS:
        for name, value in vars(owner).items():
            if inspect.isfunction(value) and name not in GUARDS:
                yield owner, name
    for owner, names in CALLED.items():
        for name in names:
            yield owner, name
    if not COMPILED:
        yield Exchange, "request"
        yield Exchange, "_carry_out"
        yield Connection, "_write"
        yield Connection, "_begin"


SELDOM = ("Session._learnt_meanwhile", "Session._look_at_twins", "Session._drop")


class Broken(Exception):
    """What the handlers raise here."""


@contextmanager
def raising(owner: Any, name: str) -> Iterator[list[str]]:
    """Let a method raise, also where the table of what is allowed names it."""
    called: list[str] = []

    def broken(*args: object, **words: object) -> None:
        called.append(name)
        raise Broken

    with pytest.MonkeyPatch.context() as patch:
        original = getattr(owner, name)
        patch.setattr(owner, name, broken)
        if owner is ServerProtocol:
            for command, rule in RULES.items():
                if rule.handle is original:
                    patch.setitem(RULES, command, rule._replace(handle=broken))
        yield called


async def live(lab: Laboratory) -> None:
    """Do everything that a client does; how far it gets is not the question here."""
    with suppress(ConnectError, ConnectionError, TimeoutError):
        async with asyncio.timeout(1.0), lab.client() as client:
            await client.wait_until(lambda: bool(client.cards), timeout=0.2)
            share_id = next(iter(client.cards), ShareId(0))
            await client.send_emm(Emm(Caid(0x7F00), Ident(0x0A), share_id, bytes(20)), timeout=0.2)
            new = b"\x80" + os.urandom(8)
            for ecm in (new, new):  # a card is asked straight away, and the second one is known
                await ask(client, ecm, share_id=share_id)
            await ask(client, new, caid=0x7F01, share_id=share_id)  # one of two is chosen
            lab.server._card_news.begin()
            await lab.server.reload(lab.server._setup)
            with suppress(ConnectError):  # refused, and makes the server probe the first one
                async with lab.client():
                    pass


async def until(reached: Callable[[], bool]) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(10.0):
            while not reached():
                await asyncio.sleep(0.01)
    return reached()


async def test_no_handler_that_raises_leaves_anything_behind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    never_called: list[str] = []
    always = {f"{owner.__name__}.{name}" for owner, names in CALLED.items() for name in names}
    toml = TEST_CARD + TWO_CARDS + "[limits]\nlogin_timeout = 1\n"
    async with running(toml=toml) as lab:
        for owner, name in handlers():
            what = f"{owner.__name__}.{name}"
            lab.server._failures.__init__()  # type: ignore[misc]  # each is told anew
            caplog.clear()
            assert await until(lambda: lab.server._context.admission.connections == 0), what
            clients = len(lab.server._exchange._clients)
            flights = set(lab.server._router._flights)
            with raising(owner, name) as called:
                await live(lab)
                assert await until(lambda: lab.server._context.admission.connections == 0), what
            if owner is not Session or not name.startswith("_leave"):
                assert len(lab.server._exchange._clients) == clients, what
                assert not lab.server._context.seats, what
                assert not lab.server._context.by_number, what
                if what == "EmmGate.forget":
                    lab.server._context.emm_gate._clients.clear()
                assert not lab.server._context.emm_gate._clients, what
                if owner not in (Router, Exchange):  # what these drop is left to their timers
                    assert set(lab.server._router._flights) <= flights, what
            if called:
                told = [record for record in caplog.records if "internal error" in record.message]
                assert 1 <= len(told) <= 5, what
                assert all(
                    record.exc_info is None or record.levelno == logging.DEBUG
                    for record in caplog.records
                ), what
            else:
                never_called.append(what)
            async with lab.client() as client:
                assert set(await cards_of(client, 3)) == {0x7F00, 0x7F01}, what
                assert await ask(client, ECM) == expected_cw(ECM), what
    assert not [what for what in never_called if what in always]
    sessions = [what for what in never_called if what.startswith(("Session.", "Login."))]
    # After a refusal or wrong passwords, with two clients on one account, with a full queue: they
    # run within the same guards.
    assert sessions == [
        *(() if COMPILED else SELDOM),
        "Login._check_later",
        "Login._failed",
    ]


def hasty_login(seed: bytes, behind: bytes) -> bytes:
    keys = derive_keys(seed)
    cipher: Cipher = keys.client_to_server
    return cipher.encrypt(keys.proof) + cipher.encrypt(pack_user(b"anna")) + behind


async def test_too_much_behind_the_user_name_costs_only_who_sent_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Penalties, "wait", lambda *given: 0.0)  # each is a wrong password, too
    toml = TEST_CARD + "[limits]\nmax_pending_logins = 20\nmax_connections_per_address = 1000\n"
    async with running(toml=toml) as lab:
        for _ in range(60):
            reader, writer = await asyncio.open_connection(HOST, lab.port)
            writer.write(hasty_login(await reader.readexactly(16), bytes(5000)))
            async with asyncio.timeout(2.0):
                assert await reader.read() == b""
            writer.close()
        assert lab.server._context.admission.connections == 0
        async with lab.client() as client:
            assert await cards_of(client) == [0x7F00]


def cards_there(lab: Laboratory, source: UpstreamSource) -> bool:
    return bool(lab.server._table.cards_of(source.source_id))


async def test_an_upstreams_handler_that_raises_costs_that_login_only() -> None:
    async with running() as upper:
        line = f"F: ben other\nC: {HOST} {upper.port} anna secret\n"
        async with running(line, toml="") as lower:
            ((_, source),) = lower.server._upstreams.sources()
            assert await until(lambda: source.link.is_up)
            source.link._backoff.most = 0.05
            for name in ("_up", "_add_card", "_lose", "_wait", "_remark"):
                with raising(type(source), name):
                    assert await until(lambda: upper.server._context.seats.of(b"anna")), name
                    upper.server._context.seats.of(b"anna")[0].connection.close()
                    await asyncio.sleep(0.05)
                assert await until(lambda: source.link.is_up), name
                assert await until(lambda: cards_there(lower, source)), name
            async with lower.client("ben", "other") as client:
                assert await cards_of(client) == [0x7F00]
                assert await ask(client, ECM) == expected_cw(ECM)


class Mute:
    """A protocol that raises where it should answer, if its client is anna."""

    def __init__(self, **words: Any) -> None:
        self._protocol = ServerProtocol(**words)
        self._password = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._protocol, name)

    def authenticate(self, password: bytes, **words: Any) -> None:
        self._password = password
        self._protocol.authenticate(password, **words)

    def answer(self, *words: Any) -> None:
        if self._password == b"secret":
            raise Broken
        self._protocol.answer(*words)


async def test_one_waiter_that_cannot_be_answered_costs_the_others_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running("F: upper third\n") as upper:
        monkeypatch.setattr(frontdoor, "ServerProtocol", Mute)
        accounts = f"F: anna secret\nF: ben other\nC: {HOST} {upper.port} upper third\n"
        async with (
            running(accounts, toml="") as lab,
            lab.client() as anna,
            lab.client("ben", "other") as ben,
        ):
            await asyncio.gather(cards_of(anna), cards_of(ben))
            first, second = await asyncio.gather(
                ask(anna, ECM), ask(ben, ECM), return_exceptions=True
            )
            assert isinstance(first, ConnectionError)
            assert second == expected_cw(ECM)


async def test_a_client_that_fails_is_told_by_name() -> None:
    """Ours, as a client: the error is the reason that whoever waits is given."""
    async with running() as lab, lab.client() as client:
        await cards_of(client)
        with raising(Client, "_settle"), pytest.raises(ConnectionError, match="Broken"):
            await ask(client, ECM)


async def test_the_same_failure_is_counted_and_not_repeated(
    caplog: pytest.LogCaptureFixture,
) -> None:
    failures = FailureLog()
    for number in range(1000):
        try:
            raise Broken(f"secret {number}")
        except Broken as error:
            failures.report(f"the connection of 10.0.0.{number}", error)
    assert len(caplog.records) < 20
    failures._loop = SimpleNamespace(time=lambda: 1e12)  # type: ignore[assignment]
    caplog.clear()
    failures.sum_up()
    (told,) = caplog.messages
    assert "995 more within a minute: Broken in test_failing_handlers.py" in told
