"""What listens on a port that is no CCcam server's, known by its first bytes."""

import pytest
from pair import PLAIN_NODE, Pair

from cccamd.wire.link import Closed, CloseReason, Loss
from cccamd.wire.strangers import judge_greeting, recognise

NEWCAMD = bytes.fromhex("8f3a1c04e2b95577d10066fe2b31")
GREETINGS = [
    (b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "an SSH server"),
    (b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n", "a web server"),
    (b"<html><body>too slow</body></html>", "a web server"),
    (bytes.fromhex("15030300020246"), "a server that speaks TLS, as https does"),
    (bytes.fromhex("160301020001000000"), "a server that speaks TLS, as https does"),
    (b"220 mail.example ESMTP Postfix\r\n", "a mail server (SMTP)"),
    (b"220 (vsFTPd 3.0.3)\r\n", "an FTP or mail server"),
    (b"530 No more\r\n", "an FTP or mail server"),
    (b"+OK ready\r\n", "a POP3 mail server"),
    (b"* OK IMAP4rev1 ready\r\n", "an IMAP mail server"),
    (bytes.fromhex("fffd18fffd20fffd23fffd27"), "a telnet server"),
    (b"\r\nvuduo2 login: ", "a telnet server"),
    (b"Welcome to the CCcam information client.\n", "the information port (telnet) of a CCcam"),
    (b"RFB 003.008\n", "a VNC server"),
    (b"J\0\0\0\x0a8.0.36\0\x0b\0\0\0", "a MySQL database"),
    (b"hello there, who are you?\n", "a server that speaks in text"),
    (b"Password: ", "a server that asks for a password"),
]


@pytest.mark.parametrize(("greeting", "name"), GREETINGS)
@pytest.mark.parametrize("over", [False, True])
def test_a_greeting_has_a_name_for_the_client(greeting: bytes, name: str, over: bool) -> None:
    assert recognise(greeting).startswith(name)
    closed = greeted(greeting, over=over)
    assert closed.reason is CloseReason.STRANGER
    assert f"it is {name}" in str(closed)


@pytest.mark.parametrize("over", [False, True])
def test_newcamd_is_known_by_its_fourteen_bytes(over: bool) -> None:
    assert greeted(NEWCAMD, over=over).reason is CloseReason.NEWCAMD
    assert "newcamd" in str(greeted(NEWCAMD, over=over))


@pytest.mark.parametrize(
    ("greeting", "over", "reason", "words"),
    [
        (b"", False, CloseReason.NO_SEED, "no seed came within the time"),
        (b"", True, CloseReason.HUNG_UP, "before it had sent a byte"),
        (NEWCAMD[:5], False, CloseReason.STRANGER, "its first bytes are 8f3a1c04e2"),
        (NEWCAMD[:5], True, CloseReason.STRANGER, "8f3a1c04e2, and then it closes"),
        (NEWCAMD + b"\x9d\x01", False, CloseReason.STRANGER, NEWCAMD.hex()),
    ],
)
def test_what_has_no_name_is_shown_as_it_came(
    greeting: bytes, over: bool, reason: CloseReason, words: str
) -> None:
    closed = greeted(greeting, over=over)
    assert closed.reason is reason
    assert words in str(closed)


def test_a_greeting_cannot_fill_the_log_or_move_its_cursor() -> None:
    long = str(judge_greeting(b"220 " + b"x" * 200, over=False))
    assert len(long) < 150
    assert "\x1b" not in str(judge_greeting(b"SSH-2.0-\x1b[2Jx", over=False))
    assert "\n" not in str(judge_greeting(b"SSH-2.0\nsecond line", over=False))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"GET / HTTP/1.1\r\nHost: box\r\n\r\n", "it is a web browser (HTTP)"),
        (bytes.fromhex("16030100c4010000c00303") + bytes(20), "speaks TLS"),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "it is an SSH client"),
        (bytes(range(20)), "its answer to the seed is wrong"),
    ],
)
def test_who_takes_our_port_for_another_is_named(said: bytes, words: str) -> None:
    server = Pair().server
    server.receive_data(said, 100.0)
    (closed,) = server.events_received()
    assert isinstance(closed, Closed)
    assert closed.reason is CloseReason.NOT_CCCAM
    assert words in closed.detail


def greeted(greeting: bytes, *, over: bool) -> Closed:
    """What the client of a C-line says of this, in whatever pieces it comes."""
    ends = []
    for pieces in ([greeting], [greeting[n : n + 1] for n in range(len(greeting))]):
        client = Pair(server_node=PLAIN_NODE).client
        for piece in pieces:
            client.receive_data(piece, 100.0)
        if over:
            client.receive_eof(100.5, Loss())
        client.handle_deadline(103.0 if greeting else 110.0)
        (closed,) = client.events_received()
        assert isinstance(closed, Closed)
        ends.append(closed)
    assert len(greeting) > 16 or ends[0] == ends[1]
    return ends[0]
