"""Telnet info: the dialogue, and the same through real sockets (docs/webinfo.md T1 to T4)."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from itertools import pairwise

import pytest
from contexts import provider_name
from hypothesis import given
from hypothesis import strategies as st

from cccamd.facts import Snapshot
from cccamd.net import ListenError, loop_factory
from cccamd.oldinfo import telnet
from cccamd.oldinfo.infoport import CONNECTIONS_LIMIT, INPUT_LIMIT, InfoListener, LineCutter
from cccamd.oldinfo.oldtables import Look, clients_text
from cccamd.oldinfo.telnet import COMMANDS, TelnetDialogue, telnet_answer, telnet_refusal
from cccamd.setup.cccamcfg import InfoPort
from fact_factory import a_card, a_household

LOOK = Look(provider_name=provider_name)
GREETING = b"Welcome to the CCcam information client.\n"
LOGIN = InfoPort(username="me", password="geheim€")
NO_LOGIN = InfoPort()


def a_dialogue(
    login: InfoPort = NO_LOGIN, address: str = "127.0.0.1", snapshot: Snapshot | None = None
) -> TelnetDialogue:
    async def look() -> Snapshot:
        return snapshot or a_household()

    return TelnetDialogue(
        snapshot=look,
        look=lambda: LOOK,
        login=login,
        refusal=telnet_refusal(address, login),
        wrong_login_delay=0.0,
    )


async def say(dialogue: TelnetDialogue, *lines: bytes) -> bytes:
    said = dialogue.greeting
    for line in lines:
        assert not dialogue.finished
        said += await dialogue.hear(line)
    return said


# Answers.


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_an_answer(command: str) -> None:
    answer = telnet_answer(command, a_household(), LOOK)
    with_version = command in ("info", "activeclients", "clients", "servers")
    assert answer.startswith("\nCCcam cccamd-0.1.0\n" if with_version else "\n")
    assert answer.endswith("\n\n")
    assert b"\xff" not in answer.encode()
    assert b"\r" not in answer.encode()


def test_the_answer_is_the_text_of_the_page() -> None:
    snapshot = a_household()
    assert clients_text(snapshot, LOOK) in telnet_answer(" Clients ", snapshot, LOOK)


def test_info_has_the_lines_of_the_home_page() -> None:
    lines = telnet_answer("info", a_household(), LOOK).split("\n")
    assert lines[3] == "NodeID: 380ceca0f39150d3"
    assert lines[5] == "Connected clients: 2"


@given(st.text())
def test_any_other_command_gets_the_list_of_commands(command: str) -> None:
    if command.strip().lower() not in COMMANDS:
        answer = telnet_answer(command, a_household(), LOOK)
        assert answer.startswith("Unknown command. The commands are: info, ")


# Logins.


async def test_without_a_login_the_first_line_is_the_command() -> None:
    dialogue = a_dialogue()
    said = await say(dialogue, b"info")
    assert said.startswith(GREETING + b"\nCCcam cccamd-0.1.0\nCurrent time ")
    assert dialogue.finished


async def test_with_a_login_it_is_the_third() -> None:
    dialogue = a_dialogue(LOGIN, "192.168.1.9")
    said = await say(dialogue, b"me", "geheim€".encode(), b"info")
    begin = GREETING + b"Username: Password: Command: \nCCcam"
    assert said.startswith(begin)
    assert dialogue.finished


@pytest.mark.parametrize("lines", [(b"me", b"wrong"), (b"you", "geheim€".encode()), (b"", b"")])
async def test_a_wrong_login_gets_nothing(lines: tuple[bytes, bytes]) -> None:
    dialogue = a_dialogue(LOGIN)
    said = await say(dialogue, *lines)
    assert dialogue.finished
    assert said == GREETING + (
        b"Username: Password: \nLogin failed. Send the user name, the password and a command,"
        b" each on a line of its own.\n"
    )


async def test_a_wrong_login_is_answered_late(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    dialogue = a_dialogue(LOGIN)
    dialogue._delay = 1.0
    monkeypatch.setattr(telnet.asyncio, "sleep", sleep)
    await say(dialogue, b"me", b"wrong")
    assert slept == [1.0]


async def test_a_password_in_the_old_encoding_is_right_too() -> None:
    dialogue = a_dialogue(InfoPort(username="me", password="müde"))
    assert (await say(dialogue, b"me", b"m\xfcde")).endswith(b"Command: ")


@pytest.mark.parametrize("login", [InfoPort(username="me"), InfoPort(password="geheim")])
async def test_half_a_login_lets_nobody_in(login: InfoPort) -> None:
    dialogue = a_dialogue(login)
    assert dialogue.finished
    assert b"Nobody gets answers" in dialogue.greeting


@pytest.mark.parametrize(
    ("address", "login", "refused"),
    [
        ("127.0.0.1", NO_LOGIN, False),
        ("127.8.8.8", NO_LOGIN, False),
        ("::1", NO_LOGIN, False),
        ("192.168.1.9", NO_LOGIN, True),
        ("nonsense", NO_LOGIN, True),
        ("192.168.1.9", LOGIN, False),
    ],
)
def test_who_is_answered(address: str, login: InfoPort, *, refused: bool) -> None:
    dialogue = a_dialogue(login, address)
    assert dialogue.finished is refused
    assert dialogue.greeting.startswith(GREETING)
    assert (len(dialogue.greeting.split(b"\n")) > 2) is refused


# Lines.


@given(
    st.lists(
        st.tuples(st.binary(max_size=5), st.sampled_from([b"\r", b"\n", b"\r\n", b"\r\0"])),
        max_size=5,
    ),
    st.lists(st.integers(0, 40), max_size=6),
)
def test_lines_are_the_same_however_they_arrive(
    parts: list[tuple[bytes, bytes]], cuts: list[int]
) -> None:
    clean = [(text.translate(None, b"\r\n\0"), end) for text, end in parts]
    data = b"".join(text + end for text, end in clean) + b"rest"
    whole, split = LineCutter(), LineCutter()
    expected = whole.cut(data)
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    pieces = [data[begin:end] for begin, end in pairwise(places)]
    assert [line for piece in pieces for line in split.cut(piece)] == expected
    assert split.rest == whole.rest == b"rest"


def test_a_cr_alone_ends_a_line_at_once() -> None:
    cutter = LineCutter()
    assert cutter.cut(b"info\r") == [b"info"]
    assert cutter.cut(b"\nnext\r\n") == [b"next"]


# Sockets.


async def test_who_may_not_come_hears_nothing() -> None:
    async with listening(admits=lambda address: address != "127.0.0.1") as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.ports[0])
        assert await reader.read() == b""
        writer.close()


@asynccontextmanager
async def listening(
    login: InfoPort = NO_LOGIN,
    *,
    talk_timeout: float = 5.0,
    snapshot: Snapshot | None = None,
    admits: Callable[[str], bool] = lambda address: True,
) -> AsyncIterator[InfoListener]:
    failures: list[str] = []
    listener = InfoListener(
        make_dialogue=lambda address: a_dialogue(login, address, snapshot),
        on_failure=lambda name, error: failures.append(f"{name}: {error!r}"),
        talk_timeout=talk_timeout,
        admits=admits,
    )
    await listener.open(["127.0.0.1"], 0)
    try:
        yield listener
    finally:
        await listener.close()
    assert failures == []


@asynccontextmanager
async def greeted(
    listener: InfoListener,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection that has had its greeting; given up after a while, and closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.ports[0])
    try:
        async with asyncio.timeout(4):
            assert await reader.readline() == GREETING
            yield reader, writer
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def talk(listener: InfoListener, data: bytes, *, half_close: bool = False) -> bytes:
    """Wait for the greeting, send, and read to the end of the stream."""
    async with greeted(listener) as (reader, writer):
        writer.write(data)
        if half_close:
            writer.write_eof()
        return await reader.read()


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n", b"\r\0"])
async def test_any_line_end_will_do(end: bytes) -> None:
    async with listening() as listener:
        answer = await talk(listener, b"clients" + end)
    assert b"|living   |192.168.1.20|" in answer
    answer.decode()


@pytest.mark.parametrize("data", [b"shares\n", b"shares", b"shares\r\n", b"shares\nservers\n"])
async def test_a_client_may_have_closed_its_side(data: bytes) -> None:
    async with listening() as listener:
        answer = await talk(listener, data, half_close=True)
    assert answer.startswith(b"\nAvailable shares: 3\n\n+--")


async def test_a_pipe_can_log_in() -> None:
    async with listening(LOGIN) as listener:
        answer = await talk(listener, "me\ngeheim€\nservers\n".encode(), half_close=True)
        refused = await talk(listener, b"clients\n", half_close=True)
    assert b"Server connections: 2\n" in answer
    assert refused.startswith(b"Username: Password: \nLogin failed.")
    assert b"upstream" not in refused


@pytest.mark.parametrize(
    ("data", "begin"),
    [
        (b"", b"Unknown command."),
        (b"GET / HTTP/1.1\r\n\r\n", b"Unknown command."),
        (b"x" * (INPUT_LIMIT + 1000), b"Unknown command."),
        (b"\xff\xfb\x18", b"Unknown command."),
    ],
)
async def test_nonsense_gets_the_list_of_commands(data: bytes, begin: bytes) -> None:
    async with listening() as listener:
        assert (await talk(listener, data, half_close=True)).startswith(begin)


async def test_a_silent_client_is_dropped() -> None:
    async with listening(talk_timeout=0.05) as listener:
        assert await talk(listener, b"") == b""


async def test_a_long_answer_reaches_a_slow_reader_that_closed_its_side() -> None:
    cards = tuple(a_card(share_id=number) for number in range(20_000))
    household = replace(a_household(), cards=cards)
    async with listening(snapshot=household) as listener, greeted(listener) as (reader, writer):
        writer.write(b"shares")
        writer.write_eof()
        await asyncio.sleep(0.3)
        answer = await reader.read()
    assert answer.count(b"\n|upstream.example:12000|") == 20_000
    assert answer.endswith(b"+\n\n")


async def test_there_is_room_for_so_many_and_who_has_most_and_is_silent_makes_way() -> None:
    async with listening(LOGIN) as listener, AsyncExitStack() as inside:
        first, writer = await inside.enter_async_context(greeted(listener))
        writer.write(b"me\n")
        assert await first.readuntil(b"Password: ")
        second, _ = await inside.enter_async_context(greeted(listener))
        for _ in range(CONNECTIONS_LIMIT - 2):
            await inside.enter_async_context(greeted(listener))
        with suppress(OSError):
            reader, other = await asyncio.open_connection(
                "127.0.0.1", listener.ports[0], local_addr=("127.0.0.2", 0)
            )
            assert await reader.readline() == GREETING
            other.close()
        with suppress(ConnectionResetError):
            assert await second.read() == b"Username: "
        writer.write("geheim€\ninfo\n".encode())
        assert b"NodeID" in await first.read(), "who has said something stays"


async def test_a_taken_port_is_named() -> None:
    async with listening() as first:
        second = InfoListener(
            make_dialogue=lambda address: a_dialogue(), on_failure=lambda name, error: None
        )
        with pytest.raises(ListenError, match=rf"127\.0\.0\.1 port {first.ports[0]}: "):
            await second.open(["127.0.0.1"], first.ports[0])


def test_who_resets_the_connection_is_no_error_of_ours() -> None:
    """On the server's own loop: asyncio's forgives what is sent to who has left."""

    async def reset() -> None:
        for login, said in ((NO_LOGIN, b"info\r\n"), (LOGIN, b"x\r\ny\r\ninfo\r\n")):
            async with listening(login) as listener:
                for _ in range(10):
                    with socket.create_connection(("127.0.0.1", listener.ports[0])) as sock:
                        sock.sendall(said)
                        await asyncio.sleep(0)
                        linger = struct.pack("ii", 1, 0)
                        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                async with asyncio.timeout(5):
                    while listener._places.connections:
                        await asyncio.sleep(0.01)

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(reset())
