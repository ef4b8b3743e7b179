"""The demonstration's set-top box, and a small softcam made of the protocol object."""

import asyncio
import io
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cccamd.errors import CccamdError
from cccamd.ids import Caid, Ident, Sid
from cccamd.lab.cas import CardKeys, decode
from cccamd.lab.demo import dvbapi as demo_dvbapi
from cccamd.lab.demo.broadcast import Broadcast
from cccamd.lab.demo.dvbapi import connect_dvbapi
from cccamd.lab.demo.receiver import Receiver
from cccamd.lab.demo.scrambler import CaSettings, Scrambler
from cccamd.lab.demo.server import HOST, DemoServer
from cccamd.lab.demo.settopbox import FILTER_TIMEOUT, SetTopBox
from cccamd.net import Connection
from cccamd.values import ControlWords
from cccamd.wire.dvbapi import (
    ECM_ANY,
    ECM_EVEN,
    ECM_ODD,
    CaDescriptor,
    CaPmt,
    Channel,
    ClientInfo,
    ClientIntroduced,
    ClientReader,
    DvbapiServer,
    EcmInfo,
    FilterData,
    ListManagement,
    Parity,
    SectionReceived,
    ServiceListed,
    Stop,
    Stopped,
    Stream,
)

CAID, ECM_PID = Caid(0x7F00), 0x300
ECM = bytes.fromhex("80700401020304")
EVEN, ODD = bytes(range(8)), bytes(range(8, 16))
INFO = EcmInfo(service=Sid(1), caid=CAID, pid=ECM_PID, ident=Ident(0), milliseconds=1)


def service(adapter: int = 0, ecm_pid: int = ECM_PID) -> CaPmt:
    return CaPmt(
        service=Sid(1),
        adapter=adapter,
        descriptors=(CaDescriptor(CAID, ecm_pid),),
        streams=(Stream(0x1B, 0x101), Stream(0x0F, 0x102)),
    )


def fail_loudly(name: str, error: BaseException) -> None:
    raise error


class SmallSoftcam:
    """Answers every ECM with what the card says: demux, index and adapter are one number."""

    def __init__(self, keys: CardKeys) -> None:
        self.keys = keys
        self.services: dict[int, ServiceListed] = {}
        self.stopped: list[int] = []
        now = asyncio.get_running_loop().time()
        self.connection = Connection(DvbapiServer(now), self.handle, on_failure=fail_loudly)

    def handle(self, event: object) -> None:
        protocol = self.connection.protocol
        assert isinstance(protocol, DvbapiServer)
        match event:
            case ClientIntroduced():
                protocol.introduce("small softcam")
            case ServiceListed(channel, pmt):
                self.services[channel.adapter] = event
                (source,) = pmt.sources
                protocol.set_filter(channel, channel.adapter, 0, source.pid, ECM_ANY)
            case Stopped(number):
                self.stopped.append(number)
            case SectionReceived(demux, _, section):
                self.decode(protocol, self.services[demux], section)

    def decode(self, protocol: DvbapiServer, listed: ServiceListed, ecm: bytes) -> None:
        channel, pmt = listed.channel, listed.pmt
        cw = decode(self.keys, ecm, sid=pmt.service, now=datetime.now(UTC))
        for pid in pmt.pids:
            protocol.set_pid(channel, pid, channel.adapter)
        protocol.set_descrambler(channel, channel.adapter, Parity.EVEN, cw.even)
        protocol.set_descrambler(channel, channel.adapter, Parity.ODD, cw.odd)
        protocol.ecm_info(channel, INFO)


@asynccontextmanager
async def listening(softcam: SmallSoftcam) -> AsyncIterator[DemoServer]:
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: softcam.connection, HOST, 0)
    async with listener:
        yield demo_server(listener.sockets[0].getsockname()[1])
        softcam.connection.close()


def demo_server(port: int) -> DemoServer:
    return DemoServer(0, "", cast(Any, SimpleNamespace(returncode=None)), Path(), port)


