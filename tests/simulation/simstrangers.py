"""Peers that want no good."""

import asyncio
import random
from typing import TYPE_CHECKING, Any, Final

from simcast import SERVICES, ecm_of
from simconfig import ATTEMPTS, FAR, TLS_PORT
from simtls import HELLO, Shaking
from simwires import End

from cccamd.ids import Caid, Ident, NodeId, ShareId, Sid
from cccamd.values import Request
from cccamd.wire.cccam.cipher import Cipher
from cccamd.wire.cccam.frames import Command, serialize_frame
from cccamd.wire.cccam.handshake import PASSWORD_CHECK, derive_keys, pack_user
from cccamd.wire.cccam.messages import ClientData, serialize_ecm
from cccamd.wire.keycodes import KeyCode

if TYPE_CHECKING:
    from simworld import World

HANDSHAKE: Final = 5.0
"""Seconds that somebody at the TLS port has to prove a key."""
SLACK: Final = 0.2


class Stranger(asyncio.Protocol):
    """A peer that wants no good: says `script` step by step, whatever it hears."""

    def __init__(
        self, world: "World", user: str, chance: random.Random, kind: str | None = None
    ) -> None:
        self.world, self.user, self.chance = world, user, chance
        self._failed_before = 0
        self.kind = kind or chance.choice(
            ("mute", "noise", "half", "wrong", "frames", "frames", "deaf", "flood")
        )
        self._seed = b""
        self._out: Cipher | None = None
        self._end: End | None = None

    def call(self, address: str = "") -> None:
        net, ledger = self.world.net, self.world.ledger
        address = address or f"192.168.2.{self.chance.randint(1, 4)}"
        self._failed_before = ledger.failed_logins(address) if address.startswith(FAR) else 0
        if net.call(net.server_port, self, address=address) is not None:
            self.world.strangers.append(self)

    def connection_made(self, transport: Any) -> None:
        self._end = transport
        if self.kind == "noise":
            transport.write(self.chance.randbytes(self.chance.randint(1, 3000)))

    def data_received(self, data: bytes) -> None:
        if self._failed_before > ATTEMPTS:
            self.world.ledger.blame(f"let in after {self._failed_before} failed logins: a guesser")
        if self._out is not None or self.kind in ("mute", "noise"):
            return
        self._seed += data
        if len(self._seed) < 16:
            return
        keys = derive_keys(self._seed[:16])
        self._out = keys.client_to_server
        said = self._out.encrypt(keys.proof)
        if self.kind != "half":
            said += self._out.encrypt(pack_user(self.user.encode()))
            self._out.encrypt(b"pw" if self.kind != "wrong" else b"guess")
            said += self._out.encrypt(PASSWORD_CHECK)
        if self.kind in ("frames", "deaf", "flood"):
            who = ClientData(
                user=self.user.encode(), node_id=NodeId(self.chance.randbytes(8)),
                version="2.3.0", build="3367",
            )  # fmt: skip
            said += self._out.encrypt(serialize_frame(0, Command.CLIENT_DATA, who.serialize()))
        self._write(said[: self.chance.randint(1, len(said))] if self.kind == "half" else said)
        if self.kind == "deaf" and self._end is not None:
            self._end.read_on(wanted=False)
        if self.kind in ("frames", "deaf", "flood"):
            self.world.loop.call_later(self.chance.random(), self._babble, 8)

    def _babble(self, left: int) -> None:
        if self._end is None or self._end.is_closing() or self._out is None:
            return
        frames = 60 if self.kind == "flood" else 4
        for _ in range(frames):
            self._write(self._out.encrypt(self._frame()))
        if left:
            self.world.loop.call_later(self.chance.random() * 2, self._babble, left - 1)

    def _frame(self) -> bytes:
        chance = self.chance
        if chance.random() < (0.9 if self.kind in ("flood", "deaf") else 0.5):
            caid, ident, sid = chance.choice(SERVICES)
            ecm = ecm_of(chance.randrange(len(SERVICES)), self.world.period())
            request = Request(Caid(caid), Ident(ident), ShareId(0), Sid(sid), ecm)
            return serialize_frame(chance.randrange(256), Command.ECM, serialize_ecm(request))
        command = chance.choice(
            (0, 1, 2, 3, 4, 5, 6, 8, 0xA, 0xB, 0xFE, 0xFF, chance.randrange(256))
        )
        frame = bytes([chance.randrange(256), command])
        payload = chance.randbytes(chance.choice((0, 1, 13, 20, 80, 300)))
        length = len(payload) if chance.random() < 0.95 else chance.randrange(65536)
        return frame + length.to_bytes(2) + payload

    def _write(self, data: bytes) -> None:
        if self._end is not None and not self._end.is_closing():
            self._end.write(data)

    def leave(self) -> None:
        if self._end is not None and not self._end.is_closing():
            self._end.abort()


class Knocker(asyncio.Protocol):
    """Comes to the port for paired servers, and is none."""

    def __init__(self, world: "World", chance: random.Random) -> None:
        self.world, self.chance = world, chance
        self.kind = chance.choice(("mute", "noise", "half", "stranger", "stranger"))
        self._end: End | None = None

    def call(self) -> None:
        world = self.world
        address = f"192.168.2.{self.chance.randint(5, 7)}"
        speaks: asyncio.Protocol = self
        if self.kind == "stranger":
            key = world.keys.key_of(f"stranger {self.chance.random()}")
            speaks = Shaking(key, listens=False, then=self._is_in, failed=lambda error: None)
        wire = world.net.call(TLS_PORT, speaks, address=address)
        if wire is not None:
            self._end = wire.caller
            world.knockers.append(self)
            world.loop.call_later(HANDSHAKE + SLACK, self._judge, wire.called)

    def connection_made(self, transport: Any) -> None:
        if self.kind == "noise":
            transport.write(self.chance.randbytes(self.chance.randint(1, 3000)))
        elif self.kind == "half":
            transport.write(HELLO)

    def _is_in(self, end: End, key: KeyCode, rest: bytes) -> None:
        """The handshake is done, as far as the caller knows; the server has yet to look."""
        if key != self.world.keys.own_code():
            self.world.ledger.blame("the server has shown another key than its own")
        end.hand_to(_Listening(self.world))

    def _judge(self, there: End) -> None:
        world = self.world
        if world.loop.time() < world.ledger.leapt_at + SLACK:  # all that is due is due now
            world.loop.call_later(SLACK, self._judge, there)
        elif not there.is_lost:
            self.world.ledger.blame(f"who has no paired key is still there: {self.kind}")

    def leave(self) -> None:
        if self._end is not None and not self._end.is_closing():
            self._end.abort()


class _Listening(asyncio.Protocol):
    """Hopes that the server says something of its protocol."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def data_received(self, data: bytes) -> None:
        self._world.ledger.blame("something was said to one who has no paired key")
