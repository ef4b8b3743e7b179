"""What the operating system says, in words for people, and in one word for judges."""

import errno
import socket

import pytest

from cccamd.net import (
    Attempt,
    Notice,
    Step,
    explain_connect_error,
    explain_end,
    explain_loss,
)
from cccamd.wire.link import Closed, CloseReason, Loss

NEAR = "192.168.7.9"
FAR = "203.0.113.9"
OURS = "192.168.7.2"
ROUTER = "192.168.7.1"
HOSTLESS, REFUSED = errno.EHOSTUNREACH, errno.ECONNREFUSED
NETLESS, FORBIDDEN = errno.ENETUNREACH, errno.EACCES


def tried(address: str, notice: Notice | None = None, sender: str = "") -> Attempt:
    return Attempt(
        address=address, way=OURS, near=address == NEAR, notice=notice, sender=sender or address
    )


NAMES = [
    (socket.EAI_NONAME, Step.RESOLVE, "no address is known for the name box.example"),
    (socket.EAI_NODATA, Step.RESOLVE, "exists, but it has no address"),
    (socket.EAI_AGAIN, Step.NAME_SERVER, "no name server can be asked for box.example now"),
    (socket.EAI_FAIL, Step.NAME_SERVER, "no name server can be asked for box.example now"),
]
CONNECTIONS = [
    (errno.ETIMEDOUT, tried(FAR), Step.CONNECT_TIMEOUT, "a firewall drops port 12000"),
    (REFUSED, tried(FAR), Step.REFUSED, "nothing listens on port 12000"),
    (REFUSED, None, Step.REFUSED, "nothing listens on port 12000"),
    (REFUSED, tried(FAR, Notice.NO_PORT), Step.FORBIDDEN, "the firewall of that machine rejects"),
    (REFUSED, tried(FAR, Notice.NO_PORT, ROUTER), Step.FORBIDDEN, f"on the way ({ROUTER})"),
    (HOSTLESS, tried(FAR, Notice.FORBIDDEN, ROUTER), Step.FORBIDDEN, "rejects connections"),
    (HOSTLESS, tried(FAR, Notice.FORBIDDEN, OURS), Step.FORBIDDEN, "firewall of this machine"),
    (HOSTLESS, tried(NEAR, Notice.NO_HOST, OURS), Step.ABSENT, "nobody in this network answers"),
    (HOSTLESS, tried(FAR, Notice.NO_HOST, OURS), Step.GATEWAY, "leads over a router of this"),
    (HOSTLESS, tried(FAR, Notice.NO_HOST, ROUTER), Step.UNREACHABLE, "that machine is off"),
    (NETLESS, tried(FAR, Notice.NO_WAY, ROUTER), Step.UNREACHABLE, f"router {ROUTER} knows no way"),
    (FORBIDDEN, tried(FAR, Notice.FORBIDDEN, FAR), Step.FORBIDDEN, "firewall of that machine"),
    # Without a notice: systems that do not pass them on.
    (HOSTLESS, tried(NEAR), Step.ABSENT, "nobody in this network answers"),
    (HOSTLESS, tried(FAR), Step.UNREACHABLE, "something on the way says"),
    (NETLESS, tried(FAR), Step.UNREACHABLE, "something on the way says"),
    (FORBIDDEN, tried(FAR), Step.FORBIDDEN, "a rule of this machine forbids"),
    # Without a way: it never left this machine.
    (HOSTLESS, Attempt(address=FAR, way=None), Step.ROUTE, "this machine knows no way"),
    (NETLESS, Attempt(address=FAR, way=None), Step.ROUTE, "this machine knows no way"),
    (FORBIDDEN, Attempt(address=FAR, way=None), Step.ROUTE, "this machine knows no way"),
    (NETLESS, None, Step.ROUTE, "this machine knows no way"),
    (errno.EIO, tried(FAR), Step.CONNECT, "Input/output error"),
]