async def test_services_with_equal_pids_come_back_bit_for_bit(
    open_studio: Any, stream: bytes
) -> None:
    """Three adapters on one connection, each with keys of its own."""
    studio = open_studio()
    softcam = SmallSoftcam(studio.card.keys)
    async with listening(softcam) as server, connect_dvbapi(server) as link:
        broadcasts = []
        for adapter in range(3):
            receiver = Receiver(CAID)
            settings = CaSettings(caid=CAID, ecm_pid=ECM_PID, emm_pid=0x301, period=0.5)
            scrambler = Scrambler(
                settings, make_ecm=studio.subscription.make_ecm, random_bytes=os.urandom
            )
            broadcasts.append(
                Broadcast(
                    scrambler,
                    receiver,
                    link.viewer(adapter, receiver),
                    scrambled_file=io.BytesIO(),
                    clear_file=io.BytesIO(),
                )
            )
        await asyncio.gather(*(one.run(stream, duration=None, at=studio.at) for one in broadcasts))
        assert link.box.server == "small softcam"
        assert link.box.faults == []
    for one in broadcasts:
        assert one.failures == []
        assert one.comparison.is_identical
        assert len(one.answer_times) == 6
    assert sorted(softcam.services) == [0, 1, 2]


async def test_a_server_that_hangs_up_is_told(open_studio: Any, stream: bytes) -> None:
    studio = open_studio()
    softcam = SmallSoftcam(studio.card.keys)
    async with listening(softcam) as server, connect_dvbapi(server) as link:
        receiver = Receiver(CAID)
        found = receiver.feed(studio.scrambler.feed(stream).scrambled)
        softcam.connection.close()
        with pytest.raises(CccamdError, match="connection to the server was lost"):
            await link.viewer(0, receiver).ask(ECM, caid=CAID, sid=Sid(1))
        assert found


async def test_no_answer_is_a_refusal(
    open_studio: Any, stream: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_dvbapi, "ANSWER_TIMEOUT", 0.05)
    studio = open_studio()
    softcam = SmallSoftcam(studio.card.keys)
    monkeypatch.setattr(softcam, "decode", lambda *_: None)
    async with listening(softcam) as server, connect_dvbapi(server) as link:
        receiver = Receiver(CAID)
        viewer = link.viewer(0, receiver)
        assert await viewer.ask(ECM, caid=CAID, sid=Sid(1)) is None, "no service found yet"
        receiver.feed(studio.scrambler.feed(stream).scrambled)
        assert await viewer.ask(ECM, caid=CAID, sid=Sid(1)) is None


async def test_a_port_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_dvbapi, "START_TIMEOUT", 0.1)
    with pytest.raises(CccamdError, match="cannot reach the dvbapi port"):
        async with connect_dvbapi(demo_server(1)):
            pass


# What the box does, without a socket.


class Bench:
    """A box and a server's protocol object, face to face."""

    def __init__(self) -> None:
        self.box = SetTopBox()
        self.server = DvbapiServer(0.0)
        self.said: list[object] = []
        self.exchange(0.0)

    def exchange(self, now: float) -> None:
        data = self.box.data_to_send()
        self.said += [message for _, message in ClientReader().messages(data)]
        self.server.receive_data(data, now)
        self.server.events_received()
        while reply := self.server.data_to_send():
            self.box.receive_data(reply, now)

    def serve(self, pmt: CaPmt, now: float = 1.0) -> Channel:
        self.box.open(pmt, now)
        channel = Channel(pmt.adapter)
        self.server.set_filter(channel, pmt.adapter, 0, pmt.sources[0].pid, ECM_ANY)
        for pid in pmt.pids:
            self.server.set_pid(channel, pid, pmt.adapter)
        self.exchange(now)
        return channel

    def answer(self, channel: Channel, index: int) -> None:
        self.server.set_descrambler(channel, index, Parity.EVEN, EVEN)
        self.server.set_descrambler(channel, index, Parity.ODD, ODD)
        self.server.ecm_info(channel, INFO)
        self.exchange(2.0)


def test_it_lists_as_tvheadend_does() -> None:
    bench = Bench()
    for pmt in (service(0), service(1), service(2)):
        bench.serve(pmt)
    bench.serve(service(1, 0x333))
    for adapter in (0, 1, 2):
        bench.box.close(adapter)
    bench.exchange(3.0)
    first, last, more = ListManagement.FIRST, ListManagement.LAST, ListManagement.MORE
    told = [
        (one.list_management, one.adapter) if isinstance(one, CaPmt) else one for one in bench.said
    ]
    assert told == [
        ClientInfo(2, "cccamd lab"),
        (ListManagement.ONLY, 0),
        *((first, 0), (last, 1)),
        *((first, 0), (more, 1), (last, 2)),
        *(Stop(1), (first, 0), (more, 1), (last, 2)),
        *((first, 1), (last, 2)),
        (ListManagement.ONLY, 2),
        Stop(255),
    ]
    assert bench.box.faults == []


