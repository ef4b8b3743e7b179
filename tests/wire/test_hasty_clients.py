"""Clients that do not wait: what they mean to say stands right behind what it depends on."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pair import PARTNER_NODE, PLAIN_NODE, SEED

from cccamd.ids import Caid, Ident, NodeId, ShareId, Sid
from cccamd.values import Request
from cccamd.wire.cccam import (
    ClientData,
    Command,
    ServerProtocol,
    serialize_ecm,
)
from cccamd.wire.cccam.frames import serialize_frame
from cccamd.wire.cccam.handshake import PASSWORD_CHECK, derive_keys, pack_user
from cccamd.wire.cccam.server import PARTNER_WAIT
from cccamd.wire.link import (
    Closed,
    CloseReason,
    Introduced,
    LocalProtocolError,
    LoginProved,
    LoginRequested,
    LoginSucceeded,
    OffersDue,
    Requested,
    State,
)

WHO = ClientData(user=b"anna", node_id=PARTNER_NODE, version="2.3.0", build="3367")
ECM = Request(Caid(0x7F00), Ident(0x0A), ShareId(7), Sid(1), b"\x80ecm")


def server(node_id: NodeId = PLAIN_NODE) -> ServerProtocol:
    return ServerProtocol(node_id=node_id, program="server", random=SEED, now=0.0)


def everything(
    seed: bytes,
    *,
    password: bytes = b"secret",
    behind: Sequence[tuple[int, bytes]] = ((Command.ECM, serialize_ecm(ECM)),),
) -> bytes:
    """All that a client has to say, in one piece."""
    keys = derive_keys(seed)
    cipher = keys.client_to_server
    login = cipher.encrypt(keys.proof) + cipher.encrypt(pack_user(b"anna"))
    cipher.encrypt(password)  # moves the cipher, and is never sent
    check = cipher.encrypt(PASSWORD_CHECK)
    frames = [(Command.CLIENT_DATA, WHO.serialize()), *behind]
    return (
        login
        + check
        + b"".join(
            cipher.encrypt(serialize_frame(0, command, payload)) for command, payload in frames
        )
    )


def take(target: ServerProtocol, *pieces: bytes) -> list[object]:
    """Feed it; the password is known at once."""
    events: list[object] = []
    for piece in pieces:
        target.receive_data(piece, 1.0)
        for event in target.events_received():
            events.append(event)
            if isinstance(event, LoginRequested):
                target.authenticate(b"secret")
        events += target.events_received()
    return events


def said(events: list[object]) -> list[object]:
    kinds = (LoginRequested, LoginSucceeded, Introduced, Requested, Closed)
    return [event for event in events if isinstance(event, kinds)]


@given(st.lists(st.integers(0, 300), max_size=4))
def test_frames_right_behind_the_password_are_heard(cuts: list[int]) -> None:
    target = server()
    data = everything(target.data_to_send())
    places = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    events = said(take(target, *(data[start:end] for start, end in pairwise(places))))
    assert [type(event) for event in events] == [
        LoginRequested,
        LoginSucceeded,
        Introduced,
        Requested,
    ]
    assert target.peer is not None
    assert (target.peer.node_id, target.peer.build) == (WHO.node_id, WHO.build)
    assert isinstance(events[3], Requested)
    assert events[3].request == ECM
    assert target.state is State.OPEN


@pytest.mark.parametrize(
    ("behind", "waits"),
    [
        ((), True),
        (((Command.CLIENT_DATA, WHO.serialize()),), True),
        (((Command.ECM, serialize_ecm(ECM)),), False),
        (((Command.EMM, bytes(12) + b"emm"),), False),
        (((Command.KEEPALIVE, b""),), False),
        (((Command.NOK1, b"hello\0"),), False),
        (((Command.NOK1, b"PARTNER: X v1.0 [EXT]\0"),), False),
    ],
)
def test_whatever_a_client_says_ends_the_wait_for_its_partner_text(
    behind: Sequence[tuple[int, bytes]], waits: bool
) -> None:
    target = server(PARTNER_NODE)
    events = take(target, everything(target.data_to_send(), behind=behind))
    assert (OffersDue() not in events) is waits
    target.handle_deadline(1.0 + PARTNER_WAIT)
    assert (target.events_received() == [OffersDue()]) is waits


def test_frames_behind_a_wrong_password_are_not_heard() -> None:
    target = server()
    events = said(take(target, everything(target.data_to_send(), password=b"guess")))
    assert events == [LoginRequested(b"anna"), Closed(CloseReason.WRONG_PASSWORD)]
    assert target.data_to_send() == b""


@pytest.mark.parametrize(("more", "closed"), [(4096, False), (4097, True)])
def test_what_comes_before_the_password_is_known_is_bounded(more: int, closed: bool) -> None:
    target = server()
    keys = derive_keys(target.data_to_send())
    login = keys.client_to_server.encrypt(keys.proof + pack_user(b"anna"))
    target.receive_data(login + bytes(more), 1.0)
    assert (target.state is State.CLOSED) == closed


def test_a_login_that_is_held_waits_for_its_owner_and_for_nothing_else() -> None:
    """The owner's time is not the client's: no deadline runs, and it is added afterwards."""
    target = server()
    target.receive_data(everything(target.data_to_send()), 1.0)
    assert target.events_received() == [LoginRequested(b"anna")]
    assert target.next_deadline() is None
    target.authenticate(b"secret", hold=True)
    assert target.events_received() == [LoginProved()]
    assert target.next_deadline() is None
    target.handle_deadline(11.0)
    assert target.data_to_send() == b""
    target.accept_login(11.5)
    assert [type(event) for event in said(target.events_received())] == [
        LoginSucceeded,
        Introduced,
        Requested,
    ]
    with pytest.raises(LocalProtocolError):
        target.accept_login(11.5)


def test_the_time_that_an_owner_takes_is_given_back() -> None:
    target = server()
    keys = derive_keys(target.data_to_send())
    login = keys.client_to_server.encrypt(keys.proof + pack_user(b"anna"))
    keys.client_to_server.encrypt(b"secret")
    target.receive_data(login + keys.client_to_server.encrypt(PASSWORD_CHECK), 9.0)
    target.authenticate(b"secret", hold=True)
    with pytest.raises(LocalProtocolError):
        target.authenticate(b"secret")
    target.accept_login(10.5)
    target.handle_deadline(11.4)
    assert target.state is State.INTRODUCTION
    target.handle_deadline(11.5)
    assert target.state is State.CLOSED
