"""Minutes of television over dvbapi: a real server, real sockets, time that flies.

A receiver program as tvheadend is one: it passes an ECM on when it has changed, stops a service
before each change of it, and goes black when no key has come for twelve seconds. A picture is
clear when the key that it is scrambled with is the one that the program has at that moment.
"""

import asyncio
import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dvbapiclient import dvbapi_setup, port_table
from laboratory import HOST
from virtual import Clock, live_through

from cccamd.ids import Caid, Sid
from cccamd.lab.cas import CardKeys
from cccamd.lab.demo.scrambler import CwPeriod
from cccamd.lab.demo.settopbox import SetTopBox
from cccamd.lab.demo.subscription import Subscription
from cccamd.lab.ports import free_port
from cccamd.lab.storage import replace_key_file
from cccamd.server import Server
from cccamd.values import with_checksums
from cccamd.wire.dvbapi import CaDescriptor, CaPmt, NetworkIds, Parity, Stream

CAID = Caid(0xFF01)
PERIOD = 8.0
TICK = 0.1
START_UP = 1.0
"""Seconds that a service may take to be clear."""
BLACK_AFTER = 12.0
"""Seconds without a key after which tvheadend shows nothing any more."""
RECONNECT = 3.0
EMM_PID, CAT_PID = 0x700, 1


class Tvheadend(SetTopBox):
    """Notes when it was told a key last."""

    def __init__(self, clock: "Show") -> None:
        super().__init__("tvheadend 4.3")
        self._clock = clock
        self.told_at: dict[int, float] = {}

    def _set_key(self, adapter: int, index: int, parity: Parity, cw: bytes) -> None:
        self.told_at[adapter] = self._clock.now
        super()._set_key(adapter, index, parity, cw)


@dataclass
class Channel:
    """One service on air, and how its pictures were."""

    adapter: int
    ecm_pid: int
    pids: tuple[int, ...] = (100, 101)
    is_constant: bool = False
    keys: dict[Parity, bytes] = field(default_factory=dict)
    """What the program has, also while it is not connected."""
    told_at: float = -1e9
    clear: int = 0
    lost: list[float] = field(default_factory=list)
    ecms: dict[int, bytes] = field(default_factory=dict)

    @property
    def sid(self) -> Sid:
        return Sid(self.adapter + 1)

    def pmt(self) -> CaPmt:
        return CaPmt(
            service=self.sid,
            adapter=self.adapter,
            network=NetworkIds(0, 1, 1),
            descriptors=(CaDescriptor(CAID, self.ecm_pid),),
            streams=tuple(Stream(2, pid) for pid in self.pids),
        )

    def cw(self, period: int) -> bytes:
        seed = f"{self.adapter} {0 if self.is_constant else period}"
        return with_checksums(hashlib.sha256(seed.encode()).digest()[:8])

    def ecm(self, number: int, head_end: Subscription) -> bytes:
        if number not in self.ecms:
            period = CwPeriod(number, self.cw(number), self.cw(number + 1))
            self.ecms[number] = head_end.make_ecm(period, sid=self.sid)
        return self.ecms[number]


