"""Logins that cost next to nothing while the clock runs.

Theory of operation. After the login a client's cipher depends on nothing that the server says, so
all requests are encrypted before the clock starts. While it runs bytes are only moved and counted:
a CW's answer takes 20 bytes on the wire. What came is kept, and decrypted and compared with what
the `test` card must say when the clock has stopped.
"""

import itertools
import random
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from cccamd.ids import USUAL_CONFIG_KEY, Caid, Ident, NodeId, ShareId, Sid
from cccamd.values import CW_LENGTH, ECM_TABLE_IDS, Request, with_checksums
from cccamd.wire.cccam import Capabilities, ClientProtocol, Command, make_node_id, serialize_ecm
from cccamd.wire.cccam import frames as cccam_frames
from cccamd.wire.cccam.cipher import mask
from cccamd.wire.cccam.frames import HEADER_LENGTH
from cccamd.wire.newcamd import (
    Form,
    FrameCutter,
    Header,
    NewcamdClient,
    decipher,
    hash_password,
    parse_frame,
    serialize_frame,
    session_cipher,
)

ECM_LENGTH = 150
ANSWER_LENGTH = HEADER_LENGTH + CW_LENGTH
CAID = Caid(0x7F00)
BURNT = 16
PASSWORD = b"secret"
PLAIN = Capabilities.SID | Capabilities.SLP
"""A partner text, so that cards come at once, without extended mode: as most receivers are."""
NO_TEXT = Capabilities.NONE


@dataclass(slots=True)
class Verdict:
    """What the answers were, looked at one by one."""

    right: int = 0
    wrong: int = 0
    refused: int = 0
    unanswered: int = 0

    def __iadd__(self, other: "Verdict") -> "Verdict":
        self.right += other.right
        self.wrong += other.wrong
        self.refused += other.refused
        self.unanswered += other.unanswered
        return self

    @property
    def faults(self) -> int:
        """Everything but right control words."""
        return self.wrong + self.refused + self.unanswered


class Asker:
    """A connection whose requests are ready; this one for the echo server, which has no login."""

    answer_length = ANSWER_LENGTH
    """Bytes of one answer on the wire."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.sock = socket.socket()
        self.fd = self.sock.fileno()
        self.requests: list[bytes] = []
        """As they go over the wire."""
        self.received: list[bytes] = []
        self.times: list[float] = []
        """Seconds from each request to its answer."""
        self.sent = 0

    def connect(self, port: int) -> None:
        """Begin; each client has an address of its own, as receivers have."""
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.bind((f"127.1.{self.number // 250 % 250}.{1 + self.number % 250}", 0))
        self.sock.connect_ex(("127.0.0.1", port))

    def prepare_bytes(self, length: int, count: int) -> None:
        """Get ready to ask the echo server."""
        self.requests = [bytes(length)] * count

    def judge(self) -> Verdict:
        """Look at the answers; once only, the cipher does not go back."""
        answered = sum(map(len, self.received)) // self.answer_length
        return Verdict(right=answered, unanswered=self.sent - answered)

    def close(self) -> None:
        """Go."""
        self.sock.close()


@dataclass(slots=True)
class Login:
    """When what happened; seconds on the clock of the driver."""

    started: float = 0.0
    introduced: float | None = None
    """The server's data came."""
    carded: float | None = None
    """The first card came."""
    tries: int = 0


