"""Sessions between real programs, replayed into our object for the other side."""

from collections.abc import Callable, Iterator

import pytest
from recorded import COMPLETE, SESSIONS, Session, Unit

from cccamd.ids import NodeId
from cccamd.values import ControlWords, Refusal
from cccamd.wire.cccam import (
    ClientData,
    ClientProtocol,
    Command,
    KeepaliveReceived,
    ServerData,
    ServerProtocol,
    parse_ecm,
    parse_offer,
    parse_withdrawal,
)
from cccamd.wire.link import (
    Answered,
    Closed,
    CloseReason,
    Introduced,
    LoginRequested,
    LoginSucceeded,
    OfferAdded,
    OfferWithdrawn,
    PeerChanged,
    Refused,
    Requested,
)

Split = Callable[[bytes], Iterator[bytes]]


def whole(data: bytes) -> Iterator[bytes]:
    yield data


def single_bytes(data: bytes) -> Iterator[bytes]:
    for index in range(len(data)):
        yield data[index : index + 1]


SPLITS = [whole, single_bytes]
NAMES = [session.name for session in COMPLETE]
OUR_NODE = NodeId(bytes.fromhex("7ef7c9fd10071586"))
CW = ControlWords(bytes.fromhex("30ecdaf6b7021ed7bbbe52cbcd91e644"))


def our_server(session: Session) -> ServerProtocol:
    server = ServerProtocol(node_id=OUR_NODE, program="test", random=session.seed[:12], now=0.0)
    assert server.data_to_send() == session.seed
    return server


def our_client(session: Session) -> ClientProtocol:
    introduction = ClientData.parse(session.sent_by("client")[3].payload)
    return ClientProtocol(
        user=session.user,
        password=session.password,
        node_id=introduction.node_id,
        program="test",
        now=0.0,
    )


def expected_of_server(unit: Unit, ask_id: int) -> object:
    match unit.command:
        case Command.SERVER_DATA:
            return Introduced
        case Command.NEW_CARD:
            return OfferAdded(parse_offer(unit.payload, with_sids=False))
        case Command.NEW_CARD_SIDS:
            return OfferAdded(parse_offer(unit.payload, with_sids=True))
        case Command.CARD_REMOVED:
            return OfferWithdrawn(parse_withdrawal(unit.payload))
        case Command.KEEPALIVE:
            return KeepaliveReceived()
        case Command.NOK2:
            return Refused(ask_id, Refusal.CANNOT_DECODE)
        case Command.NOK1:
            return PeerChanged
        case Command.ECM:
            return Answered
    return None


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("session", COMPLETE, ids=NAMES)
def test_our_server_understands_a_real_client(session: Session, split: Split) -> None:
    server = our_server(session)
    events: list[object] = []
    for unit in session.sent_by("client"):
        for piece in split(unit.wire):
            server.receive_data(piece, 1.0)
            for event in server.events_received():
                events.append(event)
                if isinstance(event, LoginRequested):
                    assert event.user == session.user
                    server.authenticate(session.password)
        events += server.events_received()
    received = [event.request for event in events if isinstance(event, Requested)]
    assert received == [
        parse_ecm(unit.payload)
        for unit in session.sent_by("client")
        if unit.is_frame and unit.command == Command.ECM
    ]
    assert LoginSucceeded() in events
    introduction = ClientData.parse(session.sent_by("client")[3].payload)
    (peer,) = [event.peer for event in events if isinstance(event, Introduced)]
    said = (introduction.node_id, introduction.version, introduction.build)
    assert (peer.node_id, peer.version, peer.build) == said
    assert server.dropped == 0


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("session", COMPLETE, ids=NAMES)
def test_our_client_understands_a_real_server(session: Session, split: Split) -> None:
    client = our_client(session)
    asked = 0
    for unit in session.units:
        if unit.sender == "client":
            if unit.is_frame and unit.command == Command.ECM:
                asked += 1
                client.ask(asked, parse_ecm(unit.payload), 1.0)
            continue
        for piece in split(unit.wire):
            client.receive_data(piece, 1.0)
        events = [event for event in client.events_received() if event != LoginSucceeded()]
        check_server_unit(unit, events, asked)
    assert client.dropped == 0


def check_server_unit(unit: Unit, events: list[object], asked: int) -> None:
    if not unit.is_frame or unit.command == Command.CLIENT_DATA:
        assert events == []
        return
    expected = expected_of_server(unit, asked)
    if isinstance(expected, type):
        assert [type(event) for event in events] == [expected]
    else:
        assert events == [expected]
    if expected is Introduced:
        data = ServerData.parse(unit.payload)
        peer = events[0].peer  # type: ignore[attr-defined]
        said = (data.node_id, data.version, data.build)
        assert (peer.node_id, peer.version, peer.build) == said
    if expected is Answered:
        assert events[0] == Answered(asked, events[0].cw)  # type: ignore[attr-defined]
        assert events[0].cw.checksums_valid  # type: ignore[attr-defined]


@pytest.mark.parametrize("session", SESSIONS, ids=[session.name for session in SESSIONS])
def test_our_client_logs_in_with_the_recorded_bytes(session: Session) -> None:
    client = ClientProtocol(
        user=session.user,
        password=session.password,
        node_id=OUR_NODE,
        program="test",
        now=0.0,
    )
    client.receive_data(session.seed, 0.0)
    login = b"".join(unit.wire for unit in session.sent_by("client")[:3])
    if "wrong-password" in session.name:
        assert client.data_to_send()[:40] == login[:40]
        client.receive_eof(0.1)
        assert client.events_received() == [Closed(CloseReason.LOGIN_REFUSED)]
    else:
        assert client.data_to_send() == login


def test_every_recorded_cw_is_right() -> None:
    """The reference cards of the recordings answer one constant CW."""
    for session in COMPLETE:
        client = our_client(session)
        for unit in session.units:
            if unit.sender == "client" and unit.is_frame and unit.command == Command.ECM:
                client.ask(1, parse_ecm(unit.payload), 1.0)
            elif unit.sender == "server":
                client.receive_data(unit.wire, 1.0)
        cws = {event.cw.raw for event in client.events_received() if isinstance(event, Answered)}
        assert cws == {CW.raw}, session.name


def test_the_wrong_password_of_the_recording_is_refused() -> None:
    session = next(session for session in SESSIONS if "wrong-password" in session.name)
    server = our_server(session)
    server.receive_data(b"".join(unit.wire for unit in session.sent_by("client")), 0.1)
    assert server.events_received() == [LoginRequested(session.user)]
    server.authenticate(b"the password on file")
    assert server.events_received() == [Closed(CloseReason.WRONG_PASSWORD)]
    assert server.data_to_send() == b""


def test_extended_mode_is_agreed_as_recorded() -> None:
    session = next(session for session in COMPLETE if "extended" in session.name)
    client = our_client(session)
    for unit in session.sent_by("server")[:5]:
        client.receive_data(unit.wire, 1.0)
    assert not client.extended
    client.receive_data(session.sent_by("server")[5].wire + session.sent_by("server")[6].wire, 1.0)
    assert client.extended