class Show:
    """A server with a card, a program that watches, and the time."""

    def __init__(self, clock: Clock, folder: Path, channels: int, *, more: str = "") -> None:
        tomorrow = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
        self.head_end = Subscription(CAID, expires=tomorrow)
        keys: CardKeys = self.head_end.make_card(paid=True)
        replace_key_file(folder / "card.json", keys)
        card = '[[card]]\nkind = "open"\ncaid = "FF01"\nproviders = ["0"]\nkeys = "card.json"\n'
        self.port = free_port()
        self.setup = dvbapi_setup(port_table(self.port, more), cards=card, folder=folder)
        self.channels = [Channel(number, 0x200 + number) for number in range(channels)]
        self._clock = clock
        self._began = clock.now()
        self.faults: list[str] = []
        self.server: Server | None = None
        self._box: Tvheadend | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._reader: asyncio.StreamReader | None = None
        self._back_at = 0.0

    @property
    def now(self) -> float:
        """Seconds of the show."""
        return self._clock.now() - self._began

    async def start(self) -> None:
        self.server = Server(self.setup)
        await self.server.start()

    async def stop(self) -> None:
        assert self.server is not None
        await self.server.stop()

    async def run(self, seconds: float, *, emm: bytes = b"", cat: bytes = b"") -> None:
        """Let so much time pass on air."""
        until = self.now + seconds
        while self.now < until - TICK / 2:
            await self._tick(emm, cat)
            await asyncio.sleep(TICK)

    async def leave(self) -> None:
        if self._writer is not None:
            self._writer.close()
            await asyncio.gather(self._writer.wait_closed(), return_exceptions=True)
        self._writer = None

    def change(self, channel: Channel) -> None:
        """The PMT of a channel has changed."""
        if self._box is not None:
            self._box.open(channel.pmt(), self.now)

    async def _tick(self, emm: bytes, cat: bytes) -> None:
        if self._writer is None and self.now >= self._back_at:
            await self._connect()
        box, number = self._box, int(self.now // PERIOD)
        for channel in self.channels:
            if box is not None and self._writer is not None:
                section = channel.ecm(number, self.head_end)
                box.section(channel.adapter, channel.ecm_pid, section)
                box.section(channel.adapter, CAT_PID, cat or b"\x01\xb0\x00")
                box.section(channel.adapter, EMM_PID, emm or b"\x82\x70\x00")
        await self._exchange()
        for channel in self.channels:
            self._look(channel, number)

    def _look(self, channel: Channel, number: int) -> None:
        box = self._box
        words = box.control_words(channel.adapter) if box is not None else None
        if box is not None and words is not None:
            channel.keys = {Parity.EVEN: words.even, Parity.ODD: words.odd}
            channel.told_at = box.told_at[channel.adapter]
        is_fresh = self.now - channel.told_at < BLACK_AFTER
        if channel.keys.get(Parity(number % 2)) == channel.cw(number) and is_fresh:
            channel.clear += 1
        elif self.now >= START_UP:
            channel.lost.append(round(self.now, 1))

    async def _connect(self) -> None:
        try:
            self._reader, self._writer = await asyncio.open_connection(HOST, self.port)
        except OSError:
            self._back_at = self.now + RECONNECT
            return
        self._box = Tvheadend(self)
        for channel in self.channels:
            self._box.open(channel.pmt(), self.now)

    async def _exchange(self) -> None:
        """Say what there is to be said, until nothing comes back any more."""
        if self._writer is None or self._reader is None or self._box is None:
            return
        try:
            for _ in range(4):
                self._writer.write(self._box.data_to_send())
                await self._writer.drain()
                async with asyncio.timeout(0.02):
                    data = await self._reader.read(1 << 16)
                if not data:
                    raise ConnectionResetError
                self._box.receive_data(data, self.now)
        except TimeoutError:
            self.faults += self._box.faults
            self._box.faults.clear()
        except ConnectionError:
            self._back_at = self.now + RECONNECT
            self._box = None
            await self.leave()


def test_eight_services_lose_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through a change of streams, of the ECM PID, and a restart of the server."""

    async def evening(clock: Clock) -> None:
        show = Show(clock, tmp_path, 8)
        await show.start()
        clock.fly()
        await show.run(2 * PERIOD + 3)
        show.channels[0].ecm_pid = 0x300  # as tvheadend: a stop, then the whole list anew
        show.change(show.channels[0])
        await show.run(PERIOD)
        show.channels[1].pids = (100, 101, 102)
        show.change(show.channels[1])
        await show.run(PERIOD)
        with clock.usual():
            await show.stop()
            await show.start()
        await show.run(2 * PERIOD)
        assert show.faults == []
        for channel in show.channels:
            assert channel.lost == [], f"of channel {channel.adapter}"
            assert channel.clear > 400
        with clock.usual():
            await show.leave()
            await show.stop()

    live_through(evening, monkeypatch)


def test_a_constant_cw_stays_clear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With OSCam the picture ends after twelve seconds."""

    async def evening(clock: Clock) -> None:
        show = Show(clock, tmp_path, 1)
        show.channels[0].is_constant = True
        await show.start()
        clock.fly()
        await show.run(4 * PERIOD)
        show.channels[0].ecm = lambda number, head_end: show.channels[0].ecms[3]  # type: ignore[method-assign]
        await show.run(30.0)  # nothing that changes: nothing is passed on
        assert show.faults == []
        assert show.channels[0].lost == []
        with clock.usual():
            await show.leave()
            await show.stop()

    live_through(evening, monkeypatch)


def test_a_card_learns_from_what_comes_with_a_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The card has another key to begin with, and gets the new one over the air."""

    async def evening(clock: Clock) -> None:
        show = Show(clock, tmp_path, 2, more="au = true")
        before = (tmp_path / "card.json").read_bytes()
        ca = b"\x09\x04" + CAID.to_bytes(2) + (0xE000 | EMM_PID).to_bytes(2)
        body = b"\xff\xff\xc1\x00\x00" + ca + bytes(4)
        cat = b"\x01" + (0xB000 | len(body)).to_bytes(2) + body
        later = datetime.now(UTC).replace(microsecond=0) + timedelta(days=9)
        emm = show.head_end.make_emm(expires=later)
        await show.start()
        assert show.server is not None
        assert len(show.server._dvbapi._home.outlook.emm_cards()) == 1  # type: ignore[union-attr]
        quiet = dvbapi_setup(port_table(show.port), folder=tmp_path)
        await show.server.reload(
            replace(show.setup, toml=replace(show.setup.toml, dvbapi=quiet.toml.dvbapi))
        )
        assert not show.server._dvbapi._home.outlook.emm_cards(), "only if it is allowed"  # type: ignore[union-attr]
        await show.server.reload(show.setup)
        clock.fly()
        await show.run(10.0, emm=emm, cat=cat)
        assert (tmp_path / "card.json").read_bytes() == before, "the picture comes first"
        await show.run(10.0, emm=emm, cat=cat)
        with clock.usual():
            for _ in range(400):
                if (tmp_path / "card.json").read_bytes() != before:
                    break
                await asyncio.sleep(0.01)
        assert (tmp_path / "card.json").read_bytes() != before
        assert show.server is not None
        (seen,) = show.server.snapshot().clients
        assert (seen.emms_sent, seen.emms_passed) == (1, 1), "once, however often it came"
        assert show.faults == []
        assert all(channel.lost == [] for channel in show.channels)
        with clock.usual():
            await show.leave()
            await show.stop()

    live_through(evening, monkeypatch)