class Receiver(Asker):
    """A login at cccamd."""

    def __init__(self, number: int, offer: Capabilities = PLAIN, *, user: str = "") -> None:
        super().__init__(number)
        self.login = Login()
        self.protocol: ClientProtocol
        self._user = (user or f"user{number}").encode()
        self._node_id = make_node_id(number.to_bytes(4))
        self._offer = offer
        self._share_id = ShareId(0)
        self._expected: list[bytes] = []

    def begin(self, port: int, now: float) -> None:
        """Dial, for the first time or again."""
        if self.login.tries:
            self.sock.close()
            self.sock = socket.socket()
            self.fd = self.sock.fileno()
        else:
            self.login.started = now
        self.login.tries += 1
        self.connect(port)
        self.protocol = self._make_protocol(now)

    def _make_protocol(self, now: float) -> ClientProtocol:
        return ClientProtocol(
            user=self._user,
            password=PASSWORD,
            node_id=NodeId(self._node_id),
            program="bench",
            now=now,
            offer=self._offer,
            login_timeout=60.0,
        )

    def knows(self, share_id: ShareId) -> None:
        """A card came."""
        self._share_id = share_id

    def prepare(self, sections: Iterable[tuple[Sid, bytes]]) -> None:
        """Encrypt requests for these ECMs, and remember what must be answered."""
        cipher, extended = self.protocol._sending, self.protocol.extended
        node_id = int.from_bytes(self._node_id)
        for number, (sid, section) in enumerate(sections):
            request = Request(CAID, Ident(0), self._share_id, sid, section)
            flag = 1 + number % 255 if extended else 0
            frame = cccam_frames.serialize_frame(flag, Command.ECM, serialize_ecm(request))
            self.requests.append(cipher.encrypt(frame))
            cw = _answer(section)
            if not extended:
                cw = mask(cw, node_id=node_id, share_id=self._share_id)
            self._expected.append(cw)

    def judge(self) -> Verdict:
        """Decrypt everything that came, and compare."""
        verdict = Verdict()
        expected = iter(self._expected[: self.sent])
        for command, payload in self._frames():
            if command == Command.ECM:
                if payload == next(expected, None):
                    verdict.right += 1
                else:
                    verdict.wrong += 1
            elif command in (Command.NOK1, Command.NOK2) and not payload:
                next(expected, None)
                verdict.refused += 1
        verdict.unanswered = self.sent - verdict.right - verdict.wrong - verdict.refused
        return verdict

    def _frames(self) -> Iterator[tuple[int, bytes]]:
        cipher, stream, at = self.protocol._receiving, b"".join(self.received), 0
        while at + HEADER_LENGTH <= len(stream):
            header = cipher.decrypt(stream[at : at + HEADER_LENGTH])
            at += HEADER_LENGTH
            length = int.from_bytes(header[2:4])
            payload = cipher.decrypt(stream[at : at + length])
            at += length
            if header[1] == Command.ECM and not self.protocol.extended:
                cipher.skip(BURNT)
            yield header[1], payload


class NewcamdReceiver(Receiver):
    """A login at a `[[newcamd]]` port. Its frames depend on nothing but user and port."""

    answer_length = 42

    def _make_protocol(self, now: float) -> Any:
        return NewcamdClient(
            user=self._user,
            hashed=hash_password(PASSWORD),
            config_key=USUAL_CONFIG_KEY,
            random=bytes,
            now=now,
            step_timeout=60.0,
        )

    def prepare(self, sections: Iterable[tuple[Sid, bytes]]) -> None:
        """Encrypt requests for these ECMs, and remember what must be answered."""
        cipher = session_cipher(USUAL_CONFIG_KEY, hash_password(PASSWORD))
        for number, (sid, section) in enumerate(sections):
            header = Header(2 + number & 0xFFFF, sid, CAID)
            frame = serialize_frame(header, section, form=Form.F525, cipher=cipher, random=bytes)
            self.requests.append(frame)
            self._expected.append(_answer(section))

    def _frames(self) -> Iterator[tuple[int, bytes]]:
        cipher = session_cipher(USUAL_CONFIG_KEY, hash_password(PASSWORD))
        cutter = FrameCutter()
        cutter.feed(b"".join(self.received))
        while (body := cutter.next()) is not None:
            frame = parse_frame(decipher(body, cipher), Form.F525)
            if frame.command in ECM_TABLE_IDS:
                yield (Command.ECM if frame.data else Command.NOK1), frame.data


_answers: dict[bytes, bytes] = {}


def _answer(section: bytes) -> bytes:
    """What a `test` card says; remembered while the same ECMs come again and again."""
    if (cw := _answers.get(section)) is None:
        cw = with_checksums(sha256(section).digest()[:CW_LENGTH])
        if len(_answers) < 4000:
            _answers[section] = cw
    return cw


@dataclass(slots=True)
class Broadcast:
    """ECMs as they come from the air: parity in turn, the rest by chance, the same each time."""

    seed: int
    _chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)

    def distinct(self, sid: int, count: int) -> Iterator[tuple[Sid, bytes]]:
        """ECMs of one service that nobody else has."""
        for number in range(count):
            head = bytes([0x80 + number % 2]) + (0x7000 | ECM_LENGTH - 3).to_bytes(2)
            yield Sid(sid), head + self._chance.randbytes(ECM_LENGTH - 3)


def in_circles(
    sections: list[tuple[Sid, bytes]], start: int, count: int
) -> Iterator[tuple[Sid, bytes]]:
    """The same ECMs again and again, from one of them on."""
    circle = itertools.cycle(sections[start:] + sections[:start])
    return itertools.islice(circle, count)