def test_it_passes_on_what_a_filter_wants_when_it_changes() -> None:
    bench = Bench()
    channel = bench.serve(service())
    box = bench.box
    assert not box.section(1, ECM_PID, ECM)
    assert not box.section(0, 0x301, ECM)
    assert not box.section(0, ECM_PID, b"\x02" + ECM[1:])
    assert box.section(0, ECM_PID, ECM)
    assert box.section(0, ECM_PID, ECM), "it is filtered, and was passed on"
    bench.exchange(1.0)
    assert [one for one in bench.said if isinstance(one, FilterData)] == [FilterData(0, 0, ECM)]
    bench.server.set_filter(channel, 0, 0, ECM_PID, ECM_ODD)
    bench.exchange(1.0)
    assert not box.section(0, ECM_PID, ECM)
    bench.server.set_filter(channel, 0, 0, ECM_PID, ECM_EVEN)
    bench.exchange(1.0)
    assert box.section(0, ECM_PID, ECM)


def test_it_keeps_the_keys_of_each_service() -> None:
    bench = Bench()
    channel = bench.serve(service())
    assert bench.box.control_words(0) is None
    bench.server.set_descrambler(channel, 0, Parity.EVEN, EVEN)
    bench.exchange(2.0)
    assert bench.box.control_words(0) is None, "half of it"
    bench.answer(channel, 0)
    assert bench.box.control_words(0) == ControlWords(EVEN + ODD)
    assert bench.box.tunings[0].answers == [ControlWords(EVEN + ODD)]
    bench.server.remove_pid(channel, 0x102)
    bench.exchange(2.0)
    assert bench.box.control_words(0) is None, "the sound stays scrambled"
    assert bench.box.faults == []


def test_it_notes_what_costs_a_real_program_its_picture() -> None:
    def late(bench: Bench) -> None:
        bench.box.open(service(), 1.0)
        bench.box.look(1.0 + FILTER_TIMEOUT)
        assert bench.box.faults == []
        bench.serve(service(), 1.0)
        bench.box.open(service(), 1.0)
        bench.box.look(1.1 + FILTER_TIMEOUT)
        bench.box.look(2.0 + FILTER_TIMEOUT)

    def stopped(bench: Bench) -> None:
        channel = bench.serve(service())
        bench.server.set_filter(channel, 0, 1, ECM_PID, ECM_ANY)
        bench.server.stop_filter(channel, 0, 0, ECM_PID)
        bench.exchange(2.0)
        assert bench.box.faults == [], "another was there first"
        bench.server.stop_filter(channel, 0, 1, ECM_PID)

    def unprepared(bench: Bench) -> None:
        channel = bench.serve(service())
        bench.server.remove_pid(channel, 0x101)
        bench.server.remove_pid(channel, 0x102)
        bench.server.set_descrambler(channel, 0, Parity.EVEN, EVEN)

    def shared_index(bench: Bench) -> None:
        bench.serve(service(0))
        other = bench.serve(service(1))
        bench.server.set_pid(other, 0x101, 0)
        bench.server.set_descrambler(other, 0, Parity.EVEN, EVEN)

    def shared_demux(bench: Bench) -> None:
        bench.serve(service(0))
        bench.serve(service(1))
        bench.server.set_filter(Channel(1), 0, 1, ECM_PID, ECM_ANY)

    def strange_pid(bench: Bench) -> None:
        bench.server.set_pid(bench.serve(service()), 0x999, 0)

    def beyond(bench: Bench) -> None:
        bench.server.set_filter(bench.serve(service()), 0, 64, ECM_PID, ECM_ANY)

    for fault, words in (
        (late, "no filter within 1.5 s"),
        (stopped, "taken away while the service is wanted"),
        (unprepared, "before any stream had it"),
        (shared_index, "index 0 for two adapters"),
        (shared_demux, "demux 0 with a second adapter"),
        (strange_pid, "no such stream"),
        (beyond, "beyond the limits"),
    ):
        bench = Bench()
        fault(bench)
        bench.exchange(9.0)
        (noted,) = bench.box.faults
        assert words in noted


def test_after_its_own_stop_it_does_not_blame_the_server() -> None:
    bench = Bench()
    channel = bench.serve(service())
    bench.box.open(service(0, 0x333), 2.0)
    bench.server.set_descrambler(channel, 0, Parity.EVEN, EVEN)  # was under way
    bench.server.ecm_info(channel, INFO)
    bench.server.stop_filter(channel, 0, 0, ECM_PID)
    bench.server.remove_pid(channel, 0x101)
    bench.exchange(2.1)
    assert bench.box.faults == []
    assert bench.box.tunings[0].answers == []
