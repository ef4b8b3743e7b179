"""The control socket of a running server: who may come in, and what each order does."""

import asyncio
import json
import logging
import os
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from laboratory import HOST, TEST_CARD, Laboratory, cards_of, running

from cccamd.acting import (
    Answer,
    ChangeLink,
    Debug,
    Kick,
    LinkAct,
    NoServerError,
    Order,
    Reload,
    ShowLog,
    Status,
    Unban,
    give,
    serialize_order,
    socket_of,
    sockets_to_try,
)
from cccamd.facts import ConfigProblem, ConfigProblemKind, ConfigState
from cccamd.net import unixsockets
from cccamd.server import AccountFocus, ControlDoor, Desk
from cccamd.server import control as control_module
from cccamd.watch import OperatorActed, SourceDown
from cccamd.watch.happenings import Happening
from cccamd.wire.link import CloseReason


@dataclass
class Controlled:
    """A server that takes orders."""

    lab: Laboratory
    path: Path
    focus: AccountFocus
    happenings: list[Happening]
    state: ConfigState

    async def give(self, order: Order) -> tuple[list[str], Answer]:
        found = await asyncio.to_thread(lambda: list(give(order, [self.path])))
        *shown, answer = found
        assert isinstance(answer, Answer)
        return [each.text for each in shown], answer

    async def send(self, data: bytes) -> dict[str, Any]:
        """Talk to the socket by hand; what it says."""
        reader, writer = await asyncio.open_unix_connection(self.path)
        try:
            writer.write(data)
            return dict(json.loads(await reader.readline()))
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@asynccontextmanager
async def controlled(
    folder: Path, cfg: str = "F: anna secret", toml: str = TEST_CARD
) -> AsyncIterator[Controlled]:
    async with running(cfg, toml) as lab:
        focus, happenings = AccountFocus(), list[Happening]()
        lab.server.observe(happenings.append)
        found = Controlled(lab, folder / "control.sock", focus, happenings, ConfigState())

        async def reload() -> ConfigState:
            return found.state

        door = ControlDoor(Desk(lab.server.acts, reload=reload, focus=focus))
        await door.open(found.path)
        try:
            yield found
        finally:
            await door.close()
        assert not found.path.exists()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_socket_that_cannot_be_made_is_made_once_there_is_room(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def reload() -> ConfigState:
        return ConfigState()

    path = tmp_path / "full" / "control.sock"
    path.parent.touch()  # as root, who may write anywhere, sees no other obstacle
    async with running("F: anna secret", TEST_CARD) as lab:
        door = ControlDoor(Desk(lab.server.acts, reload=reload, focus=AccountFocus()))
        for _ in range(2):
            await door.open(path)
        path.parent.unlink()
        path.parent.mkdir()
        for _ in range(2):
            await door.open(path)
        assert path.is_socket()
        await door.close()
    said = [each.getMessage() for each in caplog.records if "commands can" in each.getMessage()]
    assert [words.partition(" server")[0] for words in said] == [
        "commands cannot reach this",
        "commands can reach this",
    ]


async def test_an_account_is_sent_away_and_the_journal_says_by_whom(tmp_path: Path) -> None:
    async with controlled(tmp_path) as house, house.lab.client() as client:
        await cards_of(client)
        assert stat.S_IMODE(house.path.stat().st_mode) == 0o600
        _, answer = await house.give(Kick("ben"))
        assert answer.status is Status.NOT_DONE
        _, answer = await house.give(Kick("anna"))
        assert answer.status is Status.DONE
        assert await client.wait_until(lambda: client.closed is not None, timeout=10.0)
        (acted,) = [each for each in house.happenings if isinstance(each, OperatorActed)]
        assert acted.account == "anna"
        assert f"(process {os.getpid()})" in acted.who
        await until(
            lambda: any(
                getattr(each, "why", None) is CloseReason.KICKED for each in house.happenings
            )
        )


async def test_an_address_is_sent_away(tmp_path: Path) -> None:
    async with controlled(tmp_path) as house, house.lab.client() as client:
        await cards_of(client)
        _, answer = await house.give(Kick(HOST))
        assert answer.data["kicked"]
        assert await client.wait_until(lambda: client.closed is not None, timeout=10.0)


async def test_a_link_pauses_stays_away_and_comes_back(tmp_path: Path) -> None:
    async with running() as far:
        cfg = f"C: {HOST} {far.port} anna secret\nF: anna secret"
        name = f"{HOST}:{far.port}"
        async with controlled(tmp_path, cfg, "") as house, house.lab.client() as client:
            await cards_of(client)
            _, answer = await house.give(ChangeLink(LinkAct.RESUME, name))
            assert answer.status is Status.NOT_DONE
            _, answer = await house.give(ChangeLink(LinkAct.PAUSE, name))
            assert answer.data["links"] == [name]
            await cards_of(client, 0)
            (source,) = house.lab.server.snapshot().sources
            assert "paused: by hand" in str(source)
            assert any(isinstance(each, SourceDown) for each in house.happenings)
            assert not far.server.snapshot().clients
            for act in (LinkAct.RESUME, LinkAct.RESTART):
                _, answer = await house.give(ChangeLink(act, HOST))
                assert answer.status is Status.DONE
                await cards_of(client, 1)
            _, answer = await house.give(ChangeLink(LinkAct.PAUSE, "elsewhere"))
            assert answer.status is Status.NOT_DONE
            assert name in answer.text


async def test_a_paused_link_that_is_removed_does_not_come_back(tmp_path: Path) -> None:
    async with running() as far:
        cfg = f"C: {HOST} {far.port} anna secret\n"
        async with controlled(tmp_path, cfg, "") as house:
            ((_, source),) = house.lab.server._upstreams.sources()
            await source.pause()
            await house.lab.server._upstreams.apply(())
            source.resume()
            assert source.is_paused


async def test_a_ban_is_taken_back(tmp_path: Path) -> None:
    async with controlled(tmp_path) as house:
        penalties = house.lab.server._penalties
        now = asyncio.get_running_loop().time()
        penalties.ban("203.0.113.7", 600.0, 1, now)
        given = penalties.given
        _, answer = await house.give(Unban("nonsense"))
        assert answer.status is Status.UNUSABLE
        _, answer = await house.give(Unban("203.0.113.7"))
        assert answer.status is Status.DONE
        assert penalties.banned("203.0.113.7", now) == 0.0
        assert penalties.given != given, "else the file of bans is not written anew"
        _, answer = await house.give(Unban("203.0.113.7"))
        assert answer.status is Status.NOT_DONE


async def test_a_reload_says_what_changed_and_what_is_wrong(tmp_path: Path) -> None:
    async with controlled(tmp_path) as house:
        house.state = ConfigState(changes=("accounts: added ben",))
        _, answer = await house.give(Reload())
        assert (answer.status, answer.text) == (Status.DONE, "accounts: added ben")
        problem = ConfigProblem(
            kind=ConfigProblemKind.LEFT_OUT, file="CCcam.cfg", line=3, text="no password"
        )
        house.state = ConfigState(problems=(problem,))
        _, answer = await house.give(Reload())
        assert answer.status is Status.NOT_DONE
        assert answer.text == "nothing changed\nwrong: CCcam.cfg:3: no password"
        house.state = ConfigState(taken=False, refusal="CCcam.cfg: there is no such file")
        _, answer = await house.give(Reload())
        assert answer.status is Status.UNUSABLE
        assert "the old configuration is kept" in answer.text


async def test_the_log_of_one_account_is_shown_and_followed(tmp_path: Path) -> None:
    async with controlled(tmp_path) as house:
        log = logging.getLogger("cccamd.client")
        for account in ("anna", "ben"):
            log.warning("%s was here", account, extra={"account": account})
        shown, _ = await house.give(ShowLog("anna"))
        assert len(shown) == 1
        assert "anna was here" in shown[0]
        reader, writer = await asyncio.open_unix_connection(house.path)
        writer.write(serialize_order(ShowLog("anna", follow=True)))
        assert b"anna was here" in await reader.readline()
        for account in ("ben", "anna"):
            log.warning("%s came back", account, extra={"account": account})
        assert b"anna came back" in await reader.readline()
        writer.close()
        await writer.wait_closed()


async def test_debug_ends_by_itself_and_outlasts_a_reload(tmp_path: Path) -> None:
    async with controlled(tmp_path) as house:
        _, answer = await house.give(Debug("anna", 600.0))
        assert answer.status is Status.DONE
        house.focus.choose(())
        assert house.focus.accounts == {"anna"}
        await house.give(Debug("anna", 0.001))
        await until(lambda: not house.focus.accounts)
        await house.give(Debug("anna", 600.0))
        await house.give(Debug("anna", 0.0))
        assert not house.focus.accounts
        await house.give(Debug("anna", 600.0))
    assert not house.focus.accounts, "closed"


async def test_other_users_are_not_listened_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with controlled(tmp_path) as house:
        other = unixsockets.Credentials(1, os.geteuid() + 1, 1)
        monkeypatch.setattr(control_module, "credentials", lambda sock: other)
        said = await house.send(serialize_order(Kick("anna")))
        assert said["status"] == Status.UNREACHABLE
        assert not house.happenings
        _, answer = await house.give(Kick("anna"))
        assert "root and to its own user only" in answer.text
        monkeypatch.setattr(control_module, "credentials", lambda sock: None)
        said = await house.send(serialize_order(Kick("anna")))
        assert "does not say who" in said["text"]


async def test_what_is_no_order_harms_nobody(tmp_path: Path) -> None:
    async with controlled(tmp_path) as house:
        assert "no line of JSON" in (await house.send(b"\0\n"))["text"]
        assert "at most" in (await house.send(10_000 * b"x"))["text"]
        _, answer = await house.give(Kick("ben"))
        assert answer.status is Status.NOT_DONE


async def test_too_many_at_once_are_refused(tmp_path: Path) -> None:
    async with controlled(tmp_path) as house:
        held = [await asyncio.open_unix_connection(house.path) for _ in range(16)]
        said = await house.send(serialize_order(Kick("anna")))
        assert said["text"] == "too many commands at once"
        for _, writer in held:
            writer.close()
            await writer.wait_closed()


async def test_an_error_of_ours_is_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with controlled(tmp_path) as house:

        def broken(*_: object) -> Answer:
            raise ZeroDivisionError

        monkeypatch.setattr(house.lab.server.acts, "kick", broken)
        _, answer = await house.give(Kick("anna"))
        assert answer.status is Status.UNUSABLE
        assert "its log says more" in answer.text


def test_nobody_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(NoServerError, match="no server runs"):
        list(give(Reload(), [tmp_path / "control.sock"]))


def test_where_the_socket_is(tmp_path: Path) -> None:
    node_id = tmp_path / "node-id"
    beside = tmp_path / "control.sock"
    systemd, session = {"RUNTIME_DIRECTORY": "/run/x:/run/y"}, {"XDG_RUNTIME_DIR": "/run/user/7"}
    assert socket_of(node_id, named=True, environment=systemd) == beside
    assert socket_of(node_id, named=False, environment={}) == beside
    assert socket_of(node_id, named=False, environment=systemd) == Path("/run/x/control.sock")
    in_session = Path("/run/user/7/cccamd/control.sock")
    assert socket_of(node_id, named=False, environment=session) == in_session
    assert sockets_to_try(node_id, named=True, environment=session) == (beside,)
    tried = sockets_to_try(node_id, named=False, environment=session)
    assert tried == (in_session, Path("/run/cccamd/control.sock"), beside)
