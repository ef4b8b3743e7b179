"""newcamd sessions between real programs, replayed into our object for the other side."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cccamd.ids import Caid, Ident, ShareId, Sid
from cccamd.values import ControlWords, Emm, Refusal, Request
from cccamd.wire.link import (
    Answered,
    Closed,
    CloseReason,
    EmmReceived,
    LoginProved,
    LoginRequested,
    OfferAdded,
    Refused,
    State,
)
from cccamd.wire.newcamd import (
    ONLY_CARD,
    CardData,
    Command,
    Form,
    Frame,
    FrameCipher,
    Header,
    NewcamdClient,
    NewcamdServer,
    decipher,
    hash_password,
    login_cipher,
    parse_frame,
    serialize_frame,
    session_cipher,
    spread,
)

FOLDER = Path(__file__).parent.parent / "data" / "sessions"


@dataclass(frozen=True)
class Unit:
    sender: str
    wire: bytes
    clear: bytes
    key: str
    meaning: str


@dataclass(frozen=True)
class Session:
    name: str
    role: str
    form: Form
    config_key: bytes
    """The client's."""
    server_key: bytes
    user: bytes
    password: bytes
    units: tuple[Unit, ...]

    def sent_by(self, sender: str) -> list[Unit]:
        return [unit for unit in self.units if unit.sender == sender]

    @property
    def greeting(self) -> bytes:
        return self.units[0].wire

    def cipher(self, unit: Unit) -> FrameCipher:
        key = self.config_key if unit.sender == "client" else self.server_key
        if unit.key == "login":
            return login_cipher(key, self.greeting)
        return session_cipher(key, hash_password(self.password))

    def frame(self, unit: Unit) -> Frame:
        return parse_frame(unit.clear, self.form)


def load(path: Path) -> Session:
    data = json.loads(path.read_text())
    units = [
        Unit(
            each["from"],
            bytes.fromhex(each["wire_hex"]),
            bytes.fromhex(each["clear_hex"]),
            each["key"],
            each["meaning"],
        )
        for each in data["frames"]
    ]
    key = bytes.fromhex(data["config_key"])
    server_key = bytes.fromhex(data.get("server_config_key", data["config_key"]))
    form = Form.F524 if data["proto"] == 524 else Form.F525
    user, password = data["user"].encode(), data["password"].encode()
    return Session(path.stem, data["role"], form, key, server_key, user, password, tuple(units))


SESSIONS = [
    load(path) for path in sorted(FOLDER.glob("newcamd-*.json")) if path.stem != "newcamd-crypto"
]
NAMED = {session.name: session for session in SESSIONS}


def whole(data: bytes) -> Iterator[bytes]:
    yield data


def single_bytes(data: bytes) -> Iterator[bytes]:
    for index in range(len(data)):
        yield data[index : index + 1]


@pytest.mark.parametrize("session", SESSIONS, ids=NAMED)
def test_every_frame_is_read_and_made_to_the_byte(session: Session) -> None:
    for unit in session.units:
        if unit.key == "none" or not unit.wire:
            continue
        body = unit.wire[2:]
        assert decipher(body, session.cipher(unit)) == unit.clear
        if "malformed" in unit.meaning:
            continue
        frame = session.frame(unit)
        given = [body[-8:], unit.clear[session.form.value + len(frame.message) : -1]]
        made = serialize_frame(
            frame.header,
            frame.message,
            form=session.form,
            cipher=session.cipher(unit),
            random=lambda length, given=given: given.pop(),  # type: ignore[misc]
        )
        assert made == unit.wire


SPLITS = [whole, single_bytes]
Split = Callable[[bytes], Iterator[bytes]]
AS_CLIENT = [each for each in SESSIONS if "server" not in each.role]
AS_SERVER = [each for each in SESSIONS if "client" not in each.role]


@dataclass
class Shown:
    """The recorded card, whatever was offered."""

    card: CardData

    def show(self, user: bytes, offers: object) -> CardData:
        return self.card

    def patience(self, user: bytes, offers: object) -> float | None:
        return None

    def card_for(self, ident: Ident, offers: object) -> ShareId:
        return ONLY_CARD

    def serves(self, caid: Caid, ident: Ident) -> bool:
        return True


def our_server(session: Session, card: CardData) -> NewcamdServer:
    return NewcamdServer(
        config_key=session.server_key,
        shelf=Shown(card),
        random=lambda length: (
            session.greeting if length == len(session.greeting) else b"r" * length
        ),
        now=0.0,
    )