@pytest.mark.parametrize(("number", "step", "words"), NAMES)
def test_each_trouble_with_a_name_has_its_cause(number: int, step: Step, words: str) -> None:
    said = socket.gaierror(number, "x")
    explained = explain_connect_error(said, host="box.example", port=12000)
    assert explained.step is step
    assert str(explained).startswith(f"{step.value}: ")
    assert words in explained.detail


@pytest.mark.parametrize(("number", "attempt", "step", "words"), CONNECTIONS)
def test_each_failed_attempt_has_its_cause(
    number: int, attempt: Attempt | None, step: Step, words: str
) -> None:
    said = OSError(number, "Input/output error")
    explained = explain_connect_error(said, host="box.example", port=12000, attempt=attempt)
    assert explained.step is step
    assert words in explained.detail
    if attempt is not None and step is not Step.CONNECT and "firewall of" not in words:
        assert f"box.example ({attempt.address})" in explained.detail


def test_our_own_time_out_is_no_answer() -> None:
    explained = explain_connect_error(TimeoutError(), host=FAR, port=1, attempt=tried(FAR))
    assert explained.step is Step.CONNECT_TIMEOUT
    assert explained.detail.startswith(f"{FAR} does not answer")


@pytest.mark.parametrize(
    ("number", "reason", "step"),
    [
        (errno.ETIMEDOUT, CloseReason.PEER_GONE, Step.GONE),
        (errno.EHOSTUNREACH, CloseReason.PEER_GONE, Step.GONE),
        (errno.ECONNRESET, CloseReason.RESET, Step.RESET),
        (errno.EPIPE, CloseReason.RESET, Step.RESET),
        (errno.ENETUNREACH, CloseReason.NETWORK_LOST, Step.NETWORK),
        (errno.ENETDOWN, CloseReason.NETWORK_LOST, Step.NETWORK),
    ],
)
def test_a_connection_that_ends_keeps_what_the_system_says(
    number: int, reason: CloseReason, step: Step
) -> None:
    loss = explain_loss(OSError(number, "as the system says"))
    assert loss == Loss(reason, "as the system says")
    assert explain_end(Closed(loss.reason, loss.said), introduced=True).step is step


def test_a_connection_that_the_peer_ended_has_nothing_of_the_system() -> None:
    assert explain_loss(None) == Loss(CloseReason.PEER_CLOSED)
    end = Closed(CloseReason.PEER_CLOSED)
    assert explain_end(end, introduced=True).step is Step.CLOSED
    assert explain_end(end, introduced=False).step is Step.INTRODUCTION
    thrown = explain_end(end, introduced=True, settled=False)
    assert thrown.step is Step.THROWN_OUT
    assert thrown.text == CloseReason.THROWN_OUT.value
    reset = Closed(CloseReason.RESET, "as the system says")  # it had not read all of ours
    thrown = explain_end(reset, introduced=True, settled=False)
    assert thrown.text == f"{CloseReason.THROWN_OUT.value} (as the system says)"


@pytest.mark.parametrize(
    "reason",
    [
        *(CloseReason.GARBAGE, CloseReason.UNREADABLE, CloseReason.OUT_OF_STEP),
        *(CloseReason.NOT_READING, CloseReason.SAYS_TOO_MUCH),
    ],
)
def test_a_server_that_breaks_the_protocol_after_its_login_is_the_cause(
    reason: CloseReason,
) -> None:
    assert explain_end(Closed(reason), introduced=True).step is Step.UNSOUND


def test_what_cannot_be_read_instead_of_a_login_is_another_program() -> None:
    assert explain_end(Closed(CloseReason.UNREADABLE), introduced=False).step is Step.NOT_NEWCAMD


def test_whatever_ends_a_link_is_told_and_nothing_counts_as_success() -> None:
    for reason in CloseReason:
        failure = explain_end(Closed(reason, "a detail"), introduced=True)
        assert failure.text == f"{reason.value} (a detail)"
        assert failure.step is not Step.UP