def sent(session: Session, data: bytes) -> list[Frame]:
    """What our side said after the login, as the other side reads it."""
    cipher = session_cipher(session.server_key, hash_password(session.password))
    frames = []
    while data:
        length = int.from_bytes(data[:2])
        frames.append(parse_frame(decipher(data[2 : 2 + length], cipher), session.form))
        data = data[2 + length :]
    return frames


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("session", AS_CLIENT, ids=lambda session: session.name)
def test_real_clients_are_understood(session: Session, split: Split) -> None:
    """Every request of OSCam brings what was recorded, and is answered as it was."""
    recorded = [unit for unit in session.units if unit.sender == "server" and unit.wire][1:]
    card = next(session.frame(unit) for unit in recorded if session.frame(unit).command == 0xE4)
    server = our_server(session, CardData.parse(card.data))
    assert server.data_to_send() == session.greeting
    answers = {
        session.frame(unit).header.sequence: session.frame(unit)
        for unit in recorded
        if session.frame(unit).command in (0x80, 0x81)
    }
    told: list[Any] = []
    said = bytearray()

    def handle() -> None:
        for event in server.events_received():
            told.append(event)
            if isinstance(event, LoginRequested):
                assert event.user == session.user
                server.authenticate(session.password, hold=True)
                handle()
            elif isinstance(event, LoginProved):
                server.accept_login(0.0)
                server.handle_deadline(1.0)
                handle()
        said.extend(server.data_to_send())

    asked: dict[int, Frame] = {}
    emms = 0
    for unit in session.sent_by("client"):
        if not unit.wire:
            continue
        for piece in split(unit.wire):
            server.receive_data(piece, 1.0)
            server.handle_deadline(9.0)
            handle()
        frame = session.frame(unit)
        if frame.command in (0x80, 0x81):
            token, request = told.pop()
            assert isinstance(request, Request)
            assert (request.section, request.sid) == (frame.message, frame.header.sid)
            assert request.caid == (frame.header.caid or card.data[1] << 8 | card.data[2])
            asked[token] = frame
        elif 0x82 <= frame.command <= 0x91:
            (emm,) = [each for each in told if isinstance(each, EmmReceived)][emms:]
            assert emm.emm.section == frame.message
            emms += 1
    for token, frame in asked.items():
        answer = answers.get(frame.header.sequence)
        if answer is not None and answer.data:
            server.answer(token, ControlWords(answer.data))
        else:
            server.refuse(token, Refusal.CANNOT_DECODE)
    handle()
    login_answer = login_cipher(session.server_key, session.greeting)
    length = int.from_bytes(said[:2])
    first = parse_frame(decipher(bytes(said[2 : 2 + length]), login_answer), session.form)
    assert first.command == Command.LOGIN_ACCEPTED
    ours = sent(session, bytes(said[2 + length :]))
    for frame in ours:
        if frame.command in (0x80, 0x81) and (known := answers.get(frame.header.sequence)):
            assert (frame.command, frame.data) == (known.command, known.data)
        if frame.command == Command.CARD_DATA:
            assert frame.data[1:] == card.data[1:]
    wanted = [session.frame(unit) for unit in session.sent_by("client") if unit.wire][1:]
    numbers = sorted(each.header.sequence for each in ours)
    assert numbers == sorted(
        each.header.sequence for each in wanted if not 0xD1 <= each.command <= 0xD8
    )


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("session", AS_SERVER, ids=lambda session: session.name)
def test_real_servers_are_understood(session: Session, split: Split) -> None:
    """What was asked then is asked again with the same numbers, and OSCam's answers are read."""
    if session.form is Form.F524:
        pytest.skip("we log in with form 525 only, as everybody should (section 14)")
    client = NewcamdClient(
        user=session.user,
        hashed=hash_password(session.password),
        config_key=session.config_key,
        random=bytes,
        now=0.0,
        message_limit=4000,
    )
    told: list[Any] = []
    token = 0
    for unit in session.units:
        if unit.sender == "server":
            if not unit.wire:
                client.receive_eof(1.0)
            for piece in split(unit.wire):
                client.receive_data(piece, 1.0)
            told += client.events_received()
            _check_answer(session, unit, client, told)
        elif unit.wire and client.state is State.OPEN:
            frame = session.frame(unit)
            client._number = frame.header.sequence - 1
            token = frame.header.sequence
            if frame.command in (0x80, 0x81):
                client._asked.pop(token, None)  # a number twice, which we do not send
                header = frame.header
                asked = Request(
                    Caid(header.caid),
                    Ident(header.provider),
                    ONLY_CARD,
                    Sid(header.sid),
                    frame.message,
                )
                client.ask(token, asked, 1.0)
                ours = sent(session, client.data_to_send())
                assert [each.message for each in ours] == [frame.message]
                assert ours[0].header.sequence == token
            elif 0x82 <= frame.command <= 0x8F:
                client.send_emm(token, Emm(Caid(0x0B00), Ident(0), ONLY_CARD, frame.message), 1.0)
        client.data_to_send()


def _check_answer(session: Session, unit: Unit, client: NewcamdClient, told: list[Any]) -> None:
    if not unit.wire:
        assert isinstance(told[-1], Closed)
        return
    if unit.key == "none":
        return
    frame = session.frame(unit)
    number = frame.header.sequence
    match frame.command:
        case Command.LOGIN_ACCEPTED:
            assert client.state is State.INTRODUCTION
        case Command.LOGIN_REFUSED:
            assert told == [Closed(CloseReason.LOGIN_DENIED)]
        case Command.CARD_DATA:
            (offer,) = [each.offer for each in told if isinstance(each, OfferAdded)]
            assert offer.caid == int.from_bytes(frame.data[1:3])
            assert offer.ua == frame.data[3:11]
            assert len(offer.providers) == frame.data[11]
        case 0x80 | 0x81 if len(frame.data) == 16:
            assert told[-1] == Answered(number, ControlWords(frame.data))
        case 0x80 | 0x81 if not frame.data:
            assert told[-1] == Refused(number, Refusal.CANNOT_DECODE)


@pytest.mark.parametrize("version", ["2015", "2026"])
def test_why_a_login_fails_is_known_from_how_it_ends(version: str) -> None:
    def end(kind: str) -> Closed:
        session = NAMED[f"newcamd-oscam{version}-server-{kind}"]
        client = NewcamdClient(
            user=session.user,
            hashed=hash_password(session.password),
            config_key=session.config_key,
            random=bytes,
            now=0.0,
        )
        for unit in session.sent_by("server"):
            if unit.wire:
                client.receive_data(unit.wire, 1.0)
            else:
                client.receive_eof(1.0)
        closed = client.events_received()[-1]
        assert isinstance(closed, Closed)
        return closed

    assert end("wrong-key").reason is CloseReason.OTHER_KEY_THERE
    assert end("wrong-password").reason is CloseReason.LOGIN_DENIED
    assert end("unknown-user").reason is CloseReason.LOGIN_DENIED


CRYPTO = json.loads((FOLDER / "newcamd-crypto.json").read_text())


def test_the_pure_functions() -> None:
    for each in CRYPTO["password_hash"]:
        assert hash_password(each["password"].encode()) == each["hash"].encode()
    for each in CRYPTO["key_spread"]:
        assert spread(bytes.fromhex(each["key14"])).hex() == each["key16"]
    for each in CRYPTO["login_key"]:
        cipher = login_cipher(bytes.fromhex(each["config_key"]), bytes.fromhex(each["seed"]))
        assert cipher.key.hex() == each["key16"]
    for each in CRYPTO["session_key"]:
        hashed = each["password_hash"].encode()
        cipher = session_cipher(bytes.fromhex(each["config_key"]), hashed)
        assert cipher.key.hex() == each["key16"]


@pytest.mark.parametrize(
    "each", CRYPTO["frame"], ids=lambda each: f"{each['name']}-{each['proto']}"
)
def test_frames_with_given_padding(each: dict[str, Any]) -> None:
    form = Form.F524 if each["proto"] == 524 else Form.F525
    cipher = FrameCipher(bytes.fromhex(each["key16"]))
    given = [bytes.fromhex(each["iv"]), bytes.fromhex(each["pad"])]
    header = Header(each["sequence"], each["sid"], each["caid"], each["prov"], each["mark"])
    message = bytes.fromhex(each["message"])
    made = serialize_frame(
        header, message, form=form, cipher=cipher, random=lambda length: given.pop()
    )
    assert made.hex() == each["wire_hex"]
    clear = decipher(made[2:], cipher)
    assert clear.hex() == each["clear_hex"]
    assert parse_frame(clear, form).message == message
